//! What SQLite's errors mean to an operator.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::bus::BusError;

/// Turns an error of SQLite into what happened and what to do.
pub(super) fn unusable(path: &Path, error: &rusqlite::Error) -> BusError {
    let path = path.display();
    let (what, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            format!("{path} is damaged ({error})"),
            "stop Telex, keep a copy, try `sqlite3 bus.sqlite .recover`, or move the file away to begin anew: feeds of --feeds and \
             articles of the sink are not in it",
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
            format!("{path} cannot be written ({error})"),
            "check owner and mount of the data directory, or choose another with --data-dir",
        ),
        Some(ErrorCode::DiskFull) => {
            return BusError::Full(format!(
                "{path} has no room ({error}): free the disk, or raise bus.max_bytes; nothing is lost meanwhile"
            ));
        }
        Some(ErrorCode::SystemIoFailure) => (
            format!("{path} cannot be read or written ({error})"),
            "check the disk and the kernel's log",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            format!("{path} is held by another process ({error})"),
            "end the program that holds it, such as an open sqlite3 shell",
        ),
        _ => (format!("{path}: {error}"), "see the log"),
    };
    BusError::Unusable {
        what,
        hint: hint.to_owned(),
    }
}

/// Tells whether a failed transaction may be tried again as it is.
pub(super) fn may_pass(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::SystemIoFailure
        )
    )
}
