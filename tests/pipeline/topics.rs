//! `telex topics train`, `test` and `diff`, as an author of topic files uses them.

use std::fs;

use serde_json::{Value, json};

use crate::world::{finish, rows, said, telex};

const BREAD: &str = r#"
[topic]
name = "bread"
about = "Bread."

[[signal]]
name = "bread"
role = "core"
concepts = ["bread"]

[[concept]]
id = "bread"
kind = "theme"
name = "Bread"
words.en = "bread, bakery"
"#;

/// Two labelled articles of each of ten sites: one about Ukraine, one that names it in passing.
fn labelled() -> String {
    let article = |site: usize, name: &str, title: &str, text: &str, ukraine: u8| {
        let id = format!("https://site{site}.example/{name}");
        let row = json!({"id": id, "language": "en", "title": title, "text": text, "ukraine": ukraine});
        format!("{row}\n")
    };
    let about = "Ukraine's president Zelensky spoke in Kyiv about the war. Ukrainian troops hold Kharkiv.";
    let aside =
        "The bakery sells bread with walnuts. Wheat from Ukraine is dear. The queue was long on Saturday.";
    (0..10)
        .map(|site| {
            article(site, "a", "Ukraine holds Kharkiv", about, 1)
                + &article(site, "b", "Bakery sells bread", aside, 0)
        })
        .collect()
}

#[test]
fn topics_are_trained_tested_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (articles, mine) = (path("labelled.jsonl"), path("mine"));
    let weights = path("mine/weights.toml");
    fs::write(&articles, labelled()).unwrap();
    fs::create_dir(&mine).unwrap();

    let train = [
        "topics",
        "train",
        &articles,
        "--write",
        &weights,
        "--from",
        "our own words",
    ];
    let out = finish(telex(&train));
    assert!(out.status.success(), "{}", said(&out));
    let first = fs::read_to_string(&weights).unwrap();
    assert!(
        first.contains("examples = \"our own words\"\nnumber = 20"),
        "{first}"
    );
    assert!(
        first.contains("topic = \"ukraine\"") && !first.contains("topic = \"nato\""),
        "{first}"
    );
    assert!(finish(telex(&train)).status.success());
    assert_eq!(
        fs::read_to_string(&weights).unwrap(),
        first,
        "training is deterministic"
    );
    let report = rows(&finish(telex(&[
        "topics", "train", &articles, "--output", "json",
    ])));
    assert_eq!(report[0]["sources"], 10);
    assert_eq!(report[0]["topics"][0]["all"]["right"], 10, "{}", report[0]);

    fs::remove_file(&weights).unwrap();
    fs::write(path("mine/bread.toml"), BREAD).unwrap();
    let compared = [
        "topics",
        "diff",
        "built-in",
        &mine,
        "--articles",
        &articles,
        "--output",
        "json",
    ];
    let changes = rows(&finish(telex(&compared)));
    let added = |row: &&Value| row["topic"] == "bread" && row["before"].is_null() && row["after"].is_number();
    assert_eq!(changes.iter().filter(added).count(), 10, "{changes:?}");

    // A label that no reader would give: the mistakes are told, and the exit code says so.
    let wrong = labelled()
        .lines()
        .next()
        .unwrap()
        .replace("\"ukraine\":1", "\"ukraine\":0");
    fs::write(&articles, wrong).unwrap();
    let out = finish(telex(&["topics", "test", &articles]));
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(said(&out).contains("1 answers differ"), "{}", said(&out));
}
