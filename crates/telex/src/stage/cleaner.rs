//! Pages to articles.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use telex_cleaner::{Cleaned, Confidence, Date, clean_html, clean_text, fragment_text};
use telex_model::{
    Article, Body, DateConfidence, Item, Kind, Page, Stage, Topic, canary_header, event, to_json,
};
use telex_stream::{Message, Outcome, Output, Route, Transform, read_value};
use telex_telemetry::Metrics;

/// Reasons for which the cleaner drops a page: it has no text, nor has its item.
pub(crate) const DROP_REASONS: [&str; 2] = ["no_text", "retraction"];

/// Reasons for which a page becomes a dead letter.
pub(crate) const DEAD_REASONS: [&str; 5] = [
    "invalid_json",
    "wrong_type",
    "oversize",
    "panic",
    "killed_process",
];

/// The cleaner as a stage.
pub(crate) struct CleanerStage {
    prefix: String,
    metrics: Arc<Metrics>,
}

impl CleanerStage {
    pub(crate) fn new(prefix: &str, metrics: Arc<Metrics>) -> Self {
        for kind in Kind::ALL {
            drop(metrics.kinds.with_label_values(&[kind.name()]));
        }
        Self {
            prefix: prefix.to_owned(),
            metrics,
        }
    }
}

impl Transform for CleanerStage {
    fn process(&self, message: &Message) -> Outcome {
        let page: Page = match read_value(message, &Topic::Pages) {
            Ok(page) => page,
            Err(outcome) => return outcome,
        };
        let Some(article) = article(page) else {
            return Outcome::Drop("no_text");
        };
        let canary = canary_header(&message.headers);
        match &canary {
            Some(_) => self.metrics.canary(Stage::Cleaner),
            None => self.metrics.kinds.with_label_values(&[article.kind.name()]).inc(),
        }
        let topic = Topic::Articles;
        let id = format!("{}:{}", article.id, article.revision);
        let mut headers = event::headers(&topic, "cleaner", id, Timestamp::now());
        headers.push((
            event::TRACEPARENT.to_owned(),
            event::traceparent(article.id, article.revision, "cleaner"),
        ));
        headers.extend(canary);
        Outcome::Emit(vec![Output {
            topic: topic.name(&self.prefix),
            key: Bytes::clone(&message.key),
            route: Route::Key,
            value: Some(to_json(&article).into()),
            headers,
        }])
    }
}

/// Makes an article of a page; none where neither page nor feed has any text.
fn article(page: Page) -> Option<Article> {
    let Page {
        item,
        revision,
        first_seen,
        body,
        fetch_error,
    } = page;
    let (cleaned, kind, error) = match &body {
        Body::Page(fetched) => {
            let cleaned = clean_html(&telex_cleaner::Page {
                url: Some(&fetched.final_url),
                html: &fetched.html,
            });
            match unusable(&cleaned) {
                None => {
                    let kind = cleaned.kind;
                    (cleaned, kind, fetch_error)
                }
                // What stands in for the page says why.
                Some(why) => (
                    own_text(&item)?,
                    Kind::Summary,
                    Some(fetch_error.unwrap_or_else(|| why.to_owned())),
                ),
            }
        }
        Body::Feed => (own_text(&item)?, Kind::Article, fetch_error),
        Body::Summary => (own_text(&item)?, Kind::Summary, fetch_error),
    };
    let title = if matches!(body, Body::Page(_)) && kind != Kind::Summary {
        cleaned.title.or(Some(item.title))
    } else {
        Some(item.title)
    };
    let mut source = item.source;
    source.site_name = cleaned.site_name.or(source.site_name);
    Some(Article {
        id: item.id,
        revision,
        url: item.url.unwrap_or_default(),
        canonical_url: cleaned.canonical_url,
        title: title.unwrap_or_default(),
        text: cleaned.text,
        authors: if cleaned.authors.is_empty() {
            item.authors
        } else {
            cleaned.authors
        },
        published: published(
            item.published,
            item.published_confidence,
            cleaned.published.as_ref(),
        ),
        modified: item.updated.or(cleaned.modified.map(|d| d.at)),
        first_seen,
        language: cleaned.language.or(item.language),
        kind,
        source,
        fingerprint: cleaned.fingerprint,
        lead_image: cleaned.lead_image,
        quality: cleaned.quality,
        fetch_error: error,
    })
}

/// The feed's date, made by the publisher's software; the page's may have been guessed. Where the feed gives no zone,
/// no time or something odd, a page that states another day is believed, and one that may know the time of the day.
fn published(
    feed: Option<Timestamp>,
    sure: Option<DateConfidence>,
    page: Option<&Date>,
) -> Option<Timestamp> {
    let Some(feed) = feed else {
        return page.map(|d| d.at);
    };
    let stated = page.filter(|d| d.confidence >= Confidence::Stated).map(|d| d.at);
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    match (sure, stated) {
        (None | Some(DateConfidence::Exact), _) | (_, None) => Some(feed),
        (Some(DateConfidence::DateOnly), Some(page)) => Some(page),
        (_, Some(page)) => Some(if day(page) == day(feed) { feed } else { page }),
    }
}

/// Tells why a page cannot stand for its article.
fn unusable(cleaned: &Cleaned) -> Option<&'static str> {
    match cleaned.kind {
        Kind::Consent => Some("the page asks for consent instead of showing the article"),
        Kind::Error => Some("the page is an error or challenge page"),
        _ if cleaned.text.trim().is_empty() => Some("no text was found on the page"),
        _ => None,
    }
}

/// The feed's own text as an article.
fn own_text(item: &Item) -> Option<Cleaned> {
    let html = [&item.content, &item.summary]
        .into_iter()
        .flatten()
        .max_by_key(|html| html.len())?;
    let text = fragment_text(html);
    if text.trim().is_empty() {
        return None;
    }
    // Language and fingerprint by the cleaner's own measures; the text stays as the feed has it.
    let measured = clean_text(&text);
    Some(Cleaned {
        text,
        title: None,
        ..measured
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_believed_where_the_feed_is_not_sure() {
        let at = |text: &str| text.parse::<Timestamp>().ok();
        let (morning, noon, before) = (
            at("2026-04-03T00:00:00Z"),
            at("2026-04-03T12:00:00Z"),
            at("2026-03-04T09:00:00Z"),
        );
        let chosen = |feed: Option<Timestamp>, sure: Option<DateConfidence>, page: Option<Timestamp>| {
            let stated = |confidence| page.map(|at| Date { at, confidence });
            let believed = published(feed, sure, stated(Confidence::Stated).as_ref());
            let guessed = published(feed, sure, stated(Confidence::Guessed).as_ref());
            assert_eq!(guessed, feed.or(page), "what was guessed only fills a gap");
            believed
        };
        let exact = Some(DateConfidence::Exact);
        assert_eq!(chosen(None, None, noon), noon);
        assert_eq!(chosen(noon, None, before), noon);
        assert_eq!(chosen(noon, exact, before), noon);
        assert_eq!(chosen(morning, Some(DateConfidence::DateOnly), noon), noon);
        assert_eq!(chosen(noon, Some(DateConfidence::AssumedZone), morning), noon);
        assert_eq!(chosen(noon, Some(DateConfidence::Guessed), before), before);
        assert_eq!(chosen(noon, Some(DateConfidence::Guessed), None), noon);
    }
}
