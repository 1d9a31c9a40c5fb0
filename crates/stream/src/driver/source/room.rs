//! Room on the bus: who brings in new work waits until those down the flow have made some.

use std::time::{Duration, Instant};

use crate::session::Session;

use super::super::stage::give_up;
use super::super::{DriverError, SourceContext};

/// Time between two looks; what a source can bring in meanwhile is little beside what it keeps free.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a source knows of the room on its bus.
#[derive(Debug, Default)]
pub(super) struct Room {
    looked: Option<Instant>,
    /// Bytes in use, and since when they have been as many, where room is short.
    shortage: Option<(u64, Instant)>,
}

impl Room {
    /// Tells whether room is short, as of the last look.
    pub(super) fn short(&self) -> bool {
        self.shortage.is_some()
    }

    /// When it wants to look again, where room is short.
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.looked.filter(|_| self.short()).map(|at| at + LOOK_EVERY)
    }

    /// Looks, if it is time to.
    pub(super) fn look(
        &mut self,
        session: &mut dyn Session,
        keep_free: u8,
        context: &SourceContext,
    ) -> Result<(), DriverError> {
        if self.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        let Some(shortage) = session.short_of_room(keep_free)? else {
            self.shortage = None;
            return Ok(());
        };
        let stage = context.metrics.stage().name();
        let since = match self.shortage {
            Some((used, since)) if used == shortage.used => since,
            known => {
                if known.is_none() {
                    tracing::warn!(stage, reason = shortage.reason, "new work waits for room");
                }
                Instant::now()
            }
        };
        self.shortage = Some((shortage.used, since));
        context.health.not_ready(shortage.reason.as_str());
        give_up(context, since, &shortage.reason)
    }
}
