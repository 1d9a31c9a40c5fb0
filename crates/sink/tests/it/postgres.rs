//! What only PostgreSQL does: servers that end, connections that are cut, replicas, versions.

mod proxy;
mod reader;
mod reading;
mod stories;
mod tls;

use std::sync::OnceLock;

use postgres::Client;
use telex_model::Tagged;
use telex_sink::{Fate, Order, PostgresError, PostgresSink, Query, Sink, SinkError};

use crate::server::{PASSWORD, Server, missing, url};
use crate::support::{Said, article, minute, put, store_from, tag, try_store};
use proxy::{Cut, Proxy};

/// The server that the tests share, each with a database of its own.
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| own(&[])).as_ref()
}

/// A server of a test's own, which it may end.
fn own(settings: &[&str]) -> Option<Server> {
    Server::start(settings).map_err(|reason| missing(&reason)).ok()
}

/// The stored articles, oldest first; columns and tags are what their messages say.
pub(crate) fn articles(client: &mut Client) -> Vec<Tagged> {
    let read = "SELECT message::text, id, revision, title, text, authors, url, domain, language, quality,
                  coalesce((SELECT array_agg(topic ORDER BY topic) FROM telex.tag t WHERE t.article = a.id), '{}')
                FROM telex.article a ORDER BY first_seen, id";
    let rows = client.query(read, &[]).expect("read");
    let article = |row: &postgres::Row| {
        let article: Tagged = serde_json::from_str(row.get(0)).expect("a tagged message");
        assert_eq!(row.get::<_, String>(1), article.id.to_string());
        assert_eq!(row.get::<_, i64>(2), i64::from(article.revision));
        assert_eq!(row.get::<_, String>(3), article.title);
        assert_eq!(row.get::<_, String>(4), article.text);
        assert_eq!(row.get::<_, Vec<String>>(5), article.authors);
        assert_eq!(row.get::<_, String>(6), article.url);
        assert_eq!(row.get::<_, String>(7), article.source.domain);
        assert_eq!(row.get::<_, Option<String>>(8), article.language);
        assert_eq!(row.get::<_, f64>(9), article.quality);
        let mut topics: Vec<String> = article.tags.iter().map(|t| t.topic.clone()).collect();
        topics.sort();
        topics.dedup();
        assert_eq!(row.get::<_, Vec<String>>(10), topics);
        article
    };
    rows.iter().map(article).collect()
}

fn sink(server: &Server, database: &str) -> PostgresSink {
    PostgresSink::new(&server.url(database)).expect("a URL")
}

/// Last parts of the stored articles' URLs.
fn found(server: &Server, database: &str) -> Vec<String> {
    articles(&mut server.client(database))
        .iter()
        .map(|a| a.url.rsplit('/').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn tags_and_words_are_found() {
    let Some(server) = server() else { return };
    let database = server.database();
    let (mut a, mut b) = (article(1), article(2));
    a.tags = vec![tag("nato", 0.9), tag("nato", 0.4), tag("ukraine", 0.5)];
    b.tags = vec![tag("nato", 0.7)];
    b.text = "Переговори тривають у Києві.".to_owned();
    store_from(&mut sink(server, &database), 0, &[put(&a), put(&b)]);
    let mut client = server.client(&database);
    let mut ids = |sql: &str| -> Vec<String> {
        let rows = client.query(sql, &[]).expect("read");
        rows.iter().map(|r| r.get(0)).collect()
    };
    let newest = "SELECT article FROM telex.tag WHERE topic = 'nato' ORDER BY first_seen DESC";
    assert_eq!(ids(newest), [b.id.to_string(), a.id.to_string()]);
    let score = "SELECT score::text FROM telex.tag WHERE topic = 'nato' ORDER BY score DESC LIMIT 1";
    assert_eq!(ids(score), ["0.9"], "of a tag given twice the surest");
    let words =
        "SELECT id FROM telex.article WHERE search @@ websearch_to_tsquery('simple', 'києві переговори')";
    assert_eq!(ids(words), [b.id.to_string()]);
    let title =
        "SELECT id FROM telex.article WHERE search @@ websearch_to_tsquery('simple', 'report council')";
    assert_eq!(ids(title), [a.id.to_string()]);
}

#[test]
fn replicas_start_at_once_and_share_the_work() {
    let Some(server) = server() else { return };
    let database = server.database();
    std::thread::scope(|scope| {
        for partition in 0..6_u32 {
            let mut sink = sink(server, &database);
            scope.spawn(move || {
                for n in 0..10_u32 {
                    let said = [put(&article(partition * 100 + n))];
                    let stored = crate::support::rows(partition, u64::from(n), minute(0), &said, |rows| {
                        sink.store(crate::support::LOG, rows)
                    });
                    assert_eq!(stored.expect("stored"), [Fate::Stored]);
                }
            });
        }
    });
    assert_eq!(found(server, &database).len(), 60);
}

/// Two processes hold the same partition, the one that lost it without knowing so; both store what they have read.
#[test]
fn a_process_whose_partition_is_anothers_stores_nothing_twice() {
    let Some(server) = server() else { return };
    let database = server.database();
    let said: Vec<Said> = (0..40)
        .map(|n| match n % 4 {
            3 => Said::Retract(article(n - 1).id),
            _ => put(&article(n)),
        })
        .collect();
    let fates: Vec<Vec<Fate>> = std::thread::scope(|scope| {
        let running: Vec<_> = [3_usize, 7]
            .into_iter()
            .map(|step| {
                let (said, mut sink) = (&said, sink(server, &database));
                scope.spawn(move || {
                    let mut fates = Vec::new();
                    for (n, part) in said.chunks(step).enumerate() {
                        fates.extend(store_from(&mut sink, (n * step) as u64, part));
                    }
                    fates
                })
            })
            .collect();
        running.into_iter().map(|r| r.join().expect("joined")).collect()
    });
    let once = |n: usize| fates.iter().filter(|f| f[n] == Fate::Stored).count() == 1;
    assert!((0..said.len()).all(once), "{fates:?}");
    assert_eq!(found(server, &database).len(), 20);
}

#[test]
fn a_commit_cut_off_is_known_afterwards() {
    let Some(server) = server() else { return };
    for cut in [Cut::BeforeTheCommit, Cut::AfterTheCommit] {
        let database = server.database();
        let proxy = Proxy::to(server.port);
        let mut sink = PostgresSink::new(&url(proxy.port, &database)).expect("a URL");
        store_from(&mut sink, 0, &[put(&article(1))]);
        proxy.cut(cut);
        // The sink connects anew by itself: the positions tell whether the batch came through.
        let fates = store_from(&mut sink, 1, &[put(&article(2)), Said::Retract(article(1).id)]);
        let wanted = match cut {
            Cut::BeforeTheCommit => Fate::Stored,
            _ => Fate::AlreadyStored,
        };
        assert_eq!(fates, [wanted; 2], "{cut:?}");
        assert_eq!(proxy.cuts(), 1);
        store_from(&mut sink, 3, &[put(&article(3))]);
        assert_eq!(found(server, &database), ["2", "3"], "{cut:?}");
    }
}

#[test]
fn a_server_that_ends_and_comes_back_is_waited_for() {
    let Some(mut server) = own(&[]) else { return };
    let database = server.database();
    let mut sink = sink(&server, &database);
    store_from(&mut sink, 0, &[put(&article(1))]);
    server.stop();
    let batch = [put(&article(2)), put(&article(3))];
    for _ in 0..2 {
        let error = try_store(&mut sink, 1, minute(0), &batch).expect_err("nobody is there");
        let text = error.chain();
        assert!(error.may_pass() && text.contains("does not answer"), "{text}");
        assert!(
            text.contains(&format!("127.0.0.1:{}/{database}", server.port)),
            "{text}"
        );
    }
    server.launch().expect("started again");
    assert_eq!(store_from(&mut sink, 1, &batch), [Fate::Stored; 2]);
    assert_eq!(found(&server, &database), ["1", "2", "3"]);
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let Some(server) = server() else { return };
    let database = server.database();
    let url = format!("postgres://postgres:hunter2@127.0.0.1:{}/{database}", server.port);
    let mut sink = PostgresSink::new(&url).expect("a URL");
    let error = sink.connect().expect_err("refused");
    let text = format!("{} {error:?} {sink:?}", error.chain());
    assert!(
        !error.may_pass() && text.contains("check user, password"),
        "{text}"
    );
    assert!(!text.contains("hunter2") && !text.contains(PASSWORD), "{text}");
    // And where the URL has none.
    let url = format!("postgres://postgres@127.0.0.1:{}/{database}", server.port);
    let error = PostgresSink::new(&url)
        .expect("a URL")
        .connect()
        .expect_err("refused");
    assert!(
        !error.may_pass() && error.chain().contains("check user"),
        "{}",
        error.chain()
    );
    let missing = PostgresSink::new(&server.url("no_such"))
        .expect("a URL")
        .connect();
    let text = missing.expect_err("refused").chain();
    assert!(text.contains("CREATE DATABASE"), "{text}");
}

#[test]
fn tls_is_asked_for_where_the_url_says_so() {
    let Some(server) = server() else { return };
    let url = format!("{}?sslmode=require", server.url("postgres"));
    let error = PostgresSink::new(&url)
        .expect("a URL")
        .connect()
        .expect_err("it has none");
    assert!(
        !error.may_pass() && error.chain().contains("switch it on at the server"),
        "{}",
        error.chain()
    );
}

#[test]
fn tables_of_a_newer_version_are_refused_and_led_back() {
    let Some(server) = server() else { return };
    let database = server.database();
    store_from(&mut sink(server, &database), 0, &[put(&article(1))]);
    let mut client = server.client(&database);
    client
        .batch_execute(
            "ALTER TABLE telex.article ADD COLUMN mood text;
             INSERT INTO telex.migration(version, back) VALUES (4, 'ALTER TABLE article DROP COLUMN mood')",
        )
        .expect("changed");
    let mut older = sink(server, &database);
    let error = older.connect().expect_err("refused");
    assert!(
        matches!(
            error,
            SinkError::Postgres(PostgresError::Newer {
                found: 4,
                known: 3,
                ..
            })
        ),
        "{}",
        error.chain()
    );
    assert!(!error.may_pass() && error.chain().contains("telex sink migrate --to 3"));
    assert!(older.look().is_err());
    assert_eq!(older.go_back(3).expect("gone back"), [4]);
    assert_eq!(older.look().expect("known again"), Some(3));
    store_from(&mut older, 1, &[put(&article(2))]);
    assert_eq!(found(server, &database), ["1", "2"]);
    assert_eq!(older.go_back(0).expect("gone back"), [3, 2, 1]);
    assert_eq!(older.look().expect("nothing there"), Some(0));
    older.connect().expect("made anew");
    assert!(found(server, &database).is_empty());
}

#[test]
fn a_user_who_may_only_write_needs_no_more_once_the_tables_are_there() {
    let Some(server) = server() else { return };
    let database = server.database();
    let mut client = server.client(&database);
    client
        .batch_execute(&format!(
            "CREATE ROLE writer_{database} LOGIN PASSWORD 'w'; GRANT CONNECT ON DATABASE {database} TO writer_{database}"
        ))
        .expect("made");
    let url = format!(
        "postgres://writer_{database}:w@127.0.0.1:{}/{database}",
        server.port
    );
    let mut writer = PostgresSink::new(&url).expect("a URL");
    let error = writer.connect().expect_err("it may not make tables");
    assert!(
        !error.may_pass() && error.chain().contains("GRANT"),
        "{}",
        error.chain()
    );
    sink(server, &database).connect().expect("made by another user");
    client
        .batch_execute(&format!(
            "GRANT USAGE ON SCHEMA telex TO writer_{database};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA telex TO writer_{database}"
        ))
        .expect("granted");
    store_from(&mut writer, 0, &[put(&article(1))]);
    assert_eq!(found(server, &database), ["1"]);
}

/// A frozen process amid its transaction: locks are not waited for without end, and told.
#[test]
fn a_lock_that_is_held_is_told() {
    let Some(server) = server() else { return };
    let database = server.database();
    let mut sink = sink(server, &database);
    store_from(&mut sink, 0, &[put(&article(1))]);
    let mut other = server.client(&database);
    let mut tx = other.transaction().expect("begun");
    tx.batch_execute("SELECT FROM telex.position FOR UPDATE")
        .expect("locked");
    let error = try_store(&mut sink, 1, minute(0), &[put(&article(2))]).expect_err("held");
    assert!(
        error.may_pass() && error.chain().contains("lock timeout"),
        "{}",
        error.chain()
    );
    drop(tx);
    assert_eq!(store_from(&mut sink, 1, &[put(&article(2))]), [Fate::Stored]);
}

#[test]
fn a_database_that_cannot_hold_all_letters_is_refused() {
    let Some(server) = server() else { return };
    let mut client = server.client("postgres");
    client
        .batch_execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        .expect("made");
    let error = sink(server, "latin").connect().expect_err("refused");
    assert!(
        !error.may_pass() && error.chain().contains("LATIN1"),
        "{}",
        error.chain()
    );
}

#[test]
fn what_is_stored_is_read_by_tag_words_language_and_time() {
    let Some(server) = server() else { return };
    let database = server.database();
    let reader = sink(server, &database);
    let read = |query: Query| -> Vec<String> {
        let mut urls = Vec::new();
        let mut give = |json: &str| {
            let article: Tagged = serde_json::from_str(json).expect("a tagged message");
            urls.push(article.url.rsplit('/').next().unwrap_or_default().to_owned());
            urls.len() < 400
        };
        reader.read(&query, &mut give).expect("read");
        urls
    };
    assert!(read(Query::default()).is_empty(), "no tables yet");
    let all: Vec<Said> = (0..450)
        .map(|n| {
            let mut a = article(n);
            if n % 100 == 7 {
                a.tags = vec![tag("nato", 0.5)];
                a.language = Some("uk-UA".to_owned());
                a.title = format!("Переговори {n}");
            }
            put(&a)
        })
        .collect();
    store_from(&mut sink(server, &database), 0, &all);
    assert_eq!(read(Query::default()).len(), 400, "until it is enough");
    let tagged = Query {
        tag: Some("nato".to_owned()),
        ..Query::default()
    };
    assert_eq!(read(tagged.clone()), ["407", "307", "207", "107", "7"]);
    let some = Query {
        language: Some("UK".to_owned()),
        search: Some("переговори council -207".to_owned()),
        since: Some(minute(100)),
        limit: Some(2),
        order: Order::OldestFirst,
        ..tagged
    };
    assert_eq!(read(some), ["107", "307"]);
}
