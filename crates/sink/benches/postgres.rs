//! The PostgreSQL sink beside a bare `COPY` of the same rows, batch for batch in one run: what the positions, the
//! look-ups, the stories and the making of the rows cost. `COPY` goes into tables with the same columns and indexes, full
//! text included, and into tables that lack them one after the other: what each costs.
//!
//! A server of its own is started for it; without one it says so and ends.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    dead_code,
    reason = "a bench is no API, and uses a part of what the tests do"
)]

mod news;

#[path = "../tests/server/mod.rs"]
mod server;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use postgres::Client;
use telex_model::Tagged;
use telex_sink::{Change, PostgresSink, Row, Sink};
use telex_site::Words;

const BATCH: usize = 500;
const BATCHES: usize = 12;

const ARTICLE: &str = "id, seq, revision, topics_version, generation, url, canonical_url, title, text, authors, \
    published, modified, first_seen, language, kind, domain, feed, quality, fingerprint, lead_image, message";
const TAG: &str = "article, topic, first_seen, score, evidence";
const STORY: &str = "number, article, story, fingerprint, language, first_seen";

/// Tables that `COPY` writes to: its name, and what makes them. Each lacks what the one before it has.
const TABLES: [(&str, &str); 5] = [
    (
        "the same tables and indexes",
        "CREATE TABLE same_article(LIKE telex.article INCLUDING ALL);
         CREATE TABLE same_tag(LIKE telex.tag INCLUDING ALL,
           FOREIGN KEY(article) REFERENCES same_article(id) ON DELETE CASCADE);
         CREATE TABLE same_story(LIKE telex.story INCLUDING ALL EXCLUDING IDENTITY,
           FOREIGN KEY(article) REFERENCES same_article(id) ON DELETE CASCADE)",
    ),
    (
        "articles alone, all indexes",
        "CREATE TABLE alone_article(LIKE telex.article INCLUDING ALL)",
    ),
    (
        "and no index of words",
        "CREATE TABLE wordless_article(LIKE telex.article INCLUDING ALL);
         DROP INDEX wordless_article_search_idx",
    ),
    (
        "and no column of words",
        "CREATE TABLE unsought_article(LIKE telex.article INCLUDING ALL);
         ALTER TABLE unsought_article DROP COLUMN search",
    ),
    (
        "no index at all",
        "CREATE TABLE bare_article(LIKE telex.article INCLUDING DEFAULTS);
         ALTER TABLE bare_article DROP COLUMN search",
    ),
];

fn main() {
    let server = match server::Server::start(&[]) {
        Ok(server) => server,
        Err(reason) => return println!("nothing measured: {reason}"),
    };
    let database = server.database();
    let mut sink = PostgresSink::new(&server.url(&database)).expect("a URL");
    sink.connect().expect("a connection");
    let mut client = server.client(&database);
    let settings: [&str; 2] = [
        "SET default_toast_compression = 'lz4'",
        "SET synchronous_commit = on",
    ];
    for setting in settings {
        client.batch_execute(setting).expect("set");
    }
    for (_, make) in TABLES {
        client.batch_execute(make).expect("made");
    }
    let mut words = Words::default();
    let mut ours = Duration::ZERO;
    let mut copies = [Duration::ZERO; TABLES.len()];
    for batch in 0..BATCHES {
        let first = batch * BATCH;
        let articles: Vec<Tagged> = (first..first + BATCH)
            .map(|n| news::tagged(&mut words, n as u64))
            .collect();
        ours += store(&mut sink, first, &articles);
        let ids: Vec<String> = articles.iter().map(|a| format!("'{}'", a.id)).collect();
        let ids = ids.join(",");
        let mut rows = |table: &str, columns: &str, id: &str| {
            dump(
                &mut client,
                &format!("SELECT {columns} FROM telex.{table} WHERE {id} IN ({ids})"),
            )
        };
        let stored = [
            ("article", ARTICLE, rows("article", ARTICLE, "id")),
            ("tag", TAG, rows("tag", TAG, "article")),
            ("story", STORY, rows("story", STORY, "article")),
        ];
        for ((_, make), total) in TABLES.iter().zip(&mut copies) {
            *total += copy(&mut client, make, &stored);
        }
    }
    let per_second = |time: Duration| (BATCH * BATCHES) as f64 / time.as_secs_f64();
    println!("the sink: {:.0} articles/s", per_second(ours));
    for ((name, _), time) in TABLES.iter().zip(copies) {
        println!(
            "COPY, {name}: {:.0} articles/s; the sink has {:.2} of it",
            per_second(time),
            time.as_secs_f64() / ours.as_secs_f64()
        );
    }
}

fn store(sink: &mut PostgresSink, first: usize, articles: &[Tagged]) -> Duration {
    let json: Vec<String> = articles
        .iter()
        .map(|a| serde_json::to_string(a).expect("JSON"))
        .collect();
    let rows: Vec<Row<'_>> = (first as u64..)
        .zip(articles.iter().zip(&json))
        .map(|(offset, (article, json))| Row {
            partition: 0,
            offset,
            next: offset + 1,
            timestamp: Timestamp::UNIX_EPOCH,
            change: Change::Put { article, json },
        })
        .collect();
    let begin = Instant::now();
    sink.store("bench", &rows).expect("stored");
    begin.elapsed()
}

/// The rows of a query as `COPY` takes them.
fn dump(client: &mut Client, query: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = client
        .copy_out(&format!("COPY ({query}) TO STDOUT (FORMAT binary)"))
        .expect("begun");
    out.read_to_end(&mut bytes).expect("read");
    drop(out);
    bytes
}

/// Copies rows into those of their tables that a statement made.
fn copy(client: &mut Client, make: &str, stored: &[(&str, &str, Vec<u8>)]) -> Duration {
    let begin = Instant::now();
    let mut tx = client.transaction().expect("begun");
    for (table, columns, bytes) in stored {
        let words = make.split(['(', ' ']);
        let Some(name) = words
            .into_iter()
            .find(|word| word.ends_with(&format!("_{table}")))
        else {
            continue;
        };
        let statement = format!("COPY {name}({columns}) FROM STDIN (FORMAT binary)");
        let mut writer = tx.copy_in(&statement).expect("begun");
        writer.write_all(bytes).expect("written");
        writer.finish().expect("copied");
    }
    tx.commit().expect("committed");
    begin.elapsed()
}
