//! Articles: the list, one of them, for people and for programs.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use telex_model::{ArticleId, Kind, Source, Tagged};
use telex_operate::without_user;
use telex_sink::{Headline, Marker, Query, Reader, SinkError, StoredArticle};

use crate::app::App;
use crate::ask::{self, ARTICLE_FIELDS, Fields};
use crate::failure::Failure;
use crate::marks::{self, EXCERPT, Piece};
use crate::render::link;

/// Articles of a page.
const ON_A_PAGE: usize = 50;

/// Articles of a story that are shown: what an agency sends is printed by some dozens.
const IN_A_STORY: u32 = 50;

/// Concepts that a page names: the most frequent.
const CONCEPTS: usize = 12;

/// Bytes of articles read for one answer: of the longest, fewer come at once.
const MAX_BYTES: usize = 16 << 20;

/// Articles of an answer, and where the next begin.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) articles: Vec<StoredArticle>,
    pub(crate) more: bool,
}

/// Reads the articles asked for.
pub(crate) fn find(articles: &mut dyn Reader, query: &Query) -> Result<Found, SinkError> {
    let limit = query.limit.unwrap_or(ON_A_PAGE);
    let one_more = Query {
        limit: Some(limit + 1),
        ..query.clone()
    };
    let mut found = Found {
        articles: Vec::new(),
        more: false,
    };
    let mut bytes = 0;
    for article in articles.query(&one_more) {
        let article = article?;
        bytes += article.json.len();
        if found.articles.len() == limit || (bytes > MAX_BYTES && !found.articles.is_empty()) {
            found.more = true;
            break;
        }
        found.articles.push(article);
    }
    Ok(found)
}

/// Reads a stored article, its addresses as they may be shown.
pub(crate) fn parse(article: &StoredArticle) -> Result<Tagged, Failure> {
    let parsed = article.parse();
    let mut article = parsed.map_err(|e| Failure::bug(&format!("a stored article: {e}")))?;
    let addresses = [&mut article.url, &mut article.source.feed_url];
    let more = article.canonical_url.iter_mut().chain(&mut article.lead_image);
    for address in addresses.into_iter().chain(more) {
        *address = without_user(address);
    }
    Ok(article)
}

/// A page of articles.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ArticleList {
    /// The articles, newest first; those of a search as they were stored, the last first.
    articles: Vec<ArticleSummary>,
    /// What to give as `cursor` for those that follow; absent at the end.
    next: Option<String>,
}

/// An article without its text.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ArticleSummary {
    /// Its id.
    id: ArticleId,
    /// Counts its states, from 1.
    revision: u32,
    /// Its address, as the feed gave it.
    url: String,
    /// Its headline.
    title: String,
    /// The beginning of its text, at most 280 characters.
    #[serde(rename(deserialize = "text"), deserialize_with = "beginning")]
    excerpt: String,
    /// When it was published, as page or feed say.
    published: Option<Timestamp>,
    /// When the pipeline saw it first.
    first_seen: Timestamp,
    /// Its language, BCP 47.
    language: Option<String>,
    /// What the page turned out to be.
    kind: Kind,
    /// Where it came from.
    source: Source,
    /// The topics it is about, surest first.
    tags: Vec<TagScore>,
}

/// A tag without its evidence.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TagScore {
    /// Name of the topic.
    topic: String,
    /// How sure the classifier is, 0 to 1.
    score: f64,
}

fn scores(article: &Tagged) -> Vec<TagScore> {
    let score = |t: &telex_model::Tag| TagScore {
        topic: t.topic.clone(),
        score: t.score,
    };
    article.tags.iter().map(score).collect()
}

/// Reads the beginning of a text.
fn beginning<'de, D: Deserializer<'de>>(text: D) -> Result<String, D::Error> {
    let text = Cow::<'de, str>::deserialize(text)?;
    Ok(text.chars().take(EXCERPT).collect())
}

impl ArticleSummary {
    /// Reads what a list shows of a stored article, its addresses as they may be shown; the rest, most of it evidence,
    /// is passed over.
    pub(crate) fn of(article: &StoredArticle) -> Result<Self, Failure> {
        let read = serde_json::from_str::<Self>(&article.json);
        let mut summary = read.map_err(|e| Failure::bug(&format!("a stored article: {e}")))?;
        for address in [&mut summary.url, &mut summary.source.feed_url] {
            *address = without_user(address);
        }
        Ok(summary)
    }

    /// Tells whether it is among what these filters let through, those of time and words apart.
    pub(crate) fn is_of(&self, query: &Query) -> bool {
        let tagged = |tag: &String| self.tags.iter().any(|t| t.topic == *tag);
        let begins = |with: &String| {
            let own = self.language.as_deref().unwrap_or_default().to_lowercase() + "-";
            own.starts_with(&(with.to_lowercase() + "-"))
        };
        // A word without a dot is no domain that others are below of.
        let below = |with: &String| {
            let (own, with) = (self.source.domain.to_lowercase(), with.to_lowercase());
            own == with || with.contains('.') && own.ends_with(&format!(".{with}"))
        };
        query.tag.as_ref().is_none_or(tagged)
            && query.language.as_ref().is_none_or(begins)
            && query.source.as_ref().is_none_or(below)
    }
}

/// `GET /api/v1/articles`
pub(crate) async fn list_json(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<ArticleList>, Failure> {
    let fields = Fields::parse(uri.query().unwrap_or_default(), &ARTICLE_FIELDS)?;
    let query = ask::query(&fields, ON_A_PAGE)?;
    let asked = app.store.ask(move |articles| {
        let found = find(articles, &query)?;
        let last = found.articles.last().filter(|_| found.more);
        Ok::<_, Failure>(ArticleList {
            next: last.map(|a| a.cursor.to_string()),
            articles: summaries(&found.articles)?,
        })
    });
    asked.await.map(Json)
}

fn summaries(articles: &[StoredArticle]) -> Result<Vec<ArticleSummary>, Failure> {
    articles.iter().map(ArticleSummary::of).collect()
}

/// `GET /api/v1/articles/{id}`
pub(crate) async fn one_json(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let wanted = telex_operate::article_id(&id)?;
    let asked = app.store.ask(move |articles| {
        let article = parse(&get(articles, wanted)?)?;
        Ok::<_, Failure>(telex_model::to_json(&article))
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], asked.await?).into_response())
}

fn get(articles: &mut dyn Reader, wanted: ArticleId) -> Result<StoredArticle, Failure> {
    articles.get(wanted)?.ok_or_else(|| {
        Failure::missing(format!(
            "there is no article {wanted} in the sink; its trace says where it stopped: /trace?article={wanted}"
        ))
    })
}

/// What the list shows of an article.
#[derive(Serialize)]
struct Row {
    id: ArticleId,
    link: Option<String>,
    title: Vec<Piece>,
    excerpt: Vec<Piece>,
    first_seen: Timestamp,
    language: Option<String>,
    kind: &'static str,
    domain: String,
    tags: Vec<TagScore>,
}

#[derive(Serialize)]
struct ListView<'a> {
    rows: Vec<Row>,
    topics: Vec<&'a str>,
    asked: Asked<'a>,
    filtered: bool,
    next: Option<String>,
    first: Option<String>,
    /// Where those that come from now on are told.
    fresh: Option<String>,
    /// Its own address.
    here: String,
}

/// What was asked for, to stand in the form again.
#[derive(Serialize)]
struct Asked<'a> {
    q: Option<&'a str>,
    tag: Option<&'a str>,
    language: Option<&'a str>,
    source: Option<&'a str>,
    since: Option<&'a str>,
    until: Option<&'a str>,
}

/// `GET /articles`
pub(crate) async fn list_page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Failure> {
    let fields = Fields::parse(uri.query().unwrap_or_default(), &ARTICLE_FIELDS)?;
    let query = ask::query(&fields, ON_A_PAGE)?;
    let signed_in = app.keys.signed_in(&headers);
    let own = Arc::clone(&app);
    let asked = app.store.ask(move |articles| {
        let marker = query.search.as_deref().map(Marker::new);
        // Before the articles are read: what comes while they are is new.
        let last_change = articles.last_change()?;
        let found = find(articles, &query)?;
        let last = found.articles.last().filter(|_| found.more);
        let rows = found
            .articles
            .iter()
            .map(|a| Ok(row(&parse(a)?, marker.as_ref())));
        let view = ListView {
            rows: rows.collect::<Result<_, Failure>>()?,
            topics: own.parts.topics.iter().map(|t| t.name.as_str()).collect(),
            filtered: ARTICLE_FIELDS
                .iter()
                .any(|f| *f != "limit" && fields.get(f).is_some()),
            first: fields
                .get("cursor")
                .map(|_| fields.with("/articles", "cursor", "")),
            next: last.map(|a| fields.with("/articles", "cursor", &a.cursor.to_string())),
            fresh: fresh(&fields, last_change),
            here: uri.to_string(),
            asked: Asked {
                q: fields.get("q"),
                tag: fields.get("tag"),
                language: fields.get("language"),
                source: fields.get("source"),
                since: fields.get("since"),
                until: fields.get("until"),
            },
        };
        own.page("articles.html", signed_in.as_ref(), view)
    });
    asked.await
}

/// Address of the stream of what comes after this list; none where nothing new belongs at its head, or where that cannot
/// be told of an article alone.
fn fresh(fields: &Fields, last_change: u64) -> Option<String> {
    if ["q", "cursor", "until"]
        .into_iter()
        .any(|f| fields.get(f).is_some())
    {
        return None;
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in ["tag", "language", "source"] {
        query.extend_pairs(fields.get(name).map(|value| (name, value)));
    }
    let query = query.append_pair("after", &last_change.to_string()).finish();
    Some(format!("/api/v1/events?{query}"))
}

fn row(article: &Tagged, marker: Option<&Marker>) -> Row {
    Row {
        id: article.id,
        link: link(&article.url),
        title: marks::found(&article.title, marker),
        excerpt: marks::excerpt(&article.text, marker),
        first_seen: article.first_seen,
        language: article.language.clone(),
        kind: article.kind.name(),
        domain: article.source.domain.clone(),
        tags: scores(article),
    }
}

#[derive(Serialize)]
struct ArticleView {
    id: ArticleId,
    revision: u32,
    topics_version: String,
    url: String,
    link: Option<String>,
    canonical: Option<String>,
    title: Vec<Piece>,
    paragraphs: Vec<Vec<Piece>>,
    cut: bool,
    authors: Vec<String>,
    published: Option<Timestamp>,
    modified: Option<Timestamp>,
    first_seen: Timestamp,
    language: Option<String>,
    kind: &'static str,
    quality: f64,
    fetch_error: Option<String>,
    source: Source,
    feed_link: Option<String>,
    tags: Vec<TagView>,
    concepts: Vec<telex_model::Concept>,
    /// Others of the same story, the first seen first.
    story: Vec<Headline>,
}

#[derive(Serialize)]
struct TagView {
    topic: String,
    score: f64,
    evidence: Vec<EvidenceView>,
}

/// What spoke for a tag: the same concept in one part, all its places together.
#[derive(Serialize)]
struct EvidenceView {
    term: String,
    place: &'static str,
    times: usize,
    weight: f64,
}

/// `GET /articles/{id}`
pub(crate) async fn one_page(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Failure> {
    let fields = Fields::parse(uri.query().unwrap_or_default(), &["q"])?;
    let wanted = telex_operate::article_id(&id)?;
    let signed_in = app.keys.signed_in(&headers);
    let own = Arc::clone(&app);
    let asked = app.store.ask(move |articles| {
        let stored = get(articles, wanted)?;
        let story = articles.others_of_story(&stored, IN_A_STORY)?;
        let view = view(parse(&stored)?, fields.get("q"), story);
        own.page("article.html", signed_in.as_ref(), view)
    });
    asked.await
}

fn view(article: Tagged, q: Option<&str>, story: Vec<Headline>) -> ArticleView {
    let marker = q.map(Marker::new);
    let marked = marks::article(&article, marker.as_ref());
    ArticleView {
        id: article.id,
        revision: article.revision,
        link: link(&article.url),
        canonical: article
            .canonical_url
            .as_deref()
            .filter(|u| *u != article.url)
            .and_then(link),
        title: marked.title,
        paragraphs: marked.paragraphs,
        cut: marked.cut,
        kind: article.kind.name(),
        feed_link: link(&article.source.feed_url),
        tags: article.tags.iter().map(tag).collect(),
        topics_version: article.topics_version,
        url: article.url,
        authors: article.authors,
        published: article.published,
        modified: article.modified,
        first_seen: article.first_seen,
        language: article.language,
        quality: article.quality,
        fetch_error: article.fetch_error,
        source: article.source,
        concepts: article.concepts.into_iter().take(CONCEPTS).collect(),
        story,
    }
}

/// `GET /api/v1/articles/{id}/story`
pub(crate) async fn story_json(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<ArticleList>, Failure> {
    let wanted = telex_operate::article_id(&id)?;
    let asked = app.store.ask(move |articles| {
        let article = get(articles, wanted)?;
        let story = match articles.story_of(&article)? {
            Some(story) => articles.story(&story.id, IN_A_STORY)?,
            None => Vec::new(),
        };
        Ok::<_, Failure>(ArticleList {
            articles: summaries(&story)?,
            next: None,
        })
    });
    asked.await.map(Json)
}

fn tag(tag: &telex_model::Tag) -> TagView {
    let mut evidence: Vec<EvidenceView> = Vec::new();
    for one in &tag.evidence {
        let place = match one.place {
            telex_model::Where::Title => "title",
            telex_model::Where::Text => "text",
        };
        match evidence
            .iter_mut()
            .find(|e| e.term == one.term && e.place == place)
        {
            Some(known) => {
                known.times += 1;
                known.weight += one.weight;
            }
            None => evidence.push(EvidenceView {
                term: one.term.clone(),
                place,
                times: 1,
                weight: one.weight,
            }),
        }
    }
    TagView {
        topic: tag.topic.clone(),
        score: tag.score,
        evidence,
    }
}
