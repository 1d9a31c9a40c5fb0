//! Why bytes are not a feed.

/// Says what bytes that hold no feed are instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing, or nothing but white space.
    #[error("the body is empty")]
    Empty,
    /// An HTML page: often an error page, a login form, or the site itself after a redesign.
    #[error("an HTML page, not a feed")]
    Html,
    /// A page that asks whether the reader is human.
    #[error("a challenge page of a bot filter, not a feed")]
    Challenge,
    /// A JSON document that is no JSON Feed and says that something went wrong.
    #[error("an error message in JSON, not a feed")]
    JsonError,
    /// Any other JSON document.
    #[error("JSON, but no JSON Feed")]
    Json,
    /// An XML document that reports an error, such as an object store's `AccessDenied`.
    #[error("an error message in XML, not a feed")]
    XmlError,
    /// A list of feeds.
    #[error("an OPML list of feeds, not a feed")]
    Opml,
    /// A list of pages without news in it, or a list of such lists.
    #[error("a sitemap without news, not a feed")]
    Sitemap,
    /// Any other XML document.
    #[error("XML, but no feed")]
    Xml,
    /// Compressed, an image, a document: not text.
    #[error("binary data, not a feed")]
    Binary,
    /// More bytes than [`crate::MAX_BYTES`].
    #[error("larger than any feed: more than {} bytes", crate::MAX_BYTES)]
    TooLarge,
    /// Text of no known kind.
    #[error("text, but no feed")]
    NotAFeed,
}

impl Error {
    /// Returns a short name from a fixed set, for metric labels.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Html => "html",
            Self::Challenge => "challenge",
            Self::JsonError => "json_error",
            Self::Json => "json",
            Self::XmlError => "xml_error",
            Self::Opml => "opml",
            Self::Sitemap => "sitemap",
            Self::Xml => "xml",
            Self::Binary => "binary",
            Self::TooLarge => "too_large",
            Self::NotAFeed => "not_a_feed",
        }
    }
}
