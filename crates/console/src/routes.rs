//! Every address of the console.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::app::{App, Parts};
use crate::failure::Failure;
use crate::{
    about, articles, assets, events, feeds, feeds_out, guard, letters, openapi, overview, session, status,
    trace,
};

/// Why there is no console.
#[derive(Debug, thiserror::Error)]
#[error("the console's pages cannot be made")]
pub struct ConsoleError(#[from] minijinja::Error);

/// Makes the service of a console. Needs a runtime to count in.
///
/// # Errors
/// Where a template is wrong, which is a defect.
pub fn router(parts: Parts) -> Result<Router, ConsoleError> {
    let app = App::new(parts)?;
    tokio::spawn(status::count(Arc::downgrade(&app)));
    Ok(Router::new()
        .merge(pages())
        .merge(openapi::routes())
        .route("/assets/{name}", get(assets::serve))
        .route("/favicon.svg", get(assets::icon))
        .fallback(|| async { Failure::missing("there is no such page") })
        .method_not_allowed_fallback(|| async {
            let status = axum::http::StatusCode::METHOD_NOT_ALLOWED;
            Failure::new(status, "this address takes other methods")
        })
        .layer(from_fn_with_state(Arc::clone(&app), guard::guard))
        .with_state(app))
}

fn pages() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(overview::page))
        .route("/events", get(events::overview))
        .route("/articles", get(articles::list_page))
        .route("/articles/{id}", get(articles::one_page))
        .route("/feeds", get(feeds::page).post(feeds::add_form))
        .route("/feeds/{id}", get(feeds_out::serve))
        .route("/feeds/{id}/{deed}", post(feeds::change_form))
        .route("/dead-letters", get(letters::page))
        .route("/dead-letters/replay", post(letters::replay_form))
        .route("/dead-letters/replayed/{number}", get(letters::replayed_page))
        .route(
            "/dead-letters/{stage}/{partition}/{offset}",
            get(letters::one_page),
        )
        .route("/trace", get(trace::page))
        .route("/topics", get(about::topics_page))
        .route("/settings", get(about::settings_page))
        .route("/login", get(session::page).post(session::sign_in))
        .route("/logout", post(session::sign_out))
}
