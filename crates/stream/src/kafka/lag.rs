//! How far behind a session is, and since when.

use std::time::Duration;

use crate::bus::BusError;
use crate::message::Message;
use crate::session::{Fatal, Lag};

use super::error::unusable;
use super::part::Part;
use super::reader::Peeker;
use super::session::KafkaSession;

/// Longest wait for an answer while a stage is at work: lag that is not known is better than a stage that stands.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

impl KafkaSession {
    /// Tells for each owned partition how far behind it is.
    pub(super) fn lags(&mut self) -> Result<Vec<Lag>, Fatal> {
        self.producer.serve();
        match self.ends() {
            Ok(ends) => {
                if self.assigning.is_none() {
                    self.trouble = None;
                }
                self.look_for_more(&ends)?;
            }
            Err(error) => {
                self.complain(&error.to_string());
                self.trouble = Some(error.to_string());
                // Not known: one more than what was received, so that nothing counts as drained.
                for part in self.parts.values_mut() {
                    part.ask(part.received + 1, false);
                }
            }
        }
        self.look_up_times();
        let lag = |(p, part): (&u32, &Part)| part.lag(*p, self.first_held(*p));
        Ok(self.parts.iter().map(lag).collect())
    }

    /// Ends of the owned partitions, and whether every transaction before them has ended.
    fn ends(&self) -> Result<Vec<(u32, u64, bool)>, BusError> {
        let (topic, owned) = (&self.config.input, self.parts.keys().copied().collect::<Vec<_>>());
        if owned.is_empty() {
            // Nothing is asked for then, but whether anybody answers is to be known.
            self.topics.answers(ANSWER_TIMEOUT)?;
        }
        let written = self.topics.written_ends(topic, &owned, ANSWER_TIMEOUT)?;
        let committed = self.topics.committed_ends(topic, &owned, ANSWER_TIMEOUT)?;
        let settled = |(partition, end)| (partition, end, committed.get(&partition) >= Some(&end));
        Ok(written.into_iter().map(settled).collect())
    }

    /// Has the client look again where it is not clear whether there is a message before the end.
    fn look_for_more(&mut self, ends: &[(u32, u64, bool)]) -> Result<(), Fatal> {
        let mut unclear = Vec::new();
        for (partition, end, settled) in ends {
            let none_held = self.first_held(*partition).is_none();
            let part = self.parts.get_mut(partition);
            if let Some(offset) = part.and_then(|part| part.ask(*end, *settled && none_held)) {
                unclear.push((*partition, offset));
            }
        }
        self.seek(&unclear)
    }

    /// Finds out when the oldest waiting message was written, where none of the partition has come yet.
    fn look_up_times(&mut self) {
        let unknown: Vec<(u32, u64)> = self
            .parts
            .iter()
            .filter(|(p, _)| self.first_held(**p).is_none())
            .filter_map(|(p, part)| Some((*p, part.unknown()?)))
            .collect();
        if unknown.is_empty() {
            self.peeker = None;
            return;
        }
        let opened = self.peeker.take().map_or_else(|| Peeker::open(&self.options), Ok);
        let found = opened.and_then(|peeker| {
            let found = peeker.peek(&self.config.input, &unknown);
            self.peeker = Some(peeker);
            found.map_err(|e| unusable("the age of the lag is not known", &e))
        });
        match found {
            Ok(found) => {
                for (partition, timestamp) in found {
                    if let Some(part) = self.parts.get_mut(&partition) {
                        part.peeked(timestamp);
                    }
                }
            }
            Err(error) => self.complain(&error.to_string()),
        }
    }

    fn first_held(&self, partition: u32) -> Option<&Message> {
        self.held.iter().find(|m| m.partition == partition).map(|m| &**m)
    }
}
