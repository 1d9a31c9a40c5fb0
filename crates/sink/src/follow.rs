//! Reading on from a place: what was stored and withdrawn since, and what tells the same story.

use rusqlite::{OptionalExtension, params};
use telex_model::ArticleId;

use crate::articles::{Articles, Cursor, StoredArticle};
use crate::error::SinkError;
use crate::sqlite::{CHANGES, decode};

/// Bytes of articles after which no more changes are read at once.
pub(crate) const BYTES_AT_ONCE: usize = 1 << 20;

/// What happened in the database behind a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// All changes in their order, up to the limit. An article that changed several times comes once, with its last.
    Following(Vec<Changed>),
    /// Changes behind the place may have been forgotten, or the place is of another database. The articles themselves
    /// are there to be read; changes are known again from this number on.
    Lost(u64),
}

impl Changes {
    /// Tells that what follows a place is not known any more, or never was; none where it is known.
    pub(crate) fn lost(after: u64, last: u64) -> Option<Self> {
        (after > last || last - after > CHANGES.unsigned_abs()).then_some(Self::Lost(last))
    }
}

/// A change in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its number: rises, with gaps, and is never given twice.
    pub number: u64,
    /// What happened.
    pub change: ChangeKind,
}

impl Changed {
    /// Length of what was stored.
    pub(crate) fn bytes(&self) -> usize {
        match &self.change {
            ChangeKind::Stored(article) => article.json.len(),
            ChangeKind::Withdrawn(_) => 0,
        }
    }
}

/// What a change did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    /// An article was stored, or stored anew; so it is now.
    Stored(StoredArticle),
    /// The article of this id was withdrawn.
    Withdrawn(ArticleId),
}

/// A story: the versions of one text, over sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Id of the article that it began with, which may be withdrawn by now.
    pub id: ArticleId,
    /// Its articles.
    pub articles: u64,
}

impl Articles {
    /// Number of the last change; 0 where there was none.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn last_change(&self) -> Result<u64, SinkError> {
        // SQLite's own count, which stays where the last changes are deleted.
        let read = || {
            self.sql
                .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'change'")?
                .query_row([], |row| row.get::<_, i64>(0))
                .optional()
        };
        let last = read().map_err(|e| self.failed(e))?;
        Ok(last.unwrap_or_default().unsigned_abs())
    }

    /// Reads at most so many of the changes behind the one of a number; fewer, though one at least, where the articles
    /// are long.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn changes(&self, after: u64, limit: u32) -> Result<Changes, SinkError> {
        if let Some(lost) = Changes::lost(after, self.last_change()?) {
            return Ok(lost);
        }
        let read = || -> rusqlite::Result<Vec<Changed>> {
            let mut statement = self.sql.prepare_cached(
                "SELECT c.number, c.withdrawn, a.first_seen, a.seq, a.value
                 FROM change c LEFT JOIN article a ON a.seq = c.seq
                 WHERE c.number > ?1 ORDER BY c.number LIMIT ?2",
            )?;
            let mut rows = statement.query(params![after.cast_signed(), limit])?;
            let (mut changes, mut bytes) = (Vec::new(), 0);
            while bytes < BYTES_AT_ONCE {
                let Some(row) = rows.next()? else { break };
                let withdrawn: Option<String> = row.get(1)?;
                let change = match withdrawn {
                    Some(id) => ChangeKind::Withdrawn(parse_id(1, &id)?),
                    None => ChangeKind::Stored(StoredArticle {
                        cursor: Cursor::new(row.get(2)?, row.get(3)?),
                        json: decode(row.get_ref(4)?)?,
                    }),
                };
                let number = row.get::<_, i64>(0)?.unsigned_abs();
                let changed = Changed { number, change };
                bytes += changed.bytes();
                changes.push(changed);
            }
            Ok(changes)
        };
        Ok(Changes::Following(read().map_err(|e| self.failed(e))?))
    }

    /// Tells which story an article belongs to; none where it is alone with its text, or withdrawn.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn story_of(&self, article: &StoredArticle) -> Result<Option<Story>, SinkError> {
        let read = || {
            self.sql
                .prepare_cached(
                    "SELECT own.story, count(*) FROM story own JOIN story other ON other.story = own.story
                     WHERE own.seq = ?1 GROUP BY own.story HAVING count(*) > 1",
                )?
                .query_row([article.cursor.seq()], |row| {
                    Ok(Story {
                        id: parse_id(0, &row.get::<_, String>(0)?)?,
                        articles: row.get::<_, i64>(1)?.unsigned_abs(),
                    })
                })
                .optional()
        };
        read().map_err(|e| self.failed(e))
    }

    /// Reads the articles of a story, those seen first before the others, at most so many.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn story(&self, id: &ArticleId, limit: u32) -> Result<Vec<StoredArticle>, SinkError> {
        let read = || -> rusqlite::Result<Vec<StoredArticle>> {
            let mut statement = self.sql.prepare_cached(
                "SELECT a.first_seen, a.seq, a.value FROM story s JOIN article a ON a.seq = s.seq
                 WHERE s.story = ?1 ORDER BY a.first_seen, a.seq LIMIT ?2",
            )?;
            let rows = statement.query_map(params![id.to_string(), limit], |row| {
                Ok(StoredArticle {
                    cursor: Cursor::new(row.get(0)?, row.get(1)?),
                    json: decode(row.get_ref(2)?)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|e| self.failed(e))
    }
}

fn parse_id(column: usize, id: &str) -> rusqlite::Result<ArticleId> {
    id.parse().map_err(|e: telex_model::ParseIdError| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, e.into())
    })
}
