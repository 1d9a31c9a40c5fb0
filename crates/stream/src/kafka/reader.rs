//! Reads given partitions, outside of any group.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::bus::BusError;
use crate::message::Message;

use super::KafkaOptions;
use super::client;
use super::context::Quiet;
use super::convert::{message, partition_id, signed};
use super::error::{is_permanent, unusable};
use super::topics::TIMEOUT;

/// One wait for a record.
const SLICE: Duration = Duration::from_millis(500);

pub(super) struct Reader {
    consumer: BaseConsumer<Quiet>,
    /// What was read last.
    topic: String,
}

/// What a reader came upon.
pub(super) enum Read {
    Message(Message),
    /// Everything committed has been read.
    End,
    /// Nothing for half a second: a transaction may be open, or a broker away.
    Nothing,
}

impl Reader {
    pub(super) fn open(options: &KafkaOptions) -> Result<Self, BusError> {
        let consumer = client::reader(options, &options.reader_group())
            .create_with_context(Quiet::default())
            .map_err(|e| unusable("the Kafka client cannot be set up", &e))?;
        let topic = String::new();
        Ok(Self { consumer, topic })
    }

    /// Reads a partition from an offset on, or from its beginning if that offset is gone, until told to stop.
    pub(super) fn read(
        &mut self,
        topic: &str,
        partition: u32,
        from: u64,
        each: &mut dyn FnMut(Read) -> ControlFlow<()>,
    ) -> Result<(), BusError> {
        let what = format!("{topic}/{partition} cannot be read");
        let failed = |e: &KafkaError| unusable(&what, e);
        if self.topic != topic {
            // By itself the client asks for the leaders of another topic once a second.
            match self.consumer.fetch_metadata(Some(topic), TIMEOUT) {
                Ok(_) => topic.clone_into(&mut self.topic),
                // A broker that is away: what cannot be read at all shows below.
                Err(error) => tracing::debug!(%error, topic, "the leaders were not asked for"),
            }
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition_id(partition), Offset::Offset(signed(from)))
            .map_err(|e| failed(&e))?;
        self.consumer.assign(&list).map_err(|e| failed(&e))?;
        let result = self.each(each, &failed);
        self.consumer.unassign().map_err(|e| failed(&e))?;
        result
    }

    fn each(
        &self,
        each: &mut dyn FnMut(Read) -> ControlFlow<()>,
        failed: &dyn Fn(&KafkaError) -> BusError,
    ) -> Result<(), BusError> {
        let mut quiet_since = Instant::now();
        loop {
            let read = match self.consumer.poll(SLICE) {
                Some(Ok(record)) => Read::Message(message(&record)),
                Some(Err(KafkaError::PartitionEOF(_))) => Read::End,
                // The client looks for the coordinator of its group, which nothing here asks anything of: that this
                // user may not use the group takes nothing away.
                Some(Err(error))
                    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed) =>
                {
                    continue;
                }
                Some(Err(error)) if error.rdkafka_error_code().is_some_and(is_permanent) => {
                    return Err(failed(&error));
                }
                // The client goes on by itself after all others.
                Some(Err(_)) | None => {
                    if quiet_since.elapsed() < SLICE {
                        continue;
                    }
                    Read::Nothing
                }
            };
            quiet_since = Instant::now();
            if each(read).is_break() {
                return Ok(());
            }
        }
    }
}

/// Looks when the next record of each of several partitions was written. Nobody waits for it: what has come is
/// collected later. It is asked once: the client ends the process where partitions are assigned anew while they
/// are being stopped (librdkafka 2.12.1, an assertion).
pub(super) struct Peeker {
    consumer: BaseConsumer<Quiet>,
    /// Offsets asked for, by partition.
    pub(super) asked: BTreeMap<u32, u64>,
}

impl Peeker {
    pub(super) fn open(
        options: &KafkaOptions,
        topic: &str,
        asked: BTreeMap<u32, u64>,
    ) -> Result<Self, BusError> {
        let failed = |e: KafkaError| unusable("the age of the lag is not known", &e);
        let consumer: BaseConsumer<Quiet> = client::peeker(options, &options.reader_group())
            .create_with_context(Quiet::default())
            .map_err(failed)?;
        let mut list = TopicPartitionList::with_capacity(asked.len());
        for (partition, offset) in &asked {
            let offset = Offset::Offset(signed(*offset));
            list.add_partition_offset(topic, partition_id(*partition), offset)
                .map_err(failed)?;
        }
        consumer.assign(&list).map_err(failed)?;
        Ok(Self { consumer, asked })
    }

    /// Gives partition, offset asked for and time of the first record at or behind it, of all that have come.
    pub(super) fn collect(&mut self) -> Vec<(u32, u64, Timestamp)> {
        let mut found = Vec::new();
        while let Some(read) = self.consumer.poll(Duration::ZERO) {
            let Ok(record) = read else { continue };
            let message = message(&record);
            if let Some(offset) = self.asked.remove(&message.partition) {
                found.push((message.partition, offset, message.timestamp));
            }
        }
        found
    }
}
