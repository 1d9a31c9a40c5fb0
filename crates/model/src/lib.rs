//! The messages of every topic, their ids, URL canonicalisation and the topic table.
//!
//! Pure: no tokio, no Kafka, no clock, no environment, no files. Everything that two stages must agree on is
//! here and nowhere else.

mod asyncapi;
mod canary;
pub mod canonical;
pub mod event;
mod hash;
mod message;
mod rights;
mod schema;
mod tag;
mod topic;

pub use asyncapi::asyncapi;
pub use canary::{canary, canary_header};
pub use canonical::{at_publisher, canonical_url, domain};
pub use hash::{ArticleId, FeedId, ParseIdError, content_hash, short_hash};
pub use message::{
    Article, Asked, Body, DateConfidence, FeedHealth, FeedRecord, FeedSignal, FeedState, FetchedPage,
    FrontierRecord, Item, Moving, Origin, Page, RequestHeaders, Said, SeenItems, Source, Subscription,
    Tagged,
};
pub use rights::{Operation, Resource, Right, Role, rights};
pub use schema::{SCHEMAS, schema};
pub use tag::{Concept, ConceptKind, Evidence, Kind, Tag, Where};
pub use topic::{
    Cleanup, InvalidTagError, MAX_MESSAGE_BYTES, PARTITIONS, Stage, Topic, TopicSpec, murmur2, partition_for,
};

/// Writes a message's value as JSON, as it stands on the bus.
pub fn to_json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    #[allow(
        clippy::expect_used,
        reason = "only maps with keys that are no strings have no JSON; no message has one"
    )]
    serde_json::to_vec(value).expect("messages have a JSON form")
}
