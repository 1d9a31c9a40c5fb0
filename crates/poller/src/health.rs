//! What a failure means for a feed.

use jiff::{SignedDuration, Timestamp};
use telex_model::{FeedHealth, FeedState};
use telex_web::Class;

/// A feed that failed for so long is asked once a day only, and says so.
const DORMANT_AFTER: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Gives the health of a feed after one more failure; `failures` already counts it.
pub(crate) fn after_failure(state: &FeedState, class: Class, now: Timestamp) -> FeedHealth {
    if class == Class::Gone {
        return FeedHealth::Gone;
    }
    match state.succeeded_at.or(state.polled_at) {
        Some(good) if now.duration_since(good) > DORMANT_AFTER && state.failures > 10 => FeedHealth::Dormant,
        _ => FeedHealth::Failing,
    }
}
