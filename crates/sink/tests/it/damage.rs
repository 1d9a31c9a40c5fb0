//! Databases that cannot be used: each is told in its own words.

use std::path::Path;

use rusqlite::Connection;
use telex_sink::{Articles, Query, SinkError, SqliteOptions, SqliteSink};

use crate::support::{Database, article};

fn open(path: &Path) -> SinkError {
    SqliteSink::open(path, &SqliteOptions::default()).expect_err("refused")
}

fn told(error: &SinkError, path: &Path, what: &str) {
    let text = error.chain();
    assert!(
        text.contains(&path.display().to_string()) && text.contains(what),
        "{text}"
    );
}

#[test]
fn tells_foreign_newer_missing_and_unreachable_files_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("other.sqlite");
    let other = Connection::open(&path).expect("a database");
    other.pragma_update(None, "application_id", 7).expect("set");
    told(&open(&path), &path, "was not written by this sink");
    told(
        &Articles::open(&path).expect_err("refused"),
        &path,
        "was not written by this sink",
    );

    let database = Database::new();
    drop(database.sink());
    let sql = Connection::open(&database.path).expect("a database");
    sql.pragma_update(None, "user_version", 99).expect("set");
    told(&open(&database.path), &database.path, "has version 99");
    let reader = Articles::open(&database.path).expect_err("refused");
    assert!(matches!(reader, SinkError::Newer { found: 99, .. }));

    let missing = folder.path().join("missing.sqlite");
    let error = Articles::open(&missing).expect_err("refused");
    assert!(matches!(error, SinkError::Access { .. }) && !error.may_pass());
    assert!(!missing.exists(), "reading makes no file");
    told(
        &open(&folder.path().join("no/such/folder.sqlite")),
        folder.path(),
        "--data-dir",
    );
    let empty = folder.path().join("empty.sqlite");
    std::fs::write(&empty, "").expect("written");
    assert!(matches!(
        Articles::open(&empty).expect_err("refused"),
        SinkError::Older { .. }
    ));
}

#[test]
fn tells_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("text.sqlite");
    std::fs::write(&path, "This is no database at all. ".repeat(100)).expect("written");
    let error = open(&path);
    assert!(matches!(error, SinkError::Damaged { .. }) && !error.may_pass());
    told(&error, &path, "is damaged");

    let database = Database::with(&(0..400).map(article).collect::<Vec<_>>());
    let length = std::fs::metadata(&database.path).expect("a file").len();
    let noise: Vec<u8> = (0..length - 16_384).map(|n| (n % 251) as u8).collect();
    let mut bytes = std::fs::read(&database.path).expect("read");
    bytes.splice(16_384.., noise);
    std::fs::write(&database.path, bytes).expect("written");
    let error = match Articles::open(&database.path) {
        Err(error) => error,
        Ok(articles) => {
            let first = articles.query(&Query::default()).find_map(Result::err);
            first.expect("damage shows")
        }
    };
    assert!(matches!(error, SinkError::Damaged { .. }), "{}", error.chain());
}
