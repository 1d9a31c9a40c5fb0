//! Opens connections: resolve, vet, connect, TLS. The only place in Telex's HTTP client that makes a socket.
//!
//! The address is vetted and used in one step here, so redirects, retries and pooled connections cannot come to an
//! address that nobody judged.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::FetchError;
use crate::proxy::EgressProxy;
use crate::resolve::Vetted;

/// Addresses of one host that are tried; more would only eat the time limit.
const MAX_ATTEMPTS: usize = 4;

/// The address that the connection of a response leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Makes vetted connections; cheap to clone.
#[derive(Clone)]
pub(crate) struct Connector {
    inner: Arc<Inner>,
}

struct Inner {
    vetted: Arc<Vetted>,
    tls: TlsConnector,
    proxy: Option<EgressProxy>,
    slots: Arc<Semaphore>,
    timeout: Duration,
}

impl Connector {
    pub(crate) fn new(
        vetted: Arc<Vetted>,
        tls: TlsConnector,
        proxy: Option<EgressProxy>,
        max_connections: usize,
        timeout: Duration,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(max_connections));
        Self {
            inner: Arc::new(Inner {
                vetted,
                tls,
                proxy,
                slots,
                timeout,
            }),
        }
    }

    /// Connections that could still be opened.
    pub(crate) fn free_slots(&self) -> usize {
        self.inner.slots.available_permits()
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Socket>;
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, FetchError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.open(&uri).await.map(TokioIo::new) })
    }
}

impl Inner {
    async fn open(&self, uri: &Uri) -> Result<Socket, FetchError> {
        let host = uri
            .host()
            .ok_or_else(|| FetchError::UnsupportedUrl(uri.to_string()))?;
        let secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let deadline = Instant::now() + self.timeout;
        let slot = timeout_at(deadline, Arc::clone(&self.slots).acquire_owned())
            .await
            .map_err(|_| FetchError::NoConnectionSlot)?
            .map_err(|_| FetchError::NoConnectionSlot)?;
        let (tcp, peer) = self.connect(host, port, deadline).await?;
        let stream = if secure {
            let tls = timeout_at(deadline, self.handshake(host, tcp)).await;
            Stream::Tls(Box::new(tls.map_err(|_| FetchError::ConnectTimeout)??))
        } else {
            Stream::Plain(tcp)
        };
        Ok(Socket {
            stream,
            peer,
            _slot: slot,
        })
    }

    /// Tries the vetted addresses in turn; each gets an equal share of the time that is left.
    async fn connect(
        &self,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<(TcpStream, SocketAddr), FetchError> {
        let addresses = self.vetted.addresses(host).await?;
        let attempts = addresses.len().min(MAX_ATTEMPTS);
        let mut last = FetchError::ConnectTimeout;
        for (tried, address) in addresses.iter().take(attempts).enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = u32::try_from(attempts - tried).map_or(left, |attempts_left| left / attempts_left);
            let target = SocketAddr::new(*address, port);
            match timeout_at(Instant::now() + share, self.reach(target)).await {
                Ok(Ok(tcp)) => return Ok((tcp, target)),
                Ok(Err(error)) => last = error,
                Err(_) => last = FetchError::ConnectTimeout,
            }
        }
        Err(last)
    }

    async fn reach(&self, target: SocketAddr) -> Result<TcpStream, FetchError> {
        let tcp = match &self.proxy {
            Some(proxy) => proxy.tunnel(target).await?,
            None => TcpStream::connect(target)
                .await
                .map_err(|error| FetchError::Connect(error.to_string()))?,
        };
        // Requests are written whole, so Nagle's algorithm can only delay them.
        tcp.set_nodelay(true)
            .map_err(|error| FetchError::Connect(error.to_string()))?;
        Ok(tcp)
    }

    async fn handshake(&self, host: &str, tcp: TcpStream) -> Result<TlsStream<TcpStream>, FetchError> {
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let name =
            ServerName::try_from(bare.to_owned()).map_err(|error| FetchError::Tls(error.to_string()))?;
        self.tls
            .connect(name, tcp)
            .await
            .map_err(|error| FetchError::Tls(error.to_string()))
    }
}

/// An open connection, with its slot and the address it leads to.
pub(crate) struct Socket {
    stream: Stream,
    peer: SocketAddr,
    _slot: OwnedSemaphorePermit,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(Peer(self.peer));
        match &self.stream {
            Stream::Tls(tls) if tls.get_ref().1.alpn_protocol() == Some(b"h2") => connected.negotiated_h2(),
            _ => connected,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
