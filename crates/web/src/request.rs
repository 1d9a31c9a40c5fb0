//! What to fetch.

use std::borrow::Cow;
use std::fmt;

use url::Url;

/// `Accept` for feeds: any of the feed forms first, then any XML or JSON, then whatever there is.
pub const ACCEPT_FEED: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, \
     application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.5";

/// `Accept` for article pages.
pub const ACCEPT_PAGE: &str = "text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.5";

/// One fetch.
///
/// `Debug` shows neither the user part of the URL nor the values of `headers`: either may be a credential.
#[derive(Clone)]
pub struct Request {
    /// What to fetch; http or https. A user part becomes a Basic `Authorization` header for the first origin.
    pub url: Url,
    /// Value of `If-None-Match`: the ETag as it was received.
    pub if_none_match: Option<String>,
    /// Value of `If-Modified-Since`: the Last-Modified as it was received.
    pub if_modified_since: Option<String>,
    /// Value of `Accept`.
    pub accept: Cow<'static, str>,
    /// More headers, such as `Authorization`, `Cookie` or an API key. Sent to the first origin only (and to the same host
    /// over https, when http on the standard port redirects there), for any of them may be a credential.
    pub headers: Vec<(String, String)>,
    /// Body of a POST, form-encoded, as WebSub asks for. `None` makes it a GET.
    pub form: Option<String>,
    /// Longest body in bytes, on the wire and unpacked, in place of the client's limit.
    pub max_body_bytes: Option<usize>,
    /// A longer body is cut here rather than refused, in bytes unpacked. Never more than the limit.
    pub cut_at: Option<usize>,
}

impl Request {
    /// Makes a plain GET that accepts anything.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self {
            url,
            if_none_match: None,
            if_modified_since: None,
            accept: Cow::Borrowed("*/*"),
            headers: Vec::new(),
            form: None,
            max_body_bytes: None,
            cut_at: None,
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("url", &without_user(&self.url).as_str())
            .field("if_none_match", &self.if_none_match)
            .field("if_modified_since", &self.if_modified_since)
            .field("accept", &self.accept)
            .field("headers", &names)
            .field("form", &self.form.as_ref().map(String::len))
            .field("max_body_bytes", &self.max_body_bytes)
            .field("cut_at", &self.cut_at)
            .finish()
    }
}

/// Returns the URL without user, password and fragment.
pub(crate) fn without_user(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    // Only fails on URLs without a host, which have no user either.
    if url.set_username("").is_ok() && url.set_password(None).is_ok() {
        return url;
    }
    url
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let mut request = Request::new(Url::parse("https://reader:hunter2@example.com/feed").unwrap());
        request
            .headers
            .push(("X-Api-Key".to_owned(), "hunter2".to_owned()));
        request.form = Some("hub.secret=hunter2".to_owned());
        let shown = format!("{request:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(
            shown.contains("X-Api-Key") && shown.contains("https://example.com/feed"),
            "{shown}"
        );
    }
}
