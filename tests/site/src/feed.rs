//! Feeds: RSS 2.0, Atom 1.0 and JSON Feed 1.1, whole or damaged.

use jiff::{Timestamp, fmt::rfc2822};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    article::{Article, Block},
    page::Renderer,
    paper::{FeedSpec, Format, Paper},
    world::{Story, World},
};

/// A feed of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedUrl {
    /// Where it stands.
    pub url: String,
    /// Its name.
    pub label: String,
    /// Name of its newspaper, the folder in OPML.
    pub paper: String,
    /// What makes it hard.
    pub special: Special,
}

/// What makes a feed hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Special {
    /// Nothing: summaries, validators that are honoured.
    #[default]
    Plain,
    /// Carries the whole text of each article.
    FullText,
    /// Lists articles that another feed lists too, with tracking parameters on the links.
    Overlapping,
    /// Answers 304 to every conditional request, whatever the validators.
    Unchanging,
    /// Answers only after a delay.
    Slow,
    /// Bare ampersands throughout, and the file ends in the middle of an additional last item's title.
    Torn,
    /// Declares UTF-8 and is windows-1251.
    WrongCharset,
    /// Nobody listens at its address.
    Dead,
}

/// A feed as it goes over the wire.
pub(crate) struct Rendered {
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// When one of its articles last changed.
    pub(crate) changed: Timestamp,
}

/// Renders a feed with its damage.
pub(crate) fn render(
    world: &World,
    renderer: &Renderer,
    paper_index: usize,
    paper: &Paper,
    feed: &FeedSpec,
) -> Result<Rendered, minijinja::Error> {
    let stories = world.stories_in(paper_index, feed);
    let changed = stories
        .iter()
        .map(|story| story.changed)
        .max()
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let language = feed.language.as_deref().unwrap_or(&paper.language);
    let view = FeedView {
        title: &feed.label,
        home: world.origin(paper_index),
        url: format!("{}{}", world.origin(paper_index), feed.path),
        description: &paper.tagline,
        language,
        updated: changed.to_string(),
        updated_rfc2822: rfc2822_date(changed),
        items: stories.iter().map(|story| item(world, story, feed)).collect(),
    };
    let (content_type, text) = match feed.format {
        Format::Rss => ("application/rss+xml", renderer.render("rss.xml", &view)?),
        Format::Atom => (
            "application/atom+xml; charset=utf-8",
            renderer.render("atom.xml", &view)?,
        ),
        Format::Json => {
            let read_on = world
                .words_of(language)
                .map_or("", |words| words.read_on.as_str());
            ("application/feed+json", json_feed(&view, read_on).to_string())
        }
    };
    Ok(Rendered {
        content_type,
        body: damage(feed.special, text, world, language),
        changed,
    })
}

#[derive(Serialize)]
struct FeedView<'a> {
    title: &'a str,
    home: &'a str,
    url: String,
    description: &'a str,
    language: &'a str,
    updated: String,
    updated_rfc2822: String,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    guid: String,
    link: String,
    title: &'a str,
    summary: &'a str,
    content: Option<String>,
    authors: &'a [String],
    section: &'a str,
    language: &'a str,
    published: String,
    published_rfc2822: String,
    updated: String,
}

fn item<'a>(world: &World, story: &'a Story, feed: &FeedSpec) -> Item<'a> {
    let article = &story.article;
    let url = world.url(story);
    Item {
        guid: format!("{}/id/{}", world.origin(story.paper), story.slug),
        link: format!("{url}{}", feed.tracking),
        title: &article.title,
        summary: &article.summary,
        content: (feed.special == Special::FullText).then(|| html(article)),
        authors: &article.authors,
        section: &article.section,
        language: &article.language,
        published: article.published.to_string(),
        published_rfc2822: rfc2822_date(article.published),
        updated: article.modified.unwrap_or(article.published).to_string(),
    }
}

fn json_feed(view: &FeedView<'_>, read_on: &str) -> Value {
    let items: Vec<Value> = view
        .items
        .iter()
        .map(|item| {
            // The format demands content; publishers who keep the text to themselves put the teaser there.
            let teaser = format!(
                "<p>{}</p><p><a href=\"{}\">{}</a></p>",
                escape(item.summary),
                escape(&item.link),
                escape(read_on)
            );
            json!({
                "id": item.guid,
                "url": item.link,
                "title": item.title,
                "summary": item.summary,
                "content_html": item.content.as_ref().unwrap_or(&teaser),
                "date_published": item.published,
                "date_modified": item.updated,
                "authors": item.authors.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
                "tags": [item.section],
                "language": item.language,
            })
        })
        .collect();
    json!({
        "version": "https://jsonfeed.org/version/1.1",
        "title": view.title,
        "home_page_url": view.home,
        "feed_url": view.url,
        "description": view.description,
        "language": view.language,
        "items": items,
    })
}

fn damage(special: Special, text: String, world: &World, language: &str) -> Vec<u8> {
    match special {
        Special::Torn => {
            let whole = text.replace("&amp;", "&");
            let end = whole.rfind("</channel>").unwrap_or(whole.len());
            let lost = world.words_of(language).and_then(|words| words.headlines.first());
            let half: String = lost
                .map(|title| title.chars().take(title.chars().count() / 2).collect())
                .unwrap_or_default();
            let kept = whole.get(..end).unwrap_or(&whole).trim_end();
            format!("{kept}\n    <item>\n      <title>{half}").into_bytes()
        }
        Special::WrongCharset => encoding_rs::WINDOWS_1251.encode(&text).0.into_owned(),
        Special::Plain
        | Special::FullText
        | Special::Overlapping
        | Special::Unchanging
        | Special::Slow
        | Special::Dead => text.into_bytes(),
    }
}

/// Writes an article's text as bare HTML.
fn html(article: &Article) -> String {
    let mut out = String::new();
    for block in &article.body {
        match block {
            Block::Paragraph(text) => out.push_str(&format!("<p>{}</p>\n", escape(text))),
            Block::Subhead(text) => out.push_str(&format!("<h3>{}</h3>\n", escape(text))),
            Block::Quote(text) => {
                out.push_str(&format!("<blockquote><p>{}</p></blockquote>\n", escape(text)));
            }
            Block::List(items) => {
                let items: String = items
                    .iter()
                    .map(|item| format!("<li>{}</li>", escape(item)))
                    .collect();
                out.push_str(&format!("<ul>{items}</ul>\n"));
            }
        }
    }
    out
}

/// Escapes text for HTML and XML, in content and in attributes.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Writes a date as RSS has it; the epoch where the calendar has no such day.
fn rfc2822_date(at: Timestamp) -> String {
    rfc2822::DateTimePrinter::new()
        .timestamp_to_string(&at)
        .unwrap_or_default()
}
