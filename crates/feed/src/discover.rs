//! Finds the feeds that a page names.
//!
//! Pages name their feeds in `<link rel="alternate">` (RSS Board, "RSS Autodiscovery"; the HTML standard, "Link type
//! alternate"). Many only link to them, so links whose address looks like that of a feed come after.

use url::Url;

use crate::link;
use crate::reference::References;
use crate::token::{Tag, Token, Tokens};
use crate::{Input, decode};

/// Most feeds named by one page that are looked at. Portals with a feed for each section have some fifty.
const MAX_FOUND: usize = 64;

/// A feed that a page names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedLink {
    /// Its address.
    pub url: String,
    /// Its name in the page.
    pub title: Option<String>,
}

/// Gives the feeds that a page names, those that it declares before those that it merely links to.
pub fn discover(page: &Input<'_>) -> Vec<FeedLink> {
    let decoded = decode::decode(page.bytes, page.content_type);
    let mut base = page.url.and_then(|url| link::base(None, url));
    let (mut declared, mut linked) = (Vec::new(), Vec::new());
    for token in Tokens::new(&decoded.text) {
        let Token::Start(tag) = token else { continue };
        if tag.name.eq_ignore_ascii_case("base") {
            let given = attribute(&tag, "href").and_then(|href| link::base(base.as_ref(), &href));
            base = given.or(base);
        } else if tag.name.eq_ignore_ascii_case("link") && declares_a_feed(&tag) {
            push(&mut declared, &tag, base.as_ref());
        } else if tag.name.eq_ignore_ascii_case("a") && links_to_a_feed(&tag) {
            push(&mut linked, &tag, base.as_ref());
        }
    }
    for link in linked {
        if declared.len() < MAX_FOUND && declared.iter().all(|d| d.url != link.url) {
            declared.push(link);
        }
    }
    declared
}

fn push(found: &mut Vec<FeedLink>, tag: &Tag<'_>, base: Option<&Url>) {
    let href = attribute(tag, "href").and_then(|href| link::absolute(base, &href));
    let Some(url) = href.filter(|url| link::is_web_address(url)) else {
        return;
    };
    if found.len() < MAX_FOUND && found.iter().all(|f| f.url != url) {
        let title = attribute(tag, "title").filter(|t| !t.trim().is_empty());
        found.push(FeedLink { url, title });
    }
}

fn declares_a_feed(tag: &Tag<'_>) -> bool {
    let rel = attribute(tag, "rel").unwrap_or_default();
    let alternate = rel
        .split_ascii_whitespace()
        .any(|r| r.eq_ignore_ascii_case("alternate"));
    let kind = attribute(tag, "type").unwrap_or_default().to_ascii_lowercase();
    let kinds = [
        "application/rss+xml",
        "application/atom+xml",
        "application/feed+json",
        "application/rdf+xml",
    ];
    alternate && kinds.iter().any(|k| kind.trim().starts_with(k))
}

fn links_to_a_feed(tag: &Tag<'_>) -> bool {
    let href = attribute(tag, "href").unwrap_or_default().to_ascii_lowercase();
    let path = href.split(['?', '#']).next().unwrap_or_default();
    let mut words = path.rsplit(['/', '.', '-', '_']).take(3);
    words.any(|w| matches!(w, "rss" | "feed" | "feeds" | "atom" | "rdf"))
}

/// Value of an attribute, references resolved; names of HTML know no case.
fn attribute(tag: &Tag<'_>, name: &str) -> Option<String> {
    let (_, value) = tag.attributes().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(References::default().resolve(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str) -> Vec<String> {
        let input = Input {
            bytes: page.as_bytes(),
            content_type: Some("text/html; charset=utf-8"),
            url: Some("https://h.test/world/"),
        };
        discover(&input).into_iter().map(|l| l.url).collect()
    }

    #[test]
    fn declared_feeds_come_before_links() {
        let page = r#"<!doctype html><html><head><meta charset=utf-8>
            <link rel=stylesheet href=/s.css><LINK REL="alternate" TYPE="application/rss+xml" HREF="/rss?a=1&amp;b=2" title="All">
            <link rel="alternate home" type="application/feed+json; v=1" href=feed.json>
            <link rel=alternate hreflang=de href=/de/></head>
            <body><a href="/en/world-rss.xml">RSS</a><a href="/rss?a=1&amp;b=2">again</a><a href="/feedback">Write to us</a>
            <a href="mailto:rss@h.test">Mail</a></body></html>"#;
        assert_eq!(
            found(page),
            [
                "https://h.test/rss?a=1&b=2",
                "https://h.test/world/feed.json",
                "https://h.test/en/world-rss.xml"
            ]
        );
    }

    #[test]
    fn the_base_counts_and_so_does_what_was_named_before() {
        let page = "<base href='https://cdn.h.test/x/'><a href=feed>F</a><a href='feed'>F</a><a href='https://h.test/a'>";
        assert_eq!(found(page), ["https://cdn.h.test/x/feed"]);
        assert!(found("").is_empty());
        assert!(found("<link rel=alternate type=application/rss+xml>").is_empty());
    }

    #[test]
    fn their_number_is_bounded() {
        let page: String = (0..1000).map(|n| format!("<a href=/{n}/feed>")).collect();
        assert_eq!(found(&page).len(), MAX_FOUND);
    }
}
