//! Consume, transform, produce in transactions: sessions against a bare loop on the client library, and what that
//! library can send and read at all without transactions, in one run on one broker.
//!
//! `cargo bench -p telex-stream --bench kafka` starts a broker, or takes that of `TELEX_TEST_KAFKA`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    dead_code,
    unreachable_pub,
    reason = "a measurement that cannot go on must fail; the broker is the tests'"
)]

#[path = "../../../tests/pipeline/broker.rs"]
mod broker;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use telex_model::Topic;
use telex_stream::kafka::{KafkaBus, KafkaOptions};
use telex_stream::{Bus, Event, Output, Route, SessionConfig, Transaction};

const MESSAGES: usize = 60_000;
const BYTES: usize = 1500;
const ROUNDS: usize = 5;
const TIMEOUT: Duration = Duration::from_secs(30);

struct Bench {
    address: String,
    bus: KafkaBus,
    prefix: String,
}

fn main() {
    let given = std::env::var("TELEX_TEST_KAFKA").ok();
    let own = given
        .is_none()
        .then(|| broker::Broker::start("bench", 1, &[]).unwrap());
    let address = given.or(own.as_ref().map(|b| b.address.clone())).unwrap();
    let bus = KafkaBus::open(KafkaOptions::new(address.clone())).unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros();
    let bench = Bench {
        address,
        bus,
        prefix: format!("bench-{now:x}"),
    };
    bench.feed();
    println!(
        "the client alone: {:>7.0} msg/s sent, {:>7.0} msg/s read",
        share((0..ROUNDS).map(|_| bench.sent()).collect(), 0.5),
        share((0..ROUNDS).map(|round| bench.read(round)).collect(), 0.5)
    );
    for (batch, messages) in [(200, MESSAGES / 3), (1000, MESSAGES)] {
        let (mut bare, mut session) = (Vec::new(), Vec::new());
        // In turn, so that whatever else the machine does hits both.
        for round in 0..ROUNDS {
            bare.push(bench.bare(&format!("bare-{batch}-{round}"), batch, messages));
            session.push(bench.session(&format!("session-{batch}-{round}"), batch, messages));
        }
        let (bare, session) = (Figures::of(&bare), Figures::of(&session));
        println!(
            "{batch:>5} a transaction: bare {bare}; session {session}; {:.0} %",
            100.0 * session.rate / bare.rate
        );
    }
}

/// Messages a second, and the seconds of each transaction from having its messages to being committed.
struct Run {
    rate: f64,
    transactions: Vec<f64>,
}

impl Run {
    fn of(messages: usize, begin: Instant, transactions: Vec<f64>) -> Self {
        Self {
            rate: messages as f64 / begin.elapsed().as_secs_f64(),
            transactions,
        }
    }
}

/// The median of the runs' rates, and of all their transactions the median and the 99th of a hundred.
struct Figures {
    rate: f64,
    p50: f64,
    p99: f64,
}

impl Figures {
    fn of(runs: &[Run]) -> Self {
        let all: Vec<f64> = runs.iter().flat_map(|r| r.transactions.clone()).collect();
        Self {
            rate: share(runs.iter().map(|r| r.rate).collect(), 0.5),
            p50: share(all.clone(), 0.5),
            p99: share(all, 0.99),
        }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (p50, p99) = (1000.0 * self.p50, 1000.0 * self.p99);
        write!(f, "{:>6.0} msg/s ({p50:.1} ms, 99 % {p99:.1} ms)", self.rate)
    }
}

/// The figure below which this share of them lies.
fn share(mut figures: Vec<f64>, share: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[((figures.len() - 1) as f64 * share) as usize]
}

impl Bench {
    fn input(&self) -> String {
        Topic::Pages.name(&self.prefix)
    }

    fn output(&self) -> String {
        Topic::Articles.name(&self.prefix)
    }

    fn feed(&self) {
        self.bus
            .create_topics(&self.prefix, &[Topic::Pages, Topic::Articles])
            .unwrap();
        let ids: Vec<usize> = (0..MESSAGES).collect();
        for chunk in ids.chunks(2000) {
            let output = |id: &usize| Output {
                topic: self.input(),
                key: Bytes::from(format!("key-{id}")),
                route: Route::Key,
                value: Some(text(*id)),
                headers: vec![("ce_id".to_owned(), id.to_string())],
            };
            self.bus.append(chunk.iter().map(output).collect()).unwrap();
        }
    }

    /// Sends all messages as fast as the client takes them, without a transaction.
    fn sent(&self) -> f64 {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .set("compression.type", "lz4")
            .set("enable.idempotence", "true")
            .create()
            .unwrap();
        let (output, texts) = (self.output(), (0..64).map(text).collect::<Vec<_>>());
        let begin = Instant::now();
        for n in 0..MESSAGES {
            let key = format!("key-{n}");
            let mut record = BaseRecord::to(&output)
                .key(&key)
                .payload(&texts[n % texts.len()][..]);
            while let Err((error, back)) = producer.send(record) {
                assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull));
                record = back;
                producer.poll(Duration::from_millis(1));
            }
        }
        producer.flush(TIMEOUT).unwrap();
        MESSAGES as f64 / begin.elapsed().as_secs_f64()
    }

    /// Reads all messages of the input, and nothing else.
    fn read(&self, round: usize) -> f64 {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .set("group.id", format!("{}-read-{round}", self.prefix))
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        consumer.subscribe(&[&self.input()]).unwrap();
        let (mut done, mut begin) = (0, None);
        while done < MESSAGES {
            if let Some(record) = consumer.poll(Duration::from_millis(500)) {
                record.unwrap();
                begin.get_or_insert_with(Instant::now);
                done += 1;
            }
        }
        done as f64 / begin.unwrap().elapsed().as_secs_f64()
    }

    fn session(&self, group: &str, batch: usize, messages: usize) -> Run {
        let config = SessionConfig {
            group: format!("{}-{group}", self.prefix),
            input: self.input(),
            max_batch_messages: batch,
            max_batch_bytes: 16 << 20,
        };
        let mut session = self.bus.session(config).unwrap();
        let (mut done, mut begin, mut transactions) = (0, None, Vec::new());
        while done < messages {
            let Event::Batch(batch) = session.next(Duration::from_millis(500)).unwrap() else {
                continue;
            };
            let received = Instant::now();
            begin.get_or_insert(received);
            done += batch.messages.len();
            let outputs = batch.messages.iter().map(|m| Output {
                topic: self.output(),
                key: m.key.clone(),
                route: Route::Key,
                value: m.value.clone(),
                headers: m.headers.clone(),
            });
            let transaction = Transaction {
                outputs: outputs.collect(),
                offsets: batch.offsets(batch.messages.len()),
                ..Transaction::default()
            };
            session.commit(transaction).unwrap();
            transactions.push(received.elapsed().as_secs_f64());
        }
        Run::of(done, begin.unwrap(), transactions)
    }

    fn bare(&self, group: &str, batch: usize, messages: usize) -> Run {
        let (input, output) = (self.input(), self.output());
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .set("group.id", format!("{}-{group}", self.prefix))
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "earliest")
            // As the session: a client that fetches far ahead takes the cores from everybody else.
            .set("queued.min.messages", "5000")
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.wait.max.ms", "100")
            .set("fetch.queue.backoff.ms", "50")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .create()
            .unwrap();
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .set("transactional.id", format!("{}-{group}", self.prefix))
            .set("linger.ms", "2")
            .set("compression.type", "lz4")
            // The same partitions, and so as many to be written in a transaction.
            .set("partitioner", "murmur2")
            .create()
            .unwrap();
        producer.init_transactions(TIMEOUT).unwrap();
        consumer.subscribe(&[&input]).unwrap();
        let (mut done, mut begin, mut transactions) = (0, None, Vec::new());
        while done < messages {
            let mut records = Vec::with_capacity(batch);
            while records.len() < batch && done + records.len() < MESSAGES {
                if let Some(record) = consumer.poll(Duration::from_millis(500)) {
                    records.push(record.unwrap());
                }
            }
            let received = Instant::now();
            begin.get_or_insert(received);
            done += records.len();
            producer.begin_transaction().unwrap();
            let mut offsets = BTreeMap::new();
            for record in &records {
                let headers = record.headers().unwrap().detach();
                let copy = BaseRecord::to(&output)
                    .key(record.key().unwrap())
                    .payload(record.payload().unwrap())
                    .headers(headers);
                producer.send(copy).map_err(|(e, _)| e).unwrap();
                offsets.insert(record.partition(), record.offset() + 1);
            }
            while producer.in_flight_count() > 0 {
                producer.poll(Duration::ZERO);
                if producer.in_flight_count() > 0 {
                    producer.poll(Duration::from_millis(1));
                }
            }
            let mut list = TopicPartitionList::new();
            for (partition, offset) in offsets {
                list.add_partition_offset(&input, partition, Offset::Offset(offset))
                    .unwrap();
            }
            producer
                .send_offsets_to_transaction(&list, &consumer.group_metadata().unwrap(), TIMEOUT)
                .unwrap();
            producer.commit_transaction(TIMEOUT).unwrap();
            transactions.push(received.elapsed().as_secs_f64());
        }
        Run::of(done, begin.unwrap(), transactions)
    }
}

/// Text of words in no order, which compresses as text does.
fn text(id: usize) -> Bytes {
    const WORDS: [&str; 16] = [
        "minister",
        "said",
        "the",
        "council",
        "on",
        "Tuesday",
        "agreement",
        "of",
        "border",
        "after",
        "talks",
        "and",
        "report",
        "in",
        "company",
        "would",
    ];
    let mut state = id as u64 + 1;
    let mut text = String::with_capacity(BYTES + 16);
    while text.len() < BYTES {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.push_str(WORDS[(state >> 60) as usize]);
        text.push(' ');
    }
    text.truncate(BYTES);
    Bytes::from(text)
}
