//! Runs a pure function on batches, parallel across keys.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rayon::prelude::*;

use crate::message::Message;

use super::{BatchStage, Outcome};

/// A pure function from a message to its outcome.
pub trait Transform: Send + Sync {
    /// Processes one message; a panic makes it a dead letter.
    fn process(&self, message: &Message) -> Outcome;
}

/// Makes a [`BatchStage`] of a [`Transform`]: messages of different keys side by side on all cores, messages of one
/// key one after the other, outcomes in the order of the input.
#[derive(Debug)]
pub struct TransformStage<T>(pub T);

impl<T: Transform> BatchStage for TransformStage<T> {
    fn process(&mut self, messages: &[Arc<Message>]) -> Vec<Outcome> {
        let mut by_key: HashMap<&[u8], Vec<usize>> = HashMap::with_capacity(messages.len());
        for (i, message) in messages.iter().enumerate() {
            by_key.entry(&message.key).or_default().push(i);
        }
        let mut runs: Vec<Vec<usize>> = by_key.into_values().collect();
        runs.sort_unstable();
        let one = |i: usize| Some((i, guarded(&self.0, messages.get(i)?)));
        let mut done: Vec<(usize, Outcome)> = runs
            .into_par_iter()
            .flat_map_iter(|run| run.into_iter().filter_map(one))
            .collect();
        done.sort_unstable_by_key(|(i, _)| *i);
        done.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

fn guarded(stage: &impl Transform, message: &Message) -> Outcome {
    poison_of_panic(|| stage.process(message))
}

/// Makes a dead letter of what panics.
pub(super) fn poison_of_panic(process: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(process)).unwrap_or_else(|panic| Outcome::Poison {
        reason: "panic",
        detail: panic_text(&*panic),
    })
}

/// What a panic said.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}
