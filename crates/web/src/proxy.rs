//! An egress proxy that does not defeat the guard.
//!
//! The name is resolved and vetted here, and the proxy is asked by `CONNECT` for the vetted address, never for the name:
//! a proxy that resolves names itself would reach what the guard refuses. Plain http goes through a tunnel too, so the
//! proxy must allow `CONNECT` to the ports of the sources.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::FetchError;

/// The longest answer to `CONNECT` that is read.
const MAX_ANSWER: usize = 8 * 1024;

/// Where the egress proxy listens, and what it wants to see. Its address is the operator's word and not vetted.
#[derive(Clone)]
pub struct EgressProxy {
    authority: String,
    authorization: Option<String>,
}

impl std::fmt::Debug for EgressProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let authorization = self.authorization.as_ref().map(|_| "redacted");
        f.debug_struct("EgressProxy")
            .field("authority", &self.authority)
            .field("authorization", &authorization)
            .finish()
    }
}

impl EgressProxy {
    /// Takes the proxy's URL, `http://user:password@host:port`.
    ///
    /// # Errors
    /// [`FetchError::Proxy`] where the scheme is not http or there is no host.
    pub fn new(url: &Url) -> Result<Self, FetchError> {
        let (Some(host), "http") = (url.host_str(), url.scheme()) else {
            return Err(FetchError::Proxy(
                "the proxy's URL must be http with a host".to_owned(),
            ));
        };
        let port = url.port_or_known_default().unwrap_or(80);
        Ok(Self {
            authority: format!("{host}:{port}"),
            authorization: basic_authorization(url),
        })
    }

    /// Opens a tunnel to a vetted address. The caller limits the time.
    pub(crate) async fn tunnel(&self, target: SocketAddr) -> Result<TcpStream, FetchError> {
        let failed = |error: std::io::Error| FetchError::Proxy(error.to_string());
        let mut tcp = TcpStream::connect(self.authority.as_str())
            .await
            .map_err(failed)?;
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
        }
        request.push_str("\r\n");
        tcp.write_all(request.as_bytes()).await.map_err(failed)?;

        // Byte by byte: what follows the blank line belongs to the tunnel, and the answer is short.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= MAX_ANSWER {
                return Err(FetchError::Proxy("endless answer to CONNECT".to_owned()));
            }
            answer.push(tcp.read_u8().await.map_err(failed)?);
        }
        match answer.split(|byte| *byte == b' ').nth(1) {
            Some(b"200") => Ok(tcp),
            Some(status) => Err(FetchError::Proxy(format!(
                "status {}",
                String::from_utf8_lossy(status)
            ))),
            None => Err(FetchError::Proxy("no HTTP answer to CONNECT".to_owned())),
        }
    }
}

/// Makes the value of a Basic `Authorization` header from the user part of a URL (RFC 7617).
pub(crate) fn basic_authorization(url: &Url) -> Option<String> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut plain = percent_decode(url.username());
    plain.push(b':');
    plain.extend(percent_decode(url.password().unwrap_or_default()));
    Some(format!("Basic {}", STANDARD.encode(plain)))
}

fn percent_decode(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}
