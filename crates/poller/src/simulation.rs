//! The schedule at work in simulated time: what it does in an hour, in a moment.
//!
//! Feeds, hosts and answers are made up; the schedule, the intervals and their jitter are those of the poller.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use telex_model::{FeedId, FeedState};
use telex_web::Wait;
use url::Url;

use crate::schedule::{Next, Schedule};
use crate::state::{self, Answer};

/// Interval in seconds that "not modified" makes a quarter of an hour of. Left alone, all feeds would be polled ever
/// more rarely, and the hour be a quiet one.
const BEFORE_A_QUARTER: u32 = 675;

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub struct Simulation {
    /// Feeds, all of them known and resting for up to a quarter of an hour.
    pub feeds: usize,
    /// Hosts that they are spread over.
    pub hosts: usize,
    /// Least time between two requests to a host.
    pub between: Duration,
    /// How long a request takes; its answer is "not modified".
    pub request: Duration,
    /// Polls under way at once.
    pub concurrency: usize,
    /// How much time passes.
    pub span: Duration,
}

/// How it went.
#[derive(Debug, Clone, Default)]
pub struct Simulated {
    /// How long after its time each poll began, shortest first.
    pub late: Vec<Duration>,
    /// The longest time between two polls of one feed.
    pub longest: Duration,
}

impl Simulated {
    /// The lateness that this share of polls stays below, from 0 to 1.
    pub fn late_at(&self, share: f64) -> Duration {
        let place = (self.late.len().saturating_sub(1) as f64 * share).round() as usize;
        self.late.get(place).copied().unwrap_or_default()
    }
}

struct Feed {
    state: FeedState,
    host: usize,
    due: Instant,
    ticket: u64,
    begun: Option<Instant>,
}

impl Simulation {
    /// Lets the time pass.
    pub fn run(&self) -> Simulated {
        let (begin, epoch) = (Instant::now(), Timestamp::UNIX_EPOCH);
        let mut schedule = Schedule::default();
        let mut feeds: Vec<Feed> = (0..self.feeds).filter_map(|n| self.feed(n, begin)).collect();
        let by_id: std::collections::HashMap<FeedId, usize> = feeds
            .iter()
            .enumerate()
            .map(|(n, feed)| (feed.state.id, n))
            .collect();
        for feed in &mut feeds {
            feed.ticket = schedule.add(feed.state.id, feed.due);
        }
        let mut free_at = vec![begin; self.hosts.max(1)];
        let mut ends: BinaryHeap<Reverse<(Instant, usize)>> = BinaryHeap::new();
        let mut out = Simulated::default();
        let mut now = begin;
        while now.duration_since(begin) < self.span {
            let next = if ends.len() < self.concurrency {
                let host = |id, ticket| {
                    let feed = by_id.get(&id).and_then(|n| feeds.get(*n))?;
                    (feed.ticket == ticket).then(|| feed.host.to_string())
                };
                schedule.next(now, host, |host| take(&mut free_at, host, now, self.between))
            } else {
                Next::Nothing
            };
            if let Next::Poll(id, ()) = next {
                let Some((n, feed)) = by_id.get(&id).and_then(|n| Some((*n, feeds.get_mut(*n)?))) else {
                    continue;
                };
                out.late.push(now.duration_since(feed.due));
                let since = feed.begun.replace(now).map(|before| now.duration_since(before));
                out.longest = out.longest.max(since.unwrap_or_default());
                ends.push(Reverse((now + self.request, n)));
                continue;
            }
            let turn = if let Next::At(at) = next { Some(at) } else { None };
            let end = ends.peek().map(|Reverse((at, _))| *at);
            let Some(later) = turn.into_iter().chain(end).min() else {
                break;
            };
            now = later;
            if end == Some(now)
                && let Some(Reverse((_, n))) = ends.pop()
                && let Some(feed) = feeds.get_mut(n)
            {
                let passed = SignedDuration::try_from(now.duration_since(begin)).unwrap_or_default();
                feed.finish(epoch + passed, begin, epoch);
                feed.ticket = schedule.add(feed.state.id, feed.due);
                schedule.freed(&feed.host.to_string(), now);
            }
        }
        out.late.sort_unstable();
        out
    }

    fn feed(&self, n: usize, begin: Instant) -> Option<Feed> {
        let id = id(n)?;
        let mut state = state::unknown(id);
        state.succeeded_at = Some(Timestamp::UNIX_EPOCH);
        state.interval_seconds = BEFORE_A_QUARTER;
        let rest = Duration::from_millis(telex_model::short_hash(&id.to_string()) % 900_000);
        Some(Feed {
            state,
            host: n % self.hosts.max(1),
            due: begin + rest,
            ticket: 0,
            begun: None,
        })
    }
}

impl Feed {
    fn finish(&mut self, now: Timestamp, begin: Instant, epoch: Timestamp) {
        let unmodified = Answer {
            fresh: None,
            moved: None,
            whole: None,
        };
        state::succeed(&mut self.state, unmodified, None, now);
        self.state.interval_seconds = BEFORE_A_QUARTER;
        let due = Duration::try_from(self.state.next_poll.duration_since(epoch));
        self.due = begin + due.unwrap_or_default();
    }
}

/// An id as if of a feed's address.
fn id(n: usize) -> Option<FeedId> {
    Url::parse(&format!("http://feed-{n}.invalid/"))
        .ok()
        .map(|url| FeedId::of(&url))
}

fn take(free_at: &mut [Instant], host: &str, now: Instant, between: Duration) -> Result<(), Wait> {
    let free = host.parse::<usize>().ok().and_then(|n| free_at.get_mut(n));
    let Some(free) = free else { return Ok(()) };
    if *free > now {
        return Err(Wait::At((*free).into()));
    }
    *free = now + between;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_of_ten_thousand_feeds_is_in_time_and_forgets_none() {
        let hour = Simulation {
            feeds: 10_000,
            hosts: 1_000,
            between: Duration::from_secs(1),
            request: Duration::from_millis(200),
            concurrency: 256,
            span: Duration::from_secs(3600),
        };
        let went = hour.run();
        // Four polls an hour each, the first of them some time in the first quarter.
        assert!(
            (35_000..45_000).contains(&went.late.len()),
            "{} polls",
            went.late.len()
        );
        assert!(
            went.late_at(0.5) < Duration::from_millis(10),
            "{:?}",
            went.late_at(0.5)
        );
        assert!(
            went.late_at(0.999) < Duration::from_secs(3),
            "{:?}",
            went.late_at(0.999)
        );
        let quarter = Duration::from_secs(900);
        assert!(went.longest < quarter * 12 / 10, "{:?}", went.longest);
        // A host with more feeds than it can be asked for in their time: late, in their order, but none is forgotten.
        let crowded = Simulation { hosts: 5, ..hour }.run();
        assert!(
            (17_000..18_100).contains(&crowded.late.len()),
            "{} polls",
            crowded.late.len()
        );
        assert!(
            crowded.longest < Duration::from_secs(2_200),
            "{:?}",
            crowded.longest
        );
    }
}
