//! Whether the machine's clock was set.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// Smaller steps, as of a clock that is kept in time, matter to nobody.
const JUMP: SignedDuration = SignedDuration::from_secs(10);

/// The wall clock beside one that nobody sets.
#[derive(Debug)]
pub(super) struct Clock {
    wall: Timestamp,
    steady: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            wall: Timestamp::now(),
            steady: Instant::now(),
        }
    }

    /// Tells by how much the wall clock was set since the last call: forward, as after a machine has slept, or back.
    pub(super) fn jumped(&mut self) -> Option<SignedDuration> {
        self.look(Timestamp::now(), Instant::now())
    }

    fn look(&mut self, wall: Timestamp, steady: Instant) -> Option<SignedDuration> {
        let elapsed = SignedDuration::try_from(steady.saturating_duration_since(self.steady)).ok()?;
        let by = wall.duration_since(self.wall).checked_sub(elapsed)?;
        (self.wall, self.steady) = (wall, steady);
        (by.abs() >= JUMP).then_some(by)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_is_set_is_told_once_and_one_that_drifts_never() {
        let mut clock = Clock::new();
        let (wall, steady) = (clock.wall, clock.steady);
        let hour = SignedDuration::from_hours(1);
        let at = |n: u32| steady + n * Duration::from_secs(1);
        assert_eq!(clock.look(wall + SignedDuration::from_secs(1), at(1)), None);
        assert_eq!(clock.look(wall + SignedDuration::from_secs(11), at(2)), None);
        let set = wall + SignedDuration::from_secs(12) + hour;
        assert_eq!(clock.look(set, at(3)), Some(hour));
        assert_eq!(clock.look(set, at(3)), None);
        assert_eq!(clock.look(set - hour, at(3)), Some(-hour));
    }
}
