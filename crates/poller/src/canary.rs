//! When the next canary is put in, and by whom: the owner of the first partition, so that one of all pollers does.

use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use telex_model::{PARTITIONS, Topic, canary, event, to_json};
use telex_stream::{FinishedWork, Output, Route};

/// The partition of the list of feeds whose owner puts canaries in.
const OWNER: u32 = 0;

/// The canaries of a poller.
#[derive(Debug)]
pub(crate) struct Canary {
    every: Duration,
    /// None while another poller owns the partition.
    next: Option<Instant>,
    sent: u32,
}

impl Canary {
    pub(crate) fn new(every: Duration) -> Self {
        Self {
            every,
            next: None,
            sent: 0,
        }
    }

    pub(crate) fn assigned(&mut self, partition: u32) {
        if partition == OWNER {
            self.next = Some(Instant::now());
        }
    }

    pub(crate) fn revoked(&mut self, partitions: &[u32]) {
        if partitions.contains(&OWNER) {
            self.next = None;
        }
    }

    /// When one is due; none where that is another poller's to do.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.next
    }

    /// Puts a canary in where one is due.
    pub(crate) fn due(&mut self, now: Instant, prefix: &str) -> Option<FinishedWork> {
        self.next.filter(|at| *at <= now)?;
        self.next = Some(now + self.every);
        // Each time another partition, so that all of them are tried in turn.
        let partition = self.sent % PARTITIONS;
        self.sent = self.sent.wrapping_add(1);
        Some(FinishedWork {
            partition: OWNER,
            outputs: vec![output(partition, prefix)],
        })
    }
}

fn output(partition: u32, prefix: &str) -> Output {
    let (topic, at) = (Topic::Items, Timestamp::now());
    let item = canary(at);
    let mut headers = event::headers(
        &topic,
        "poller",
        format!("{}:{:016x}", item.id, item.item_hash),
        at,
    );
    headers.push((
        event::TRACEPARENT.to_owned(),
        event::traceparent(item.id, 1, "poller"),
    ));
    headers.push((event::CANARY.to_owned(), at.to_string()));
    Output {
        topic: topic.name(prefix),
        key: Bytes::from(item.id.to_string()),
        route: Route::Partition(partition),
        value: Some(to_json(&item).into()),
        headers,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_owner_of_the_first_partition_puts_one_in_at_each_interval() {
        let mut canary = Canary::new(Duration::from_secs(60));
        let now = Instant::now() + Duration::from_secs(1);
        canary.assigned(3);
        assert_eq!((canary.next_at(), canary.due(now, "telex")), (None, None));
        canary.assigned(0);
        let work = canary.due(now, "telex").unwrap();
        assert_eq!(work.partition, 0);
        let output = &work.outputs[0];
        assert_eq!(
            (output.topic.as_str(), &output.route),
            ("telex.items.v1", &Route::Partition(0))
        );
        assert!(event::header(&output.headers, event::CANARY).is_some());
        assert_eq!(canary.next_at(), Some(now + Duration::from_secs(60)));
        assert_eq!(canary.due(now + Duration::from_secs(59), "telex"), None);
        let next = canary.due(now + Duration::from_secs(60), "telex").unwrap();
        assert_eq!(next.outputs[0].route, Route::Partition(1));
        assert_ne!(next.outputs[0].key, output.key);
        canary.revoked(&[0]);
        assert_eq!(canary.due(now + Duration::from_secs(600), "telex"), None);
    }
}
