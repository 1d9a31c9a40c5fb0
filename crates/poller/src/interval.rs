//! How long a feed may rest.

use std::time::Duration;

use telex_feed::Hints;

/// A feed is not asked more often, however busy it is: a quarter of what polite readers use.
pub(crate) const SHORTEST: Duration = Duration::from_secs(5 * 60);

/// A quiet feed is still asked so often: a first item in months is not seen later than this.
pub(crate) const LONGEST: Duration = Duration::from_secs(4 * 60 * 60);

/// Where a feed that nothing is known of begins.
pub(crate) const FIRST: Duration = Duration::from_secs(15 * 60);

/// Longest rest that a publisher can ask for: more is most often a mistake in a template.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);

/// Longest wait after failures.
const LONGEST_BACKOFF: Duration = Duration::from_secs(24 * 60 * 60);

/// What a poll found, as far as the interval goes by it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Items in the answer.
    pub(crate) items: usize,
    /// New ones among them.
    pub(crate) new: usize,
}

/// Gives the next interval: a third shorter where something was new, a third longer where not, at once the
/// shortest where everything was new (items may have been missed).
pub(crate) fn adapt(now: Duration, found: Found) -> Duration {
    let next = match found {
        Found { items, new } if new > 0 && new == items && items > 1 => SHORTEST,
        Found { new: 0, .. } => now.mul_f64(4.0 / 3.0),
        _ => now.mul_f64(2.0 / 3.0),
    };
    next.clamp(SHORTEST, LONGEST)
}

/// Gives the rest that the publisher asks for: the longest of ttl, sy:updatePeriod and HTTP freshness.
pub(crate) fn asked_for(hints: &Hints, fresh: Option<Duration>) -> Duration {
    [hints.ttl, hints.update_period, fresh]
        .into_iter()
        .flatten()
        .max()
        .unwrap_or_default()
        .min(LONGEST_ASKED)
}

/// Gives the wait after so many failures in a row: doubling from the interval, at most a day.
pub(crate) fn after_failures(interval: Duration, failures: u32) -> Duration {
    interval
        .saturating_mul(1 << failures.saturating_sub(1).min(10))
        .clamp(SHORTEST, LONGEST_BACKOFF)
}

/// Spreads equal intervals: up to a tenth more or less, by a number that differs from feed to feed and poll to poll.
pub(crate) fn jitter(interval: Duration, seed: u64) -> Duration {
    let share = (seed % 2001) as f64 / 10_000.0;
    interval.mul_f64(0.9 + share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_feed() {
        assert_eq!(adapt(FIRST, Found { items: 20, new: 20 }), SHORTEST);
        assert!(adapt(FIRST, Found { items: 20, new: 1 }) < FIRST);
        assert!(adapt(FIRST, Found { items: 20, new: 0 }) > FIRST);
        assert_eq!(adapt(LONGEST, Found { items: 0, new: 0 }), LONGEST);
        assert_eq!(adapt(SHORTEST, Found { items: 20, new: 3 }), SHORTEST);
    }

    #[test]
    fn failures_double_up_to_a_day() {
        assert_eq!(after_failures(FIRST, 1), FIRST);
        assert_eq!(after_failures(FIRST, 3), FIRST * 4);
        assert_eq!(after_failures(FIRST, 60), LONGEST_BACKOFF);
    }

    #[test]
    fn publishers_are_heard_within_reason() {
        let hints = Hints {
            ttl: Some(Duration::from_secs(3600)),
            ..Hints::default()
        };
        assert_eq!(
            asked_for(&hints, Some(Duration::from_secs(60))),
            Duration::from_secs(3600)
        );
        assert_eq!(
            asked_for(&Hints::default(), Some(Duration::from_secs(10_000_000))),
            LONGEST_ASKED
        );
        assert!((0..3000).all(|n| (FIRST.mul_f64(0.89)..FIRST.mul_f64(1.11)).contains(&jitter(FIRST, n))));
    }
}
