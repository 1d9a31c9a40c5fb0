//! The file: tables, and the statements that read them.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use telex_model::TopicSpec;
use telex_model::event::Headers;

use crate::bus::{BusError, Ends};
use crate::message::Message;

use super::error::unusable;
use super::{TopicInfo, optional, unpack};

/// "Tlx1", so that `file` and we know our own.
const APPLICATION_ID: i32 = 0x546c_7831;
const VERSION: i32 = 1;

/// Offsets take the low 40 bits of a record's row id, so that a partition is one range of it: 10^12 records a
/// partition are 350 years at 100 a second.
const OFFSET_BITS: u32 = 40;

/// Pages of 16 KiB: a compressed article page takes three of them rather than ten.
const PAGE_BYTES: i64 = 16 << 10;

/// A command beside the runner may hold the write lock for a moment; ten seconds is far beyond that.
const BUSY: Duration = Duration::from_secs(10);

const TABLES: &str = "
CREATE TABLE bus(id TEXT NOT NULL) STRICT;
INSERT INTO bus VALUES (lower(hex(randomblob(8))));
CREATE TABLE topic(name TEXT PRIMARY KEY, compact INTEGER NOT NULL, retention_ms INTEGER, max_message_bytes INTEGER NOT NULL) STRICT;
CREATE TABLE partition(id INTEGER PRIMARY KEY, topic TEXT NOT NULL REFERENCES topic(name), number INTEGER NOT NULL,
  first INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL DEFAULT 0, UNIQUE(topic, number)) STRICT;
CREATE TABLE record(id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, key BLOB NOT NULL, headers TEXT NOT NULL, codec INTEGER NOT NULL, value BLOB) STRICT;
CREATE INDEX tombstone ON record(id) WHERE value IS NULL;
CREATE TABLE newest(part INTEGER NOT NULL, key BLOB NOT NULL, id INTEGER NOT NULL, PRIMARY KEY(part, key)) STRICT, WITHOUT ROWID;
CREATE TABLE committed(grp TEXT NOT NULL, part INTEGER NOT NULL, next INTEGER NOT NULL, attempts INTEGER NOT NULL, PRIMARY KEY(grp, part)) STRICT, WITHOUT ROWID;
CREATE TABLE slot(grp TEXT NOT NULL, topic TEXT NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY(grp, topic)) STRICT, WITHOUT ROWID;
";

/// Values as they are.
pub(super) const PLAIN: i64 = 0;
/// Values compressed with Zstandard.
pub(super) const ZSTD: i64 = 1;

/// Opens a connection, making the tables in a new file.
pub(super) fn open(path: &Path, max_bytes: u64) -> Result<Connection, BusError> {
    let connect = || -> rusqlite::Result<Option<(Connection, i32, i32)>> {
        let sql = Connection::open(path)?;
        sql.busy_timeout(BUSY)?;
        sql.set_prepared_statement_cache_capacity(64);
        let id = sql.pragma_query_value(None, "application_id", |r| r.get(0))?;
        let version = sql.pragma_query_value(None, "user_version", |r| r.get(0))?;
        let tables: i64 = sql.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get(0))?;
        if id != APPLICATION_ID && (id != 0 || tables != 0) {
            return Ok(None);
        }
        sql.pragma_update(None, "page_size", PAGE_BYTES)?;
        sql.pragma_update(None, "journal_mode", "WAL")?;
        sql.pragma_update(None, "synchronous", "FULL")?;
        sql.pragma_update(None, "temp_store", "MEMORY")?;
        sql.pragma_update(None, "cache_size", -16_000)?;
        sql.pragma_update(None, "journal_size_limit", 64 << 20)?;
        sql.pragma_update(
            None,
            "max_page_count",
            i64::try_from(max_bytes).unwrap_or(i64::MAX) / PAGE_BYTES,
        )?;
        Ok(Some((sql, id, version)))
    };
    // Nothing is changed in a file before it is known to be ours.
    let Some((mut sql, id, version)) = connect().map_err(|e| unusable(path, &e))? else {
        return Err(BusError::Unusable {
            what: format!("{} is a database of another program", path.display()),
            hint: "choose another --data-dir".to_owned(),
        });
    };
    match (id, version) {
        (APPLICATION_ID, VERSION) => Ok(sql),
        (0, _) => {
            create_tables(&mut sql).map_err(|e| unusable(path, &e))?;
            Ok(sql)
        }
        (_, other) => Err(BusError::Unusable {
            what: format!(
                "{} has version {other}, this program reads {VERSION}",
                path.display()
            ),
            hint: "use the program that wrote it, or another --data-dir".to_owned(),
        }),
    }
}

fn create_tables(sql: &mut Connection) -> rusqlite::Result<()> {
    let tx = sql.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let id: i32 = tx.pragma_query_value(None, "application_id", |r| r.get(0))?;
    if id == 0 {
        tx.execute_batch(TABLES)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", VERSION)?;
    }
    tx.commit()
}

/// Makes a topic with its partitions, or leaves it as it is.
pub(super) fn create_topic(
    sql: &Connection,
    name: &str,
    spec: &TopicSpec,
    retention: Option<i64>,
) -> rusqlite::Result<()> {
    sql.execute(
        "INSERT INTO topic(name, compact, retention_ms, max_message_bytes) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET retention_ms = excluded.retention_ms",
        params![
            name,
            retention.is_none(),
            retention,
            i64::try_from(spec.max_message_bytes).unwrap_or(i64::MAX)
        ],
    )?;
    for number in 0..spec.partitions {
        sql.execute(
            "INSERT OR IGNORE INTO partition(topic, number) VALUES (?1, ?2)",
            params![name, number],
        )?;
    }
    Ok(())
}

/// Finds a topic.
pub(super) fn topic(sql: &Connection, name: &str) -> rusqlite::Result<Option<TopicInfo>> {
    let found = sql
        .prepare_cached("SELECT compact, max_message_bytes FROM topic WHERE name = ?1")?
        .query_row([name], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))
        .optional()?;
    let Some((compact, max)) = found else {
        return Ok(None);
    };
    let partitions = sql
        .prepare_cached("SELECT id FROM partition WHERE topic = ?1 ORDER BY number")?
        .query_map([name], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let max_message_bytes = usize::try_from(max).unwrap_or(usize::MAX);
    Ok(Some(TopicInfo {
        name: name.to_owned(),
        compact,
        max_message_bytes,
        partitions,
    }))
}

/// Row id of a record.
pub(super) fn row_id(part: i64, offset: u64) -> i64 {
    (part << OFFSET_BITS)
        | i64::try_from(offset)
            .unwrap_or(i64::MAX)
            .min((1 << OFFSET_BITS) - 1)
}

/// Offset of a row id.
pub(super) fn offset_of(id: i64) -> u64 {
    u64::try_from(id & ((1 << OFFSET_BITS) - 1)).unwrap_or_default()
}

/// Reads records of a partition from an offset on: at most `limit`, and no more once `max_bytes` are reached.
pub(super) fn read(
    sql: &Connection,
    part: i64,
    number: u32,
    from: u64,
    limit: usize,
    max_bytes: usize,
) -> rusqlite::Result<Vec<Message>> {
    let mut statement = sql.prepare_cached(
        "SELECT id, ts, key, headers, codec, value FROM record WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![row_id(part, from), row_id(part + 1, 0), limit])?;
    let (mut out, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let message = message(row, number)?;
        bytes += message.size();
        out.push(message);
        if bytes >= max_bytes {
            break;
        }
    }
    Ok(out)
}

fn message(row: &Row<'_>, partition: u32) -> rusqlite::Result<Message> {
    let id: i64 = row.get(0)?;
    let wrong = |column, error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, error)
    };
    let headers: Headers =
        serde_json::from_str(row.get_ref(3)?.as_str()?).map_err(|e| wrong(3, Box::new(e)))?;
    let codec: i64 = row.get(4)?;
    let value = match (row.get_ref(5)?.as_blob_or_null()?, codec) {
        (Some(bytes), ZSTD) => {
            let plain = unpack(bytes).map_err(|e| wrong(5, Box::new(e)))?;
            Some(Bytes::from(plain))
        }
        (value, _) => value.map(Bytes::copy_from_slice),
    };
    let offset = offset_of(id);
    Ok(Message {
        partition,
        offset,
        next: offset + 1,
        timestamp: Timestamp::from_millisecond(row.get(1)?).unwrap_or(Timestamp::UNIX_EPOCH),
        key: Bytes::copy_from_slice(row.get_ref(2)?.as_blob()?),
        value,
        headers,
    })
}

/// Gives first and next offset of every partition.
pub(super) fn ends(sql: &Connection, topic: &TopicInfo) -> rusqlite::Result<Vec<Ends>> {
    let mut statement =
        sql.prepare_cached("SELECT number, first, next FROM partition WHERE topic = ?1 ORDER BY number")?;
    let rows = statement.query_map([&topic.name], |row| {
        Ok(Ends {
            partition: row.get(0)?,
            first: unsigned(row.get(1)?),
            end: unsigned(row.get(2)?),
        })
    })?;
    rows.collect()
}

/// Gives partition, next offset and attempts of what a group has committed.
pub(super) fn committed(
    sql: &Connection,
    group: &str,
    topic: &TopicInfo,
) -> rusqlite::Result<Vec<(u32, u64, u32)>> {
    let mut statement = sql.prepare_cached(
        "SELECT p.number, c.next, c.attempts FROM committed c JOIN partition p ON p.id = c.part WHERE c.grp = ?1 AND p.topic = ?2",
    )?;
    let rows = statement.query_map(params![group, topic.name], |row| {
        Ok((row.get(0)?, unsigned(row.get(1)?), row.get::<_, u32>(2)?))
    })?;
    rows.collect()
}

/// Finds the offset of the first record written at `millis` or later; the next offset where there is none.
pub(super) fn first_since(sql: &Connection, part: i64, millis: i64) -> rusqlite::Result<i64> {
    let mut statement = sql.prepare_cached(
        "SELECT id FROM record WHERE id >= ?1 AND id < ?2 AND ts >= ?3 ORDER BY id LIMIT 1",
    )?;
    let id: Option<i64> = statement
        .query_row(params![row_id(part, 0), row_id(part + 1, 0), millis], |row| {
            row.get(0)
        })
        .optional()?;
    match id {
        Some(id) => Ok(i64::try_from(offset_of(id)).unwrap_or_default()),
        None => Ok(optional(sql, "SELECT next FROM partition WHERE id = ?1", part)?.unwrap_or_default()),
    }
}

/// Gives the bytes in pages that are in use.
pub(super) fn used_bytes(sql: &Connection) -> rusqlite::Result<u64> {
    let number =
        |pragma: &str| -> rusqlite::Result<i64> { sql.pragma_query_value(None, pragma, |row| row.get(0)) };
    Ok(unsigned(
        (number("page_count")? - number("freelist_count")?) * number("page_size")?,
    ))
}

/// Offsets are never negative in our file.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
