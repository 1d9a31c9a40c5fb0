//! What can go wrong with a PostgreSQL server, in an operator's words.

use postgres::error::SqlState;
use rustls::CertificateError;

use crate::error::Cause;

/// Why articles could not be stored in PostgreSQL. `target` is host, port and database, never more of the URL.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The URL cannot be read. What stands in it is not repeated, for it may be the password.
    #[error(
        "the URL of PostgreSQL cannot be read ({0}); write postgres://user:password@host:5432/database?sslmode=verify-full, with all but letters and digits of user and password percent-encoded"
    )]
    Url(String),
    /// Nobody answers, or the connection was lost.
    #[error(
        "PostgreSQL at {target} does not answer; check that it runs and can be reached from here, nothing is lost meanwhile"
    )]
    Unreachable {
        /// The server.
        target: String,
        /// What the system says.
        source: Cause,
    },
    /// The server does not let this user in.
    #[error(
        "PostgreSQL at {target} does not let this user in; check user, password and the server's pg_hba.conf"
    )]
    Refused {
        /// The server.
        target: String,
        /// What the server says.
        source: Cause,
    },
    /// The server's certificate does not hold, or it has no TLS where `sslmode` asks for it.
    #[error("PostgreSQL at {target} offers no TLS that can be trusted; {advice}")]
    Tls {
        /// The server.
        target: String,
        /// What mends it.
        advice: &'static str,
        /// What is wrong.
        source: Cause,
    },
    /// The database is not there.
    #[error(
        "PostgreSQL at {target} has no such database; make it: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0"
    )]
    Missing {
        /// The server.
        target: String,
        /// What the server says.
        source: Cause,
    },
    /// The user may not do what is needed.
    #[error(
        "PostgreSQL at {target} does not allow this user to do that; GRANT CREATE ON DATABASE to it, or make the schema telex its own, or let another user make the tables and GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA telex, anew after each upgrade"
    )]
    Forbidden {
        /// The server.
        target: String,
        /// What the server says.
        source: Cause,
    },
    /// Disk or memory of the server are used up.
    #[error("PostgreSQL at {target} has no room; free its disk or memory, nothing is lost meanwhile")]
    Full {
        /// The server.
        target: String,
        /// What the server says.
        source: Cause,
    },
    /// Others hold what is needed, or the server takes no writes for the moment.
    #[error(
        "PostgreSQL at {target} cannot do that for the moment; end whoever holds a lock on telex.position, or wait for the server to take writes again"
    )]
    Busy {
        /// The server.
        target: String,
        /// What the server says.
        source: Cause,
    },
    /// The database does not hold all of Unicode.
    #[error("the database at {target} has the encoding {encoding}; make one with ENCODING 'UTF8'")]
    Encoding {
        /// The server.
        target: String,
        /// Its encoding.
        encoding: String,
    },
    /// A newer program made the tables.
    #[error(
        "the tables at {target} have version {found}, this program knows {known}; use the program that made them, or go back: `telex sink migrate --to {known}`, or restore the backup made before"
    )]
    Newer {
        /// The server.
        target: String,
        /// Version of the tables.
        found: i32,
        /// Newest version that this program knows.
        known: i32,
    },
    /// An older program made the tables, and a reader does not change them.
    #[error(
        "the tables at {target} have version {found}, this program reads {known}; start the sink once to bring them up to date"
    )]
    Older {
        /// The server.
        target: String,
        /// Version of the tables.
        found: i32,
        /// Version that this program reads.
        known: i32,
    },
    /// There are no tables.
    #[error(
        "PostgreSQL at {target} has no articles yet; the tables are made by the sink: telex run all, or telex run sink"
    )]
    Empty {
        /// The server.
        target: String,
    },
    /// A reader asked for what takes too long, or was interrupted.
    #[error("that takes too long; ask for less: a tag, a shorter time, rarer words")]
    TooLong,
    /// The server's files are damaged, or its disk fails.
    #[error(
        "PostgreSQL at {target} cannot read or write its files; see its log, check its disk, and restore a backup where they are damaged"
    )]
    Damaged {
        /// The server.
        target: String,
        /// What the server says.
        source: Cause,
    },
    /// Anything else: most likely a defect of this program.
    #[error("PostgreSQL at {target} failed; see the log")]
    Failed {
        /// The server.
        target: String,
        /// What the server says.
        source: Cause,
    },
}

impl PostgresError {
    /// Tells whether the same call may do later, with nothing but server or network changed.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Full { .. } | Self::Busy { .. }
        )
    }

    /// Sorts what the client says into what an operator can do about it.
    pub(super) fn of(target: &str, error: postgres::Error) -> Self {
        let target = target.to_owned();
        let Some(code) = error.code().cloned() else {
            return Self::without_code(target, error);
        };
        let source: Cause = error.into();
        match &code {
            &SqlState::INVALID_CATALOG_NAME => Self::Missing { target, source },
            &SqlState::INSUFFICIENT_PRIVILEGE => Self::Forbidden { target, source },
            &SqlState::TOO_MANY_CONNECTIONS
            | &SqlState::CANNOT_CONNECT_NOW
            | &SqlState::ADMIN_SHUTDOWN
            | &SqlState::CRASH_SHUTDOWN
            | &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Self::Unreachable { target, source },
            // Another replica stored the same article, of another partition, at the same moment.
            &SqlState::UNIQUE_VIOLATION
            | &SqlState::LOCK_NOT_AVAILABLE
            | &SqlState::QUERY_CANCELED
            | &SqlState::READ_ONLY_SQL_TRANSACTION => Self::Busy { target, source },
            other => match other.code().get(..2) {
                Some("08") => Self::Unreachable { target, source },
                Some("28") => Self::Refused { target, source },
                Some("40") => Self::Busy { target, source },
                Some("53") => Self::Full { target, source },
                Some("58" | "XX") => Self::Damaged { target, source },
                _ => Self::Failed { target, source },
            },
        }
    }

    /// Where it was not the server that said something.
    fn without_code(target: String, error: postgres::Error) -> Self {
        let cause = std::error::Error::source(&error);
        let io = cause.and_then(|c| c.downcast_ref::<std::io::Error>());
        let inner = io.and_then(std::io::Error::get_ref);
        let said = error.to_string();
        let tls = inner.and_then(|e| e.downcast_ref::<rustls::Error>());
        if tls.is_some() || (said.contains("TLS") && io.is_none()) {
            return Self::Tls {
                target,
                advice: advice(tls),
                source: error.into(),
            };
        }
        // Authentication errors of the client itself: no password where one is asked for, a server that cannot prove
        // that it knows it.
        if said.contains("authentication") || said.contains("configuration") {
            return Self::Refused {
                target,
                source: error.into(),
            };
        }
        if io.is_some() || error.is_closed() || said.contains("timeout") {
            return Self::Unreachable {
                target,
                source: error.into(),
            };
        }
        Self::Failed {
            target,
            source: error.into(),
        }
    }
}

/// What mends a handshake that failed.
fn advice(error: Option<&rustls::Error>) -> &'static str {
    let Some(error) = error else {
        return "switch it on at the server (ssl = on), or choose another sslmode";
    };
    match error {
        rustls::Error::InvalidCertificate(wrong) => match wrong {
            CertificateError::UnknownIssuer => {
                "its certificate is signed by nobody who is trusted: let sslrootcert name the file of its authority"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another host: use the host's name in the URL, or sslmode=verify-ca"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired: renew it"
            }
            _ => "its certificate does not hold: have the authority make another one",
        },
        _ => "check its certificate and the versions of TLS that it speaks",
    }
}
