//! Dead letters: what could not be processed, and putting it back.

use std::collections::{BTreeMap, BTreeSet};
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

/// Letters so close to each other are read at once: on Kafka the end of every transaction has an offset too.
const NEAR: u64 = 2 * READ_AT_ONCE as u64;

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

/// The newest dead letters, and how many there are of each kind.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The newest, oldest of them first.
    pub newest: Vec<Letter>,
    /// All that match, by stage and reason.
    pub counts: BTreeMap<(Stage, String), u64>,
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
        self.survey(filter).map(|survey| survey.newest)
    }

    /// Finds the newest that match, and counts all. Holds none of their values.
    ///
    /// # Errors
    /// Where the bus cannot be read.
    pub fn survey(&self, filter: &LetterFilter) -> Result<Survey, OperateError> {
        let mut survey = Survey::default();
        let found = &mut survey.newest;
        let held = filter.limit.max(1000);
        for stage in Stage::ALL
            .into_iter()
            .filter(|s| filter.stage.is_none_or(|f| f == *s))
        {
            let topic = Topic::DeadLetters(stage).name(self.prefix);
            read_until(self.bus, &topic, READ_AT_ONCE, &mut |message| {
                let letter = Letter::new(stage, &message);
                if filter.reason.as_deref().is_none_or(|r| letter.reason == r) {
                    let kind = (stage, letter.reason.clone());
                    *survey.counts.entry(kind).or_default() += 1;
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
        Ok(survey)
    }

    /// Reads the dead letter with an id such as `cleaner/3/17`.
    ///
    /// # Errors
    /// Where that is no id, it is not there any more, or the bus cannot be read.
    pub fn get(&self, id: &str) -> Result<Arc<Message>, OperateError> {
        let place = Place::parse(id)?;
        let read = self.read(place.stage, place.partition, &[place.offset])?;
        let gone = || OperateError::Missing(format!("there is no dead letter {id}; it may be too old"));
        read.into_values().next().ok_or_else(gone)
    }

    /// Reads the letters at these offsets of a partition, ascending; those that are not there any more are left out.
    fn read(
        &self,
        stage: Stage,
        partition: u32,
        offsets: &[u64],
    ) -> Result<BTreeMap<u64, Arc<Message>>, OperateError> {
        let topic = Topic::DeadLetters(stage).name(self.prefix);
        let ends = self.bus.ends(&topic)?;
        // The embedded bus takes only partitions that there are.
        let kept = ends.iter().find(|e| e.partition == partition);
        let kept = kept.map_or(0..0, |e| e.first..e.end);
        let wanted: Vec<u64> = offsets.iter().copied().filter(|o| kept.contains(o)).collect();
        let mut left = wanted.as_slice();
        let mut found = BTreeMap::new();
        while let Some(first) = left.first() {
            // Those close by come with it, for on Kafka every reading begins anew.
            let near = left.iter().take_while(|o| *o - first < NEAR).count();
            let messages = self.bus.read(&topic, partition, *first, near)?;
            let reached = messages.last().map_or(first + 1, |last| last.next);
            let letters = messages
                .into_iter()
                .filter(|m| left.binary_search(&m.offset).is_ok());
            found.extend(letters.map(|m| (m.offset, m)));
            left = left
                .get(left.partition_point(|o| *o < reached)..)
                .unwrap_or_default();
        }
        Ok(found)
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
            let places: Vec<Place> = letters
                .iter()
                .map(|l| Place::parse(&l.id))
                .collect::<Result<_, _>>()?;
            let mut offsets: BTreeMap<(Stage, u32), BTreeSet<u64>> = BTreeMap::new();
            for place in &places {
                let of = offsets.entry((place.stage, place.partition)).or_default();
                of.insert(place.offset);
            }
            let mut read = BTreeMap::new();
            for ((stage, partition), offsets) in offsets {
                let offsets: Vec<u64> = offsets.into_iter().collect();
                read.insert((stage, partition), self.read(stage, partition, &offsets)?);
            }
            let mut outputs = Vec::new();
            for (letter, place) in letters.iter().zip(&places) {
                let of = read.get(&(place.stage, place.partition));
                // None where it is too old by now, or where only its beginning was kept.
                let message = of.and_then(|letters| letters.get(&place.offset));
                match message.and_then(|m| original(place.stage, m, self.prefix)) {
                    Some(output) => {
                        let kind = (place.stage, letter.reason.clone());
                        *done.counts.entry(kind).or_default() += 1;
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

/// Where a letter stands, as its id says.
#[derive(Debug, Clone, Copy)]
struct Place {
    stage: Stage,
    partition: u32,
    offset: u64,
}

impl Place {
    fn parse(id: &str) -> Result<Self, OperateError> {
        let parse = || {
            let mut parts = id.split('/');
            let name = parts.next()?;
            let stage = Stage::ALL.into_iter().find(|s| s.name() == name)?;
            Some(Self {
                stage,
                partition: parts.next()?.parse().ok()?,
                offset: parts.next()?.parse().ok()?,
            })
        };
        parse().ok_or_else(|| {
            OperateError::Wrong(format!(
                "{id:?} is no dead letter; `telex dead-letters list` shows ids such as cleaner/3/17"
            ))
        })
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
