//! Signing in and out.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};

use crate::app::App;
use crate::ask::Fields;
use crate::failure::Failure;
use crate::guard;
use crate::keys::Keys;

/// `GET /login`
pub(crate) async fn page(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    app.page("login.html", app.keys.signed_in(&headers).as_ref(), ())
}

/// `POST /login`
pub(crate) async fn sign_in(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let fields = Fields::parse(&guard::body(body).await?, &["token"])?;
    let token = fields.get("token").unwrap_or_default();
    let cookie = app.keys.sign_in(&headers, token).await?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}

/// `POST /logout`
pub(crate) async fn sign_out(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    app.keys.form(&headers, body, &[]).await?;
    Ok((
        [(header::SET_COOKIE, Keys::sign_out(&headers))],
        Redirect::to("/"),
    )
        .into_response())
}
