//! Topics as sessions see them: lag, gaps, compaction, retention, offsets set anew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use telex_model::Topic;
use telex_stream::{BusError, Commit, Event, Lag, Message, Output, Reset, Route, Transaction};

use super::super::{Case, Harness, check, id_of, newest};

pub fn tells_the_lag(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "lag");
    let before = case.records(&case.input()).len();
    assert_eq!(before, 0);
    case.feed(0, 30, 30);
    let written: BTreeMap<u32, Timestamp> = case
        .records(&case.input())
        .iter()
        .rev()
        .map(|m| (m.partition, m.timestamp))
        .collect();
    let mut session = case.open(10);
    let (batch, _) = case.batch(&mut *session);
    let lags = session.lag().unwrap();
    let messages: u64 = lags.iter().map(Lag::messages).sum();
    assert!(messages >= 30, "nothing is committed: {messages}");
    assert!(!lags.iter().all(Lag::drained));
    // A clock of milliseconds on one side may be one of microseconds on the other.
    let written: BTreeMap<u32, i64> = written.iter().map(|(p, t)| (*p, t.as_millisecond())).collect();
    let until = Instant::now() + case.harness.patience();
    loop {
        let lags = session.lag().unwrap();
        let oldest = lags
            .iter()
            .filter_map(|l| Some((l.partition, l.oldest?.as_millisecond())));
        if oldest.collect::<BTreeMap<u32, i64>>() == written {
            break;
        }
        assert!(Instant::now() < until, "{lags:?}, {written:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    session
        .commit(case.copy_of(&batch, batch.messages.len()))
        .unwrap();
    let left: u64 = session.lag().unwrap().iter().map(Lag::messages).sum();
    assert!(left < messages && left >= 20, "{left} of {messages} are left");
    case.copy_all(&mut *session);
    for lag in session.lag().unwrap() {
        assert!(
            lag.drained() && lag.messages() == 0 && lag.oldest.is_none(),
            "{lag:?}"
        );
    }
    case.feed(30, 31, 30);
    assert!(
        !session.lag().unwrap().iter().all(Lag::drained),
        "one more has come"
    );
}

pub fn drains_over_gaps(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "gaps");
    case.feed(0, 50, 9);
    let mut session = case.open(5);
    if case.harness.fail_next_commit() {
        let (batch, _) = case.batch(&mut *session);
        let failed = session
            .commit(case.copy_of(&batch, batch.messages.len()))
            .unwrap();
        assert!(matches!(failed, Commit::Rewound { .. }));
    }
    case.copy_all(&mut *session);
    // A member that never asks for messages would hold its group up.
    drop(session);
    // The output was written by many transactions, some of which may have left gaps at the end.
    let reader = case.config(&case.output(), 100);
    let mut behind = case.bus().session(reader.clone()).unwrap();
    let until = Instant::now() + case.harness.patience();
    let mut read = 0;
    let drain = |session: &mut dyn telex_stream::Session, read: &mut usize| {
        loop {
            assert!(
                Instant::now() < until,
                "never drained: {:?}",
                session.lag().unwrap()
            );
            match session.next(Duration::from_millis(50)).unwrap() {
                Event::Batch(batch) => {
                    *read += batch.messages.len();
                    let offsets = batch.offsets(batch.messages.len());
                    let transaction = Transaction {
                        offsets,
                        ..Transaction::default()
                    };
                    assert_eq!(session.commit(transaction).unwrap(), Commit::Committed);
                }
                Event::Idle => {
                    let lags = session.lag().unwrap();
                    if !lags.is_empty() && lags.iter().all(Lag::drained) {
                        break;
                    }
                }
                _ => {}
            }
        }
    };
    drain(&mut *behind, &mut read);
    assert_eq!(read, 50);
    drop(behind);
    // A new session begins at the committed offsets, before what is no message.
    let mut again = case.bus().session(reader).unwrap();
    drain(&mut *again, &mut read);
    assert_eq!(read, 50);
}

pub fn restores_a_compacted_topic(harness: &mut dyn Harness) {
    let case = Case::new(harness, "restore", &[Topic::Items, Topic::Frontier]);
    let (input, state) = (case.topic(&Topic::Items), case.topic(&Topic::Frontier));
    let mut expected = BTreeMap::new();
    for round in 0..5 {
        let mut records = Vec::new();
        for key in 0..40 {
            let gone = (key + round) % 7 == 0;
            let name = format!("key-{key}");
            let value = format!("{round}");
            records.push(Output {
                topic: state.clone(),
                key: Bytes::from(name.clone()),
                route: Route::By(Bytes::from(format!("domain-{}", key % 11))),
                value: (!gone).then(|| Bytes::from(value.clone())),
                headers: Vec::new(),
            });
            if gone {
                expected.remove(&name);
            } else {
                expected.insert(name, value);
            }
        }
        case.bus().append(records).unwrap();
    }
    for _ in 0..2 {
        let mut session = case.bus().session(case.config(&input, 10)).unwrap();
        let mut restored = Vec::new();
        for assignment in case.assigned(&mut *session) {
            let partition = assignment.partition;
            session
                .restore(&state, partition, &mut |message| {
                    assert_eq!(message.partition, partition);
                    restored.push(message);
                })
                .unwrap();
        }
        assert_eq!(newest(&restored), expected);
        drop(session);
        case.harness.restart();
    }
}

pub fn resets_and_replays(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "reset");
    case.feed(0, 40, 20);
    std::thread::sleep(Duration::from_millis(30));
    case.feed(40, 70, 20);
    let all = case.records(&case.input());
    let second = all.iter().find(|m| id_of(m) == 40).unwrap().timestamp;
    case.copy_all(&mut *case.open(50));
    let replay = |to: Reset| -> BTreeSet<usize> {
        let (bus, input) = (case.bus(), case.input());
        case.eventually(|| bus.reset(&case.group, &input, to));
        let mut session = case.open(50);
        case.copy_all(&mut *session).iter().map(|m| id_of(m)).collect()
    };
    let ids = |keep: &dyn Fn(&Message) -> bool| -> BTreeSet<usize> {
        all.iter().filter(|m| keep(m)).map(|m| id_of(m)).collect()
    };
    assert_eq!(replay(Reset::Earliest), ids(&|_| true));
    assert_eq!(replay(Reset::Latest), BTreeSet::new());
    assert_eq!(replay(Reset::Offset(2)), ids(&|m| m.offset >= 2));
    assert_eq!(replay(Reset::Timestamp(second)), (40..70).collect());
    assert_eq!(replay(Reset::Offset(1 << 30)), BTreeSet::new());
    // Nothing was lost behind an offset that does not exist.
    case.feed(70, 80, 20);
    let mut session = case.open(50);
    let later: BTreeSet<usize> = case.copy_all(&mut *session).iter().map(|m| id_of(m)).collect();
    assert_eq!(later, (70..80).collect());
    let missing = case.bus().reset(&case.group, "no-such-topic", Reset::Earliest);
    assert!(matches!(missing, Err(BusError::NoTopic(_))), "{missing:?}");
}

pub fn keeps_what_is_uncommitted(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "retention");
    if !case.harness.abilities().keeps_uncommitted {
        // Kafka deletes by age whether or not a group has read: nothing is promised that could be tested.
        return;
    }
    case.feed(0, 100, 11);
    let day = Duration::from_secs(24 * 60 * 60);
    let mut session = case.open(30);
    let (batch, _) = case.batch(&mut *session);
    // A group that has read and never committed has everything before it.
    if !case.harness.pass_time(2 * day) {
        return;
    }
    assert_eq!(case.records(&case.input()).len(), 100, "nothing was committed");
    session
        .commit(case.copy_of(&batch, batch.messages.len()))
        .unwrap();
    case.harness.pass_time(2 * day);
    let left = case.records(&case.input());
    assert_eq!(
        left.len(),
        100 - batch.messages.len(),
        "what was committed is old enough"
    );
    case.copy_all(&mut *session);
    check::exactly_once(&case, 100);
    drop(session);
    case.harness.pass_time(2 * day);
    assert_eq!(case.records(&case.input()).len(), 0);
    assert_eq!(case.records(&case.output()).len(), 100, "kept for a week");
    // The group goes on where it was.
    case.feed(100, 110, 11);
    let mut session = case.open(30);
    case.copy_all(&mut *session);
    check::exactly_once(&case, 110);
}
