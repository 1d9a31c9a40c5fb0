//! Finds messages that kill the process.
//!
//! Before the first batch of an assignment the driver commits "attempt n + 1" at the offset where it begins; the
//! next commit clears it. So a count that is still there after a restart says how often the process died over that
//! batch. From [`SUSPECT`] on, messages are processed one at a time, each announced by a commit of its own: if the
//! process dies over the same one [`ALONE`] times, it becomes a dead letter unprocessed. Once is not enough: processed
//! so, messages take most of the time, and whoever kills the process then for another reason would hit an innocent
//! one each time.
//!
//! A driver that is still alive when a batch could not be finished takes its announcement back: restarts while a
//! database is away must not make an innocent message a suspect.

use std::collections::{BTreeMap, HashMap};

use crate::session::Assignment;

/// Deaths over one batch after which its messages are processed one at a time. A process may die twice for other
/// reasons: a restart, a node that goes.
const SUSPECT: u32 = 3;

/// Deaths over one message, processed alone, after which it is the one.
const ALONE: u32 = 2;

/// Messages processed one at a time: no fewer than the largest batch, so that the killer is among them.
const CAREFUL_MESSAGES: u32 = 2000;

#[derive(Debug, Default)]
pub(super) struct Attempts {
    parts: HashMap<u32, Part>,
}

#[derive(Debug)]
struct Part {
    attempts: u32,
    /// The first batch of the assignment was announced.
    announced: bool,
    /// An announcement of ours is on the bus.
    outstanding: bool,
    careful: u32,
    /// The message at the committed offset killed the process while it was processed alone.
    killer: bool,
}

impl Attempts {
    pub(super) fn assigned(&mut self, assignments: &[Assignment]) {
        for a in assignments {
            let careful = if a.attempts >= SUSPECT {
                CAREFUL_MESSAGES
            } else {
                0
            };
            let part = Part {
                attempts: a.attempts,
                announced: false,
                outstanding: false,
                careful,
                killer: a.attempts >= SUSPECT + ALONE,
            };
            self.parts.insert(a.partition, part);
        }
    }

    pub(super) fn revoked(&mut self, partitions: &[u32]) {
        self.parts.retain(|p, _| !partitions.contains(p));
    }

    /// The counts to commit before a batch of these partitions; none where that was done.
    pub(super) fn to_announce(&self, partitions: impl Iterator<Item = u32>) -> BTreeMap<u32, u32> {
        partitions
            .filter_map(|p| Some((p, self.parts.get(&p)?)))
            .filter(|(_, part)| !part.announced && part.careful == 0)
            .map(|(p, part)| (p, part.attempts + 1))
            .collect()
    }

    /// Takes in that these counts are on the bus.
    pub(super) fn announced(&mut self, counts: &BTreeMap<u32, u32>) {
        for partition in counts.keys() {
            if let Some(part) = self.parts.get_mut(partition) {
                part.announced = true;
                part.outstanding = true;
            }
        }
    }

    /// Takes in that offsets of these partitions were committed, which cleared their counts.
    pub(super) fn committed<'a>(&mut self, partitions: impl Iterator<Item = &'a u32>) {
        for partition in partitions {
            if let Some(part) = self.parts.get_mut(partition) {
                part.attempts = 0;
                part.outstanding = false;
                part.killer = false;
            }
        }
    }

    /// The count to commit before the partition's next message is processed alone.
    pub(super) fn alone(&self, partition: u32) -> BTreeMap<u32, u32> {
        let attempts = self.parts.get(&partition).map_or(0, |part| part.attempts);
        BTreeMap::from([(partition, attempts.max(SUSPECT) + 1)])
    }

    /// The counts that take back what was announced.
    pub(super) fn to_take_back(&self) -> BTreeMap<u32, u32> {
        self.parts
            .iter()
            .filter(|(_, part)| part.outstanding)
            .map(|(p, _)| (*p, 0))
            .collect()
    }

    /// Takes in that the announcements were taken back: the next batch is announced again.
    pub(super) fn taken_back(&mut self, counts: &BTreeMap<u32, u32>) {
        for partition in counts.keys() {
            if let Some(part) = self.parts.get_mut(partition) {
                part.attempts = 0;
                part.announced = false;
                part.outstanding = false;
            }
        }
    }

    /// Tells whether the partition's next message is to be processed alone.
    pub(super) fn careful(&self, partition: u32) -> bool {
        self.parts.get(&partition).is_some_and(|part| part.careful > 0)
    }

    /// Counts a message that was processed alone.
    pub(super) fn survived(&mut self, partition: u32) {
        if let Some(part) = self.parts.get_mut(&partition) {
            part.careful = part.careful.saturating_sub(1);
            // The suspicion is over: what comes next begins at nought.
            part.announced = true;
        }
    }

    /// Tells whether the message at the committed offset is known to kill the process.
    pub(super) fn killer(&self, partition: u32) -> bool {
        self.parts.get(&partition).is_some_and(|p| p.killer)
    }
}
