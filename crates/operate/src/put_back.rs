//! Puts messages back before the stages that read them.

use std::num::NonZeroU32;

use telex_model::Topic;
use telex_model::event::{self, Headers};
use telex_stream::{Bus, BusError, Control, Limits, Output, RateLimit};

/// Messages appended in one transaction.
pub const AT_ONCE: usize = 100;

/// Appends at a rate; nothing in a dry run.
#[derive(Debug)]
pub struct PutBack<'a> {
    bus: &'a dyn Bus,
    limits: Limits,
    dry_run: bool,
}

impl<'a> PutBack<'a> {
    /// Appends to that bus so many messages a second; without a rate, as fast as it goes.
    pub fn new(bus: &'a dyn Bus, rate: Option<NonZeroU32>, dry_run: bool) -> Self {
        let limits = Limits::new(RateLimit {
            messages_per_second: rate,
            bytes_per_second: None,
        });
        Self { bus, limits, dry_run }
    }

    /// Appends messages, all or none.
    ///
    /// # Errors
    /// As of [`Bus::append`].
    pub fn append(&self, outputs: Vec<Output>) -> Result<(), BusError> {
        if self.dry_run || outputs.is_empty() {
            return Ok(());
        }
        self.limits.wait(outputs.len(), 0, &Control::default());
        self.bus.append(outputs)
    }
}

/// Gives the headers of a message that is put back: those that say what it is anew, the others as they were, but for what
/// made it a dead letter.
pub fn headers(topic: &Topic, id: String, time: jiff::Timestamp, old: &Headers) -> Headers {
    let anew = |name: &str| {
        name.starts_with("telex_dead_") || name.starts_with("ce_") || name == event::CONTENT_TYPE
    };
    let mut headers = event::headers(topic, "replay", id, time);
    headers.extend(old.iter().filter(|(name, _)| !anew(name)).cloned());
    headers
}
