//! The places that sinks write to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use telex_model::ArticleId;
use telex_sink::ParquetSink;
use telex_sink::{
    Articles, JsonLines, JsonLinesOptions, Order, PostgresSink, Query, Sink, SqliteOptions, SqliteSink,
};

use super::{Entry, Place};
use crate::postgres::server;
use crate::server::Server;

/// A SQLite database.
pub(crate) struct Sqlite {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Sqlite {
    pub(crate) fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("articles.sqlite");
        Some(Self {
            _folder: folder,
            path,
        })
    }

    fn execute(&self, sql: &str) {
        let connection = rusqlite::Connection::open(&self.path).expect("a database");
        connection.execute_batch(sql).expect("executed");
    }
}

impl Place for Sqlite {
    fn open(&self) -> Box<dyn Sink> {
        Box::new(SqliteSink::open(&self.path, &SqliteOptions::default()).expect("a sink"))
    }

    fn stored(&self) -> Vec<Entry> {
        let query = Query {
            order: Order::OldestFirst,
            ..Query::default()
        };
        let articles = Articles::open(&self.path).expect("a reader");
        let stored = articles.query(&query).map(|a| a.expect("read").parse());
        stored
            .map(|a| Entry::Article(Box::new(a.expect("a tagged message"))))
            .collect()
    }

    fn keeps_every_message(&self) -> bool {
        false
    }

    fn stories(&self) -> Option<BTreeMap<ArticleId, ArticleId>> {
        let connection = rusqlite::Connection::open(&self.path).expect("a database");
        let mut statement = connection
            .prepare("SELECT a.id, s.story FROM story s JOIN article a ON a.seq = s.seq")
            .expect("prepared");
        let pairs = statement
            .query_map([], |row| {
                Ok(pair(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?))
            })
            .expect("read");
        Some(pairs.map(|p| p.expect("read")).collect())
    }

    fn break_down(&self) {
        // The positions are written last.
        self.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON position BEGIN SELECT RAISE(ABORT, 'no more room'); END",
        );
    }

    fn mend(&self) {
        self.execute("DROP TRIGGER broken");
    }
}

/// A file of JSON lines.
pub(crate) struct Lines {
    folder: tempfile::TempDir,
    options: JsonLinesOptions,
}

impl Lines {
    pub(crate) fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        Some(Self {
            folder,
            options: JsonLinesOptions::default(),
        })
    }

    /// Files of a few lines each.
    pub(crate) fn rotated() -> Option<Self> {
        let options = JsonLinesOptions {
            max_bytes: Some(2_000),
            ..JsonLinesOptions::default()
        };
        Some(Self {
            options,
            ..Self::new()?
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tagged.jsonl")
    }

    /// What the state is written to before it takes its place.
    fn state(&self) -> PathBuf {
        self.folder.path().join("tagged.jsonl.state.new")
    }
}

impl Place for Lines {
    fn open(&self) -> Box<dyn Sink> {
        Box::new(JsonLines::open_with(&self.path(), &self.options).expect("a sink"))
    }

    fn stored(&self) -> Vec<Entry> {
        let finished = (1..).map(|n| self.folder.path().join(format!("tagged.{n}.jsonl")));
        let finished = finished.take_while(|path| path.exists());
        finished
            .chain([self.path()])
            .flat_map(|path| entries(&path))
            .collect()
    }

    fn keeps_every_message(&self) -> bool {
        true
    }

    fn break_down(&self) {
        std::fs::create_dir(self.state()).expect("made");
    }

    fn mend(&self) {
        std::fs::remove_dir(self.state()).expect("removed");
    }
}

/// The messages of a file of JSON lines.
fn entries(path: &Path) -> Vec<Entry> {
    let parse = |line: &String| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        if value.get("retracted").is_some() {
            let id = value["id"].as_str().expect("an id");
            return Entry::Withdrawn(id.parse().expect("an id"));
        }
        Entry::Article(serde_json::from_value(value).expect("a tagged message"))
    };
    crate::support::lines(path).iter().map(parse).collect()
}

/// A folder of Parquet files, each of a few messages.
pub(crate) struct Parquet {
    folder: tempfile::TempDir,
}

impl Parquet {
    pub(crate) fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        Some(Self { folder })
    }

    fn waiting(&self) -> PathBuf {
        self.folder.path().join("_waiting")
    }
}

impl Place for Parquet {
    fn open(&self) -> Box<dyn Sink> {
        Box::new(ParquetSink::open(self.folder.path(), crate::parquet::small()).expect("a sink"))
    }

    fn stored(&self) -> Vec<Entry> {
        let mut stored: Vec<Entry> = crate::parquet::rows(self.folder.path())
            .into_iter()
            .map(|row| match row.message {
                Some(json) => Entry::Article(serde_json::from_str(&json).expect("a tagged message")),
                None => Entry::Withdrawn(row.id.parse().expect("an id")),
            })
            .collect();
        // What waits for a file: those that are finished, which the sink has not come to, and the last one.
        let mut waiting: Vec<PathBuf> = std::fs::read_dir(self.waiting())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
            .collect();
        waiting.sort_by_key(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let number = name.split('.').nth(1).and_then(|n| n.parse::<u64>().ok());
            number.unwrap_or(u64::MAX)
        });
        stored.extend(waiting.iter().flat_map(|path| entries(path)));
        stored
    }

    fn keeps_every_message(&self) -> bool {
        true
    }

    fn break_down(&self) {
        std::fs::create_dir(self.waiting().join("tagged.jsonl.state.new")).expect("made");
    }

    fn mend(&self) {
        std::fs::remove_dir(self.waiting().join("tagged.jsonl.state.new")).expect("removed");
    }
}

/// A database of PostgreSQL.
pub(crate) struct Postgres {
    server: &'static Server,
    database: String,
}

impl Postgres {
    pub(crate) fn new() -> Option<Self> {
        let server = server()?;
        Some(Self {
            server,
            database: server.database(),
        })
    }

    fn execute(&self, sql: &str) {
        let mut client = self.server.client(&self.database);
        client.batch_execute(sql).expect("executed");
    }
}

impl Place for Postgres {
    fn open(&self) -> Box<dyn Sink> {
        let mut sink = PostgresSink::new(&self.server.url(&self.database)).expect("a URL");
        sink.connect().expect("a connection");
        Box::new(sink)
    }

    fn stored(&self) -> Vec<Entry> {
        crate::postgres::articles(&mut self.server.client(&self.database))
            .into_iter()
            .map(|a| Entry::Article(Box::new(a)))
            .collect()
    }

    fn keeps_every_message(&self) -> bool {
        false
    }

    fn stories(&self) -> Option<BTreeMap<ArticleId, ArticleId>> {
        let mut client = self.server.client(&self.database);
        let rows = client
            .query("SELECT article, story FROM telex.story", &[])
            .expect("read");
        Some(rows.iter().map(|row| pair(row.get(0), row.get(1))).collect())
    }

    fn text(&self, given: &str) -> String {
        given.replace('\0', "\u{fffd}")
    }

    fn break_down(&self) {
        self.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RAISE EXCEPTION 'no more room' USING ERRCODE = 'disk_full'; END $$;
             CREATE TRIGGER broken BEFORE INSERT ON telex.change EXECUTE FUNCTION refuse();",
        );
    }

    fn mend(&self) {
        self.execute("DROP FUNCTION refuse CASCADE");
    }
}

fn pair(article: &str, story: &str) -> (ArticleId, ArticleId) {
    (article.parse().expect("an id"), story.parse().expect("an id"))
}
