//! Finds messages that kill the process.
//!
//! Before the first batch of an assignment the driver commits "attempt n + 1" at the offset where it begins; the
//! next commit clears it. So a count that is still there after a restart says how often the process died over that
//! batch. From [`SUSPECT`] on, messages are processed one at a time, each announced by a commit of its own: if the
//! process dies once more, the message at the committed offset is the one, and becomes a dead letter unprocessed.

use std::collections::HashMap;

use crate::session::Assignment;

/// Deaths over one batch after which its messages are processed one at a time. A process may die twice for other
/// reasons: a restart, a node that goes.
pub(super) const SUSPECT: u32 = 3;

/// Messages processed one at a time: no fewer than the largest batch, so that the killer is among them.
const CAREFUL_MESSAGES: u32 = 2000;

#[derive(Debug, Default)]
pub(super) struct Attempts {
    parts: HashMap<u32, Part>,
}

#[derive(Debug)]
struct Part {
    attempts: u32,
    announced: bool,
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
                careful,
                killer: a.attempts > SUSPECT,
            };
            self.parts.insert(a.partition, part);
        }
    }

    pub(super) fn revoked(&mut self, partitions: &[u32]) {
        self.parts.retain(|p, _| !partitions.contains(p));
    }

    /// The count to commit before this partition's first batch; none if that was done.
    pub(super) fn announce(&mut self, partition: u32) -> Option<u32> {
        let part = self
            .parts
            .get_mut(&partition)
            .filter(|p| !p.announced && p.careful == 0)?;
        part.announced = true;
        Some(part.attempts + 1)
    }

    /// Tells whether the partition's next message is to be processed alone; counts it.
    pub(super) fn careful(&mut self, partition: u32) -> bool {
        match self.parts.get_mut(&partition) {
            Some(part) if part.careful > 0 => {
                part.careful -= 1;
                true
            }
            _ => false,
        }
    }

    /// Tells, once, whether the message at the committed offset is known to kill the process.
    pub(super) fn take_killer(&mut self, partition: u32) -> bool {
        self.parts
            .get_mut(&partition)
            .is_some_and(|p| std::mem::take(&mut p.killer))
    }
}
