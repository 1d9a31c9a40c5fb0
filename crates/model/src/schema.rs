//! JSON Schema (2020-12) of every topic's values, generated from the types.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};

use crate::{Article, FeedRecord, FeedSignal, FeedState, FrontierRecord, Item, Page, Tagged};

/// Names of all schemas, in the order of the flow.
pub const SCHEMAS: [&str; 8] = [
    "feed",
    "feed-signal",
    "feed-state",
    "item",
    "frontier",
    "page",
    "article",
    "tagged",
];

/// Makes the schema of that name; none for a name that is not in [`SCHEMAS`].
pub fn schema(name: &str) -> Option<Schema> {
    Some(match name {
        "feed" => of::<FeedRecord>(),
        "feed-signal" => of::<FeedSignal>(),
        "feed-state" => of::<FeedState>(),
        "item" => of::<Item>(),
        "frontier" => of::<FrontierRecord>(),
        "page" => of::<Page>(),
        "article" => of::<Article>(),
        "tagged" => of::<Tagged>(),
        _ => return None,
    })
}

fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>()
}
