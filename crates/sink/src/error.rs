//! What can go wrong in a sink, in an operator's words.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::postgres::PostgresError;

/// Why articles could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The file or its folder cannot be opened or written.
    #[error("{} cannot be opened or written; check that it exists, its owner and its mount, or choose another --data-dir", path.display())]
    Access {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Cause,
    },
    /// The disk is full, or the file has the size that it may have.
    #[error("{} has no room; free the disk or raise the sink's limit, nothing is lost meanwhile", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Cause,
    },
    /// Another process holds the file.
    #[error("{} is held by another process; end it, such as an open sqlite3 shell or a second sink", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// What the system says, where it says more.
        source: Option<Cause>,
    },
    /// The file is damaged.
    #[error("{} is damaged; stop Telex, keep a copy, and recover it (`sqlite3 FILE .recover` for a database), or move it away and replay the tagged topic", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Cause,
    },
    /// A newer program wrote the file.
    #[error("{} has version {found}, this program knows {known}; use the program that wrote it, or another --data-dir", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Version of the file.
        found: i32,
        /// Newest version that this program knows.
        known: i32,
    },
    /// An older program wrote the file, and a reader does not change it.
    #[error("{} has version {found}, this program reads {known}; start the sink once to bring it up to date", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Version of the file.
        found: i32,
        /// Version that this program reads.
        known: i32,
    },
    /// The file is of another program.
    #[error("{} was not written by this sink; choose another file or move it away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The disk did not do what it was asked to.
    #[error("{} cannot be read or written; check the disk and the kernel's log", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Cause,
    },
    /// It has to do with PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// Anything else: most likely a defect of this program.
    #[error("{} failed; see the log", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Cause,
    },
}

/// What lies beneath a [`SinkError`].
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

impl SinkError {
    /// Tells whether the same call may do later, with nothing but the disk or another process changed.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Full { .. } | Self::Busy { .. } | Self::Io { .. } => true,
            Self::Postgres(error) => error.may_pass(),
            _ => false,
        }
    }

    /// Gives the error and what lies beneath it in one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        text
    }

    pub(crate) fn of_sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let code = error.sqlite_error_code();
        let source: Cause = error.into();
        match code {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { path, source },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::Access { path, source }
            }
            Some(ErrorCode::DiskFull) => Self::Full { path, source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy {
                path,
                source: Some(source),
            },
            Some(ErrorCode::SystemIoFailure) => Self::Io { path, source },
            _ => Self::Failed { path, source },
        }
    }

    pub(crate) fn of_io(path: &Path, error: std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        let path = path.to_owned();
        let kind = error.kind();
        let source: Cause = error.into();
        match kind {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Self::Full { path, source },
            Kind::NotFound
            | Kind::PermissionDenied
            | Kind::ReadOnlyFilesystem
            | Kind::IsADirectory
            | Kind::NotADirectory => Self::Access { path, source },
            _ => Self::Io { path, source },
        }
    }
}
