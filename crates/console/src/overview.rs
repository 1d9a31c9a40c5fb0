//! The first page: how the installation does.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::app::App;
use crate::failure::Failure;
use crate::status;

/// `GET /`
pub(crate) async fn page(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    let status = status::status(&app).await;
    app.page(
        "overview.html",
        app.keys.signed_in(&headers).as_ref(),
        status.as_ref(),
    )
}
