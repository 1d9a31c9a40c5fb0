//! Why something could not be done.

use telex_stream::BusError;

/// Why something that an operator asked for could not be done.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// What was asked for has no sense; in words for who asked.
    #[error("{0}")]
    Wrong(String),
    /// What was asked for is not there.
    #[error("{0}")]
    Missing(String),
    /// The bus did not do it.
    #[error(transparent)]
    Bus(#[from] BusError),
}
