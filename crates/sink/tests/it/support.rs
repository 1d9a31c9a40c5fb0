//! Articles of our own making, and short ways to store and read them.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use telex_model::{ArticleId, Kind, Source, Tag, Tagged};
use telex_sink::{
    Articles, Change, Fate, PostgresDatabase, PostgresSink, Query, Reader, Row, Sink, SqliteOptions,
    SqliteSink,
};

pub(crate) const LOG: &str = "sqlite/telex.tagged.v1";

/// A time, so many minutes into a day.
pub(crate) fn minute(minutes: i64) -> Timestamp {
    let day: Timestamp = "2026-11-20T00:00:00Z".parse().expect("a time");
    day + SignedDuration::from_mins(minutes)
}

/// Article number `n`, first seen in that minute.
pub(crate) fn article(n: u32) -> Tagged {
    let link = format!("https://news.example/{n}").parse().expect("a URL");
    Tagged {
        id: ArticleId::of_link(&link),
        revision: 1,
        topics_version: "0a".to_owned(),
        url: link.to_string(),
        canonical_url: None,
        title: format!("Report number {n}"),
        text: "The council met on Tuesday.\nIt adjourned at noon.".to_owned(),
        authors: vec!["A. Writer".to_owned()],
        published: Some(minute(i64::from(n))),
        modified: None,
        first_seen: minute(i64::from(n)),
        language: Some("en".to_owned()),
        kind: Kind::Article,
        source: Source {
            feed_url: "https://news.example/feed".to_owned(),
            domain: "news.example".to_owned(),
            ..Source::default()
        },
        fingerprint: None,
        tags: Vec::new(),
        concepts: Vec::new(),
        lead_image: None,
        quality: 0.5,
        fetch_error: None,
    }
}

pub(crate) fn tag(topic: &str, score: f64) -> Tag {
    Tag {
        topic: topic.to_owned(),
        score,
        evidence: Vec::new(),
    }
}

/// What a message says.
#[derive(Clone)]
pub(crate) enum Said {
    Put(Box<Tagged>),
    Retract(ArticleId),
}

pub(crate) fn put(article: &Tagged) -> Said {
    Said::Put(Box::new(article.clone()))
}

/// Stores messages of partition 0 from an offset on, written in the second of their offset.
pub(crate) fn store_from(sink: &mut dyn Sink, offset: u64, said: &[Said]) -> Vec<Fate> {
    store_written(sink, offset, minute(0), said)
}

/// Stores messages of partition 0 from an offset on; `begun` is when the log began.
pub(crate) fn store_written(sink: &mut dyn Sink, offset: u64, begun: Timestamp, said: &[Said]) -> Vec<Fate> {
    try_store(sink, offset, begun, said).expect("stored")
}

pub(crate) fn try_store(
    sink: &mut dyn Sink,
    offset: u64,
    begun: Timestamp,
    said: &[Said],
) -> Result<Vec<Fate>, telex_sink::SinkError> {
    rows(0, offset, begun, said, |rows: &[Row<'_>]| sink.store(LOG, rows))
}

/// Makes the rows of messages, which are written in the second of their offset, and uses them.
pub(crate) fn rows<T>(
    partition: u32,
    offset: u64,
    begun: Timestamp,
    said: &[Said],
    used: impl FnOnce(&[Row<'_>]) -> T,
) -> T {
    let json: Vec<String> = said
        .iter()
        .map(|s| match s {
            Said::Put(article) => serde_json::to_string(article).expect("JSON"),
            Said::Retract(_) => String::new(),
        })
        .collect();
    let rows: Vec<Row<'_>> = (offset..)
        .zip(said.iter().zip(&json))
        .map(|(offset, (said, json))| Row {
            partition,
            offset,
            next: offset + 1,
            timestamp: begun + SignedDuration::from_secs(i64::try_from(offset).expect("small")),
            change: match said {
                Said::Put(article) => Change::Put { article, json },
                Said::Retract(id) => Change::Retract(*id),
            },
        })
        .collect();
    used(&rows)
}

/// A database in a folder of its own.
pub(crate) struct Database {
    _folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Database {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("articles.sqlite");
        Self {
            _folder: folder,
            path,
        }
    }

    pub(crate) fn sink(&self) -> SqliteSink {
        SqliteSink::open(&self.path, &SqliteOptions::default()).expect("a sink")
    }

    /// A database with these articles.
    pub(crate) fn with(articles: &[Tagged]) -> Self {
        let database = Self::new();
        store_from(
            &mut database.sink(),
            0,
            &articles.iter().map(put).collect::<Vec<_>>(),
        );
        database
    }

    pub(crate) fn articles(&self) -> Articles {
        Articles::open(&self.path).expect("a reader")
    }

    /// URLs' last parts of what a query finds.
    pub(crate) fn find(&self, query: &Query) -> Vec<String> {
        names(&mut self.articles(), query)
    }
}

/// Runs a test on each database, with these articles stored.
pub(crate) fn on_each(articles: &[Tagged], test: impl Fn(&mut dyn Reader)) {
    test(&mut Database::with(articles).articles());
    let Some(server) = crate::postgres::server() else {
        return;
    };
    let url = server.url(&server.database());
    let said: Vec<Said> = articles.iter().map(put).collect();
    store_from(&mut PostgresSink::new(&url).expect("a URL"), 0, &said);
    let database = PostgresDatabase::new(&url).expect("a URL");
    test(&mut database.open().expect("a reader"));
}

/// URLs' last parts of what a query finds.
pub(crate) fn names(reader: &mut dyn Reader, query: &Query) -> Vec<String> {
    let found: Vec<String> = reader
        .query(query)
        .map(|a| a.expect("read").parse().expect("a tagged message"))
        .map(|a: Tagged| a.url.rsplit('/').next().unwrap_or_default().to_owned())
        .collect();
    if query.limit.is_none() && query.after.is_none() {
        assert_eq!(reader.count(query).expect("counted"), found.len() as u64);
    }
    found
}

pub(crate) fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("a file");
    text.lines().map(str::to_owned).collect()
}

/// Makes a file that was last written so long ago.
pub(crate) fn age(path: &Path, age: std::time::Duration) {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("a file");
    file.set_modified(std::time::SystemTime::now() - age)
        .expect("set");
}
