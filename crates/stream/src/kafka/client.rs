//! Settings of the clients.

use rdkafka::ClientConfig;
use telex_model::MAX_MESSAGE_BYTES;

use crate::bus::BusError;

use super::KafkaOptions;

/// What Kafka puts around key, value and headers of one message, generously: lengths, a batch's head. Brokers and
/// topics get the same on top of the limit.
pub(super) const OVERHEAD_BYTES: usize = 64 << 10;

/// Settings that decide whether a session keeps its promises; nobody else sets them.
const OURS: [&str; 13] = [
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.protocol",
    "isolation.level",
    "message.max.bytes",
    "partition.assignment.strategy",
    "transactional.id",
];

/// Refuses further settings that would break a session's promises.
pub(super) fn check(options: &KafkaOptions) -> Result<(), BusError> {
    match options
        .client
        .keys()
        .find(|k| OURS.contains(&k.as_str()) || k.as_str() == "group.instance.id")
    {
        Some(key) => Err(BusError::Config {
            what: format!("bus.kafka: the setting {key} is not free to choose"),
            hint: "remove it; exactly-once processing depends on it".to_owned(),
        }),
        None => Ok(()),
    }
}

fn base(options: &KafkaOptions) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.brokers)
        .set("client.id", "telex")
        .set("socket.keepalive.enable", "true")
        // The client's default of 10 s is long where a broker restarts in 3.
        .set("reconnect.backoff.max.ms", "2000")
        .set("message.max.bytes", bytes(MAX_MESSAGE_BYTES + OVERHEAD_BYTES));
    config
}

fn with_client(mut config: ClientConfig, options: &KafkaOptions) -> ClientConfig {
    config.extend(options.client.clone());
    config
}

fn bytes(n: usize) -> String {
    n.to_string()
}

fn consumer(options: &KafkaOptions, group: &str) -> ClientConfig {
    let mut config = base(options);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("check.crcs", "true")
        // An empty fetch waits so long at the broker; also how soon the end of a partition is reported.
        .set("fetch.wait.max.ms", "100")
        .set("fetch.queue.backoff.ms", "50")
        // The client's defaults, 64 MiB a consumer and 100,000 messages, have run others out of memory.
        .set("queued.min.messages", "5000")
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.message.max.bytes", bytes(4 << 20));
    config
}

/// A member of a consumer group.
pub(super) fn member(options: &KafkaOptions, group: &str) -> ClientConfig {
    let mut config = consumer(options, group);
    config
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set(
            "session.timeout.ms",
            options.session_timeout.as_millis().to_string(),
        )
        .set(
            "heartbeat.interval.ms",
            (options.session_timeout.as_millis() / 10).max(100).to_string(),
        )
        .set(
            "max.poll.interval.ms",
            options.max_poll_interval.as_millis().to_string(),
        );
    with_client(config, options)
}

/// A reader of given partitions, and a client that asks for metadata and offsets. Its group has no members.
pub(super) fn reader(options: &KafkaOptions, group: &str) -> ClientConfig {
    let mut config = consumer(options, group);
    // The end of a partition is known once an empty fetch comes back; readers do not stay there.
    config.set("fetch.wait.max.ms", "10");
    with_client(config, options)
}

/// A client that asks for the ends of partitions, open transactions included.
pub(super) fn uncommitted(options: &KafkaOptions, group: &str) -> ClientConfig {
    let mut config = reader(options, group);
    config.set("isolation.level", "read_uncommitted");
    config
}

/// As [`reader`], for one record of each partition.
pub(super) fn peeker(options: &KafkaOptions, group: &str) -> ClientConfig {
    let mut config = reader(options, group);
    // One batch of each partition, or a few; of larger ones a broker sends one at a time.
    config
        .set("fetch.message.max.bytes", bytes(64 << 10))
        .set("queued.min.messages", "1");
    config
}

/// A transactional producer.
pub(super) fn producer(options: &KafkaOptions, transactional_id: &str) -> ClientConfig {
    let mut config = base(options);
    config
        .set("transactional.id", transactional_id)
        .set(
            "transaction.timeout.ms",
            options.transaction_timeout.as_millis().to_string(),
        )
        // Batches form while the rest of a transaction is handed over; it is waited for anyway.
        .set("linger.ms", "2")
        // A page of 180 kB takes 0.48 ms of processor time, with zstd 0.75 ms (measured through a broker).
        .set("compression.type", "lz4")
        .set("queue.buffering.max.kbytes", "65536");
    with_client(config, options)
}

/// A client that makes topics.
pub(super) fn admin(options: &KafkaOptions) -> ClientConfig {
    with_client(base(options), options)
}
