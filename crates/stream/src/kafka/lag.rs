//! How far behind a session is, and since when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::bus::BusError;
use crate::message::Message;
use crate::session::{Fatal, Lag};

use super::part::Part;
use super::reader::Peeker;
use super::session::KafkaSession;

/// Longest wait for an answer while a stage is at work: lag that is not known is better than a stage that stands.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// A partition that has given nothing for so long is looked at: one that moves tells the age of its lag by itself.
const STANDS: Duration = Duration::from_secs(1);

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

    /// Finds out when the oldest waiting message was written, where none of the partition has come for a while: it
    /// is asked now, and known when this is called again.
    fn look_up_times(&mut self) {
        let found = self.peeker.as_mut().map(Peeker::collect).unwrap_or_default();
        for (partition, offset, timestamp) in found {
            if let Some(part) = self.parts.get_mut(&partition) {
                part.peeked(offset, timestamp);
            }
        }
        let now = Instant::now();
        let mut unknown = BTreeMap::new();
        for (partition, part) in &mut self.parts {
            let stands = part.stands(now) >= STANDS;
            let held = self.held.iter().any(|m| m.partition == *partition);
            if let Some(offset) = part.unknown().filter(|_| stands && !held) {
                unknown.insert(*partition, offset);
            }
        }
        let asked = self.peeker.as_ref().is_some_and(|peeker| peeker.asked == unknown);
        if unknown.is_empty() {
            self.peeker = None;
        } else if !asked {
            match Peeker::open(&self.options, &self.config.input, unknown) {
                Ok(peeker) => self.peeker = Some(peeker),
                Err(error) => self.complain(&error.to_string()),
            }
        }
    }

    fn first_held(&self, partition: u32) -> Option<&Message> {
        self.held.iter().find(|m| m.partition == partition).map(|m| &**m)
    }
}
