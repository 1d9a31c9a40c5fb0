//! Reading what the SQLite sink stored, also beside it.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, InterruptHandle, OptionalExtension, params_from_iter};
use telex_model::{ArticleId, Tagged};

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
    /// First seen before then.
    pub until: Option<Timestamp>,
    /// From this domain: `example.org` also finds `news.example.org`.
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
                order: Order::NewestFirst,
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

    /// Gives what ends a question that takes too long, from another thread.
    pub fn interrupt(&self) -> Interrupt {
        Interrupt(self.sql.get_interrupt_handle())
    }

    pub(crate) fn failed(&self, error: rusqlite::Error) -> SinkError {
        SinkError::of_sqlite(&self.path, error)
    }
}

/// Ends what [`Articles`] are at work on.
pub struct Interrupt(InterruptHandle);

impl Interrupt {
    /// Has the statement that runs now, if one does, fail soon.
    pub fn interrupt(&self) {
        self.0.interrupt();
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

/// A statement in the making.
struct Statement {
    text: String,
    values: Vec<Value>,
    /// The side that is ordered and cut off: the tag's own range, where there is a tag; the full-text index, where its
    /// order is asked for.
    by: &'static str,
}

impl Statement {
    /// Begins a statement; none where nothing can match.
    fn select(columns: &str, query: &Query) -> Option<Self> {
        let terms = query.search.as_deref().map(SearchTerms::parse);
        if terms.as_ref().is_some_and(SearchTerms::is_empty) {
            return None;
        }
        let stored = query.order == Order::LastStoredFirst;
        let mut made = Self {
            text: format!("SELECT {columns} FROM "),
            values: Vec::new(),
            by: "a",
        };
        match (&query.tag, terms) {
            (tag, Some(terms)) if stored && terms.with.is_some() => {
                made.by = "s";
                // A cross join is what SQLite does not turn round.
                made.text
                    .push_str("search s CROSS JOIN article a ON a.seq = s.rowid");
                made.condition("s.search MATCH ?", [terms.joined()]);
                made.has_tag(tag.as_ref());
            }
            (tag, terms) => {
                made.text.push_str("article a");
                match tag {
                    Some(tag) if !stored => {
                        made.by = "t";
                        made.text.push_str(" JOIN tag t ON t.seq = a.seq");
                        made.condition("t.topic = ?", [tag.clone()]);
                    }
                    tag => made.has_tag(tag.as_ref()),
                }
                made.has_words(terms.unwrap_or_default());
            }
        }
        made.filter(query);
        made.behind(query);
        Some(made)
    }

    fn has_tag(&mut self, tag: Option<&String>) {
        if let Some(tag) = tag {
            let condition = "EXISTS (SELECT 1 FROM tag t WHERE t.seq = a.seq AND t.topic = ?)";
            self.condition(condition, [tag.clone()]);
        }
    }

    fn has_words(&mut self, terms: SearchTerms) {
        let matching = "a.seq IN (SELECT rowid FROM search WHERE search MATCH ?)";
        if let Some(words) = terms.with {
            self.condition(matching, [words]);
        }
        if let Some(words) = terms.without {
            self.condition(&format!("NOT {matching}"), [words]);
        }
    }

    fn filter(&mut self, query: &Query) {
        let times = if self.by == "t" { "t" } else { "a" };
        if let Some(since) = query.since {
            self.condition(&format!("{times}.first_seen >= ?"), [since.as_millisecond()]);
        }
        if let Some(until) = query.until {
            self.condition(&format!("{times}.first_seen < ?"), [until.as_millisecond()]);
        }
        if let Some(language) = &query.language {
            let prefix = format!("{}-", language.to_lowercase());
            self.condition("instr(lower(a.language) || '-', ?) = 1", [prefix]);
        }
        if let Some(source) = &query.source {
            let domain = source.to_lowercase();
            let below = format!(".{domain}");
            let condition = "(a.domain = ? OR substr(a.domain, -length(?)) = ?)";
            self.condition(condition, [domain, below.clone(), below]);
        }
    }

    fn behind(&mut self, query: &Query) {
        let Some(after) = query.after else { return };
        let by = self.by;
        match query.order {
            Order::NewestFirst => {
                self.condition(&format!("({by}.first_seen, {by}.seq) < (?, ?)"), after.values());
            }
            Order::OldestFirst => {
                self.condition(&format!("({by}.first_seen, {by}.seq) > (?, ?)"), after.values());
            }
            Order::LastStoredFirst => self.condition(&format!("{by}.rowid < ?"), [after.seq]),
        }
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
        let by = self.by;
        let order = match query.order {
            Order::NewestFirst => format!("{by}.first_seen DESC, {by}.seq DESC"),
            Order::OldestFirst => format!("{by}.first_seen ASC, {by}.seq ASC"),
            Order::LastStoredFirst => format!("{by}.rowid DESC"),
        };
        self.text.push_str(&format!(" ORDER BY {order} LIMIT ?"));
        self.values
            .push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    }
}

impl Cursor {
    fn values(self) -> [i64; 2] {
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
