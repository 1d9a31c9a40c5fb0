//! How much of the bus is read, and how often it is asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::sync::Arc;
use std::sync::Mutex;

use telex_model::{ArticleId, Stage, Topic, event};
use telex_operate::{DeadLetters, LetterFilter, read_until, trace};
use telex_stream::sqlite::{SqliteBus, SqliteOptions};
use telex_stream::{Bus, BusError, Ends, Message, Output, Reset, Route, Session, SessionConfig};

/// A bus that notes how much was asked for by each reading.
#[derive(Debug)]
struct Noting {
    bus: SqliteBus,
    asked: Mutex<Vec<usize>>,
    _folder: tempfile::TempDir,
}

impl Noting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bus = SqliteBus::open(SqliteOptions::new(folder.path(), true)).unwrap();
        bus.create_topics("telex", &Topic::fixed()).unwrap();
        Self {
            bus,
            asked: Mutex::default(),
            _folder: folder,
        }
    }

    fn asked(&self) -> Vec<usize> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn put(&self, topic: &Topic, key: &str, bytes: usize, headers: &[(&str, &str)]) {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let output = Output {
            topic: topic.name("telex"),
            key: key.to_owned().into(),
            route: Route::Partition(0),
            value: Some(vec![b' '; bytes].into()),
            headers: headers.collect(),
        };
        self.bus.append(vec![output]).unwrap();
    }
}

impl Bus for Noting {
    fn create_topics(&self, prefix: &str, topics: &[Topic]) -> Result<(), BusError> {
        self.bus.create_topics(prefix, topics)
    }
    fn session(&self, config: SessionConfig) -> Result<Box<dyn Session>, BusError> {
        self.bus.session(config)
    }
    fn append(&self, outputs: Vec<Output>) -> Result<(), BusError> {
        self.bus.append(outputs)
    }
    fn read(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, BusError> {
        self.asked.lock().unwrap().push(limit);
        self.bus.read(topic, partition, from, limit)
    }
    fn ends(&self, topic: &str) -> Result<Vec<Ends>, BusError> {
        self.bus.ends(topic)
    }
    fn committed(&self, group: &str, topic: &str) -> Result<Vec<(u32, u64)>, BusError> {
        self.bus.committed(group, topic)
    }
    fn reset(&self, group: &str, topic: &str, to: Reset) -> Result<(), BusError> {
        self.bus.reset(group, topic, to)
    }
    fn topics(&self) -> Result<Vec<String>, BusError> {
        self.bus.topics()
    }
}

#[test]
fn letters_are_put_back_with_a_reading_for_many() {
    let noting = Noting::new();
    let topic = Topic::DeadLetters(Stage::Cleaner);
    for n in 0..100 {
        let reason = if n % 10 == 3 { "other" } else { "timed_out" };
        let headers = [
            (event::DEAD_REASON, reason),
            (event::DEAD_ORIGIN, "telex.pages.v1/3/17"),
        ];
        noting.put(&topic, &n.to_string(), 10, &headers);
    }
    let letters = DeadLetters::new(&noting, "telex");
    let filter = LetterFilter {
        reason: Some("timed_out".to_owned()),
        limit: 1000,
        ..LetterFilter::default()
    };
    let survey = letters.survey(&filter).unwrap();
    assert_eq!(survey.counts.values().sum::<u64>(), 90);
    noting.asked();
    let done = letters.replay(&survey.newest, false, None).unwrap();
    assert_eq!((done.skipped, done.counts.values().sum::<u64>()), (0, 90));
    let asked = noting.asked();
    assert!(asked.len() <= 15, "{asked:?}");

    // Each once, in the order in which they came, and only those.
    let mut back: Vec<String> = Vec::new();
    telex_stream::read_all(&noting, "telex.pages.v1", &mut |m| {
        back.push(String::from_utf8_lossy(&m.key).into_owned());
    })
    .unwrap();
    let expected: Vec<String> = (0..100).filter(|n| n % 10 != 3).map(|n| n.to_string()).collect();
    assert_eq!(back, expected);
}

#[test]
fn letters_far_apart_are_read_alone_and_in_their_order() {
    let noting = Noting::new();
    for n in 0..200 {
        let headers = [
            (event::DEAD_REASON, "timed_out"),
            (event::DEAD_ORIGIN, "telex.pages.v1/3/17"),
        ];
        noting.put(&Topic::DeadLetters(Stage::Cleaner), &n.to_string(), 10, &headers);
    }
    let letters = DeadLetters::new(&noting, "telex");
    let filter = LetterFilter {
        limit: 1000,
        ..LetterFilter::default()
    };
    let all = letters.find(&filter).unwrap();
    let few = [&all[190], &all[3], &all[4], &all[100], &all[190]].map(Clone::clone);
    noting.asked();
    let done = letters.replay(&few, false, None).unwrap();
    assert_eq!(done.counts.values().sum::<u64>(), 5);
    assert_eq!(noting.asked(), [2, 1, 1], "no more than is wanted");
    let mut back: Vec<String> = Vec::new();
    telex_stream::read_all(&noting, "telex.pages.v1", &mut |m| {
        back.push(String::from_utf8_lossy(&m.key).into_owned());
    })
    .unwrap();
    assert_eq!(back, ["190", "3", "4", "100", "190"]);
}

#[test]
fn large_records_are_read_a_few_at_a_time() {
    let noting = Noting::new();
    for n in 0..60 {
        noting.put(&Topic::Pages, &n.to_string(), 3 << 20, &[]);
    }
    let mut read = 0;
    let ended = read_until(&noting, "telex.pages.v1", 64, &mut |_| {
        read += 1;
        false
    });
    assert!(!ended.unwrap());
    assert_eq!(read, 60);
    let asked = noting.asked();
    assert!(asked.iter().all(|n| *n <= 8), "{asked:?}");
    // Small ones are not read one by one.
    for n in 0..300 {
        noting.put(&Topic::Items, &n.to_string(), 10, &[]);
    }
    read_until(&noting, "telex.items.v1", 64, &mut |_| false).unwrap();
    let asked = noting.asked();
    assert!(asked.len() <= 9 && asked.contains(&64), "{asked:?}");
}

#[test]
fn of_a_trace_stays_what_is_kept() {
    let noting = Noting::new();
    let id = ArticleId::of_link(&"https://news.example/1".parse().unwrap());
    noting.put(&Topic::Pages, &id.to_string(), 10, &[]);
    noting.put(&Topic::Items, &id.to_string(), 10, &[]);
    noting.put(&Topic::Items, "another", 10, &[]);
    let found = trace(&noting, "telex", id, &mut |_| true, |step| step.topic).unwrap();
    assert!(found.whole);
    assert_eq!(found.steps.len(), 2);
    let none = trace(&noting, "telex", id, &mut |_| false, |step| step.topic).unwrap();
    assert!(!none.whole && none.steps.is_empty());
}
