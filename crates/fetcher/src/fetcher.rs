//! The source: what is due, and what is under way.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use telex_model::{ArticleId, Body, FrontierRecord, Item, Page, Stage, Topic, canary_header};
use telex_stream::{FinishedWork, Message, Outcome, Source, Waker, panic_text, read_value};
use telex_telemetry::StageMetrics;
use telex_web::{Client, HostLimits, Permit, Robots, Wait, host_key};
use tokio::runtime::Handle;

use crate::body::{self, FetchMode};
use crate::fetch::{self, Fetched, REQUEST_OUTCOMES, Shared};
use crate::frontier::{Done, Frontier, Pending, Verdict, feed_key};

/// Reasons for which the fetcher drops an item: a known state of a known article, one revision too many, or neither
/// page nor text.
pub const DROP_REASONS: [&str; 4] = ["duplicate", "revision_cap", "no_text", "retraction"];

/// Reasons for which an item becomes a dead letter.
pub const DEAD_REASONS: [&str; 4] = ["invalid_json", "wrong_type", "oversize", "panic"];

/// A host that is busy with requests of others is looked at again after this time.
const BUSY: Duration = Duration::from_millis(50);

/// Tombstones written at once.
const EXPIRE_AT_ONCE: usize = 500;

/// How a fetcher works.
#[derive(Debug, Clone)]
pub struct FetcherOptions {
    /// First word of topic names.
    pub prefix: String,
    /// Whether pages are fetched.
    pub mode: FetchMode,
    /// Fetches under way at once, over all hosts.
    pub concurrency: usize,
    /// Requests for one page before the feed's own text stands in for it.
    pub max_attempts: u32,
    /// Wait after the first failure; it grows fourfold with each further one, up to six hours.
    pub first_retry: Duration,
    /// Bytes of waiting articles kept in memory; beyond it items wait on the bus.
    pub max_waiting_bytes: usize,
    /// Done records kept in memory; beyond it the oldest are forgotten.
    pub max_done: usize,
}

/// The fetcher.
pub struct Fetcher {
    options: FetcherOptions,
    shared: Shared,
    runtime: Handle,
    waker: Waker,
    frontier: Frontier,
    sender: Sender<Finished>,
    receiver: Receiver<Finished>,
    in_flight: usize,
    fetches: u64,
    /// By how much the clock was set forward: what is done is not forgotten because of that.
    ahead: SignedDuration,
}

struct Finished {
    id: ArticleId,
    fetch: u64,
    fetched: Fetched,
    _permit: Permit,
}

impl Fetcher {
    /// Makes a fetcher with an empty frontier; `waker` wakes the session that it works on.
    pub fn new(
        options: FetcherOptions,
        client: Client,
        limits: HostLimits,
        robots: Robots,
        runtime: Handle,
        metrics: StageMetrics,
        waker: Waker,
    ) -> Self {
        metrics.declare_requests(&REQUEST_OUTCOMES);
        let (sender, receiver) = channel();
        let shared = Shared {
            client,
            limits,
            robots,
            prefix: Arc::from(options.prefix.as_str()),
            metrics,
            max_attempts: options.max_attempts,
            first_retry: options.first_retry,
        };
        Self {
            options,
            shared,
            runtime,
            waker,
            frontier: Frontier::default(),
            sender,
            receiver,
            in_flight: 0,
            fetches: 0,
            ahead: SignedDuration::ZERO,
        }
    }

    fn pending(
        &self,
        item: Item,
        partition: u32,
        revision: u32,
        first_seen: Timestamp,
        not_before: Timestamp,
    ) -> Pending {
        let host = fetch::address(&item).map_or(String::new(), |url| host_key(&url));
        Pending {
            partition,
            item: Box::new(item),
            host: Arc::from(host),
            revision,
            first_seen,
            attempts: 0,
            not_before,
            last_error: None,
            fetch: None,
        }
    }

    /// Passes a canary on: there is nothing to fetch of it and nothing to remember.
    fn pass_on(&self, item: Item, header: (String, String)) -> Outcome {
        self.shared.metrics.all().canary(Stage::Fetcher);
        let page = Page {
            first_seen: item.polled_at,
            item,
            revision: 1,
            body: Body::Feed,
            fetch_error: None,
        };
        let mut output = fetch::page_output(&page, &self.options.prefix, Timestamp::now());
        output.headers.push(header);
        Outcome::Emit(vec![output])
    }

    fn take_in(&mut self, item: Item, partition: u32) -> Outcome {
        let now = Timestamp::now();
        let pending = match self.frontier.judge(&item, now) {
            Verdict::Drop(reason) => return Outcome::Drop(reason),
            Verdict::Revision {
                revision,
                first_seen,
                not_before,
            } => self.pending(item, partition, revision, first_seen, not_before),
            Verdict::Replace => {
                let Some(old) = self.frontier.waiting(item.id) else {
                    return Outcome::Drop("duplicate");
                };
                let (revision, first_seen, not_before) = (old.revision, old.first_seen, old.not_before);
                self.pending(item, partition, revision, first_seen, not_before)
            }
        };
        let prefix = &self.options.prefix;
        let id = pending.item.id;
        let due = pending.not_before <= now;
        match body::without_page(&pending.item, self.options.mode).filter(|_| due) {
            None => {
                let record = fetch::pending_record(&pending);
                let output = fetch::frontier_output(id, partition, Some(&record), prefix, now);
                self.frontier.wait(pending, Instant::now());
                Outcome::Emit(vec![output])
            }
            Some(body) => {
                let done = fetch::done(&pending, now);
                let record = fetch::done_record(&pending.item, &done);
                let mut outputs = vec![fetch::frontier_output(id, partition, Some(&record), prefix, now)];
                if matches!(body, Body::Page(_)) || body::has_text(&pending.item) {
                    outputs.push(fetch::page_output(
                        &fetch::page(&pending, body, None),
                        prefix,
                        now,
                    ));
                } else {
                    self.shared.metrics.dropped("no_text");
                }
                self.frontier.done(id, done);
                Outcome::Emit(outputs)
            }
        }
    }

    fn begin(&mut self, id: ArticleId, permit: Permit) {
        self.fetches += 1;
        let fetch = self.fetches;
        let Some(pending) = self.frontier.fetching(id, fetch) else {
            return;
        };
        self.in_flight += 1;
        if let Ok(waited) = Duration::try_from(Timestamp::now().duration_since(pending.not_before)) {
            self.shared.metrics.host_waited(waited.as_secs_f64());
        }
        let (shared, sender, waker) = (self.shared.clone(), self.sender.clone(), self.waker.clone());
        self.runtime.spawn(async move {
            let fetched = AssertUnwindSafe(fetch::fetch(&pending, &shared))
                .catch_unwind()
                .await
                .unwrap_or_else(|panic| fetch::panicked(&pending, &panic_text(&*panic), &shared));
            // The receiver goes only with the fetcher itself.
            drop(sender.send(Finished {
                id,
                fetch,
                fetched,
                _permit: permit,
            }));
            waker.wake();
        });
    }

    fn finish(&mut self, finished: Finished) -> Option<FinishedWork> {
        self.in_flight -= 1;
        let id = finished.id;
        let pending = self
            .frontier
            .waiting(id)
            .filter(|p| p.fetch == Some(finished.fetch))?;
        let (partition, host) = (pending.partition, Arc::clone(&pending.host));
        let now = Timestamp::now();
        let prefix = self.options.prefix.clone();
        let outputs = match finished.fetched {
            Fetched::Done {
                done,
                mut outputs,
                dropped,
            } => {
                let record = fetch::done_record(&pending.item, &done);
                outputs.push(fetch::frontier_output(id, partition, Some(&record), &prefix, now));
                self.frontier.done(id, done);
                if let Some(reason) = dropped {
                    self.shared.metrics.dropped(reason);
                }
                outputs
            }
            Fetched::Again {
                attempts,
                not_before,
                error,
            } => {
                let again = Pending {
                    attempts,
                    not_before,
                    last_error: Some(error),
                    fetch: None,
                    ..pending.clone()
                };
                let output =
                    fetch::frontier_output(id, partition, Some(&fetch::pending_record(&again)), &prefix, now);
                self.frontier.wait(again, Instant::now());
                vec![output]
            }
        };
        drop(finished._permit);
        self.frontier.wake_host(&host, Instant::now());
        Some(FinishedWork { partition, outputs })
    }

    fn show(&self) {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.shared.metrics.in_flight.set(count(self.in_flight));
        let all = self.shared.metrics.all();
        all.frontier_pending.set(count(self.frontier.pending_len()));
        all.frontier_waiting_bytes
            .set(count(self.frontier.waiting_bytes()));
        all.frontier_done.set(count(self.frontier.done_len()));
        all.limited_hosts.set(count(self.shared.limits.len()));
        all.robots_cached
            .set(i64::try_from(self.shared.robots.len()).unwrap_or(i64::MAX));
    }
}

impl Source for Fetcher {
    fn restored_from(&self) -> Vec<String> {
        vec![Topic::Frontier.name(&self.options.prefix)]
    }

    fn restore(&mut self, _topic: &str, message: &Message) {
        let Some(value) = &message.value else { return };
        match serde_json::from_slice::<FrontierRecord>(value) {
            Ok(FrontierRecord::Pending {
                item,
                revision,
                first_seen,
                attempts,
                not_before,
                last_error,
            }) => {
                // Written by a clock that was ahead of this one, it would wait for as long.
                let latest = Timestamp::now().checked_add(fetch::LONGEST_RETRY);
                let not_before = latest.map_or(not_before, |latest| not_before.min(latest));
                let pending = self.pending(*item, message.partition, revision, first_seen, not_before);
                self.frontier.wait(
                    Pending {
                        attempts,
                        last_error,
                        ..pending
                    },
                    Instant::now(),
                );
            }
            Ok(FrontierRecord::Done {
                feed_id,
                revision,
                item_hash,
                first_seen,
                done_at,
                ..
            }) => {
                let Some(id) = std::str::from_utf8(&message.key)
                    .ok()
                    .and_then(|k| k.parse().ok())
                else {
                    return;
                };
                let done = Done {
                    partition: message.partition,
                    revision,
                    feed: feed_key(feed_id),
                    item_hash,
                    first_seen,
                    done_at,
                };
                self.frontier.done(id, done);
            }
            Err(error) => {
                tracing::warn!(%error, "a record of the frontier cannot be read; its article is new again")
            }
        }
    }

    fn assigned(&mut self, _partition: u32) {
        self.frontier.sort_ages();
        self.show();
    }

    fn revoked(&mut self, partitions: &[u32]) {
        self.frontier.forget(partitions);
        self.show();
    }

    fn ingest(&mut self, message: &Message) -> Outcome {
        let canary = canary_header(&message.headers);
        match read_value::<Item>(message, &Topic::Items) {
            Ok(item) => match canary {
                Some(header) => self.pass_on(item, header),
                None => self.take_in(item, message.partition),
            },
            Err(outcome) => outcome,
        }
    }

    fn start(&mut self, now: Instant) -> Option<Instant> {
        while self.in_flight < self.options.concurrency {
            let Some((host, id)) = self.frontier.next_due(now, Timestamp::now()) else {
                break;
            };
            match self.shared.limits.try_acquire(&host) {
                Ok(permit) => {
                    self.begin(id, permit);
                    self.frontier.host_at(&host, now);
                }
                Err(Wait::At(at)) => self.frontier.host_at(&host, at.into_std()),
                // A fetch of ours that ends wakes the host at once; this is for the others'.
                Err(Wait::Busy) => self.frontier.host_at(&host, now + BUSY),
            }
        }
        self.show();
        if self.in_flight >= self.options.concurrency {
            None
        } else {
            self.frontier.next_at()
        }
    }

    fn finished(&mut self) -> Vec<FinishedWork> {
        let finished: Vec<Finished> = self.receiver.try_iter().collect();
        let mut work: Vec<FinishedWork> = finished.into_iter().filter_map(|f| self.finish(f)).collect();
        let now = Timestamp::now();
        let surely = now.checked_sub(self.ahead).unwrap_or(now);
        for (partition, id) in self
            .frontier
            .expire(surely, self.options.max_done, EXPIRE_AT_ONCE)
        {
            let output = fetch::frontier_output(id, partition, None, &self.options.prefix, now);
            work.push(FinishedWork {
                partition,
                outputs: vec![output],
            });
        }
        work
    }

    fn clock_was_set(&mut self, by: SignedDuration) {
        self.ahead = self.ahead.saturating_add(by).max(SignedDuration::ZERO);
        self.frontier.clock_was_set(by, Instant::now());
    }

    fn idle(&self) -> bool {
        self.in_flight == 0 && !self.frontier.any_due(Timestamp::now())
    }

    fn full(&self) -> bool {
        self.frontier.waiting_bytes() >= self.options.max_waiting_bytes
    }
}
