//! Messages of version 1 stay readable, and their schemas only grow by optional fields.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use telex_model::{
    Article, FeedRecord, FeedState, FrontierRecord, Item, Page, SCHEMAS, Tagged, asyncapi, schema,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

/// The contract: file name and text of every schema and of the AsyncAPI document.
fn contract() -> Vec<(String, String)> {
    let schema_of = |name: &&str| serde_json::to_string_pretty(&schema(name).unwrap()).unwrap() + "\n";
    let mut all: Vec<(String, String)> = SCHEMAS
        .iter()
        .map(|name| (format!("{name}.schema.json"), schema_of(name)))
        .collect();
    let document = serde_json::to_string_pretty(&asyncapi()).unwrap() + "\n";
    all.push(("telex.asyncapi.json".to_owned(), document));
    all
}

/// The contract in the repository is that of the types; written anew by `TELEX_UPDATE_SCHEMAS=1 cargo test`.
#[test]
fn schemas_in_the_repository_are_those_of_the_types() {
    for (name, now) in contract() {
        let path = folder().join(&name);
        if std::env::var_os("TELEX_UPDATE_SCHEMAS").is_some() {
            if let Ok(old) = std::fs::read_to_string(&path) {
                demand_compatible(&name, &old, &now);
            }
            std::fs::write(&path, &now).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            kept, now,
            "{name}: run TELEX_UPDATE_SCHEMAS=1 cargo test -p telex-model"
        );
    }
}

/// Nothing that consumers go by is taken away from what was committed last, nor from the commit before, which is the
/// state of the branch that a merge came upon, nor from `TELEX_CONTRACT_BASE`, such as the tag of a release.
#[test]
fn the_contract_keeps_what_was_committed() {
    let base = std::env::var("TELEX_CONTRACT_BASE").ok();
    let git = |commit: &str, name: &str| {
        let shown = Command::new("git")
            .args(["show", &format!("{commit}:./schemas/{name}")])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output();
        let shown = shown.ok().filter(|out| out.status.success())?;
        String::from_utf8(shown.stdout).ok()
    };
    for (name, now) in contract() {
        for commit in ["HEAD", "HEAD^"].into_iter().chain(base.as_deref()) {
            // Not there before the file was, nor where the sources came without their history.
            if let Some(old) = git(commit, &name) {
                demand_compatible(&format!("{commit}:{name}"), &old, &now);
            }
        }
    }
}

fn demand_compatible(name: &str, old: &str, new: &str) {
    let parse = |text| serde_json::from_str::<Value>(text).unwrap();
    let found = problems(name, &parse(old), &parse(new));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What says nothing about the shape of messages.
const WORDS: [&str; 6] = [
    "description",
    "title",
    "summary",
    "version",
    "examples",
    "default",
];

/// Finds what a reader or writer of the old contract would miss: a field, channel or message that is gone, one of
/// another type, one that need not be there any more, one that writers now must know. Fields, channels and values of
/// enumerations may be added.
fn problems(path: &str, old: &Value, new: &Value) -> Vec<String> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let inside = |(key, value): (&String, &Value)| match (key.as_str(), new.get(key)) {
                (word, _) if WORDS.contains(&word) && value.is_string() => Vec::new(),
                ("examples" | "default", _) => Vec::new(),
                (_, None) => vec![format!("{path}: {key} is gone")],
                ("required", Some(now)) => required(path, value, now),
                ("type", Some(now)) if value != now => {
                    vec![format!("{path}: of type {now}, no longer {value}")]
                }
                (_, Some(now)) => problems(&format!("{path}/{key}"), value, now),
            };
            let mut found: Vec<String> = old.iter().flat_map(inside).collect();
            if !old.contains_key("required") && old.contains_key("properties") {
                let now = new.get("required").unwrap_or(&Value::Null);
                found.extend(required(path, &json!([]), now));
            }
            found
        }
        (Value::Array(old), Value::Array(new)) => old
            .iter()
            .filter(|o| !new.iter().any(|n| problems(path, o, n).is_empty()))
            .map(|o| format!("{path}: {o} is gone"))
            .collect(),
        _ if old == new => Vec::new(),
        _ => vec![format!("{path}: {new}, no longer {old}")],
    }
}

fn required(path: &str, old: &Value, new: &Value) -> Vec<String> {
    let names = |list: &Value| -> BTreeSet<String> {
        let all = list.as_array().into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (old, new) = (names(old), names(new));
    let added = new
        .difference(&old)
        .map(|n| format!("{path}: {n} became required"));
    let lost = old
        .difference(&new)
        .map(|n| format!("{path}: {n} is no longer required"));
    added.chain(lost).collect()
}

#[test]
fn what_consumers_would_miss_is_found() {
    let old = json!({
        "properties": {"a": {"type": "string", "description": "A."}, "b": {"$ref": "#/$defs/B"}}, "required": ["a"],
        "$defs": {"B": {"oneOf": [{"const": "x", "description": "X."}, {"const": "y"}]}},
    });
    let check = |pointer: &str, value: Value, expected: &[&str]| {
        let mut new = old.clone();
        *new.pointer_mut(pointer).unwrap() = value;
        assert_eq!(problems("t", &old, &new), expected, "{pointer}");
    };
    check("/properties/a/description", json!("Another."), &[]);
    check(
        "/properties",
        json!({"a": {"type": "string"}}),
        &["t/properties: b is gone"],
    );
    check(
        "/properties/a/type",
        json!(["string", "null"]),
        &["t/properties/a: of type [\"string\",\"null\"], no longer \"string\""],
    );
    check("/required", json!([]), &["t: a is no longer required"]);
    check("/required", json!(["a", "b"]), &["t: b became required"]);
    check(
        "/$defs/B/oneOf",
        json!([{"const": "x"}, {"const": "z"}]),
        &["t/$defs/B/oneOf: {\"const\":\"y\"} is gone"],
    );
    check(
        "/$defs/B/oneOf",
        json!([{"const": "x"}, {"const": "y"}, {"const": "z"}]),
        &[],
    );
    let (old, new) = (
        json!({"properties": {}}),
        json!({"properties": {"x": {}}, "required": ["x"]}),
    );
    assert_eq!(problems("t", &old, &new), ["t: x became required"]);
}

fn item() -> Value {
    json!({
        "id": "00000000000000000000000000000001", "feed_id": "00000000000000000000000000000002",
        "polled_at": "2026-07-01T10:00:00Z", "item_hash": "0000000000000007",
        "source": {"feed_url": "https://example.org/rss", "domain": "example.org"}
    })
}

/// The least that a writer of the first release sends, and what a later one may add.
#[test]
fn first_messages_stay_readable() {
    let mut later = item();
    later["invented_later"] = json!({"a": [1]});
    let read: Item = serde_json::from_value(later).expect("unknown fields are ignored");
    assert_eq!(read, serde_json::from_value(item()).unwrap());
    let page = json!({"item": item(), "revision": 1, "first_seen": "2026-07-01T10:00:00Z", "body": {"from": "feed"}});
    serde_json::from_value::<Page>(page).unwrap();
    let article = json!({
        "id": "00000000000000000000000000000001", "revision": 1, "url": "", "title": "", "text": "",
        "first_seen": "2026-07-01T10:00:00Z", "kind": "article",
        "source": {"feed_url": "https://example.org/rss", "domain": "example.org"}
    });
    let article: Article = serde_json::from_value(article).unwrap();
    let tagged = Tagged::new(article, "abc", Vec::new(), Vec::new());
    assert_eq!(
        serde_json::from_str::<Tagged>(&serde_json::to_string(&tagged).unwrap()).unwrap(),
        tagged
    );
    let feed =
        json!({"id": "00000000000000000000000000000002", "url": "https://example.org/rss", "origin": "file"});
    serde_json::from_value::<FeedRecord>(feed).unwrap();
    let state = json!({"id": "00000000000000000000000000000002", "next_poll": "2026-07-01T10:00:00Z", "interval_seconds": 900});
    let state: FeedState = serde_json::from_value(state).unwrap();
    assert_eq!(
        serde_json::from_str::<FeedState>(&serde_json::to_string(&state).unwrap()).unwrap(),
        state
    );
    let pending = json!({"state": "pending", "item": item(), "revision": 1, "first_seen": "2026-07-01T10:00:00Z",
        "attempts": 0, "not_before": "2026-07-01T10:00:00Z"});
    let pending: FrontierRecord = serde_json::from_value(pending).unwrap();
    assert_eq!(
        serde_json::from_str::<FrontierRecord>(&serde_json::to_string(&pending).unwrap()).unwrap(),
        pending
    );
}
