//! What can go wrong with a fetch, as one closed enum.
//!
//! A response with an HTTP error status is not an error here: the poller must read its headers. [`status_class`] puts
//! statuses and errors on one scale, so that retry rules are written once.

use std::net::IpAddr;

/// How a failure wants to be treated by whoever decides about the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Trying again the same way cannot succeed.
    Permanent,
    /// The resource is gone for good (410).
    Gone,
    /// A later try may succeed.
    Transient,
    /// The server asks for fewer requests: the whole host slows down.
    Throttled,
    /// Somebody refuses: the server's rules, the law or our own guard.
    Blocked,
}

/// Returns the class of an HTTP status, or `None` where it is no failure (1xx to 3xx).
///
/// 403 counts as throttling: news sites answer so to clients that come too often far more than to clients that may
/// never come.
#[must_use]
pub fn status_class(status: u16) -> Option<Class> {
    match status {
        0..=399 => None,
        401 | 402 | 407 | 451 => Some(Class::Blocked),
        403 | 429 | 503 => Some(Class::Throttled),
        408 | 409 | 421 | 423 | 425 => Some(Class::Transient),
        410 => Some(Class::Gone),
        400..=499 => Some(Class::Permanent),
        _ => Some(Class::Transient),
    }
}

/// Why a fetch gave no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URL has a scheme other than http and https, or no host.
    #[error("only http and https URLs with a host can be fetched, not `{0}`")]
    UnsupportedUrl(String),
    /// A header of the request is not allowed or not valid.
    #[error("request header `{0}` is not valid or belongs to the client")]
    InvalidHeader(String),
    /// The host is or resolves to addresses that must not be reached, and to no other.
    #[error("`{host}` is at {address}, which is {kind}")]
    ForbiddenAddress {
        /// Host as in the URL.
        host: String,
        /// The first address that was refused.
        address: IpAddr,
        /// What kind of address that is.
        kind: &'static str,
    },
    /// The name server knows no such host, or did not answer.
    #[error("cannot resolve `{host}`: {message}")]
    Dns {
        /// Host as in the URL.
        host: String,
        /// What the resolver said.
        message: String,
    },
    /// No vetted address took the connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No vetted address took the connection in time.
    #[error("connecting took longer than the limit")]
    ConnectTimeout,
    /// All connection slots of this process stayed taken.
    #[error("no connection slot came free in time")]
    NoConnectionSlot,
    /// The TLS handshake failed: certificate, name or protocol.
    #[error("TLS handshake failed: {0}")]
    Tls(String),
    /// The egress proxy refused to open a tunnel.
    #[error("egress proxy: {0}")]
    Proxy(String),
    /// The whole fetch, redirects and body included, took longer than the limit.
    #[error("the fetch took longer than the limit")]
    Timeout,
    /// The server broke the rules of HTTP.
    #[error("HTTP protocol error: {0}")]
    Protocol(String),
    /// The connection ended before the body did.
    #[error("the body ended early: {0}")]
    BodyTruncated(String),
    /// The body is longer than the limit, on the wire or unpacked.
    #[error("the body is longer than {limit} bytes")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body does not unpack.
    #[error("the body does not unpack: {0}")]
    Decompression(String),
    /// The body is packed in a way that was not asked for.
    #[error("unknown content encoding `{0}`")]
    UnsupportedEncoding(String),
    /// More redirects than the limit.
    #[error("more than {limit} redirects")]
    TooManyRedirects {
        /// The limit.
        limit: u8,
    },
    /// A redirect leads back to a URL of the same chain.
    #[error("redirect loop at {0}")]
    RedirectLoop(String),
    /// A redirect has no usable target.
    #[error("redirect without a usable Location")]
    BadRedirect,
    /// robots.txt of a host on the way refuses the URL.
    #[error("robots.txt disallows {0}")]
    RobotsDisallowed(String),
    /// robots.txt of a host on the way cannot be had, so nothing may be fetched there for now.
    #[error("robots.txt of {0} is unreachable")]
    RobotsUnreachable(String),
    /// A redirect leads to a host that takes no request for now.
    #[error("the redirect's host {0} takes no request for now")]
    HostClosed(String),
}

impl FetchError {
    /// Returns the bounded snake_case label of the error, for metrics and dead letters.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnsupportedUrl(_) => "unsupported_url",
            Self::InvalidHeader(_) => "invalid_header",
            Self::ForbiddenAddress { .. } => "forbidden_address",
            Self::Dns { .. } => "dns",
            Self::Connect(_) => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::NoConnectionSlot => "no_connection_slot",
            Self::Tls(_) => "tls",
            Self::Proxy(_) => "proxy",
            Self::Timeout => "timeout",
            Self::Protocol(_) => "protocol",
            Self::BodyTruncated(_) => "body_truncated",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::Decompression(_) => "decompression",
            Self::UnsupportedEncoding(_) => "unsupported_encoding",
            Self::TooManyRedirects { .. } => "too_many_redirects",
            Self::RedirectLoop(_) => "redirect_loop",
            Self::BadRedirect => "bad_redirect",
            Self::RobotsDisallowed(_) => "robots_disallowed",
            Self::RobotsUnreachable(_) => "robots_unreachable",
            Self::HostClosed(_) => "host_closed",
        }
    }

    /// Returns how the failure wants to be treated.
    ///
    /// DNS and TLS failures are transient: zones and certificates break for hours and come back.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::UnsupportedUrl(_)
            | Self::InvalidHeader(_)
            | Self::BodyTooLarge { .. }
            | Self::UnsupportedEncoding(_)
            | Self::TooManyRedirects { .. }
            | Self::RedirectLoop(_)
            | Self::BadRedirect => Class::Permanent,
            Self::HostClosed(_) => Class::Throttled,
            Self::ForbiddenAddress { .. } | Self::RobotsDisallowed(_) => Class::Blocked,
            Self::Dns { .. }
            | Self::Connect(_)
            | Self::ConnectTimeout
            | Self::NoConnectionSlot
            | Self::Tls(_)
            | Self::Proxy(_)
            | Self::Timeout
            | Self::Protocol(_)
            | Self::BodyTruncated(_)
            | Self::Decompression(_)
            | Self::RobotsUnreachable(_) => Class::Transient,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_fall_into_their_class() {
        let expected = [
            (200, None),
            (304, None),
            (400, Some(Class::Permanent)),
            (401, Some(Class::Blocked)),
            (403, Some(Class::Throttled)),
            (404, Some(Class::Permanent)),
            (408, Some(Class::Transient)),
            (410, Some(Class::Gone)),
            (429, Some(Class::Throttled)),
            (451, Some(Class::Blocked)),
            (500, Some(Class::Transient)),
            (503, Some(Class::Throttled)),
            (522, Some(Class::Transient)),
        ];
        for (status, class) in expected {
            assert_eq!(status_class(status), class, "{status}");
        }
    }
}
