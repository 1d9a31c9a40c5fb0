//! Reading what the SQLite sink stored, also beside it.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use serde::Serialize;
use telex_model::{ArticleId, Tagged};

use crate::error::SinkError;
use crate::plan::Plan;
use crate::sqlite::{decode, schema};

/// Rows found at once: what a search costs is paid once for so many, and no reading transaction stays open while
/// the caller does something else, which would keep the writer from reusing its log.
const PAGE: usize = 10_000;

/// Which articles are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// With this tag.
    pub tag: Option<String>,
    /// With these words: all of them, `"in this order"`, `begin*`, `one OR other`, `-without`.
    pub search: Option<String>,
    /// First seen then or later.
    pub since: Option<Timestamp>,
    /// First seen before then.
    pub until: Option<Timestamp>,
    /// From this domain: `example.org` also finds `news.example.org`; `org`, without a dot, finds neither.
    pub source: Option<String>,
    /// In this language: `uk` also finds `uk-UA`.
    pub language: Option<String>,
    /// Most articles given.
    pub limit: Option<usize>,
    /// Those that follow this one in the order asked for.
    pub after: Option<Cursor>,
    /// In which order.
    pub order: Order,
}

/// Orders of articles: by when the pipeline saw them first, or as they were stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest first.
    #[default]
    NewestFirst,
    /// Oldest first.
    OldestFirst,
    /// Last stored first. Much the same as [`Order::NewestFirst`], and the order of the full-text index: the first
    /// articles with a word that half of all have are there at once, however many they are.
    LastStoredFirst,
}

/// Place of an article in any order; its text form is for links and commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// In milliseconds since 1970, as SQLite has it, or microseconds, as PostgreSQL.
    first_seen: i64,
    seq: i64,
}

impl Cursor {
    pub(crate) fn new(first_seen: i64, seq: i64) -> Self {
        Self { first_seen, seq }
    }

    /// Row of the article.
    pub(crate) fn seq(self) -> i64 {
        self.seq
    }

    /// When the article was first seen, where PostgreSQL gave the place: of any other the nearest time that there is.
    pub(crate) fn microsecond(self) -> Timestamp {
        let end = if self.first_seen < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        };
        Timestamp::from_microsecond(self.first_seen).unwrap_or(end)
    }
}

/// Text that is not a [`Cursor`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place in a list of articles")]
pub struct ParseCursorError(String);

/// One stored article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredArticle {
    /// Its place, to go on after it.
    pub cursor: Cursor,
    /// The tagged message as it was stored: one JSON object.
    pub json: String,
}

impl StoredArticle {
    /// Parses the message.
    ///
    /// # Errors
    /// Where it is none, which the sink does not let in.
    pub fn parse(&self) -> Result<Tagged, serde_json::Error> {
        serde_json::from_str(&self.json)
    }
}

/// What a list of other articles shows of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Headline {
    /// Its id.
    pub id: ArticleId,
    /// Its title.
    pub title: String,
    /// Where it came from.
    pub domain: String,
    /// When the pipeline saw it first.
    pub first_seen: Timestamp,
}

/// The stored articles, to be read.
///
/// Sees what is committed at the time of each call; never hinders the sink.
#[derive(Debug)]
pub struct Articles {
    path: PathBuf,
    pub(crate) sql: Connection,
}

impl Articles {
    /// Opens the database.
    ///
    /// # Errors
    /// Where it is not there, cannot be read, is damaged, of another program, or of another version.
    pub fn open(path: &Path) -> Result<Self, SinkError> {
        Ok(Self {
            path: path.to_owned(),
            sql: schema::open_to_read(path)?,
        })
    }

    /// Finds articles. Memory stays bounded however many they are; articles stored meanwhile may or may not be
    /// among them.
    pub fn query(&self, query: &Query) -> Found<'_> {
        Found {
            articles: self,
            left: query.limit.unwrap_or(usize::MAX),
            query: query.clone(),
            page: VecDeque::new(),
            ended: false,
        }
    }

    /// Counts articles; limit, place and order do not matter.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn count(&self, query: &Query) -> Result<u64, SinkError> {
        let query = Query {
            after: None,
            limit: None,
            order: Order::NewestFirst,
            ..query.clone()
        };
        let count = || -> rusqlite::Result<i64> {
            let Some(plan) = Plan::of(&self.sql, &query)? else {
                return Ok(0);
            };
            let statement = plan.count(&query);
            self.sql
                .prepare_cached(&statement.text)?
                .query_row(params_from_iter(&statement.values), |row| row.get(0))
        };
        let n = count().map_err(|e| self.failed(e))?;
        Ok(u64::try_from(n).unwrap_or_default())
    }

    /// Finds the places of the next articles.
    fn places(&self, query: &Query, limit: usize) -> rusqlite::Result<VecDeque<Cursor>> {
        let Some(plan) = Plan::of(&self.sql, query)? else {
            return Ok(VecDeque::new());
        };
        let statement = plan.places(query, limit);
        self.sql
            .prepare_cached(&statement.text)?
            .query_map(params_from_iter(&statement.values), place)?
            .collect()
    }

    /// Reads an article; none where it was withdrawn meanwhile.
    fn read(&self, cursor: Cursor) -> rusqlite::Result<Option<StoredArticle>> {
        self.sql
            .prepare_cached("SELECT value FROM article WHERE seq = ?1")?
            .query_row([cursor.seq], |row| {
                let json = decode(row.get_ref(0)?)?;
                Ok(StoredArticle { cursor, json })
            })
            .optional()
    }

    /// Reads the article with an id.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn get(&self, id: ArticleId) -> Result<Option<StoredArticle>, SinkError> {
        let read = || {
            self.sql
                .prepare_cached("SELECT first_seen, seq FROM article WHERE id = ?1")?
                .query_row([id.to_string()], place)
                .optional()?
                .map_or(Ok(None), |cursor| self.read(cursor))
        };
        read().map_err(|e| self.failed(e))
    }

    /// Reads the headlines of the other articles of an article's story, those seen first before the others, at most so
    /// many.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn others_of_story(&self, article: &StoredArticle, limit: u32) -> Result<Vec<Headline>, SinkError> {
        let read = || -> rusqlite::Result<Vec<Headline>> {
            let mut statement = self.sql.prepare_cached(
                "SELECT a.id, a.title, a.domain, a.first_seen
                 FROM story own JOIN story other ON other.story = own.story JOIN article a ON a.seq = other.seq
                 WHERE own.seq = ?1 AND other.seq <> ?1 ORDER BY a.first_seen, a.seq LIMIT ?2",
            )?;
            let wrong = |column, kind, error: Box<dyn std::error::Error + Send + Sync>| {
                rusqlite::Error::FromSqlConversionFailure(column, kind, error)
            };
            let rows = statement.query_map((article.cursor.seq, limit), |row| {
                let id: String = row.get(0)?;
                let first_seen = Timestamp::from_millisecond(row.get(3)?);
                Ok(Headline {
                    id: id
                        .parse()
                        .map_err(|e: telex_model::ParseIdError| wrong(0, Type::Text, e.into()))?,
                    title: row.get(1)?,
                    domain: row.get(2)?,
                    first_seen: first_seen.map_err(|e| wrong(3, Type::Integer, e.into()))?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Gives what ends a question that takes too long, from another thread.
    pub fn interrupt(&self) -> Interrupt {
        let handle = self.sql.get_interrupt_handle();
        Interrupt::new(move || handle.interrupt())
    }

    pub(crate) fn failed(&self, error: rusqlite::Error) -> SinkError {
        SinkError::of_sqlite(&self.path, error)
    }
}

/// Ends what a [`Reader`](crate::Reader) is at work on.
pub struct Interrupt(Box<dyn Fn() + Send + Sync>);

impl Interrupt {
    pub(crate) fn new(interrupt: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Box::new(interrupt))
    }

    /// Has the statement that runs now, if one does, fail soon. May block for as long as a connection takes.
    pub fn interrupt(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interrupt")
    }
}

/// Reads the place of an article.
fn place(row: &rusqlite::Row<'_>) -> rusqlite::Result<Cursor> {
    Ok(Cursor {
        first_seen: row.get(0)?,
        seq: row.get(1)?,
    })
}

/// Articles found, read one by one.
#[derive(Debug)]
pub struct Found<'a> {
    articles: &'a Articles,
    query: Query,
    left: usize,
    page: VecDeque<Cursor>,
    ended: bool,
}

impl Found<'_> {
    fn step(&mut self) -> rusqlite::Result<Option<StoredArticle>> {
        while self.left > 0 {
            let Some(cursor) = self.page.pop_front() else {
                let limit = self.left.min(PAGE);
                if self.ended {
                    break;
                }
                self.page = self.articles.places(&self.query, limit)?;
                self.ended = self.page.len() < limit;
                self.query.after = self.page.back().copied().or(self.query.after);
                continue;
            };
            if let Some(article) = self.articles.read(cursor)? {
                self.left -= 1;
                return Ok(Some(article));
            }
        }
        Ok(None)
    }
}

impl Iterator for Found<'_> {
    type Item = Result<StoredArticle, SinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.step() {
            Ok(article) => article.map(Ok),
            Err(error) => {
                // What failed once would fail again: the caller must not be held in a loop.
                self.left = 0;
                Some(Err(self.articles.failed(error)))
            }
        }
    }
}

impl Cursor {
    pub(crate) fn values(self) -> [i64; 2] {
        [self.first_seen, self.seq]
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.first_seen, self.seq)
    }
}

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, ParseCursorError> {
        let parse = || {
            let (first_seen, seq) = text.split_once('.')?;
            Some(Cursor {
                first_seen: first_seen.parse().ok()?,
                seq: seq.parse().ok()?,
            })
        };
        parse().ok_or_else(|| ParseCursorError(text.chars().take(80).collect()))
    }
}
