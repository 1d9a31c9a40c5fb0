//! What the dates in an answer tell: how fast a feed moves, and what came and went between two polls.

use std::time::Duration;

use jiff::Timestamp;
use telex_feed::{Entry, Page};

/// The pace is read off so many of the newest items: enough to even out bursts, few enough to follow a change.
const NEWEST: usize = 10;

/// A feed that has been silent is taken to be as slow as a tenth of its silence.
const SILENCE: u32 = 10;

/// The dates of an answer's items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// Newest first; none later than the answer.
    dates: Vec<Timestamp>,
}

impl Window {
    /// Reads the dates off an answer's items, and off the pages of a sitemap.
    pub(crate) fn of(entries: &[Entry], pages: &[Page], now: Timestamp) -> Self {
        let date = |e: &Entry| e.published.as_ref().or(e.updated.as_ref()).map(|d| d.at);
        let changed = |page: &Page| page.changed.map(|d| d.at);
        let all = entries
            .iter()
            .filter_map(date)
            .chain(pages.iter().filter_map(changed));
        let mut dates: Vec<Timestamp> = all.filter(|at| *at <= now).collect();
        dates.sort_unstable_by(|a, b| b.cmp(a));
        Self { dates }
    }

    /// Mean time between two items; none where the dates do not tell.
    pub(crate) fn pace(&self, now: Timestamp) -> Option<Duration> {
        let newest = *self.dates.first()?;
        let last = (self.dates.len() - 1).min(NEWEST - 1);
        let oldest = *self.dates.get(last).filter(|_| last > 0)?;
        let gap = between(oldest, newest) / u32::try_from(last).unwrap_or(1);
        Some(gap.max(between(newest, now) / SILENCE))
    }

    /// Estimates how many items came and went since the last answer that could be used, given that nothing in this
    /// one was known: the time that it does not reach back to, at the pace of what it holds.
    pub(crate) fn missed(&self, since: Timestamp) -> u64 {
        let (Some(newest), Some(oldest)) = (self.dates.first(), self.dates.last()) else {
            return 0;
        };
        let (gap, span) = (between(since, *oldest), between(*oldest, *newest));
        if span.is_zero() {
            return 0;
        }
        let per_second = (self.dates.len() - 1) as f64 / span.as_secs_f64();
        (gap.as_secs_f64() * per_second).round() as u64
    }
}

/// Time from one moment to a later one; nothing where it is not later.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use telex_feed::{Confidence, Date};

    use super::*;

    fn window(hours: &[i64]) -> Window {
        let entry = |h: &i64| Entry {
            published: Some(Date {
                at: at(*h),
                confidence: Confidence::Exact,
            }),
            ..Entry::default()
        };
        Window::of(&hours.iter().map(entry).collect::<Vec<_>>(), &[], at(100))
    }

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + hour * 3600).expect("a time")
    }

    fn hours(n: u64) -> Duration {
        Duration::from_secs(n * 3600)
    }

    #[test]
    fn the_pace_is_that_of_the_newest_items() {
        assert_eq!(window(&[100, 98, 96, 94]).pace(at(100)), Some(hours(2)));
        assert_eq!(
            window(&[10, 9, 8]).pace(at(100)),
            Some(hours(9)),
            "it has been silent"
        );
        assert_eq!(window(&[100]).pace(at(100)), None);
        assert_eq!(window(&[]).pace(at(100)), None);
        assert_eq!(
            window(&[500, 99, 98]).pace(at(100)),
            Some(hours(1)),
            "the future does not count"
        );
    }

    #[test]
    fn what_was_missed_is_estimated() {
        // One item an hour, the last ten of them shown, last asked 40 hours ago.
        let hourly: Vec<i64> = (91..=100).collect();
        assert_eq!(window(&hourly).missed(at(60)), 31);
        assert_eq!(
            window(&hourly).missed(at(95)),
            0,
            "it reaches back to the last answer"
        );
        assert_eq!(window(&[100, 100]).missed(at(0)), 0, "equal dates tell nothing");
        assert_eq!(window(&[]).missed(at(0)), 0);
    }
}
