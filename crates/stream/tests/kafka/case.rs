//! One test's topics, and what tests do with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use telex_model::Topic;
use telex_stream::kafka::{KafkaBus, KafkaOptions};
use telex_stream::{
    Batch, Bus, Commit, Event, Fatal, Message, Output, Route, Session, SessionConfig, Transaction, read_all,
};

use super::shared;

pub const PATIENCE: Duration = Duration::from_secs(60);

/// One test's topics on the shared broker.
pub struct Case {
    pub bus: KafkaBus,
    pub prefix: String,
}

impl Case {
    pub fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    /// A case on the shared broker with other options.
    pub fn with(name: &str, change: impl FnOnce(&mut KafkaOptions)) -> Self {
        Self::on(&shared::shared().address, name, change)
    }

    pub fn on(address: &str, name: &str, change: impl FnOnce(&mut KafkaOptions)) -> Self {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros();
        let case = Self::join(address, &format!("{name}-{now:x}"), change);
        case.bus
            .create_topics(&case.prefix, &[Topic::Items, Topic::Frontier, Topic::Pages])
            .unwrap();
        case
    }

    /// Joins a case of another process.
    pub fn join(address: &str, prefix: &str, change: impl FnOnce(&mut KafkaOptions)) -> Self {
        let mut options = KafkaOptions::new(address);
        // So that a link can tell whose transactions it loses.
        options.transactional_id_prefix = prefix.to_owned();
        change(&mut options);
        Self {
            bus: KafkaBus::open(options).unwrap(),
            prefix: prefix.to_owned(),
        }
    }

    pub fn topic(&self, topic: &Topic) -> String {
        topic.name(&self.prefix)
    }

    pub fn open(&self, batch: usize) -> Box<dyn Session> {
        let config = SessionConfig {
            group: format!("{}-group", self.prefix),
            input: self.topic(&Topic::Items),
            max_batch_messages: batch,
            max_batch_bytes: 4 << 20,
        };
        self.bus.session(config).unwrap()
    }

    pub fn feed(&self, ids: std::ops::Range<usize>) {
        let topic = self.topic(&Topic::Items);
        let outputs = ids.map(|id| output(&topic, &format!("key-{}", id % 20), &id.to_string()));
        self.bus.append(outputs.collect()).unwrap();
    }

    /// Commits copies of the first `n` messages of a batch.
    pub fn copy(&self, session: &mut dyn Session, batch: &Batch, n: usize) -> Result<Commit, Fatal> {
        session.commit(Transaction {
            offsets: batch.offsets(n),
            outputs: batch
                .messages
                .iter()
                .take(n)
                .map(|m| Output {
                    topic: self.topic(&Topic::Pages),
                    key: m.key.clone(),
                    route: Route::Key,
                    value: m.value.clone(),
                    headers: m.headers.clone(),
                })
                .collect(),
            ..Transaction::default()
        })
    }

    /// Copies until nothing is left.
    pub fn copy_all(&self, session: &mut dyn Session) {
        let until = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < until, "never drained: {:?}", session.lag());
            match session.next(Duration::from_millis(200)).unwrap() {
                Event::Batch(batch) => {
                    self.copy(session, &batch, batch.messages.len()).unwrap();
                }
                Event::Idle => {
                    let lags = session.lag().unwrap();
                    if !lags.is_empty() && lags.iter().all(telex_stream::Lag::drained) {
                        return;
                    }
                }
                _ => {}
            }
        }
    }

    pub fn records(&self, topic: &Topic) -> Vec<Arc<Message>> {
        let mut all = Vec::new();
        read_all(&self.bus, &self.topic(topic), &mut |m| all.push(m)).unwrap();
        all
    }

    /// Waits until so many messages of input and output, and the group's offsets, are there for readers: brokers answer
    /// a commit a moment before.
    pub fn settle(&self, items: usize, pages: usize) {
        let until = Instant::now() + PATIENCE;
        while (
            self.records(&Topic::Items).len(),
            self.records(&Topic::Pages).len(),
        ) != (items, pages)
        {
            assert!(Instant::now() < until, "never settled");
        }
        let group = format!("{}-group", self.prefix);
        self.bus.committed(&group, &self.topic(&Topic::Items)).unwrap();
    }

    /// Every id below `count` is in the output, once, in order per key.
    pub fn check(&self, count: usize) {
        let mut seen = BTreeSet::new();
        let mut last: BTreeMap<Bytes, usize> = BTreeMap::new();
        for message in self.records(&Topic::Pages) {
            let id = id_of(&message);
            assert!(seen.insert(id), "{id} came twice");
            let before = last.insert(message.key.clone(), id);
            assert!(before.is_none_or(|b| b < id), "{id} after {before:?}");
        }
        let missing: Vec<usize> = (0..count).filter(|id| !seen.contains(id)).collect();
        assert_eq!((missing, seen.len()), (vec![], count));
    }
}

pub fn output(topic: &str, key: &str, value: &str) -> Output {
    Output {
        topic: topic.to_owned(),
        key: Bytes::from(key.to_owned()),
        route: Route::Key,
        value: Some(Bytes::from(value.to_owned())),
        headers: vec![("n".to_owned(), value.to_owned())],
    }
}

pub fn id_of(message: &Message) -> usize {
    std::str::from_utf8(message.value.as_ref().unwrap())
        .unwrap()
        .parse()
        .unwrap()
}

/// Waits for what is looked for; nothing else may come but what `also` lets pass.
pub fn wait<T>(session: &mut dyn Session, mut look: impl FnMut(Event) -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(found) = look(session.next(Duration::from_millis(100)).unwrap()) {
            return found;
        }
    }
    panic!("it never came");
}

pub fn batch(session: &mut dyn Session) -> Batch {
    wait(session, |event| match event {
        Event::Batch(batch) => Some(batch),
        _ => None,
    })
}
