//! The bus on a real Apache Kafka: the suite of all buses, what is Kafka's own, and faults.
//!
//! One binary, so that one broker serves all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test that cannot go on must fail"
)]

mod conformance;

#[path = "kafka/basics.rs"]
mod basics;
#[path = "../../../tests/pipeline/broker.rs"]
mod broker;
#[path = "kafka/case.rs"]
mod case;
#[path = "kafka/faults.rs"]
mod faults;
#[path = "../../../tests/pipeline/proxy.rs"]
mod proxy;
#[path = "kafka/shared.rs"]
mod shared;

use std::sync::Arc;
use std::time::Duration;

use conformance::{Abilities, Harness};
use proxy::Lost;
use telex_stream::Bus;
use telex_stream::kafka::{KafkaBus, KafkaOptions};

struct Kafka {
    bus: Option<Arc<KafkaBus>>,
    /// Tells this harness's producers from others'.
    id: String,
}

impl Kafka {
    fn new() -> Self {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        let mut new = Self {
            bus: None,
            id: format!("suite-{now:x}"),
        };
        new.restart();
        new
    }
}

impl Harness for Kafka {
    fn bus(&self) -> Arc<dyn Bus> {
        let bus = self.bus.as_ref().unwrap();
        Arc::<KafkaBus>::clone(bus)
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            members: true,
            keeps_uncommitted: false,
        }
    }

    fn restart(&mut self) {
        let mut options = KafkaOptions::new(&shared::shared().address);
        options.transactional_id_prefix.clone_from(&self.id);
        // A commit that is lost is waited for so long, and a machine under load must not take longer for one that is not.
        options.transaction_timeout = Duration::from_secs(5);
        self.bus = Some(Arc::new(KafkaBus::open(options).unwrap()));
    }

    fn fail_next_commit(&self) -> bool {
        let Some((_, proxy)) = &shared::shared().link else {
            return false;
        };
        proxy.lose_commit(&self.id, Lost::Request);
        true
    }

    fn pass_time(&self, _: Duration) -> bool {
        false
    }

    fn patience(&self) -> Duration {
        case::PATIENCE
    }

    fn rounds(&self) -> usize {
        4
    }
}

conformance::suite!(Kafka::new());
