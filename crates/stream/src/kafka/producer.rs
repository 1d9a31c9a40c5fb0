//! A transactional producer that tells what became of each transaction.
//!
//! Records are produced, waited for, and only then the offsets are sent and the transaction ended: ending it with
//! records in flight costs 100 ms each time (measured: a batch of 200 took 101 ms, and 4 ms this way).

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};
use rdkafka::topic_partition_list::TopicPartitionList;
use telex_telemetry::StageHealth;

use crate::bus::BusError;
use crate::message::Output;

use super::KafkaOptions;
use super::client;
use super::context::{Deliveries, Quiet, Undelivered};
use super::convert::{fence_record, partition_id, to_headers};
use super::error::{code, coded, is_fenced_member, is_permanent, unusable};
use super::part::{Mark, to_list};

/// Longest wait for the coordinator when a producer begins: it first ends what its predecessor left open.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for the end of an aborted transaction; after it the producer is replaced, which aborts as well.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Events of an idle client taken in at once; it has one or two in a second at the most.
const EVENTS: usize = 8;

/// After so long a transaction counts as slow: brokers that answer take milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Wait before a call is taken up again that came back at once.
const RETRY: Duration = Duration::from_millis(20);

/// Beyond the end of a transaction, a call that has not come back is given up.
const GRACE: Duration = Duration::from_secs(1);

/// One wait for deliveries. Slept, for the client's `poll` spins through what is left of its time below a millisecond:
/// waiting for 22 commits of 16 MB took 3 s of a core.
const NAP: Duration = Duration::from_micros(500);

/// When the records of a rehearsal say that they were written, in milliseconds since 1970: before everything else, so
/// that the marker which the broker writes behind them is found by its time.
const LONG_AGO: i64 = 1;

/// A record with the partition that it goes to.
pub(super) type Record = (u32, Output);

/// The offsets of a transaction, and who commits them.
pub(super) struct Offsets {
    pub(super) list: TopicPartitionList,
    pub(super) group: ConsumerGroupMetadata,
}

/// Why a transaction was not seen to be committed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing of it is on the bus.
    Aborted(String),
    /// Nothing of it is on the bus: the group has gone on without this member.
    Fenced(String),
    /// It may be on the bus, whole. Nobody knows before the producer has begun anew.
    Unknown(String),
    /// Nothing of it is on the bus, and trying again cannot help.
    Permanent(BusError),
}

/// A producer that is replaced when it is of no more use.
pub(super) struct Transactions {
    options: Arc<KafkaOptions>,
    id: String,
    producer: Option<Arc<BaseProducer<Deliveries>>>,
    /// Told while a call takes long.
    pub(super) health: Option<StageHealth>,
}

impl Transactions {
    pub(super) fn new(options: Arc<KafkaOptions>, id: String) -> Self {
        Self {
            options,
            id,
            producer: None,
            health: None,
        }
    }

    /// Makes sure that there is a producer which has begun. Ends, one way or the other, what a predecessor of the
    /// same transactional id left open.
    pub(super) fn begin_anew(&mut self) -> Result<(), Failure> {
        if self.producer.is_some() {
            return Ok(());
        }
        let settings = client::producer(&self.options, &self.id);
        let producer: BaseProducer<Deliveries> = settings
            .create_with_context(Deliveries::default())
            .map_err(|e| Failure::Permanent(unusable("the Kafka producer cannot be set up", &e)))?;
        let until = Instant::now() + INIT_TIMEOUT;
        in_slices(
            until,
            || self.complain(),
            |slice| producer.init_transactions(slice),
        )
        .map_err(|e| self.failed(&e, "the transactional producer cannot begin"))?;
        self.producer = Some(Arc::new(producer));
        Ok(())
    }

    /// Takes in what the client has to say while nothing is written, which would pile up otherwise.
    pub(super) fn serve(&self) {
        if let Some(producer) = &self.producer {
            (0..EVENTS).for_each(|_| producer.poll(Duration::ZERO));
        }
    }

    /// Writes records and offsets at once.
    pub(super) fn transact(&mut self, records: &[Record], offsets: Option<Offsets>) -> Result<(), Failure> {
        self.begin_anew()?;
        let Some(producer) = &self.producer else {
            return Err(Failure::Aborted("no producer".to_owned()));
        };
        if let Err(error) = producer.begin_transaction() {
            let failure = self.failed(&error, "no transaction can be begun");
            self.producer = None;
            return Err(failure);
        }
        let deadline = Instant::now() + self.options.transaction_timeout;
        if let Err(failure) = self.deliver(records, None, deadline) {
            self.abort();
            return Err(failure);
        }
        if let Some(offsets) = offsets
            && let Err(failure) = self.send_offsets(offsets, deadline)
        {
            self.abort();
            return Err(failure);
        }
        self.end()
    }

    /// Sends offsets, on a thread of its own: the client's call does not come back where the group's coordinator is
    /// gone and the connections to all other brokers stay as they are (librdkafka 2.12.1 looks for the new one only
    /// when a connection comes or goes). Then the producer is left to that thread, and a new one fences it.
    fn send_offsets(&mut self, offsets: Offsets, deadline: Instant) -> Result<(), Failure> {
        let Some(producer) = self.producer.clone() else {
            return Err(Failure::Aborted("no producer".to_owned()));
        };
        let (done, outcome) = sync_channel(1);
        let send = move || {
            let Offsets { list, group } = offsets;
            let sent = in_slices(
                deadline,
                || {},
                |slice| producer.send_offsets_to_transaction(&list, &group, slice),
            );
            // Whoever waited may have given up.
            drop(done.send(sent));
        };
        std::thread::Builder::new()
            .name("kafka-offsets".to_owned())
            .spawn(send)
            .map_err(|e| Failure::Aborted(format!("no thread: {e}")))?;
        loop {
            let left = (deadline + GRACE).saturating_duration_since(Instant::now());
            match outcome.recv_timeout(left.min(PATIENCE)) {
                Ok(sent) => return sent.map_err(|e| self.failed(&e, "the offsets cannot be committed")),
                Err(RecvTimeoutError::Timeout) if !left.is_zero() => self.complain(),
                Err(_) => {
                    self.producer = None;
                    let timeout = self.options.transaction_timeout;
                    return Err(Failure::Aborted(format!(
                        "the offsets did not arrive in {timeout:?}"
                    )));
                }
            }
        }
    }

    /// Writes a fence, which nobody reads, to partition 0 of each topic and an offset of it, and takes all back.
    pub(super) fn rehearse(
        &mut self,
        client: &BaseConsumer<Quiet>,
        topics: &[String],
    ) -> Result<(), Failure> {
        self.begin_anew()?;
        let result = self.try_all(client, topics);
        self.abort();
        result
    }

    fn try_all(&mut self, client: &BaseConsumer<Quiet>, topics: &[String]) -> Result<(), Failure> {
        let Some(producer) = &self.producer else {
            return Err(Failure::Aborted("no producer".to_owned()));
        };
        let begun = producer.begin_transaction();
        begun.map_err(|e| self.failed(&e, "no transaction can be begun"))?;
        let deadline = Instant::now() + self.options.transaction_timeout;
        let fences: Vec<Record> = topics.iter().map(|t| (0, fence_record(t, 0, &self.id))).collect();
        self.deliver(&fences, Some(LONG_AGO), deadline)?;
        for topic in topics {
            let metadata = client.group_metadata();
            let group = metadata.ok_or_else(|| Failure::Aborted("no group".to_owned()))?;
            let list = to_list(topic, &[Mark::of_append(&self.id)])
                .map_err(|e| self.failed(&e, &format!("the offsets of {topic} cannot be committed")))?;
            self.send_offsets(Offsets { list, group }, deadline)?;
        }
        Ok(())
    }

    /// Hands records to the client, written at a time or now, and waits until all have arrived.
    fn deliver(&self, records: &[Record], written: Option<i64>, deadline: Instant) -> Result<(), Failure> {
        let Some(producer) = &self.producer else {
            return Err(Failure::Aborted("no producer".to_owned()));
        };
        let slow = Instant::now() + PATIENCE;
        // What an earlier transaction left behind is not this one's.
        drop(producer.context().take());
        for (partition, output) in records {
            self.send(producer, *partition, output, written, deadline)?;
        }
        while producer.in_flight_count() > 0 {
            producer.poll(Duration::ZERO);
            if producer.in_flight_count() == 0 {
                break;
            }
            if Instant::now() >= deadline {
                return Err(Failure::Aborted(format!(
                    "{} records did not arrive in {:?}",
                    producer.in_flight_count(),
                    self.options.transaction_timeout
                )));
            }
            if Instant::now() >= slow {
                self.complain();
            }
            std::thread::sleep(NAP);
        }
        match producer.context().take() {
            Some(undelivered) => Err(refused(&Self::explained(producer, undelivered))),
            None => Ok(()),
        }
    }

    /// Puts the reason in place of its consequence: where a transaction fails as a whole, as for a right that is
    /// missing, the client says of its records only that they were thrown away.
    fn explained(producer: &BaseProducer<Deliveries>, undelivered: Undelivered) -> Undelivered {
        let Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) = undelivered.code else {
            return undelivered;
        };
        // Refused in any case, since one is begun; of a transaction that has failed it tells why.
        match producer.begin_transaction() {
            Err(error) if code(&error).is_some_and(is_permanent) => Undelivered {
                code: code(&error),
                reason: error.to_string(),
                ..undelivered
            },
            _ => undelivered,
        }
    }

    fn send(
        &self,
        producer: &BaseProducer<Deliveries>,
        partition: u32,
        output: &Output,
        written: Option<i64>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let mut record = BaseRecord::<[u8], [u8]>::to(&output.topic)
            .partition(partition_id(partition))
            .key(&output.key)
            .headers(to_headers(&output.headers));
        if let Some(value) = &output.value {
            record = record.payload(value);
        }
        if let Some(written) = written {
            record = record.timestamp(written);
        }
        loop {
            let Err((error, back)) = producer.send(record) else {
                return Ok(());
            };
            record = back;
            if code(&error) != Some(RDKafkaErrorCode::QueueFull) || Instant::now() >= deadline {
                return Err(refused(&Undelivered {
                    topic: output.topic.clone(),
                    bytes: output.size(),
                    code: code(&error),
                    reason: error.to_string(),
                }));
            }
            producer.poll(Duration::ZERO);
            std::thread::sleep(NAP);
        }
    }

    fn end(&mut self) -> Result<(), Failure> {
        let Some(producer) = &self.producer else {
            return Err(Failure::Aborted("no producer".to_owned()));
        };
        // Longer than the broker lets a transaction live, so that a timeout here is a lost answer, not a slow one.
        let timeout = self.options.transaction_timeout + Duration::from_secs(2);
        let ended = in_slices(
            Instant::now() + timeout,
            || self.complain(),
            |slice| producer.commit_transaction(slice),
        );
        let Err(error) = ended else {
            return Ok(());
        };
        let reason = format!("the end of a transaction is not known: {error}");
        if matches!(&error, KafkaError::Transaction(e) if e.txn_requires_abort()) {
            self.abort();
        } else {
            self.producer = None;
        }
        // Whatever the client says: what the group's offsets say is what happened.
        Err(Failure::Unknown(reason))
    }

    /// Ends a transaction that is not to be; a producer that cannot is replaced.
    fn abort(&mut self) {
        let Some(producer) = &self.producer else { return };
        // Aborting fails while records are outstanding.
        producer.purge(PurgeConfig::default().queue().inflight());
        let deadline = Instant::now() + ABORT_TIMEOUT;
        while producer.in_flight_count() > 0 && Instant::now() < deadline {
            producer.poll(Duration::ZERO);
            std::thread::sleep(NAP);
        }
        let aborted = in_slices(
            deadline,
            || self.complain(),
            |slice| producer.abort_transaction(slice),
        );
        if let Err(error) = aborted {
            tracing::warn!(%error, "a transaction could not be aborted; the producer is replaced");
            self.producer = None;
        }
    }

    fn complain(&self) {
        if let Some(health) = &self.health {
            health.not_ready("a transaction waits for the Kafka brokers");
        }
    }

    fn failed(&self, error: &KafkaError, what: &str) -> Failure {
        let reason = format!("{what}: {error}");
        match code(error) {
            Some(code) if is_fenced_member(code) => Failure::Fenced(reason),
            Some(code) if is_permanent(code) => Failure::Permanent(coded(
                &format!("{reason} (transactional id {})", self.id),
                Some(code),
            )),
            _ => Failure::Aborted(reason),
        }
    }
}

/// Makes a call that can be taken up again, in turns that are short enough to say meanwhile that it takes long.
fn in_slices(
    until: Instant,
    complain: impl Fn(),
    call: impl Fn(Duration) -> Result<(), KafkaError>,
) -> Result<(), KafkaError> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match call(left.min(PATIENCE)) {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < until => {
                complain();
                std::thread::sleep(RETRY);
            }
            result => return result,
        }
    }
}

fn refused(undelivered: &Undelivered) -> Failure {
    let Undelivered {
        topic,
        bytes,
        code,
        reason,
    } = undelivered;
    let what = format!("a record of {bytes} bytes cannot be written to {topic}: {reason}");
    match code {
        Some(known) if is_permanent(*known) => Failure::Permanent(coded(&what, *code)),
        _ => Failure::Aborted(what),
    }
}
