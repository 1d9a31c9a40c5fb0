//! `/metrics`, `/livez` and `/readyz` over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::http::serve_http;
use crate::{Health, Metrics};

/// Why the metrics cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot listen on {address}")]
pub struct ServeError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Serves metrics and health until the runtime ends; returns the address that it listens on, once it does.
///
/// # Errors
/// Where the address cannot be bound.
pub async fn serve(
    address: SocketAddr,
    metrics: Arc<Metrics>,
    health: Health,
) -> Result<SocketAddr, ServeError> {
    let wrap = |source| ServeError { address, source };
    let listener = TcpListener::bind(address).await.map_err(wrap)?;
    let bound = listener.local_addr().map_err(wrap)?;
    let app = Router::new()
        .route("/metrics", get(render))
        .route(
            "/livez",
            get(|State(s): State<Served>| async move { verdict(s.health.live()) }),
        )
        .route(
            "/readyz",
            get(|State(s): State<Served>| async move { verdict(s.health.ready()) }),
        )
        .with_state(Served { metrics, health });
    tokio::spawn(serve_http(listener, app));
    Ok(bound)
}

#[derive(Clone)]
struct Served {
    metrics: Arc<Metrics>,
    health: Health,
}

async fn render(State(served): State<Served>) -> Response {
    served.metrics.ready.set(i64::from(served.health.ready().is_ok()));
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        served.metrics.render(),
    )
        .into_response()
}

fn verdict(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()).into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}
