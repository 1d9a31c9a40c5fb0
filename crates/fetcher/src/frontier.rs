//! The frontier in memory: what waits for its page, and what is done.
//!
//! Pure but for the times that are handed in. A record that is done takes some 60 bytes; their number is bounded.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use telex_model::{ArticleId, FeedId, Item};

/// Revisions of one article that are passed on; a feed that changes its items all the time is cut off there.
pub(crate) const MAX_REVISIONS: u32 = 10;

/// Least time between two revisions of one article.
pub(crate) const REVISION_GAP: SignedDuration = SignedDuration::from_mins(10);

/// Records of what is done are kept for so long.
const KEEP_DONE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// An article that waits for its page.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) partition: u32,
    pub(crate) item: Box<Item>,
    pub(crate) host: Arc<str>,
    pub(crate) revision: u32,
    pub(crate) first_seen: Timestamp,
    pub(crate) attempts: u32,
    pub(crate) not_before: Timestamp,
    pub(crate) last_error: Option<String>,
    /// The fetch under way, if any.
    pub(crate) fetch: Option<u64>,
}

/// An article whose page was passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) partition: u32,
    pub(crate) revision: u32,
    /// The feed whose changes count, cut to 64 bits.
    pub(crate) feed: u64,
    pub(crate) item_hash: u64,
    pub(crate) first_seen: Timestamp,
    pub(crate) done_at: Timestamp,
}

#[derive(Debug)]
enum Entry {
    Pending(Pending),
    Done(Done),
}

/// What an item means to the frontier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A revision to be made, not before that time.
    Revision {
        revision: u32,
        first_seen: Timestamp,
        not_before: Timestamp,
    },
    /// The article waits already; this is its newer state.
    Replace,
    /// Nothing to do.
    Drop(&'static str),
}

/// All articles of the owned partitions.
#[derive(Debug, Default)]
pub(crate) struct Frontier {
    entries: HashMap<ArticleId, Entry>,
    pending: usize,
    /// Bytes of what waits.
    bytes: usize,
    hosts: HashMap<Arc<str>, Host>,
    ready: BinaryHeap<Reverse<(Instant, Arc<str>, u64)>>,
    ticket: u64,
    /// Done records, oldest first.
    ages: VecDeque<(Timestamp, ArticleId)>,
}

#[derive(Debug, Default)]
struct Host {
    waiting: BTreeSet<(Timestamp, ArticleId)>,
    /// The valid entry of `ready`.
    ticket: u64,
}

/// Cuts a feed's id to what a done record keeps.
pub(crate) fn feed_key(id: FeedId) -> u64 {
    u64::try_from(id.as_u128() >> 64).unwrap_or_default()
}

/// Bytes that a waiting article takes: its texts and the page that it brought, and some 600 for the rest and the places where it is listed.
fn weight(item: &Item) -> usize {
    let text = |t: &Option<String>| t.as_ref().map_or(0, String::len);
    let page = item.page.as_ref().map_or(0, |page| page.html.len());
    600 + page
        + item.title.len()
        + text(&item.summary)
        + text(&item.content)
        + text(&item.url)
        + text(&item.guid)
}

impl Frontier {
    /// Tells what an item means.
    pub(crate) fn judge(&self, item: &Item, now: Timestamp) -> Verdict {
        match self.entries.get(&item.id) {
            None => Verdict::Revision {
                revision: 1,
                first_seen: item.polled_at.min(now),
                not_before: now,
            },
            Some(Entry::Pending(p))
                if p.item.feed_id == item.feed_id && p.item.item_hash != item.item_hash =>
            {
                Verdict::Replace
            }
            Some(Entry::Pending(_)) => Verdict::Drop("duplicate"),
            Some(Entry::Done(d)) if d.feed != feed_key(item.feed_id) || d.item_hash == item.item_hash => {
                Verdict::Drop("duplicate")
            }
            Some(Entry::Done(d)) if d.revision >= MAX_REVISIONS => Verdict::Drop("revision_cap"),
            Some(Entry::Done(d)) => Verdict::Revision {
                revision: d.revision + 1,
                first_seen: d.first_seen,
                not_before: d
                    .done_at
                    .min(now)
                    .checked_add(REVISION_GAP)
                    .unwrap_or(now)
                    .max(now),
            },
        }
    }

    /// Puts an article on the list, in place of what was known of it.
    pub(crate) fn wait(&mut self, pending: Pending, now: Instant) {
        let id = pending.item.id;
        self.remove(id);
        self.pending += 1;
        self.bytes += weight(&pending.item);
        let host = self.hosts.entry(Arc::clone(&pending.host)).or_default();
        host.waiting.insert((pending.not_before, id));
        let key = Arc::clone(&pending.host);
        self.entries.insert(id, Entry::Pending(pending));
        self.wake_host(&key, now);
    }

    /// Takes in that an article is done.
    pub(crate) fn done(&mut self, id: ArticleId, done: Done) {
        self.remove(id);
        self.ages.push_back((done.done_at, id));
        self.entries.insert(id, Entry::Done(done));
    }

    fn remove(&mut self, id: ArticleId) {
        if let Some(Entry::Pending(p)) = self.entries.remove(&id) {
            self.pending -= 1;
            self.bytes -= weight(&p.item);
            if let Some(host) = self.hosts.get_mut(&p.host) {
                host.waiting.remove(&(p.not_before, id));
                if host.waiting.is_empty() {
                    self.hosts.remove(&p.host);
                }
            }
        }
    }

    /// The waiting article of that id.
    pub(crate) fn waiting(&mut self, id: ArticleId) -> Option<&mut Pending> {
        match self.entries.get_mut(&id) {
            Some(Entry::Pending(p)) => Some(p),
            _ => None,
        }
    }

    /// Marks an article as being fetched: it is not handed out again until it is put back or done.
    pub(crate) fn fetching(&mut self, id: ArticleId, fetch: u64) -> Option<Pending> {
        let Some(Entry::Pending(p)) = self.entries.get_mut(&id) else {
            return None;
        };
        p.fetch = Some(fetch);
        let p = p.clone();
        if let Some(host) = self.hosts.get_mut(&p.host) {
            host.waiting.remove(&(p.not_before, id));
        }
        Some(p)
    }

    /// Gives the next host that is due, with its next article; the host must be put back by [`Frontier::host_at`].
    pub(crate) fn next_due(&mut self, now: Instant, clock: Timestamp) -> Option<(Arc<str>, ArticleId)> {
        while let Some(Reverse((at, key, ticket))) = self.ready.peek() {
            if *at > now {
                return None;
            }
            let (key, ticket) = (Arc::clone(key), *ticket);
            self.ready.pop();
            let Some(host) = self.hosts.get_mut(&key).filter(|h| h.ticket == ticket) else {
                continue;
            };
            match host.waiting.first().copied() {
                Some((not_before, id)) if not_before <= clock => return Some((key, id)),
                Some((not_before, _)) => {
                    let wait = not_before
                        .duration_since(clock)
                        .try_into()
                        .unwrap_or(Duration::ZERO);
                    self.host_at(&key, now + wait.max(Duration::from_millis(1)));
                }
                None => {}
            }
        }
        None
    }

    /// Puts a host on the schedule.
    pub(crate) fn host_at(&mut self, key: &Arc<str>, at: Instant) {
        self.ticket += 1;
        if let Some(host) = self.hosts.get_mut(key) {
            host.ticket = self.ticket;
            self.ready.push(Reverse((at, Arc::clone(key), self.ticket)));
        }
    }

    /// Puts a host on the schedule for its first article, if it has one.
    pub(crate) fn wake_host(&mut self, key: &Arc<str>, now: Instant) {
        self.host_at(key, now);
    }

    /// When the next host is due.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.ready.peek().map(|Reverse((at, _, _))| *at)
    }

    /// Articles that could be fetched now but for limits.
    pub(crate) fn any_due(&self, clock: Timestamp) -> bool {
        self.hosts
            .values()
            .any(|h| h.waiting.first().is_some_and(|(at, _)| *at <= clock))
    }

    /// Learns that the clock was set by so much. Set back, it would have everything wait for as long that is due now.
    pub(crate) fn clock_was_set(&mut self, by: SignedDuration, now: Instant) {
        if by.is_negative() {
            for entry in self.entries.values_mut() {
                if let Entry::Pending(p) = entry {
                    p.not_before = p.not_before.checked_add(by).unwrap_or(Timestamp::MIN);
                }
            }
            for host in self.hosts.values_mut() {
                let waiting = std::mem::take(&mut host.waiting).into_iter();
                host.waiting = waiting
                    .map(|(at, id)| (at.checked_add(by).unwrap_or(Timestamp::MIN), id))
                    .collect();
            }
        }
        let hosts: Vec<Arc<str>> = self.hosts.keys().cloned().collect();
        hosts.iter().for_each(|host| self.host_at(host, now));
    }

    /// Forgets everything of these partitions.
    pub(crate) fn forget(&mut self, partitions: &[u32]) {
        let gone: Vec<ArticleId> = self
            .entries
            .iter()
            .filter(|(_, e)| match e {
                Entry::Pending(p) => partitions.contains(&p.partition),
                Entry::Done(d) => partitions.contains(&d.partition),
            })
            .map(|(id, _)| *id)
            .collect();
        gone.into_iter().for_each(|id| self.remove(id));
    }

    /// Takes out records that need not be kept any longer, at most `limit`: those that are too old, and the oldest
    /// beyond `max_done`. Gives partition and id of each, for its tombstone.
    pub(crate) fn expire(&mut self, now: Timestamp, max_done: usize, limit: usize) -> Vec<(u32, ArticleId)> {
        let mut out = Vec::new();
        while out.len() < limit {
            let Some((at, id)) = self.ages.front().copied() else {
                break;
            };
            if now.duration_since(at) < KEEP_DONE && self.done_len() <= max_done {
                break;
            }
            self.ages.pop_front();
            // A later revision has an entry of its own in `ages`.
            if let Some(Entry::Done(done)) = self.entries.get(&id)
                && done.done_at == at
            {
                out.push((done.partition, id));
                self.entries.remove(&id);
            }
        }
        out
    }

    /// Puts restored records in the order of their age.
    pub(crate) fn sort_ages(&mut self) {
        self.ages.make_contiguous().sort_unstable_by_key(|(at, _)| *at);
    }

    /// Number of articles that wait or are being fetched.
    pub(crate) fn pending_len(&self) -> usize {
        self.pending
    }

    /// Bytes in memory of the articles that wait or are being fetched.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.bytes
    }

    /// Number of done records.
    pub(crate) fn done_len(&self) -> usize {
        self.entries.len() - self.pending
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use telex_model::Source;
    use url::Url;

    use super::*;

    pub(crate) fn item(n: u32, hash: u64, feed: &str) -> Item {
        let url = Url::parse(&format!("https://h.test/{n}")).expect("a URL");
        Item {
            id: ArticleId::of_link(&url),
            feed_id: FeedId::of(&Url::parse(feed).expect("a URL")),
            url: Some(url.to_string()),
            guid: None,
            title: format!("Story {n}"),
            summary: None,
            content: None,
            authors: Vec::new(),
            published: None,
            published_confidence: None,
            updated: None,
            language: None,
            polled_at: Timestamp::UNIX_EPOCH,
            item_hash: hash,
            source: Source::default(),
            page: None,
        }
    }

    fn pending(item: Item, not_before: Timestamp) -> Pending {
        Pending {
            partition: 0,
            item: Box::new(item),
            host: Arc::from("h.test:443"),
            revision: 1,
            first_seen: Timestamp::UNIX_EPOCH,
            attempts: 0,
            not_before,
            last_error: None,
            fetch: None,
        }
    }

    fn done(item: &Item, revision: u32, at: Timestamp) -> Done {
        Done {
            partition: 0,
            revision,
            feed: feed_key(item.feed_id),
            item_hash: item.item_hash,
            first_seen: Timestamp::UNIX_EPOCH,
            done_at: at,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a time")
    }

    #[test]
    fn a_clock_that_is_set_holds_nothing_up() {
        let mut frontier = Frontier::default();
        let now = Instant::now();
        let clock: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
        let day = SignedDuration::from_hours(24);
        let minute = SignedDuration::from_mins(1);
        frontier.wait(pending(item(1, 1, "https://f.test/"), clock), now);
        frontier.wait(pending(item(2, 1, "https://f.test/"), clock + minute), now);
        let yesterday = clock - day;
        assert_eq!(frontier.next_due(now, yesterday), None);
        frontier.clock_was_set(-day, now);
        let (host, id) = frontier.next_due(now, yesterday).expect("it is due");
        assert_eq!(id, item(1, 1, "https://f.test/").id);
        let fetched = frontier.fetching(id, 1).expect("it waits");
        frontier.host_at(&host, now);
        assert_eq!(
            frontier.next_due(now, yesterday),
            None,
            "the other keeps its distance"
        );
        let again = Pending {
            fetch: None,
            not_before: yesterday + minute + minute,
            ..fetched
        };
        frontier.wait(again, now);
        frontier.clock_was_set(day, now);
        assert!(frontier.next_due(now, clock + minute).is_some());

        // A revision of what was done by a clock that was ahead waits no longer than any other.
        let done = Done {
            partition: 0,
            revision: 1,
            feed: feed_key(item(1, 1, "https://f.test/").feed_id),
            item_hash: 1,
            first_seen: clock,
            done_at: clock + day,
        };
        frontier.done(id, done);
        let verdict = frontier.judge(&item(1, 2, "https://f.test/"), clock);
        let Verdict::Revision { not_before, .. } = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(not_before, clock + REVISION_GAP);
    }

    #[test]
    fn one_article_from_several_feeds_is_one() {
        let mut frontier = Frontier::default();
        let first = item(1, 7, "https://a.test/rss");
        let now = at(1_000_000);
        assert!(matches!(
            frontier.judge(&first, now),
            Verdict::Revision { revision: 1, .. }
        ));
        frontier.wait(pending(first.clone(), now), Instant::now());
        assert_eq!(frontier.judge(&first, now), Verdict::Drop("duplicate"));
        assert_eq!(
            frontier.judge(&item(1, 8, "https://a.test/rss"), now),
            Verdict::Replace
        );
        assert_eq!(
            frontier.judge(&item(1, 8, "https://b.test/rss"), now),
            Verdict::Drop("duplicate")
        );
        let bytes = frontier.waiting_bytes();
        assert!(bytes > first.title.len());
        frontier.wait(pending(first.clone(), now), Instant::now());
        assert_eq!(frontier.waiting_bytes(), bytes, "it waits once");
        frontier.done(first.id, done(&first, 1, now));
        assert_eq!(frontier.waiting_bytes(), 0);
        assert_eq!(frontier.judge(&first, now), Verdict::Drop("duplicate"));
        assert_eq!(
            frontier.judge(&item(1, 8, "https://b.test/rss"), now),
            Verdict::Drop("duplicate")
        );
        assert_eq!((frontier.pending_len(), frontier.done_len()), (0, 1));
    }

    #[test]
    fn revisions_keep_their_distance_and_end() {
        let mut frontier = Frontier::default();
        let first = item(1, 7, "https://a.test/rss");
        frontier.done(first.id, done(&first, 1, at(1000)));
        let changed = item(1, 8, "https://a.test/rss");
        let expected = Verdict::Revision {
            revision: 2,
            first_seen: Timestamp::UNIX_EPOCH,
            not_before: at(1600),
        };
        assert_eq!(frontier.judge(&changed, at(1001)), expected);
        frontier.done(first.id, done(&first, MAX_REVISIONS, at(1000)));
        assert_eq!(frontier.judge(&changed, at(9000)), Verdict::Drop("revision_cap"));
    }

    #[test]
    fn what_waits_for_later_does_not_hold_up_what_is_due() {
        let mut frontier = Frontier::default();
        let (now, clock) = (Instant::now(), at(1000));
        frontier.wait(pending(item(1, 1, "https://a.test/"), at(5000)), now);
        frontier.wait(pending(item(2, 1, "https://a.test/"), clock), now);
        let (host, id) = frontier.next_due(now, clock).expect("one is due");
        assert_eq!(id, item(2, 1, "https://a.test/").id);
        frontier.fetching(id, 1).expect("it waits");
        frontier.host_at(&host, now);
        assert!(frontier.next_due(now, clock).is_none());
        assert!(!frontier.any_due(clock));
        assert!(frontier.next_at().expect("the other is scheduled") > now + Duration::from_secs(3000));
    }

    #[test]
    fn done_records_are_bounded_in_age_and_number() {
        let mut frontier = Frontier::default();
        for n in 0..10 {
            let item = item(n, 1, "https://a.test/");
            frontier.done(item.id, done(&item, 1, at(i64::from(n))));
        }
        assert_eq!(frontier.expire(at(100), 8, 100).len(), 2);
        assert_eq!(frontier.expire(at(100), 8, 100).len(), 0);
        let month = at(5) + KEEP_DONE;
        assert_eq!(frontier.expire(month, 8, 100).len(), 4, "numbers 2 to 5");
        frontier.forget(&[0]);
        assert_eq!(frontier.done_len(), 0);
    }
}
