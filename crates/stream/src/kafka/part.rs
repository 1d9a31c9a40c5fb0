//! What a session knows of the partitions that it owns.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::message::Message;
use crate::session::Lag;

use super::convert::{partition_id, signed, unsigned};

/// A group's progress on one partition, as committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) partition: u32,
    /// Next offset to read.
    pub(super) next: u64,
    /// Attempts at what is there.
    pub(super) attempts: u32,
    /// The transaction that wrote this; empty where it was written otherwise.
    pub(super) transaction: String,
}

impl Mark {
    /// What a transaction without input leaves behind.
    pub(super) fn of_append(transaction: &str) -> Self {
        Self {
            partition: 0,
            next: 0,
            attempts: 0,
            transaction: transaction.to_owned(),
        }
    }

    /// Text kept with the offset. Far below the 4 KiB that brokers take.
    fn metadata(&self) -> String {
        format!("attempts={} transaction={}", self.attempts, self.transaction)
    }

    fn parse(partition: u32, next: u64, metadata: &str) -> Self {
        let field = |name: &str| {
            metadata
                .split(' ')
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
                .unwrap_or_default()
        };
        Self {
            partition,
            next,
            attempts: field("attempts").parse().unwrap_or_default(),
            transaction: field("transaction").to_owned(),
        }
    }
}

/// Makes the client's list of marks.
pub(super) fn to_list(topic: &str, marks: &[Mark]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(marks.len());
    for mark in marks {
        let mut element = list.add_partition(topic, partition_id(mark.partition));
        element.set_offset(Offset::Offset(signed(mark.next)))?;
        element.set_metadata(mark.metadata());
    }
    Ok(list)
}

/// Reads a group's committed offsets; partitions without one are left out. Waits for open transactions that
/// may still move them.
pub(super) fn fetch_committed<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partitions: &[u32],
    timeout: Duration,
) -> Result<Vec<Mark>, KafkaError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(topic, partition_id(*partition));
    }
    let answer = client.committed_offsets(list, timeout)?;
    let mut marks = Vec::with_capacity(partitions.len());
    for element in answer.elements() {
        // The call as a whole succeeds where single partitions failed.
        element.error()?;
        if let (Ok(partition), Offset::Offset(next)) = (u32::try_from(element.partition()), element.offset())
        {
            // The client panics over what is not UTF-8; any tool may have committed it.
            let metadata = catch_unwind(AssertUnwindSafe(|| element.metadata().to_owned()));
            marks.push(Mark::parse(
                partition,
                unsigned(next),
                &metadata.unwrap_or_default(),
            ));
        }
    }
    Ok(marks)
}

/// One owned partition.
#[derive(Debug)]
pub(super) struct Part {
    /// Next offset to take from the client.
    pub(super) received: u64,
    /// Next offset after the last message handed out.
    delivered: u64,
    pub(super) committed: u64,
    pub(super) attempts: u32,
    /// When the first message handed out and not committed was written.
    uncommitted: Option<Timestamp>,
    /// Where it stood when it was last looked at, and since when.
    standing: Option<(u64, Instant)>,
    /// When the message at that offset, which is not received yet, was written.
    peeked: Option<(u64, Timestamp)>,
    /// The client has come to the end since the last message.
    pub(super) at_end: bool,
    /// Everything before this offset was received.
    reached: u64,
    /// An end that is reached with the client's next report of it.
    barrier: Option<u64>,
    /// The barrier was there when the end was last asked for, as with a session that is paused.
    stuck: bool,
    /// End as last asked for.
    end: u64,
}

impl Part {
    pub(super) fn new(mark: &Mark) -> Self {
        Self {
            received: mark.next,
            delivered: mark.next,
            committed: mark.next,
            attempts: mark.attempts,
            uncommitted: None,
            standing: None,
            peeked: None,
            at_end: false,
            reached: mark.next,
            barrier: None,
            stuck: false,
            end: mark.next,
        }
    }

    /// Takes in a message from the client; false if it is not the next.
    pub(super) fn receive(&mut self, message: &Message) -> bool {
        if message.offset < self.received {
            return false;
        }
        self.received = message.next;
        self.at_end = false;
        true
    }

    /// Takes in that the client has come to the end.
    pub(super) fn ended(&mut self) {
        self.at_end = true;
        if let Some(end) = self.barrier.take() {
            self.reached = self.reached.max(end);
        }
    }

    pub(super) fn deliver(&mut self, message: &Message) {
        self.delivered = message.next;
        self.uncommitted.get_or_insert(message.timestamp);
    }

    pub(super) fn commit(&mut self, mark: &Mark) {
        self.committed = mark.next;
        self.attempts = mark.attempts;
        if self.committed >= self.delivered {
            self.uncommitted = None;
        }
    }

    /// The group's progress, as this session knows it.
    pub(super) fn mark(&self, partition: u32) -> Mark {
        Mark {
            partition,
            next: self.committed,
            attempts: self.attempts,
            transaction: String::new(),
        }
    }

    /// Goes back to a committed offset.
    pub(super) fn rewind(&mut self, mark: &Mark) {
        *self = Self {
            end: self.end,
            ..Self::new(mark)
        };
    }

    /// Takes in the present end, and whether transactions are open before it; gives the offset to look on from where
    /// it must be found out whether there is a message before that end. Markers of transactions have offsets too,
    /// and nobody is told of them: only the client's report of the end, asked for after the end was, says that they
    /// are all there is.
    pub(super) fn ask(&mut self, end: u64, settled: bool) -> Option<u64> {
        self.end = end;
        self.stuck = self.barrier.is_some();
        let position = self.position();
        if position >= end || !settled || !self.at_end || self.barrier.is_some() {
            return None;
        }
        self.barrier = Some(end);
        self.at_end = false;
        Some(position)
    }

    /// Everything before this offset was received.
    fn position(&self) -> u64 {
        self.received.max(self.reached)
    }

    /// Where to look for the time of the oldest message that is not committed, if it is not known.
    pub(super) fn unknown(&self) -> Option<u64> {
        let position = self.position();
        let known = self.uncommitted.is_some()
            || self.at_end
            || (self.barrier.is_some() && !self.stuck)
            || self.peeked.is_some_and(|(at, _)| at == position);
        (!known && position < self.end).then_some(position)
    }

    /// How long nothing has come, as seen by those who look.
    pub(super) fn stands(&mut self, now: Instant) -> Duration {
        let position = self.position();
        let since = match self.standing {
            Some((at, since)) if at == position => since,
            _ => now,
        };
        self.standing = Some((position, since));
        now.saturating_duration_since(since)
    }

    /// Takes in when the message at or behind an offset was written.
    pub(super) fn peeked(&mut self, offset: u64, timestamp: Timestamp) {
        self.peeked = Some((offset, timestamp));
    }

    /// How far behind it is; `held` messages of it were received and not handed out.
    pub(super) fn lag(&self, partition: u32, held: Option<&Message>) -> Lag {
        let settled = self.committed >= self.delivered;
        let position = held.map_or(self.position(), |m| m.offset);
        let committed = if settled { position } else { self.committed };
        let end = self.end.max(self.position());
        let oldest = self
            .uncommitted
            .or(held.map(|m| m.timestamp))
            .or(self
                .peeked
                .filter(|(at, _)| *at == position)
                .map(|(_, time)| time))
            .filter(|_| committed < end);
        Lag {
            partition,
            position,
            committed,
            end,
            oldest,
        }
    }
}

/// The owned partitions by number.
pub(super) type Parts = BTreeMap<u32, Part>;

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(next: u64) -> Mark {
        Mark {
            partition: 0,
            next,
            attempts: 0,
            transaction: String::new(),
        }
    }

    fn message(offset: u64) -> Message {
        Message {
            partition: 0,
            offset,
            next: offset + 1,
            timestamp: Timestamp::from_second(1000).unwrap_or_default(),
            key: bytes::Bytes::new(),
            value: None,
            headers: Vec::new(),
        }
    }

    #[test]
    fn metadata_survives_and_foreign_text_is_harmless() {
        let written = Mark {
            attempts: 3,
            transaction: "ab-7".to_owned(),
            ..mark(9)
        };
        assert_eq!(Mark::parse(0, 9, &written.metadata()), written);
        for foreign in ["", "x", "attempts", "attempts=-1 transaction", "= = ="] {
            assert_eq!(Mark::parse(0, 9, foreign), mark(9), "{foreign}");
        }
    }

    #[test]
    fn a_marker_behind_the_last_message_is_lag_until_the_end_is_reported() {
        let mut part = Part::new(&mark(5));
        assert!(part.receive(&message(5)) && !part.receive(&message(5)));
        part.deliver(&message(5));
        part.commit(&mark(6));
        assert_eq!(part.ask(7, true), None, "the client has not come to its end");
        part.ended();
        assert!(!part.lag(0, None).drained());
        assert_eq!(part.ask(7, false), None, "a transaction is open");
        assert_eq!(part.ask(7, true), Some(6), "is there more?");
        assert!(!part.lag(0, None).drained());
        part.ended();
        assert!(part.lag(0, None).drained(), "{part:?}");
        assert_eq!(part.lag(0, None).oldest, None);
        assert!(!part.lag(0, Some(&message(6))).drained(), "held messages count");
    }

    #[test]
    fn a_partition_stands_from_when_it_was_first_seen_there() {
        let mut part = Part::new(&mark(5));
        let begin = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(part.stands(begin), Duration::ZERO);
        assert_eq!(part.stands(begin + second), second);
        part.receive(&message(5));
        assert_eq!(part.stands(begin + 2 * second), Duration::ZERO);
        assert_eq!(part.stands(begin + 4 * second), 2 * second);
    }

    #[test]
    fn what_is_delivered_and_not_committed_is_lag() {
        let mut part = Part::new(&mark(0));
        part.receive(&message(0));
        part.deliver(&message(0));
        part.ask(1, true);
        let lag = part.lag(0, None);
        assert_eq!((lag.position, lag.committed, lag.end), (1, 0, 1));
        assert_eq!(lag.oldest, Some(message(0).timestamp));
        part.rewind(&mark(0));
        assert!(!part.lag(0, None).drained());
    }
}
