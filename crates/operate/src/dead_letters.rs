//! Dead letters: what could not be processed, and putting it back.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use telex_model::event::{self, header};
use telex_model::{Stage, Topic};
use telex_stream::{Bus, Message, Output, Route};

use crate::error::OperateError;
use crate::put_back::{self, PutBack};
use crate::read::read_until;

/// Letters read and put back at once: each may be as large as a message.
const READ_AT_ONCE: usize = 20;

/// What a list shows of a dead letter.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Letter {
    /// Its id: stage, partition and offset, such as `cleaner/3/17`.
    pub id: String,
    /// When it was written.
    pub time: Timestamp,
    /// Why it could not be processed, as a word.
    pub reason: String,
    /// Why, in words.
    pub detail: Option<String>,
    /// Where it was read from: topic, partition and offset.
    pub origin: Option<String>,
    /// Its key.
    pub key: String,
    /// Bytes of its value.
    pub bytes: usize,
}

/// Which dead letters.
#[derive(Debug, Clone, Default)]
pub struct LetterFilter {
    /// Of this stage only.
    pub stage: Option<Stage>,
    /// With this reason only.
    pub reason: Option<String>,
    /// No more than so many: the newest.
    pub limit: usize,
}

/// What a replay did, or in a dry run would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Messages put back, by stage and reason.
    pub counts: BTreeMap<(Stage, String), u64>,
    /// Messages left alone, as only their beginning was kept or they are too old to be there any more.
    pub skipped: u64,
}

/// The dead letters of an installation.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetters<'a> {
    bus: &'a dyn Bus,
    prefix: &'a str,
}

impl<'a> DeadLetters<'a> {
    /// Those on that bus.
    pub fn new(bus: &'a dyn Bus, prefix: &'a str) -> Self {
        Self { bus, prefix }
    }

    /// Finds the newest that match, oldest of them first. Holds none of their values.
    ///
    /// # Errors
    /// Where the bus cannot be read.
    pub fn find(&self, filter: &LetterFilter) -> Result<Vec<Letter>, OperateError> {
        let mut found: Vec<Letter> = Vec::new();
        let held = filter.limit.max(1000);
        for stage in Stage::ALL
            .into_iter()
            .filter(|s| filter.stage.is_none_or(|f| f == *s))
        {
            let topic = Topic::DeadLetters(stage).name(self.prefix);
            read_until(self.bus, &topic, READ_AT_ONCE, &mut |message| {
                let letter = Letter::new(stage, &message);
                if filter.reason.as_deref().is_none_or(|r| letter.reason == r) {
                    found.push(letter);
                }
                // Bounded: what is too old to be shown is not held.
                if found.len() >= 2 * held {
                    found.sort_by_key(|l| l.time);
                    found.drain(..found.len() - held);
                }
                false
            })?;
        }
        found.sort_by_key(|l| l.time);
        found.drain(..found.len().saturating_sub(filter.limit));
        Ok(found)
    }

    /// Reads the dead letter with an id such as `cleaner/3/17`.
    ///
    /// # Errors
    /// Where that is no id, it is not there any more, or the bus cannot be read.
    pub fn get(&self, id: &str) -> Result<Arc<Message>, OperateError> {
        self.read(id).map(|(_, message)| message)
    }

    fn read(&self, id: &str) -> Result<(Stage, Arc<Message>), OperateError> {
        let wrong = || {
            OperateError::Wrong(format!(
                "{id:?} is no dead letter; `telex dead-letters list` shows ids such as cleaner/3/17"
            ))
        };
        let mut parts = id.split('/');
        let name = parts.next().unwrap_or_default();
        let stage = Stage::ALL
            .into_iter()
            .find(|s| s.name() == name)
            .ok_or_else(wrong)?;
        let mut number = || parts.next().and_then(|p| p.parse::<u64>().ok());
        let (Some(partition), Some(offset)) = (number(), number()) else {
            return Err(wrong());
        };
        let partition = u32::try_from(partition).map_err(|_| wrong())?;
        let topic = Topic::DeadLetters(stage).name(self.prefix);
        // The embedded bus takes only partitions that there are.
        let there = self
            .bus
            .ends(&topic)?
            .iter()
            .any(|e| e.partition == partition && offset < e.end);
        let read = if there {
            self.bus.read(&topic, partition, offset, 1)?
        } else {
            Vec::new()
        };
        let message = read.into_iter().next().filter(|m| m.offset == offset);
        let gone = || OperateError::Missing(format!("there is no dead letter {id}; it may be too old"));
        Ok((stage, message.ok_or_else(gone)?))
    }

    /// Puts letters back into the topic and partition that they were read from. They stay in the dead letters, which
    /// are a log: what was replayed is seen by its time.
    ///
    /// # Errors
    /// Where the bus cannot be written; what was put back before stays there.
    pub fn replay(
        &self,
        letters: &[Letter],
        dry_run: bool,
        rate: Option<NonZeroU32>,
    ) -> Result<Replayed, OperateError> {
        let back = PutBack::new(self.bus, rate, dry_run);
        let mut done = Replayed::default();
        for letters in letters.chunks(READ_AT_ONCE) {
            let mut outputs = Vec::new();
            for letter in letters {
                let (stage, message) = match self.read(&letter.id) {
                    // Too old by now.
                    Err(OperateError::Missing(_)) => {
                        done.skipped += 1;
                        continue;
                    }
                    read => read?,
                };
                match original(stage, &message, self.prefix) {
                    Some(output) => {
                        *done.counts.entry((stage, letter.reason.clone())).or_default() += 1;
                        outputs.push(output);
                    }
                    None => done.skipped += 1,
                }
            }
            back.append(outputs)?;
        }
        Ok(done)
    }
}

impl Letter {
    /// Reads why a message of a stage's dead letters is there.
    pub fn new(stage: Stage, message: &Message) -> Self {
        let of = |name| header(&message.headers, name).map(str::to_owned);
        Self {
            id: format!("{stage}/{}/{}", message.partition, message.offset),
            time: message.timestamp,
            reason: of(event::DEAD_REASON).unwrap_or_else(|| "unknown".to_owned()),
            detail: of(event::DEAD_DETAIL),
            origin: of(event::DEAD_ORIGIN),
            key: String::from_utf8_lossy(&message.key).into_owned(),
            bytes: message.value.as_ref().map_or(0, bytes::Bytes::len),
        }
    }
}

/// Gives the message as it was read by the stage; none where only its beginning was kept.
fn original(stage: Stage, message: &Message, prefix: &str) -> Option<Output> {
    if header(&message.headers, event::DEAD_TRUNCATED).is_some() {
        return None;
    }
    let origin = header(&message.headers, event::DEAD_ORIGIN)?;
    let partition = origin.rsplit('/').nth(1)?.parse().ok()?;
    let topic = stage.input();
    let headers = put_back::headers(&topic, origin.to_owned(), Timestamp::now(), &message.headers);
    Some(Output {
        topic: topic.name(prefix),
        key: message.key.clone(),
        route: Route::Partition(partition),
        value: message.value.clone(),
        headers,
    })
}
