//! Retention: articles that are too old are let go of, a few at a time.

use jiff::Timestamp;
use postgres::{Client, Error};

use super::batch::Statements;
use super::changes::Notes;
use super::value::time;

/// Deletes the oldest articles that were first seen before a time, at most so many, and notes that they are gone.
pub(super) fn forget(
    client: &mut Client,
    statements: &Statements,
    before: Timestamp,
    most: usize,
) -> Result<usize, Error> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let sql = "DELETE FROM article WHERE id IN (
                 SELECT id FROM article WHERE first_seen < $1 ORDER BY first_seen, seq LIMIT $2
                 FOR UPDATE SKIP LOCKED) RETURNING id";
    let mut tx = client.transaction()?;
    let gone = tx.query(sql, &[&time(Some(before)), &most])?;
    if !gone.is_empty() {
        let ids: Vec<&str> = gone.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        statements.links.lock(&mut tx)?;
        Notes::withdrawn(ids.iter().filter_map(|id| id.parse().ok())).write(&mut tx, &statements.changes)?;
    }
    tx.commit()?;
    Ok(gone.len())
}
