//! Progress on a terminal: one line that is written over.

use std::io::Write;
use std::time::{Duration, Instant};

use telex_model::Stage;

use crate::pipeline::Pipeline;

/// Often enough to look alive, seldom enough to read.
const EVERY: Duration = Duration::from_millis(250);

/// The line; silent where nobody watches.
pub(crate) struct Live {
    stages: Vec<Stage>,
    watched: bool,
    shown: Option<Instant>,
}

impl Live {
    pub(crate) fn new(stages: &[Stage], watched: bool) -> Self {
        Self {
            stages: stages.to_vec(),
            watched,
            shown: None,
        }
    }

    /// Writes the line, if it is time.
    pub(crate) fn show(&mut self, pipeline: &Pipeline) {
        if !self.watched || self.shown.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        let parts: Vec<String> = self.stages.iter().map(|stage| part(*stage, pipeline)).collect();
        self.write(&format!("\r\x1b[K{}", parts.join("  ")));
    }

    /// Takes the line away.
    pub(crate) fn end(&mut self) {
        if self.shown.take().is_some() {
            self.write("\r\x1b[K");
        }
    }

    fn write(&mut self, text: &str) {
        let mut err = std::io::stderr().lock();
        // Progress is of no use to a terminal that has gone.
        self.watched = err.write_all(text.as_bytes()).and_then(|()| err.flush()).is_ok();
    }
}

fn part(stage: Stage, pipeline: &Pipeline) -> String {
    let metrics = pipeline.metrics.stage(stage, &[], &[]);
    let waiting = match stage {
        Stage::Fetcher => metrics.lag.get() + pipeline.metrics.frontier_pending.get(),
        _ => metrics.lag.get(),
    };
    let waits = if waiting > 0 {
        format!(" ({waiting} wait)")
    } else {
        String::new()
    };
    let done = match stage {
        Stage::Poller => pipeline.polled.polled.load(std::sync::atomic::Ordering::Relaxed),
        Stage::Sink => metrics.messages_in.get(),
        _ => metrics.messages_out.get(),
    };
    format!("{stage} {done}{waits}")
}
