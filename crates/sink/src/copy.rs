//! Copies of a SQLite database that others write to.
//!
//! `VACUUM INTO` reads one state of the database while writers go on, and leaves the copy without holes. Rejected:
//! SQLite's backup API, which begins from the front at every commit of another process and so may never end.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::error::SinkError;

/// Copies a database as it is at one moment, durably; gives the bytes of the copy.
///
/// # Errors
/// Where the database cannot be read, the copy exists already, or its disk is full.
pub fn copy_database(from: &Path, to: &Path) -> Result<u64, SinkError> {
    let exists = to.try_exists().map_err(|e| SinkError::of_io(to, e))?;
    if exists {
        let exists = std::io::ErrorKind::AlreadyExists.into();
        return Err(SinkError::of_io(to, exists));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = Connection::open_with_flags(from, flags).map_err(|e| SinkError::of_sqlite(from, e))?;
    let name = to.to_str().ok_or_else(|| {
        let wrong = std::io::Error::new(std::io::ErrorKind::InvalidInput, "its name is not UTF-8");
        SinkError::of_io(to, wrong)
    })?;
    sql.execute("VACUUM INTO ?1", [name])
        .map_err(|e| SinkError::of_sqlite(to, e))?;
    let copy = File::open(to).map_err(|e| SinkError::of_io(to, e))?;
    let length = copy.sync_all().and_then(|()| copy.metadata());
    length.map(|m| m.len()).map_err(|e| SinkError::of_io(to, e))
}
