//! Everything that the simulated bus holds.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use telex_model::Cleanup;

use crate::bus::{BusError, Reset};
use crate::message::Output;

use super::group::Group;
use super::log::TopicLog;
use super::random::SplitMix64;
use super::{Fault, Faults, SimOptions};

/// Where the simulation's clock begins: a day in 2026, so that dates in tests look like dates.
const BEGIN_MILLIS: i64 = 1_780_000_000_000;

#[derive(Debug)]
pub(super) struct State {
    pub(super) random: SplitMix64,
    pub(super) faults: Faults,
    pub(super) injected: VecDeque<Fault>,
    pub(super) topics: BTreeMap<String, TopicLog>,
    groups: BTreeMap<(String, String), Group>,
    /// Sessions that were woken and have not noticed yet.
    pub(super) woken: HashSet<u64>,
    /// Counts what a waiting session may want to see.
    pub(super) version: u64,
    sessions: u64,
    millis: i64,
}

impl State {
    pub(super) fn new(options: SimOptions) -> Self {
        Self {
            random: SplitMix64(options.seed),
            faults: options.faults,
            injected: VecDeque::new(),
            topics: BTreeMap::new(),
            groups: BTreeMap::new(),
            woken: HashSet::new(),
            version: 0,
            sessions: 0,
            millis: BEGIN_MILLIS,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.millis).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn topic(&self, name: &str) -> Result<&TopicLog, BusError> {
        self.topics
            .get(name)
            .ok_or_else(|| BusError::NoTopic(name.to_owned()))
    }

    pub(super) fn group(&self, group: &str, topic: &str) -> Option<&Group> {
        self.groups.get(&(group.to_owned(), topic.to_owned()))
    }

    pub(super) fn group_mut(&mut self, group: &str, topic: &str) -> &mut Group {
        let partitions = self.topics.get(topic).map_or(0, TopicLog::count);
        self.groups
            .entry((group.to_owned(), topic.to_owned()))
            .or_insert_with(|| Group::new(partitions))
    }

    /// Takes a session into a group; gives its number.
    pub(super) fn join(&mut self, group: &str, topic: &str) -> u64 {
        self.sessions += 1;
        let session = self.sessions;
        self.group_mut(group, topic).join(session);
        self.version += 1;
        session
    }

    pub(super) fn leave(&mut self, group: &str, topic: &str, session: u64) {
        self.group_mut(group, topic).leave(session);
        self.version += 1;
    }

    pub(super) fn expel(&mut self, group: &str, topic: &str) -> bool {
        let first = self.group_mut(group, topic).members().first().copied();
        if let Some(session) = first {
            self.leave(group, topic, session);
        }
        first.is_some()
    }

    pub(super) fn shuffle(&mut self, group: &str, topic: &str) {
        let mut random = self.random.clone();
        self.group_mut(group, topic).shuffle(&mut random);
        self.random = random;
        self.version += 1;
    }

    pub(super) fn kill_sessions(&mut self) {
        for group in self.groups.values_mut() {
            for session in group.members() {
                group.leave(session);
            }
        }
        self.version += 1;
    }

    /// What is to happen to the next commit.
    pub(super) fn draw(&mut self) -> Option<Fault> {
        if let Some(fault) = self.injected.pop_front() {
            return Some(fault);
        }
        let faults = self.faults;
        [
            (faults.failed, Fault::Failed),
            (faults.unknown_applied, Fault::UnknownApplied),
            (faults.unknown_lost, Fault::UnknownLost),
            (faults.expelled, Fault::Expelled),
        ]
        .into_iter()
        .find(|(share, _)| self.random.per_mille(*share))
        .map(|(_, fault)| fault)
    }

    /// Refuses what could not be written.
    pub(super) fn check(&self, outputs: &[Output]) -> Result<(), BusError> {
        for output in outputs {
            let (size, limit) = (output.size(), self.topic(&output.topic)?.spec.max_message_bytes);
            if size > limit {
                return Err(BusError::Oversize {
                    topic: output.topic.clone(),
                    size,
                    limit,
                });
            }
        }
        Ok(())
    }

    /// Writes one transaction that [`State::check`] let pass.
    pub(super) fn write(&mut self, outputs: Vec<Output>) {
        self.millis += 1;
        let now = self.now();
        let mut touched = BTreeSet::new();
        for output in outputs {
            let Some(topic) = self.topics.get_mut(&output.topic) else {
                continue;
            };
            let (partition, compacted) = (output.partition(topic.count()), topic.compacted());
            touched.insert((output.topic.clone(), partition));
            let Some(log) = topic.log_mut(partition) else {
                continue;
            };
            let key = output.key.clone();
            log.push(partition, output, now);
            // Kafka compacts some time later.
            if compacted && self.random.below(2) == 0 {
                log.compact(&key);
            }
        }
        for (topic, partition) in touched {
            if let Some(log) = self.topics.get_mut(&topic).and_then(|t| t.log_mut(partition)) {
                log.mark(&mut self.random);
            }
        }
        self.version += 1;
    }

    /// Leaves the gaps of a transaction that was aborted.
    pub(super) fn abort(&mut self, outputs: &[Output]) {
        let mut written = BTreeMap::new();
        for output in outputs {
            if let Some(topic) = self.topics.get(&output.topic) {
                *written
                    .entry((&output.topic, output.partition(topic.count())))
                    .or_insert(0) += 1;
            }
        }
        for ((topic, partition), records) in written {
            if let Some(log) = self.topics.get_mut(topic).and_then(|t| t.log_mut(partition)) {
                log.abort(records);
            }
        }
        self.version += 1;
    }

    pub(super) fn reset(&mut self, group: &str, topic: &str, to: Reset) -> Result<(), BusError> {
        let logs = self.topic(topic)?.partitions.iter();
        let offsets: Vec<u64> = logs.map(|log| log.find(to)).collect();
        let group_state = self.group_mut(group, topic);
        if group_state.busy() {
            return Err(BusError::InUse(format!("group {group} is at work on {topic}")));
        }
        group_state.committed = (0..)
            .zip(offsets)
            .map(|(partition, next)| (partition, (next, 0)))
            .collect();
        Ok(())
    }

    pub(super) fn advance(&mut self, time: Duration) -> usize {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.millis = self.millis.saturating_add(millis);
        let now = self.now();
        let mut deleted = 0;
        for (name, topic) in &mut self.topics {
            let groups: Vec<&Group> = self
                .groups
                .iter()
                .filter(|((_, topic), _)| topic == name)
                .map(|(_, group)| group)
                .collect();
            let cleanup = topic.spec.cleanup;
            for (partition, log) in (0..).zip(&mut topic.partitions) {
                deleted += match cleanup {
                    Cleanup::Compact => log.bury(now),
                    Cleanup::Delete(kept) => {
                        let read = groups
                            .iter()
                            .map(|g| g.committed.get(&partition).map_or(log.first(), |c| c.0))
                            .min();
                        let before = now.checked_sub(kept).unwrap_or(Timestamp::MIN);
                        log.expire(before, read.unwrap_or(log.end()))
                    }
                };
            }
        }
        deleted
    }
}
