//! How a session reads the state of a partition that it has just taken over.
//!
//! It writes a fence with a nonce into the partition and reads from the beginning until the fence appears. A
//! read-committed reader passes no open transaction, so everything before the fence is final by then; and since the
//! fence is committed together with the input's offset, a session that was left behind cannot write it. The
//! alternative, reading up to an end offset, must know which offsets are markers that nobody receives.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::bus::BusError;
use crate::message::Message;
use crate::session::{Commit, Fatal};

use super::convert::{fence, fence_record};
use super::part::Mark;
use super::reader::{Read, Reader};
use super::session::KafkaSession;

/// Longest time without a record: three times as long as a dead producer's transaction can hold readers back.
const QUIET_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest attempt to write the fence.
const FENCE_TIMEOUT: Duration = Duration::from_secs(30);

/// The group takes a member for dead that is not seen to ask for messages.
const SHOW_EVERY: Duration = Duration::from_secs(1);

impl KafkaSession {
    pub(super) fn restore_partition(
        &mut self,
        topic: &str,
        partition: u32,
        each: &mut dyn FnMut(Message),
    ) -> Result<(), Fatal> {
        let count = self.topics.partitions(topic)?;
        if partition >= count {
            return Err(BusError::NoTopic(format!("{topic}/{partition}")).into());
        }
        let place = (topic.to_owned(), partition);
        if !self.fences.contains_key(&place) && !self.write_fences(topic, partition, count)? {
            // Whoever owns the partition now restores it; this session is told next that it is gone.
            return Ok(());
        }
        // Used once: what is restored again needs a new one.
        let Some(nonce) = self.fences.remove(&place) else {
            return Err(Fatal::Defect(format!(
                "no fence was written into {topic}/{partition}"
            )));
        };
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader::open(&self.options)?,
        };
        let (mut seen, mut shown, mut failed) = (Instant::now(), Instant::now(), None);
        let mut complete = false;
        reader.read(topic, partition, 0, &mut |read| {
            match read {
                Read::Message(message) => {
                    seen = Instant::now();
                    match fence(&message) {
                        Some(found) => complete = found == nonce,
                        None => each(message),
                    }
                }
                Read::End | Read::Nothing => {}
            }
            if shown.elapsed() >= SHOW_EVERY {
                shown = Instant::now();
                failed = self.poll(Duration::ZERO).err();
            }
            if complete || failed.is_some() || seen.elapsed() >= QUIET_TIMEOUT {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        self.reader = Some(reader);
        match failed {
            Some(error) => Err(error),
            None if complete => Ok(()),
            None => Err(Fatal::Bus {
                what: format!("{topic}/{partition} could not be read to its end in {QUIET_TIMEOUT:?}"),
                hint:
                    "look for a transaction that stays open (kafka-transactions.sh find-hanging) or a broker \
                       that is down"
                        .to_owned(),
            }),
        }
    }

    /// Writes a fence into this partition, and in the same transaction into all others that the session owns: they
    /// are restored next, and a transaction each takes longer than the reading. False if the session no longer owns
    /// its partitions.
    fn write_fences(&mut self, topic: &str, partition: u32, count: u32) -> Result<bool, Fatal> {
        let until = Instant::now() + FENCE_TIMEOUT;
        if !self.parts.contains_key(&partition) {
            return Err(Fatal::Defect(format!(
                "restore of partition {partition}, which is not owned"
            )));
        }
        loop {
            let nonce = self.transaction_id();
            let owned = self.parts.iter().filter(|(p, _)| **p < count);
            let marks: Vec<Mark> = owned.map(|(p, part)| part.mark(*p)).collect();
            let record = |mark: &Mark| (mark.partition, fence_record(topic, mark.partition, &nonce));
            let records: Vec<_> = marks.iter().map(record).collect();
            match self.attempt(marks, &records)? {
                Commit::Committed => {
                    let fence = |(p, _): &(u32, _)| ((topic.to_owned(), *p), nonce.clone());
                    self.fences.extend(records.iter().map(fence));
                    return Ok(true);
                }
                Commit::Fenced => return Ok(false),
                Commit::Rewound { reason } if Instant::now() >= until => {
                    return Err(Fatal::Bus {
                        what: format!("{topic}/{partition} could not be fenced: {reason}"),
                        hint: "see the logs of Telex and of the broker".to_owned(),
                    });
                }
                Commit::Rewound { reason } => {
                    self.wait_out(&reason);
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
        }
    }
}
