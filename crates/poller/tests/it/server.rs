//! A scripted HTTP/1.1 server on loopback.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// The whole head.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Status, headers, each with its line end, and body.
pub(crate) struct Reply(pub(crate) u16, pub(crate) String, pub(crate) Vec<u8>);

impl Reply {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self(200, String::new(), body.into())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self(status, String::new(), Vec::new())
    }

    pub(crate) fn with(mut self, header: &str) -> Self {
        self.1 += &format!("{header}\r\n");
        self
    }
}

/// A running server; ends with its runtime.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Starts a server that answers each request by `script`.
    pub(crate) async fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
        };
        let asked = Arc::clone(&server.asked);
        let script = Arc::new(script);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(converse(socket, Arc::clone(&asked), Arc::clone(&script)));
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Paths of the requests since the last call.
    pub(crate) fn paths(&self) -> Vec<String> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.into_iter().map(|a| a.path).collect()
    }
}

async fn converse(
    mut socket: TcpStream,
    asked: Arc<Mutex<Vec<Asked>>>,
    script: Arc<impl Fn(&Asked) -> Reply>,
) {
    let mut pending = Vec::new();
    while let Some(request) = receive(&mut socket, &mut pending).await {
        asked.lock().unwrap().push(request.clone());
        let Reply(status, headers, body) = script(&request);
        let length = body.len();
        let mut bytes =
            format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n").into_bytes();
        bytes.extend(body);
        if socket.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn receive(socket: &mut TcpStream, pending: &mut Vec<u8>) -> Option<Asked> {
    let mut buffer = [0; 4096];
    let end = loop {
        if let Some(at) = pending.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => pending.extend_from_slice(&buffer[..read]),
        }
    };
    let head = String::from_utf8_lossy(&pending[..end]).to_ascii_lowercase();
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap_or(0);
    while pending.len() < end + length {
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => pending.extend_from_slice(&buffer[..read]),
        }
    }
    let text = String::from_utf8_lossy(&pending[..end]).into_owned();
    let mut words = text.split_whitespace();
    let asked = Asked {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        head: text.clone(),
        body: String::from_utf8_lossy(&pending[end..end + length]).into_owned(),
    };
    pending.drain(..end + length);
    Some(asked)
}
