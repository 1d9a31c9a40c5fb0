//! Stages and a source to run drivers with, and random numbers for the cases.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use telex_stream::{FinishedWork, Message, Outcome, Output, Route, Source};

use super::{copied, id_of};

/// Small random numbers: an xorshift is enough to choose when something happens.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 11) as usize % bound.max(1)
    }
}

/// What a model stage does with a message.
pub type Rule<'a> = dyn FnMut(usize, &Message) -> Outcome + Send + 'a;

/// A stage that asks a function, message by message.
pub struct Stage<'a>(pub Box<Rule<'a>>);

impl<'a> Stage<'a> {
    pub fn new(rule: impl FnMut(usize, &Message) -> Outcome + Send + 'a) -> Self {
        Self(Box::new(rule))
    }
}

impl telex_stream::BatchStage for Stage<'_> {
    fn process(&mut self, messages: &[Arc<Message>]) -> Vec<Outcome> {
        messages.iter().map(|m| (self.0)(id_of(m), m)).collect()
    }
}

/// Copies a message to a topic.
pub fn emit(topic: &str, message: &Message) -> Outcome {
    Outcome::Emit(vec![copied(topic, message)])
}

/// A fetcher in small: takes items in, works on them in any order, writes a page and a done record for each.
pub struct Fetcher {
    pub state_topic: String,
    pub page_topic: String,
    pub random: Random,
    /// One call in so many panics, as if the process were killed; 0 is never.
    pub crash_in: usize,
    /// It is full when so many wait.
    pub most_waiting: usize,
    parts: BTreeMap<u32, Part>,
}

#[derive(Default)]
struct Part {
    ready: bool,
    /// Per key: the id to work on; none once it is done.
    known: BTreeMap<Bytes, Option<usize>>,
    /// Keys under way, with the time at which they are done.
    working: BTreeMap<Bytes, Instant>,
}

impl Fetcher {
    pub fn new(state_topic: String, page_topic: String, seed: u64, crash_in: usize) -> Self {
        Self {
            state_topic,
            page_topic,
            random: Random(seed | 1),
            crash_in,
            most_waiting: usize::MAX,
            parts: BTreeMap::new(),
        }
    }

    /// How many it has taken in and not done.
    pub fn waiting(&self) -> usize {
        let waiting = |part: &Part| part.known.values().filter(|todo| todo.is_some()).count();
        self.parts.values().map(waiting).sum()
    }

    fn maybe_crash(&mut self) {
        if self.crash_in > 0 && self.random.below(self.crash_in) == 0 {
            std::panic::panic_any("simulated crash");
        }
    }

    fn record(&self, partition: u32, key: &Bytes, value: String) -> Output {
        Output {
            topic: self.state_topic.clone(),
            key: key.clone(),
            route: Route::Partition(partition),
            value: Some(Bytes::from(value)),
            headers: Vec::new(),
        }
    }
}

impl Source for Fetcher {
    fn restored_from(&self) -> Vec<String> {
        vec![self.state_topic.clone()]
    }

    fn restore(&mut self, topic: &str, message: &Message) {
        assert_eq!(topic, self.state_topic);
        let part = self.parts.entry(message.partition).or_default();
        assert!(!part.ready, "restored over what is there");
        let text = String::from_utf8(message.value.clone().unwrap().to_vec()).unwrap();
        part.known.insert(message.key.clone(), text.parse().ok());
    }

    fn assigned(&mut self, partition: u32) {
        let part = self.parts.entry(partition).or_default();
        assert!(!part.ready, "assigned twice");
        part.ready = true;
    }

    fn revoked(&mut self, partitions: &[u32]) {
        self.parts.retain(|p, _| !partitions.contains(p));
    }

    fn ingest(&mut self, message: &Message) -> Outcome {
        let id = id_of(message);
        let part = self.parts.get_mut(&message.partition).expect("not ours");
        assert!(part.ready, "ingested before it was restored");
        assert!(id % 50 != 48, "a defect");
        if id % 10 == 9 {
            return Outcome::Poison {
                reason: "nine",
                detail: "ends in 9".to_owned(),
            };
        }
        if part.known.contains_key(&message.key) {
            return Outcome::Drop("known");
        }
        part.known.insert(message.key.clone(), Some(id));
        Outcome::Emit(vec![self.record(message.partition, &message.key, id.to_string())])
    }

    fn start(&mut self, now: Instant) -> Option<Instant> {
        // After what was taken in, before its commit.
        self.maybe_crash();
        let random = &mut self.random;
        let mut first: Option<Instant> = None;
        for part in self.parts.values_mut() {
            for (key, _) in part.known.iter().filter(|(_, todo)| todo.is_some()) {
                let done = part
                    .working
                    .entry(key.clone())
                    .or_insert_with(|| now + Duration::from_millis(random.below(12) as u64));
                first = Some(first.map_or(*done, |f| f.min(*done)));
            }
        }
        first
    }

    fn finished(&mut self) -> Vec<FinishedWork> {
        let now = Instant::now();
        let mut finished = Vec::new();
        for (partition, part) in &mut self.parts {
            let done: Vec<Bytes> = part
                .working
                .iter()
                .filter(|(_, at)| **at <= now)
                .map(|(key, _)| key.clone())
                .collect();
            for key in done {
                part.working.remove(&key);
                let id = part
                    .known
                    .insert(key.clone(), None)
                    .flatten()
                    .expect("was to be done");
                finished.push((*partition, key, id));
            }
        }
        if !finished.is_empty() {
            self.maybe_crash();
        }
        let work = |(partition, key, id): (u32, Bytes, usize)| FinishedWork {
            partition,
            outputs: vec![
                Output {
                    topic: self.page_topic.clone(),
                    key: key.clone(),
                    route: Route::Key,
                    value: Some(Bytes::from(id.to_string())),
                    headers: Vec::new(),
                },
                self.record(partition, &key, "done".to_owned()),
            ],
        };
        finished.into_iter().map(work).collect()
    }

    fn idle(&self) -> bool {
        self.parts.values().all(|p| p.known.values().all(Option::is_none))
    }

    fn full(&self) -> bool {
        self.waiting() >= self.most_waiting
    }
}
