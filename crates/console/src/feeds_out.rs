//! Tagged articles as Atom (RFC 4287) and JSON Feed 1.1, for people with a feed reader and without Kafka.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use telex_model::{ArticleId, Tagged, Topic};
use telex_sink::Query;

use crate::app::App;
use crate::articles::{self, find};
use crate::failure::Failure;
use crate::guard;
use crate::render::{escape, link};

/// Articles of a feed: a day's of a busy tag for readers that look every hour.
const ENTRIES: usize = 50;

/// Characters of an article's beginning.
const SUMMARY: usize = 600;

/// A feed to be written.
struct Feed<'a> {
    tag: &'a str,
    about: &'a str,
    /// Scheme and host by which it was asked for.
    base: String,
    path: String,
    updated: Timestamp,
    now: Timestamp,
    articles: Vec<Tagged>,
}

/// `GET /feeds/{tag}.atom` and `GET /feeds/{tag}.json`
pub(crate) async fn serve(
    State(app): State<Arc<App>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (tag, atom) = match (file.strip_suffix(".atom"), file.strip_suffix(".json")) {
        (Some(tag), _) => (tag.to_owned(), true),
        (_, Some(tag)) => (tag.to_owned(), false),
        _ => {
            return Err(Failure::missing(
                "feeds are at /feeds/TAG.atom and /feeds/TAG.json",
            ));
        }
    };
    let known = app.parts.topics.iter().find(|t| t.name == tag);
    if Topic::tagged_with(&tag).is_err() || known.is_none() {
        return Err(Failure::missing("there is no such tag; /topics lists them"));
    }
    let query = Query {
        tag: Some(tag.clone()),
        limit: Some(ENTRIES),
        ..Query::default()
    };
    let about = known.map(|t| t.about.clone()).unwrap_or_default();
    let asked = app.store.ask(move |articles| {
        let found = find(articles, &query)?;
        let articles: Vec<Tagged> = found
            .articles
            .iter()
            .map(articles::parse)
            .collect::<Result<_, _>>()?;
        let now = Timestamp::now();
        let feed = Feed {
            now,
            tag: &tag,
            about: &about,
            base: base(&headers),
            path: format!("/feeds/{file}"),
            updated: articles
                .iter()
                .map(|a| updated(a, now))
                .max()
                .unwrap_or(Timestamp::UNIX_EPOCH),
            articles,
        };
        let (kind, text) = if atom {
            ("application/atom+xml; charset=utf-8", feed.atom())
        } else {
            ("application/feed+json; charset=utf-8", feed.json().to_string())
        };
        Ok::<_, Failure>(conditional(&headers, kind, feed.updated, text))
    });
    asked.await
}

/// The address by which a request came; the host was checked before.
fn base(headers: &HeaderMap) -> String {
    let text = |name: &HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    let scheme = if guard::is_https(headers) { "https" } else { "http" };
    format!("{scheme}://{}", text(&header::HOST).unwrap_or("localhost"))
}

/// When the pipeline last learned of an article.
fn updated(article: &Tagged, now: Timestamp) -> Timestamp {
    let claimed = article.modified.into_iter().chain(article.published);
    // What a page claims of the future is not believed.
    claimed
        .filter(|t| *t <= now)
        .chain([article.first_seen])
        .max()
        .unwrap_or(article.first_seen)
}

/// Answers whether it has changed (RFC 9110, section 13), by the tag alone: an article is revised or withdrawn without
/// a later time, so `If-Modified-Since` would miss it.
fn conditional(headers: &HeaderMap, kind: &'static str, updated: Timestamp, text: String) -> Response {
    let tag = format!(
        "\"{}\"",
        blake3::hash(text.as_bytes())
            .to_hex()
            .chars()
            .take(32)
            .collect::<String>()
    );
    let modified = httpdate::fmt_http_date(std::time::SystemTime::from(updated));
    let text_of = |name: &HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    let unchanged = text_of(&header::IF_NONE_MATCH).is_some_and(|tags| {
        tags.split(',')
            .any(|t| t.trim().trim_start_matches("W/") == tag || t.trim() == "*")
    });
    let validators = [
        (header::ETAG, tag),
        (header::LAST_MODIFIED, modified),
        (header::CACHE_CONTROL, "private, max-age=60".to_owned()),
    ];
    if unchanged {
        return (StatusCode::NOT_MODIFIED, validators).into_response();
    }
    (validators, [(header::CONTENT_TYPE, kind)], text).into_response()
}

/// The id of an article as a URN: it is 128 bits, as a UUID is.
fn urn(id: ArticleId) -> String {
    let n = id.as_u128();
    format!(
        "urn:uuid:{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        n >> 96,
        (n >> 80) & 0xffff,
        (n >> 64) & 0xffff,
        (n >> 48) & 0xffff,
        n & 0xffff_ffff_ffff
    )
}

fn summary(article: &Tagged) -> String {
    let mut text: String = article.text.chars().take(SUMMARY).collect();
    if text.len() < article.text.len() {
        text.push('…');
    }
    text
}

impl Feed<'_> {
    fn atom(&self) -> String {
        let mut out = String::from(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">",
        );
        let base = escape(&self.base);
        // Writing to a string cannot fail.
        let _ok = write!(
            out,
            "<id>urn:telex:feed:{tag}</id><title>Telex: {tag}</title><subtitle>{about}</subtitle><updated>{updated}</updated>\
             <author><name>Telex</name></author><link rel=\"self\" type=\"application/atom+xml\" href=\"{base}{path}\"/>\
             <link rel=\"alternate\" type=\"text/html\" href=\"{base}/articles?tag={tag}\"/>",
            path = escape(&self.path),
            tag = escape(self.tag),
            about = escape(self.about),
            updated = self.updated,
        );
        self.articles.iter().for_each(|a| self.entry(a, &mut out));
        out.push_str("</feed>\n");
        out
    }

    fn entry(&self, article: &Tagged, out: &mut String) {
        let lang = article.language.as_deref().unwrap_or_default();
        let _ok = write!(
            out,
            "\n<entry xml:lang=\"{}\"><id>{}</id><title>{}</title><updated>{}</updated>",
            escape(lang),
            urn(article.id),
            escape(&article.title),
            updated(article, self.now),
        );
        if let Some(published) = article.published {
            let _ok = write!(out, "<published>{published}</published>");
        }
        let page = format!("{}/articles/{}", self.base, article.id);
        let href = link(&article.url).unwrap_or(page);
        let _ok = write!(out, "<link rel=\"alternate\" href=\"{}\"/>", escape(&href));
        let site = article
            .source
            .site_name
            .as_deref()
            .unwrap_or(&article.source.domain);
        let authors = article
            .authors
            .iter()
            .map(String::as_str)
            .filter(|a| !a.trim().is_empty());
        let mut names: Vec<&str> = authors.collect();
        if names.is_empty() {
            names.push(site);
        }
        for name in names {
            let _ok = write!(out, "<author><name>{}</name></author>", escape(name));
        }
        for tag in &article.tags {
            let _ok = write!(out, "<category term=\"{}\"/>", escape(&tag.topic));
        }
        let _ok = write!(out, "<summary>{}</summary></entry>", escape(&summary(article)));
    }

    fn json(&self) -> Value {
        let items: Vec<Value> = self.articles.iter().map(|a| self.item(a)).collect();
        json!({
            "version": "https://jsonfeed.org/version/1.1",
            "title": format!("Telex: {}", self.tag),
            "description": self.about,
            "home_page_url": format!("{}/articles?tag={}", self.base, self.tag),
            "feed_url": format!("{}{}", self.base, self.path),
            "items": items,
        })
    }

    fn item(&self, article: &Tagged) -> Value {
        let mut item = json!({
            "id": urn(article.id),
            "url": link(&article.url).unwrap_or_else(|| format!("{}/articles/{}", self.base, article.id)),
            "title": article.title,
            "content_text": summary(article),
            "date_published": article.published.unwrap_or(article.first_seen),
            "date_modified": updated(article, self.now),
            "tags": article.tags.iter().map(|t| &t.topic).collect::<Vec<_>>(),
            "authors": article.authors.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        });
        if let Some(language) = &article.language {
            item["language"] = json!(language);
        }
        if let Some(image) = article.lead_image.as_deref().and_then(link) {
            item["image"] = json!(image);
        }
        item
    }
}
