//! What the answer to a poll does to the state of its feed: pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use telex_model::{Asked, FeedHealth, FeedId, FeedSignal, FeedState, Item, Moving, SeenItems};
use telex_web::Class;

use crate::health;
use crate::interval::{self, Found};
use crate::items::News;
use crate::websub;
use crate::window::Window;

/// A permanent redirect is trusted once so many polls in a row were led to the same address, and what it gave was
/// known from before: a hotel's portal or a server in trouble redirects for good as well.
const TRUST_AFTER: u32 = 3;

/// After so many answers "not modified" in a row the whole feed is asked for: some servers say so for ever.
const WHOLE_EVERY: u32 = 50;

/// Arrival rates are averaged over this time.
const RATE_OVER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

const DAY: f64 = 24.0 * 60.0 * 60.0;

/// A usable answer.
pub(crate) struct Answer {
    /// How long it stays fresh by its headers.
    pub(crate) fresh: Option<Duration>,
    /// Where the feed has moved to for good, by its redirects.
    pub(crate) moved: Option<String>,
    /// The feed; none where it was not modified.
    pub(crate) whole: Option<Box<Whole>>,
}

/// A feed that was read.
pub(crate) struct Whole {
    pub(crate) news: News,
    pub(crate) entries: usize,
    pub(crate) window: Window,
    pub(crate) asked: Asked,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) title: Option<String>,
    /// What to remember of the sitemaps of an index.
    pub(crate) sitemaps: SeenItems,
    /// The WebSub hub that it names, and its own name there.
    pub(crate) hub: Option<(String, String)>,
}

impl Answer {
    /// Outcome as a label of metrics.
    pub(crate) fn outcome(&self) -> &'static str {
        match &self.whole {
            None => "not_modified",
            Some(whole) if whole.entries == 0 => "empty",
            Some(whole) if whole.news.items.is_empty() => "unchanged",
            Some(_) => "changed",
        }
    }
}

/// Gives the state of a feed that was never asked for.
pub(crate) fn unknown(id: FeedId) -> FeedState {
    FeedState {
        id,
        etag: None,
        last_modified: None,
        polled_at: None,
        request_served: None,
        ping_served: None,
        succeeded_at: None,
        next_poll: Timestamp::UNIX_EPOCH,
        interval_seconds: seconds(interval::FIRST),
        health: FeedHealth::New,
        failures: 0,
        last_error: None,
        title: None,
        moved_to: None,
        moving: None,
        unmodified: 0,
        asked: Asked::default(),
        items_per_day: None,
        missed: 0,
        seen: SeenItems::default(),
        sitemaps: SeenItems::default(),
        push: None,
    }
}

/// Tells whether the next request may say what is known, so that the server can answer "not modified".
pub(crate) fn conditional(state: &FeedState) -> bool {
    state.unmodified < WHOLE_EVERY
}

/// Takes in a usable answer; gives its new items. `fixed` is an interval set by hand, which overrules the feed.
pub(crate) fn succeed(
    state: &mut FeedState,
    answer: Answer,
    fixed: Option<Duration>,
    now: Timestamp,
) -> Vec<Item> {
    let Answer { fresh, moved, whole } = answer;
    let last = state.succeeded_at;
    let interval = Duration::from_secs(u64::from(state.interval_seconds));
    let elapsed = last
        .and_then(|at| Duration::try_from(now.duration_since(at)).ok())
        .unwrap_or_default();
    let mut found = Found {
        items: 0,
        new: 0,
        elapsed,
    };
    let (mut items, mut pace) = (Vec::new(), None);
    match whole {
        None => state.unmodified = state.unmodified.saturating_add(1),
        Some(whole) => {
            found.items = whole.entries;
            found.new = whole.news.new;
            pace = whole.window.pace(now);
            if let Some(last) = last.filter(|_| found.new >= found.items) {
                state.missed = state.missed.saturating_add(whole.window.missed(last));
            }
            state.unmodified = 0;
            state.etag = whole.etag;
            state.last_modified = whole.last_modified;
            state.title = whole.title.or(state.title.take());
            state.asked = whole.asked;
            state.missed = state.missed.saturating_add(whole.news.left_out);
            state.seen = whole.news.seen;
            state.sitemaps = whole.sitemaps;
            state.push = websub::follow(state.push.take(), whole.hub);
            if let (Some(push), Some(last)) = (&mut state.push, last.filter(|_| found.new > 0)) {
                websub::found_news(push, last, now);
            }
            items = whole.news.items;
        }
    }
    follow(
        state,
        moved,
        last.is_some() && (found.new < found.items || found.items == 0),
    );
    state.items_per_day = rate(state.items_per_day, last.map(|_| found), pace);
    let adapted = match last {
        Some(_) => interval::adapt(interval, found),
        None => interval::begin(pace),
    };
    state.interval_seconds = seconds(adapted);
    state.succeeded_at = Some(now);
    state.health = FeedHealth::Healthy;
    state.failures = 0;
    state.last_error = None;
    state.next_poll = match fixed {
        Some(fixed) => later(now, fixed),
        None => {
            let rest = adapted.max(interval::asked_for(state.asked, fresh));
            let rest = websub::rest(state.push.as_ref(), interval::jitter(rest, seed(state, now)), now);
            interval::not_skipped(later(now, rest), state.asked)
        }
    };
    items
}

/// Takes in what the feed's hub said; tells whether it was news. Who may not rely on it any more polls at the feed's
/// own pace from then on.
pub(crate) fn hear(state: &mut FeedState, signal: &FeedSignal) -> bool {
    let Some(push) = &mut state.push else { return false };
    let news = websub::apply(push, signal);
    if news && push.denied.is_some() {
        let interval = Duration::from_secs(u64::from(state.interval_seconds));
        state.next_poll = state.next_poll.min(later(signal.at, interval));
    }
    news
}

/// Takes in a failure.
pub(crate) fn fail(
    state: &mut FeedState,
    class: Class,
    detail: &str,
    retry_after: Option<Duration>,
    now: Timestamp,
) {
    state.failures = state.failures.saturating_add(1);
    state.last_error = Some(detail.chars().take(500).collect());
    state.moving = None;
    if matches!(class, Class::Gone | Class::Permanent) && state.moved_to.take().is_some() {
        // Where it moved to is no more; the address on the list has its say first.
        state.health = FeedHealth::Failing;
    } else {
        state.health = health::after_failure(state, class, now);
    }
    let interval = Duration::from_secs(u64::from(state.interval_seconds));
    let wait = match state.health {
        FeedHealth::Gone | FeedHealth::Dormant => Duration::from_secs(24 * 60 * 60),
        _ => interval::after_failures(interval, state.failures),
    };
    let wait = wait.max(retry_after.unwrap_or_default());
    state.next_poll = later(now, interval::jitter(wait, seed(state, now)));
}

/// Tells whether what was asked for at a time was served. States of before it was noted know only when they were polled.
pub(crate) fn served(served: Option<Timestamp>, asked: Timestamp, state: &FeedState) -> bool {
    served == Some(asked) || served.is_none() && state.polled_at >= Some(asked)
}

/// How long a feed is to rest from now on: no longer than it was to rest after its last poll, which lies in the future
/// where the clock has gone back since.
pub(crate) fn rest(state: &FeedState, now: Timestamp) -> Duration {
    let from = state.polled_at.map_or(now, |polled| polled.max(now));
    let rest = state.next_poll.duration_since(from);
    rest.try_into().unwrap_or(Duration::ZERO)
}

/// Follows a permanent redirect once it is to be trusted; `known` says that what it gave was known from before.
fn follow(state: &mut FeedState, target: Option<String>, known: bool) {
    let Some(to) = target.filter(|to| known && state.moved_to.as_ref() != Some(to)) else {
        state.moving = None;
        return;
    };
    let polls = state.moving.take().filter(|m| m.to == to).map_or(0, |m| m.polls) + 1;
    if polls < TRUST_AFTER {
        state.moving = Some(Moving { to, polls });
    } else {
        tracing::info!(feed = %state.id, to, "a feed has moved for good and is asked for there");
        state.moved_to = Some(to);
    }
}

/// Averages the arrival of new items; where a feed is read for the first time its dates tell.
fn rate(before: Option<f32>, found: Option<Found>, pace: Option<Duration>) -> Option<f32> {
    let Some(found) = found else {
        return pace.map(|gap| (DAY / gap.as_secs_f64().max(1.0)) as f32);
    };
    let days = found.elapsed.as_secs_f64() / DAY;
    let Some(before) = before.filter(|_| days > 0.0) else {
        return before;
    };
    let share = 1.0 - (-found.elapsed.as_secs_f64() / RATE_OVER.as_secs_f64()).exp();
    let next = f64::from(before) + share * (found.new as f64 / days - f64::from(before));
    // Three digits are enough, and keep the record small.
    Some(((next * 1000.0).round() / 1000.0) as f32)
}

fn seed(state: &FeedState, now: Timestamp) -> u64 {
    telex_model::short_hash(&format!("{}{now}", state.id))
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| now.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn feed() -> FeedState {
        unknown(FeedId::of(&Url::parse("https://h.test/rss").expect("a URL")))
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + minute * 60).expect("a time")
    }

    fn whole(entries: usize, new: usize) -> Answer {
        Answer {
            fresh: None,
            moved: None,
            whole: Some(Box::new(Whole {
                news: News {
                    new,
                    ..News::default()
                },
                entries,
                window: Window::default(),
                asked: Asked::default(),
                etag: Some("\"1\"".to_owned()),
                last_modified: None,
                title: None,
                sitemaps: SeenItems::default(),
                hub: None,
            })),
        }
    }

    fn unmodified() -> Answer {
        Answer {
            fresh: None,
            moved: None,
            whole: None,
        }
    }

    fn moved(to: &str, answer: Answer) -> Answer {
        Answer {
            moved: Some(to.to_owned()),
            ..answer
        }
    }

    #[test]
    fn a_redirect_is_trusted_after_three_polls_of_known_items() {
        let mut state = feed();
        succeed(&mut state, moved("https://a.test/", whole(9, 9)), None, at(0));
        assert_eq!(state.moving, None, "nothing was known before");
        for minute in 1..3 {
            succeed(
                &mut state,
                moved("https://a.test/", whole(9, 1)),
                None,
                at(minute),
            );
        }
        assert_eq!(state.moving.as_ref().map(|m| m.polls), Some(2));
        succeed(&mut state, moved("https://b.test/", unmodified()), None, at(3));
        assert_eq!(
            state.moving.as_ref().map(|m| m.polls),
            Some(1),
            "it leads elsewhere now"
        );
        succeed(&mut state, moved("https://b.test/", whole(9, 9)), None, at(4));
        assert_eq!(state.moving, None, "everything is new: another feed, or a portal");
        for minute in 5..8 {
            succeed(
                &mut state,
                moved("https://b.test/", whole(9, 0)),
                None,
                at(minute),
            );
        }
        assert_eq!(state.moved_to.as_deref(), Some("https://b.test/"));
        fail(&mut state, Class::Transient, "busy", None, at(8));
        assert!(state.moved_to.is_some(), "that may pass");
        fail(&mut state, Class::Gone, "gone", None, at(9));
        assert_eq!((state.moved_to, state.health), (None, FeedHealth::Failing));
    }

    #[test]
    fn a_server_that_never_changes_its_mind_is_asked_for_everything_now_and_then() {
        let mut state = feed();
        succeed(&mut state, whole(9, 9), None, at(0));
        for minute in 1..50 {
            succeed(&mut state, unmodified(), None, at(minute));
            assert!(conditional(&state));
        }
        succeed(&mut state, unmodified(), None, at(50));
        assert!(!conditional(&state));
        succeed(&mut state, whole(9, 0), None, at(51));
        assert!(conditional(&state));
    }

    #[test]
    fn what_was_asked_for_is_served_once_whatever_the_clock_says() {
        let mut state = feed();
        state.polled_at = Some(at(5));
        assert!(served(None, at(4), &state), "as states of before have it");
        assert!(!served(None, at(6), &state));
        assert!(served(Some(at(9)), at(9), &state), "by a clock that was ahead");
        assert!(!served(Some(at(2)), at(3), &state), "by a clock that was behind");
    }

    #[test]
    fn a_clock_that_is_set_makes_no_feed_rest_longer() {
        let mut state = feed();
        succeed(&mut state, whole(9, 9), None, at(0));
        state.polled_at = Some(at(0));
        let whole_rest = rest(&state, at(0));
        assert!(whole_rest > Duration::from_secs(60));
        assert_eq!(rest(&state, at(1)) + Duration::from_secs(60), whole_rest);
        assert_eq!(rest(&state, at(0) - SignedDuration::from_hours(48)), whole_rest);
        assert_eq!(
            rest(&state, at(0) + SignedDuration::from_hours(48)),
            Duration::ZERO
        );
    }

    #[test]
    fn what_the_publisher_asks_holds_after_not_modified_and_yields_to_a_fixed_interval() {
        let mut state = feed();
        let mut asking = whole(9, 9);
        if let Some(whole) = &mut asking.whole {
            whole.asked.rest_seconds = 6 * 3600;
        }
        succeed(&mut state, asking, None, at(0));
        succeed(&mut state, unmodified(), None, at(1));
        assert!(state.next_poll.duration_since(at(1)) >= SignedDuration::from_hours(5));
        succeed(&mut state, unmodified(), Some(Duration::from_secs(60)), at(2));
        assert_eq!(state.next_poll, at(3));
    }

    #[test]
    fn a_state_is_small() {
        let mut state = feed();
        let named = (
            "https://hub.example.org/subscribe".to_owned(),
            "https://h.test/rss".to_owned(),
        );
        state.push = websub::follow(None, Some(named));
        for text in [
            &mut state.etag,
            &mut state.last_modified,
            &mut state.title,
            &mut state.moved_to,
        ] {
            *text = Some("x".repeat(100));
        }
        state.last_error = Some("x".repeat(500));
        (0..100).for_each(|n| state.seen.insert(u64::MAX - n, u64::MAX / 3 + n));
        let size = |state: &FeedState| telex_model::to_json(state).len();
        let full = size(&state);
        assert!(full <= 4096, "{full} bytes for 100 entries");
        (0..400).for_each(|n| state.seen.insert(n, n));
        assert!(size(&state) <= full + 16 * 400, "16 bytes for each further one");
    }

    #[test]
    fn the_rate_of_items_follows_the_feed() {
        let mut state = feed();
        succeed(&mut state, whole(9, 9), None, at(0));
        state.items_per_day = Some(10.0);
        for hour in 1..=7 * 24 {
            succeed(&mut state, whole(9, 1), None, at(hour * 60));
        }
        let rate = state.items_per_day.expect("it is known");
        assert!(rate > 18.0 && rate < 20.0, "24 a day for a week: {rate}");
    }

    #[test]
    fn failures_slow_down_and_are_told() {
        let mut state = feed();
        succeed(&mut state, whole(9, 9), None, at(0));
        fail(
            &mut state,
            Class::Throttled,
            "HTTP status 429",
            Some(Duration::from_secs(9 * 3600)),
            at(1),
        );
        assert_eq!(state.health, FeedHealth::Failing);
        assert_eq!(state.last_error.as_deref(), Some("HTTP status 429"));
        assert!(state.next_poll.duration_since(at(1)) >= SignedDuration::from_hours(8));
        fail(&mut state, Class::Gone, "HTTP status 410", None, at(2));
        assert_eq!(state.health, FeedHealth::Gone);
    }
}
