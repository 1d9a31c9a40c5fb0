//! Feeds to items: the schedule, conditional requests, and what is new in an answer.
//!
//! The poller is a [`telex_stream::Source`]: `telex.feeds.v1` says what to poll, `telex.feed-state.v1` what it
//! remembers; a domain belongs to one partition, so to one poller, and politeness needs no coordinator. The items of
//! an answer are committed together with the state that says that they were seen, so that nothing is published
//! twice or forgotten; the request itself may be made again.

mod health;
mod interval;
mod items;
pub mod list;
mod poll;
mod poller;
mod schedule;
pub mod simulation;
mod sitemap;
mod state;
mod tracked;
pub mod websub;
mod window;

pub use items::ItemRules;
pub use poller::{DEAD_REASONS, DROP_REASONS, Poller, PollerOptions, PollerReport};
