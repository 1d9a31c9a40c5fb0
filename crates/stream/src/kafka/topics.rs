//! Topics of the cluster: their partitions and offsets, and how they are made.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use telex_model::{Cleanup, TopicSpec};

use crate::bus::{BusError, Ends};

use super::KafkaOptions;
use super::client::{self, OVERHEAD_BYTES};
use super::context::Quiet;
use super::convert::{partition_id, unsigned};
use super::error::{code, coded, is_about_leaders, unusable};

/// Longest wait for an answer about topics and offsets.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait until all brokers know a new topic.
const CREATE_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest wait for transactions that are ending: brokers write their markers a moment after they have answered.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Copies of each partition where there are brokers enough: one may be down for an upgrade and one fail.
const COPIES: usize = 3;

/// What is asked of the cluster beside reading and writing; shared by a bus and its sessions.
pub(super) struct Topics {
    options: Arc<KafkaOptions>,
    client: BaseConsumer<Quiet>,
    /// Sees what is not committed yet.
    uncommitted: BaseConsumer<Quiet>,
    partitions: Mutex<HashMap<String, u32>>,
}

impl Topics {
    /// Connects, and fails where no broker answers.
    pub(super) fn open(options: Arc<KafkaOptions>) -> Result<Self, BusError> {
        let failed = |e: KafkaError| unusable("the Kafka client cannot be set up", &e);
        let group = options.reader_group();
        let client = client::reader(&options, &group)
            .create_with_context(Quiet)
            .map_err(failed)?;
        let uncommitted = client::uncommitted(&options, &group)
            .create_with_context(Quiet)
            .map_err(failed)?;
        let topics = Self {
            options,
            client,
            uncommitted,
            partitions: Mutex::default(),
        };
        topics.brokers()?;
        Ok(topics)
    }

    /// Number of brokers.
    pub(super) fn brokers(&self) -> Result<usize, BusError> {
        let metadata = self.client.fetch_metadata(None, TIMEOUT);
        match metadata {
            Ok(found) => Ok(found.brokers().len()),
            Err(e) => Err(unusable(
                &format!("no Kafka broker answers at {}", self.options.brokers),
                &e,
            )),
        }
    }

    /// Number of partitions of a topic.
    pub(super) fn partitions(&self, topic: &str) -> Result<u32, BusError> {
        if let Some(known) = self.known().get(topic) {
            return Ok(*known);
        }
        self.ask_partitions(topic)
    }

    /// As [`Topics::partitions`], from the cluster in any case.
    pub(super) fn ask_partitions(&self, topic: &str) -> Result<u32, BusError> {
        let what = format!("topic {topic} cannot be looked up");
        let metadata = self
            .client
            .fetch_metadata(Some(topic), TIMEOUT)
            .map_err(|e| unusable(&what, &e))?;
        let found = metadata.topics().iter().find(|t| t.name() == topic);
        let Some(found) = found else {
            return Err(BusError::NoTopic(topic.to_owned()));
        };
        match found.error() {
            None => {}
            Some(
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                | RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
            ) => {
                self.known().remove(topic);
                return Err(BusError::NoTopic(topic.to_owned()));
            }
            Some(error) => {
                let code = RDKafkaErrorCode::from(error);
                return Err(coded(&format!("{what}: {code}"), Some(code)));
            }
        }
        let count = u32::try_from(found.partitions().len()).unwrap_or_default();
        if count == 0 {
            return Err(BusError::NoTopic(topic.to_owned()));
        }
        self.known().insert(topic.to_owned(), count);
        Ok(count)
    }

    /// Names of all topics but Kafka's own.
    pub(super) fn names(&self) -> Result<Vec<String>, BusError> {
        let metadata = self
            .client
            .fetch_metadata(None, TIMEOUT)
            .map_err(|e| unusable("the topics cannot be listed", &e))?;
        let mut names: Vec<String> = metadata
            .topics()
            .iter()
            .filter(|t| t.error().is_none() && !t.name().starts_with("__"))
            .map(|t| t.name().to_owned())
            .collect();
        names.sort();
        Ok(names)
    }

    /// First offset of all partitions, and the end that read-committed readers see; waits a moment for transactions
    /// that are ending, so that whoever has committed sees it.
    pub(super) fn ends(&self, topic: &str) -> Result<Vec<Ends>, BusError> {
        let all: Vec<u32> = (0..self.ask_partitions(topic)?).collect();
        let first = self.offsets_at(topic, &all, Offset::Beginning)?;
        let written = self.written_ends(topic, &all)?;
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        let mut end = self.offsets_at(topic, &all, Offset::End)?;
        while written.iter().any(|(p, w)| end.get(p) < Some(w)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
            end = self.offsets_at(topic, &all, Offset::End)?;
        }
        Ok(all
            .into_iter()
            .map(|partition| Ends {
                partition,
                first: first.get(&partition).copied().unwrap_or_default(),
                end: end.get(&partition).copied().unwrap_or_default(),
            })
            .collect())
    }

    /// The ends of these partitions, what is not committed yet included.
    pub(super) fn written_ends(
        &self,
        topic: &str,
        partitions: &[u32],
    ) -> Result<BTreeMap<u32, u64>, BusError> {
        self.ask(&self.uncommitted, topic, partitions, Offset::End)
    }

    /// Offsets at a place: [`Offset::Beginning`], [`Offset::End`] (of what is committed), or, as [`Offset::Offset`], a
    /// time in milliseconds; partitions with nothing at or after that time are at their end.
    pub(super) fn offsets_at(
        &self,
        topic: &str,
        partitions: &[u32],
        place: Offset,
    ) -> Result<BTreeMap<u32, u64>, BusError> {
        self.ask(&self.client, topic, partitions, place)
    }

    fn ask(
        &self,
        client: &BaseConsumer<Quiet>,
        topic: &str,
        partitions: &[u32],
        place: Offset,
    ) -> Result<BTreeMap<u32, u64>, BusError> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        // Takes in what the client has to say, which would pile up otherwise.
        while client.poll(Duration::ZERO).is_some() {}
        let until = Instant::now() + TIMEOUT;
        loop {
            match self.ask_once(client, topic, partitions, place) {
                // Leaders change when brokers come and go, and are chosen a moment after a topic is made.
                Err(error) if code(&error).is_some_and(is_about_leaders) && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(error) => {
                    return Err(unusable(
                        &format!("the offsets of {topic} cannot be read"),
                        &error,
                    ));
                }
                Ok(found) => return Ok(found),
            }
        }
    }

    fn ask_once(
        &self,
        client: &BaseConsumer<Quiet>,
        topic: &str,
        partitions: &[u32],
        place: Offset,
    ) -> KafkaResult<BTreeMap<u32, u64>> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition_offset(topic, partition_id(*partition), place)?;
        }
        let answer = client.offsets_for_times(list, TIMEOUT)?;
        let mut found = BTreeMap::new();
        for element in answer.elements() {
            element.error()?;
            let offset = match element.offset() {
                Offset::Offset(n) => Some(unsigned(n)),
                _ => None,
            };
            if let (Ok(partition), Some(offset)) = (u32::try_from(element.partition()), offset) {
                found.insert(partition, offset);
            }
        }
        let missing: Vec<u32> = partitions
            .iter()
            .copied()
            .filter(|p| !found.contains_key(p))
            .collect();
        if !missing.is_empty() && !matches!(place, Offset::End) {
            found.extend(self.ask_once(client, topic, &missing, Offset::End)?);
        }
        Ok(found)
    }

    /// Makes the topics that do not exist yet and checks that the others have partitions enough.
    pub(super) fn create(&self, wanted: &[(String, TopicSpec)]) -> Result<(), BusError> {
        let mut missing = Vec::new();
        for (name, spec) in wanted {
            match self.ask_partitions(name) {
                Ok(count) if count < spec.partitions => return Err(too_few(name, count, spec.partitions)),
                Ok(_) => {}
                Err(BusError::NoTopic(_)) => missing.push((name.as_str(), spec)),
                Err(other) => return Err(other),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        self.make(&missing)?;
        let deadline = Instant::now() + CREATE_TIMEOUT;
        for (name, _) in missing {
            // Brokers learn of a topic one after the other.
            while let Err(error) = self.ask_partitions(name) {
                if Instant::now() >= deadline {
                    return Err(error);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    fn make(&self, missing: &[(&str, &TopicSpec)]) -> Result<(), BusError> {
        let copies = self.brokers()?.clamp(1, COPIES);
        // With three copies a write is safe once two have it, and one broker may be away.
        let in_sync = copies.saturating_sub(1).max(1).to_string();
        let configs: Vec<Vec<(&str, String)>> = missing.iter().map(|(_, s)| config(s)).collect();
        let topics: Vec<NewTopic<'_>> = missing
            .iter()
            .zip(&configs)
            .map(|((name, spec), config)| {
                let copies = TopicReplication::Fixed(i32::try_from(copies).unwrap_or(1));
                let topic = NewTopic::new(name, partition_id(spec.partitions), copies)
                    .set("min.insync.replicas", &in_sync);
                config.iter().fold(topic, |t, (key, value)| t.set(key, value))
            })
            .collect();
        let admin: AdminClient<DefaultClientContext> = client::admin(&self.options)
            .create()
            .map_err(|e| unusable("the Kafka client cannot be set up", &e))?;
        let options = AdminOptions::new()
            .request_timeout(Some(CREATE_TIMEOUT))
            .operation_timeout(Some(CREATE_TIMEOUT));
        let results = block_on(admin.create_topics(&topics, &options))
            .map_err(|e| unusable("the topics cannot be made", &e))?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    return Err(coded(&format!("topic {name} cannot be made: {code}"), Some(code)));
                }
            }
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_few(name: &str, found: u32, wanted: u32) -> BusError {
    BusError::Unusable {
        what: format!("topic {name} has {found} partitions and needs {wanted}"),
        hint:
            "partitions of keyed topics are never added later: delete it once it is empty, or choose another \
               --topic-prefix"
                .to_owned(),
    }
}

fn config(spec: &TopicSpec) -> Vec<(&'static str, String)> {
    let mut config = vec![(
        "max.message.bytes",
        (spec.max_message_bytes + OVERHEAD_BYTES).to_string(),
    )];
    match spec.cleanup {
        Cleanup::Compact => config.extend([
            ("cleanup.policy", "compact".to_owned()),
            // What a restart must read stays within a tenth, or 64 MiB, of what is current.
            ("min.cleanable.dirty.ratio", "0.1".to_owned()),
            ("segment.bytes", (64 << 20).to_string()),
        ]),
        Cleanup::Delete(time) => config.extend([
            ("cleanup.policy", "delete".to_owned()),
            ("retention.ms", time.as_millis().to_string()),
        ]),
    }
    config
}
