//! A bus in memory that fails on demand: the model that stages and drivers are tested against.
//!
//! It has what Kafka has and the embedded bus has not: sessions that share a group's partitions, partitions that
//! are taken away, offsets with gaps, commits whose result is unknown, sessions that are thrown out of their group
//! without knowing. With one thread everything that happens follows from the seed.
//!
//! Rejected: faults injected into the real back ends only. They are slow to bring about there, and cannot be
//! repeated.

mod group;
mod log;
mod random;
mod session;
mod state;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use telex_model::Topic;

use crate::bus::{Bus, BusError, Ends, Reset};
use crate::message::{Message, Output};
use crate::session::{Session, SessionConfig};

use self::log::TopicLog;
use self::session::SimSession;
use self::state::State;

/// How the simulation is set up.
#[derive(Debug, Clone, Default)]
pub struct SimOptions {
    /// Decides everything that is left open: faults, gaps, compaction, who gets which partition.
    pub seed: u64,
    /// What goes wrong by itself.
    pub faults: Faults,
}

/// How often something goes wrong, in a thousand commits or batches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Commits that fail.
    pub failed: u16,
    /// Commits whose result is unknown at first and turns out to be that they were applied.
    pub unknown_applied: u16,
    /// Commits whose result is unknown at first and turns out to be that they were not.
    pub unknown_lost: u16,
    /// Commits and batches before which the session is thrown out of its group.
    pub expelled: u16,
    /// Batches before which partitions change hands.
    pub shuffled: u16,
}

/// What happens to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails, and nothing is written.
    Failed,
    /// Its result is lost on the way, but it was applied.
    UnknownApplied,
    /// Its result is lost on the way, and it was not applied.
    UnknownLost,
    /// The session was thrown out of its group before.
    Expelled,
}

/// The simulated bus; clones are the same bus.
#[derive(Debug, Clone)]
pub struct SimBus(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SimBus {
    fn default() -> Self {
        Self::new(SimOptions::default())
    }
}

impl SimBus {
    /// Makes an empty bus.
    pub fn new(options: SimOptions) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State::new(options)),
            changed: Condvar::new(),
        }))
    }

    /// Sets what goes wrong by itself from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.0.lock().faults = faults;
    }

    /// Has this happen to the next commit that no earlier call spoke for, whichever session makes it.
    pub fn inject(&self, fault: Fault) {
        self.0.lock().injected.push_back(fault);
    }

    /// Throws the session that joined first out of a group; others own its partitions before it knows. It joins
    /// anew once it has noticed. False, if the group has no session.
    pub fn expel(&self, group: &str, topic: &str) -> bool {
        let expelled = self.0.lock().expel(group, topic);
        self.0.changed.notify_all();
        expelled
    }

    /// Has partitions of a group change hands.
    pub fn shuffle(&self, group: &str, topic: &str) {
        self.0.lock().shuffle(group, topic);
        self.0.changed.notify_all();
    }

    /// Throws all sessions out, as when their processes are killed. What was committed stays.
    pub fn kill_sessions(&self) {
        self.0.lock().kill_sessions();
        self.0.changed.notify_all();
    }

    /// Lets time pass, and deletes what is no longer kept after it; gives the number of records deleted.
    pub fn advance(&self, time: Duration) -> usize {
        self.0.lock().advance(time)
    }

    /// The time in the simulation.
    pub fn now(&self) -> Timestamp {
        self.0.lock().now()
    }
}

impl Bus for SimBus {
    fn create_topics(&self, prefix: &str, topics: &[Topic]) -> Result<(), BusError> {
        let mut state = self.0.lock();
        for topic in topics {
            state
                .topics
                .entry(topic.name(prefix))
                .or_insert_with(|| TopicLog::new(topic.spec()));
        }
        Ok(())
    }

    fn session(&self, config: SessionConfig) -> Result<Box<dyn Session>, BusError> {
        Ok(Box::new(SimSession::open(Arc::clone(&self.0), config)?))
    }

    fn append(&self, outputs: Vec<Output>) -> Result<(), BusError> {
        let mut state = self.0.lock();
        state.check(&outputs)?;
        state.write(outputs);
        drop(state);
        self.0.changed.notify_all();
        Ok(())
    }

    fn read(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, BusError> {
        let state = self.0.lock();
        let log = state
            .topic(topic)?
            .log(partition)
            .ok_or_else(|| BusError::NoTopic(format!("{topic}/{partition}")))?;
        Ok(log.from(from).take(limit).cloned().collect())
    }

    fn ends(&self, topic: &str) -> Result<Vec<Ends>, BusError> {
        let state = self.0.lock();
        let logs = state.topic(topic)?.partitions.iter();
        Ok((0..).zip(logs).map(|(number, log)| log.ends(number)).collect())
    }

    fn committed(&self, group: &str, topic: &str) -> Result<Vec<(u32, u64)>, BusError> {
        let state = self.0.lock();
        state.topic(topic)?;
        let committed = state.group(group, topic).map(|g| &g.committed);
        Ok(committed
            .into_iter()
            .flatten()
            .map(|(p, (next, _))| (*p, *next))
            .collect())
    }

    fn reset(&self, group: &str, topic: &str, to: Reset) -> Result<(), BusError> {
        self.0.lock().reset(group, topic, to)
    }

    fn topics(&self) -> Result<Vec<String>, BusError> {
        Ok(self.0.lock().topics.keys().cloned().collect())
    }
}
