//! The trace of an article: what became of it, topic by topic.
//!
//! Reads the topics as far as they are kept, so an article is followed for as long as its items are: seven days unless
//! set otherwise. Rejected: an index by article, which every stage would have to write for a question that is rare.

use std::sync::Arc;

use telex_model::event::{self, header};
use telex_model::{Article, ArticleId, Body, FrontierRecord, Item, Page, Stage, Tagged, Topic};
use telex_stream::{Bus, Message};
use url::Url;

use crate::error::OperateError;
use crate::feeds::without_user;
use crate::read::{read_until, tags_on_bus};

/// Longest foreign text in a line.
const SHOWN: usize = 120;

/// Records read at once, at most.
const AT_ONCE: usize = 64;

/// One record of an article.
#[derive(Debug, Clone)]
pub struct Step {
    /// The topic that holds it.
    pub topic: Topic,
    /// The record.
    pub message: Arc<Message>,
}

/// The records of an article, or what was kept of them.
#[derive(Debug, Clone)]
pub struct Trace<T> {
    /// In the order in which they were written; records of one time in the order of the flow.
    pub steps: Vec<T>,
    /// All topics were read to their ends; else there may be more.
    pub whole: bool,
}

/// Finds every record of an article; `looking` is told the topic before each and, now and then, that the search goes
/// on, and ends it by `false`. Of each record stays what `keep` makes of it: pages are large.
///
/// # Errors
/// Where the bus cannot be read.
pub fn trace<T>(
    bus: &dyn Bus,
    prefix: &str,
    id: ArticleId,
    looking: &mut dyn FnMut(&str) -> bool,
    keep: impl Fn(Step) -> T,
) -> Result<Trace<T>, OperateError> {
    let topics = [
        Topic::Tagged,
        Topic::Articles,
        Topic::Items,
        Topic::Frontier,
        Topic::Pages,
    ];
    let tags = tags_on_bus(bus, prefix)?.into_iter().map(|(_, topic)| topic);
    let dead = Stage::ALL.map(Topic::DeadLetters);
    let key = id.to_string();
    let (mut found, mut whole) = (Vec::new(), true);
    // Small topics first, for where there is not time for all.
    for topic in tags.chain(dead).chain(topics) {
        let name = topic.name(prefix);
        let mut read = 0;
        let mut ended = !looking(&name);
        ended = ended
            || read_until(bus, &name, AT_ONCE, &mut |message| {
                if *message.key == *key.as_bytes() {
                    let topic = topic.clone();
                    let order = (message.timestamp, place(&topic));
                    found.push((order, keep(Step { topic, message })));
                }
                read += 1;
                read % AT_ONCE == 0 && !looking(&name)
            })?;
        if ended {
            whole = false;
            break;
        }
    }
    found.sort_by_key(|(order, _)| *order);
    Ok(Trace {
        steps: found.into_iter().map(|(_, kept)| kept).collect(),
        whole,
    })
}

/// Gives the id of an article, given as such or by its address.
///
/// # Errors
/// Where it is neither.
pub fn article_id(text: &str) -> Result<ArticleId, OperateError> {
    let text = text.trim();
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let link = Url::parse(text).ok().filter(Url::has_host);
    link.map(|link| ArticleId::of_link(&link)).ok_or_else(|| {
        OperateError::Wrong(format!(
            "{text:?} is neither the id of an article, 32 hexadecimal digits, nor its address"
        ))
    })
}

/// Place of a topic in the flow.
fn place(topic: &Topic) -> usize {
    match topic {
        Topic::Items => 0,
        Topic::Frontier => 1,
        Topic::Pages => 2,
        Topic::Articles => 3,
        Topic::Tagged => 4,
        Topic::TaggedWith(_) => 5,
        _ => 6,
    }
}

impl Step {
    /// Where the record stands: topic, partition and offset.
    pub fn place(&self, prefix: &str) -> String {
        let (topic, message) = (self.topic.name(prefix), &self.message);
        format!("{topic}/{}/{}", message.partition, message.offset)
    }

    /// Says in words what the record says.
    pub fn said(&self) -> String {
        said(self)
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
    format!(
        "{:?} in {}{brought}",
        cut(&item.title),
        without_user(&item.source.feed_url)
    )
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
            without_user(&fetched.final_url),
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
