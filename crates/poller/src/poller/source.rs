//! What the driver asks of the poller.

use std::time::Instant;

use jiff::SignedDuration;
use telex_model::{FeedId, FeedSignal, FeedState, Stage, Topic};
use telex_stream::{FinishedWork, Message, Outcome, Source};

use super::{Done, KEEPS_FREE, ONCE_WAITS, Poller};
use crate::canary::Canary;
use crate::schedule::Next;
use crate::tracked::{Feed, count_change};

impl Source for Poller {
    fn restored_from(&self) -> Vec<String> {
        vec![
            Topic::Feeds.name(&self.options.prefix),
            Topic::FeedState.name(&self.options.prefix),
        ]
    }

    fn restore(&mut self, topic: &str, message: &Message) {
        if topic == Topic::Feeds.name(&self.options.prefix) {
            let taken = if FeedSignal::is_key(&message.key) {
                self.take_signal(message)
            } else {
                self.take_record(message)
            };
            if let Err((reason, detail)) = taken {
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
        if let Some(canary) = &mut self.canary {
            canary.assigned(partition);
        }
        let ids: Vec<FeedId> = self
            .feeds
            .iter()
            .filter(|(_, f)| f.partition == partition)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            let _news = self.feeds.get_mut(&id).map(Feed::hear);
            self.count(id);
            self.reschedule(id);
        }
    }

    fn revoked(&mut self, partitions: &[u32]) {
        if let Some(canary) = &mut self.canary {
            canary.revoked(partitions);
        }
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
        if FeedSignal::is_key(&message.key) {
            return self.ingest_signal(message);
        }
        match self.take_record(message) {
            Ok(Some(id)) if message.value.is_some() => {
                // A poll under way goes by the record that it began with; the next one by this.
                self.count(id);
                self.reschedule(id);
                Outcome::Emit(Vec::new())
            }
            Ok(id) => Outcome::Emit(self.remove(id, message)),
            Err((reason, detail)) => Outcome::Poison { reason, detail },
        }
    }

    fn start(&mut self, now: Instant) -> Option<Instant> {
        let polls = self.start_polls(now);
        let canary = self.canary.as_ref().and_then(Canary::next_at);
        polls.into_iter().chain(canary).min()
    }

    fn finished(&mut self) -> Vec<FinishedWork> {
        let done: Vec<Done> = self.receiver.try_iter().collect();
        let mut work: Vec<FinishedWork> = done.into_iter().filter_map(|d| self.finish(d)).collect();
        let canary = self.canary.as_mut();
        if let Some(put_in) = canary.and_then(|c| c.due(Instant::now(), &self.options.prefix)) {
            self.shared.metrics.all().canary(Stage::Poller);
            work.push(put_in);
        }
        work
    }

    fn clock_was_set(&mut self, _by: SignedDuration) {
        let ids: Vec<FeedId> = self.feeds.keys().copied().collect();
        ids.into_iter().for_each(|id| self.reschedule(id));
    }

    fn keeps_free(&self) -> u8 {
        KEEPS_FREE
    }

    fn idle(&self) -> bool {
        let waiting = |f: &Feed| f.record.as_ref().is_some_and(|r| !r.paused) && !f.polled;
        self.in_flight == 0 && !(self.options.once && self.feeds.values().any(waiting))
    }
}

impl Poller {
    /// Begins the polls that are due.
    fn start_polls(&mut self, now: Instant) -> Option<Instant> {
        // With all hands full, the next poll that ends wakes the session.
        while self.in_flight < self.options.concurrency {
            let feeds = &self.feeds;
            let host = |id, ticket| {
                let feed: &Feed = feeds.get(&id)?;
                feed.host(ticket)
            };
            match self
                .schedule
                .next(now, host, |host| self.shared.limits.try_acquire(host))
            {
                Next::Poll(id, permit) => self.begin(id, permit),
                Next::At(at) => {
                    if self.options.once && at > now + ONCE_WAITS {
                        self.leave_closed(now + ONCE_WAITS);
                    }
                    return Some(at);
                }
                Next::Nothing => return None,
            }
        }
        None
    }
}
