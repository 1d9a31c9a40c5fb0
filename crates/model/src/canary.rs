//! The canary: an item of our own that goes through all stages, so that its age tells whether news could.
//!
//! The header [`event::CANARY`] says that a message is one and when it was put in. A header, for no feed can set one: a
//! canary by its address or text could be forged to hide articles. It takes no part in what is decided about articles:
//! the fetcher passes it on at once, the classifier sends it to [`Topic::Canary`](crate::Topic::Canary) alone.

use jiff::Timestamp;

use crate::event::{self, Headers};
use crate::{ArticleId, FeedId, Item, Source, content_hash};

/// What the cleaner and the classifier work on: an article like others, of some length.
const TEXT: &str = "<p>This article is put into the pipeline by the pipeline itself, once in a while, to see how long \
    it takes to come out at the other end. It speaks of nothing that happened, and no reader ever gets to see it.</p>\
    <p>A bird of that name was taken into the mine for the same reason. It needed the air that the miners needed, and \
    it showed early that there was none. As long as this text arrives, news would arrive as well.</p>";

/// Makes the canary of an instant.
pub fn canary(at: Timestamp) -> Item {
    Item {
        id: ArticleId::of_item(FeedId::CANARY, &at.to_string()),
        feed_id: FeedId::CANARY,
        url: None,
        guid: Some(at.to_string()),
        title: "A canary".to_owned(),
        summary: None,
        content: Some(TEXT.to_owned()),
        authors: Vec::new(),
        published: Some(at),
        published_confidence: None,
        updated: None,
        language: Some("en".to_owned()),
        polled_at: at,
        item_hash: content_hash(&[TEXT]),
        source: Source {
            feed_url: String::new(),
            site_name: None,
            // The name is reserved for what is nowhere (RFC 6761).
            domain: "canary.invalid".to_owned(),
            labels: Vec::new(),
        },
        page: None,
    }
}

/// Gives the header that makes a message a canary, if it is one, to be passed on.
pub fn canary_header(headers: &Headers) -> Option<(String, String)> {
    let found = event::header(headers, event::CANARY)?;
    Some((event::CANARY.to_owned(), found.to_owned()))
}
