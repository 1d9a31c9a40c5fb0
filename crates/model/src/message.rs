//! The values of all topics.
//!
//! JSON with snake_case names. Readers ignore fields that they do not know; within v1 only optional fields are
//! added, so every field added later needs `#[serde(default)]`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tag::{Concept, Kind, Tag};
use crate::{ArticleId, FeedId};

mod feed;
mod push;

pub use feed::{Asked, FeedHealth, FeedRecord, FeedState, Moving, Origin, RequestHeaders, SeenItems};
pub use push::{FeedSignal, Said, Subscription};

/// Where an article came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Address of the feed that named the article first.
    pub feed_url: String,
    /// Name of the site, as its pages or its feed give it.
    #[serde(default)]
    pub site_name: Option<String>,
    /// Registrable domain of the article's link (`host:port` for IP addresses and single-label hosts).
    pub domain: String,
    /// Labels of the feed: OPML folders and what users gave it.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// How sure the reading of a date in a feed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DateConfidence {
    /// Day, time and zone are given and mean one instant.
    Exact,
    /// The time has no zone that is known: taken as UTC.
    AssumedZone,
    /// Only the day is given: midnight UTC.
    DateOnly,
    /// Something was put right, as a time in the future, or could be read in another way.
    Guessed,
}

/// One item of a feed, new or changed: value of `telex.items.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// The article that the item announces.
    pub id: ArticleId,
    /// The feed in which it stood.
    pub feed_id: FeedId,
    /// Absolute link as the feed gave it; absent where the item has none.
    #[serde(default)]
    pub url: Option<String>,
    /// The item's name in the feed: guid, atom:id.
    #[serde(default)]
    pub guid: Option<String>,
    /// Headline, plain text.
    #[serde(default)]
    pub title: String,
    /// Summary, HTML as the feed gave it.
    #[serde(default)]
    pub summary: Option<String>,
    /// Content, HTML as the feed gave it.
    #[serde(default)]
    pub content: Option<String>,
    /// Names of the authors.
    #[serde(default)]
    pub authors: Vec<String>,
    /// When the item says it was published, never later than `polled_at`.
    #[serde(default)]
    pub published: Option<Timestamp>,
    /// How sure that is; messages of before it was told have none.
    #[serde(default)]
    pub published_confidence: Option<DateConfidence>,
    /// When the item says it was changed, never later than `polled_at`.
    #[serde(default)]
    pub updated: Option<Timestamp>,
    /// Language that the feed declares, BCP 47.
    #[serde(default)]
    pub language: Option<String>,
    /// When Telex saw this state of the item.
    pub polled_at: Timestamp,
    /// Hash of title, summary and content: a new revision has another.
    #[serde(with = "crate::hash::hex64")]
    #[schemars(with = "String")]
    pub item_hash: u64,
    /// Where it came from.
    pub source: Source,
    /// The item's page, where it came with it, as from an archive: nothing is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Box<FetchedPage>>,
}

/// What the fetcher knows of an article: value of `telex.frontier.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum FrontierRecord {
    /// A page still to be fetched.
    Pending {
        /// The item that asked for it.
        item: Box<Item>,
        /// Revision that the page will carry.
        revision: u32,
        /// When the article was first seen.
        first_seen: Timestamp,
        /// Requests made so far.
        attempts: u32,
        /// Not to be fetched before.
        not_before: Timestamp,
        /// What the last request met.
        #[serde(default)]
        last_error: Option<String>,
    },
    /// A page that was passed on, or an item that was dropped.
    Done {
        /// Domain of the article: the record's partition goes by it.
        domain: String,
        /// The feed whose changes count as revisions.
        feed_id: FeedId,
        /// Last revision passed on.
        revision: u32,
        /// Hash of the item behind it.
        #[serde(with = "crate::hash::hex64")]
        #[schemars(with = "String")]
        item_hash: u64,
        /// When the article was first seen.
        first_seen: Timestamp,
        /// When the last revision was passed on.
        done_at: Timestamp,
    },
}

/// What there is of an article before cleaning: value of `telex.pages.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The feed item.
    pub item: Item,
    /// Counts the states of the item that were passed on, from 1.
    pub revision: u32,
    /// When the article was first seen.
    pub first_seen: Timestamp,
    /// What the text is to be taken from.
    pub body: Body,
    /// Why the page could not be fetched, where the feed's own text stands in for it.
    #[serde(default)]
    pub fetch_error: Option<String>,
}

/// A page as it was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct FetchedPage {
    /// The page, decoded to Unicode.
    pub html: String,
    /// Where it was found after redirects.
    pub final_url: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// When it was fetched.
    pub fetched_at: Timestamp,
}

/// What the text of an article is taken from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Body {
    /// The page behind the item's link.
    Page(FetchedPage),
    /// The feed's own full text.
    Feed,
    /// The feed's summary, for want of a page.
    Summary,
}

/// A clean article: value of `telex.articles.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Article {
    /// Id of the article.
    pub id: ArticleId,
    /// Counts the states of the article that were passed on, from 1.
    pub revision: u32,
    /// Absolute link as the feed gave it; empty where the item has none.
    pub url: String,
    /// The address that the page claims for itself.
    #[serde(default)]
    pub canonical_url: Option<String>,
    /// Headline.
    pub title: String,
    /// Paragraphs joined by one newline.
    pub text: String,
    /// Names of the authors.
    #[serde(default)]
    pub authors: Vec<String>,
    /// When it was published, as page or feed say.
    #[serde(default)]
    pub published: Option<Timestamp>,
    /// When it was changed last, as page or feed say.
    #[serde(default)]
    pub modified: Option<Timestamp>,
    /// When the pipeline saw it first.
    pub first_seen: Timestamp,
    /// Language of the text, BCP 47.
    #[serde(default)]
    pub language: Option<String>,
    /// What the page turned out to be.
    pub kind: Kind,
    /// Where it came from.
    pub source: Source,
    /// Near-duplicate fingerprint of the text, hexadecimal.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// Address of the lead image.
    #[serde(default)]
    pub lead_image: Option<String>,
    /// How good the extraction is thought to be, 0 to 1.
    #[serde(default)]
    pub quality: f64,
    /// Why the page could not be fetched, where the feed's own text stands in for it.
    #[serde(default)]
    pub fetch_error: Option<String>,
}

/// A tagged article: value of `telex.tagged.v1` and of the topics per tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tagged {
    /// Id of the article, also the record's key.
    pub id: ArticleId,
    /// Counts the states of the article that were passed on, from 1.
    pub revision: u32,
    /// Hash of the topic files that tagged it.
    pub topics_version: String,
    /// Absolute link as the feed gave it; empty where the item has none.
    pub url: String,
    /// The address that the page claims for itself.
    pub canonical_url: Option<String>,
    /// Headline.
    pub title: String,
    /// Paragraphs joined by one newline.
    pub text: String,
    /// Names of the authors.
    pub authors: Vec<String>,
    /// When it was published, as page or feed say.
    pub published: Option<Timestamp>,
    /// When it was changed last, as page or feed say.
    pub modified: Option<Timestamp>,
    /// When the pipeline saw it first.
    pub first_seen: Timestamp,
    /// Language of the text, BCP 47.
    pub language: Option<String>,
    /// What the page turned out to be.
    pub kind: Kind,
    /// Where it came from.
    pub source: Source,
    /// Near-duplicate fingerprint of the text, hexadecimal.
    pub fingerprint: Option<String>,
    /// The topics it is about, surest first.
    pub tags: Vec<Tag>,
    /// The named things it speaks of, most frequent first.
    #[serde(default)]
    pub concepts: Vec<Concept>,
    /// Address of the lead image.
    #[serde(default)]
    pub lead_image: Option<String>,
    /// How good the extraction is thought to be, 0 to 1.
    #[serde(default)]
    pub quality: f64,
    /// Why the page could not be fetched, where the feed's own text stands in for it.
    #[serde(default)]
    pub fetch_error: Option<String>,
}

impl Tagged {
    /// Joins an article with what the classifier says of it.
    pub fn new(article: Article, topics_version: &str, tags: Vec<Tag>, concepts: Vec<Concept>) -> Self {
        Self {
            id: article.id,
            revision: article.revision,
            topics_version: topics_version.to_owned(),
            url: article.url,
            canonical_url: article.canonical_url,
            title: article.title,
            text: article.text,
            authors: article.authors,
            published: article.published,
            modified: article.modified,
            first_seen: article.first_seen,
            language: article.language,
            kind: article.kind,
            source: article.source,
            fingerprint: article.fingerprint,
            tags,
            concepts,
            lead_image: article.lead_image,
            quality: article.quality,
            fetch_error: article.fetch_error,
        }
    }
}
