//! Retention: deletes what need not be kept any longer.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::optional;
use super::schema::{offset_of, row_id, used_bytes};

/// Records deleted in one pass, so that no commit waits long for it (about 20 ms).
const PASS: i64 = 2000;

/// Tombstones of compacted topics stay for a day, Kafka's `delete.retention.ms`, so that readers notice.
const TOMBSTONES: Duration = Duration::from_secs(24 * 60 * 60);

/// Above this share of the cap, what every group has read is deleted before its time.
const CROWDED: f64 = 0.8;

/// Deletes up to [`PASS`] records that are no longer kept; gives their number.
pub(super) fn pass(sql: &Connection, now: Timestamp, max_bytes: u64) -> rusqlite::Result<usize> {
    let crowded = used_bytes(sql)? as f64 > CROWDED * max_bytes as f64;
    let mut statement = sql.prepare_cached(
        "SELECT p.id, t.retention_ms, p.next FROM partition p JOIN topic t ON t.name = p.topic WHERE p.first < p.next ORDER BY p.id",
    )?;
    let parts: Vec<(i64, Option<i64>, i64)> = statement
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let now = now.as_millisecond();
    let mut deleted = 0;
    for (part, retention, next) in parts {
        let left = PASS - i64::try_from(deleted).unwrap_or(PASS);
        if left <= 0 {
            break;
        }
        deleted += match retention {
            Some(retention) => {
                // A group that reads and has not committed yet has read nothing.
                let read = optional(
                    sql,
                    "SELECT min(next) FROM (SELECT next FROM committed WHERE part = ?1 UNION ALL
                     SELECT p.first FROM partition p JOIN slot s ON s.topic = p.topic WHERE p.id = ?1 AND NOT EXISTS
                     (SELECT 1 FROM committed c WHERE c.grp = s.grp AND c.part = p.id))",
                    part,
                )?;
                let before = if crowded && read.is_some() {
                    i64::MAX
                } else {
                    now.saturating_sub(retention)
                };
                delete_old(sql, part, read.unwrap_or(next), before, left)?
            }
            None => delete_tombstones(
                sql,
                part,
                now - i64::try_from(TOMBSTONES.as_millis()).unwrap_or(0),
                left,
            )?,
        };
    }
    Ok(deleted)
}

/// Deletes a prefix of a partition: records older than `before` and below `end`.
fn delete_old(sql: &Connection, part: i64, end: i64, before: i64, limit: i64) -> rusqlite::Result<usize> {
    let first = optional(sql, "SELECT first FROM partition WHERE id = ?1", part)?.unwrap_or_default();
    let from = row_id(part, u64::try_from(first).unwrap_or_default());
    let until = row_id(part, u64::try_from(end).unwrap_or_default());
    // The first record that stays, or else the end of what this pass may delete.
    let mut kept =
        sql.prepare_cached("SELECT id, ts FROM record WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3")?;
    let mut rows = kept.query(params![from, until, limit])?;
    let mut stop = from;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? >= before {
            break;
        }
        stop = row.get::<_, i64>(0)? + 1;
    }
    drop(rows);
    if stop == from {
        return Ok(0);
    }
    let deleted = sql
        .prepare_cached("DELETE FROM record WHERE id >= ?1 AND id < ?2")?
        .execute([from, stop])?;
    let first = i64::try_from(offset_of(stop)).unwrap_or_default();
    sql.prepare_cached("UPDATE partition SET first = ?2 WHERE id = ?1")?
        .execute([part, first])?;
    Ok(deleted)
}

fn delete_tombstones(sql: &Connection, part: i64, before: i64, limit: i64) -> rusqlite::Result<usize> {
    let range = [row_id(part, 0), row_id(part + 1, 0)];
    let mut found = sql.prepare_cached(
        "SELECT id, key FROM record INDEXED BY tombstone WHERE id >= ?1 AND id < ?2 AND value IS NULL AND ts < ?3 LIMIT ?4",
    )?;
    let rows: Vec<(i64, Vec<u8>)> = found
        .query_map(params![range[0], range[1], before, limit], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (id, key) in &rows {
        sql.prepare_cached("DELETE FROM record WHERE id = ?1")?
            .execute([id])?;
        sql.prepare_cached("DELETE FROM newest WHERE part = ?1 AND key = ?2 AND id = ?3")?
            .execute(params![part, key, id])?;
    }
    Ok(rows.len())
}
