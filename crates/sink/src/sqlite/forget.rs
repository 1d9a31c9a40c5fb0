//! Retention: articles that are too old are let go of, a few at a time.

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use super::{SqliteSink, forget_words_and_labels, links};
use crate::error::SinkError;

impl SqliteSink {
    /// Lets go of the oldest articles that were first seen before a time, at most so many; gives their number.
    ///
    /// Meant for a sink of its own beside the one that stores, which waits as long as one call takes. Followers see
    /// the articles as withdrawn. The file does not shrink: what comes next takes their room.
    ///
    /// # Errors
    /// Where the database cannot be written; nothing has gone then.
    pub fn forget(&mut self, before: Timestamp, most: usize) -> Result<usize, SinkError> {
        let mut forget = || -> rusqlite::Result<usize> {
            let tx = self
                .sql
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let old = oldest(&tx, before, most)?;
            for (seq, id) in &old {
                forget_words_and_labels(&tx, *seq)?;
                links::withdrawn(&tx, *seq, id)?;
                tx.prepare_cached("DELETE FROM article WHERE seq = ?1")?
                    .execute([seq])?;
            }
            tx.commit()?;
            Ok(old.len())
        };
        forget().map_err(|e| SinkError::of_sqlite(&self.path, e))
    }
}

fn oldest(tx: &Connection, before: Timestamp, most: usize) -> rusqlite::Result<Vec<(i64, String)>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    tx.prepare_cached("SELECT seq, id FROM article WHERE first_seen < ?1 ORDER BY first_seen, seq LIMIT ?2")?
        .query_map([before.as_millisecond(), most], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect()
}
