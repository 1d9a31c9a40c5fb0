//! Articles a second through the SQLite sink, full-text index included: batches of 500 articles of 5 kB.
//!
//! Words are drawn by a Zipf-like law from 50,000, so that the index has the shape that it has with real text.
#![allow(clippy::expect_used, missing_docs, reason = "a bench is no API")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use telex_model::{Article, ArticleId, Kind, Source, Tag, Tagged};
use telex_sink::{Articles, Change, JsonLines, Query, Row, Sink, SqliteOptions, SqliteSink};

const BATCH: u64 = 500;
const TEXT_BYTES: usize = 5_000;

/// Pseudo-random numbers of xorshift64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A word whose rank has a density of 1/rank.
    fn word(&mut self) -> String {
        let uniform = (self.next() % 1_000_000) as f64 / 1e6;
        let mut rank = 50_000_f64.powf(uniform) as u64;
        let mut word = String::new();
        loop {
            let syllable = ["ka", "то", "mi", "re", "ни", "sol", "an", "ве"];
            word.push_str(syllable.get((rank % 8) as usize).copied().unwrap_or("a"));
            rank /= 8;
            if rank == 0 {
                return word;
            }
        }
    }

    fn text(&mut self, bytes: usize) -> String {
        let mut text = String::new();
        while text.len() < bytes {
            text.push_str(&self.word());
            text.push(if self.next().is_multiple_of(90) { '\n' } else { ' ' });
        }
        text
    }

    fn tagged(&mut self, n: u64) -> Tagged {
        let text = self.text(TEXT_BYTES);
        let article = Article {
            id: ArticleId::of_link(&format!("https://news.example/{n}").parse().expect("a URL")),
            revision: 1,
            url: format!("https://news.example/{n}"),
            canonical_url: None,
            title: self.text(60),
            fingerprint: telex_cleaner::fingerprint(&text),
            text,
            authors: vec!["A. Writer".to_owned()],
            published: None,
            modified: None,
            first_seen: Timestamp::from_second(1_790_000_000 + n as i64).expect("a time"),
            language: Some("uk".to_owned()),
            kind: Kind::Article,
            source: Source::default(),
            lead_image: None,
            quality: 0.9,
            fetch_error: None,
        };
        let tags = vec![Tag {
            topic: "ukraine".to_owned(),
            score: 0.9,
            evidence: Vec::new(),
        }];
        Tagged::new(article, "0a", tags, Vec::new())
    }
}

/// Stores `batches` new batches; gives the time that it took.
fn store(sink: &mut dyn Sink, numbers: &mut Numbers, next: &mut u64, batches: u64) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..batches {
        let made: Vec<(u64, Tagged)> = (*next..*next + BATCH).map(|n| (n, numbers.tagged(n))).collect();
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
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let path = folder.path().join("articles.sqlite");
    let mut sqlite = SqliteSink::open(&path, &SqliteOptions::default()).expect("a sink");
    let mut next = 0;
    group.bench_function("sqlite", |b| {
        b.iter_custom(|n| store(&mut sqlite, &mut numbers, &mut next, n));
    });
    let stored = next;
    let mut lines = JsonLines::open(&folder.path().join("tagged.jsonl")).expect("a sink");
    group.bench_function("json_lines", |b| {
        b.iter_custom(|n| store(&mut lines, &mut numbers, &mut next, n));
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
