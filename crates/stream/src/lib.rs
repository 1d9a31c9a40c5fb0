//! Exactly-once streams: one abstraction, several buses, and the drivers that run stages on them.
//!
//! A [`Session`] is one owned slot of work: it hands out batches of one input topic and commits outputs together
//! with the offsets that they came from. Stages never see which bus carries them. Back ends:
//!
//! - [`sqlite`]: the embedded bus, one file, durable;
//! - [`kafka`]: Apache Kafka, any number of processes;
//! - [`sim`]: an in-memory model that loses, rewinds and revokes on demand, for tests.
//!
//! Sessions are synchronous and each belongs to one thread: Kafka's client wants one owner (its rebalance
//! callbacks run inside `poll`), and SQLite gains nothing from async. Asynchronous work, such as fetching, meets
//! the owner through channels and a [`Waker`]. The alternative, an async trait with a task per partition, would
//! make every back end re-serialise what it must do in order anyway.

mod bus;
mod control;
mod dead_letter;
mod driver;
mod limit;
mod message;
mod session;

pub mod kafka;
pub mod sim;
pub mod sqlite;
mod value;

pub use bus::{Bus, BusError, Ends, Reset, read_all};
pub use control::{Control, Phase};
pub use dead_letter::{DeadLetter, MAX_DEAD_BYTES};
pub use driver::{
    BatchStage, DriverError, FinishedWork, Outcome, Source, SourceContext, Summary, Transform,
    TransformStage, panic_text, run_source, run_stage,
};
pub use limit::{Limits, RateLimit};
pub use message::{Message, Output, Route};
pub use session::{
    Assignment, Batch, Commit, Event, Fatal, Lag, Session, SessionConfig, Shortage, Transaction, Waker,
};
pub use value::read_value;
