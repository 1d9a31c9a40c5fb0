//! What a failure means for a feed.

use jiff::{SignedDuration, Timestamp};
use telex_model::{FeedHealth, FeedState};
use telex_web::Class;

/// A feed that failed for so long is asked once a day only, and says so.
const DORMANT_AFTER: SignedDuration = SignedDuration::from_hours(14 * 24);

/// So many failures in a row take about as long from the first poll on, for a feed that never gave an answer.
const DORMANT_AFTER_FAILURES: u32 = 20;

/// Fewer failures do not make a feed dormant, however long ago the last answer was: the poller may have been off.
const FAILURES_AT_LEAST: u32 = 10;

/// Gives the health of a feed after one more failure; `failures` already counts it.
pub(crate) fn after_failure(state: &FeedState, class: Class, now: Timestamp) -> FeedHealth {
    if class == Class::Gone {
        return FeedHealth::Gone;
    }
    let dormant = match state.succeeded_at {
        Some(good) => now.duration_since(good) > DORMANT_AFTER && state.failures > FAILURES_AT_LEAST,
        None => state.failures > DORMANT_AFTER_FAILURES,
    };
    if dormant {
        FeedHealth::Dormant
    } else {
        FeedHealth::Failing
    }
}

#[cfg(test)]
mod tests {
    use telex_model::FeedId;
    use url::Url;

    use super::*;
    use crate::state;

    /// Days from the first failure until a feed is dormant, and failures by then.
    fn days_until_dormant(succeeded: bool) -> (i64, u32) {
        let mut state = state::unknown(FeedId::of(&Url::parse("https://h.test/").expect("a URL")));
        let begin = Timestamp::from_second(1_700_000_000).expect("a time");
        state.succeeded_at = succeeded.then_some(begin);
        let mut now = begin;
        while state.health != FeedHealth::Dormant {
            state.polled_at = Some(now);
            state::fail(&mut state, Class::Transient, "HTTP status 500", None, now);
            assert!(state.next_poll > now && state.failures < 100);
            now = state.next_poll;
        }
        let rest = state.next_poll.duration_since(state.polled_at.expect("it was"));
        assert!(rest > SignedDuration::from_hours(21), "asked once a day");
        (now.duration_since(begin).as_hours() / 24, state.failures)
    }

    #[test]
    fn two_weeks_of_failures_make_a_feed_dormant_and_never_dead() {
        let (days, failures) = days_until_dormant(true);
        assert!(
            (14..17).contains(&days) && failures > 15,
            "{days} days, {failures} failures"
        );
        let (days, failures) = days_until_dormant(false);
        assert!((12..17).contains(&days), "{days} days, {failures} failures");
    }

    #[test]
    fn a_feed_that_was_not_asked_for_long_is_not_dormant_at_once() {
        let mut state = state::unknown(FeedId::of(&Url::parse("https://h.test/").expect("a URL")));
        let begin = Timestamp::from_second(1_700_000_000).expect("a time");
        state.succeeded_at = Some(begin);
        let now = begin + SignedDuration::from_hours(100 * 24);
        state::fail(&mut state, Class::Transient, "HTTP status 500", None, now);
        assert_eq!(state.health, FeedHealth::Failing);
    }
}
