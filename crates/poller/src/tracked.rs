//! What the poller holds of each feed of its partitions.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use telex_model::{FeedHealth, FeedRecord, FeedSignal, FeedState, Said};
use telex_telemetry::StageMetrics;
use telex_web::host_key;
use url::Url;

use crate::websub::BETWEEN_PINGS;
use crate::{poll, state};

/// A feed of an assigned partition.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    pub(crate) partition: u32,
    pub(crate) record: Option<FeedRecord>,
    pub(crate) state: Option<FeedState>,
    pub(crate) written_at: Option<Timestamp>,
    /// Its valid turn of the schedule.
    pub(crate) ticket: u64,
    /// The poll under way, if any.
    pub(crate) generation: Option<u64>,
    pub(crate) polled: bool,
    /// What its hub said last: a ping, and the decision on the subscription.
    pub(crate) signals: [Option<FeedSignal>; 2],
    pub(crate) due_since: Option<Instant>,
    /// The health under which it is counted.
    pub(crate) counted: Option<FeedHealth>,
}

impl Feed {
    /// The host that it is asked of, if it may be polled by this turn of the schedule.
    pub(crate) fn host(&self, ticket: u64) -> Option<String> {
        let record = self.record.as_ref().filter(|r| !r.paused)?;
        let counts = self.ticket == ticket && self.generation.is_none();
        let address = poll::address(record, self.state.as_ref());
        counts.then(|| Url::parse(address).map(|url| host_key(&url)).unwrap_or_default())
    }

    /// The last call of its hub.
    pub(crate) fn ping(&self) -> Option<&FeedSignal> {
        self.signals.iter().flatten().find(|s| s.said == Said::Ping)
    }

    /// How long it may rest although its hub says that it has changed; none where it was polled since.
    pub(crate) fn pinged(&self) -> Option<Duration> {
        let ping = self.ping()?;
        let Some(state) = &self.state else {
            return Some(Duration::ZERO);
        };
        if state::served(state.ping_served, ping.at, state) {
            return None;
        }
        let wait = state.polled_at.map_or(SignedDuration::ZERO, |polled| {
            BETWEEN_PINGS - Timestamp::now().duration_since(polled)
        });
        Some(Duration::try_from(wait.min(BETWEEN_PINGS)).unwrap_or_default())
    }

    /// Has the state know what the hub said; tells whether it did not.
    pub(crate) fn hear(&mut self) -> bool {
        let Some(state) = &mut self.state else {
            return false;
        };
        let heard = |signal| state::hear(state, signal);
        self.signals
            .iter()
            .flatten()
            .map(heard)
            .fold(false, |any, news| any | news)
    }

    /// How it does.
    pub(crate) fn health(&self) -> FeedHealth {
        self.state.as_ref().map(|s| s.health).unwrap_or_default()
    }
}

/// Counts a feed under another health, or under none.
pub(crate) fn count_change(
    metrics: &StageMetrics,
    counted: &mut Option<FeedHealth>,
    now: Option<FeedHealth>,
) {
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
