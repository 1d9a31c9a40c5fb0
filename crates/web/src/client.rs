//! The client: one fetch, with its redirects, under all limits.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, USER_AGENT,
};
use http::{Method, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use tokio::time::{Instant, timeout};

use crate::addresses::{AddressLimits, AddressPermit};
use crate::body::{self, Limit};
use crate::chain::Chain;
use crate::connect::{Connector, Peer};
use crate::options::{ClientOptions, ClientStats};
use crate::resolve::{Resolve, SystemResolver, Vetted};
use crate::{AddressGuard, FetchError, Politeness, Request, Response};

/// Bodies of redirects up to this length are read, so that the connection can be used again.
const DRAIN_LIMIT: u64 = 16 * 1024;

/// A redirect's body that takes longer is not worth its connection.
const DRAIN_TIME: Duration = Duration::from_millis(250);

/// Largest read buffer of an HTTP/1.1 connection; also the longest head of a response.
const READ_BUFFER: usize = 128 * 1024;

/// One round trip's worth of a page on a fast link, so that HTTP/2 does not wait for window updates.
const HTTP2_WINDOW: u32 = 1024 * 1024;

/// The guarded HTTP client; clones share everything.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: legacy::Client<Connector, Full<Bytes>>,
    connector: Connector,
    vetted: Arc<Vetted>,
    addresses: AddressLimits,
    user_agent: HeaderValue,
    options: ClientOptions,
}

impl Client {
    /// Makes a client that asks the operating system for addresses.
    ///
    /// # Errors
    /// [`FetchError::InvalidHeader`] for the user agent, [`FetchError::Tls`] for the extra roots.
    pub fn new(options: ClientOptions) -> Result<Self, FetchError> {
        Self::with_resolver(options, Arc::new(SystemResolver))
    }

    /// Makes a client that asks `resolver` for addresses.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_resolver(options: ClientOptions, resolver: Arc<dyn Resolve>) -> Result<Self, FetchError> {
        let user_agent = HeaderValue::from_str(&options.user_agent)
            .map_err(|_| FetchError::InvalidHeader("user-agent".to_owned()))?;
        let guard = AddressGuard::new(options.allow_addresses.clone());
        let vetted = Arc::new(Vetted::new(
            resolver,
            guard,
            options.max_resolved_hosts,
            options.connect_timeout,
        ));
        let connector = Connector::new(
            Arc::clone(&vetted),
            tls(&options.extra_roots)?,
            options.egress_proxy.clone(),
            options.max_connections,
            options.connect_timeout,
        );
        let http = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(options.idle_timeout)
            .pool_max_idle_per_host(options.max_idle_per_host)
            .http1_max_buf_size(READ_BUFFER)
            .http2_initial_stream_window_size(HTTP2_WINDOW)
            .http2_initial_connection_window_size(4 * HTTP2_WINDOW)
            .http2_max_header_list_size(64 * 1024)
            .build(connector.clone());
        let addresses = AddressLimits::new(options.per_address_concurrency);
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                connector,
                vetted,
                addresses,
                user_agent,
                options,
            }),
        })
    }

    /// Fetches a URL, following redirects. Any final HTTP status is a response, not an error.
    ///
    /// The caller holds the host's [`crate::Permit`]; redirects to other hosts are followed at once. May be dropped at
    /// any time.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn get(&self, request: &Request) -> Result<Response, FetchError> {
        self.run(request, None).await
    }

    /// Fetches like [`Client::get`], and asks robots.txt and the host limits before following a redirect.
    ///
    /// # Errors
    /// See [`FetchError`]; waiting for the hosts on the way counts against the total timeout.
    pub async fn get_politely(
        &self,
        request: &Request,
        politeness: &Politeness<'_>,
    ) -> Result<Response, FetchError> {
        self.run(request, Some(politeness)).await
    }

    /// Returns the sizes of what the client holds.
    #[must_use]
    pub fn stats(&self) -> ClientStats {
        ClientStats {
            open_connections: self.open_connections(),
            max_connections: self.inner.options.max_connections,
            busy_addresses: self.inner.addresses.len(),
            resolved_hosts: self.inner.vetted.len(),
        }
    }

    fn open_connections(&self) -> usize {
        self.inner
            .options
            .max_connections
            .saturating_sub(self.inner.connector.free_slots())
    }

    async fn run(
        &self,
        request: &Request,
        politeness: Option<&Politeness<'_>>,
    ) -> Result<Response, FetchError> {
        let fetch = self.follow(request, politeness);
        timeout(self.inner.options.total_timeout, fetch)
            .await
            .unwrap_or(Err(FetchError::Timeout))
    }

    async fn follow(
        &self,
        request: &Request,
        politeness: Option<&Politeness<'_>>,
    ) -> Result<Response, FetchError> {
        let started = Instant::now();
        let mut chain = Chain::new(request)?;
        // Held until the body is read; one for each host after the first.
        let mut permits = Vec::new();
        loop {
            let (mut answer, address, place) = self.exchange(request, &chain).await?;
            if is_redirect(answer.status().as_u16()) {
                let status = answer.status().as_u16();
                let crossed = chain.advance(
                    request,
                    status,
                    answer.headers(),
                    self.inner.options.max_redirects,
                )?;
                drain(answer.into_body()).await;
                // The next hop, or robots.txt before it, may need a place at the same address.
                drop(place);
                if let Some(politeness) = politeness {
                    permits.extend(politeness.admit(self, &chain.url, crossed).await?);
                }
                continue;
            }
            let max = request
                .max_body_bytes
                .unwrap_or(self.inner.options.max_body_bytes);
            let limit = Limit {
                bytes: request.cut_at.unwrap_or(max).min(max),
                cut: request.cut_at.is_some(),
            };
            let headers = std::mem::take(answer.headers_mut());
            let body = body::read(answer.body_mut(), &headers, limit).await?;
            return Ok(Response {
                status: answer.status().as_u16(),
                permanent_redirect: chain.permanent_redirect(),
                final_url: chain.url,
                headers,
                body: body.bytes,
                bytes_on_wire: body.on_wire,
                address,
                elapsed: started.elapsed(),
                hops: chain.hops,
                downgraded: chain.downgraded,
            });
        }
    }

    /// Sends the request to the current URL of the chain and returns the head of the answer.
    async fn exchange(&self, request: &Request, chain: &Chain) -> Result<Answer, FetchError> {
        let host = chain
            .url
            .host_str()
            .ok_or_else(|| FetchError::UnsupportedUrl(chain.url.to_string()))?;
        let found = self.inner.vetted.addresses(host).await?;
        let address = *found.first().ok_or(FetchError::ConnectTimeout)?;
        let place = self.inner.addresses.acquire(address).await;
        let mut answer = self.inner.http.request(self.message(request, chain)?).await;
        // A kept connection that the server closes while we write looks like this; nothing of a GET was done twice.
        if request.form.is_none()
            && let Err(error) = &answer
            && is_cut_before_answer(error)
        {
            answer = self.inner.http.request(self.message(request, chain)?).await;
        }
        let answer = answer.map_err(|error| send_error(&error))?;
        let peer = answer.extensions().get::<Peer>().map(|peer| peer.0.ip());
        Ok((answer, peer, place))
    }

    fn message(&self, request: &Request, chain: &Chain) -> Result<http::Request<Full<Bytes>>, FetchError> {
        let uri = Uri::try_from(chain.url.as_str())
            .map_err(|_| FetchError::UnsupportedUrl(chain.url.to_string()))?;
        let body = request.form.clone().map(Bytes::from).unwrap_or_default();
        let mut message = http::Request::new(Full::new(body));
        *message.uri_mut() = uri;
        let headers = message.headers_mut();
        headers.insert(USER_AGENT, self.inner.user_agent.clone());
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(body::ACCEPT_ENCODING));
        headers.insert(ACCEPT, value(&ACCEPT, &request.accept)?);
        if let Some(etag) = &request.if_none_match {
            headers.insert(IF_NONE_MATCH, value(&IF_NONE_MATCH, etag)?);
        }
        if let Some(date) = &request.if_modified_since {
            headers.insert(IF_MODIFIED_SINCE, value(&IF_MODIFIED_SINCE, date)?);
        }
        if self.open_connections() > self.inner.options.max_kept_connections {
            // HTTP/2 leaves this header out by itself.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if chain.trusted {
            for (name, value) in &chain.headers {
                headers.insert(name, value.clone());
            }
        }
        if request.form.is_some() {
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            );
            *message.method_mut() = Method::POST;
        }
        Ok(message)
    }
}

type Answer = (http::Response<Incoming>, Option<IpAddr>, AddressPermit);

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

fn value(name: &HeaderName, text: &str) -> Result<HeaderValue, FetchError> {
    HeaderValue::from_str(text).map_err(|_| FetchError::InvalidHeader(name.to_string()))
}

/// Reads a short body to its end, so that its connection can be used again.
async fn drain(body: Incoming) {
    let length = hyper::body::Body::size_hint(&body).exact();
    if length.is_some_and(|length| length <= DRAIN_LIMIT) {
        // Whatever happens, the redirect is followed.
        drop(timeout(DRAIN_TIME, body.collect()).await);
    }
}

fn is_cut_before_answer(error: &legacy::Error) -> bool {
    causes(error).any(|cause| {
        cause
            .downcast_ref::<hyper::Error>()
            .is_some_and(|error| error.is_incomplete_message() || error.is_closed() || error.is_canceled())
    })
}

fn send_error(error: &legacy::Error) -> FetchError {
    if let Some(own) = causes(error).find_map(|cause| cause.downcast_ref::<FetchError>()) {
        return own.clone();
    }
    let messages: Vec<String> = causes(error).map(ToString::to_string).collect();
    FetchError::Protocol(messages.join(": "))
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// Sets up TLS with Mozilla's roots: the same everywhere, also in a container without certificates.
fn tls(extra_roots: &[Vec<u8>]) -> Result<tokio_rustls::TlsConnector, FetchError> {
    let failed = |error: rustls::Error| FetchError::Tls(error.to_string());
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for root in extra_roots {
        roots.add(CertificateDer::from(root.clone())).map_err(failed)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tokio_rustls::TlsConnector::from(Arc::new(config)))
}
