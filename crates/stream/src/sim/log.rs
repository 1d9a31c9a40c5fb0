//! Topics and their partitions.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use telex_model::{Cleanup, TopicSpec};

use crate::bus::{Ends, Reset};
use crate::message::{Message, Output};

use super::random::SplitMix64;

/// Tombstones stay for a day, as Kafka's `delete.retention.ms` has it.
const TOMBSTONES: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug)]
pub(super) struct TopicLog {
    pub(super) spec: TopicSpec,
    pub(super) partitions: Vec<Log>,
}

/// One partition: records in order, with gaps between their offsets.
#[derive(Debug, Default)]
pub(super) struct Log {
    records: VecDeque<Arc<Message>>,
    first: u64,
    end: u64,
}

impl TopicLog {
    pub(super) fn new(spec: TopicSpec) -> Self {
        let partitions = (0..spec.partitions).map(|_| Log::default()).collect();
        Self { spec, partitions }
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn log(&self, partition: u32) -> Option<&Log> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }

    pub(super) fn log_mut(&mut self, partition: u32) -> Option<&mut Log> {
        self.partitions.get_mut(usize::try_from(partition).ok()?)
    }

    pub(super) fn compacted(&self) -> bool {
        self.spec.cleanup == Cleanup::Compact
    }
}

impl Log {
    pub(super) fn ends(&self, partition: u32) -> Ends {
        Ends {
            partition,
            first: self.first,
            end: self.end,
        }
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn from(&self, offset: u64) -> impl Iterator<Item = &Arc<Message>> {
        let begin = self.records.partition_point(|m| m.offset < offset);
        self.records.range(begin..)
    }

    pub(super) fn push(&mut self, partition: u32, output: Output, timestamp: Timestamp) {
        self.records.push_back(Arc::new(Message {
            partition,
            offset: self.end,
            next: self.end + 1,
            timestamp,
            key: output.key,
            value: output.value,
            headers: output.headers,
        }));
        self.end += 1;
    }

    /// Takes the offset that Kafka's marker at the end of a transaction takes; whether the last record's `next`
    /// reaches beyond it is open.
    pub(super) fn mark(&mut self, random: &mut SplitMix64) {
        self.end += 1;
        if random.below(2) == 0
            && let Some(last) = self.records.back_mut()
        {
            Arc::make_mut(last).next = self.end;
        }
    }

    /// Takes the offsets of records that were written and aborted, and of their marker.
    pub(super) fn abort(&mut self, records: u64) {
        self.end += records + 1;
    }

    /// Removes all but the newest record of a key.
    pub(super) fn compact(&mut self, key: &Bytes) {
        let newest = self.records.iter().rposition(|m| m.key == *key);
        let mut index = 0;
        self.records.retain(|m| {
            index += 1;
            m.key != *key || Some(index - 1) == newest
        });
    }

    /// Deletes records below `until` that were written before `before`; gives their number.
    pub(super) fn expire(&mut self, before: Timestamp, until: u64) -> usize {
        let mut deleted = 0;
        while let Some(record) = self
            .records
            .front()
            .filter(|m| m.timestamp < before && m.offset < until)
        {
            self.first = record.offset + 1;
            self.records.pop_front();
            deleted += 1;
        }
        deleted
    }

    /// Deletes old tombstones; gives their number.
    pub(super) fn bury(&mut self, now: Timestamp) -> usize {
        let count = self.records.len();
        self.records
            .retain(|m| m.value.is_some() || now.duration_since(m.timestamp).unsigned_abs() < TOMBSTONES);
        count - self.records.len()
    }

    pub(super) fn find(&self, to: Reset) -> u64 {
        match to {
            Reset::Earliest => self.first,
            Reset::Latest => self.end,
            Reset::Offset(offset) => offset.clamp(self.first, self.end),
            Reset::Timestamp(time) => self
                .records
                .iter()
                .find(|m| m.timestamp >= time)
                .map_or(self.end, |m| m.offset),
        }
    }
}
