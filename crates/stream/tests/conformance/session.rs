//! Cases on sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use telex_model::event::header;
use telex_model::{MAX_MESSAGE_BYTES, Stage, Topic};
use telex_stream::{
    BusError, Commit, DeadLetter, Event, Fatal, Lag, Message, Output, Reset, Route, Transaction,
};

use super::model::Random;
use super::{Case, Harness, check, id_of, newest, numbered};

pub fn hands_out_everything_once_in_order(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "order");
    case.feed(0, 400, 17);
    let mut session = case.open(40);
    let read = case.copy_all(&mut *session);
    check::ids_once(&read, 400);
    check::in_order(&read);
    // What comes while the session waits is handed out as well.
    case.feed(400, 500, 17);
    check::in_order(&case.copy_all(&mut *session));
    check::exactly_once(&case, 500);
}

pub fn survives_restarts_anywhere(harness: &mut dyn Harness) {
    let rounds = harness.rounds();
    let case = Case::copy(harness, "restarts");
    let mut random = Random(7);
    case.feed(0, 30 * rounds, 13);
    for round in 0..rounds {
        let mut session = case.open(25);
        for _ in 0..random.below(3) {
            let (batch, _) = case.batch(&mut *session);
            let n = 1 + random.below(batch.messages.len());
            let whole = case.copy_of(&batch, n);
            assert_eq!(session.commit(whole).unwrap(), Commit::Committed);
            if n < batch.messages.len() {
                // The rest of the batch is still ours, and is committed with a later one or not at all.
                session.rewind().unwrap();
            }
        }
        if random.below(2) == 0 {
            let (batch, _) = case.batch(&mut *session);
            drop(case.copy_of(&batch, batch.messages.len()));
        }
        drop(session);
        if round % 2 == 0 {
            case.harness.restart();
        }
    }
    case.copy_all(&mut *case.open(100));
    check::exactly_once(&case, 30 * rounds);
}

pub fn rewinds_after_a_failed_commit(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "rewind");
    case.feed(0, 60, 7);
    let mut session = case.open(20);
    let (first, _) = case.batch(&mut *session);
    let whole = case.copy_of(&first, first.messages.len());
    assert_eq!(session.commit(whole).unwrap(), Commit::Committed);
    let committed = case.bus().committed(&case.group, &case.input()).unwrap();

    let (failing, _) = case.batch(&mut *session);
    if !case.harness.fail_next_commit() {
        return;
    }
    let result = session
        .commit(case.copy_of(&failing, failing.messages.len()))
        .unwrap();
    assert!(matches!(result, Commit::Rewound { .. }), "{result:?}");
    assert_eq!(case.records(&case.output()).len(), first.messages.len());
    assert_eq!(
        case.bus().committed(&case.group, &case.input()).unwrap(),
        committed
    );

    case.copy_all(&mut *session);
    check::exactly_once(&case, 60);
}

pub fn commits_dead_letters_with_offsets(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "dead");
    case.feed(0, 1, 1);
    let dead = DeadLetter::new(Stage::Cleaner, &case.prefix);
    let mut session = case.open(10);
    let transaction = |message: &Message| Transaction {
        offsets: BTreeMap::from([(message.partition, message.next)]),
        outputs: vec![dead.make(message, "invalid_json", "line 1, column 2: naïve")],
        ..Transaction::default()
    };
    let (mut batch, _) = case.batch(&mut *session);
    if case.harness.fail_next_commit() {
        let failed = session.commit(transaction(&batch.messages[0])).unwrap();
        assert!(matches!(failed, Commit::Rewound { .. }));
        assert_eq!(case.records(&case.dead()), []);
        (batch, _) = case.batch(&mut *session);
    }
    let message = Arc::clone(&batch.messages[0]);
    assert_eq!(session.commit(transaction(&message)).unwrap(), Commit::Committed);
    let letters = case.records(&case.dead());
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (&letters[0].key, &letters[0].value),
        (&message.key, &message.value)
    );
    let origin = format!("{}/{}/{}", case.input(), message.partition, message.offset);
    for (name, value) in [
        ("telex_dead_reason", "invalid_json"),
        ("telex_dead_detail", "line 1, column 2: naïve"),
        ("telex_dead_origin", origin.as_str()),
        ("ce_type", "telex.dead-letter.v1"),
        ("ce_source", "/telex/cleaner"),
        ("ce_id", origin.as_str()),
        ("n", "0"),
    ] {
        assert_eq!(header(&letters[0].headers, name), Some(value), "{name}");
    }
    let committed = case.bus().committed(&case.group, &case.input()).unwrap();
    assert!(committed.contains(&(message.partition, message.next)));
}

pub fn keeps_batches_within_limits(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "limits");
    let bytes = |size: usize| Output {
        value: Some(Bytes::from(vec![b'x'; size])),
        ..numbered(&case.input(), 0, 1)
    };
    case.bus()
        .append(vec![
            bytes(700),
            bytes(700),
            bytes(5000),
            bytes(10),
            bytes(10),
            bytes(10),
        ])
        .unwrap();
    let mut config = case.config(&case.input(), 2);
    config.max_batch_bytes = 1000;
    let mut session = case.bus().session(config).unwrap();
    let mut sizes = Vec::new();
    while sizes.iter().map(Vec::len).sum::<usize>() < 6 {
        let (batch, _) = case.batch(&mut *session);
        let sized: Vec<usize> = batch.messages.iter().map(|m| m.size()).collect();
        assert!(sized.len() <= 2, "{sized:?}");
        // Closed at the limit: no message was added once it was reached.
        let before_last: usize = sized.iter().rev().skip(1).sum();
        assert!(before_last < 1000, "{sized:?}");
        session
            .commit(case.copy_of(&batch, batch.messages.len()))
            .unwrap();
        sizes.push(sized);
    }
    assert!(
        sizes
            .iter()
            .any(|s| s.contains(&5000) || s.iter().any(|s| *s > 5000))
    );
}

pub fn carries_what_was_written(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "carry");
    let output = |key: &str, route, value: Option<Vec<u8>>| Output {
        topic: case.input(),
        key: Bytes::from(key.to_owned()),
        route,
        value: value.map(Bytes::from),
        headers: vec![
            ("traceparent".into(), "00-1".into()),
            ("title".into(), "„Zürich“ 東京".into()),
        ],
    };
    // Long enough for every kind of compression, and not compressible.
    let mut random = Random(3);
    let noise: Vec<u8> = (0..20_000).map(|_| random.next().to_le_bytes()[0]).collect();
    let written = [
        output("a", Route::Partition(5), None),
        output("b", Route::Partition(5), Some(Vec::new())),
        output("c", Route::Partition(5), Some(vec![0, 255, 10])),
        output("", Route::Partition(5), Some(b"text ".repeat(4000))),
        output("e", Route::Partition(5), Some(noise)),
    ];
    case.bus().append(written.to_vec()).unwrap();
    case.bus()
        .append(vec![output(
            "f",
            Route::By(Bytes::from_static(b"example.org")),
            None,
        )])
        .unwrap();

    let by_session = {
        let mut session = case.open(100);
        case.copy_all(&mut *session)
    };
    for read in [by_session, case.records(&case.input())] {
        let five: Vec<_> = read.iter().filter(|m| m.key.as_ref() != b"f").collect();
        assert_eq!(five.len(), written.len());
        for (message, output) in five.into_iter().zip(&written) {
            assert_eq!(message.partition, 5);
            assert_eq!(message.key, output.key);
            assert_eq!(message.value, output.value);
            assert_eq!(message.headers, output.headers);
        }
        let routed = read.iter().find(|m| m.key.as_ref() == b"f").unwrap();
        assert_eq!(routed.partition, telex_model::partition_for(b"example.org", 12));
    }
}

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

pub fn refuses_oversize(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "oversize");
    let of_size = |size: usize| {
        let empty = Output {
            value: Some(Bytes::new()),
            ..numbered(&case.input(), 0, 1)
        };
        let value = Bytes::from(vec![b'x'; size - empty.size()]);
        Output {
            value: Some(value),
            ..empty
        }
    };
    case.bus().append(vec![of_size(MAX_MESSAGE_BYTES)]).unwrap();
    let refused = case.bus().append(vec![
        numbered(&case.input(), 1, 1),
        of_size(MAX_MESSAGE_BYTES + 1),
    ]);
    let wanted = (case.input(), MAX_MESSAGE_BYTES + 1, MAX_MESSAGE_BYTES);
    match refused {
        Err(BusError::Oversize { topic, size, limit }) => assert_eq!((topic, size, limit), wanted),
        other => panic!("{other:?}"),
    }
    let kept = case.records(&case.input());
    assert_eq!(kept.len(), 1, "all or none");
    assert_eq!(kept[0].size(), MAX_MESSAGE_BYTES);
    let mut session = case.open(10);
    let (batch, _) = case.batch(&mut *session);
    let mut transaction = case.copy_of(&batch, 1);
    transaction.outputs.push(of_size(MAX_MESSAGE_BYTES + 1));
    let refused = session.commit(transaction);
    assert!(matches!(refused, Err(Fatal::Defect(_))), "drivers check before");
    drop(session);
    assert_eq!(case.records(&case.output()), []);
}

pub fn remembers_attempts(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "attempts");
    case.feed(0, 5, 1);
    for attempt in 0..3 {
        let mut session = case.open(3);
        let (batch, assigned) = case.batch(&mut *session);
        let partition = batch.messages[0].partition;
        let ours = assigned.iter().find(|a| a.partition == partition).unwrap();
        assert_eq!(
            (ours.attempts, ours.committed),
            (attempt, batch.messages[0].offset)
        );
        let transaction = Transaction {
            attempts: BTreeMap::from([(partition, attempt + 1)]),
            ..Transaction::default()
        };
        assert_eq!(session.commit(transaction).unwrap(), Commit::Committed);
        drop(session);
        case.harness.restart();
    }
    let mut session = case.open(3);
    let (batch, assigned) = case.batch(&mut *session);
    let partition = batch.messages[0].partition;
    assert!(
        assigned
            .iter()
            .any(|a| a.partition == partition && a.attempts == 3)
    );
    session.commit(case.copy_of(&batch, 2)).unwrap();
    drop(session);
    let mut session = case.open(3);
    let (batch, assigned) = case.batch(&mut *session);
    assert_eq!(id_of(&batch.messages[0]), 2);
    assert!(assigned.iter().all(|a| a.attempts == 0), "a commit clears them");
}

pub fn pauses_and_wakes(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "pause");
    let mut session = case.open(10);
    case.assigned(&mut *session);
    session.pause();
    case.feed(0, 5, 5);
    for _ in 0..5 {
        let event = session.next(Duration::from_millis(50)).unwrap();
        assert!(!matches!(event, Event::Batch(_)), "paused");
    }
    session.resume();
    let (batch, _) = case.batch(&mut *session);
    session
        .commit(case.copy_of(&batch, batch.messages.len()))
        .unwrap();
    case.copy_all(&mut *session);
    check::exactly_once(&case, 5);

    let waker = session.waker();
    let begin = Instant::now();
    let long = case.harness.patience();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            waker.wake();
        });
        assert!(matches!(session.next(long).unwrap(), Event::Idle));
    });
    assert!(begin.elapsed() < long / 2, "the waker ends the wait");
    // One that came before the wait is not lost.
    waker.wake();
    assert!(matches!(session.next(long).unwrap(), Event::Idle));
    assert!(begin.elapsed() < long, "an early call counts");
}

pub fn revokes_in_mid_batch(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "revoke");
    if !case.harness.abilities().members {
        return;
    }
    case.feed(0, 200, 50);
    let mut old = case.open(200);
    let (batch, _) = case.batch(&mut *old);
    assert!(!batch.messages.is_empty());
    let mut new = case.open(200);
    let until = Instant::now() + case.harness.patience();
    let (mut revoked, mut assigned) = (BTreeSet::new(), BTreeSet::new());
    // The old session never commits what it read; the new one gets part of it.
    while assigned.is_empty() {
        assert!(Instant::now() < until, "nothing changed hands");
        match old.next(Duration::from_millis(50)).unwrap() {
            Event::Revoked { partitions, .. } => revoked.extend(partitions),
            Event::Batch(_) | Event::Idle | Event::Assigned(_) => {}
            Event::Lost(_) => panic!("it was there all the time"),
        }
        match new.next(Duration::from_millis(50)).unwrap() {
            Event::Assigned(more) => assigned.extend(more.iter().map(|a| a.partition)),
            Event::Idle => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(assigned.is_subset(&revoked), "{assigned:?} of {revoked:?}");
    // What is still the old one's is committed in part; the rest goes to the new one when the old one leaves.
    let kept: BTreeMap<u32, u64> = batch
        .offsets(batch.messages.len())
        .into_iter()
        .filter(|(p, _)| !revoked.contains(p))
        .collect();
    let outputs = batch
        .messages
        .iter()
        .filter(|m| kept.contains_key(&m.partition))
        .map(|m| super::copied(&case.output(), m))
        .collect();
    let transaction = Transaction {
        offsets: kept,
        outputs,
        ..Transaction::default()
    };
    assert_eq!(old.commit(transaction).unwrap(), Commit::Committed);
    drop(old);
    let until = Instant::now() + case.harness.patience();
    while case.records(&case.output()).len() < 200 {
        assert!(Instant::now() < until, "the new session does not take over");
        if let Event::Batch(batch) = new.next(Duration::from_millis(50)).unwrap() {
            new.commit(case.copy_of(&batch, batch.messages.len())).unwrap();
        }
    }
    check::exactly_once(&case, 200);
}

pub fn fences_the_older_of_two(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "fence");
    if case.harness.abilities().members {
        // There both are members and share the partitions (`revokes_in_mid_batch`); that a member which was left
        // behind is fenced is tested where a back end can leave one behind.
        return;
    }
    case.feed(0, 40, 5);
    let mut old = case.open(20);
    let (stale, _) = case.batch(&mut *old);
    let mut new = case.open(20);
    assert_eq!(old.commit(case.copy_of(&stale, 20)).unwrap(), Commit::Fenced);
    assert_eq!(case.records(&case.output()), []);
    let after = old.next(Duration::from_millis(10));
    assert!(
        matches!(after, Err(Fatal::Bus { .. }) | Ok(Event::Lost(_))),
        "a fenced session hands out nothing more: {after:?}"
    );
    case.copy_all(&mut *new);
    check::exactly_once(&case, 40);
}
