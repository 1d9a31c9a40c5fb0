//! The database file: tables, settings, versions.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::SinkError;

/// "Tlxs", so that `file` and we know our own.
const APPLICATION_ID: i32 = 0x546c_7873;

/// What brings the file from each version to the next; a file's version is the number of those that it has.
/// Entries are never changed once released: what must change becomes a new entry.
const STEPS: [&str; 3] = [
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
];

/// Version of the files that this program writes.
pub(crate) const VERSION: i32 = STEPS.len() as i32;

/// A reader or an open shell may hold the file for a moment.
const BUSY: Duration = Duration::from_secs(10);

/// Opens the database to be written, makes it where there is none and brings it up to date.
pub(super) fn open(path: &Path, page_bytes: u32, max_bytes: Option<u64>) -> Result<Connection, SinkError> {
    let failed = |e| SinkError::of_sqlite(path, e);
    let mut sql = Connection::open(path).map_err(failed)?;
    let version = configure(&sql, page_bytes, max_bytes)
        .and_then(|()| identify(&sql))
        .map_err(failed)?;
    check(path, version, |found| found <= VERSION)?;
    upgrade(&mut sql).map_err(failed)?;
    Ok(sql)
}

/// Opens the database to be read, beside whoever writes it.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, SinkError> {
    let failed = |e| SinkError::of_sqlite(path, e);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = Connection::open_with_flags(path, flags).map_err(failed)?;
    let prepare = || -> rusqlite::Result<_> {
        sql.busy_timeout(BUSY)?;
        sql.set_prepared_statement_cache_capacity(32);
        sql.pragma_update(None, "temp_store", "MEMORY")?;
        identify(&sql)
    };
    let version = prepare().map_err(failed)?;
    check(path, version, |found| found == VERSION)?;
    Ok(sql)
}

fn configure(sql: &Connection, page_bytes: u32, max_bytes: Option<u64>) -> rusqlite::Result<()> {
    sql.busy_timeout(BUSY)?;
    sql.set_prepared_statement_cache_capacity(32);
    sql.pragma_update(None, "page_size", page_bytes)?;
    sql.pragma_update(None, "journal_mode", "WAL")?;
    // With NORMAL a power cut could undo what the bus takes for stored.
    sql.pragma_update(None, "synchronous", "FULL")?;
    sql.pragma_update(None, "temp_store", "MEMORY")?;
    // 64 MiB: the index of ids of a million articles, which is written all over.
    sql.pragma_update(None, "cache_size", -65_536)?;
    // Every checkpoint writes hot pages once more: 32 MiB rather than the default of 1,000 pages.
    sql.pragma_update(None, "wal_autocheckpoint", (32 << 20) / i64::from(page_bytes))?;
    sql.pragma_update(None, "journal_size_limit", 64 << 20)?;
    if let Some(max) = max_bytes {
        let pages = i64::try_from(max / u64::from(page_bytes)).unwrap_or(i64::MAX);
        sql.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(())
}

/// Gives application id and version of the file.
fn identify(sql: &Connection) -> rusqlite::Result<(i32, i32)> {
    let id = sql.pragma_query_value(None, "application_id", |r| r.get(0))?;
    let version = sql.pragma_query_value(None, "user_version", |r| r.get(0))?;
    Ok((id, version))
}

fn check(path: &Path, (id, found): (i32, i32), fine: impl Fn(i32) -> bool) -> Result<(), SinkError> {
    let path = path.to_owned();
    match id {
        APPLICATION_ID | 0 if fine(found) && (id != 0 || found == 0) => Ok(()),
        APPLICATION_ID if found > VERSION => Err(SinkError::Newer {
            path,
            found,
            known: VERSION,
        }),
        APPLICATION_ID | 0 if found < VERSION => Err(SinkError::Older {
            path,
            found,
            known: VERSION,
        }),
        _ => Err(SinkError::Foreign { path }),
    }
}

/// Takes the steps that the file lacks, all or none: nobody meets a version in between.
fn upgrade(sql: &mut Connection) -> rusqlite::Result<()> {
    let tx = sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Within the transaction: another process may have been faster.
    let (_, from) = identify(&tx)?;
    let done = usize::try_from(from).unwrap_or_default();
    for step in STEPS.iter().skip(done) {
        tx.execute_batch(step)?;
    }
    if done < STEPS.len() {
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", VERSION)?;
    }
    tx.commit()?;
    if done < STEPS.len() {
        tracing::info!(from, to = VERSION, "the article database has a new version");
    }
    Ok(())
}
