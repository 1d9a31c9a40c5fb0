//! Requests to the console, counted from outside of it: by route as it is declared, never by what was asked for.

use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body_util::BodyExt;
use prometheus::IntGauge;

use crate::ConsoleMetrics;

/// The route of requests that have none.
const NONE: &str = "none";

/// Has the requests to a service counted.
pub fn measured(app: Router, metrics: ConsoleMetrics) -> Router {
    app.layer(from_fn_with_state(metrics, count))
}

async fn count(State(metrics): State<ConsoleMetrics>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let begun = Instant::now();
    let answer = next.run(request).await;
    let route = route.as_ref().map_or(NONE, MatchedPath::as_str);
    metrics
        .seconds
        .with_label_values(&[route])
        .observe(begun.elapsed().as_secs_f64());
    metrics
        .requests
        .with_label_values(&[answer.status().as_str()])
        .inc();
    let kind = answer.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "text/event-stream") {
        return answer;
    }
    let read = Read::new(metrics.streams);
    answer.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _read = &read;
            frame
        }))
    })
}

/// A stream that is read, until it is dropped.
struct Read(IntGauge);

impl Read {
    fn new(streams: IntGauge) -> Self {
        streams.inc();
        Self(streams)
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use axum::body::{Bytes, HttpBody};
    use axum::http::StatusCode;
    use axum::routing::get;
    use hyper::body::Frame;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::{Metrics, serve_http};

    /// A stream in which nothing ever comes.
    struct Silent;

    impl HttpBody for Silent {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn requests_count_by_route_and_streams_while_they_are_read() {
        let metrics = Metrics::new();
        let stream = || async { ([(header::CONTENT_TYPE, "text/event-stream")], Body::new(Silent)) };
        let app = Router::new()
            .route("/things/{id}", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
            .route("/events", get(stream));
        let app = measured(app, metrics.console());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(serve_http(listener, app));
        let ask = async |path: &str| {
            let mut connection = TcpStream::connect(address).await.expect("a connection");
            let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
            connection
                .write_all(request.as_bytes())
                .await
                .expect("it is sent");
            let mut head = [0; 12];
            connection.read_exact(&mut head).await.expect("an answer");
            connection
        };
        for path in ["/things/1", "/things/2", "/nowhere"] {
            drop(ask(path).await);
        }
        let reader = ask("/events").await;
        let text = metrics.render();
        for line in [
            "telex_console_requests_total{status=\"503\"} 2",
            "telex_console_requests_total{status=\"404\"} 1",
            "telex_console_request_seconds_count{route=\"/things/{id}\"} 2",
            "telex_console_request_seconds_count{route=\"none\"} 1",
            "telex_console_streams 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        drop(reader);
        let begun = Instant::now();
        while !metrics.render().contains("\ntelex_console_streams 0\n") {
            assert!(begun.elapsed() < Duration::from_secs(60), "it is still counted");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
