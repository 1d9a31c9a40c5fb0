//! A scripted HTTP/1.1 server on loopback: raw bytes out, so that it can misbehave in any way.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use telex_web::{Client, ClientOptions, Resolve, Resolving};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// What the server does with one request.
#[derive(Clone)]
pub(crate) struct Reply {
    /// Sent as they are.
    pub(crate) bytes: Vec<u8>,
    /// What happens then.
    pub(crate) then: Then,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Then {
    Keep,
    Close,
    /// Sends one more byte every so often, for ever.
    Drip(Duration),
    /// Keeps the connection open and silent.
    Hang,
}

impl Reply {
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>, then: Then) -> Self {
        Self {
            bytes: bytes.into(),
            then,
        }
    }

    /// A whole response with the right length.
    pub(crate) fn new(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        Self {
            bytes,
            then: Then::Keep,
        }
    }

    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        Self::new(status, &format!("Location: {location}\r\n"), "")
    }
}

/// A running server; ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Heads of all requests so far, in order of arrival.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
    /// Connections that were made.
    pub(crate) connections: Arc<Mutex<usize>>,
}

impl Server {
    /// Starts a server that answers each request head by `script`.
    pub(crate) async fn start(script: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            connections: Arc::default(),
        };
        let (requests, connections) = (Arc::clone(&server.requests), Arc::clone(&server.connections));
        let script = Arc::new(script);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                *connections.lock().unwrap() += 1;
                tokio::spawn(converse(socket, Arc::clone(&requests), Arc::clone(&script)));
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// The same server by a name, for a client with [`names`].
    pub(crate) fn named(&self, host: &str, path: &str) -> Url {
        Url::parse(&format!("http://{host}:{}{path}", self.address.port())).unwrap()
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn converse(
    mut socket: TcpStream,
    requests: Arc<Mutex<Vec<String>>>,
    script: Arc<impl Fn(&str) -> Reply>,
) {
    let mut pending = Vec::new();
    loop {
        while !pending.windows(4).any(|window| window == b"\r\n\r\n") {
            let mut buffer = [0; 4096];
            match socket.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => pending.extend_from_slice(&buffer[..read]),
            }
        }
        let end = pending
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap()
            + 4;
        let head = String::from_utf8_lossy(&pending[..end]).into_owned();
        pending.drain(..end);
        requests.lock().unwrap().push(head.clone());
        let reply = script(&head);
        if socket.write_all(&reply.bytes).await.is_err() {
            return;
        }
        match reply.then {
            Then::Keep => {}
            Then::Close => return,
            Then::Hang => std::future::pending().await,
            Then::Drip(pause) => {
                while socket.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(pause).await;
                }
                return;
            }
        }
    }
}

/// Options that open 127.0.0.1 alone; other loopback addresses stay refused.
pub(crate) fn options() -> ClientOptions {
    ClientOptions {
        allow_addresses: vec!["127.0.0.1/32".parse().unwrap()],
        ..ClientOptions::default()
    }
}

pub(crate) fn client() -> Client {
    Client::new(options()).unwrap()
}

/// A resolver with a fixed table: each look-up of a host takes the next answer, the last one stays.
pub(crate) struct Names {
    table: Mutex<Vec<(String, Vec<Vec<IpAddr>>)>>,
    pub(crate) lookups: Mutex<usize>,
}

pub(crate) fn names(table: &[(&str, &[&[&str]])]) -> Arc<Names> {
    let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
    let rows = table
        .iter()
        .map(|(host, answers)| ((*host).to_owned(), answers.iter().map(parse).collect()));
    Arc::new(Names {
        table: Mutex::new(rows.collect()),
        lookups: Mutex::new(0),
    })
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            *self.lookups.lock().unwrap() += 1;
            let mut table = self.table.lock().unwrap();
            let row = table.iter_mut().find(|(name, _)| name == host);
            let (_, answers) = row.ok_or_else(|| std::io::Error::other("no such host"))?;
            if answers.len() > 1 {
                Ok(answers.remove(0))
            } else {
                Ok(answers[0].clone())
            }
        })
    }
}

/// Lets time pass, with the clock running before and after: a paused one runs ahead whenever a socket is waited for.
pub(crate) async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
