//! Drivers: the loops that run stages on sessions.
//!
//! [`run_stage`] runs what maps messages to messages; [`run_source`] runs what keeps state in a compacted topic and
//! works in the background, as poller and fetcher do. Both own their session's thread.

mod attempts;
mod breaker;
mod source;
mod stage;
mod transform;

use std::sync::Arc;
use std::time::Duration;

use telex_telemetry::{StageHealth, StageMetrics};

use crate::control::Control;
use crate::dead_letter::DeadLetter;
use crate::limit::Limits;
use crate::message::{Message, Output};
use crate::session::{Fatal, Session};

pub use source::{FinishedWork, Source, run_source};
pub use stage::run_stage;
pub use transform::{Transform, TransformStage, panic_text};

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// These records follow from it.
    Emit(Vec<Output>),
    /// Nothing follows from it, on purpose.
    Drop(&'static str),
    /// It can never be processed: it becomes a dead letter.
    Poison {
        /// A short word, one of the stage's declared reasons.
        reason: &'static str,
        /// What is wrong with it, in a sentence.
        detail: String,
    },
    /// It cannot be processed now, through no fault of its own.
    Transient(String),
}

/// A stage that takes whole batches.
pub trait BatchStage {
    /// Processes messages; gives one outcome for each, in order.
    fn process(&mut self, messages: &[Arc<Message>]) -> Vec<Outcome>;

    /// Learns of partitions that are no longer this stage's.
    fn revoked(&mut self, _partitions: &[u32]) {}
}

/// Everything that a driver needs beside session and stage.
#[derive(Debug)]
pub struct SourceContext {
    /// Tells it when to finish.
    pub control: Control,
    /// Makes its dead letters.
    pub dead: DeadLetter,
    /// Its rate limits.
    pub limits: Limits,
    /// Where it counts.
    pub metrics: StageMetrics,
    /// Where it reports.
    pub health: StageHealth,
    /// How long a stage that is to finish puts up with not getting on, before it gives up.
    pub patience: Duration,
}

/// Takes over from the session whether the bus is reached, for a stage that is ready otherwise.
fn show_trouble(session: &dyn Session, health: &StageHealth) {
    match session.trouble() {
        Some(trouble) => health.not_ready(trouble),
        None => health.ready(),
    }
}

/// What a driver did until it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages read and committed.
    pub messages_in: u64,
    /// Messages written, dead letters not counted.
    pub messages_out: u64,
    /// Messages dropped on purpose.
    pub dropped: u64,
    /// Dead letters written.
    pub dead_letters: u64,
}

/// Why a driver ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The session is of no more use.
    #[error(transparent)]
    Session(#[from] Fatal),
    /// A stage that was to finish could not get on.
    #[error("the {stage} could not get on for {seconds} s: {reason}")]
    Stuck {
        /// The stage.
        stage: &'static str,
        /// Seconds since it last got on.
        seconds: u64,
        /// What held it up, and what to do.
        reason: String,
    },
    /// Too much of the input became dead letters.
    #[error(
        "{stage}: {dead} of the last {seen} messages became dead letters (last reason: {reason}); look at `telex dead-letters list`"
    )]
    Breaker {
        /// The stage.
        stage: &'static str,
        /// Dead letters among the messages looked at.
        dead: usize,
        /// Messages looked at.
        seen: usize,
        /// Reason of the last dead letter.
        reason: String,
    },
}
