//! The bus on Apache Kafka: any number of processes, exactly once from hop to hop.
//!
//! - A batch is one transaction: outputs and consumed offsets are committed together, or not at all.
//! - Sessions of a group share the partitions of their input. The group's generation fences who was left behind; a
//!   partition that is handed over is given up only after the session's owner was told and could commit.
//! - Offsets carry, as their metadata, the attempts at what comes next and the id of the transaction that wrote
//!   them. So after a lost answer the session can tell whether its transaction happened.
//! - Every client belongs to one thread. Nothing of the client's own lists or messages is kept: closing a client
//!   waits for them.
//!
//! Rejected: rdkafka's asynchronous clients (a rebalance would run on another thread than the batch that it
//! interrupts, and one await per record gave 125 messages a second), and a client written in Rust (none has
//! transactions with group fencing).

mod admin;
mod client;
mod context;
mod convert;
mod error;
mod lag;
mod part;
mod plan;
mod producer;
mod reader;
mod rebalance;
mod restore;
mod session;
mod topics;
mod transaction;

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use telex_model::{MAX_MESSAGE_BYTES, Topic};

use crate::bus::{Bus, BusError, Ends, Reset};
use crate::message::{Message, Output};
use crate::session::{Session, SessionConfig};

pub use self::plan::{SettingChange, TopicPlan};

use self::context::Quiet;
use self::convert::{fence, partition_id, signed};
use self::error::unusable;
use self::part::Mark;
use self::producer::{Failure, Offsets, Record, Transactions};
use self::reader::{Read, Reader};
use self::session::KafkaSession;
use self::topics::Topics;

/// Longest wait for a group's offsets: longer than a dead producer's transaction can keep them back.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(20);

/// How the bus is reached.
#[derive(Clone)]
pub struct KafkaOptions {
    /// Addresses to begin with: `host:port`, joined by commas.
    pub brokers: String,
    /// First word of transactional ids; the rest is group and a random slot. Two processes never share an id: they
    /// would fence each other for ever.
    pub transactional_id_prefix: String,
    /// Further settings of the client library, such as `security.protocol`, `sasl.*` and `ssl.*`.
    pub client: BTreeMap<String, String>,
    /// After so long without a sign of life a process is dead and its partitions are given to others.
    pub session_timeout: Duration,
    /// After so long without a call of [`Session::next`] a process counts as stuck.
    pub max_poll_interval: Duration,
    /// After so long a broker ends a transaction that its process does not.
    pub transaction_timeout: Duration,
}

impl KafkaOptions {
    /// Options with the defaults: session 30 s, poll interval 120 s, transactions 10 s.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            transactional_id_prefix: "telex".to_owned(),
            client: BTreeMap::new(),
            session_timeout: Duration::from_secs(30),
            max_poll_interval: Duration::from_secs(120),
            // Open transactions hold back every reader behind them: no longer than a slow broker needs.
            transaction_timeout: Duration::from_secs(10),
        }
    }

    fn reader_group(&self) -> String {
        format!("{}.reader", self.transactional_id_prefix)
    }
}

impl fmt::Debug for KafkaOptions {
    /// Shows the names of client settings only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaOptions")
            .field("brokers", &self.brokers)
            .field("transactional_id_prefix", &self.transactional_id_prefix)
            .field("client", &self.client.keys().collect::<Vec<_>>())
            .field("session_timeout", &self.session_timeout)
            .field("max_poll_interval", &self.max_poll_interval)
            .field("transaction_timeout", &self.transaction_timeout)
            .finish()
    }
}

/// Tells the version of the client library.
pub fn library_version() -> String {
    rdkafka::util::get_rdkafka_version().1
}

/// The bus on Apache Kafka.
pub struct KafkaBus {
    options: Arc<KafkaOptions>,
    topics: Arc<Topics>,
    reader: Mutex<Option<Reader>>,
    appender: Mutex<Option<Appender>>,
}

/// Writes what no input led to. Kept, for a producer takes longer to begin than to write.
struct Appender {
    /// A group that nobody else has, so that its offset tells whether a transaction happened.
    client: BaseConsumer<Quiet>,
    producer: Transactions,
    id: String,
    transactions: u64,
}

impl fmt::Debug for KafkaBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaBus")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl KafkaBus {
    /// Connects.
    ///
    /// # Errors
    /// Where the settings are wrong or no broker answers within 10 s.
    pub fn open(options: KafkaOptions) -> Result<Self, BusError> {
        client::check(&options)?;
        let options = Arc::new(options);
        Ok(Self {
            topics: Arc::new(Topics::open(Arc::clone(&options))?),
            reader: Mutex::new(None),
            appender: Mutex::new(None),
            options,
        })
    }

    /// Gives the id that the cluster got when it was made: offsets mean nothing on another one.
    ///
    /// # Errors
    /// Where no broker answers.
    pub fn cluster_id(&self) -> Result<String, BusError> {
        self.topics.cluster_id()
    }

    /// Compares topics with the topic table; `prefix` is the first word of their names.
    ///
    /// # Errors
    /// Where no broker answers, or this user may not look.
    pub fn plan(&self, prefix: &str, topics: &[Topic]) -> Result<Vec<TopicPlan>, BusError> {
        self.topics.plan(prefix, topics)
    }

    /// Makes what a plan of these topics says.
    ///
    /// # Errors
    /// Where no broker answers, or this user may not make or change topics.
    pub fn apply(&self, prefix: &str, topics: &[Topic], plans: &[TopicPlan]) -> Result<(), BusError> {
        self.topics.apply(prefix, topics, plans)
    }

    /// Checks that stages can work with the topics.
    ///
    /// # Errors
    /// Where topics are missing, or are kept otherwise than stages need.
    pub fn verify(&self, prefix: &str, topics: &[Topic]) -> Result<(), BusError> {
        let plans = self.plan(prefix, topics)?;
        let missing: Vec<&str> = plans
            .iter()
            .filter(|p| !p.exists)
            .map(|p| p.name.as_str())
            .collect();
        if !missing.is_empty() {
            return Err(BusError::NoTopic(missing.join(", ")));
        }
        let problems: Vec<&str> = plans
            .iter()
            .flat_map(|p| &p.problems)
            .map(String::as_str)
            .collect();
        if let Some((last, others)) = problems.split_last() {
            let what = others.iter().map(|p| format!("{p}\n")).collect::<String>() + last;
            let hint = "`telex topics plan` shows all topics".to_owned();
            return Err(BusError::Config { what, hint });
        }
        let differ = |plan: &TopicPlan| {
            let change = |c: &SettingChange| {
                let from = c.from.as_deref().unwrap_or("not set");
                format!("{} of {} is {from} and must be {}", c.setting, plan.name, c.to)
            };
            plan.changes.iter().map(change).collect::<Vec<_>>().join(", ")
        };
        let wrong: Vec<String> = plans.iter().filter(|p| !p.usable()).map(differ).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(BusError::Config {
            what: wrong.join(", "),
            hint: "run `telex topics apply`".to_owned(),
        })
    }

    /// Deletes topics with all that is in them, as of a measurement; those that do not exist are left alone.
    ///
    /// # Errors
    /// Where the brokers cannot be asked or refuse.
    pub fn delete_topics(&self, prefix: &str, topics: &[Topic]) -> Result<(), BusError> {
        let names: Vec<String> = topics.iter().map(|topic| topic.name(prefix)).collect();
        self.topics
            .delete(&names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Tries, in a transaction that is not committed, whether this user may read and write topics: nobody sees it.
    /// Gives how far the brokers' clock is ahead of this one, within the time that ending a transaction takes: a broker
    /// writes the time of the marker that ends it. None where every topic holds records that say they are newer.
    ///
    /// # Errors
    /// Where that fails, with the right that is missing.
    pub fn rehearse(&self, topics: &[String]) -> Result<Option<SignedDuration>, BusError> {
        let end = |topic: &String| self.topics.written_ends(topic, &[0], topics::TIMEOUT);
        let before = topics.iter().map(end).collect::<Result<Vec<_>, _>>()?;
        let id = transactional_id(&self.options, "rehearsal");
        let client = self.group(&id)?;
        let mut producer = Transactions::new(Arc::clone(&self.options), id);
        let rehearsed = producer.rehearse(&client, topics);
        rehearsed.map_err(|failure| match failure {
            Failure::Permanent(error) => error,
            Failure::Aborted(reason) | Failure::Fenced(reason) | Failure::Unknown(reason) => {
                BusError::Unusable {
                    what: reason,
                    hint: "see the logs of the broker".to_owned(),
                }
            }
        })?;
        let here = Timestamp::now();
        for (topic, before) in topics.iter().zip(before) {
            let from = before.get(&0).copied().unwrap_or_default();
            if let Some(time) = self.topics.last_time(topic, from)? {
                return Ok(Some(time.duration_since(here)));
            }
        }
        Ok(None)
    }

    /// Gives the number of brokers that the cluster has.
    ///
    /// # Errors
    /// Where none answers.
    pub fn brokers(&self) -> Result<usize, BusError> {
        self.topics.brokers()
    }

    /// A client that speaks for a group without being a member of it.
    fn group(&self, group: &str) -> Result<BaseConsumer<Quiet>, BusError> {
        client::reader(&self.options, group)
            .create_with_context(Quiet::default())
            .map_err(|e| unusable("the Kafka client cannot be set up", &e))
    }

    fn appender(&self) -> Result<Appender, BusError> {
        let id = transactional_id(&self.options, "append");
        Ok(Appender {
            client: self.group(&id)?,
            producer: Transactions::new(Arc::clone(&self.options), id.clone()),
            id,
            transactions: 0,
        })
    }

    fn at_work(&self, client: &BaseConsumer<Quiet>, group: &str) -> Result<bool, BusError> {
        let found = client
            .fetch_group_list(Some(group), OFFSETS_TIMEOUT)
            .map_err(|e| unusable(&format!("group {group} cannot be looked up"), &e))?;
        Ok(found.groups().iter().any(|g| !g.members().is_empty()))
    }

    fn places(&self, topic: &str, to: Reset) -> Result<BTreeMap<u32, u64>, BusError> {
        let all: Vec<u32> = (0..self.topics.ask_partitions(topic)?).collect();
        match to {
            Reset::Earliest => self.topics.offsets_at(topic, &all, Offset::Beginning),
            Reset::Latest => Ok(self
                .topics
                .ends(topic)?
                .into_iter()
                .map(|e| (e.partition, e.end))
                .collect()),
            // Where an offset does not exist clients would begin at the beginning.
            Reset::Offset(offset) => Ok(self
                .topics
                .ends(topic)?
                .into_iter()
                .map(|e| (e.partition, offset.clamp(e.first, e.end)))
                .collect()),
            Reset::Timestamp(time) => {
                // Below zero the protocol has marks of its own.
                let time = Offset::Offset(time.as_millisecond().max(0));
                self.topics.offsets_at(topic, &all, time)
            }
        }
    }
}

impl Bus for KafkaBus {
    fn create_topics(&self, prefix: &str, topics: &[Topic]) -> Result<(), BusError> {
        let wanted: Vec<_> = topics.iter().map(|t| (t.name(prefix), t.spec())).collect();
        self.topics.create(&wanted)
    }

    fn session(&self, config: SessionConfig) -> Result<Box<dyn Session>, BusError> {
        let opened = KafkaSession::open(config, Arc::clone(&self.options), Arc::clone(&self.topics))?;
        Ok(Box::new(opened))
    }

    fn append(&self, outputs: Vec<Output>) -> Result<(), BusError> {
        let records = route(outputs, &self.topics)?;
        let Some((_, first)) = records.first() else {
            return Ok(());
        };
        let mut kept = lock(&self.appender);
        let mut appender = match kept.take() {
            Some(appender) => appender,
            None => self.appender()?,
        };
        let result = appender.append(&first.topic, &records);
        if result.is_ok() {
            *kept = Some(appender);
        }
        result
    }

    fn read(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, BusError> {
        if partition >= self.topics.partitions(topic)? {
            return Err(BusError::NoTopic(format!("{topic}/{partition}")));
        }
        let mut found = Vec::new();
        let mut quiet = 0;
        let mut guard = lock(&self.reader);
        let mut reader = match guard.take() {
            Some(reader) => reader,
            None => Reader::open(&self.options)?,
        };
        reader.read(topic, partition, from, &mut |read| {
            match read {
                Read::Message(message) if fence(&message).is_none() => found.push(Arc::new(message)),
                Read::Message(_) => {}
                Read::End => return ControlFlow::Break(()),
                Read::Nothing => quiet += 1,
            }
            // A broker that is away for 10 s: what there is must do.
            if found.len() >= limit || quiet >= 20 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        *guard = Some(reader);
        Ok(found)
    }

    fn ends(&self, topic: &str) -> Result<Vec<Ends>, BusError> {
        self.topics.ends(topic)
    }

    fn committed(&self, group: &str, topic: &str) -> Result<Vec<(u32, u64)>, BusError> {
        let partitions: Vec<u32> = (0..self.topics.ask_partitions(topic)?).collect();
        let client = self.group(group)?;
        let found = part::fetch_committed(&client, topic, &partitions, OFFSETS_TIMEOUT)
            .map_err(|e| unusable(&format!("the offsets of group {group} cannot be read"), &e))?;
        Ok(found
            .into_iter()
            .map(|mark| (mark.partition, mark.next))
            .collect())
    }

    fn reset(&self, group: &str, topic: &str, to: Reset) -> Result<(), BusError> {
        let places = self.places(topic, to)?;
        let client = self.group(group)?;
        let what = format!("the offsets of group {group} cannot be set");
        if self.at_work(&client, group)? {
            return Err(BusError::InUse(format!(
                "group {group} is at work; stop its processes first"
            )));
        }
        let mut list = TopicPartitionList::with_capacity(places.len());
        for (partition, offset) in places {
            let offset = Offset::Offset(signed(offset));
            list.add_partition_offset(topic, partition_id(partition), offset)
                .map_err(|e| unusable(&what, &e))?;
        }
        client
            .commit(&list, CommitMode::Sync)
            .map_err(|e| unusable(&what, &e))
    }

    fn topics(&self) -> Result<Vec<String>, BusError> {
        self.topics.names()
    }
}

impl Appender {
    fn append(&mut self, topic: &str, records: &[Record]) -> Result<(), BusError> {
        self.transactions += 1;
        let mark = Mark::of_append(&format!("{}-{}", self.id, self.transactions));
        let failed = |e: KafkaError| unusable("no transaction can be prepared", &e);
        let list = part::to_list(topic, std::slice::from_ref(&mark)).map_err(failed)?;
        let group = self
            .client
            .group_metadata()
            .ok_or(KafkaError::Canceled)
            .map_err(failed)?;
        let mut result = self.producer.transact(records, Some(Offsets { list, group }));
        if let Err(Failure::Unknown(reason)) = result {
            tracing::warn!(reason, "the outcome of writing is looked up");
            result = self.producer.begin_anew().and_then(|()| {
                let found = part::fetch_committed(&self.client, topic, &[mark.partition], OFFSETS_TIMEOUT);
                match found {
                    Ok(found) if found.contains(&mark) => Ok(()),
                    Ok(_) => Err(Failure::Aborted(reason)),
                    Err(error) => Err(Failure::Unknown(error.to_string())),
                }
            });
        }
        result.map_err(|failure| not_written(failure, records.len()))
    }
}

fn not_written(failure: Failure, count: usize) -> BusError {
    let (what, hint) = match failure {
        Failure::Permanent(error) => return error,
        Failure::Aborted(reason) | Failure::Fenced(reason) => (
            format!("{count} records were not written: {reason}"),
            "nothing of them is on the bus; do it again",
        ),
        Failure::Unknown(reason) => (
            format!("it is not known whether {count} records were written: {reason}"),
            "look at the topic once the brokers answer, and do it again where they are missing",
        ),
    };
    BusError::Unusable {
        what,
        hint: hint.to_owned(),
    }
}

/// Finds the partition of each record.
fn route(outputs: Vec<Output>, topics: &Topics) -> Result<Vec<Record>, BusError> {
    let mut records = Vec::with_capacity(outputs.len());
    for output in outputs {
        let size = output.size();
        if size > MAX_MESSAGE_BYTES {
            return Err(BusError::Oversize {
                topic: output.topic,
                size,
                limit: MAX_MESSAGE_BYTES,
            });
        }
        let partition = output.partition(topics.partitions(&output.topic)?);
        records.push((partition, output));
    }
    Ok(records)
}

fn transactional_id(options: &KafkaOptions, group: &str) -> String {
    format!("{}.{group}.{}", options.transactional_id_prefix, nonce())
}

/// Text that nobody else makes: a standard hasher's random key, 64 bits.
fn nonce() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
