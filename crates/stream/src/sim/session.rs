//! A session on the simulated bus.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::bus::BusError;
use crate::message::Message;
use crate::session::{
    Assignment, Batch, Commit, Event, Fatal, Lag, Session, SessionConfig, Transaction, Waker,
};

use super::state::State;
use super::{Fault, Shared};

/// As on Kafka with the settings of Telex.
const BATCH_DEADLINE: Duration = Duration::from_secs(40);

pub(super) struct SimSession {
    /// Its number in the group; another one each time it joins anew.
    id: u64,
    /// What its wakers know it by.
    wake_id: u64,
    shared: Arc<Shared>,
    config: SessionConfig,
    parts: BTreeMap<u32, Part>,
    /// Partition to begin the next batch with, so that none starves.
    turn: usize,
    paused: bool,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    position: u64,
    committed: u64,
    /// Next offset after the last message handed out.
    delivered: u64,
}

impl Part {
    fn at(next: u64) -> Self {
        Self {
            position: next,
            committed: next,
            delivered: next,
        }
    }
}

impl SimSession {
    pub(super) fn open(shared: Arc<Shared>, config: SessionConfig) -> Result<Self, BusError> {
        let mut state = shared.lock();
        state.topic(&config.input)?;
        let id = state.join(&config.group, &config.input);
        drop(state);
        shared.changed.notify_all();
        Ok(Self {
            id,
            wake_id: id,
            shared,
            config,
            parts: BTreeMap::new(),
            turn: 0,
            paused: false,
        })
    }

    /// What there is to tell at once, if anything.
    fn event(&mut self, state: &mut State) -> Option<Event> {
        let (name, input) = (self.config.group.clone(), self.config.input.clone());
        if !state.group_mut(&name, &input).is_member(self.id) {
            let lost: Vec<u32> = std::mem::take(&mut self.parts).into_keys().collect();
            self.id = state.join(&name, &input);
            if !lost.is_empty() {
                return Some(Event::Lost(lost));
            }
        }
        let group = state.group_mut(&name, &input);
        group.release(self.id);
        let revoked = group.take_revoked(self.id);
        if !revoked.is_empty() {
            return Some(Event::Revoked {
                partitions: revoked.into_iter().collect(),
                deadline: Instant::now() + BATCH_DEADLINE,
            });
        }
        self.forget_unowned(state);
        let assigned = state.group_mut(&name, &input).take_assigned(self.id);
        if !assigned.is_empty() {
            return Some(Event::Assigned(self.take_in(state, assigned)));
        }
        if self.paused {
            return None;
        }
        let batch = self.gather(state);
        if batch.messages.is_empty() {
            return None;
        }
        if state.random.per_mille(state.faults.expelled) {
            state.leave(&name, &input, self.id);
        } else if state.random.per_mille(state.faults.shuffled) {
            state.shuffle(&name, &input);
        }
        Some(Event::Batch(batch))
    }

    /// Drops what was given up since the last call.
    fn forget_unowned(&mut self, state: &State) {
        if let Some(group) = state.group(&self.config.group, &self.config.input) {
            self.parts.retain(|p, _| group.owns(self.id, *p));
        }
    }

    fn take_in(&mut self, state: &State, partitions: BTreeSet<u32>) -> Vec<Assignment> {
        let mut assigned = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let (committed, attempts) = self.committed(state, partition);
            self.parts.insert(partition, Part::at(committed));
            assigned.push(Assignment {
                partition,
                committed,
                attempts,
            });
        }
        assigned
    }

    fn committed(&self, state: &State, partition: u32) -> (u64, u32) {
        let found = state
            .group(&self.config.group, &self.config.input)
            .and_then(|g| g.committed.get(&partition));
        let first = || {
            state
                .topics
                .get(&self.config.input)
                .and_then(|t| t.log(partition))
                .map_or(0, super::log::Log::first)
        };
        found.copied().unwrap_or_else(|| (first(), 0))
    }

    fn gather(&mut self, state: &State) -> Batch {
        let Some(topic) = state.topics.get(&self.config.input) else {
            return Batch::default();
        };
        let count = self.parts.len();
        let order: Vec<u32> = self
            .parts
            .keys()
            .cycle()
            .skip(self.turn % count.max(1))
            .take(count)
            .copied()
            .collect();
        self.turn += 1;
        let (mut messages, mut bytes) = (Vec::new(), 0);
        for number in order {
            let (Some(part), Some(log)) = (self.parts.get_mut(&number), topic.log(number)) else {
                continue;
            };
            let mut all = true;
            for message in log.from(part.position) {
                if messages.len() >= self.config.max_batch_messages || bytes >= self.config.max_batch_bytes {
                    all = false;
                    break;
                }
                bytes += message.size();
                part.position = message.next;
                part.delivered = message.next;
                messages.push(Arc::clone(message));
            }
            if all {
                // Only markers and what was compacted are left.
                part.position = part.position.max(log.end());
            }
        }
        Batch { messages }
    }

    fn apply(&mut self, state: &mut State, transaction: Transaction) -> Result<(), Fatal> {
        let mut commits: BTreeMap<u32, (u64, u32)> = transaction
            .offsets
            .iter()
            .map(|(partition, next)| (*partition, (*next, 0)))
            .collect();
        for (partition, attempts) in &transaction.attempts {
            let next = self.parts.get(partition).map(|p| p.committed).unwrap_or_default();
            commits.entry(*partition).or_insert((next, 0)).1 = *attempts;
        }
        let group = state.group_mut(&self.config.group, &self.config.input);
        if let Some(partition) = commits.keys().find(|p| !group.owns(self.id, **p)) {
            let text = format!("commit of partition {partition}, which is not owned");
            return Err(Fatal::Defect(text));
        }
        group.committed.extend(commits);
        for (partition, next) in transaction.offsets {
            if let Some(part) = self.parts.get_mut(&partition) {
                part.committed = next;
            }
        }
        state.write(transaction.outputs);
        Ok(())
    }

    fn go_back(&mut self, state: &State) {
        let partitions: Vec<u32> = self.parts.keys().copied().collect();
        for partition in partitions {
            let (committed, _) = self.committed(state, partition);
            self.parts.insert(partition, Part::at(committed));
        }
    }
}

impl Session for SimSession {
    fn next(&mut self, wait: Duration) -> Result<Event, Fatal> {
        let shared = Arc::clone(&self.shared);
        let until = Instant::now() + wait;
        let mut state = shared.lock();
        loop {
            let before = state.version;
            let event = self.event(&mut state);
            if state.version != before {
                shared.changed.notify_all();
            }
            if let Some(event) = event {
                return Ok(event);
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.woken.remove(&self.wake_id) || left.is_zero() {
                return Ok(Event::Idle);
            }
            let seen = state.version;
            while state.version == seen && !state.woken.contains(&self.wake_id) {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = wait_for(&shared, state, left);
            }
        }
    }

    fn commit(&mut self, transaction: Transaction) -> Result<Commit, Fatal> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        match state.check(&transaction.outputs) {
            Ok(()) => {}
            Err(error @ BusError::Oversize { .. }) => return Err(Fatal::Defect(error.to_string())),
            Err(error) => return Err(error.into()),
        }
        let fault = state.draw();
        if fault == Some(Fault::Expelled) {
            state.leave(&self.config.group, &self.config.input, self.id);
        }
        let member = state
            .group(&self.config.group, &self.config.input)
            .is_some_and(|g| g.is_member(self.id));
        let result = match fault {
            _ if !member => {
                state.abort(&transaction.outputs);
                Commit::Fenced
            }
            Some(Fault::Failed | Fault::UnknownLost) => {
                state.abort(&transaction.outputs);
                self.go_back(&state);
                Commit::Rewound {
                    reason: format!("simulated: {fault:?}"),
                }
            }
            _ => {
                self.apply(&mut state, transaction)?;
                Commit::Committed
            }
        };
        drop(state);
        shared.changed.notify_all();
        Ok(result)
    }

    fn rewind(&mut self) -> Result<(), Fatal> {
        let shared = Arc::clone(&self.shared);
        self.go_back(&shared.lock());
        Ok(())
    }

    fn pause(&mut self) {
        self.paused = true;
    }

    fn resume(&mut self) {
        self.paused = false;
    }

    fn lag(&mut self) -> Result<Vec<Lag>, Fatal> {
        let state = self.shared.lock();
        let topic = state.topic(&self.config.input).map_err(Fatal::from)?;
        let lag = |(partition, part): (&u32, &Part)| {
            let log = topic.log(*partition)?;
            // What follows the last message handed out and is no message needs no commit.
            let committed = if part.committed >= part.delivered {
                part.position.max(part.committed)
            } else {
                part.committed
            };
            Some(Lag {
                partition: *partition,
                position: part.position,
                committed,
                end: log.end(),
                oldest: log.from(committed).next().map(|m| m.timestamp),
            })
        };
        Ok(self.parts.iter().filter_map(lag).collect())
    }

    fn restore(&mut self, topic: &str, partition: u32, each: &mut dyn FnMut(Message)) -> Result<(), Fatal> {
        let records: Vec<Arc<Message>> = {
            let state = self.shared.lock();
            let log = state.topic(topic).map_err(Fatal::from)?.log(partition);
            log.into_iter().flat_map(|log| log.from(0)).cloned().collect()
        };
        records.into_iter().for_each(|m| each(Arc::unwrap_or_clone(m)));
        Ok(())
    }

    fn waker(&self) -> Waker {
        let (shared, id) = (Arc::clone(&self.shared), self.wake_id);
        Waker::new(move || {
            shared.lock().woken.insert(id);
            shared.changed.notify_all();
        })
    }

    fn batch_deadline(&self) -> Duration {
        BATCH_DEADLINE
    }
}

impl Drop for SimSession {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.leave(&self.config.group, &self.config.input, self.id);
        state.woken.remove(&self.wake_id);
        drop(state);
        self.shared.changed.notify_all();
    }
}

fn wait_for<'a>(shared: &'a Shared, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
    shared
        .changed
        .wait_timeout(state, time)
        .unwrap_or_else(PoisonError::into_inner)
        .0
}
