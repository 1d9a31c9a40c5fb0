//! When files are too old to be kept.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::error::SinkError;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(60);

/// Looks from time to time for files that are too old, between two batches: so none is written meanwhile.
#[derive(Debug)]
pub(crate) struct Retention {
    period: Duration,
    looked: Option<Instant>,
}

impl Retention {
    /// Makes one of the period for which files are kept.
    pub(crate) fn new(period: Duration) -> Self {
        Self { period, looked: None }
    }

    /// Gives the time before which files are too old, where it is time to look for them.
    pub(crate) fn due(&mut self) -> Option<SystemTime> {
        if self.looked.is_some_and(|at| at.elapsed() < EVERY) {
            return None;
        }
        self.looked = Some(Instant::now());
        SystemTime::now().checked_sub(self.period)
    }
}

/// Tells whether a file was last written before a time.
pub(crate) fn is_older(path: &Path, before: SystemTime) -> std::io::Result<bool> {
    Ok(std::fs::metadata(path)?.modified()? < before)
}

/// Removes a file that is too old.
pub(crate) fn remove(path: &Path) -> std::io::Result<()> {
    std::fs::remove_file(path)?;
    tracing::info!(file = %path.display(), "a file that is older than the retention is removed");
    Ok(())
}

/// Says that old files could not be removed: nothing that should keep new ones from being written.
pub(crate) fn kept(error: &SinkError) {
    tracing::warn!(reason = error.chain(), "old files are kept for the moment");
}
