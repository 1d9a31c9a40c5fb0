//! Counts what the stages have done, while somebody looks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::app::App;
use crate::look::{self, Counts};

/// Between two counts from the metrics of this process, which cost nothing.
const EVERY: Duration = Duration::from_secs(5);

/// Between two counts from the bus: on Kafka each asks for the offsets of every group.
const EVERY_FROM_BUS: Duration = Duration::from_secs(15);

/// Nobody has looked for so long: the bus is left alone.
const UNSEEN: Duration = Duration::from_secs(60);

/// Counts are kept for so long: rates are of the last minute.
const KEPT: SignedDuration = SignedDuration::from_secs(60);

/// Counts of the last minute.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<VecDeque<Counts>>);

impl History {
    fn push(&self, counts: Counts) {
        let mut history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = |known: &Counts| counts.at.duration_since(known.at) > KEPT;
        while history.front().is_some_and(old) {
            history.pop_front();
        }
        history.push_back(counts);
    }

    pub(super) fn ends(&self) -> Option<(Counts, Counts)> {
        let history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some((history.front()?.clone(), history.back()?.clone()))
    }
}

/// Whether somebody looks.
#[derive(Debug)]
pub(crate) struct Eyes(watch::Sender<Instant>);

impl Default for Eyes {
    fn default() -> Self {
        Self(watch::Sender::new(Instant::now()))
    }
}

impl Eyes {
    /// Somebody looks now.
    pub(crate) fn look(&self) {
        self.0.send_replace(Instant::now());
    }
}

/// Counts until the console ends.
pub(crate) async fn count(app: std::sync::Weak<App>) {
    let Some(mut eyes) = app.upgrade().map(|app| app.eyes.0.subscribe()) else {
        return;
    };
    loop {
        let Some(app) = app.upgrade() else { return };
        let every = match &app.parts.metrics {
            Some(metrics) => {
                app.history.push(look::of_metrics(metrics));
                EVERY
            }
            None => {
                count_bus(&app).await;
                EVERY_FROM_BUS
            }
        };
        let metrics = app.parts.metrics.is_some();
        drop(app);
        tokio::time::sleep(every).await;
        if !metrics && !seen(&mut eyes).await {
            return;
        }
    }
}

/// Waits until somebody has looked of late; tells whether anybody still may.
async fn seen(eyes: &mut watch::Receiver<Instant>) -> bool {
    eyes.wait_for(|last| last.elapsed() < UNSEEN).await.is_ok()
}

async fn count_bus(app: &App) {
    let (bus, prefix) = (Arc::clone(&app.parts.bus), app.parts.prefix.clone());
    match look::on_thread(move || look::of_bus(bus.as_ref(), &prefix)).await {
        Ok(counts) => app.history.push(counts),
        Err(failure) => tracing::debug!(failure.detail, "the stages cannot be counted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_bus_is_left_alone_while_nobody_looks() {
        let eyes = Eyes::default();
        let mut seeing = eyes.0.subscribe();
        assert!(seen(&mut seeing).await);
        tokio::time::sleep(UNSEEN).await;
        let hour = Duration::from_secs(3600);
        assert!(tokio::time::timeout(hour, seen(&mut seeing)).await.is_err());
        eyes.look();
        assert!(tokio::time::timeout(hour, seen(&mut seeing)).await.is_ok());
    }
}
