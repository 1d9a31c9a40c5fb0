//! How long a feed may rest.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};
use telex_feed::Hints;
use telex_model::Asked;

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
    /// Time since the last answer that could be used.
    pub(crate) elapsed: Duration,
}

/// Gives the next interval: about one new item a poll, and never more than a third of the items new. A third longer
/// where nothing was new, at most halved where something was; at once the shortest where everything was new, for
/// then items may have come and gone in between.
pub(crate) fn adapt(now: Duration, found: Found) -> Duration {
    let Found { items, new, elapsed } = found;
    let next = match u32::try_from(new).unwrap_or(u32::MAX) {
        0 => now.mul_f64(4.0 / 3.0),
        _ if new >= items && items > 1 => SHORTEST,
        n => {
            let third = elapsed.mul_f64(items as f64 / (3.0 * new as f64));
            (elapsed / n).min(third).clamp(now / 2, now.mul_f64(4.0 / 3.0))
        }
    };
    next.clamp(SHORTEST, LONGEST)
}

/// Gives the first interval of a feed whose items come at that pace.
pub(crate) fn begin(pace: Option<Duration>) -> Duration {
    pace.unwrap_or(FIRST).clamp(SHORTEST, LONGEST)
}

/// Gives the rest that the publisher asks for: the longest of ttl, sy:updatePeriod and HTTP freshness.
pub(crate) fn asked_for(asked: Asked, fresh: Option<Duration>) -> Duration {
    Duration::from_secs(u64::from(asked.rest_seconds))
        .max(fresh.unwrap_or_default())
        .min(LONGEST_ASKED)
}

/// Reads what the publisher asks for off a feed.
pub(crate) fn asked(hints: &Hints) -> Asked {
    let rest = hints.ttl.into_iter().chain(hints.update_period).max();
    Asked {
        rest_seconds: u32::try_from(rest.unwrap_or_default().as_secs()).unwrap_or(u32::MAX),
        skip_hours: hints.skip_hours,
        skip_days: hints.skip_days,
    }
}

/// Puts a poll off to the first hour that the publisher does not want skipped, at most by a day: who asks for more
/// has most likely left the boxes of a form unticked.
pub(crate) fn not_skipped(at: Timestamp, asked: Asked) -> Timestamp {
    let skipped = |at: Timestamp| {
        let at = at.to_zoned(TimeZone::UTC);
        let day = at.weekday().to_monday_zero_offset();
        asked.skip_hours >> at.hour() & 1 == 1 || asked.skip_days >> day & 1 == 1
    };
    let hour = SignedDuration::from_hours(1);
    let mut later = at;
    for _ in 0..24 {
        if !skipped(later) {
            return later;
        }
        let Ok(next) = later.checked_add(hour) else { break };
        // To the beginning of that hour, so that it is not missed by minutes.
        later = next
            .round(TimestampRound::new().smallest(Unit::Hour).mode(RoundMode::Trunc))
            .unwrap_or(next);
    }
    at
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

    fn found(items: usize, new: usize, elapsed: Duration) -> Found {
        Found { items, new, elapsed }
    }

    #[test]
    fn follows_the_feed() {
        assert_eq!(adapt(FIRST, found(20, 20, FIRST)), SHORTEST);
        assert_eq!(adapt(FIRST, found(20, 1, FIRST)), FIRST, "one new item a poll");
        assert_eq!(adapt(FIRST, found(20, 2, FIRST)), FIRST / 2);
        assert_eq!(
            adapt(FIRST * 4, found(20, 9, FIRST * 4)),
            FIRST * 2,
            "halved at most"
        );
        assert!(adapt(FIRST, found(20, 0, FIRST)) > FIRST);
        assert_eq!(adapt(LONGEST, found(0, 0, LONGEST)), LONGEST);
        assert_eq!(adapt(SHORTEST, found(20, 3, SHORTEST)), SHORTEST);
        let after_a_rest = adapt(FIRST, found(20, 1, FIRST * 10));
        assert!(after_a_rest > FIRST && after_a_rest < FIRST * 2);
    }

    #[test]
    fn settles_at_about_one_item_a_poll() {
        // One item every 40 minutes, in a feed of 15.
        let gap = Duration::from_secs(40 * 60);
        let (mut now, mut interval, mut last) = (Duration::ZERO, FIRST, 0);
        let mut polls = Vec::new();
        for _ in 0..200 {
            now += interval;
            let seen = usize::try_from(now.as_secs() / gap.as_secs()).expect("small");
            interval = adapt(interval, found(15, seen - last, interval));
            last = seen;
            polls.push(interval);
        }
        let mean = polls[50..].iter().sum::<Duration>() / 150;
        assert!(mean > gap / 2 && mean < gap * 3 / 2, "{mean:?}");
    }

    #[test]
    fn hours_and_days_to_skip_are_skipped() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let asked = |skip_hours, skip_days| Asked {
            rest_seconds: 0,
            skip_hours,
            skip_days,
        };
        // 2022-02-02 was a Wednesday.
        let time = at("2022-02-02T02:20:00Z");
        assert_eq!(not_skipped(time, asked(0, 0)), time);
        assert_eq!(not_skipped(time, asked(0b1_1100, 0)), at("2022-02-02T05:00:00Z"));
        assert_eq!(not_skipped(time, asked(0, 0b100)), at("2022-02-03T00:00:00Z"));
        assert_eq!(not_skipped(time, asked(0xff_ffff, 0)), time, "nobody means never");
        assert_eq!(not_skipped(time, asked(0, 0b111_1111)), time);
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
            asked_for(asked(&hints), Some(Duration::from_secs(60))),
            Duration::from_secs(3600)
        );
        assert_eq!(
            asked_for(Asked::default(), Some(Duration::from_secs(10_000_000))),
            LONGEST_ASKED
        );
        assert!((0..3000).all(|n| (FIRST.mul_f64(0.89)..FIRST.mul_f64(1.11)).contains(&jitter(FIRST, n))));
    }
}
