//! The end of the canaries' way: a session of its own beside that of the sink, for a session reads one topic.

use std::sync::Arc;
use std::time::Duration;

use telex_model::{Stage, Topic};
use telex_stream::{
    Control, DeadLetter, Limits, RateLimit, Session, SessionConfig, SourceContext, TransformStage, run_stage,
};
use telex_telemetry::Metrics;

use super::{BATCH, BATCH_MESSAGES, PATIENCE, Running, Setup, spawn};
use crate::error::CliError;
use crate::stage::{CANARY_DROP, CanaryStage};

/// More canaries than one a second tell nothing more.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

impl Setup<'_> {
    /// Time between two canaries, where they are wanted; a pipeline that runs once through puts none in.
    pub(super) fn canary_interval(&self) -> Option<Duration> {
        let config = &self.config.canary;
        (config.enabled && !self.once).then(|| config.interval.0.max(LEAST_INTERVAL))
    }

    /// Starts what times them.
    pub(super) fn canary(&self) -> Result<Option<Running>, CliError> {
        if self.canary_interval().is_none() {
            return Ok(None);
        }
        let prefix = &self.config.bus.topic_prefix;
        let session = self.canary_session(prefix)?;
        let control = Control::default();
        let context = SourceContext {
            control: control.clone(),
            dead: DeadLetter::new(Stage::Sink, prefix),
            limits: Limits::new(RateLimit::default()),
            // Shown nowhere: as those of the sink they would hide its own.
            metrics: Metrics::new().stage(Stage::Sink, &CANARY_DROP, &[]),
            health: self.health.stage("canary"),
            patience: PATIENCE,
        };
        let mut work = TransformStage(CanaryStage::new(Arc::clone(&self.metrics)));
        let thread = spawn(Stage::Sink, move || Ok(run_stage(session, &mut work, context)?))?;
        Ok(Some(Running {
            stage: Stage::Sink,
            control,
            thread: Some(thread),
            summary: None,
        }))
    }

    fn canary_session(&self, prefix: &str) -> Result<Box<dyn Session>, CliError> {
        Ok(self.open.bus.session(SessionConfig {
            group: format!("{prefix}.canary"),
            input: Topic::Canary.name(prefix),
            max_batch_messages: BATCH_MESSAGES,
            max_batch_bytes: BATCH,
        })?)
    }
}
