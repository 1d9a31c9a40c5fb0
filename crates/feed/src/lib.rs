//! Reads the bytes of a news feed: RSS of every version, Atom, RDF, CDF, JSON Feed and news sitemaps, whole or damaged.
//!
//! Feeds in the wild are cut off, wrongly encoded, full of bare `&` and unclosed tags, or not feeds at all. [`parse`]
//! takes what is there: every whole item survives damage elsewhere, and what is no feed is called by its name.
//! [`sitemap`] reads sitemaps without news: a list of pages is no feed, but can be polled like one.
//!
//! There is one XML parser, a lenient one, for whole and damaged feeds alike. The alternative, a strict parser
//! (feed-rs) first and a second one for what it refuses, was rejected: two mappings of fields never agree on every
//! feed, and a feed that flips between whole and damaged would then seem to have edited its items. feed-rs is the
//! oracle of the tests instead.
//!
//! Nothing here knows a clock, a file or a network. Work is linear in the input; memory is at most about eight times
//! the input; no input panics or recurses.
//!
//! ```
//! use telex_feed::{Input, parse};
//!
//! let bytes = b"<rss><channel><title>Harbour news</title><item><title>Ferry & bus late</title></item>";
//! let feed = parse(&Input { bytes, content_type: None, url: None })?;
//! assert_eq!(feed.entries[0].title.as_deref(), Some("Ferry & bus late"));
//! # Ok::<(), telex_feed::Error>(())
//! ```

mod builder;
mod date;
mod decode;
mod discover;
mod error;
mod feed;
mod json;
mod link;
mod names;
mod reference;
mod sitemap;
mod sniff;
mod token;
mod xml;

pub use date::{Confidence, Date, parse_date};
pub use discover::{FeedLink, discover};
pub use error::Error;
pub use feed::{Entry, Feed, Format, Hints, Repair};
pub use sitemap::{MAX_SITEMAP_ENTRIES, Page, Sitemap, sitemap};

/// Largest input read, in bytes. Real feeds stay below a tenth of it; the HTTP client stops much earlier.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Most entries taken from one feed. The largest archives served as feeds have a few thousand.
pub const MAX_ENTRIES: usize = 20_000;

/// The bytes of a feed and what the server said about them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Input<'a> {
    /// The body, decompressed.
    pub bytes: &'a [u8],
    /// Value of the HTTP header `Content-Type`; its `charset` is a hint about the encoding.
    pub content_type: Option<&'a str>,
    /// Address the body was served from, after redirects: the base of relative links.
    pub url: Option<&'a str>,
}

/// Reads a feed.
///
/// What had to be put right is listed in [`Feed::repairs`]. A feed may hold no entries: that is no error here.
///
/// # Errors
///
/// Says what the bytes are where they are no feed.
pub fn parse(input: &Input<'_>) -> Result<Feed, Error> {
    if input.bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge);
    }
    if sniff::is_binary(input.bytes) {
        return Err(Error::Binary);
    }
    let decoded = decode::decode(input.bytes, input.content_type);
    let text = decoded.text.trim_start();
    if text.is_empty() {
        return Err(Error::Empty);
    }
    let mut feed = match sniff::is_json(text) {
        true => json::parse(text, input.url)?,
        false => xml::parse(&decoded.text, input.url)
            .or_else(|error| json_after_junk(text, input.url).ok_or(error))?,
    };
    feed.repairs.splice(0..0, decoded.repairs);
    Ok(feed)
}

/// Reads a JSON Feed that stands behind the warnings of the program that made it.
fn json_after_junk(text: &str, url: Option<&str>) -> Option<Feed> {
    memchr::memmem::find(text.as_bytes(), b"jsonfeed.org/version")?;
    let start = text.find("{\"").or_else(|| text.find('{'))?;
    let mut feed = json::parse(text.get(start..)?, url).ok()?;
    feed.repairs.push(Repair::LeadingJunk);
    Some(feed)
}
