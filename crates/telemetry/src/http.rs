//! A small HTTP server that nobody can hold up.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Sleep;

/// A client has so long for the head of a request, on a new connection or a kept one.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// A client may take nothing of an answer for so long, before it is let go.
const TAKE_TIME: Duration = Duration::from_secs(30);

/// Connections at once unless told otherwise; further ones wait until one ends.
const MAX_CONNECTIONS: usize = 512;

/// After the system has refused to accept, as for want of file handles.
const AFTER_REFUSAL: Duration = Duration::from_millis(200);

/// Serves until the runtime ends. Answers have no time limit: what is slow to answer sets its own.
pub async fn serve_http(listener: TcpListener, app: Router) {
    serve_within(listener, app, TAKE_TIME, MAX_CONNECTIONS).await;
}

/// Serves as [`serve_http`] does, no more connections at once than that: a process has some handles for all it does.
pub async fn serve_few(listener: TcpListener, app: Router, connections: usize) {
    serve_within(listener, app, TAKE_TIME, connections).await;
}

async fn serve_within(listener: TcpListener, app: Router, take_time: Duration, connections: usize) {
    let room = Arc::new(Semaphore::new(connections));
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
                .serve_connection(TokioIo::new(Patient::new(stream, take_time)), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
            drop(place);
        });
    }
}

/// A connection that breaks where the other side takes nothing for a time.
struct Patient {
    stream: TcpStream,
    time: Duration,
    waits: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(stream: TcpStream, time: Duration) -> Self {
        Self {
            stream,
            time,
            waits: None,
        }
    }

    /// Takes in what a write came to: the time begins with the first that has to wait, and ends with one that has not.
    fn within<T>(&mut self, wrote: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.waits = None;
            return wrote;
        }
        let time = self.time;
        let waits = self
            .waits
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        waits
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::Error::from(io::ErrorKind::TimedOut)))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.within(wrote, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.within(wrote, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
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

    #[test]
    fn who_is_one_too_many_waits() {
        let runtime = Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let app = Router::new().route("/", get(|| async { "here" }));
            tokio::spawn(serve_few(listener, app, 1));
            let first = TcpStream::connect(address).await.expect("a connection");
            let mut second = TcpStream::connect(address).await.expect("a connection");
            let request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
            second.write_all(request).await.expect("it is sent");
            let mut answer = [0; 4];
            let early = tokio::time::timeout(Duration::from_millis(300), second.read_exact(&mut answer));
            assert!(early.await.is_err(), "the first has the only place");
            drop(first);
            let late = tokio::time::timeout(Duration::from_secs(60), second.read_exact(&mut answer));
            late.await.expect("in time").expect("an answer");
            assert_eq!(&answer, b"HTTP");
        });
    }

    /// An answer that tells whether it is still held.
    struct Held(Vec<u8>, #[allow(dead_code, reason = "it is counted")] Arc<()>);

    impl AsRef<[u8]> for Held {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    #[test]
    fn whoever_takes_nothing_is_let_go() {
        let runtime = Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let held = Arc::new(());
            let answers = Arc::clone(&held);
            // More than sockets hold.
            let answer = move || {
                let answers = Arc::clone(&answers);
                async move { Bytes::from_owner(Held(vec![b'x'; 64 << 20], answers)) }
            };
            let app = Router::new().route("/", get(answer));
            tokio::spawn(serve_within(
                listener,
                app,
                Duration::from_millis(300),
                MAX_CONNECTIONS,
            ));
            let request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
            let mut idle = TcpStream::connect(address).await.expect("a connection");
            idle.write_all(request).await.expect("it is sent");
            let wait_for = async |wanted: &dyn Fn(usize) -> bool| {
                let begun = std::time::Instant::now();
                while !wanted(Arc::strong_count(&held)) {
                    assert!(begun.elapsed() < Duration::from_secs(60));
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            // Routes hold it, and so does each answer.
            wait_for(&|n| n > 2).await;
            wait_for(&|n| n <= 2).await;
            let mut at_work = TcpStream::connect(address).await.expect("a connection");
            at_work.write_all(request).await.expect("it is sent");
            let mut whole = Vec::new();
            at_work.read_to_end(&mut whole).await.expect("the answer");
            assert!(whole.len() > 64 << 20, "who takes it gets it");
        });
    }
}
