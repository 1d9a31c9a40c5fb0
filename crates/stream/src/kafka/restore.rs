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
        let Some(nonce) = self.write_fence(topic, partition)? else {
            // Whoever owns the partition now restores it; this session is told next that it is gone.
            return Ok(());
        };
        let reader = match self.reader.take() {
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

    /// Writes a fence and gives its nonce; none if the session no longer owns its partitions.
    fn write_fence(&mut self, topic: &str, partition: u32) -> Result<Option<String>, Fatal> {
        let until = Instant::now() + FENCE_TIMEOUT;
        loop {
            let nonce = self.transaction_id();
            let Some(part) = self.parts.get(&partition) else {
                return Err(Fatal::Defect(format!(
                    "restore of partition {partition}, which is not owned"
                )));
            };
            let record = fence_record(topic, partition, &nonce);
            match self.attempt(vec![part.mark(partition)], &[(partition, record)])? {
                Commit::Committed => return Ok(Some(nonce)),
                Commit::Fenced => return Ok(None),
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
