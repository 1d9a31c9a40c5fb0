//! The source: which feed is due, and what is under way.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use telex_model::{FeedHealth, FeedId, FeedRecord, FeedState, Topic};
use telex_stream::{FinishedWork, Message, Outcome, Output, Route, Source, Waker};
use telex_telemetry::StageMetrics;
use telex_web::{Client, HostLimits, Permit, Wait, host_key};
use tokio::runtime::Handle;
use url::Url;

use crate::items::ItemRules;
use crate::poll::{self, OUTCOMES, Polled, REQUEST_OUTCOMES, Shared, Task};
use crate::state;

/// Reasons for which the poller drops a message.
pub const DROP_REASONS: [&str; 0] = [];

/// Reasons for which a feed record becomes a dead letter.
pub const DEAD_REASONS: [&str; 3] = ["invalid_json", "invalid_url", "panic"];

/// A feed whose host is busy is looked at again after this time, unless a poll of that host ends before.
const BUSY: Duration = Duration::from_millis(20);

/// Percent of a bus with a cap that is left to those down the flow: more than what the fetcher leaves free, so
/// that it can go on where the poller waits.
const KEEPS_FREE: u8 = 15;

/// How a poller works.
#[derive(Debug, Clone)]
pub struct PollerOptions {
    /// First word of topic names.
    pub prefix: String,
    /// Which items are taken.
    pub rules: ItemRules,
    /// Polls under way at once, over all hosts.
    pub concurrency: usize,
    /// Poll every feed once, due or not, and be idle after that.
    pub once: bool,
}

/// What a poller has done, readable while it works.
#[derive(Debug, Default)]
pub struct PollerReport {
    /// Feeds polled.
    pub polled: AtomicU64,
    /// Polls that failed.
    pub failed: AtomicU64,
    /// Items found.
    pub items: AtomicU64,
}

/// The poller.
pub struct Poller {
    options: PollerOptions,
    shared: Shared,
    runtime: Handle,
    waker: Waker,
    report: Arc<PollerReport>,
    feeds: HashMap<FeedId, Feed>,
    due: BinaryHeap<Reverse<(Instant, FeedId, u64)>>,
    sender: Sender<Done>,
    receiver: Receiver<Done>,
    in_flight: usize,
    /// Counts entries of `due`, so that those that were replaced are known.
    ticket: u64,
}

struct Done {
    id: FeedId,
    generation: u64,
    polled: Polled,
}

struct Feed {
    partition: u32,
    record: Option<FeedRecord>,
    state: Option<FeedState>,
    written_at: Option<Timestamp>,
    /// The valid entry of `due`.
    ticket: u64,
    /// The poll under way, if any.
    generation: Option<u64>,
    polled: bool,
    due_since: Option<Instant>,
    /// The health under which it is counted.
    counted: Option<FeedHealth>,
}

impl Poller {
    /// Makes a poller without feeds; `waker` wakes the session that it works on.
    pub fn new(
        options: PollerOptions,
        client: Client,
        limits: HostLimits,
        runtime: Handle,
        metrics: StageMetrics,
        waker: Waker,
    ) -> Self {
        metrics.declare_requests(&REQUEST_OUTCOMES);
        OUTCOMES
            .iter()
            .for_each(|o| drop(metrics.all().polls.with_label_values(&[o])));
        FeedHealth::ALL
            .iter()
            .for_each(|h| metrics.all().feeds.with_label_values(&[h.name()]).set(0));
        let (sender, receiver) = channel();
        let prefix = Arc::from(options.prefix.as_str());
        let shared = Shared {
            client,
            limits,
            rules: Arc::new(options.rules.clone()),
            prefix,
            metrics,
        };
        Self {
            options,
            shared,
            runtime,
            waker,
            report: Arc::default(),
            feeds: HashMap::new(),
            due: BinaryHeap::new(),
            sender,
            receiver,
            in_flight: 0,
            ticket: 0,
        }
    }

    /// What it has done so far.
    pub fn report(&self) -> Arc<PollerReport> {
        Arc::clone(&self.report)
    }

    fn feed(&mut self, id: FeedId, partition: u32) -> &mut Feed {
        self.feeds.entry(id).or_insert_with(|| Feed {
            partition,
            record: None,
            state: None,
            written_at: None,
            ticket: 0,
            generation: None,
            polled: false,
            due_since: None,
            counted: None,
        })
    }

    fn schedule(&mut self, id: FeedId, at: Instant) {
        self.ticket += 1;
        if let Some(feed) = self.feeds.get_mut(&id) {
            feed.ticket = self.ticket;
            feed.due_since = Some(at);
            self.due.push(Reverse((at, id, self.ticket)));
        }
    }

    /// Puts a feed on the schedule by what is known of it.
    fn reschedule(&mut self, id: FeedId) {
        let once = self.options.once;
        let Some(feed) = self.feeds.get(&id) else { return };
        let Some(record) = feed.record.as_ref().filter(|r| !r.paused) else {
            return;
        };
        if feed.generation.is_some() || (once && feed.polled) {
            return;
        }
        let asked = record.poll_requested.filter(|at| {
            feed.state
                .as_ref()
                .and_then(|s| s.polled_at)
                .is_none_or(|p| p < *at)
        });
        let wait = match &feed.state {
            Some(state) if !once && asked.is_none() => state
                .next_poll
                .duration_since(Timestamp::now())
                .try_into()
                .unwrap_or(Duration::ZERO),
            _ => Duration::ZERO,
        };
        self.schedule(id, Instant::now() + wait);
    }

    fn take_record(&mut self, message: &Message) -> Result<Option<FeedId>, (&'static str, String)> {
        let Some(value) = &message.value else {
            return Ok(std::str::from_utf8(&message.key)
                .ok()
                .and_then(|k| k.parse().ok()));
        };
        let record: FeedRecord =
            serde_json::from_slice(value).map_err(|e| ("invalid_json", e.to_string()))?;
        Url::parse(&record.url).map_err(|e| ("invalid_url", format!("{:?}: {e}", record.url)))?;
        let id = record.id;
        self.feed(id, message.partition).record = Some(record);
        Ok(Some(id))
    }

    fn begin(&mut self, id: FeedId, permit: Permit) {
        self.ticket += 1;
        let generation = self.ticket;
        let Some(feed) = self.feeds.get_mut(&id) else {
            return;
        };
        let Some(record) = feed.record.clone() else { return };
        feed.generation = Some(generation);
        if let Some(since) = feed.due_since.take() {
            self.shared.metrics.host_waited(since.elapsed().as_secs_f64());
        }
        let state = feed.state.clone().unwrap_or_else(|| state::unknown(id));
        let task = Task {
            partition: feed.partition,
            record,
            state,
            written_at: feed.written_at,
            permit: Some(permit),
        };
        self.in_flight += 1;
        self.shared
            .metrics
            .in_flight
            .set(i64::try_from(self.in_flight).unwrap_or(i64::MAX));
        let (shared, sender, waker) = (self.shared.clone(), self.sender.clone(), self.waker.clone());
        self.runtime.spawn(async move {
            let polled = poll::poll(task, &shared).await;
            // The receiver goes only with the poller itself.
            drop(sender.send(Done {
                id,
                generation,
                polled,
            }));
            waker.wake();
        });
    }

    fn finish(&mut self, done: Done) -> Option<FinishedWork> {
        self.in_flight -= 1;
        self.shared
            .metrics
            .in_flight
            .set(i64::try_from(self.in_flight).unwrap_or(i64::MAX));
        let feed = self
            .feeds
            .get_mut(&done.id)
            .filter(|f| f.generation == Some(done.generation))?;
        feed.generation = None;
        feed.polled = true;
        let polled = done.polled;
        let removed = feed.record.is_none();
        if !removed {
            if polled.written {
                feed.written_at = polled.state.polled_at;
            }
            feed.state = Some(polled.state);
        }
        self.report.polled.fetch_add(1, Ordering::Relaxed);
        self.report
            .failed
            .fetch_add(u64::from(polled.failed), Ordering::Relaxed);
        self.report
            .items
            .fetch_add(polled.items as u64, Ordering::Relaxed);
        if removed {
            self.feeds.remove(&done.id);
            return None;
        }
        self.count(done.id);
        self.reschedule(done.id);
        (!polled.outputs.is_empty()).then_some(FinishedWork {
            partition: polled.partition,
            outputs: polled.outputs,
        })
    }

    /// Counts a feed under the health that it has now.
    fn count(&mut self, id: FeedId) {
        if let Some(feed) = self.feeds.get_mut(&id) {
            let now = feed.record.as_ref().map(|_| feed.health());
            count_change(&self.shared.metrics, &mut feed.counted, now);
        }
    }
}

impl Feed {
    fn health(&self) -> FeedHealth {
        self.state.as_ref().map(|s| s.health).unwrap_or_default()
    }
}

fn count_change(metrics: &StageMetrics, counted: &mut Option<FeedHealth>, now: Option<FeedHealth>) {
    if *counted == now {
        return;
    }
    let gauge = |health: FeedHealth| metrics.all().feeds.with_label_values(&[health.name()]);
    if let Some(before) = *counted {
        gauge(before).dec();
    }
    if let Some(now) = now {
        gauge(now).inc();
    }
    *counted = now;
}

impl Source for Poller {
    fn restored_from(&self) -> Vec<String> {
        vec![
            Topic::Feeds.name(&self.options.prefix),
            Topic::FeedState.name(&self.options.prefix),
        ]
    }

    fn restore(&mut self, topic: &str, message: &Message) {
        if topic == Topic::Feeds.name(&self.options.prefix) {
            if let Err((reason, detail)) = self.take_record(message) {
                tracing::warn!(
                    reason,
                    detail,
                    "a feed record was passed over; it became a dead letter when it was read"
                );
            }
            return;
        }
        let Some(value) = &message.value else { return };
        match serde_json::from_slice::<FeedState>(value) {
            Ok(state) => {
                let feed = self.feed(state.id, message.partition);
                feed.written_at = state.polled_at;
                feed.state = Some(state);
            }
            Err(error) => {
                tracing::warn!(%error, "the state of a feed cannot be read; the feed is polled anew")
            }
        }
    }

    fn assigned(&mut self, partition: u32) {
        let ids: Vec<FeedId> = self
            .feeds
            .iter()
            .filter(|(_, f)| f.partition == partition)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.count(id);
            self.reschedule(id);
        }
    }

    fn revoked(&mut self, partitions: &[u32]) {
        let metrics = &self.shared.metrics;
        self.feeds.retain(|_, f| {
            let kept = !partitions.contains(&f.partition);
            if !kept {
                count_change(metrics, &mut f.counted, None);
            }
            kept
        });
    }

    fn ingest(&mut self, message: &Message) -> Outcome {
        match self.take_record(message) {
            Ok(Some(id)) if message.value.is_some() => {
                // A poll under way goes by the record that it began with; the next one by this.
                self.count(id);
                self.reschedule(id);
                Outcome::Emit(Vec::new())
            }
            Ok(id) => {
                let known = id.and_then(|id| self.feeds.get_mut(&id));
                if let Some(feed) = known {
                    feed.record = None;
                    count_change(&self.shared.metrics, &mut feed.counted, None);
                    if feed.generation.is_none()
                        && let Some(id) = id
                    {
                        self.feeds.remove(&id);
                    }
                }
                let state = Topic::FeedState.name(&self.options.prefix);
                let route = Route::Partition(message.partition);
                let headers = telex_model::event::Headers::new();
                let forget = Output {
                    topic: state,
                    key: Bytes::clone(&message.key),
                    route,
                    value: None,
                    headers,
                };
                Outcome::Emit(vec![forget])
            }
            Err((reason, detail)) => Outcome::Poison { reason, detail },
        }
    }

    fn start(&mut self, now: Instant) -> Option<Instant> {
        while self.in_flight < self.options.concurrency {
            let Some(Reverse((at, id, ticket))) = self.due.peek().copied() else {
                break;
            };
            if at > now {
                return Some(at);
            }
            self.due.pop();
            let Some(feed) = self
                .feeds
                .get(&id)
                .filter(|f| f.ticket == ticket && f.generation.is_none())
            else {
                continue;
            };
            let Some(record) = feed.record.as_ref().filter(|r| !r.paused) else {
                continue;
            };
            let address = poll::address(record, feed.state.as_ref());
            let host = Url::parse(address).map(|u| host_key(&u)).unwrap_or_default();
            match self.shared.limits.try_acquire(&host) {
                Ok(permit) => self.begin(id, permit),
                Err(wait) => {
                    let again = match wait {
                        Wait::At(at) => at.into_std(),
                        Wait::Busy => now + BUSY,
                    };
                    self.due.push(Reverse((again, id, ticket)));
                }
            }
        }
        // With all hands full, the next poll that ends wakes the session.
        if self.in_flight >= self.options.concurrency {
            None
        } else {
            self.due.peek().map(|Reverse((at, _, _))| *at)
        }
    }

    fn finished(&mut self) -> Vec<FinishedWork> {
        let done: Vec<Done> = self.receiver.try_iter().collect();
        done.into_iter().filter_map(|d| self.finish(d)).collect()
    }

    fn keeps_free(&self) -> u8 {
        KEEPS_FREE
    }

    fn idle(&self) -> bool {
        let waiting = |f: &Feed| f.record.as_ref().is_some_and(|r| !r.paused) && !f.polled;
        self.in_flight == 0 && !(self.options.once && self.feeds.values().any(waiting))
    }
}
