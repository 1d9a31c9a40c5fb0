//! What a feed says, in one form for all formats.

use std::{fmt, time::Duration};

use crate::Date;

/// A feed: what it says about itself, and its entries in the order of the document.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// The format it is written in.
    pub format: Format,
    /// Title as in the feed, references resolved; HTML where the feed has HTML in it.
    pub title: Option<String>,
    /// Address of the site or section that the feed belongs to; absolute where a base is known.
    pub link: Option<String>,
    /// Language tag as given.
    pub language: Option<String>,
    /// What the publisher asks of those who poll.
    pub hints: Hints,
    /// The items, at most [`crate::MAX_ENTRIES`].
    pub entries: Vec<Entry>,
    /// What had to be put right, each kind once.
    pub repairs: Vec<Repair>,
}

impl Feed {
    /// Makes a feed that says nothing yet.
    #[must_use]
    pub fn empty(format: Format) -> Self {
        Self {
            format,
            title: None,
            link: None,
            language: None,
            hints: Hints::default(),
            entries: Vec::new(),
            repairs: Vec::new(),
        }
    }
}

/// Format of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// RSS 0.91 to 2.0: `<rss>`, whatever version it claims.
    Rss,
    /// RSS 0.90, 1.0 and 1.1: `<rdf:RDF>`.
    Rdf,
    /// Atom 1.0.
    Atom,
    /// Atom before it was a standard: 0.1 to 0.3.
    AtomDraft,
    /// Channel Definition Format.
    Cdf,
    /// JSON Feed 1.0 and 1.1.
    JsonFeed,
    /// A sitemap with news in it.
    NewsSitemap,
}

impl Format {
    /// Returns a short name from a fixed set, for metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rss => "rss",
            Self::Rdf => "rdf",
            Self::Atom => "atom",
            Self::AtomDraft => "atom_draft",
            Self::Cdf => "cdf",
            Self::JsonFeed => "json_feed",
            Self::NewsSitemap => "news_sitemap",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the publisher asks of those who poll the feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// RSS `ttl`: how long the feed may be cached. Whole minutes.
    pub ttl: Option<Duration>,
    /// `sy:updatePeriod` divided by `sy:updateFrequency`: how often the feed changes.
    pub update_period: Option<Duration>,
    /// RSS `skipHours`: bit n is set where the hour n (0 to 23, GMT) should be skipped.
    pub skip_hours: u32,
    /// RSS `skipDays`: bit n is set where the day n (0 is Monday, GMT) should be skipped.
    pub skip_days: u8,
    /// WebSub hub (`rel="hub"`).
    pub hub: Option<String>,
    /// The feed's own address (`rel="self"`), which is the WebSub topic.
    pub self_link: Option<String>,
    /// Address the feed says it has moved to (`itunes:new-feed-url`, `<redirect><newLocation>`).
    pub new_location: Option<String>,
}

/// An item of a feed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// The `guid` or `id` as given; never made up.
    pub id: Option<String>,
    /// Title as in the feed, references resolved; HTML where the feed has HTML in it.
    pub title: Option<String>,
    /// Address of the article; absolute where a base is known.
    pub link: Option<String>,
    /// When it was published.
    pub published: Option<Date>,
    /// When it was last changed. Many feeds give only this.
    pub updated: Option<Date>,
    /// Summary or teaser: HTML as in the feed.
    pub summary: Option<String>,
    /// Full text where the feed has it: HTML as in the feed.
    pub content: Option<String>,
    /// Names of the authors, or their addresses where no name is given.
    pub authors: Vec<String>,
    /// Categories, keywords, subjects.
    pub categories: Vec<String>,
    /// Language tag as given for this item.
    pub language: Option<String>,
    /// The document ended within this entry, so that text or fields are missing. What is here is a prefix of what the
    /// publisher wrote: it should not count as an edit of an item seen before.
    pub truncated: bool,
}

/// What was put right in a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Repair {
    /// Decoded with another encoding than the one declared, which does not fit the bytes.
    WrongEncoding {
        /// Name of the encoding that was used.
        used: &'static str,
    },
    /// Bytes that mean nothing in the encoding became U+FFFD.
    InvalidBytes,
    /// Something stood before the root element.
    LeadingJunk,
    /// A root element was missing or unknown; items were found without it.
    MissingRoot,
    /// `&` without a reference, or a reference to nothing, was taken as text.
    BareAmpersand,
    /// `<` that begins no tag was taken as text.
    BareLessThan,
    /// Tags, comments, sections or quotes without an end.
    UnclosedMarkup,
    /// End tags that do not match, or are missing.
    MismatchedTags,
    /// The document ends before its root element does.
    Truncated,
    /// A prefix was used without a declaration.
    UndeclaredPrefix,
    /// Elements nested deeper than any feed were passed over.
    TooDeep,
    /// A field was longer than allowed and was cut.
    FieldTooLong,
    /// Entries beyond the cap were dropped.
    TooManyEntries,
    /// JSON that is not valid was put right.
    InvalidJson,
    /// Dates that could not be read.
    UnreadableDate,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongEncoding { used } => write!(f, "declared encoding does not fit, read as {used}"),
            Self::InvalidBytes => f.write_str("invalid bytes replaced"),
            Self::LeadingJunk => f.write_str("text before the root element skipped"),
            Self::MissingRoot => f.write_str("no root element"),
            Self::BareAmpersand => f.write_str("bare & taken as text"),
            Self::BareLessThan => f.write_str("bare < taken as text"),
            Self::UnclosedMarkup => f.write_str("unclosed markup ended"),
            Self::MismatchedTags => f.write_str("mismatched tags"),
            Self::Truncated => f.write_str("document is cut off"),
            Self::UndeclaredPrefix => f.write_str("namespace prefix not declared"),
            Self::TooDeep => f.write_str("elements nested too deep passed over"),
            Self::FieldTooLong => f.write_str("overlong field cut"),
            Self::TooManyEntries => f.write_str("entries beyond the limit dropped"),
            Self::InvalidJson => f.write_str("invalid JSON put right"),
            Self::UnreadableDate => f.write_str("unreadable date"),
        }
    }
}
