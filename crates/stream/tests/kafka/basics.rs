//! What is Kafka's own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::case::{Case, PATIENCE, batch, output, wait};
use super::shared;
use telex_model::Topic;
use telex_stream::kafka::{KafkaBus, KafkaOptions};
use telex_stream::{Bus, BusError, Commit, Event, Session, SessionConfig};

#[test]
fn copies_exactly_once() {
    let case = Case::new("copy");
    case.feed(0..300);
    let mut session = case.open(40);
    case.copy_all(&mut *session);
    case.check(300);
    let lags = session.lag().unwrap();
    assert!(
        lags.iter().all(|l| l.messages() == 0 && l.oldest.is_none()),
        "{lags:?}"
    );
    case.feed(300..310);
    assert!(!session.lag().unwrap().iter().all(telex_stream::Lag::drained));
    case.copy_all(&mut *session);
    case.check(310);
}

#[test]
fn a_member_that_was_left_behind_commits_nothing() {
    // Not asking for 2 s is being dead here.
    let stuck = |options: &mut KafkaOptions| {
        options.session_timeout = Duration::from_millis(1500);
        options.max_poll_interval = Duration::from_secs(2);
    };
    let case = Case::with("zombie", stuck);
    case.feed(0..50);
    let mut zombie = case.open(50);
    let stale = batch(&mut *zombie);
    std::thread::sleep(Duration::from_secs(4));
    let mut heir = case.open(50);
    case.copy_all(&mut *heir);
    assert_eq!(
        case.copy(&mut *zombie, &stale, stale.messages.len()).unwrap(),
        Commit::Fenced
    );
    case.check(50);
    let lost = wait(&mut *zombie, |event| match event {
        Event::Lost(partitions) => Some(partitions),
        Event::Batch(_) => panic!("it owns nothing"),
        _ => None,
    });
    assert_eq!(lost.len(), 12);
    drop(heir);
    case.feed(50..60);
    case.copy_all(&mut *zombie);
    case.check(60);
}

/// Another producer's transaction with a record in each partition.
fn open_transaction(case: &Case, state: &str) -> BaseProducer {
    let other: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &shared::shared().address)
        .set("transactional.id", &case.prefix)
        .create()
        .unwrap();
    other.init_transactions(PATIENCE).unwrap();
    other.begin_transaction().unwrap();
    for partition in 0..12 {
        let record = BaseRecord::to(state)
            .partition(partition)
            .key("open")
            .payload("1");
        other.send(record).map_err(|(e, _)| e).unwrap();
    }
    other.flush(PATIENCE).unwrap();
    other
}

#[test]
fn restoring_waits_for_open_transactions_and_hides_fences() {
    let case = Case::new("restore");
    let state = case.topic(&Topic::Frontier);
    let other = open_transaction(&case, &state);
    let mut session = case.open(10);
    let assigned = wait(&mut *session, |event| match event {
        Event::Assigned(assigned) => Some(assigned),
        _ => None,
    });
    assert_eq!(assigned.len(), 12);
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(1));
            other.commit_transaction(PATIENCE).unwrap();
        });
        for a in assigned {
            session
                .restore(&state, a.partition, &mut |message| seen.push(message))
                .unwrap();
        }
    });
    assert_eq!(
        seen.len(),
        12,
        "what was open when it began is read, and nothing else"
    );
    assert!(seen.iter().all(|m| m.key.as_ref() == b"open"));
    assert_eq!(case.records(&Topic::Frontier).len(), 12, "nobody sees a fence");
}

/// Follows assignments until `done` says so of the partitions owned; each comes with the number of records restored.
fn follow(
    session: &mut dyn Session,
    state: &str,
    mut done: impl FnMut(&BTreeMap<u32, usize>) -> bool,
) -> BTreeMap<u32, usize> {
    let mut owned = BTreeMap::new();
    let until = Instant::now() + PATIENCE;
    while !done(&owned) {
        assert!(Instant::now() < until, "it owns {owned:?} to the end");
        match session.next(Duration::from_millis(100)).unwrap() {
            Event::Assigned(assigned) => {
                for a in assigned {
                    let mut seen = 0;
                    session.restore(state, a.partition, &mut |_| seen += 1).unwrap();
                    owned.insert(a.partition, seen);
                }
            }
            Event::Revoked { partitions, .. } | Event::Lost(partitions) => {
                owned.retain(|partition, _| !partitions.contains(partition));
            }
            Event::Batch(_) | Event::Idle => {}
        }
    }
    owned
}

#[test]
fn a_partition_is_handed_over_twice_while_a_transaction_is_open_and_none_restores_less() {
    let case = Case::new("handed");
    let state = case.topic(&Topic::Frontier);
    let other = open_transaction(&case, &state);
    let (joined, first_is_there) = (&AtomicBool::new(false), &AtomicBool::new(false));
    let (case, state, other) = (&case, &state, &other);
    std::thread::scope(|scope| {
        let first = scope.spawn(move || {
            let mut session = case.open(10);
            first_is_there.store(true, Ordering::Relaxed);
            let mut shared = false;
            follow(&mut *session, state, |owned| {
                shared |= joined.load(Ordering::Relaxed) && owned.len() < 12;
                shared && owned.len() == 12
            })
        });
        let second = scope.spawn(move || {
            while !first_is_there.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            // The first one is restoring by now, and waits for the transaction.
            std::thread::sleep(Duration::from_millis(500));
            let mut session = case.open(10);
            joined.store(true, Ordering::Relaxed);
            follow(&mut *session, state, |owned| !owned.is_empty())
        });
        std::thread::sleep(Duration::from_secs(3));
        other.commit_transaction(PATIENCE).unwrap();
        let second = second.join().unwrap();
        assert!(second.values().all(|seen| *seen == 1), "{second:?}");
        let first = first.join().unwrap();
        assert_eq!(first.len(), 12);
        assert!(first.values().all(|seen| *seen == 1), "{first:?}");
    });
}

#[test]
fn says_what_is_wrong_and_what_to_do() {
    let case = Case::new("wrong");
    let config = SessionConfig {
        group: "g".to_owned(),
        input: "no-such-topic".to_owned(),
        max_batch_messages: 1,
        max_batch_bytes: 1,
    };
    let error = case.bus.session(config).map(|_| ()).unwrap_err();
    assert!(
        matches!(&error, BusError::NoTopic(t) if t == "no-such-topic"),
        "{error}"
    );
    let error = case
        .bus
        .append(vec![output("no-such-topic", "k", "v")])
        .unwrap_err();
    assert!(matches!(error, BusError::NoTopic(_)), "{error}");

    let unreachable = KafkaBus::open(KafkaOptions::new("127.0.0.1:9")).unwrap_err();
    let text = unreachable.to_string();
    assert!(
        text.contains("127.0.0.1:9") && text.contains("--brokers"),
        "{text}"
    );

    let mut options = KafkaOptions::new("127.0.0.1:9");
    options
        .client
        .insert("isolation.level".to_owned(), "read_uncommitted".to_owned());
    let text = KafkaBus::open(options).unwrap_err().to_string();
    assert!(text.contains("isolation.level"), "{text}");

    let mut options = KafkaOptions::new("127.0.0.1:9");
    options
        .client
        .insert("sasl.password".to_owned(), "hunter2".to_owned());
    assert!(!format!("{options:?}").contains("hunter2"));
}

#[test]
fn a_group_at_work_is_not_reset() {
    let case = Case::new("reset");
    case.feed(0..10);
    let mut session = case.open(10);
    case.copy_all(&mut *session);
    let (group, topic) = (format!("{}-group", case.prefix), case.topic(&Topic::Items));
    let refused = case.bus.reset(&group, &topic, telex_stream::Reset::Earliest);
    assert!(matches!(refused, Err(BusError::InUse(_))), "{refused:?}");
}
