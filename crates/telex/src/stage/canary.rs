//! Where canaries end: their way is timed, and they are dropped.

use std::sync::Arc;

use jiff::Timestamp;
use telex_model::event::{self, header};
use telex_stream::{Message, Outcome, Transform};
use telex_telemetry::Metrics;

/// Why every message of the topic is dropped.
pub(crate) const DROP_REASONS: [&str; 1] = ["canary"];

/// The end of the canaries' way, beside the sink.
pub(crate) struct CanaryStage {
    metrics: Arc<Metrics>,
}

impl CanaryStage {
    /// Their age counts from now on, until the first arrives.
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        metrics.canary_expected(Timestamp::now());
        Self { metrics }
    }
}

impl Transform for CanaryStage {
    fn process(&self, message: &Message) -> Outcome {
        let put_in = header(&message.headers, event::CANARY).and_then(|at| at.parse().ok());
        if let Some(put_in) = put_in {
            self.metrics.canary_arrived(put_in, Timestamp::now());
        }
        Outcome::Drop("canary")
    }
}
