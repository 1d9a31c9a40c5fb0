//! When which feed has its turn: pure, but for the clock that callers pass in.
//!
//! Feeds whose host is not to be asked now wait in a queue of their host, and only the host has a time. With a time
//! for each feed instead, all feeds of a busy host come up whenever one of them may go.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use telex_model::FeedId;
use telex_web::Wait;

/// A host with as many requests under way as it may have is looked at again when one of ours ends; after this time
/// in any case, for the fetcher asks it too.
const BUSY: Duration = Duration::from_millis(250);

/// The schedule.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    due: BinaryHeap<Reverse<(Instant, u64, Turn)>>,
    hosts: HashMap<Arc<str>, Queue>,
    /// Counts turns, so that those that were replaced are known, and equal times keep their order.
    ticket: u64,
    /// Turns that were looked at.
    looks: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Feed(FeedId),
    Host(Arc<str>),
}

/// The feeds that wait for a host, in the order in which they were due.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(FeedId, u64)>,
    /// The valid turn of the host.
    ticket: u64,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<P> {
    /// To poll this feed, by this right.
    Poll(FeedId, P),
    /// To ask again then.
    At(Instant),
    /// Nothing is on the schedule.
    Nothing,
}

impl Schedule {
    /// Gives a feed its turn at a time. Of several turns of a feed, those with another ticket than it has now count
    /// for nothing.
    pub(crate) fn add(&mut self, id: FeedId, at: Instant) -> u64 {
        self.push(at, Turn::Feed(id))
    }

    /// Learns that a request to a host has ended.
    pub(crate) fn freed(&mut self, host: &str, now: Instant) {
        if let Some((host, _)) = self.hosts.get_key_value(host) {
            self.host_turn(Arc::clone(host), now);
        }
    }

    /// Finds the next feed to poll. `host` gives the host of a feed, or nothing where that ticket does not count any
    /// more; `acquire` takes the right to ask a host.
    pub(crate) fn next<P>(
        &mut self,
        now: Instant,
        host: impl Fn(FeedId, u64) -> Option<String>,
        mut acquire: impl FnMut(&str) -> Result<P, Wait>,
    ) -> Next<P> {
        loop {
            match self.due.peek() {
                None => return Next::Nothing,
                Some(Reverse((at, ..))) if *at > now => return Next::At(*at),
                Some(_) => {}
            }
            let Some(Reverse((_, ticket, turn))) = self.due.pop() else {
                return Next::Nothing;
            };
            self.looks += 1;
            let found = match turn {
                Turn::Feed(id) => self.turn_of_feed(id, ticket, now, &host, &mut acquire),
                Turn::Host(name) => self.turn_of_host(name, ticket, now, &host, &mut acquire),
            };
            if let Some((id, right)) = found {
                return Next::Poll(id, right);
            }
        }
    }

    fn turn_of_feed<P>(
        &mut self,
        id: FeedId,
        ticket: u64,
        now: Instant,
        host: &impl Fn(FeedId, u64) -> Option<String>,
        acquire: &mut impl FnMut(&str) -> Result<P, Wait>,
    ) -> Option<(FeedId, P)> {
        let name = host(id, ticket)?;
        if let Some(queue) = self.hosts.get_mut(name.as_str()) {
            queue.waiting.push_back((id, ticket));
            return None;
        }
        match acquire(&name) {
            Ok(right) => Some((id, right)),
            Err(wait) => {
                let name: Arc<str> = Arc::from(name);
                let queue = self.hosts.entry(Arc::clone(&name)).or_default();
                queue.waiting.push_back((id, ticket));
                self.host_turn(name, after(wait, now));
                None
            }
        }
    }

    fn turn_of_host<P>(
        &mut self,
        name: Arc<str>,
        ticket: u64,
        now: Instant,
        host: &impl Fn(FeedId, u64) -> Option<String>,
        acquire: &mut impl FnMut(&str) -> Result<P, Wait>,
    ) -> Option<(FeedId, P)> {
        let queue = self.hosts.get_mut(&name).filter(|q| q.ticket == ticket)?;
        while let Some((id, ticket)) = queue.waiting.pop_front() {
            match host(id, ticket) {
                None => {}
                // It has moved meanwhile.
                Some(other) if *other != *name => self.due.push(Reverse((now, ticket, Turn::Feed(id)))),
                Some(_) => {
                    let acquired = acquire(&name);
                    let again = match &acquired {
                        Ok(_) => now,
                        Err(wait) => {
                            queue.waiting.push_front((id, ticket));
                            after(*wait, now)
                        }
                    };
                    self.host_turn(name, again);
                    return acquired.ok().map(|right| (id, right));
                }
            }
        }
        self.hosts.remove(&name);
        None
    }

    fn host_turn(&mut self, host: Arc<str>, at: Instant) {
        let ticket = self.push(at, Turn::Host(Arc::clone(&host)));
        if let Some(queue) = self.hosts.get_mut(&host) {
            queue.ticket = ticket;
        }
    }

    fn push(&mut self, at: Instant, turn: Turn) -> u64 {
        self.ticket += 1;
        self.due.push(Reverse((at, self.ticket, turn)));
        self.ticket
    }
}

fn after(wait: Wait, now: Instant) -> Instant {
    match wait {
        Wait::At(at) => at.into_std(),
        Wait::Busy => now + BUSY,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use url::Url;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn feeds(count: usize) -> Vec<FeedId> {
        let feed = |n| FeedId::of(&Url::parse(&format!("https://h.test/{n}")).expect("a URL"));
        (0..count).map(feed).collect()
    }

    /// Goes through a time in steps; what was polled, each with the seconds since the beginning.
    fn run(
        schedule: &mut Schedule,
        begin: Instant,
        steps: u32,
        mut step: impl FnMut(&mut Schedule, Instant),
    ) {
        for n in 0..steps {
            step(schedule, begin + n * Duration::from_millis(100));
        }
    }

    #[test]
    fn ten_thousand_feeds_of_one_host_cost_nothing_while_they_wait() {
        let (begin, all) = (Instant::now(), feeds(10_000));
        let mut schedule = Schedule::default();
        for id in &all {
            schedule.add(*id, begin);
        }
        let free_at = Cell::new(begin);
        let polled = RefCell::new(Vec::new());
        // An hour at one request a second.
        run(&mut schedule, begin, 36_000, |schedule, now| {
            let acquire = |_: &str| {
                if free_at.get() > now {
                    return Err(Wait::At(free_at.get().into()));
                }
                free_at.set(now + SECOND);
                Ok(())
            };
            while let Next::Poll(id, ()) = schedule.next(now, |_, _| Some("h".to_owned()), acquire) {
                polled.borrow_mut().push(id);
            }
        });
        assert_eq!(
            *polled.borrow(),
            all.get(..3600).expect("enough"),
            "in their order, none of them twice"
        );
        assert!(schedule.looks < 10_000 + 3 * 3600, "{} looks", schedule.looks);
    }

    #[test]
    fn a_busy_host_goes_on_when_a_request_ends_and_holds_nobody_else_up() {
        let (begin, all) = (Instant::now(), feeds(4));
        let host = |id, _| Some(if id == all[3] { "other" } else { "slow" }.to_owned());
        let mut schedule = Schedule::default();
        for id in &all {
            schedule.add(*id, begin);
        }
        let busy = |name: &str| if name == "slow" { Err(Wait::Busy) } else { Ok(()) };
        assert_eq!(schedule.next(begin, host, busy), Next::Poll(all[3], ()));
        assert_eq!(schedule.next(begin, host, busy), Next::At(begin + BUSY));
        schedule.freed("slow", begin);
        schedule.freed("unknown", begin);
        let free = |_: &str| Ok::<_, Wait>(());
        assert_eq!(schedule.next(begin, host, free), Next::Poll(all[0], ()));
        assert_eq!(schedule.next(begin, host, free), Next::Poll(all[1], ()));
        assert_eq!(schedule.next(begin, host, busy), Next::At(begin + BUSY));
        assert_eq!(schedule.next(begin + BUSY, host, free), Next::Poll(all[2], ()));
        assert!(matches!(
            schedule.next(begin + BUSY, host, free),
            Next::At(_) | Next::Nothing
        ));
        assert!(schedule.hosts.is_empty() || schedule.next(begin + SECOND, host, free) == Next::Nothing);
        assert!(schedule.hosts.is_empty());
    }

    #[test]
    fn turns_that_do_not_count_any_more_are_passed_over_also_in_a_queue() {
        let (begin, all) = (Instant::now(), feeds(3));
        let mut schedule = Schedule::default();
        let old: Vec<u64> = all.iter().map(|id| schedule.add(*id, begin)).collect();
        let busy = |_: &str| Err::<(), _>(Wait::Busy);
        assert_eq!(
            schedule.next(begin, |_, _| Some("h".to_owned()), busy),
            Next::At(begin + BUSY)
        );
        let again = schedule.add(all[0], begin);
        // The first was put on the schedule anew, the second has moved, the third has gone.
        let host = |id, ticket| match id {
            id if id == all[0] => (ticket == again).then(|| "h".to_owned()),
            id if id == all[1] => (ticket == old[1]).then(|| "elsewhere".to_owned()),
            _ => None,
        };
        let asked = |name: &str| Ok::<_, Wait>(name.to_owned());
        let mut polled = Vec::new();
        while let Next::Poll(id, name) = schedule.next(begin + SECOND, host, asked) {
            polled.push((id, name));
        }
        polled.sort();
        let mut expected = vec![(all[0], "h".to_owned()), (all[1], "elsewhere".to_owned())];
        expected.sort();
        assert_eq!(polled, expected);
    }
}
