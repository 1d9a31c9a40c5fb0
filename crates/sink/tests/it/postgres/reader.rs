//! Reading PostgreSQL as it is asked for: changes, stories, what takes too long, servers that are not there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use telex_sink::{
    ChangeKind, Changes, PostgresArticles, PostgresDatabase, PostgresError, PostgresSink, Query, Reader,
    Sink, SinkError,
};

use super::{own, server, sink};
use crate::conformance::stories::history;
use crate::server::Server;
use crate::support::{Database, LOG, Said, article, minute, put, rows, store_from};

fn reader(server: &Server, database: &str) -> Box<dyn Reader> {
    Box::new(try_reader(server, database).expect("a reader"))
}

fn try_reader(server: &Server, database: &str) -> Result<PostgresArticles, SinkError> {
    let database = PostgresDatabase::new(&server.url(database)).expect("a URL");
    assert!(!format!("{database:?}").contains("horse"), "{database:?}");
    database.open()
}

/// What changed behind a number, at most seven: what is told of each, and the number of the last.
fn told(reader: &mut dyn Reader, after: u64) -> (Vec<String>, u64) {
    let Changes::Following(list) = reader.changes(after, 7).expect("read") else {
        panic!("{after} is known");
    };
    let last = list.last().map_or(after, |c| c.number);
    let told = list.into_iter().map(|c| match c.change {
        ChangeKind::Stored(stored) => {
            let a = stored.parse().expect("a message");
            format!("{} r{}", a.id, a.revision)
        }
        ChangeKind::Withdrawn(id) => format!("-{id}"),
    });
    (told.collect(), last)
}

/// The story of each of the history's articles: id, number, its articles, the others'.
fn stories(reader: &mut dyn Reader) -> Vec<String> {
    let mut found = Vec::new();
    for n in 0..40 {
        let Some(stored) = reader.get(article(n).id).expect("read") else {
            continue;
        };
        let Some(story) = reader.story_of(&stored).expect("read") else {
            assert!(reader.others_of_story(&stored, 50).expect("read").is_empty());
            continue;
        };
        let all = reader.story(&story.id, 50).expect("read");
        assert_eq!(all.len() as u64, story.articles);
        let all: Vec<_> = all.iter().map(|a| a.parse().expect("a message").id).collect();
        let others = reader.others_of_story(&stored, 3).expect("read");
        found.push(format!("{n} {} {all:?} {others:?}", story.id));
    }
    found
}

#[test]
fn changes_and_stories_are_those_that_sqlite_gives() {
    let Some(server) = server() else { return };
    let (sqlite, database) = (Database::new(), server.database());
    let (mut first, mut second) = (sqlite.sink(), sink(server, &database));
    second.connect().expect("connected");
    let (mut lite, mut reader) = (sqlite.articles(), reader(server, &database));
    assert_eq!(reader.last_change().expect("read"), 0);
    assert_eq!(told(&mut *reader, 0), (Vec::new(), 0));
    let (mut of_lite, mut of_postgres) = ((0, Vec::new()), (0, Vec::new()));
    for (n, part) in history().chunks(9).enumerate() {
        store_from(&mut first, n as u64 * 9, part);
        store_from(&mut second, n as u64 * 9, part);
        // Sometimes more is new than is read.
        for (reader, (seen, all)) in [
            (&mut lite as &mut dyn Reader, &mut of_lite),
            (&mut *reader, &mut of_postgres),
        ] {
            let (told, last) = told(reader, *seen);
            all.extend(told);
            *seen = last;
        }
    }
    assert!(of_lite.1.len() > 60, "{}", of_lite.1.len());
    assert_eq!(of_postgres.1, of_lite.1);
    let found = stories(&mut lite);
    assert!(found.len() > 10, "{found:?}");
    assert_eq!(stories(&mut *reader), found);
}

#[test]
fn old_changes_are_forgotten_and_their_readers_told() {
    let Some(server) = server() else { return };
    let database = server.database();
    let mut sink = sink(server, &database);
    store_from(&mut sink, 0, &[put(&article(1))]);
    let mut client = server.client(&database);
    let far = "ALTER TABLE telex.change ALTER number RESTART WITH 1000001";
    client.batch_execute(far).expect("set");
    store_from(&mut sink, 1, &[put(&article(2))]);
    let mut reader = reader(server, &database);
    assert_eq!(reader.changes(0, 9).expect("read"), Changes::Lost(1_000_001));
    assert_eq!(
        told(&mut *reader, 1),
        (vec![format!("{} r1", article(2).id)], 1_000_001)
    );
    assert_eq!(
        reader.changes(1_000_002, 9).expect("read"),
        Changes::Lost(1_000_001),
        "of another database"
    );
    let kept = client.query("SELECT FROM telex.change", &[]).expect("read");
    assert_eq!(kept.len(), 1, "what nobody may ask for is not kept");
}

/// Whoever follows while several replicas store misses nothing.
#[test]
fn of_long_articles_fewer_are_read_at_once() {
    let Some(server) = server() else { return };
    let name = server.database();
    let long = |n| {
        put(&telex_model::Tagged {
            text: "a word ".repeat(9_000),
            ..article(n)
        })
    };
    let batch: Vec<Said> = (0..25).map(long).collect();
    store_from(&mut sink(server, &name), 0, &batch);
    let mut reader = reader(server, &name);
    let mut read = |after, limit| {
        let Changes::Following(list) = reader.changes(after, limit).expect("read") else {
            panic!("{after} is known");
        };
        list.iter().map(|c| c.number).collect::<Vec<_>>()
    };
    let all = read(0, 100);
    assert_eq!(all.len(), 20, "each is 63 kB of the 1 MiB");
    let last = all.last().copied().expect("a change");
    assert_eq!([read(last, 100).len(), read(0, 7).len()], [5, 7]);
}

#[test]
fn numbers_become_visible_in_order() {
    let Some(server) = server() else { return };
    let database = server.database();
    sink(server, &database).connect().expect("made");
    let done = AtomicBool::new(false);
    let came = std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let (mut reader, mut seen, mut came) = (reader(server, &database), 0, Vec::new());
            loop {
                // Asked before it is read: what was stored by then is seen.
                let last = done.load(Ordering::SeqCst);
                let (told, number) = told(&mut *reader, seen);
                if told.is_empty() && last {
                    return came;
                }
                came.extend(told);
                seen = number;
            }
        });
        let replica = |partition: u32| {
            let mut sink = sink(server, &database);
            move || {
                for n in 0..25_u32 {
                    let said: Vec<Said> = (0..3)
                        .map(|k| put(&article(partition * 1000 + n * 3 + k)))
                        .collect();
                    let stored = rows(partition, u64::from(n) * 3, minute(0), &said, |rows| {
                        sink.store(LOG, rows)
                    });
                    stored.expect("stored");
                }
            }
        };
        let replicas: Vec<_> = (0..4).map(|p| scope.spawn(replica(p))).collect();
        let joined: Vec<_> = replicas.into_iter().map(|r| r.join()).collect();
        done.store(true, Ordering::SeqCst);
        let came = follower.join().expect("joined");
        assert!(joined.iter().all(Result::is_ok));
        came
    });
    let mut ids = came.clone();
    ids.sort();
    ids.dedup();
    assert_eq!((came.len(), ids.len()), (300, 300));
}

#[test]
fn articles_from_before_have_places_and_no_changes() {
    let Some(server) = server() else { return };
    let database = server.database();
    let mut older = sink(server, &database);
    store_from(&mut older, 0, &[put(&article(1)), put(&article(2))]);
    assert_eq!(older.go_back(2).expect("gone back"), [3]);
    let refused = try_reader(server, &database).expect_err("refused");
    assert!(
        refused.chain().contains("start the sink once"),
        "{}",
        refused.chain()
    );
    let refused = older.read(&Query::default(), &mut |_| true).expect_err("refused");
    assert!(
        refused.chain().contains("start the sink once"),
        "{}",
        refused.chain()
    );
    let mut newer = sink(server, &database);
    store_from(&mut newer, 2, &[put(&article(3))]);
    let mut reader = reader(server, &database);
    let found = crate::support::names(&mut *reader, &Query::default());
    assert_eq!(found, ["3", "2", "1"]);
    assert_eq!(told(&mut *reader, 0).0, [format!("{} r1", article(3).id)]);
}

#[test]
fn a_database_without_tables_or_of_nobody_is_told() {
    let Some(server) = server() else { return };
    let empty = try_reader(server, &server.database()).expect_err("refused");
    assert!(empty.chain().contains("telex run sink"), "{}", empty.chain());
    let none = try_reader(server, "nowhere").expect_err("refused");
    assert!(none.chain().contains("no such database"), "{}", none.chain());
}

/// Every row that is read takes a while.
fn slow(server: &Server, database: &str) {
    server
        .client(database)
        .batch_execute(
            "ALTER TABLE telex.article RENAME TO article_itself;
             CREATE VIEW telex.article AS SELECT * FROM telex.article_itself WHERE pg_sleep(0.1) IS NOT NULL",
        )
        .expect("made");
}

#[test]
fn what_takes_too_long_is_ended_by_whoever_asks_or_by_the_server() {
    let Some(server) = server() else { return };
    let database = server.database();
    let said: Vec<Said> = (0..300).map(|n| put(&article(n))).collect();
    store_from(&mut sink(server, &database), 0, &said);
    slow(server, &database);
    let count = |reader: &mut dyn Reader| reader.count(&Query::default()).expect_err("ended");
    let mut asked = reader(server, &database);
    let interrupt = asked.interrupt();
    let done = AtomicBool::new(false);
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                interrupt.interrupt();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let error = count(&mut *asked);
        done.store(true, Ordering::SeqCst);
        error
    });
    assert!(
        matches!(error, SinkError::Postgres(PostgresError::TooLong)),
        "{error:?}"
    );
    let error = count(&mut *reader(server, &database));
    assert!(error.chain().contains("ask for less"), "{}", error.chain());
}

#[test]
fn a_reader_changes_nothing_and_waits_for_no_lock() {
    let Some(server) = server() else { return };
    let database = server.database();
    store_from(&mut sink(server, &database), 0, &[put(&article(1))]);
    let mut reader = reader(server, &database);
    let mut other = server.client(&database);
    let mut tx = other.transaction().expect("begun");
    tx.batch_execute("LOCK TABLE telex.article").expect("locked");
    let error = reader.count(&Query::default()).expect_err("locked");
    assert!(
        matches!(error, SinkError::Postgres(PostgresError::Busy { .. })),
        "{error:?}"
    );
    drop(tx);
    assert_eq!(reader.count(&Query::default()).expect("counted"), 1);
    let settings =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'telex-console'";
    let named: i64 = other.query_one(settings, &[&database]).expect("read").get(0);
    assert_eq!(named, 1);
}

#[test]
fn a_server_that_ended_is_noticed() {
    let Some(mut server) = own(&[]) else { return };
    let database = server.database();
    store_from(&mut sink(&server, &database), 0, &[put(&article(1))]);
    let mut before = reader(&server, &database);
    assert!(before.is_alive());
    server.stop();
    assert!(!before.is_alive());
    let error = before.count(&Query::default()).expect_err("gone");
    assert!(error.chain().contains("does not answer"), "{}", error.chain());
    let error = try_reader(&server, &database).expect_err("nobody is there");
    assert!(error.chain().contains("does not answer"), "{}", error.chain());
    server.launch().expect("started again");
    assert_eq!(
        reader(&server, &database)
            .count(&Query::default())
            .expect("counted"),
        1
    );
}

/// The newest articles of a tag, and of all, are read by their indexes, however many there are.
#[test]
fn the_newest_are_read_by_their_indexes() {
    let Some(server) = server() else { return };
    let database = server.database();
    PostgresSink::new(&server.url(&database))
        .and_then(|mut s| s.connect())
        .expect("made");
    let mut client = server.client(&database);
    client
        .batch_execute(
            "INSERT INTO telex.article(id, revision, topics_version, generation, url, title, text, authors, first_seen,
               kind, domain, feed, quality, message)
             SELECT md5(n::text), 1, '0a', 0, 'u', 't', 'x', '{}', now() - n * interval '1 minute', 'article', 'd', 'f', 1, '{}'
             FROM generate_series(1, 20000) n;
             INSERT INTO telex.tag(article, topic, first_seen, score, evidence)
             SELECT id, CASE WHEN seq % 3 = 0 THEN 'often' ELSE 'seldom' END, first_seen, 1, '[]' FROM telex.article
             WHERE seq % 3 = 0 OR seq % 500 = 1;
             ANALYZE telex.article; ANALYZE telex.tag",
        )
        .expect("filled");
    drop(client);
    let mut client = server.client(&database);
    let (scans_before, rows_before) = read_so_far(&mut client, 20_000);
    let mut reader = reader(server, &database);
    for tag in [None, Some("often"), Some("seldom")] {
        let mut query = Query {
            tag: tag.map(str::to_owned),
            limit: Some(5),
            ..Query::default()
        };
        for _ in 0..3 {
            let found: Vec<_> = reader.query(&query).map(|a| a.expect("read")).collect();
            assert_eq!(found.len(), 5);
            query.after = found.last().map(|a| a.cursor);
        }
    }
    drop(reader);
    let (scans, rows) = read_so_far(&mut client, rows_before + 45);
    assert_eq!(scans - scans_before, 0);
    assert!(
        rows - rows_before < 2000,
        "{} rows read for 45",
        rows - rows_before
    );
}

/// Scans of whole tables, and rows read of them, as soon as there are so many: they are counted when a reader has gone.
fn read_so_far(client: &mut postgres::Client, rows: i64) -> (i64, i64) {
    let sql = "SELECT sum(seq_scan)::bigint, sum(coalesce(idx_tup_fetch, 0) + seq_tup_read)::bigint
               FROM pg_stat_user_tables WHERE schemaname = 'telex' AND relname IN ('article', 'tag')";
    let begun = std::time::Instant::now();
    loop {
        let row = client.query_one(sql, &[]).expect("read");
        let read: (i64, i64) = (row.get(0), row.get(1));
        if read.1 >= rows {
            return read;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{read:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
