//! What came back.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{
    self, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED, LINK, RETRY_AFTER,
};
use url::Url;

use crate::freshness::{self, Freshness};

/// Media types of pages; servers that know no better say `text/plain`.
const PAGES: [&str; 5] = [
    "text/html",
    "application/xhtml",
    "text/plain",
    "application/xml",
    "text/xml",
];

/// A response with its body, after redirects.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status, of any class except a followed redirect.
    pub status: u16,
    /// Where the response came from, without user part and fragment.
    pub final_url: Url,
    /// The final URL where every hop said "moved for good" (301 or 308) and no hop left https for http.
    pub permanent_redirect: Option<Url>,
    /// All headers of the response.
    pub headers: HeaderMap,
    /// The body, unpacked; not yet decoded to text. Empty with 304.
    pub body: Bytes,
    /// Bytes of the body before unpacking.
    pub bytes_on_wire: u64,
    /// The vetted address that answered; `None` only where the transport did not tell.
    pub address: Option<IpAddr>,
    /// Time from the call to the end of the body.
    pub elapsed: Duration,
    /// Redirects that were followed.
    pub hops: u8,
    /// Whether a hop led from https to http.
    pub downgraded: bool,
}

impl Response {
    /// Returns a header as text; `None` if absent or not visible ASCII.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers
            .get(name)?
            .to_str()
            .ok()
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }

    /// Returns the `ETag` as received, to be sent back as `If-None-Match`.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.header(&ETAG)
    }

    /// Returns `Last-Modified` as received, to be sent back as `If-Modified-Since`.
    #[must_use]
    pub fn last_modified(&self) -> Option<&str> {
        self.header(&LAST_MODIFIED)
    }

    /// Returns the `Content-Type`, parameters included.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.header(&CONTENT_TYPE)
    }

    /// Tells whether this is a page for people: it says so, or says nothing and begins as pages do.
    #[must_use]
    pub fn is_page(&self) -> bool {
        match self.content_type() {
            Some(kind) => {
                let kind = kind.to_ascii_lowercase();
                PAGES.iter().any(|page| kind.starts_with(page))
            }
            None => self.body.trim_ascii_start().starts_with(b"<"),
        }
    }

    /// Returns the first language of `Content-Language`.
    #[must_use]
    pub fn content_language(&self) -> Option<&str> {
        self.header(&CONTENT_LANGUAGE)?.split(',').next().map(str::trim)
    }

    /// Returns how long the server asks us to wait, clamped; see [`freshness::retry_after`].
    #[must_use]
    pub fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        freshness::retry_after(self.header(&RETRY_AFTER)?, now)
    }

    /// Returns how long the response stays fresh by its own headers; see [`freshness::freshness`].
    #[must_use]
    pub fn freshness(&self, now: SystemTime) -> Freshness {
        freshness::freshness(
            self.header(&header::CACHE_CONTROL),
            self.header(&header::EXPIRES),
            self.header(&header::DATE),
            self.header(&header::AGE),
            now,
        )
    }

    /// Returns the targets of `Link` headers (RFC 8288) with relation `rel`, absolute.
    ///
    /// WebSub names its hubs so (`rel="hub"`), and the topic (`rel="self"`).
    #[must_use]
    pub fn links(&self, rel: &str) -> Vec<Url> {
        let values = self
            .headers
            .get_all(LINK)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let targets = values
            .flat_map(parse_links)
            .filter(|(_, rels)| has_word(rels, rel));
        targets
            .filter_map(|(target, _)| self.final_url.join(target).ok())
            .collect()
    }
}

fn has_word(words: &str, word: &str) -> bool {
    words
        .split_ascii_whitespace()
        .any(|candidate| candidate.eq_ignore_ascii_case(word))
}

/// Splits a `Link` value into pairs of target and relations; links without `rel` are left out.
fn parse_links(value: &str) -> Vec<(&str, &str)> {
    let mut links = Vec::new();
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((target, params)) = after.split_once('>') else {
            break;
        };
        let (params, next) = split_params(params);
        rest = next;
        let rels = params.iter().find_map(|param| {
            let (name, value) = param.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("rel")
                .then(|| value.trim().trim_matches('"'))
        });
        links.extend(rels.map(|rels| (target.trim(), rels)));
    }
    links
}

/// Splits parameters at semicolons up to the comma that ends the link; commas and semicolons in quotes do not count.
fn split_params(text: &str) -> (Vec<&str>, &str) {
    let mut params = Vec::new();
    let mut rest = text;
    loop {
        let mut quoted = false;
        let end = rest.find(|c: char| {
            quoted ^= c == '"';
            !quoted && (c == ';' || c == ',')
        });
        let Some((param, tail)) = end.and_then(|end| rest.split_at_checked(end)) else {
            params.push(rest);
            return (params, "");
        };
        params.push(param);
        rest = tail.get(1..).unwrap_or_default();
        if tail.starts_with(',') {
            return (params, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_split_at_the_right_commas() {
        let value = r#"<https://hub.example/a,b>; rel="hub"; title="x, y; z", </self> ;REL=self, <c>; rel="next hub", <d>"#;
        assert_eq!(
            parse_links(value),
            [
                ("https://hub.example/a,b", "hub"),
                ("/self", "self"),
                ("c", "next hub")
            ]
        );
        assert_eq!(parse_links("<unclosed; rel=hub"), []);
        assert_eq!(parse_links("<a>; rel=\"hub"), [("a", "hub")]);
    }
}
