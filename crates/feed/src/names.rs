//! What the names of elements mean, whatever prefix, case or namespace address they are written with.

use std::borrow::Cow;

/// The vocabularies that say something about a feed or an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vocabulary {
    /// RSS of every version and Atom: the names of the feed format itself.
    Core,
    /// Atom elements by prefix in a feed of another format.
    Atom,
    Content,
    DublinCore,
    Media,
    Itunes,
    Syndication,
    Rdf,
    Xhtml,
    Feedburner,
    NewsSitemap,
    /// Anything else; elements of it are skipped.
    Other,
}

impl Vocabulary {
    /// Returns the vocabulary of a namespace address, as specified or nearly so.
    ///
    /// Addresses are compared without scheme, case and closing `/` or `#`: feeds get all of these wrong.
    pub(crate) fn of_address(address: &str) -> Option<Self> {
        // Longer than any known address: nothing worth a copy.
        let address = address.trim();
        if address.len() > 120 {
            return None;
        }
        let address = address.to_ascii_lowercase();
        let address = address
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .trim_start_matches("www.");
        Some(match address.trim_end_matches(['/', '#']) {
            "w3.org/2005/atom" | "purl.org/atom/ns" | "purl.org/net/atom" | "purl.org/echo"
            | "purl.org/pie" => Self::Atom,
            "purl.org/rss/1.0"
            | "my.netscape.com/rdf/simple/0.9"
            | "channel.netscape.com/rdf/simple/0.9"
            | "backend.userland.com/rss2"
            | "backend.userland.com/rss"
            | "backend.userland.com/rss091"
            | "blogs.law.harvard.edu/tech/rss"
            | "cyber.law.harvard.edu/rss/rss.html"
            | "my.netscape.com/publish/formats/rss-0.91.dtd"
            | "purl.org/net/rss1.1"
            | "sitemaps.org/schemas/sitemap/0.9"
            | "google.com/schemas/sitemap/0.84" => Self::Core,
            "purl.org/rss/1.0/modules/content" => Self::Content,
            "purl.org/dc/elements/1.1" | "purl.org/dc/elements/1.0" | "purl.org/dc/terms" => Self::DublinCore,
            "search.yahoo.com/mrss" | "video.search.yahoo.com/mrss" => Self::Media,
            "itunes.com/dtds/podcast-1.0.dtd"
            | "itunes.com/dtds/podcast-1.0"
            | "example.com/dtds/podcast-1.0.dtd" => Self::Itunes,
            "purl.org/rss/1.0/modules/syndication" => Self::Syndication,
            "w3.org/1999/02/22-rdf-syntax-ns" => Self::Rdf,
            "w3.org/1999/xhtml" => Self::Xhtml,
            "rssnamespace.org/feedburner/ext/1.0" => Self::Feedburner,
            "google.com/schemas/sitemap-news/0.9" => Self::NewsSitemap,
            _ => return None,
        })
    }

    /// Returns the vocabulary that a prefix is used for by everybody: for prefixes never declared, or declared with an
    /// address nobody knows.
    pub(crate) fn of_prefix(prefix: &str) -> Self {
        match prefix {
            "" => Self::Core,
            "atom" | "atom10" | "a10" => Self::Atom,
            "content" => Self::Content,
            "dc" | "dcterms" | "dct" | "dcterm" => Self::DublinCore,
            "media" => Self::Media,
            "itunes" => Self::Itunes,
            "sy" => Self::Syndication,
            "rdf" => Self::Rdf,
            "xhtml" => Self::Xhtml,
            "feedburner" => Self::Feedburner,
            "news" => Self::NewsSitemap,
            _ => Self::Other,
        }
    }
}

/// Which of several elements that carry the same thing is taken: the lowest rank that is not empty.
pub(crate) type Rank = u8;

/// What an element in a feed or item means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// An `item`, `entry` or sitemap `url`.
    Entry,
    /// The feed itself, or a part of it that only groups: its children count as if they stood here.
    Group,
    /// Something with its own title and link that is neither feed nor item: its children do not count.
    Skip,
    Title(Rank),
    Link,
    /// An address in the text of the element that stands in for a missing link.
    LinkText(Rank),
    Id(Rank),
    Published(Rank),
    Updated(Rank),
    /// A `description`, `summary` or `abstract`; two of different names are summary and content.
    Summary(Rank),
    Content(Rank),
    /// An author as text, or as an element with a name in it.
    Author(Rank),
    Contributor,
    Category,
    Language,
    Ttl,
    UpdatePeriod,
    UpdateFrequency,
    SkipHour,
    SkipDay,
    NewLocation,
}

/// Returns what the element with this lower-case local name means.
pub(crate) fn meaning(vocabulary: Vocabulary, local: &str) -> Meaning {
    match vocabulary {
        Vocabulary::Core | Vocabulary::Atom => core(local),
        Vocabulary::Content => match local {
            "encoded" => Meaning::Content(0),
            "items" => Meaning::Group,
            _ => Meaning::Skip,
        },
        Vocabulary::DublinCore => dublin_core(local),
        Vocabulary::Media => match local {
            "title" => Meaning::Title(3),
            "description" => Meaning::Summary(4),
            "keywords" => Meaning::Category,
            "group" | "content" => Meaning::Group,
            _ => Meaning::Skip,
        },
        Vocabulary::Itunes => match local {
            "title" => Meaning::Title(2),
            "summary" => Meaning::Summary(2),
            "subtitle" => Meaning::Summary(3),
            "author" => Meaning::Author(2),
            "new-feed-url" => Meaning::NewLocation,
            "keywords" => Meaning::Category,
            _ => Meaning::Skip,
        },
        Vocabulary::Syndication => match local {
            "updateperiod" => Meaning::UpdatePeriod,
            "updatefrequency" => Meaning::UpdateFrequency,
            _ => Meaning::Skip,
        },
        Vocabulary::Rdf => Meaning::Group,
        Vocabulary::Xhtml => match local {
            "body" | "div" => Meaning::Content(1),
            _ => Meaning::Group,
        },
        Vocabulary::Feedburner => match local {
            "origlink" => Meaning::LinkText(2),
            _ => Meaning::Skip,
        },
        Vocabulary::NewsSitemap => match local {
            "title" => Meaning::Title(0),
            "publication_date" => Meaning::Published(0),
            "keywords" => Meaning::Category,
            "language" => Meaning::Language,
            _ => Meaning::Group,
        },
        Vocabulary::Other => Meaning::Skip,
    }
}

fn core(local: &str) -> Meaning {
    match local {
        "item" | "entry" | "url" => Meaning::Entry,
        "title" => Meaning::Title(0),
        "link" => Meaning::Link,
        "loc" => Meaning::LinkText(0),
        "a" => Meaning::Link,
        "guid" | "id" => Meaning::Id(0),
        "pubdate" | "published" => Meaning::Published(0),
        "issued" => Meaning::Published(1),
        "date" | "created" => Meaning::Published(2),
        "updated" => Meaning::Updated(0),
        "modified" => Meaning::Updated(1),
        "lastbuilddate" | "lastmod" => Meaning::Updated(2),
        "description" | "summary" | "abstract" => Meaning::Summary(0),
        "tagline" | "subtitle" | "info" => Meaning::Summary(3),
        "content" | "fullitem" | "encoded" => Meaning::Content(0),
        "body" => Meaning::Content(1),
        "author" => Meaning::Author(0),
        "managingeditor" | "webmaster" => Meaning::Skip,
        "contributor" => Meaning::Contributor,
        "category" => Meaning::Category,
        "language" => Meaning::Language,
        "ttl" => Meaning::Ttl,
        "hour" => Meaning::SkipHour,
        "day" => Meaning::SkipDay,
        "newlocation" => Meaning::NewLocation,
        "image" | "textinput" | "textarea" | "source" | "cloud" | "logo" | "icon" | "generator"
        | "rights" | "copyright" | "docs" | "rating" | "comments" => Meaning::Skip,
        _ => Meaning::Group,
    }
}

fn dublin_core(local: &str) -> Meaning {
    match local {
        "title" => Meaning::Title(1),
        "description" | "abstract" => Meaning::Summary(1),
        "creator" => Meaning::Author(0),
        "author" => Meaning::Author(1),
        "contributor" => Meaning::Contributor,
        "subject" => Meaning::Category,
        "language" => Meaning::Language,
        "identifier" => Meaning::Id(2),
        "issued" => Meaning::Published(1),
        "created" => Meaning::Published(2),
        "date" | "modified" => Meaning::Updated(1),
        _ => Meaning::Skip,
    }
}

/// Splits a name into prefix and local name.
pub(crate) fn split(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

/// Returns the name in lower case, copying only where it is not.
pub(crate) fn lower(name: &str) -> Cow<'_, str> {
    // No name that means something is longer; names of megabytes are not copied.
    if name.len() > 64 || !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.to_ascii_lowercase())
    }
}
