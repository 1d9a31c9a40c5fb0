//! A small HTTP server that nobody can hold up.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// A client has so long for the head of a request, on a new connection or a kept one.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// Connections at once; further ones wait until one ends.
const MAX_CONNECTIONS: usize = 512;

/// After the system has refused to accept, as for want of file handles.
const AFTER_REFUSAL: Duration = Duration::from_millis(200);

/// Serves until the runtime ends. Answers have no time limit: what is slow to answer sets its own.
pub async fn serve_http(listener: TcpListener, app: Router) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(AFTER_REFUSAL).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::runtime::Runtime;

    use super::*;

    #[test]
    fn whoever_is_slow_with_a_request_is_let_go_and_holds_nobody_up() {
        let runtime = Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let app = Router::new().route("/", get(|| async { "here" }));
            tokio::spawn(serve_http(listener, app));
            let mut slow = TcpStream::connect(address).await.expect("a connection");
            slow.write_all(b"GET / HTTP/1.1\r\nHo").await.expect("it is sent");
            let mut quick = TcpStream::connect(address).await.expect("a connection");
            let request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
            quick.write_all(request).await.expect("it is sent");
            let mut answer = String::new();
            quick.read_to_string(&mut answer).await.expect("an answer");
            assert!(answer.ends_with("here"), "{answer}");
            let mut rest = Vec::new();
            let ended = tokio::time::timeout(4 * HEAD_TIME, slow.read_to_end(&mut rest));
            assert!(ended.await.is_ok(), "the slow one was let go");
        });
    }
}
