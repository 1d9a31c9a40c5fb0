//! Reading the stored articles as they are asked for, beside the sinks that store them.
//!
//! Each question is one statement, with nothing prepared and no transaction held, and rows of a bounded number.
//! Rejected: a cursor in the database, which holds a transaction for as long as somebody reads.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postgres::error::SqlState;
use postgres::types::{ToSql, Type};
use postgres::{Client, Error, Row};
use telex_model::ArticleId;

use super::PostgresError;
use super::connect::Server;
use super::schema;
use super::select::Select;
use crate::articles::{Cursor, Headline, Interrupt, Query, StoredArticle};
use crate::error::SinkError;
use crate::follow::{BYTES_AT_ONCE, ChangeKind, Changed, Changes, Story};
use crate::reader::Reader;

/// Places found at once: what a search costs is paid once for so many.
const PLACES: usize = 10_000;

/// Articles and changes read at once: each may be as large as a message.
const ROWS: u32 = 20;

/// A server that has not answered so long is not asked any more on this connection.
const ALIVE: Duration = Duration::from_secs(1);

/// What a reader's connection is set to, beyond what every connection is.
///
/// It changes nothing. Whoever asks interrupts what takes too long after some seconds; where that does not come
/// through, the server ends it. A lock, as of an upgrade of the tables, is told rather than waited for. Plans are made
/// for the words and tags that are asked for: some are frequent, most are rare.
const SESSION: &str = "
    SET default_transaction_read_only = on;
    SET statement_timeout = '4s';
    SET lock_timeout = '2s';
    SET plan_cache_mode = force_custom_plan;
    SELECT set_config('application_name', 'telex-console', false)
      WHERE current_setting('application_name') = 'telex-sink';";

/// A PostgreSQL database whose articles are read.
#[derive(Debug, Clone)]
pub struct PostgresDatabase(Arc<Server>);

impl PostgresDatabase {
    /// Takes a URL as [`PostgresSink::new`](crate::PostgresSink::new) does; does not connect. The URL is kept secret.
    ///
    /// # Errors
    /// Where the URL or its certificate file cannot be read.
    pub fn new(url: &str) -> Result<Self, SinkError> {
        Ok(Self(Arc::new(Server::for_reading(url)?)))
    }

    /// Tells where it is: host, port and database.
    pub fn target(&self) -> &str {
        &self.0.target
    }

    /// Connects. What this gives blocks, and is to be dropped where blocking is allowed.
    ///
    /// # Errors
    /// Where the server cannot be reached, does not let the user in, or the tables are not there or of another version.
    pub fn open(&self) -> Result<PostgresArticles, SinkError> {
        let mut client = self.0.connect()?;
        client.batch_execute(SESSION).map_err(|e| self.0.failed(e))?;
        schema::check(&mut client, &self.0)?;
        Ok(PostgresArticles {
            client,
            server: Arc::clone(&self.0),
        })
    }
}

/// The articles that are stored in PostgreSQL, to be read.
pub struct PostgresArticles {
    client: Client,
    server: Arc<Server>,
}

impl std::fmt::Debug for PostgresArticles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PostgresArticles").field(&self.server).finish()
    }
}

type Values<'a> = [(&'a (dyn ToSql + Sync), Type)];

impl PostgresArticles {
    /// Asks the server, and reads each row of its answer.
    fn ask<T>(
        &mut self,
        sql: &str,
        values: &Values<'_>,
        read: impl FnMut(&Row) -> Result<T, Error>,
    ) -> Result<Vec<T>, SinkError> {
        let rows = self.client.query_typed(sql, values);
        let read = rows.and_then(|rows| rows.iter().map(read).collect());
        read.map_err(|error| match error.code() {
            Some(&SqlState::QUERY_CANCELED) => PostgresError::TooLong.into(),
            _ => self.server.failed(error),
        })
    }

    /// Finds the places of the next articles.
    fn places(&mut self, query: &Query, limit: usize) -> Result<Vec<Cursor>, SinkError> {
        let Some(select) = Select::places(query, limit) else {
            return Ok(Vec::new());
        };
        self.ask(&select.sql, &select.typed(), place)
    }

    /// Reads the articles at some places, in their order; those that were withdrawn meanwhile are left out.
    fn read(&mut self, places: &[Cursor]) -> Result<VecDeque<StoredArticle>, SinkError> {
        let seqs: Vec<i64> = places.iter().map(|place| place.seq()).collect();
        let sql = "SELECT seq, message::text FROM article WHERE seq = ANY($1)";
        let rows = self.ask(sql, &[(&seqs, Type::INT8_ARRAY)], |row| {
            Ok((row.try_get(0)?, row.try_get(1)?))
        })?;
        let mut rows: HashMap<i64, String> = rows.into_iter().collect();
        let stored = |place: &Cursor| {
            let json = rows.remove(&place.seq())?;
            Some(StoredArticle { cursor: *place, json })
        };
        Ok(places.iter().filter_map(stored).collect())
    }

    /// Reads the next changes.
    fn changed(&mut self, after: u64, limit: u32) -> Result<Vec<Changed>, SinkError> {
        let sql = "SELECT c.number, c.article, c.withdrawn, a.first_seen, a.seq, a.message::text
                   FROM (SELECT * FROM change WHERE number > $1 ORDER BY number LIMIT $2) c
                   LEFT JOIN article a ON a.id = c.article ORDER BY c.number";
        let values: &Values<'_> = &[
            (&after.cast_signed(), Type::INT8),
            (&i64::from(limit), Type::INT8),
        ];
        let changes = self.ask(sql, values, |row| {
            let there = row.try_get::<_, Option<i64>>(4)?.is_some();
            let change = if there {
                ChangeKind::Stored(stored(row, 3)?)
            } else {
                // What somebody deleted by hand is gone as well.
                match id(row, 2)?.or(id(row, 1)?) {
                    Some(id) => ChangeKind::Withdrawn(id),
                    None => return Ok(None),
                }
            };
            let number = row.try_get::<_, i64>(0)?.unsigned_abs();
            Ok(Some(Changed { number, change }))
        })?;
        Ok(changes.into_iter().flatten().collect())
    }
}

/// Reads the place of an article from the first two columns.
fn place(row: &Row) -> Result<Cursor, Error> {
    let first_seen: Timestamp = row.try_get(0)?;
    Ok(Cursor::new(first_seen.as_microsecond(), row.try_get(1)?))
}

/// Reads an article whose columns begin at `from`: first seen, row, message.
fn stored(row: &Row, from: usize) -> Result<StoredArticle, Error> {
    let first_seen: Timestamp = row.try_get(from)?;
    Ok(StoredArticle {
        cursor: Cursor::new(first_seen.as_microsecond(), row.try_get(from + 1)?),
        json: row.try_get(from + 2)?,
    })
}

/// Reads an id, which is one: the sink writes no others.
fn id(row: &Row, column: usize) -> Result<Option<ArticleId>, Error> {
    let text: Option<&str> = row.try_get(column)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

impl Reader for PostgresArticles {
    fn query<'a>(
        &'a mut self,
        query: &Query,
    ) -> Box<dyn Iterator<Item = Result<StoredArticle, SinkError>> + 'a> {
        Box::new(Found {
            articles: self,
            left: query.limit.unwrap_or(usize::MAX),
            query: query.clone(),
            places: VecDeque::new(),
            page: VecDeque::new(),
            ended: false,
        })
    }

    fn count(&mut self, query: &Query) -> Result<u64, SinkError> {
        let Some(select) = Select::count(query) else {
            return Ok(0);
        };
        let counted = self.ask(&select.sql, &select.typed(), |row| row.try_get::<_, i64>(0))?;
        Ok(counted.first().map_or(0, |n| n.unsigned_abs()))
    }

    fn get(&mut self, id: ArticleId) -> Result<Option<StoredArticle>, SinkError> {
        let sql = "SELECT first_seen, seq, message::text FROM article WHERE id = $1";
        let found = self.ask(sql, &[(&id.to_string(), Type::TEXT)], |row| stored(row, 0))?;
        Ok(found.into_iter().next())
    }

    fn others_of_story(&mut self, article: &StoredArticle, limit: u32) -> Result<Vec<Headline>, SinkError> {
        let sql = "SELECT a.id, a.title, a.domain, a.first_seen
                   FROM article me JOIN story own ON own.article = me.id JOIN story other ON other.story = own.story
                   JOIN article a ON a.id = other.article
                   WHERE me.seq = $1 AND a.seq <> $1 ORDER BY a.first_seen, a.seq LIMIT $2";
        let values: &Values<'_> = &[
            (&article.cursor.seq(), Type::INT8),
            (&i64::from(limit), Type::INT8),
        ];
        let found = self.ask(sql, values, |row| {
            let Some(id) = id(row, 0)? else { return Ok(None) };
            Ok(Some(Headline {
                id,
                title: row.try_get(1)?,
                domain: row.try_get(2)?,
                first_seen: row.try_get(3)?,
            }))
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    fn story_of(&mut self, article: &StoredArticle) -> Result<Option<Story>, SinkError> {
        let sql = "SELECT own.story, count(*)
                   FROM article me JOIN story own ON own.article = me.id JOIN story other ON other.story = own.story
                   WHERE me.seq = $1 GROUP BY own.story HAVING count(*) > 1";
        let found = self.ask(sql, &[(&article.cursor.seq(), Type::INT8)], |row| {
            let articles = row.try_get::<_, i64>(1)?.unsigned_abs();
            Ok(id(row, 0)?.map(|id| Story { id, articles }))
        })?;
        Ok(found.into_iter().flatten().next())
    }

    fn story(&mut self, id: &ArticleId, limit: u32) -> Result<Vec<StoredArticle>, SinkError> {
        let sql = "SELECT a.first_seen, a.seq FROM story s JOIN article a ON a.id = s.article
                   WHERE s.story = $1 ORDER BY a.first_seen, a.seq LIMIT $2";
        let values: &Values<'_> = &[(&id.to_string(), Type::TEXT), (&i64::from(limit), Type::INT8)];
        let places = self.ask(sql, values, place)?;
        Ok(self.read(&places)?.into())
    }

    fn last_change(&mut self) -> Result<u64, SinkError> {
        // What the sequence says may not be committed yet.
        let last = self.ask("SELECT max(number) FROM change", &[], |row| {
            row.try_get::<_, Option<i64>>(0)
        })?;
        Ok(last.first().copied().flatten().unwrap_or_default().unsigned_abs())
    }

    fn changes(&mut self, after: u64, limit: u32) -> Result<Changes, SinkError> {
        if let Some(lost) = Changes::lost(after, self.last_change()?) {
            return Ok(lost);
        }
        let (mut changes, mut bytes) = (Vec::new(), 0);
        let (mut after, mut left) = (after, limit);
        while left > 0 && bytes < BYTES_AT_ONCE {
            let wanted = left.min(ROWS);
            let page = self.changed(after, wanted)?;
            let Some(last) = page.last() else { break };
            (after, left) = (last.number, left - wanted);
            bytes += page.iter().map(Changed::bytes).sum::<usize>();
            let ended = page.len() < wanted as usize;
            changes.extend(page);
            if ended {
                break;
            }
        }
        Ok(Changes::Following(changes))
    }

    fn is_alive(&mut self) -> bool {
        self.client.is_valid(ALIVE).is_ok()
    }

    fn interrupt(&self) -> Interrupt {
        let (token, tls) = (self.client.cancel_token(), self.server.tls());
        // Where it does not come through, the server's own limit holds.
        Interrupt::new(move || drop(token.cancel_query(tls.clone())))
    }
}

/// Articles found, read a few at a time.
struct Found<'a> {
    articles: &'a mut PostgresArticles,
    query: Query,
    left: usize,
    places: VecDeque<Cursor>,
    page: VecDeque<StoredArticle>,
    ended: bool,
}

impl Found<'_> {
    fn step(&mut self) -> Result<Option<StoredArticle>, SinkError> {
        while self.left > 0 {
            if let Some(article) = self.page.pop_front() {
                self.left -= 1;
                return Ok(Some(article));
            }
            if self.places.is_empty() {
                if self.ended {
                    break;
                }
                let limit = self.left.min(PLACES);
                self.places = self.articles.places(&self.query, limit)?.into();
                self.ended = self.places.len() < limit;
                self.query.after = self.places.back().copied().or(self.query.after);
            }
            let rows = self.places.len().min(ROWS as usize);
            let next: Vec<Cursor> = self.places.drain(..rows).collect();
            self.page = self.articles.read(&next)?;
        }
        Ok(None)
    }
}

impl Iterator for Found<'_> {
    type Item = Result<StoredArticle, SinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.step();
        if next.is_err() {
            // What failed once would fail again.
            self.left = 0;
        }
        next.transpose()
    }
}
