//! The session: one owned slot of work.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use telex_telemetry::StageHealth;

use crate::message::{Message, Output};

/// What a session is opened with.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Consumer group: sessions of one group share the partitions of the input.
    pub group: String,
    /// Full name of the input topic.
    pub input: String,
    /// Most messages in a batch.
    pub max_batch_messages: usize,
    /// Bytes at which a batch is closed; one larger message still makes a batch.
    pub max_batch_bytes: usize,
}

/// One partition handed to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// The partition.
    pub partition: u32,
    /// Offset from which the group goes on.
    pub committed: u64,
    /// How often the process died over the batch at that offset (see [`Transaction::attempts`]).
    pub attempts: u32,
}

/// What happened to a session.
#[derive(Debug)]
pub enum Event {
    /// The session owns these partitions now, in addition to those it had.
    Assigned(Vec<Assignment>),
    /// Messages, in order within each partition.
    Batch(Batch),
    /// These partitions go to somebody else; what was read from them and not committed before `deadline` is not
    /// to be committed.
    Revoked {
        /// The partitions.
        partitions: Vec<u32>,
        /// Until when a commit for them may still be made; now, where the bus grants no time.
        deadline: Instant,
    },
    /// These partitions are gone already: somebody else may be working on them.
    Lost(Vec<u32>),
    /// Nothing came within the time given, or the session was woken.
    Idle,
}

/// Messages read together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// In order within each partition.
    pub messages: Vec<Arc<Message>>,
}

impl Batch {
    /// Bytes of all messages.
    pub fn bytes(&self) -> usize {
        self.messages.iter().map(|m| m.size()).sum()
    }

    /// The offsets to commit once the first `n` messages are processed.
    pub fn offsets(&self, n: usize) -> BTreeMap<u32, u64> {
        self.messages
            .iter()
            .take(n)
            .map(|m| (m.partition, m.next))
            .collect()
    }
}

/// What is committed at once: outputs and the offsets that they came from.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    /// Next offset to read, per input partition; only of partitions that the session owns.
    pub offsets: BTreeMap<u32, u64>,
    /// Processing attempts to remember with an offset, per partition: written before a batch is begun, so that
    /// messages that kill the process are found; 0 or a commit of offsets without them clears them.
    pub attempts: BTreeMap<u32, u32>,
    /// Records to write, in order.
    pub outputs: Vec<Output>,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// It is on the bus, whole.
    Committed,
    /// Nothing of it is on the bus; the session reads again from the committed offsets. It may be tried again.
    Rewound {
        /// Why, for the log.
        reason: String,
    },
    /// Somebody else owns the slot. Nothing of it is on the bus; what was read is not to be committed, and the
    /// session will be assigned anew.
    Fenced,
}

/// A bus that is nearly full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// Bytes in use.
    pub used: u64,
    /// What is short and what to do, in a sentence.
    pub reason: String,
}

/// How far behind a partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// The partition.
    pub partition: u32,
    /// Next offset that the session will read.
    pub position: u64,
    /// Next offset by the group's last commit.
    pub committed: u64,
    /// Offset after the last record that a reader can see.
    pub end: u64,
    /// When the oldest record not yet committed was written; a bus may know it only when it is asked again.
    pub oldest: Option<Timestamp>,
}

impl Lag {
    /// Messages not yet committed; an upper bound where offsets have gaps.
    pub fn messages(&self) -> u64 {
        self.end.saturating_sub(self.committed)
    }

    /// Tells whether everything was read and committed.
    pub fn drained(&self) -> bool {
        self.position >= self.end && self.committed >= self.position
    }
}

/// An error after which the session is of no use: the process, or at least the stage, must end.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// The bus is damaged or cannot be used.
    #[error("{what}; {hint}")]
    Bus {
        /// What failed, and where.
        what: String,
        /// What to do.
        hint: String,
    },
    /// Settings, rights or topics are wrong: trying again without a change cannot help.
    #[error("{what}; {hint}")]
    Config {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The program broke a rule of the session.
    #[error("defect: {0}")]
    Defect(String),
}

/// Makes a waiting [`Session::next`] return early; cheap to clone, callable from any thread.
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    /// Wraps what wakes the session.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Wakes the session.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}

/// One owned slot of work on one input topic.
///
/// Belongs to one thread. Between a batch and its commit nothing else need be called; a driver that takes longer
/// than [`Session::batch_deadline`] must pause and keep calling [`Session::next`].
pub trait Session: Send {
    /// Waits at most `wait` for something to happen.
    ///
    /// # Errors
    /// Where the session is of no more use.
    fn next(&mut self, wait: Duration) -> Result<Event, Fatal>;

    /// Commits outputs and offsets at once, or nothing. An unknown result is resolved before it returns.
    ///
    /// # Errors
    /// Where the session is of no more use.
    fn commit(&mut self, transaction: Transaction) -> Result<Commit, Fatal>;

    /// Goes back to the committed offsets, as after a failed commit.
    ///
    /// # Errors
    /// Where the session is of no more use.
    fn rewind(&mut self) -> Result<(), Fatal>;

    /// Stops handing out messages; `next` still reports everything else.
    fn pause(&mut self);

    /// Hands out messages again.
    fn resume(&mut self);

    /// Tells for each owned partition how far behind it is.
    ///
    /// # Errors
    /// Where the session is of no more use.
    fn lag(&mut self) -> Result<Vec<Lag>, Fatal>;

    /// Reads what a compacted topic holds in a partition that the session owns, up to its end at the time of the
    /// call and past every transaction still open then.
    ///
    /// # Errors
    /// Where the session is of no more use, or the topic could not be read to its end in time.
    fn restore(&mut self, topic: &str, partition: u32, each: &mut dyn FnMut(Message)) -> Result<(), Fatal>;

    /// Gives a waker for this session.
    fn waker(&self) -> Waker;

    /// How long work on a batch may take before the bus takes the partitions away.
    fn batch_deadline(&self) -> Duration;

    /// Tells whether less than `keep_free` percent of a bus with a cap is free, so that whoever brings in new work
    /// waits until those that work it off have made room. A bus without a cap never is.
    ///
    /// # Errors
    /// Where the session is of no more use.
    fn short_of_room(&mut self, _keep_free: u8) -> Result<Option<Shortage>, Fatal> {
        Ok(None)
    }

    /// Has the session report there while one call keeps it busy with a bus that does not answer.
    fn report_to(&mut self, _health: StageHealth) {}

    /// Tells what keeps the bus from being reached at present; none where it answers.
    fn trouble(&self) -> Option<&str> {
        None
    }
}
