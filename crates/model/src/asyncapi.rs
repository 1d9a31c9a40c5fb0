//! AsyncAPI 3 document of all topics, generated from the topic table and the types.
//!
//! AsyncAPI's own schema dialect is a superset of JSON Schema draft 7, which every tool reads; the schemas that
//! [`crate::schema`] makes are of 2020-12. Rejected: referring to those, for then a document would be of use only beside
//! eight others.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::event;
use crate::{
    Article, Cleanup, FeedRecord, FeedSignal, FeedState, FrontierRecord, Item, Page, Stage, Tagged, Topic,
};

/// Version of the contract; the minor one counts optional fields that were added.
const VERSION: &str = "1.0.0";

/// What a topic is called in the document, where its name on the bus has a part of its own choice.
const TAG: &str = "{tag}";

/// Makes the AsyncAPI document of all topics with the prefix `telex`.
pub fn asyncapi() -> Value {
    let mut generator = SchemaSettings::draft07()
        .with(|s| s.definitions_path = "/components/schemas".into())
        .into_generator();
    let messages = messages(&mut generator);
    let mut channels = Map::new();
    for topic in topics() {
        channels.insert(channel_name(&topic), channel(&topic));
    }
    let mut operations = Map::new();
    for stage in Stage::ALL {
        operations.insert(
            format!("{stage}-reads"),
            operation("receive", &stage.input(), &format!("The {stage} reads.")),
        );
        let mut written = stage.outputs();
        written.extend(stage.state());
        if stage == Stage::Classifier {
            written.push(Topic::TaggedWith(TAG.to_owned()));
        }
        written.push(Topic::DeadLetters(stage));
        for topic in written {
            operations.insert(
                format!("{stage}-writes-{}", channel_name(&topic)),
                operation("send", &topic, &format!("The {stage} writes.")),
            );
        }
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Telex",
            "version": VERSION,
            "description": "Clean, tagged news articles on Apache Kafka. Read with isolation.level=read_committed: each \
                revision of an article then comes once. Within version 1 fields are only added, and enumerations may \
                gain values. The first word of topic names is a setting; here it is `telex`.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"schemas": generator.take_definitions(true), "messages": messages},
    })
}

/// Every topic; those of tags as one.
fn topics() -> Vec<Topic> {
    let mut all = Topic::fixed();
    all.push(Topic::TaggedWith(TAG.to_owned()));
    all
}

fn channel_name(topic: &Topic) -> String {
    match topic {
        Topic::TaggedWith(_) => "tagged-with".to_owned(),
        _ => topic
            .name("")
            .trim_matches('.')
            .trim_end_matches(".v1")
            .replace('.', "-"),
    }
}

/// Names of the messages of a topic, each with its type in components.
fn messages_of(topic: &Topic) -> &'static [&'static str] {
    match topic {
        Topic::Feeds => &["feed", "feed-signal", "retraction"],
        Topic::FeedState => &["feed-state", "retraction"],
        Topic::Items => &["item"],
        Topic::Frontier => &["frontier", "retraction"],
        Topic::Pages => &["page"],
        Topic::Articles => &["article"],
        Topic::Tagged => &["tagged"],
        Topic::TaggedWith(_) => &["tagged", "retraction"],
        Topic::Canary => &["canary"],
        Topic::DeadLetters(_) => &["dead-letter"],
    }
}

fn channel(topic: &Topic) -> Value {
    let spec = topic.spec();
    let reference = |name: &&str| {
        (
            (*name).to_owned(),
            json!({"$ref": format!("#/components/messages/{name}")}),
        )
    };
    let mut settings = json!({});
    match spec.cleanup {
        Cleanup::Compact => settings["cleanup.policy"] = json!(["compact"]),
        Cleanup::Delete(time) => {
            settings["cleanup.policy"] = json!(["delete"]);
            settings["retention.ms"] = json!(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        }
    }
    let mut channel = json!({
        "address": topic.name("telex"),
        "description": description(topic),
        "messages": messages_of(topic).iter().map(reference).collect::<Map<_, _>>(),
        "bindings": {"kafka": {
            "partitions": spec.partitions, "topicConfiguration": settings, "bindingVersion": "0.5.0",
        }},
    });
    if matches!(topic, Topic::TaggedWith(_)) {
        channel["parameters"] = json!({"tag": {
            "description": "Name of a topic file: lower-case letters, digits and hyphens.",
            "examples": ["ukraine", "nato", "eu-diplomacy"],
        }});
    }
    channel
}

fn description(topic: &Topic) -> &'static str {
    match topic {
        Topic::Feeds => {
            "What to poll, and what hubs say of it; the newest of each key counts, a null ends it."
        }
        Topic::FeedState => "What the poller remembers of each feed.",
        Topic::Items => "New and changed items of feeds.",
        Topic::Frontier => "What the fetcher knows of each article.",
        Topic::Pages => "Items with their pages.",
        Topic::Articles => "Clean articles.",
        Topic::Tagged => "All articles with their tags, those without a tag too.",
        Topic::TaggedWith(_) => {
            "The articles that have the tag. A null says that the article of this key has it no more, or never had it."
        }
        Topic::Canary => {
            "Items of the pipeline's own, by which it sees that all stages work; of no use to others."
        }
        Topic::DeadLetters(_) => {
            "What the stage could not process, as it was, with the reason in its headers."
        }
    }
}

fn operation(action: &str, topic: &Topic, summary: &str) -> Value {
    json!({
        "action": action,
        "summary": summary,
        "channel": {"$ref": format!("#/channels/{}", channel_name(topic))},
    })
}

/// Further headers of a message: name and meaning.
type More = &'static [(&'static str, &'static str)];

const ARTICLE: More = &[(
    event::TRACEPARENT,
    "W3C trace context; the same trace in every topic.",
)];

const TAGGED: More = &[
    (
        event::TRACEPARENT,
        "W3C trace context; the same trace in every topic.",
    ),
    (
        event::FIRST_SEEN,
        "When the pipeline saw the article first, RFC 3339.",
    ),
    (event::TAGS, "Its tags, joined by commas."),
];

const CANARY: More = &[(event::CANARY, "When it was put in, RFC 3339.")];

const DEAD: More = &[
    (event::DEAD_REASON, "Why, in a word."),
    (event::DEAD_DETAIL, "Why, in a sentence."),
    (
        event::DEAD_ORIGIN,
        "Topic, partition and offset that it was read from.",
    ),
];

/// The messages, with the schemas of their values.
fn messages(generator: &mut SchemaGenerator) -> Value {
    let mut all = Map::new();
    let mut add = |name: &str, title, topic, payload, more| {
        all.insert(name.to_owned(), message(title, topic, payload, more));
    };
    let feeds = Some(&Topic::Feeds);
    let feed = of::<FeedRecord>(generator);
    add("feed", "A feed on the list.", feeds, feed, &[]);
    let signal = of::<FeedSignal>(generator);
    add("feed-signal", "What a hub says of a feed.", feeds, signal, &[]);
    let state = of::<FeedState>(generator);
    add(
        "feed-state",
        "State of a feed.",
        Some(&Topic::FeedState),
        state,
        &[],
    );
    let item = of::<Item>(generator);
    add("item", "An item of a feed.", Some(&Topic::Items), item, ARTICLE);
    let frontier = of::<FrontierRecord>(generator);
    add(
        "frontier",
        "State of an article.",
        Some(&Topic::Frontier),
        frontier,
        &[],
    );
    let page = of::<Page>(generator);
    add(
        "page",
        "An item with its page.",
        Some(&Topic::Pages),
        page,
        ARTICLE,
    );
    let article = of::<Article>(generator);
    add(
        "article",
        "A clean article.",
        Some(&Topic::Articles),
        article,
        ARTICLE,
    );
    let tagged = of::<Tagged>(generator);
    add(
        "tagged",
        "A tagged article.",
        Some(&Topic::Tagged),
        tagged,
        TAGGED,
    );
    let canary = of::<Tagged>(generator);
    add("canary", "A canary.", Some(&Topic::Canary), canary, CANARY);
    all.insert(
        "retraction".to_owned(),
        message(
            "A null: what the key names is gone.",
            None,
            json!({"type": "null"}),
            &[],
        ),
    );
    all.insert("dead-letter".to_owned(), dead_letter());
    Value::Object(all)
}

fn dead_letter() -> Value {
    let letters = Topic::DeadLetters(Stage::Poller);
    let any = json!({"description": "The value as it was, or its beginning."});
    message("What could not be processed.", Some(&letters), any, DEAD)
}

fn message(title: &str, topic: Option<&Topic>, payload: Value, more: More) -> Value {
    let key = json!({
        "type": "string",
        "description": "Id of what it is about: records of one key stay in order.",
    });
    json!({
        "title": title, "contentType": "application/json",
        "headers": headers(topic.map(Topic::event_type), more), "payload": payload,
        "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}},
    })
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// Schema of the headers of a message: CloudEvents 1.0 in Kafka's binary mode, and what there is besides.
fn headers(event_type: Option<&str>, more: More) -> Value {
    let text = |what: &str| json!({"type": "string", "description": what});
    let mut properties = Map::new();
    properties.insert(
        event::CE_SPECVERSION.to_owned(),
        json!({"type": "string", "const": "1.0"}),
    );
    let mut kind = text("What sort of message it is.");
    if let Some(event_type) = event_type {
        kind["const"] = json!(event_type);
    }
    properties.insert(event::CE_TYPE.to_owned(), kind);
    let known = [
        (event::CE_SOURCE, "Which stage made it: `/telex/<stage>`."),
        (
            event::CE_ID,
            "Unique per source; of tagged articles id, revision and topics version, joined by colons.",
        ),
        (event::CE_TIME, "When it was made, RFC 3339."),
        (event::CONTENT_TYPE, "`application/json`."),
    ];
    for (name, what) in known.iter().chain(more) {
        properties.insert((*name).to_owned(), text(what));
    }
    json!({
        "type": "object", "properties": properties,
        "required": [event::CE_SPECVERSION, event::CE_TYPE, event::CE_SOURCE, event::CE_ID, event::CE_TIME],
    })
}
