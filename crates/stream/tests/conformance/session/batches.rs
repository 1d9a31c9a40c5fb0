//! What a session hands out and takes in.

use std::time::{Duration, Instant};

use bytes::Bytes;
use telex_model::MAX_MESSAGE_BYTES;
use telex_stream::{BusError, Event, Fatal, Output, Route};

use super::super::model::Random;
use super::super::{Case, Harness, check, numbered};

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
