//! Items of pages that somebody kept: what a feed would have said of them.

use jiff::Timestamp;
use telex_cleaner::clean_html;
use telex_model::{
    ArticleId, FeedId, FetchedPage, Item, Kind, MAX_MESSAGE_BYTES, Source, content_hash, domain,
};
use telex_stream::Output;
use telex_web::{Capture, Response, decode_html};

use crate::poll::item_output;

/// Makes the items of kept pages.
#[derive(Debug, Clone)]
pub struct Archive {
    /// First word of topic names.
    pub prefix: String,
    /// Labels that the articles carry.
    pub labels: Vec<String>,
}

/// Why there is no item of a kept answer.
pub const PASSED_OVER: [&str; 5] = ["no_answer", "no_page", "no_article", "no_text", "oversize"];

impl Archive {
    /// Makes the item of a kept answer, with its page, as a message for the fetcher: the page is not fetched again.
    /// The site itself counts as its feed, so that a later capture that says something else is a revision. What is no
    /// article (front pages, requests for consent) is left out: nobody announced it.
    ///
    /// # Errors
    /// The reason why there is none, one of [`PASSED_OVER`].
    pub fn message(&self, capture: &Capture, now: Timestamp) -> Result<Output, &'static str> {
        let response = capture.response.as_ref().map_err(|_| "no_answer")?;
        if !(200..300).contains(&response.status) || !response.is_page() {
            return Err("no_page");
        }
        let at = capture.date.as_deref().and_then(|date| date.parse().ok());
        let item = self.item(response, at.unwrap_or(now).min(now), now)?;
        let output = item_output(&item, &self.prefix, now);
        // As a page it has some bytes more.
        if output.size() + 1024 > MAX_MESSAGE_BYTES {
            return Err("oversize");
        }
        Ok(output)
    }

    fn item(&self, response: &Response, fetched_at: Timestamp, now: Timestamp) -> Result<Item, &'static str> {
        let html = decode_html(&response.body, response.content_type());
        let link = &response.final_url;
        let cleaned = clean_html(&telex_cleaner::Page {
            url: Some(link.as_str()),
            html: &html,
        });
        if matches!(cleaned.kind, Kind::Listing | Kind::Consent | Kind::Error) {
            return Err("no_article");
        }
        if cleaned.text.trim().is_empty() {
            return Err("no_text");
        }
        let site = link.join("/").map_err(|_| "no_page")?;
        let title = cleaned.title.unwrap_or_default();
        Ok(Item {
            id: ArticleId::of_link(link),
            feed_id: FeedId::of(&site),
            url: Some(link.to_string()),
            guid: None,
            // What stands around the story differs in every capture; a revision is another story.
            item_hash: content_hash(&[&title, &cleaned.text]),
            title,
            summary: None,
            content: None,
            authors: Vec::new(),
            published: None,
            published_confidence: None,
            updated: None,
            language: None,
            polled_at: now,
            source: Source {
                feed_url: site.to_string(),
                site_name: cleaned.site_name,
                domain: domain(link),
                labels: self.labels.clone(),
            },
            page: Some(Box::new(FetchedPage {
                html: html.into_owned(),
                final_url: link.to_string(),
                status: response.status,
                fetched_at,
            })),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use telex_web::{FetchError, HeaderMap};
    use url::Url;

    use super::*;

    fn capture(status: u16, html: String) -> Capture {
        let url = "https://h.test/2024/ferry-late-again";
        let response = Response {
            status,
            final_url: Url::parse(url).expect("a URL"),
            permanent_redirect: None,
            headers: HeaderMap::new(),
            bytes_on_wire: html.len() as u64,
            body: html.into(),
            address: None,
            elapsed: Duration::ZERO,
            hops: 0,
            downgraded: false,
        };
        Capture {
            url: url.to_owned(),
            date: Some("2024-02-05T10:11:12Z".to_owned()),
            response: Ok(response),
        }
    }

    fn story(navigation: &str, hours: &str) -> String {
        format!(
            "<html><head><title>Ferry late again</title></head><body><nav>{navigation}</nav><article><h1>Ferry late again</h1>\
             <p>The ferry to the island left the harbour {hours} hours late on Monday, and nobody could say why, the port office said.</p>\
             <p>Passengers waited in the rain, for the hall has been closed since the winter, when a storm took its roof.</p>\
             <p>\"We are used to it by now,\" said a teacher who crosses twice a day, \"but the children are not.\"</p></article></body></html>"
        )
    }

    fn item(html: String) -> Item {
        let archive = Archive {
            prefix: "t".into(),
            labels: vec!["kept".into()],
        };
        let now = "2026-03-01T00:00:00Z".parse().expect("a time");
        let output = archive.message(&capture(200, html), now).expect("an item");
        assert_eq!(output.topic, "t.items.v1");
        serde_json::from_slice(&output.value.expect("a value")).expect("an item")
    }

    #[test]
    fn another_story_is_another_revision_another_frame_is_not() {
        let first = item(story("<a href=/>Home</a>", "two"));
        let again = item(story("<a href=/>Home</a> <a href=/new>New</a>", "two"));
        let later = item(story("<a href=/>Home</a>", "three"));
        assert_eq!((first.id, first.feed_id), (later.id, later.feed_id));
        assert_eq!(first.item_hash, again.item_hash);
        assert_ne!(first.item_hash, later.item_hash);
        assert_eq!(first.title, "Ferry late again");
        assert_eq!(
            (first.source.domain.as_str(), first.source.feed_url.as_str()),
            ("h.test", "https://h.test/")
        );
        let page = first.page.expect("the page");
        assert_eq!(page.fetched_at.to_string(), "2024-02-05T10:11:12Z");
        assert!(page.html.contains("two hours late"));
    }

    #[test]
    fn what_is_no_story_is_passed_over_with_its_reason() {
        let archive = Archive {
            prefix: "t".into(),
            labels: Vec::new(),
        };
        let reason = |capture: &Capture| archive.message(capture, Timestamp::now()).err();
        assert_eq!(reason(&capture(404, story("", "two"))), Some("no_page"));
        assert_eq!(reason(&capture(200, "\u{89}PNG".into())), Some("no_page"));
        assert_eq!(reason(&capture(200, "<html></html>".into())), Some("no_text"));
        let mut broken = capture(200, String::new());
        broken.response = Err(FetchError::Protocol("no".into()));
        assert_eq!(reason(&broken), Some("no_answer"));
    }
}
