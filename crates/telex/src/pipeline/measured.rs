//! A sink whose work is counted.

use std::time::Instant;

use telex_sink::{Fate, Row, Sink, SinkError};
use telex_telemetry::SinkMetrics;

/// A sink, and the metrics under its name.
#[derive(Debug)]
pub(super) struct Measured {
    sink: Box<dyn Sink>,
    metrics: SinkMetrics,
}

impl Measured {
    pub(super) fn new(sink: impl Sink + 'static, metrics: SinkMetrics) -> Box<Self> {
        Box::new(Self {
            sink: Box::new(sink),
            metrics,
        })
    }
}

impl Sink for Measured {
    fn store(&mut self, log: &str, rows: &[Row<'_>]) -> Result<Vec<Fate>, SinkError> {
        let begun = Instant::now();
        let stored = self.sink.store(log, rows);
        match &stored {
            Ok(fates) => {
                let new = fates.iter().filter(|fate| **fate == Fate::Stored).count();
                let new = u64::try_from(new).unwrap_or(u64::MAX);
                self.metrics.stored(new, begun.elapsed().as_secs_f64());
            }
            Err(_) => self.metrics.failed(),
        }
        stored
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.sink.finish()
    }
}
