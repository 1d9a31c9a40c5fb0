//! The description of the API, and answers held against it.

use std::collections::BTreeSet;

use boon::{Compiler, Schemas};
use serde_json::{Value, json};
use telex_model::Stage;

use crate::support::{Answer, Console, article};

/// Holds an answer against a schema of the description.
fn check(document: &Value, pointer: &str, answer: &Answer) {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler
        .add_resource("http://telex.test/api", document.clone())
        .unwrap();
    let at = format!("http://telex.test/api#{pointer}");
    let index = compiler
        .compile(&at, &mut schemas)
        .unwrap_or_else(|e| panic!("{pointer}: {e:#}"));
    if let Err(error) = schemas.validate(&answer.json(), index) {
        panic!("{pointer}: {error:#}\n{}", answer.body);
    }
}

fn pointer(path: &str, method: &str, rest: &str) -> String {
    format!("/paths/{}/{method}/responses/{rest}", path.replace('/', "~1"))
}

/// All that is described: paths and methods.
fn described(document: &Value) -> BTreeSet<(String, &'static str)> {
    document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |m| (path.clone(), if m == "get" { "get" } else { "post" }))
        })
        .collect()
}

/// What is read: paths as described, and as asked for.
fn answers(id: &str) -> Vec<(&'static str, String)> {
    vec![
        ("/api/v1/status", "/api/v1/status".to_owned()),
        (
            "/api/v1/articles",
            "/api/v1/articles?limit=1&q=council&tag=nato".to_owned(),
        ),
        ("/api/v1/articles/{id}", format!("/api/v1/articles/{id}")),
        (
            "/api/v1/articles/{id}/story",
            format!("/api/v1/articles/{id}/story"),
        ),
        (
            "/api/v1/articles/{id}/trace",
            format!("/api/v1/articles/{id}/trace"),
        ),
        ("/api/v1/feeds", "/api/v1/feeds".to_owned()),
        ("/api/v1/dead-letters", "/api/v1/dead-letters".to_owned()),
        (
            "/api/v1/dead-letters/{stage}/{partition}/{offset}",
            "/api/v1/dead-letters/cleaner/0/0".to_owned(),
        ),
        ("/api/v1/topics", "/api/v1/topics".to_owned()),
        ("/api/v1/settings", "/api/v1/settings".to_owned()),
        ("/api/v1/openapi.json", "/api/v1/openapi.json".to_owned()),
    ]
}

#[tokio::test]
async fn every_answer_is_as_described() {
    let console = Console::with(&[article(1), article(2)]).await;
    console.dead(Stage::Cleaner, "k", "invalid_json", "{");
    let document = console.get("/api/v1/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let added = console
        .post("/api/v1/feeds", &json!({"urls": ["https://news.example/f"]}))
        .await;
    let feed = console.get("/api/v1/feeds").await.json()["feeds"][0]["feed"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut seen = BTreeSet::new();
    for (path, asked) in answers(&article(1).id.to_string()) {
        let answer = console.get(&asked).await;
        assert_eq!(answer.status, 200, "{asked}: {answer:?}");
        check(
            &document,
            &pointer(path, "get", "200/content/application~1json/schema"),
            &answer,
        );
        seen.insert((path.to_owned(), "get"));
    }
    let replay = json!({"stage": "cleaner", "dry_run": true});
    let replayed = console.post("/api/v1/dead-letters/replay", &replay).await;
    let polled = console
        .post(&format!("/api/v1/feeds/{feed}/poll"), &json!({}))
        .await;
    for (path, status, answer) in [
        ("/api/v1/feeds", "201", added),
        ("/api/v1/feeds/{id}/{deed}", "200", polled),
        ("/api/v1/dead-letters/replay", "200", replayed),
    ] {
        assert_eq!(answer.status.to_string(), status, "{path}: {answer:?}");
        check(
            &document,
            &pointer(
                path,
                "post",
                &format!("{status}/content/application~1json/schema"),
            ),
            &answer,
        );
        seen.insert((path.to_owned(), "post"));
    }
    // Its events have a test of their own.
    seen.insert(("/api/v1/events".to_owned(), "get"));
    assert_eq!(
        described(&document),
        seen,
        "all that is described is held against it here"
    );
}

#[tokio::test]
async fn every_problem_is_as_described() {
    let console = Console::with(&[article(1)]).await;
    let document = console.get("/api/v1/openapi.json").await.json();
    let problem = "/components/responses/Problem/content/application~1problem+json/schema";
    for (path, method) in [
        ("/api/v1/articles?limit=x", "GET"),
        ("/api/v1/nothing", "GET"),
        ("/api/v1/articles", "DELETE"),
        ("/api/v1/feeds", "POST"),
        (&*format!("/api/v1/articles?q={}", "x".repeat(9000)), "GET"),
    ] {
        let answer = console.send(method, path, &[], "").await;
        assert!(answer.status >= 400, "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{path}"
        );
        check(&document, problem, &answer);
    }
}

#[tokio::test]
async fn the_description_describes_itself_well() {
    let console = Console::with(&[article(1)]).await;
    let document = console.get("/api/v1/openapi.json").await.json();
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} is nowhere");
    }
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            assert!(
                ids.insert(operation["operationId"].to_string()),
                "{path}: an id that was given before"
            );
            let named: Vec<&str> = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|p| p["in"] == "path")
                .map(|p| p["name"].as_str().unwrap())
                .collect();
            let in_path: Vec<&str> = path
                .split('{')
                .skip(1)
                .map(|p| p.split('}').next().unwrap())
                .collect();
            assert_eq!(named, in_path, "{path}");
        }
    }
    let writes = document["paths"]["/api/v1/feeds"]["post"]["security"].clone();
    assert_eq!(writes, json!([{"token": []}]));
}
