//! Articles a second through the SQLite sink, full-text index included: batches of 500 articles of 5 kB.
#![allow(clippy::expect_used, missing_docs, reason = "a bench is no API")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use telex_model::Tagged;
use telex_sink::{Articles, Change, JsonLines, Query, Row, Sink, SqliteOptions, SqliteSink};
use telex_site::Words;

mod news;

const BATCH: u64 = 500;

/// Stores `batches` new batches; gives the time that it took.
fn store(sink: &mut dyn Sink, words: &mut Words, next: &mut u64, batches: u64) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..batches {
        let made: Vec<(u64, Tagged)> = (*next..*next + BATCH)
            .map(|n| (n, news::tagged(words, n)))
            .collect();
        let json: Vec<String> = made
            .iter()
            .map(|(_, a)| serde_json::to_string(a).expect("JSON"))
            .collect();
        *next += BATCH;
        let begin = Instant::now();
        // As the stage does: the message is parsed first.
        let parsed: Vec<Tagged> = json
            .iter()
            .map(|j| serde_json::from_str(j).expect("parsed"))
            .collect();
        let rows: Vec<Row<'_>> = made
            .iter()
            .zip(parsed.iter().zip(&json))
            .map(|((n, _), (article, json))| Row {
                partition: 0,
                offset: *n,
                next: n + 1,
                timestamp: Timestamp::UNIX_EPOCH,
                change: Change::Put { article, json },
            })
            .collect();
        black_box(sink.store("bench", &rows).expect("stored"));
        total += begin.elapsed();
    }
    total
}

fn bench(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut group = c.benchmark_group("sink");
    group.sample_size(10).throughput(Throughput::Elements(BATCH));
    let mut words = Words::default();
    let path = folder.path().join("articles.sqlite");
    let mut sqlite = SqliteSink::open(&path, &SqliteOptions::default()).expect("a sink");
    let mut next = 0;
    group.bench_function("sqlite", |b| {
        b.iter_custom(|n| store(&mut sqlite, &mut words, &mut next, n));
    });
    let stored = next;
    let mut lines = JsonLines::open(&folder.path().join("tagged.jsonl")).expect("a sink");
    group.bench_function("json_lines", |b| {
        b.iter_custom(|n| store(&mut lines, &mut words, &mut next, n));
    });
    group.finish();
    let bytes = std::fs::metadata(&path).map_or(0, |m| m.len());
    eprintln!(
        "{stored} articles take {} kB each on disk",
        bytes / stored.max(1) / 1000
    );

    let articles = Articles::open(&path).expect("a reader");
    let query = Query {
        tag: Some("ukraine".to_owned()),
        search: Some("kami топ* -sol".to_owned()),
        limit: Some(50),
        ..Query::default()
    };
    c.bench_function("search/newest_50_of_a_tag", |b| {
        b.iter(|| black_box(articles.query(&query).filter_map(Result::ok).count()));
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
