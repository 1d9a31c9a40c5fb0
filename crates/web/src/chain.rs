//! A fetch's way through redirects, and what it may say at each stop.

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, LOCATION};
use url::Url;

use crate::proxy::basic_authorization;
use crate::request::without_user;
use crate::{FetchError, Request};

/// Headers that belong to the client: others would break framing, decompression or the guard.
const OWN_HEADERS: [&str; 9] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "upgrade",
    "accept-encoding",
    "if-none-match",
    "if-modified-since",
];

/// Where a fetch stands in its chain of redirects.
pub(crate) struct Chain {
    pub(crate) url: Url,
    visited: Vec<Url>,
    pub(crate) hops: u8,
    permanent: bool,
    pub(crate) downgraded: bool,
    /// Whether the current origin may see the request's own headers; once lost, lost for good.
    pub(crate) trusted: bool,
    pub(crate) headers: HeaderMap,
}

impl Chain {
    pub(crate) fn new(request: &Request) -> Result<Self, FetchError> {
        let url = without_user(&request.url);
        check_url(&url)?;
        let mut headers = HeaderMap::new();
        if let Some(basic) = basic_authorization(&request.url) {
            headers.insert(AUTHORIZATION, secret(AUTHORIZATION.as_str(), &basic)?);
        }
        for (name, text) in &request.headers {
            let invalid = || FetchError::InvalidHeader(name.clone());
            if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                return Err(invalid());
            }
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
            headers.insert(parsed, secret(name, text)?);
        }
        Ok(Self {
            url,
            visited: Vec::new(),
            hops: 0,
            permanent: true,
            downgraded: false,
            trusted: true,
            headers,
        })
    }

    /// Where every hop so far said "moved for good" and none left https for http: where that is.
    pub(crate) fn permanent_redirect(&self) -> Option<Url> {
        (self.hops > 0 && self.permanent && !self.downgraded).then(|| self.url.clone())
    }

    /// Moves on to where a redirect points; tells whether that is another host or port.
    pub(crate) fn advance(
        &mut self,
        request: &Request,
        status: u16,
        headers: &HeaderMap,
        max_redirects: u8,
    ) -> Result<bool, FetchError> {
        if self.hops >= max_redirects {
            return Err(FetchError::TooManyRedirects { limit: max_redirects });
        }
        let next = without_user(&self.target(headers).ok_or(FetchError::BadRedirect)?);
        check_url(&next)?;
        let keeps_trust = may_keep_credentials(&self.url, &next);
        // A form may hold a secret, and only 307 and 308 mean "send it again there".
        if request.form.is_some() && !(keeps_trust && matches!(status, 307 | 308)) {
            return Err(FetchError::BadRedirect);
        }
        if next == self.url || self.visited.contains(&next) {
            return Err(FetchError::RedirectLoop(next.to_string()));
        }
        let crossed = next.host_str() != self.url.host_str()
            || next.port_or_known_default() != self.url.port_or_known_default();
        self.trusted &= keeps_trust;
        self.downgraded |= self.url.scheme() == "https" && next.scheme() == "http";
        self.permanent &= matches!(status, 301 | 308);
        self.hops += 1;
        self.visited.push(std::mem::replace(&mut self.url, next));
        Ok(crossed)
    }

    /// Reads `Location` as UTF-8: many servers send it unescaped.
    fn target(&self, headers: &HeaderMap) -> Option<Url> {
        let location = std::str::from_utf8(headers.get(LOCATION)?.as_bytes())
            .ok()?
            .trim();
        if location.is_empty() {
            return None;
        }
        self.url.join(location).ok()
    }
}

/// Whether credentials given for `from` may be sent to `to`: the same origin, or its upgrade to https on standard ports.
fn may_keep_credentials(from: &Url, to: &Url) -> bool {
    let upgraded = from.scheme() == "http"
        && to.scheme() == "https"
        && from.host_str() == to.host_str()
        && from.port_or_known_default() == Some(80)
        && to.port_or_known_default() == Some(443);
    upgraded || from.origin() == to.origin()
}

fn check_url(url: &Url) -> Result<(), FetchError> {
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        return Ok(());
    }
    Err(FetchError::UnsupportedUrl(url.to_string()))
}

fn secret(name: &str, text: &str) -> Result<HeaderValue, FetchError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| FetchError::InvalidHeader(name.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}
