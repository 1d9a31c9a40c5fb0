//! Errors of the command line and their exit codes.

use std::error::Error as StdError;
use std::fmt::Write as _;

use telex_console::ConsoleError;
use telex_operate::OperateError;
use telex_sink::SinkError;
use telex_stream::{BusError, DriverError};

/// Something was found wrong that was looked for.
pub(crate) const FINDINGS: u8 = 1;
/// The command line is wrong.
pub(crate) const USAGE: u8 = 2;
/// Something that is needed is not there: EX_UNAVAILABLE of sysexits.h.
pub(crate) const UNAVAILABLE: u8 = 69;
/// A defect of ours: EX_SOFTWARE.
pub(crate) const BUG: u8 = 70;
/// The configuration is wrong: EX_CONFIG.
pub(crate) const CONFIG: u8 = 78;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// What was looked for is wrong.
    #[error("{0}")]
    Findings(String),
    /// The arguments do not go together.
    #[error("{0}")]
    Usage(String),
    /// Something is not there: a bus, a file, an address.
    #[error("{0}")]
    Unavailable(String),
    /// A defect.
    #[error("{0}; this is a defect of Telex")]
    Bug(String),
    /// The configuration is wrong; one line a problem.
    #[error("the configuration is wrong:\n{0}")]
    Config(String),
    /// Whoever reads the output has gone.
    #[error("nobody reads the output")]
    BrokenPipe,
}

impl CliError {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Findings(_) => FINDINGS,
            Self::Usage(_) => USAGE,
            Self::Unavailable(_) => UNAVAILABLE,
            Self::Bug(_) => BUG,
            Self::Config(_) => CONFIG,
            Self::BrokenPipe => 0,
        }
    }

    /// Says it on standard error.
    pub(crate) fn report(&self) {
        if !matches!(self, Self::BrokenPipe) {
            eprintln!("telex: {self}");
        }
    }

    /// Says what was being done.
    pub(crate) fn unavailable(what: impl std::fmt::Display, error: &dyn StdError) -> Self {
        Self::Unavailable(format!("{what}: {}", chain(error)))
    }
}

/// An error with all that led to it, each once.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        // Writing to a string cannot fail.
        let _ok = write!(out, ": {cause}");
        next = cause.source();
    }
    out
}

impl From<BusError> for CliError {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Config { .. } => Self::Config(chain(&error)),
            other => Self::Unavailable(chain(&other)),
        }
    }
}

impl From<OperateError> for CliError {
    fn from(error: OperateError) -> Self {
        match error {
            OperateError::Wrong(what) => Self::Usage(what),
            OperateError::Missing(what) => Self::Findings(what),
            OperateError::Bus(error) => error.into(),
        }
    }
}

impl From<ConsoleError> for CliError {
    fn from(error: ConsoleError) -> Self {
        Self::Bug(chain(&error))
    }
}

impl From<SinkError> for CliError {
    fn from(error: SinkError) -> Self {
        Self::Unavailable(error.chain())
    }
}

impl From<DriverError> for CliError {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Session(telex_stream::Fatal::Defect(text)) => Self::Bug(text),
            DriverError::Session(wrong @ telex_stream::Fatal::Config { .. }) => Self::Config(chain(&wrong)),
            DriverError::Breaker { .. } => Self::Findings(error.to_string()),
            DriverError::Session(other) => Self::Unavailable(chain(&other)),
            DriverError::Stuck { .. } => Self::Unavailable(error.to_string()),
        }
    }
}
