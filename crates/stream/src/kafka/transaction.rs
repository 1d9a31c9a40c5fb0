//! How a session commits, and finds out what became of a commit without an answer.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use crate::bus::BusError;
use crate::session::{Commit, Fatal, Transaction};

use super::part::{Mark, fetch_committed, to_list};
use super::producer::{Failure, Offsets, Record};
use super::route;
use super::session::{KafkaSession, defect};

/// Longest search for what became of a transaction; after it the partitions are given up, and taken over again from
/// what the bus then holds. With the transaction's own timeout and the abort, a commit takes 30 s at the most: less
/// than a batch may, and soon enough to be told to stop.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(15);

/// One wait for the group's offsets while they are searched.
const OFFSETS_WAIT: Duration = Duration::from_secs(5);

impl KafkaSession {
    pub(super) fn commit_transaction(&mut self, transaction: Transaction) -> Result<Commit, Fatal> {
        let mut marks = self.marks_of(&transaction)?;
        let records = route(transaction.outputs, &self.topics).map_err(|e| match e {
            BusError::Oversize { .. } => Fatal::Defect(e.to_string()),
            other => other.into(),
        })?;
        if marks.is_empty() {
            if records.is_empty() {
                return Ok(Commit::Committed);
            }
            // Without an offset nothing would fence a session that was left behind.
            match self.parts.iter().next() {
                Some((partition, part)) => marks.push(part.mark(*partition)),
                None => return Ok(Commit::Fenced),
            }
        }
        match self.attempt(marks, &records)? {
            Commit::Rewound { reason } => self.turn_back(reason),
            result => Ok(result),
        }
    }

    /// Commits offsets and records at once. Finds out what became of them; hands nothing out again by itself.
    pub(super) fn attempt(&mut self, mut marks: Vec<Mark>, records: &[Record]) -> Result<Commit, Fatal> {
        let id = self.transaction_id();
        marks.iter_mut().for_each(|m| m.transaction.clone_from(&id));
        let list = to_list(&self.config.input, &marks).map_err(defect)?;
        let client = self.client()?;
        let group = client.group_metadata();
        // After the metadata was read, not before: if the partitions are lost only now, the metadata still has the
        // generation, or the member id, that the broker refuses.
        let lost = self.stale || client.assignment_lost();
        let Some(group) = group.filter(|_| !lost) else {
            self.stale = true;
            return Ok(Commit::Fenced);
        };
        match self.producer.transact(records, Some(Offsets { list, group })) {
            Ok(()) => Ok(self.committed(&marks)),
            Err(Failure::Permanent(error)) => Err(error.into()),
            Err(Failure::Aborted(reason)) => Ok(Commit::Rewound { reason }),
            Err(Failure::Fenced(reason)) => {
                if self.client()?.assignment_lost() {
                    self.stale = true;
                    return Ok(Commit::Fenced);
                }
                // The group went on while this was under way; it will say with whom.
                Ok(Commit::Rewound { reason })
            }
            Err(Failure::Unknown(reason)) => self.resolve(&marks, reason),
        }
    }

    fn committed(&mut self, marks: &[Mark]) -> Commit {
        for mark in marks {
            if let Some(part) = self.parts.get_mut(&mark.partition) {
                part.commit(mark);
            }
        }
        Commit::Committed
    }

    /// Finds out whether a transaction happened: a producer that begins anew ends it, and its id is with the offsets
    /// if it was committed.
    fn resolve(&mut self, marks: &[Mark], reason: String) -> Result<Commit, Fatal> {
        tracing::warn!(
            group = self.config.group,
            reason,
            "the outcome of a commit is looked up"
        );
        let partitions: Vec<u32> = marks.iter().map(|m| m.partition).collect();
        let Some(found) = self.look_up(&partitions)? else {
            return Ok(Commit::Fenced);
        };
        if marks.iter().all(|m| found.contains(m)) {
            return Ok(self.committed(marks));
        }
        Ok(Commit::Rewound { reason })
    }

    /// Goes back to what is committed, after a commit that failed.
    fn turn_back(&mut self, reason: String) -> Result<Commit, Fatal> {
        let partitions: Vec<u32> = self.parts.keys().copied().collect();
        let Some(found) = self.look_up(&partitions)? else {
            return Ok(Commit::Fenced);
        };
        self.held.clear();
        let mut places = Vec::with_capacity(self.parts.len());
        for (partition, part) in &mut self.parts {
            let own = part.mark(*partition);
            let mark = found.iter().find(|m| m.partition == *partition).unwrap_or(&own);
            part.rewind(mark);
            places.push((*partition, mark.next));
        }
        self.seek(&places)?;
        if self.stale {
            return Ok(Commit::Fenced);
        }
        Ok(Commit::Rewound { reason })
    }

    /// Reads the group's offsets once no transaction of ours is open; none if the partitions had to be given up.
    fn look_up(&mut self, partitions: &[u32]) -> Result<Option<Vec<Mark>>, Fatal> {
        let until = Instant::now() + RESOLVE_TIMEOUT.min(self.options.max_poll_interval / 3);
        loop {
            let failed = match self.producer.begin_anew() {
                Ok(()) => {
                    match fetch_committed(self.client()?, &self.config.input, partitions, OFFSETS_WAIT) {
                        Ok(found) => return Ok(Some(found)),
                        Err(error) => error.to_string(),
                    }
                }
                Err(Failure::Permanent(error)) => return Err(error.into()),
                Err(Failure::Aborted(reason) | Failure::Fenced(reason) | Failure::Unknown(reason)) => reason,
            };
            self.wait_out(&failed);
            if self.client()?.assignment_lost() {
                self.stale = true;
                return Ok(None);
            }
            if Instant::now() >= until {
                self.leave(&failed)?;
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn marks_of(&self, transaction: &Transaction) -> Result<Vec<Mark>, Fatal> {
        let partitions: BTreeSet<u32> = transaction
            .offsets
            .keys()
            .chain(transaction.attempts.keys())
            .copied()
            .collect();
        let mark = |partition: u32| {
            let part = self.parts.get(&partition).ok_or_else(|| {
                Fatal::Defect(format!("commit of partition {partition}, which is not owned"))
            })?;
            Ok(Mark {
                partition,
                next: transaction
                    .offsets
                    .get(&partition)
                    .copied()
                    .unwrap_or(part.committed),
                attempts: transaction.attempts.get(&partition).copied().unwrap_or_default(),
                transaction: String::new(),
            })
        };
        partitions.into_iter().map(mark).collect()
    }
}
