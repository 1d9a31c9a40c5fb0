//! `telex trace`: what became of one article, topic by topic.
//!
//! Reads the topics as far as they are kept, so an article is followed for as long as its items are: seven days unless
//! set otherwise. Rejected: an index by article, which every stage would have to write for a question that is rare.

use std::sync::Arc;

use serde_json::{Value, json};
use telex_model::event::{self, header};
use telex_model::{Article, ArticleId, Body, FrontierRecord, Item, Page, Stage, Tagged, Topic};
use telex_stream::{Message, read_all};
use url::Url;

use super::Context;
use crate::cli::{OutputFormat, TraceArgs};
use crate::error::CliError;
use crate::open::{self, Use};
use crate::output::{self, harmless};

/// Longest foreign text in a line.
const SHOWN: usize = 120;

struct Step {
    topic: Topic,
    message: Arc<Message>,
}

/// Prints every record of an article in the order in which they were written.
pub(crate) fn run(context: &Context, args: &TraceArgs) -> Result<(), CliError> {
    let id = article(&args.article)?;
    let open = open::bus(&context.config, Use::Read)?;
    let prefix = &context.config.bus.topic_prefix;
    let tags = open::lost_tags(open.bus.as_ref(), prefix, &[])?;
    let topics = [
        Topic::Items,
        Topic::Frontier,
        Topic::Pages,
        Topic::Articles,
        Topic::Tagged,
    ];
    let tags = tags.into_iter().map(|(_, topic)| topic);
    let dead = Stage::ALL.map(Topic::DeadLetters);
    let key = id.to_string();
    let mut steps: Vec<Step> = Vec::new();
    for topic in topics.into_iter().chain(tags).chain(dead) {
        tracing::info!(topic = topic.name(prefix), "looking");
        read_all(open.bus.as_ref(), &topic.name(prefix), &mut |message| {
            if *message.key == *key.as_bytes() {
                let topic = topic.clone();
                steps.push(Step { topic, message });
            }
        })?;
    }
    // Stable: records of one time stay in the order of the flow.
    steps.sort_by_key(|step| step.message.timestamp);
    for step in &steps {
        show(context, prefix, step)?;
    }
    if steps.is_empty() {
        return Err(CliError::Findings(format!(
            "nothing is known of article {id}; `telex feeds list` says which feeds are polled, `telex feeds test URL` what is in one"
        )));
    }
    Ok(())
}

/// The id of an article, given as such or by its address.
fn article(text: &str) -> Result<ArticleId, CliError> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let link = Url::parse(text).ok().filter(Url::has_host);
    link.map(|link| ArticleId::of_link(&link)).ok_or_else(|| {
        CliError::Usage(format!(
            "{text:?} is neither the id of an article, 32 hexadecimal digits, nor its address"
        ))
    })
}

fn show(context: &Context, prefix: &str, step: &Step) -> Result<(), CliError> {
    let message = &step.message;
    let said = said(step);
    let topic = step.topic.name(prefix);
    let place = format!("{topic}/{}/{}", message.partition, message.offset);
    match context.output {
        OutputFormat::Json => output::json(&json!({
            "time": message.timestamp,
            "place": place,
            "said": said,
            "value": message.value.as_ref().map(|v| serde_json::from_slice::<Value>(v).unwrap_or_default()),
        })),
        OutputFormat::Text => output::line(&format!(
            "{}  {place:36} {}",
            message.timestamp.strftime("%Y-%m-%d %H:%M:%S%.3f"),
            harmless(&said)
        )),
    }
}

/// What a record says, in words.
fn said(step: &Step) -> String {
    let message = &step.message;
    if let Topic::DeadLetters(_) = step.topic {
        let of = |name| header(&message.headers, name).unwrap_or_default();
        return format!("{}: {}", of(event::DEAD_REASON), cut(of(event::DEAD_DETAIL)));
    }
    let Some(value) = &message.value else {
        return match step.topic {
            Topic::Frontier => "forgotten, as long done".to_owned(),
            _ => "taken back".to_owned(),
        };
    };
    let words = match step.topic {
        Topic::Items => serde_json::from_slice(value).map(|item| of_item(&item)),
        Topic::Frontier => serde_json::from_slice(value).map(|record| of_frontier(&record)),
        Topic::Pages => serde_json::from_slice(value).map(|page| of_page(&page)),
        Topic::Articles => serde_json::from_slice(value).map(|article| of_article(&article)),
        _ => serde_json::from_slice(value).map(|tagged| of_tagged(&tagged)),
    };
    let replayed = match header(&message.headers, event::REPLAY) {
        Some(id) => format!(", put back by replay {id}"),
        None => String::new(),
    };
    words.map_or_else(|e| format!("cannot be read: {e}"), |words| words + &replayed)
}

fn of_item(item: &Item) -> String {
    let brought = if item.page.is_some() {
        ", with its page"
    } else {
        ""
    };
    format!("{:?} in {}{brought}", cut(&item.title), item.source.feed_url)
}

fn of_frontier(record: &FrontierRecord) -> String {
    match record {
        FrontierRecord::Pending {
            revision,
            attempts,
            not_before,
            last_error,
            ..
        } => {
            let error = last_error.as_deref().map(|e| format!(", last met: {}", cut(e)));
            format!(
                "revision {revision} waits for its page, not before {}, after {attempts} attempts{}",
                not_before.strftime("%Y-%m-%d %H:%M:%S"),
                error.unwrap_or_default()
            )
        }
        FrontierRecord::Done { revision, .. } => format!("revision {revision} is done"),
    }
}

fn of_page(page: &Page) -> String {
    let from = match &page.body {
        Body::Page(fetched) => format!(
            "a page of {} bytes from {}, HTTP {}",
            fetched.html.len(),
            fetched.final_url,
            fetched.status
        ),
        Body::Feed => "the feed's own full text".to_owned(),
        Body::Summary => "the feed's summary".to_owned(),
    };
    let error = page.fetch_error.as_deref().map(|e| format!(", for: {}", cut(e)));
    format!("revision {}: {from}{}", page.revision, error.unwrap_or_default())
}

fn of_article(article: &Article) -> String {
    let error = article
        .fetch_error
        .as_deref()
        .map(|e| format!(", for: {}", cut(e)));
    format!(
        "revision {}: {} of {} characters, quality {:.2}, {}{}",
        article.revision,
        article.kind.name(),
        article.text.chars().count(),
        article.quality,
        article.language.as_deref().unwrap_or("language unknown"),
        error.unwrap_or_default()
    )
}

fn of_tagged(tagged: &Tagged) -> String {
    let tags: Vec<String> = tagged
        .tags
        .iter()
        .map(|tag| format!("{} {:.2}", tag.topic, tag.score))
        .collect();
    let tags = if tags.is_empty() {
        "no tag".to_owned()
    } else {
        tags.join(", ")
    };
    format!(
        "revision {}: {tags} (topics {})",
        tagged.revision, tagged.topics_version
    )
}

fn cut(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
