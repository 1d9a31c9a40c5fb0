//! The newspapers and the words of their pages, read from TOML.

use serde::{Deserialize, Serialize};

use crate::feed::Special;

/// One newspaper: a host with its own template, feeds and articles.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paper {
    /// Name of its folder of articles.
    pub(crate) id: String,
    /// File name of its template.
    pub(crate) template: String,
    /// Name in the masthead.
    pub(crate) name: String,
    /// Line below the name.
    pub(crate) tagline: String,
    /// Last number of its address 127.0.0.x.
    pub(crate) address: u8,
    /// Language of the front page and of messages that belong to no article.
    pub(crate) language: String,
    /// Where an article stands: a path with `{slug}`.
    pub(crate) article_path: String,
    /// Encoding in which pages are sent, an Encoding Standard label.
    #[serde(default = "utf_8")]
    pub(crate) charset: String,
    /// Whether it compresses for clients that accept gzip.
    pub(crate) gzip: bool,
    /// The publisher's own words in the footer.
    pub(crate) footer: Vec<String>,
    /// Its feeds.
    pub(crate) feeds: Vec<FeedSpec>,
}

/// One feed of a newspaper.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedSpec {
    /// Where it stands on the host.
    pub(crate) path: String,
    /// Name of the feed.
    pub(crate) label: String,
    /// Syntax of the feed.
    pub(crate) format: Format,
    /// What makes it hard.
    #[serde(default)]
    pub(crate) special: Special,
    /// Takes only articles of this language.
    #[serde(default)]
    pub(crate) language: Option<String>,
    /// Takes only articles of these sections.
    #[serde(default)]
    pub(crate) sections: Vec<String>,
    /// What it appends to links to follow its readers, such as `?utm_source=rss`.
    #[serde(default)]
    pub(crate) tracking: String,
}

/// Syntax of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// RSS 2.0.
    Rss,
    /// Atom 1.0.
    Atom,
    /// JSON Feed 1.1.
    Json,
}

/// The words of one language that surround articles.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Words {
    /// How dates are written, in strftime marks.
    pub(crate) date_format: String,
    pub(crate) home: String,
    pub(crate) search: String,
    pub(crate) sign_in: String,
    pub(crate) subscribe: String,
    pub(crate) by: String,
    pub(crate) updated: String,
    pub(crate) recent: String,
    pub(crate) most_read: String,
    pub(crate) related: String,
    pub(crate) read_also: String,
    pub(crate) advert: String,
    pub(crate) share: String,
    pub(crate) print: String,
    pub(crate) comments: String,
    pub(crate) reply: String,
    pub(crate) about_author: String,
    pub(crate) author_note: String,
    pub(crate) photo: String,
    pub(crate) newsletter: String,
    pub(crate) newsletter_text: String,
    pub(crate) e_mail: String,
    pub(crate) cookie_title: String,
    pub(crate) cookie_text: String,
    pub(crate) cookie_accept: String,
    pub(crate) cookie_reject: String,
    pub(crate) not_found: String,
    pub(crate) read_on: String,
    /// Sections of the navigation, each with its entries.
    pub(crate) navigation: Vec<Section>,
    /// What advertisers say.
    pub(crate) adverts: Vec<String>,
    /// What readers say.
    pub(crate) remarks: Vec<Remark>,
    /// Headlines of stories that this world does not hold.
    pub(crate) headlines: Vec<String>,
    /// Links and small print at the foot of the page.
    pub(crate) imprint: Vec<String>,
}

/// A section of the navigation.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) entries: Vec<String>,
}

/// A reader's comment.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remark {
    pub(crate) name: String,
    pub(crate) text: String,
}

fn utf_8() -> String {
    "utf-8".to_owned()
}
