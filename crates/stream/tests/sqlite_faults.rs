//! What can happen to a file: other processes, damage, no room, a process that is killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use telex_model::{Stage, Topic};
use telex_stream::sqlite::{SqliteBus, SqliteOptions};
use telex_stream::{
    Batch, Bus, BusError, Commit, Control, DeadLetter, DriverError, Event, FinishedWork, Lag, Limits,
    Message, Outcome, Output, RateLimit, Reset, Route, Session, SessionConfig, Source, SourceContext,
    Transaction, read_all, run_source,
};
use telex_telemetry::{Health, Metrics};

const INPUT: &str = "t.pages.v1";
const OUTPUT: &str = "t.articles.v1";

/// Names the folder that a child process is to write to.
const CHILD: &str = "TELEX_TEST_CHILD_FOLDER";

fn open(folder: &Path, runner: bool) -> Result<SqliteBus, BusError> {
    let bus = SqliteBus::open(SqliteOptions::new(folder, runner))?;
    bus.create_topics("t", &[Topic::Pages, Topic::Articles])?;
    Ok(bus)
}

fn record(topic: &str, id: usize, value: Vec<u8>) -> Output {
    Output {
        topic: topic.to_owned(),
        key: Bytes::from(id.to_string()),
        route: Route::Key,
        value: Some(Bytes::from(value)),
        headers: vec![("n".to_owned(), id.to_string())],
    }
}

fn feed(bus: &dyn Bus, from: usize, to: usize) {
    bus.append((from..to).map(|id| record(INPUT, id, vec![b'v'; 100])).collect())
        .unwrap();
}

fn session(bus: &dyn Bus, group: &str) -> Box<dyn Session> {
    let config = SessionConfig {
        group: group.to_owned(),
        input: INPUT.to_owned(),
        max_batch_messages: 50,
        max_batch_bytes: 4 << 20,
    };
    bus.session(config).unwrap()
}

fn batch(session: &mut dyn Session) -> Batch {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        if let Event::Batch(batch) = session.next(Duration::from_millis(100)).unwrap() {
            return batch;
        }
    }
    panic!("no batch came");
}

fn copy(batch: &Batch) -> Transaction {
    let copied = |m: &Arc<Message>| Output {
        topic: OUTPUT.to_owned(),
        key: m.key.clone(),
        route: Route::Key,
        value: m.value.clone(),
        headers: m.headers.clone(),
    };
    Transaction {
        offsets: batch.offsets(batch.messages.len()),
        outputs: batch.messages.iter().map(copied).collect(),
        ..Transaction::default()
    }
}

/// Copies until nothing is left; gives the number of messages.
fn copy_all(session: &mut dyn Session) -> usize {
    let mut copied = 0;
    loop {
        match session.next(Duration::from_millis(250)).unwrap() {
            Event::Batch(batch) => {
                copied += batch.messages.len();
                assert_eq!(session.commit(copy(&batch)).unwrap(), Commit::Committed);
            }
            Event::Idle if session.lag().unwrap().iter().all(Lag::drained) => return copied,
            _ => {}
        }
    }
}

fn keys(bus: &dyn Bus, topic: &str) -> Vec<usize> {
    let mut keys = Vec::new();
    let number = |m: Arc<Message>| String::from_utf8(m.key.to_vec()).unwrap().parse().unwrap();
    read_all(bus, topic, &mut |m| keys.push(number(m))).unwrap();
    keys.sort_unstable();
    keys
}

#[test]
fn refuses_a_second_runner() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open(folder.path(), true).unwrap();
    match open(folder.path(), true) {
        Err(BusError::InUse(text)) => {
            assert!(
                text.contains(&format!("process {}", std::process::id())),
                "{text}"
            );
            assert!(text.contains("--data-dir"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    // The role lasts as long as anybody can still write.
    let session = session(&bus, "g");
    drop(bus);
    assert!(matches!(open(folder.path(), true), Err(BusError::InUse(_))));
    drop(session);
    open(folder.path(), true).unwrap();
}

#[test]
fn works_beside_a_runner() {
    let folder = tempfile::tempdir().unwrap();
    let runner = open(folder.path(), true).unwrap();
    let mut working = session(&runner, "g");
    feed(&runner, 0, 20);
    assert_eq!(copy_all(&mut *working), 20);
    let beside = open(folder.path(), false).unwrap();
    assert_eq!(keys(&beside, OUTPUT).len(), 20, "it sees what the runner wrote");
    // In turns, so that the runner's memory is behind the file in between.
    for round in 1..4 {
        feed(&beside, round * 20, round * 20 + 10);
        feed(&runner, round * 20 + 10, round * 20 + 20);
        assert_eq!(copy_all(&mut *working), 20, "the runner sees what was appended");
    }
    assert_eq!(keys(&runner, OUTPUT), (0..80).collect::<Vec<_>>());
    let refused = beside.reset("g", INPUT, Reset::Earliest);
    assert!(matches!(refused, Err(BusError::InUse(_))), "{refused:?}");
    drop((working, runner));
    beside.reset("g", INPUT, Reset::Earliest).unwrap();
    let committed = beside.committed("g", INPUT).unwrap();
    assert!(committed.iter().all(|(_, next)| *next == 0));
}

fn unusable(folder: &Path) -> (String, String) {
    match SqliteBus::open(SqliteOptions::new(folder, true)) {
        Err(BusError::Unusable { what, hint }) => (what, hint),
        other => panic!("{other:?}"),
    }
}

#[test]
fn says_what_is_wrong_with_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.sqlite");

    std::fs::write(
        &path,
        "this is no database, but long enough to be read as one".repeat(99),
    )
    .unwrap();
    let (what, hint) = unusable(folder.path());
    assert!(
        what.contains("damaged") && hint.contains("keep a copy"),
        "{what}; {hint}"
    );

    // A database of another program, with and without a mark of its own, is not touched.
    for mark in [
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 77",
        "PRAGMA user_version = 1",
    ] {
        std::fs::remove_file(&path).unwrap();
        let other = rusqlite::Connection::open(&path).unwrap();
        other
            .execute_batch(&format!(
                "{mark}; CREATE TABLE theirs(x); INSERT INTO theirs VALUES (1);"
            ))
            .unwrap();
        drop(other);
        let before = std::fs::read(&path).unwrap();
        let (what, _) = unusable(folder.path());
        assert!(what.contains("another program"), "{what}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    std::fs::remove_file(&path).unwrap();
    drop(open(folder.path(), true).unwrap());
    let later = rusqlite::Connection::open(&path).unwrap();
    later.pragma_update(None, "user_version", 99).unwrap();
    drop(later);
    let (what, _) = unusable(folder.path());
    assert!(what.contains("version 99"), "{what}");
}

#[test]
fn says_where_it_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    // Root may write anywhere, but nobody can make a folder below a file.
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let (what, hint) = unusable(&file.join("data"));
    assert!(
        what.contains("cannot be made") && hint.contains("--data-dir"),
        "{what}; {hint}"
    );
    // Nor open one as a database.
    std::fs::create_dir(folder.path().join("bus.sqlite")).unwrap();
    let (what, hint) = unusable(folder.path());
    assert!(
        what.contains("cannot be written") && hint.contains("owner"),
        "{what}; {hint}"
    );
}

#[test]
fn notices_damage_inside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.sqlite");
    let bus = open(folder.path(), true).unwrap();
    feed(&bus, 0, 2000);
    assert_eq!(bus.check().unwrap(), "ok");
    drop(bus);
    let mut bytes = std::fs::read(&path).unwrap();
    let (third, half) = (bytes.len() / 3, bytes.len() / 2);
    bytes[third..half].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    // It may be opened, as the first pages are whole; reading it is an error in words, and never a panic.
    let text = match SqliteBus::open(SqliteOptions::new(folder.path(), true)) {
        Err(error) => error.to_string(),
        Ok(bus) => match bus.check() {
            Ok(text) => text,
            Err(error) => error.to_string(),
        },
    };
    assert_ne!(text, "ok");
}

#[test]
fn goes_on_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let small = |max_bytes| {
        let options = SqliteOptions {
            max_bytes,
            ..SqliteOptions::new(folder.path(), true)
        };
        let bus = SqliteBus::open(options).unwrap();
        bus.create_topics("t", &[Topic::Pages, Topic::Articles]).unwrap();
        bus
    };
    let bus = small(4 << 20);
    let mut fed = 0;
    let refused = loop {
        let more = (fed..fed + 20)
            .map(|id| record(INPUT, id, vec![b'v'; 3000]))
            .collect();
        match bus.append(more) {
            Ok(()) => fed += 20,
            Err(error) => break error,
        }
        assert!(fed < 10_000, "the cap is not kept");
    };
    assert!(
        matches!(&refused, BusError::Full(text) if text.contains("max_bytes")),
        "{refused:?}"
    );
    let usage = bus.usage().unwrap();
    assert!(
        usage.bytes <= usage.max_bytes && usage.bytes > usage.max_bytes / 2,
        "{usage:?}"
    );
    assert_eq!(keys(&bus, INPUT), (0..fed).collect::<Vec<_>>());

    // A commit that does not fit is rewound, and tried again in vain.
    let mut working = session(&bus, "g");
    for _ in 0..3 {
        let batch = batch(&mut *working);
        let result = working.commit(copy(&batch)).unwrap();
        assert!(matches!(result, Commit::Rewound { .. }), "{result:?}");
    }
    assert!(keys(&bus, OUTPUT).is_empty());
    drop((working, bus));

    let bus = small(64 << 20);
    assert_eq!(copy_all(&mut *session(&bus, "g")), fed);
    assert_eq!(keys(&bus, OUTPUT), (0..fed).collect::<Vec<_>>());
}

#[test]
fn makes_room_of_what_all_have_read() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        max_bytes: 4 << 20,
        ..SqliteOptions::new(folder.path(), true)
    };
    let bus = SqliteBus::open(options).unwrap();
    bus.create_topics("t", &[Topic::Pages]).unwrap();
    let mut working = session(&bus, "g");
    let until = Instant::now() + Duration::from_secs(120);
    // Ten times what fits, of which nothing is old.
    for round in 0..130 {
        let records = || {
            (0..100)
                .map(|id| record(INPUT, round * 100 + id, vec![b'v'; 3000]))
                .collect()
        };
        while let Err(error) = bus.append(records()) {
            assert!(matches!(error, BusError::Full(_)), "{error:?}");
            assert!(Instant::now() < until, "no room is made");
            std::thread::sleep(Duration::from_millis(5));
        }
        for _ in 0..2 {
            let batch = batch(&mut *working);
            let offsets = batch.offsets(batch.messages.len());
            let transaction = Transaction {
                offsets,
                ..Transaction::default()
            };
            assert_eq!(working.commit(transaction).unwrap(), Commit::Committed);
        }
    }
}

/// Writes a page for every item at once.
struct Pages;

/// What no compression makes smaller: 100 kB of an xorshift's output.
fn noise(seed: usize) -> Vec<u8> {
    let mut x = seed as u64 * 2 + 1;
    let next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x.to_le_bytes()
    };
    std::iter::repeat_with(next).take(12_500).flatten().collect()
}

impl Source for Pages {
    fn restored_from(&self) -> Vec<String> {
        Vec::new()
    }
    fn restore(&mut self, _topic: &str, _message: &Message) {}
    fn assigned(&mut self, _partition: u32) {}
    fn revoked(&mut self, _partitions: &[u32]) {}
    fn ingest(&mut self, message: &Message) -> Outcome {
        let id: usize = std::str::from_utf8(&message.key).unwrap().parse().unwrap();
        Outcome::Emit(vec![record(INPUT, id, noise(id))])
    }
    fn start(&mut self, _now: Instant) -> Option<Instant> {
        None
    }
    fn finished(&mut self) -> Vec<FinishedWork> {
        Vec::new()
    }
    fn idle(&self) -> bool {
        true
    }
}

#[test]
fn a_source_leaves_room_for_those_who_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        max_bytes: 8 << 20,
        ..SqliteOptions::new(folder.path(), true)
    };
    let bus = SqliteBus::open(options).unwrap();
    bus.create_topics("t", &[Topic::Items, Topic::Pages]).unwrap();
    // Two and a half times what fits.
    let items = (0..200)
        .map(|id| record("t.items.v1", id, b"{}".to_vec()))
        .collect();
    bus.append(items).unwrap();
    let mut reader = session(&bus, "reader");
    let config = SessionConfig {
        group: "source".to_owned(),
        input: "t.items.v1".to_owned(),
        max_batch_messages: 5,
        max_batch_bytes: 4 << 20,
    };
    let (health, control) = (Health::default(), Control::default());
    let context = SourceContext {
        control: control.clone(),
        dead: DeadLetter::new(Stage::Fetcher, "t"),
        limits: Limits::new(RateLimit::default()),
        metrics: Metrics::new().stage(Stage::Fetcher, &[], &[]),
        health: health.stage("fetcher"),
        patience: Duration::from_secs(60),
    };
    let source = bus.session(config).unwrap();
    let summary = std::thread::scope(|scope| {
        let running = scope.spawn(|| run_source(source, &mut Pages, context).unwrap());
        let until = Instant::now() + Duration::from_secs(20);
        while !health
            .ready()
            .is_err_and(|reason| reason.contains("bus.max_bytes"))
        {
            assert!(Instant::now() < until, "the source does not wait for room");
            std::thread::sleep(Duration::from_millis(5));
        }
        let usage = bus.usage().unwrap();
        assert!(
            usage.bytes < usage.max_bytes,
            "it stops before the bus is full: {usage:?}"
        );
        control.drain();
        let mut read = 0;
        while read < 200 {
            let batch = batch(&mut *reader);
            read += batch.messages.len();
            let offsets = batch.offsets(batch.messages.len());
            let transaction = Transaction {
                offsets,
                ..Transaction::default()
            };
            assert_eq!(reader.commit(transaction).unwrap(), Commit::Committed);
        }
        running.join().unwrap()
    });
    assert_eq!(summary.messages_out, 200);
}

#[test]
fn a_source_gives_up_where_nobody_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        max_bytes: 4 << 20,
        ..SqliteOptions::new(folder.path(), true)
    };
    let bus = SqliteBus::open(options).unwrap();
    bus.create_topics("t", &[Topic::Items, Topic::Pages]).unwrap();
    let items = (0..100)
        .map(|id| record("t.items.v1", id, b"{}".to_vec()))
        .collect();
    bus.append(items).unwrap();
    let _reader = session(&bus, "reader");
    let config = SessionConfig {
        group: "source".to_owned(),
        input: "t.items.v1".to_owned(),
        max_batch_messages: 5,
        max_batch_bytes: 4 << 20,
    };
    let control = Control::default();
    control.drain();
    let context = SourceContext {
        control,
        dead: DeadLetter::new(Stage::Fetcher, "t"),
        limits: Limits::new(RateLimit::default()),
        metrics: Metrics::new().stage(Stage::Fetcher, &[], &[]),
        health: Health::default().stage("fetcher"),
        patience: Duration::from_millis(600),
    };
    let error = run_source(bus.session(config).unwrap(), &mut Pages, context).unwrap_err();
    assert!(
        matches!(&error, DriverError::Stuck { reason, .. } if reason.contains("bus.max_bytes")),
        "{error}"
    );
}

#[test]
fn commits_of_several_sessions_share_a_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open(folder.path(), true).unwrap();
    feed(&bus, 0, 600);
    std::thread::scope(|scope| {
        for group in 0..6 {
            let mut working = session(&bus, &format!("g{group}"));
            scope.spawn(move || assert_eq!(copy_all(&mut *working), 600));
        }
    });
    let copied = keys(&bus, OUTPUT);
    assert_eq!(copied.len(), 3600);
    for (i, key) in copied.iter().enumerate() {
        assert_eq!(*key, i / 6, "each group copied each message once");
    }
}

#[test]
fn reads_from_the_file_what_memory_has_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        tail_bytes: 20_000,
        ..SqliteOptions::new(folder.path(), true)
    };
    let bus = SqliteBus::open(options).unwrap();
    bus.create_topics("t", &[Topic::Pages, Topic::Articles]).unwrap();
    let mut working = session(&bus, "g");
    let mut fed = 0;
    for more in [10, 500, 3, 1, 700, 20, 1, 1] {
        feed(&bus, fed, fed + more);
        fed += more;
        let usage = bus.usage().unwrap();
        assert!(usage.tail_bytes <= 20_000 && usage.tail_bytes > 0, "{usage:?}");
        if more != 3 {
            copy_all(&mut *working);
        }
    }
    assert_eq!(keys(&bus, OUTPUT), (0..fed).collect::<Vec<_>>());
}

/// Not a test of its own: what the killed process runs.
#[test]
fn child_copies_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let bus = open(Path::new(&folder), true).unwrap();
    let mut working = session(&bus, "g");
    loop {
        if let Event::Batch(batch) = working.next(Duration::from_millis(100)).unwrap() {
            working.commit(copy(&batch)).unwrap();
        }
    }
}

#[test]
fn survives_being_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut fed = 0;
    for round in 0..6 {
        // Beside the process that is killed, as the command line does.
        let beside = open(folder.path(), false).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_copies_until_it_is_killed", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let before = keys(&beside, OUTPUT).len();
        for _ in 0..10 {
            feed(&beside, fed, fed + 200);
            fed += 200;
        }
        let until = Instant::now() + Duration::from_secs(60);
        while keys(&beside, OUTPUT).len() < before + 100 * (round + 1) {
            assert!(Instant::now() < until, "the child does not work");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(beside.check().unwrap(), "ok");
        // What is out there is what was committed, neither more nor less.
        let offsets: u64 = beside
            .committed("g", INPUT)
            .unwrap()
            .iter()
            .map(|(_, next)| next)
            .sum();
        assert_eq!(keys(&beside, OUTPUT).len() as u64, offsets);
    }
    let bus = open(folder.path(), true).unwrap();
    copy_all(&mut *session(&bus, "g"));
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for key in keys(&bus, OUTPUT) {
        *counts.entry(key).or_default() += 1;
    }
    assert_eq!(counts.len(), fed);
    assert!(counts.values().all(|n| *n == 1), "once each");
}
