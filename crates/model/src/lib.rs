//! The messages of every topic, their ids, URL canonicalisation and the topic table.
//!
//! Pure: no tokio, no Kafka, no clock, no environment, no files. Everything that two stages must agree on is
//! here and nowhere else.

mod tag;

pub use tag::{Concept, ConceptKind, Evidence, Kind, Tag, Where};
