//! Commits: what they hold together, and who may make them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use telex_model::Stage;
use telex_model::event::header;
use telex_stream::{Commit, DeadLetter, Event, Fatal, Message, Transaction};

use super::super::model::Random;
use super::super::{Case, Harness, check, copied, id_of};

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
        .map(|m| copied(&case.output(), m))
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
