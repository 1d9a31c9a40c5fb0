//! Structured logs on standard error.

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogInitError {
    /// The filter is not understood.
    #[error("log filter {filter:?} is not understood; examples: info, warn,telex_fetcher=debug")]
    Filter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Logs were set up before.
    #[error("logs were set up twice")]
    Twice,
}

/// Sends logs to standard error; `filter` is as of `RUST_LOG`, `color` for terminals only.
///
/// # Errors
/// Where the filter is not understood or logs were set up before.
pub fn init(filter: &str, format: LogFormat, color: bool) -> Result<(), LogInitError> {
    let filter = EnvFilter::try_new(filter).map_err(|source| LogInitError::Filter {
        filter: filter.to_owned(),
        source,
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color);
    match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(|_| LogInitError::Twice)
}
