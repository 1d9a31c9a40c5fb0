//! How a stage is told to finish.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::session::Waker;

/// What a stage is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Work until told otherwise.
    Run,
    /// Finish once all input is processed: everything before it in the flow has finished.
    Drain,
    /// Finish what was begun, commit it, and end.
    Stop,
}

/// Shared between a stage and who runs it; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Control(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    phase: AtomicU8,
    done: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
    changed: Condvar,
}

impl Control {
    /// Gives the phase.
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Run,
            1 => Phase::Drain,
            _ => Phase::Stop,
        }
    }

    /// Asks the stage to finish once its input is processed.
    pub fn drain(&self) {
        self.raise(1);
    }

    /// Asks the stage to finish what it began and end.
    pub fn stop(&self) {
        self.raise(2);
    }

    /// Says that the stage has made its last commit; what is left to do, such as leaving its group, concerns nobody else.
    pub fn done(&self) {
        self.0.done.store(true, Ordering::Release);
    }

    /// Tells whether the stage has made its last commit, so that those after it may drain.
    pub fn is_done(&self) -> bool {
        self.0.done.load(Ordering::Acquire)
    }

    /// Has `waker` called at every change.
    pub fn on_change(&self, waker: Waker) {
        self.0
            .wakers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(waker);
    }

    /// Waits, but not longer than until the stage is told to stop; tells whether it may go on.
    pub fn wait(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut guard = self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        while self.phase() != Phase::Stop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            guard = self
                .0
                .changed
                .wait_timeout(guard, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        false
    }

    fn raise(&self, phase: u8) {
        let wakers = self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.phase.fetch_max(phase, Ordering::AcqRel);
        self.0.changed.notify_all();
        wakers.iter().for_each(Waker::wake);
    }
}
