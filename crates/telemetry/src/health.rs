//! Liveness and readiness, by progress rather than by an open socket.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A stage that has not come round its loop for so long is stuck: four times the longest wait that a loop makes
/// on purpose (a batch deadline of 40 s, a third of `max.poll.interval.ms`, see the stream crate).
const STUCK: Duration = Duration::from_secs(160);

/// Health of the process: one entry a stage.
#[derive(Debug, Clone, Default)]
pub struct Health {
    stages: Arc<Mutex<BTreeMap<&'static str, State>>>,
    stopping: Arc<AtomicBool>,
}

#[derive(Debug, Clone)]
struct State {
    alive: Instant,
    not_ready: Option<String>,
}

/// Through which one stage reports.
#[derive(Debug, Clone)]
pub struct StageHealth {
    name: &'static str,
    health: Health,
}

impl Health {
    /// Adds a stage, not ready as yet.
    pub fn stage(&self, name: &'static str) -> StageHealth {
        self.lock().insert(
            name,
            State {
                alive: Instant::now(),
                not_ready: Some("starting".to_owned()),
            },
        );
        StageHealth {
            name,
            health: self.clone(),
        }
    }

    /// Says that the process is on its way out: not ready from now on.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Tells whether every stage makes progress; else which does not.
    ///
    /// # Errors
    /// The reason in words.
    pub fn live(&self) -> Result<(), String> {
        let stuck: Vec<String> = self
            .lock()
            .iter()
            .filter(|(_, s)| s.alive.elapsed() > STUCK)
            .map(|(name, s)| format!("{name}: no progress for {} s", s.alive.elapsed().as_secs()))
            .collect();
        if stuck.is_empty() {
            Ok(())
        } else {
            Err(stuck.join("; "))
        }
    }

    /// Tells whether every stage can work; else why not.
    ///
    /// # Errors
    /// The reasons in words.
    pub fn ready(&self) -> Result<(), String> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err("stopping".to_owned());
        }
        self.live()?;
        let stages = self.lock();
        if stages.is_empty() {
            return Err("starting".to_owned());
        }
        let reasons: Vec<String> = stages
            .iter()
            .filter_map(|(name, s)| Some(format!("{name}: {}", s.not_ready.as_ref()?)))
            .collect();
        if reasons.is_empty() {
            Ok(())
        } else {
            Err(reasons.join("; "))
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, State>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StageHealth {
    /// Says that the stage came round its loop.
    pub fn alive(&self) {
        self.update(|s| s.alive = Instant::now());
    }

    /// Says that the stage can work.
    pub fn ready(&self) {
        self.update(|s| {
            s.alive = Instant::now();
            s.not_ready = None;
        });
    }

    /// Says that the stage cannot work at the moment, and why.
    pub fn not_ready(&self, reason: impl Into<String>) {
        let reason = reason.into();
        self.update(|s| s.not_ready = Some(reason));
    }

    /// Takes the stage off the list: it has finished.
    pub fn finished(&self) {
        self.health.lock().remove(self.name);
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        if let Some(state) = self.health.lock().get_mut(self.name) {
            change(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_all_stages_are_and_never_while_stopping() {
        let health = Health::default();
        assert_eq!(health.ready(), Err("starting".to_owned()));
        let (a, b) = (health.stage("cleaner"), health.stage("sink"));
        a.ready();
        b.not_ready("disk full");
        assert_eq!(health.ready(), Err("sink: disk full".to_owned()));
        assert_eq!(health.live(), Ok(()));
        b.ready();
        assert_eq!(health.ready(), Ok(()));
        health.stopping();
        assert_eq!(health.ready(), Err("stopping".to_owned()));
    }
}
