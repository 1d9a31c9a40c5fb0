//! How a session takes over and hands back partitions.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::Offset;

use crate::session::{Assignment, Event, Fatal};

use super::context::Rebalance;
use super::error::code;
use super::part::{Mark, Part, fetch_committed};
use super::producer::Failure;
use super::session::{KafkaSession, defect};

/// One wait for committed offsets that an open transaction may still move; tried until they are there.
const OFFSETS_WAIT: Duration = Duration::from_secs(2);

impl KafkaSession {
    /// Tells whether the group has said something that the owner does not know yet.
    pub(super) fn rebalances(&self) -> bool {
        self.assigning.is_none() && self.client.as_ref().is_some_and(|c| c.context().waits())
    }

    /// Answers the group; gives what the owner must know.
    pub(super) fn rebalance(&mut self) -> Result<Option<Event>, Fatal> {
        if let Some(partitions) = self.revoking.take() {
            self.hand_back(&partitions)?;
        }
        loop {
            if let Some(partitions) = self.assigning.take() {
                return self.take_over(partitions);
            }
            let Some(said) = self.client()?.context().take() else {
                return Ok(None);
            };
            match said {
                Rebalance::Assign(partitions) => self.assigning = Some(partitions),
                Rebalance::Revoke(partitions) if !self.stale => {
                    self.forget(&partitions);
                    if partitions.is_empty() {
                        self.hand_back(&partitions)?;
                        continue;
                    }
                    self.tell("partitions are given up", &partitions);
                    let deadline = Instant::now() + self.options.max_poll_interval / 3;
                    self.revoking = Some(partitions.clone());
                    return Ok(Some(Event::Revoked { partitions, deadline }));
                }
                Rebalance::Lost(partitions) | Rebalance::Revoke(partitions) => {
                    self.forget(&partitions);
                    self.hand_back(&partitions)?;
                    self.stale = self.stale && !self.parts.is_empty();
                    if !partitions.is_empty() {
                        self.tell("partitions are lost", &partitions);
                        return Ok(Some(Event::Lost(partitions)));
                    }
                }
            }
        }
    }

    fn tell(&self, what: &str, partitions: &[u32]) {
        tracing::info!(group = self.config.group, ?partitions, "{what}");
    }

    /// Drops what was received from partitions and not handed out.
    fn forget(&mut self, partitions: &[u32]) {
        self.held.retain(|m| !partitions.contains(&m.partition));
    }

    /// Gives partitions up.
    fn hand_back(&mut self, partitions: &[u32]) -> Result<(), Fatal> {
        self.forget(partitions);
        self.parts.retain(|p, _| !partitions.contains(p));
        let list = self.list(partitions.iter().map(|p| (*p, 0))).map_err(defect)?;
        if let Err(error) = self.client()?.incremental_unassign(&list) {
            tracing::debug!(%error, "partitions given up");
        }
        Ok(())
    }

    /// Begins with partitions, once their offsets are known; until then nothing comes of them.
    fn take_over(&mut self, partitions: Vec<u32>) -> Result<Option<Event>, Fatal> {
        // First of all, for it ends what an earlier transaction of this session left open.
        let marks = match self.producer.begin_anew() {
            Ok(()) => self.marks(&partitions),
            Err(Failure::Permanent(error)) => return Err(error.into()),
            Err(Failure::Aborted(reason) | Failure::Fenced(reason) | Failure::Unknown(reason)) => Err(reason),
        };
        let marks = match marks {
            Ok(marks) => marks,
            Err(reason) => {
                self.wait_out(&reason);
                self.trouble = Some(reason);
                self.assigning = Some(partitions);
                return Ok(None);
            }
        };
        self.trouble = None;
        let list = self
            .list(marks.iter().map(|m| (m.partition, m.next)))
            .map_err(defect)?;
        if let Err(error) = self.client()?.incremental_assign(&list) {
            // The group has gone on meanwhile and says so next.
            tracing::warn!(%error, "partitions could not be taken over");
        }
        for mark in &marks {
            self.parts.insert(mark.partition, Part::new(mark));
        }
        self.pause_new();
        let first = !std::mem::replace(&mut self.joined, true);
        if marks.is_empty() && !first {
            return Ok(None);
        }
        self.tell("partitions are taken over", &partitions);
        let assigned = marks.iter().map(|mark| Assignment {
            partition: mark.partition,
            committed: mark.next,
            attempts: mark.attempts,
        });
        Ok(Some(Event::Assigned(assigned.collect())))
    }

    /// The group's progress on partitions; where it has none, the first offset.
    fn marks(&mut self, partitions: &[u32]) -> Result<Vec<Mark>, String> {
        let client = self.client().map_err(|e| e.to_string())?;
        let mut marks = fetch_committed(client, &self.config.input, partitions, OFFSETS_WAIT)
            .map_err(|e| {
                let open = match code(&e) {
                    Some(RDKafkaErrorCode::OperationTimedOut) => {
                        "; if that goes on, look for a transaction that stays open (kafka-transactions.sh find-hanging)"
                    }
                    _ => "",
                };
                format!("the offsets of group {} cannot be read: {e}{open}", self.config.group)
            })?;
        let new: Vec<u32> = partitions
            .iter()
            .copied()
            .filter(|p| marks.iter().all(|m| m.partition != *p))
            .collect();
        let first = self
            .topics
            .offsets_at(&self.config.input, &new, Offset::Beginning)
            .map_err(|e| e.to_string())?;
        marks.extend(new.into_iter().map(|partition| Mark {
            partition,
            next: first.get(&partition).copied().unwrap_or_default(),
            attempts: 0,
            transaction: String::new(),
        }));
        marks.sort_by_key(|m| m.partition);
        Ok(marks)
    }

    /// Answers whatever the group still waits for, as closing does not.
    pub(super) fn answer_all(&mut self) {
        let Some(client) = &self.client else { return };
        client.context().close();
        let mut unanswered: Vec<Rebalance> =
            self.revoking.take().map(Rebalance::Revoke).into_iter().collect();
        unanswered.extend(self.assigning.take().map(Rebalance::Assign));
        unanswered.extend(std::iter::from_fn(|| client.context().take()));
        for said in unanswered {
            let (Rebalance::Assign(partitions) | Rebalance::Revoke(partitions) | Rebalance::Lost(partitions)) =
                &said;
            let answered = self
                .list(partitions.iter().map(|p| (*p, 0)))
                .and_then(|list| match said {
                    Rebalance::Assign(_) => client.incremental_assign(&list),
                    Rebalance::Revoke(_) | Rebalance::Lost(_) => client.incremental_unassign(&list),
                });
            if let Err(error) = answered {
                tracing::debug!(%error, "close");
            }
        }
    }

    /// Leaves the group and joins it again: nothing is handed out or committed before partitions are assigned anew,
    /// from what the bus then holds.
    pub(super) fn leave(&mut self, reason: &str) -> Result<(), Fatal> {
        tracing::warn!(
            group = self.config.group,
            reason,
            "the group is left and joined again"
        );
        self.stale = true;
        self.held.clear();
        let client = self.client()?;
        client.unsubscribe();
        client.subscribe(&[&self.config.input]).map_err(defect)
    }
}
