//! The suite on the simulated bus, and a thousand runs with random faults.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on must fail"
)]

mod conformance;

use std::sync::Arc;
use std::time::Duration;

use conformance::{Abilities, Harness};
use telex_stream::Bus;
use telex_stream::sim::{Fault, SimBus};

struct Sim(SimBus);

impl Harness for Sim {
    fn bus(&self) -> Arc<dyn Bus> {
        Arc::new(self.0.clone())
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            members: true,
            keeps_uncommitted: true,
        }
    }

    fn restart(&mut self) {
        self.0.kill_sessions();
    }

    fn fail_next_commit(&self) -> bool {
        self.0.inject(Fault::Failed);
        true
    }

    fn pass_time(&self, time: Duration) -> bool {
        self.0.advance(time);
        true
    }
}

conformance::suite!(Sim(SimBus::default()));
