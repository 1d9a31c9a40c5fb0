//! Topics of the cluster: their partitions and offsets, and how they are made.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use crate::bus::{BusError, Ends};

use super::KafkaOptions;
use super::client;
use super::context::Quiet;
use super::convert::{partition_id, unsigned};
use super::error::{code, coded, is_configuration, is_passing, text, unusable};
use super::plan::Found;

/// Longest wait for an answer about topics and offsets.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for transactions that are ending: brokers write their markers a moment after they have answered.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);

/// What is asked of the cluster beside reading and writing; shared by a bus and its sessions.
pub(super) struct Topics {
    pub(super) options: Arc<KafkaOptions>,
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
            .create_with_context(Quiet::default())
            .map_err(failed)?;
        let uncommitted = client::uncommitted(&options, &group)
            .create_with_context(Quiet::default())
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
        self.answers(TIMEOUT)
    }

    /// Number of brokers, if one answers in time.
    pub(super) fn answers(&self, within: Duration) -> Result<usize, BusError> {
        match patiently(within, |left| self.client.fetch_metadata(None, left)) {
            Ok(found) => Ok(found.brokers().len()),
            Err(error) => Err(self.unreachable(&error)),
        }
    }

    /// Id that the cluster was given when it was made.
    pub(super) fn cluster_id(&self) -> Result<String, BusError> {
        let id = self.client.client().fetch_cluster_id(TIMEOUT);
        id.ok_or_else(|| self.unreachable(&KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)))
    }

    /// Says why no broker answers: the client met with something before the time was up.
    fn unreachable(&self, error: &KafkaError) -> BusError {
        let mut reason = code(error);
        while let Some(event) = self.client.poll(Duration::ZERO) {
            let met = event.err().and_then(|e| code(&e));
            reason = met.filter(|code| is_configuration(*code)).or(reason);
        }
        let fault = self.client.context().fault().unwrap_or_else(|| text(error));
        // Told by the client in words only, of a certificate in one or the other.
        let words = ["SSL handshake failed", "certificate verify failed", "SASL"];
        if words.iter().any(|word| fault.contains(word)) {
            reason = Some(RDKafkaErrorCode::Authentication);
        }
        let what = format!("no Kafka broker answers at {}: {fault}", self.options.brokers);
        coded(&what, reason)
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
        Ok(self.layout(topic)?.partitions)
    }

    /// Partitions and copies of a topic.
    pub(super) fn layout(&self, topic: &str) -> Result<Found, BusError> {
        let what = format!("topic {topic} cannot be looked up");
        let metadata = patiently(TIMEOUT, |left| self.client.fetch_metadata(Some(topic), left))
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
        let partitions = found.partitions();
        let count = u32::try_from(partitions.len()).unwrap_or_default();
        if count == 0 {
            return Err(BusError::NoTopic(topic.to_owned()));
        }
        self.known().insert(topic.to_owned(), count);
        Ok(Found {
            partitions: count,
            copies: partitions
                .iter()
                .map(|p| p.replicas().len())
                .min()
                .unwrap_or_default(),
            without_leader: partitions.iter().filter(|p| p.leader() < 0).count(),
            short: partitions
                .iter()
                .filter(|p| p.isr().len() < p.replicas().len())
                .count(),
            settings: None,
        })
    }

    /// Names of all topics but Kafka's own.
    pub(super) fn names(&self) -> Result<Vec<String>, BusError> {
        let metadata = patiently(TIMEOUT, |left| self.client.fetch_metadata(None, left))
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
        let written = self.written_ends(topic, &all, TIMEOUT)?;
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
        within: Duration,
    ) -> Result<BTreeMap<u32, u64>, BusError> {
        self.ask(&self.uncommitted, topic, partitions, Offset::End, within)
    }

    /// Offsets at a place: [`Offset::Beginning`], [`Offset::End`] (of what is committed), or, as [`Offset::Offset`], a
    /// time in milliseconds; partitions with nothing at or after that time are at their end.
    pub(super) fn offsets_at(
        &self,
        topic: &str,
        partitions: &[u32],
        place: Offset,
    ) -> Result<BTreeMap<u32, u64>, BusError> {
        self.ask(&self.client, topic, partitions, place, TIMEOUT)
    }

    /// The latest time in partition 0, markers of transactions included, if it stands at or behind an offset.
    pub(super) fn last_time(&self, topic: &str, from: u64) -> Result<Option<Timestamp>, BusError> {
        let end = self.ends(topic)?.first().map(|ends| ends.end);
        // Brokers find the first offset that is at least as late; beyond the latest they give the end.
        let at = |milliseconds: i64| {
            let found = self.offsets_at(topic, &[0], Offset::Offset(milliseconds))?;
            Ok::<_, BusError>(found.get(&0).copied().filter(|at| Some(*at) < end))
        };
        let (mut low, mut high) = (0, LATEST);
        while low < high {
            let middle = low + (high - low + 1) / 2;
            match at(middle)? {
                Some(_) => low = middle,
                None => high = middle - 1,
            }
        }
        let found = at(low)?.filter(|at| *at >= from);
        Ok(found.and_then(|_| Timestamp::from_millisecond(low).ok()))
    }

    /// The ends of these partitions for readers of what is committed.
    pub(super) fn committed_ends(
        &self,
        topic: &str,
        partitions: &[u32],
        within: Duration,
    ) -> Result<BTreeMap<u32, u64>, BusError> {
        self.ask(&self.client, topic, partitions, Offset::End, within)
    }

    fn ask(
        &self,
        client: &BaseConsumer<Quiet>,
        topic: &str,
        partitions: &[u32],
        place: Offset,
        within: Duration,
    ) -> Result<BTreeMap<u32, u64>, BusError> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        // Takes in what the client has to say, which would pile up otherwise.
        while client.poll(Duration::ZERO).is_some() {}
        patiently(within, |left| {
            self.ask_once(client, topic, partitions, place, left)
        })
        .map_err(|e| unusable(&format!("the offsets of {topic} cannot be read"), &e))
    }

    fn ask_once(
        &self,
        client: &BaseConsumer<Quiet>,
        topic: &str,
        partitions: &[u32],
        place: Offset,
        within: Duration,
    ) -> KafkaResult<BTreeMap<u32, u64>> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition_offset(topic, partition_id(*partition), place)?;
        }
        let answer = client.offsets_for_times(list, within)?;
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
            found.extend(self.ask_once(client, topic, &missing, Offset::End, within)?);
        }
        Ok(found)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// No clock is later: the year 2200, in milliseconds.
const LATEST: i64 = 7_258_118_400_000;

/// Asks again while brokers come and go: it takes a moment until others lead what a broker that is gone has led.
fn patiently<T>(within: Duration, ask: impl Fn(Duration) -> KafkaResult<T>) -> KafkaResult<T> {
    let until = Instant::now() + within;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match ask(left) {
            Err(error) if code(&error).is_some_and(is_passing) && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(50));
            }
            result => return result,
        }
    }
}
