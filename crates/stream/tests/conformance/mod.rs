//! What every bus must do, as one suite for all of them.
//!
//! A back end implements [`Harness`] and calls [`suite!`]. Nothing here knows which bus it runs on, assumes that a
//! bus is empty (every case has a prefix of its own), or that anything happens at once: whatever is waited for has
//! [`Harness::patience`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test that cannot go on must fail"
)]

pub mod check;
pub mod driver;
pub mod model;
pub mod session;
pub mod source;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use telex_model::{Stage, Topic};
use telex_stream::{
    Assignment, Batch, Bus, Control, DeadLetter, Event, Limits, Message, Output, RateLimit, Route, Session,
    SessionConfig, SourceContext, Transaction, read_all,
};
use telex_telemetry::{Health, Metrics};

/// What a back end can do that others cannot.
#[derive(Debug, Clone, Copy, Default)]
pub struct Abilities {
    /// Sessions of one group share the partitions, and partitions are revoked.
    pub members: bool,
    /// Retention keeps what a group has not committed.
    pub keeps_uncommitted: bool,
}

/// A back end under test.
pub trait Harness: Send + Sync {
    /// The bus.
    fn bus(&self) -> Arc<dyn Bus>;

    /// What it can do.
    fn abilities(&self) -> Abilities;

    /// Goes on as after the process was killed, from what is durable. No session and no other bus is alive.
    fn restart(&mut self);

    /// Has the next commit of any session fail with nothing written; false where that cannot be brought about.
    fn fail_next_commit(&self) -> bool;

    /// Lets time pass and deletes what is no longer kept; false where that cannot be brought about.
    fn pass_time(&self, time: Duration) -> bool;

    /// How long anything may take to happen.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// How many rounds a case with random events runs; few where a restart is slow.
    fn rounds(&self) -> usize {
        12
    }
}

/// One case: topics of its own on the bus of a harness.
pub struct Case<'h> {
    pub harness: &'h mut dyn Harness,
    pub prefix: String,
    pub group: String,
}

impl<'h> Case<'h> {
    pub fn new(harness: &'h mut dyn Harness, name: &str, topics: &[Topic]) -> Self {
        let nonce = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_micros());
        let prefix = format!("{name}-{nonce:x}");
        harness.bus().create_topics(&prefix, topics).unwrap();
        Self {
            harness,
            group: format!("{prefix}-group"),
            prefix,
        }
    }

    /// A case that copies pages to articles, as most do.
    pub fn copy(harness: &'h mut dyn Harness, name: &str) -> Self {
        let topics = [Topic::Pages, Topic::Articles, Topic::DeadLetters(Stage::Cleaner)];
        Self::new(harness, name, &topics)
    }

    pub fn bus(&self) -> Arc<dyn Bus> {
        self.harness.bus()
    }

    pub fn topic(&self, topic: &Topic) -> String {
        topic.name(&self.prefix)
    }

    pub fn input(&self) -> String {
        self.topic(&Topic::Pages)
    }

    pub fn output(&self) -> String {
        self.topic(&Topic::Articles)
    }

    pub fn dead(&self) -> String {
        self.topic(&Topic::DeadLetters(Stage::Cleaner))
    }

    pub fn config(&self, input: &str, max_batch_messages: usize) -> SessionConfig {
        SessionConfig {
            group: self.group.clone(),
            input: input.to_owned(),
            max_batch_messages,
            max_batch_bytes: 4 << 20,
        }
    }

    pub fn open(&self, max_batch_messages: usize) -> Box<dyn Session> {
        self.bus()
            .session(self.config(&self.input(), max_batch_messages))
            .unwrap()
    }

    /// Appends messages with the ids `from..to`, spread over so many keys.
    pub fn feed(&self, from: usize, to: usize, keys: usize) {
        let all: Vec<usize> = (from..to).collect();
        for ids in all.chunks(50) {
            let outputs = ids.iter().map(|id| numbered(&self.input(), *id, keys)).collect();
            self.bus().append(outputs).unwrap();
        }
    }

    /// All records of a topic, partition by partition in order.
    pub fn records(&self, topic: &str) -> Vec<Arc<Message>> {
        let mut all = Vec::new();
        read_all(&*self.bus(), topic, &mut |message| all.push(message)).unwrap();
        all
    }

    /// A driver's context for the cleaner, the stage that the cases stand in for.
    pub fn context(&self, control: &Control) -> SourceContext {
        self.context_of(Stage::Cleaner, control)
    }

    pub fn context_of(&self, stage: Stage, control: &Control) -> SourceContext {
        SourceContext {
            control: control.clone(),
            dead: DeadLetter::new(stage, &self.prefix),
            limits: Limits::new(RateLimit::default()),
            metrics: Metrics::new().stage(stage, &[], &[]),
            health: Health::default().stage(stage.name()),
            patience: Duration::from_secs(120),
        }
    }

    /// Reads until a batch comes; gives it with what was assigned before it.
    pub fn batch(&self, session: &mut dyn Session) -> (Batch, Vec<Assignment>) {
        let mut assigned = Vec::new();
        let until = Instant::now() + self.harness.patience();
        while Instant::now() < until {
            match session.next(Duration::from_millis(100)).unwrap() {
                Event::Batch(batch) => {
                    assert!(!batch.messages.is_empty(), "a batch has messages");
                    return (batch, assigned);
                }
                Event::Assigned(more) => assigned.extend(more),
                Event::Idle => {}
                other => panic!("unexpected {other:?}"),
            }
        }
        panic!("no batch came");
    }

    /// Reads until something is assigned.
    pub fn assigned(&self, session: &mut dyn Session) -> Vec<Assignment> {
        let until = Instant::now() + self.harness.patience();
        while Instant::now() < until {
            match session.next(Duration::from_millis(100)).unwrap() {
                Event::Assigned(assigned) if !assigned.is_empty() => return assigned,
                Event::Batch(_) => panic!("a batch before any assignment"),
                _ => {}
            }
        }
        panic!("nothing was assigned");
    }

    /// Copies from the session's input to the output until nothing is left; gives what it read.
    pub fn copy_all(&self, session: &mut dyn Session) -> Vec<Arc<Message>> {
        let mut read = Vec::new();
        let until = Instant::now() + self.harness.patience();
        loop {
            assert!(Instant::now() < until, "the input is never drained");
            match session.next(Duration::from_millis(100)).unwrap() {
                Event::Batch(batch) => {
                    let transaction = self.copy_of(&batch, batch.messages.len());
                    assert_eq!(
                        session.commit(transaction).unwrap(),
                        telex_stream::Commit::Committed
                    );
                    read.extend(batch.messages);
                }
                Event::Idle => {
                    let lags = session.lag().unwrap();
                    if !lags.is_empty() && lags.iter().all(telex_stream::Lag::drained) {
                        return read;
                    }
                }
                _ => {}
            }
        }
    }

    /// The transaction that copies the first `n` messages of a batch to the output.
    pub fn copy_of(&self, batch: &Batch, n: usize) -> Transaction {
        Transaction {
            offsets: batch.offsets(n),
            outputs: batch
                .messages
                .iter()
                .take(n)
                .map(|m| copied(&self.output(), m))
                .collect(),
            ..Transaction::default()
        }
    }

    /// Tries until it succeeds: a group that a session has just left may be at work for a while.
    pub fn eventually<T, E: std::fmt::Debug>(&self, mut attempt: impl FnMut() -> Result<T, E>) -> T {
        let until = Instant::now() + self.harness.patience();
        loop {
            match attempt() {
                Ok(value) => return value,
                Err(error) => assert!(Instant::now() < until, "{error:?}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs `work` on a thread of its own, and fails where it does not end in time; `stop` is then to end it.
    pub fn in_time<T: Send>(&self, control: &Control, work: impl FnOnce() -> T + Send) -> T {
        let patience = self.harness.patience() * 3;
        std::thread::scope(|scope| {
            let running = scope.spawn(work);
            let until = Instant::now() + patience;
            while !running.is_finished() {
                if Instant::now() > until {
                    control.stop();
                    panic!("the driver does not end");
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            running
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// The message with an id; its key follows from the id.
pub fn numbered(topic: &str, id: usize, keys: usize) -> Output {
    Output {
        topic: topic.to_owned(),
        key: Bytes::from(format!("key-{}", id % keys)),
        route: Route::Key,
        value: Some(Bytes::from(id.to_string())),
        headers: vec![("n".to_owned(), id.to_string())],
    }
}

/// A message as it goes to another topic.
pub fn copied(topic: &str, message: &Message) -> Output {
    Output {
        topic: topic.to_owned(),
        key: message.key.clone(),
        route: Route::Key,
        value: message.value.clone(),
        headers: message.headers.clone(),
    }
}

/// The id of a message made by [`numbered`].
pub fn id_of(message: &Message) -> usize {
    let value = message.value.as_ref().expect("a numbered message has a value");
    std::str::from_utf8(value).unwrap().parse().unwrap()
}

/// What is newest of each key; tombstones left out.
pub fn newest<'a>(messages: impl IntoIterator<Item = &'a Message>) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    for message in messages {
        match &message.value {
            Some(value) => map.insert(text(&message.key), text(value)),
            None => map.remove(&text(&message.key)),
        };
    }
    map
}

/// Makes a test of every case; `$harness` makes a harness.
macro_rules! suite {
    ($harness:expr; $($module:ident: $($case:ident),+;)+) => {
        $(mod $module {
            use super::*;

            $(#[test]
            fn $case() {
                crate::conformance::$module::$case(&mut $harness);
            })+
        })+
    };
    ($harness:expr) => {
        crate::conformance::suite! { $harness;
            session:
                hands_out_everything_once_in_order, survives_restarts_anywhere, rewinds_after_a_failed_commit,
                commits_dead_letters_with_offsets, keeps_batches_within_limits, carries_what_was_written,
                tells_the_lag, drains_over_gaps, restores_a_compacted_topic, resets_and_replays,
                keeps_what_is_uncommitted, refuses_oversize, remembers_attempts, pauses_and_wakes,
                revokes_in_mid_batch, fences_the_older_of_two;
            driver:
                drains_and_counts, finishes_what_was_begun_on_stop, goes_on_after_failed_commits,
                retries_what_is_transient, never_blames_a_message_for_restarts, makes_dead_letters,
                turns_oversize_into_dead_letters, finds_the_message_that_kills, holds_when_all_is_poison,
                survives_crashes, shares_work, gives_up_where_it_cannot_get_on;
            source:
                works_off_its_input, restores_after_failed_commits, survives_crashes, shares_work,
                holds_no_more_than_it_can, leaves_to_the_next_run_what_it_cannot_hold;
        }
    };
}
pub(crate) use suite;
