//! The source: which feed is due, and what is under way.

mod source;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use telex_model::{FeedHealth, FeedId, FeedRecord, FeedSignal, Said, Topic};
use telex_stream::{FinishedWork, Message, Outcome, Output, Route, Waker};
use telex_telemetry::StageMetrics;
use telex_web::{Client, HostLimits, Permit};
use tokio::runtime::Handle;
use url::Url;

use crate::canary::Canary;
use crate::items::ItemRules;
use crate::poll::{self, OUTCOMES, Polled, REQUEST_OUTCOMES, Shared, Task};
use crate::schedule::Schedule;
use crate::state;
use crate::tracked::{Feed, count_change};
use crate::websub::{self, WebSub};

/// Reasons for which the poller drops a message.
pub const DROP_REASONS: [&str; 0] = [];

/// Reasons for which a feed record becomes a dead letter.
pub const DEAD_REASONS: [&str; 3] = ["invalid_json", "invalid_url", "panic"];

/// Where every feed is polled once, feeds of a host that wants to be left alone for longer are left to the next run.
const ONCE_WAITS: Duration = Duration::from_secs(5 * 60);

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
    /// Time between two canaries; none are put in where absent.
    pub canary: Option<Duration>,
    /// Subscriptions to the changes of feeds that name a hub.
    pub websub: Option<WebSub>,
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
    schedule: Schedule,
    canary: Option<Canary>,
    sender: Sender<Done>,
    receiver: Receiver<Done>,
    in_flight: usize,
    /// Counts polls, so that one of a feed that was forgotten meanwhile is known.
    generations: u64,
}

struct Done {
    id: FeedId,
    generation: u64,
    /// The host that was asked.
    host: String,
    polled: Polled,
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
        websub::REQUESTS
            .iter()
            .for_each(|o| drop(metrics.all().websub_requests.with_label_values(&[o])));
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
            websub: options.websub.clone(),
        };
        Self {
            canary: options.canary.map(Canary::new),
            options,
            shared,
            runtime,
            waker,
            report: Arc::default(),
            feeds: HashMap::new(),
            schedule: Schedule::default(),
            sender,
            receiver,
            in_flight: 0,
            generations: 0,
        }
    }

    /// What it has done so far.
    pub fn report(&self) -> Arc<PollerReport> {
        Arc::clone(&self.report)
    }

    fn feed(&mut self, id: FeedId, partition: u32) -> &mut Feed {
        self.feeds.entry(id).or_insert_with(|| Feed {
            partition,
            ..Feed::default()
        })
    }

    fn schedule(&mut self, id: FeedId, at: Instant) {
        if let Some(feed) = self.feeds.get_mut(&id) {
            feed.ticket = self.schedule.add(id, at);
            feed.due_since = Some(at);
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
        let state = feed.state.as_ref();
        let asked = record
            .poll_requested
            .filter(|at| !state.is_some_and(|s| state::served(s.request_served, *at, s)));
        let pinged = feed.pinged().filter(|_| asked.is_none());
        let wait = match &feed.state {
            Some(_) if pinged.is_some() && !once => pinged.unwrap_or_default(),
            Some(state) if !once && asked.is_none() => state::rest(state, Timestamp::now()),
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

    /// Takes in what a hub said of a feed.
    fn take_signal(&mut self, message: &Message) -> Result<Option<FeedId>, (&'static str, String)> {
        let Some(value) = &message.value else {
            return Ok(None);
        };
        let signal: FeedSignal =
            serde_json::from_slice(value).map_err(|e| ("invalid_json", e.to_string()))?;
        let id = signal.feed;
        let feed = self.feed(id, message.partition);
        let [ping, decision] = &mut feed.signals;
        let place = if signal.said == Said::Ping { ping } else { decision };
        *place = Some(signal);
        let _news = feed.hear();
        Ok(Some(id))
    }

    fn ingest_signal(&mut self, message: &Message) -> Outcome {
        match self.take_signal(message) {
            Ok(Some(id)) if self.feeds.get(&id).is_some_and(|f| f.record.is_none()) => {
                // A hub goes on to speak of a feed that has left the list.
                self.feeds.remove(&id);
                Outcome::Emit(vec![self.forget(
                    Topic::Feeds,
                    Bytes::clone(&message.key),
                    message.partition,
                )])
            }
            Ok(Some(id)) => {
                self.reschedule(id);
                // A ping shows in the state of the poll that it leads to, a decision at once.
                let [ping, _] = FeedSignal::keys(id);
                let feed = self.feeds.get(&id).filter(|_| *message.key != *ping.as_bytes());
                let state = feed.and_then(|f| f.state.as_ref());
                let now = Timestamp::now();
                let shown =
                    state.map(|s| poll::state_output(s, message.partition, &self.options.prefix, now));
                Outcome::Emit(shown.into_iter().collect())
            }
            Ok(None) => Outcome::Emit(Vec::new()),
            Err((reason, detail)) => Outcome::Poison { reason, detail },
        }
    }

    /// Takes a record of a compacted topic away.
    fn forget(&self, topic: Topic, key: Bytes, partition: u32) -> Output {
        Output {
            topic: topic.name(&self.options.prefix),
            key,
            route: Route::Partition(partition),
            value: None,
            headers: telex_model::event::Headers::new(),
        }
    }

    fn begin(&mut self, id: FeedId, permit: Permit) {
        self.generations += 1;
        let generation = self.generations;
        let Some(feed) = self.feeds.get_mut(&id) else {
            return;
        };
        let Some(record) = feed.record.clone() else { return };
        feed.generation = Some(generation);
        let host = permit.host().to_owned();
        if let Some(since) = feed.due_since.take() {
            self.shared.metrics.host_waited(since.elapsed().as_secs_f64());
        }
        let state = feed.state.clone().unwrap_or_else(|| state::unknown(id));
        let task = Task {
            partition: feed.partition,
            record,
            state,
            pinged: feed.ping().map(|ping| ping.at),
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
                host,
                polled,
            }));
            waker.wake();
        });
    }

    fn finish(&mut self, done: Done) -> Option<FinishedWork> {
        self.in_flight -= 1;
        self.schedule.freed(&done.host, Instant::now());
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
        let mut outputs = polled.outputs;
        if feed.hear() {
            // The state that was polled with did not know it.
            let prefix = &self.options.prefix;
            let state = feed.state.as_ref();
            outputs.extend(state.map(|s| poll::state_output(s, polled.partition, prefix, Timestamp::now())));
        }
        self.count(done.id);
        self.reschedule(done.id);
        (!outputs.is_empty()).then_some(FinishedWork {
            partition: polled.partition,
            outputs,
        })
    }

    /// Forgets a feed that has left the list: its state, what its hub said, its subscription.
    fn remove(&mut self, id: Option<FeedId>, message: &Message) -> Vec<Output> {
        let mut keys = vec![(Topic::FeedState, Bytes::clone(&message.key))];
        if let Some((id, feed)) = id.and_then(|id| Some((id, self.feeds.get_mut(&id)?))) {
            let record = feed.record.take();
            count_change(&self.shared.metrics, &mut feed.counted, None);
            let push = feed.state.as_mut().and_then(|state| state.push.take());
            if feed.signals.iter().any(Option::is_some) {
                keys.extend(FeedSignal::keys(id).map(|key| (Topic::Feeds, Bytes::from(key))));
            }
            if feed.generation.is_none() {
                self.feeds.remove(&id);
            }
            if let (Some(record), Some(push)) = (record, push) {
                self.runtime
                    .spawn(websub::unsubscribe(record, push, self.shared.clone()));
            }
        }
        let forget = |(topic, key)| self.forget(topic, key, message.partition);
        keys.into_iter().map(forget).collect()
    }

    /// Has feeds of hosts that are closed for longer count as polled, and failed.
    fn leave_closed(&mut self, longest: Instant) {
        for feed in self.feeds.values_mut().filter(|f| !f.polled) {
            let Some(host) = feed.host(feed.ticket) else {
                continue;
            };
            let until = self.shared.limits.closed_until(&host);
            if until.is_some_and(|at| at.into_std() > longest) {
                feed.polled = true;
                self.report.polled.fetch_add(1, Ordering::Relaxed);
                self.report.failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    host,
                    "a feed is left to the next run: its host asked to be left alone"
                );
            }
        }
    }

    /// Counts a feed under the health that it has now.
    fn count(&mut self, id: FeedId) {
        if let Some(feed) = self.feeds.get_mut(&id) {
            let now = feed.record.as_ref().map(|_| feed.health());
            count_change(&self.shared.metrics, &mut feed.counted, now);
        }
    }
}
