//! Messages of version 1 stay readable, and their schemas only grow by optional fields.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use telex_model::{Article, FeedRecord, FeedState, FrontierRecord, Item, Page, SCHEMAS, Tagged, schema};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

/// The schemas of the release in the repository; written anew by `TELEX_UPDATE_SCHEMAS=1 cargo test`.
#[test]
fn schemas_in_the_repository_are_those_of_the_types() {
    for name in SCHEMAS {
        let path = folder().join(format!("{name}.schema.json"));
        let now = serde_json::to_string_pretty(&schema(name).unwrap()).unwrap() + "\n";
        if std::env::var_os("TELEX_UPDATE_SCHEMAS").is_some() {
            if let Ok(old) = std::fs::read_to_string(&path) {
                assert_compatible(
                    name,
                    &serde_json::from_str(&old).unwrap(),
                    &serde_json::from_str(&now).unwrap(),
                );
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

/// Whatever the old schema demanded is still demanded of writers, and nothing that readers knew is gone.
fn assert_compatible(path: &str, old: &Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            if let Some(fields) = old.get("properties").and_then(Value::as_object) {
                let required = |v: &serde_json::Map<String, Value>| -> BTreeSet<String> {
                    let list = v
                        .get("required")
                        .and_then(Value::as_array)
                        .cloned()
                        .unwrap_or_default();
                    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
                };
                let added: Vec<_> = required(new).difference(&required(old)).cloned().collect();
                assert!(added.is_empty(), "{path}: {added:?} became required");
                for name in fields.keys() {
                    assert!(new["properties"].get(name).is_some(), "{path}: {name} is gone");
                }
            }
            for (key, value) in old {
                if key != "description" && key != "required" {
                    let other = new.get(key).unwrap_or_else(|| panic!("{path}/{key} is gone"));
                    assert_compatible(&format!("{path}/{key}"), value, other);
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            assert!(
                old.iter().all(|o| new.contains(o) || o.is_object()),
                "{path}: {old:?} became {new:?}"
            );
        }
        _ => assert_eq!(old, new, "{path}"),
    }
}

#[test]
#[should_panic(expected = "x became required")]
fn a_new_required_field_is_incompatible() {
    let old = json!({"properties": {"a": {"type": "string"}}, "required": ["a"]});
    let new =
        json!({"properties": {"a": {"type": "string"}, "x": {"type": "string"}}, "required": ["a", "x"]});
    // The message lists the field with quotes; compare it without.
    let result = std::panic::catch_unwind(|| assert_compatible("t", &old, &new)).unwrap_err();
    panic!(
        "{}",
        result
            .downcast_ref::<String>()
            .unwrap()
            .replace(['"', '[', ']'], "")
    );
}

#[test]
#[should_panic(expected = "b is gone")]
fn a_lost_field_is_incompatible() {
    let old = json!({"properties": {"a": {}, "b": {}}});
    assert_compatible("t", &old, &json!({"properties": {"a": {}}}));
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
