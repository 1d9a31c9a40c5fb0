//! The adapters from the stream's messages to the pure crates.

mod canary;
mod classifier;
mod cleaner;
mod reload;

pub(crate) use canary::{CanaryStage, DROP_REASONS as CANARY_DROP};
pub(crate) use classifier::{
    ClassifierStage, DEAD_REASONS as CLASSIFIER_DEAD, DROP_REASONS as CLASSIFIER_DROP,
};
pub(crate) use cleaner::{CleanerStage, DEAD_REASONS as CLEANER_DEAD, DROP_REASONS as CLEANER_DROP};
pub(crate) use reload::Reloading;
