//! Reading what the SQLite sink stored, also beside it.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use telex_model::Tagged;

use crate::error::SinkError;
use crate::sqlite::{decode, schema};
use crate::text::SearchTerms;

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
    /// In this language: `uk` also finds `uk-UA`.
    pub language: Option<String>,
    /// Most articles given.
    pub limit: Option<usize>,
    /// Those that follow this one in the order asked for.
    pub after: Option<Cursor>,
    /// In which order.
    pub order: Order,
}

/// Orders of articles, by when the pipeline saw them first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest first.
    #[default]
    NewestFirst,
    /// Oldest first.
    OldestFirst,
}

/// Place of an article in either order; its text form is for links and commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
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
        let Some(statement) = Statement::select(
            "count(*)",
            &Query {
                after: None,
                ..query.clone()
            },
        ) else {
            return Ok(0);
        };
        let count = || -> rusqlite::Result<i64> {
            self.sql
                .prepare_cached(&statement.text)?
                .query_row(params_from_iter(&statement.values), |row| row.get(0))
        };
        let n = count().map_err(|e| self.failed(e))?;
        Ok(u64::try_from(n).unwrap_or_default())
    }

    /// Finds the places of the next articles.
    fn places(&self, query: &Query, limit: usize) -> rusqlite::Result<VecDeque<Cursor>> {
        let Some(mut statement) = Statement::select("a.first_seen, a.seq", query) else {
            return Ok(VecDeque::new());
        };
        statement.order(query, limit);
        self.sql
            .prepare_cached(&statement.text)?
            .query_map(params_from_iter(&statement.values), |row| {
                Ok(Cursor {
                    first_seen: row.get(0)?,
                    seq: row.get(1)?,
                })
            })?
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

    pub(crate) fn failed(&self, error: rusqlite::Error) -> SinkError {
        SinkError::of_sqlite(&self.path, error)
    }
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

/// A statement in the making.
struct Statement {
    text: String,
    values: Vec<Value>,
}

impl Statement {
    /// Begins a statement; none where nothing can match.
    fn select(columns: &str, query: &Query) -> Option<Self> {
        let mut made = Self {
            text: format!("SELECT {columns} FROM article a"),
            values: Vec::new(),
        };
        // The side that is ordered and cut off: the tag's own range, where there is a tag.
        let by = if let Some(tag) = &query.tag {
            made.text.push_str(" JOIN tag t ON t.seq = a.seq");
            made.condition("t.topic = ?", [tag.clone()]);
            "t"
        } else {
            "a"
        };
        if let Some(search) = &query.search {
            let terms = SearchTerms::parse(search);
            let matching = "a.seq IN (SELECT rowid FROM search WHERE search MATCH ?)";
            match (terms.with, terms.without) {
                (None, None) => return None,
                (with, without) => {
                    with.into_iter()
                        .for_each(|words| made.condition(matching, [words]));
                    let not = format!("NOT {matching}");
                    without
                        .into_iter()
                        .for_each(|words| made.condition(&not, [words]));
                }
            }
        }
        if let Some(since) = query.since {
            made.condition(&format!("{by}.first_seen >= ?"), [since.as_millisecond()]);
        }
        if let Some(language) = &query.language {
            let prefix = format!("{}-", language.to_lowercase());
            made.condition("instr(lower(a.language) || '-', ?) = 1", [prefix]);
        }
        if let Some(after) = query.after {
            let side = match query.order {
                Order::NewestFirst => "<",
                Order::OldestFirst => ">",
            };
            let condition = format!("({by}.first_seen, {by}.seq) {side} (?, ?)");
            made.condition(&condition, [after.first_seen, after.seq]);
        }
        Some(made)
    }

    fn condition<V: Into<Value>>(&mut self, condition: &str, values: impl IntoIterator<Item = V>) {
        let word = if self.values.is_empty() {
            " WHERE "
        } else {
            " AND "
        };
        self.text.push_str(word);
        self.text.push_str(condition);
        self.values.extend(values.into_iter().map(Into::into));
    }

    fn order(&mut self, query: &Query, limit: usize) {
        let by = if query.tag.is_some() { "t" } else { "a" };
        let direction = match query.order {
            Order::NewestFirst => "DESC",
            Order::OldestFirst => "ASC",
        };
        self.text.push_str(&format!(
            " ORDER BY {by}.first_seen {direction}, {by}.seq {direction} LIMIT ?"
        ));
        self.values
            .push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
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
