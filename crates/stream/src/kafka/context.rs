//! What the client calls back.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

/// What the group decided, in order; answered by the session, not in the callback, so that what was processed can
/// still be committed before partitions are handed back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rebalance {
    Assign(Vec<u32>),
    Revoke(Vec<u32>),
    /// Revoked without asking: others may be at work already.
    Lost(Vec<u32>),
}

/// Callbacks of a group's member.
#[derive(Debug, Default)]
pub(super) struct Member {
    rebalances: Mutex<VecDeque<Rebalance>>,
    closing: AtomicBool,
}

impl Member {
    pub(super) fn take(&self) -> Option<Rebalance> {
        lock(&self.rebalances).pop_front()
    }

    pub(super) fn waits(&self) -> bool {
        !lock(&self.rebalances).is_empty()
    }

    /// From now on rebalances are answered at once: closing waits for the answers.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // While it closes, the end of a partition comes this way.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            fault(&error, reason, "the Kafka consumer reports a fault");
        }
    }
}

impl ConsumerContext for Member {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, err: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assigns = err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Acquire) {
            let answered = if assigns {
                consumer.incremental_assign(list)
            } else {
                consumer.incremental_unassign(list)
            };
            if let Err(error) = answered {
                tracing::debug!(%error, "a rebalance while closing");
            }
            return;
        }
        let partitions = list
            .elements()
            .iter()
            .filter_map(|e| u32::try_from(e.partition()).ok())
            .collect();
        let what = if assigns {
            Rebalance::Assign(partitions)
        } else if consumer.assignment_lost() {
            Rebalance::Lost(partitions)
        } else {
            Rebalance::Revoke(partitions)
        };
        tracing::debug!(?what, "rebalance");
        lock(&self.rebalances).push_back(what);
    }
}

/// Callbacks of a producer.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    failed: Mutex<Option<Undelivered>>,
}

/// The first record of a transaction that did not arrive.
#[derive(Debug, Clone)]
pub(super) struct Undelivered {
    pub(super) topic: String,
    pub(super) bytes: usize,
    pub(super) code: Option<RDKafkaErrorCode>,
    pub(super) reason: String,
}

impl Deliveries {
    pub(super) fn take(&self) -> Option<Undelivered> {
        lock(&self.failed).take()
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        fault(&error, reason, "the Kafka producer reports a fault");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): Self::DeliveryOpaque) {
        use rdkafka::Message as _;
        if let Err((error, message)) = result {
            lock(&self.failed).get_or_insert_with(|| Undelivered {
                topic: message.topic().to_owned(),
                bytes: message.payload_len() + message.key_len(),
                code: error.rdkafka_error_code(),
                reason: error.to_string(),
            });
        }
    }
}

/// Callbacks of readers and of the client that asks for metadata: whoever called says what went wrong.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    fault: Mutex<Option<String>>,
}

impl Quiet {
    /// What the client met with last, such as a refused connection; its errors themselves only say that time is up.
    pub(super) fn fault(&self) -> Option<String> {
        lock(&self.fault).clone()
    }
}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if matches!(level, RDKafkaLogLevel::Error) && facility == "FAIL" {
            // After the name of the client's thread.
            let text = message.split_once("]: ").map_or(message, |(_, text)| text);
            *lock(&self.fault) = Some(text.to_owned());
        }
        tracing::debug!(target: "librdkafka", facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "a Kafka client reports a fault");
    }
}

impl ConsumerContext for Quiet {}

/// Logs a fault. Of connections the client's own log tells, without the many repetitions, and of what follows from
/// them the session does.
fn fault(error: &KafkaError, reason: &str, what: &str) {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::Resolve,
        ) => tracing::debug!(%error, reason, "{what}"),
        _ => tracing::warn!(%error, reason, "{what}"),
    }
}

fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => tracing::warn!(target: "librdkafka", facility, "{message}"),
        // Its warnings are of what it tries again by itself.
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
