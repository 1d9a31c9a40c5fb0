//! Keeps a fault of ours from turning a whole topic into dead letters.

use std::collections::VecDeque;
use std::time::Duration;

/// Messages looked back at.
const WINDOW: usize = 1000;

/// Below so many messages nothing is decided: a first bad feed must not stop a pipeline.
const LEAST: usize = 100;

/// Share of dead letters that holds the stage. Bad input of single sources stays far below it.
const SHARE: f64 = 0.5;

const FIRST_HOLD: Duration = Duration::from_secs(60);
const LONGEST_HOLD: Duration = Duration::from_secs(15 * 60);

/// Watches the share of dead letters.
#[derive(Debug)]
pub(super) struct Breaker {
    recent: VecDeque<bool>,
    dead: usize,
    hold: Duration,
    pub(super) last_reason: String,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            recent: VecDeque::new(),
            dead: 0,
            hold: FIRST_HOLD,
            last_reason: String::new(),
        }
    }
}

impl Breaker {
    /// Takes in one message.
    pub(super) fn see(&mut self, dead: Option<&str>) {
        if let Some(reason) = dead {
            reason.clone_into(&mut self.last_reason);
        }
        self.recent.push_back(dead.is_some());
        self.dead += usize::from(dead.is_some());
        if self.recent.len() > WINDOW {
            self.dead -= usize::from(self.recent.pop_front() == Some(true));
        }
    }

    /// Dead letters and messages looked at, where the stage must be held.
    pub(super) fn tripped(&self) -> Option<(usize, usize)> {
        let seen = self.recent.len();
        (seen >= LEAST && self.dead as f64 > SHARE * seen as f64).then_some((self.dead, seen))
    }

    /// Begins a hold: looks at what comes after it only; each hold in a row is twice as long.
    pub(super) fn hold(&mut self) -> Duration {
        let hold = self.hold;
        self.hold = (hold * 2).min(LONGEST_HOLD);
        self.recent.clear();
        self.dead = 0;
        hold
    }

    /// Takes in that a batch went through without tripping.
    pub(super) fn fine(&mut self) {
        if self.recent.len() >= LEAST {
            self.hold = FIRST_HOLD;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trips_on_a_fault_of_ours_and_not_on_single_bad_messages() {
        let mut breaker = Breaker::default();
        (0..1000).for_each(|i| breaker.see((i % 3 == 0).then_some("invalid_json")));
        assert_eq!(breaker.tripped(), None);
        (0..600).for_each(|_| breaker.see(Some("panic")));
        assert!(breaker.tripped().is_some());
        assert_eq!(breaker.last_reason, "panic");
        assert_eq!([breaker.hold(), breaker.hold()], [FIRST_HOLD, FIRST_HOLD * 2]);
        assert_eq!(breaker.tripped(), None);
    }
}
