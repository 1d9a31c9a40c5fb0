//! The sink into JSON lines.

use std::io::Write;
use std::time::Duration;

use telex_sink::{Change, Fate, JsonLines, JsonLinesOptions, Row, Sink, SinkError};

use crate::support::{LOG, Said, age, article, lines, minute, put, store_from, store_written};

/// Each batch a file of its own.
fn small() -> JsonLinesOptions {
    JsonLinesOptions {
        max_bytes: Some(1),
        ..JsonLinesOptions::default()
    }
}

#[test]
fn holds_each_message_once_over_restarts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tagged.jsonl");
    let batch = [put(&article(1)), put(&article(2))];
    let mut sink = JsonLines::open(&path).expect("a sink");
    assert_eq!(store_from(&mut sink, 0, &batch), [Fate::Stored; 2]);
    drop(sink);
    // The bus did not learn of it: the batch comes again, with more behind it.
    let mut sink = JsonLines::open(&path).expect("a sink");
    let longer = [batch[0].clone(), batch[1].clone(), Said::Retract(article(1).id)];
    let fates = store_from(&mut sink, 0, &longer);
    assert_eq!(fates, [Fate::AlreadyStored, Fate::AlreadyStored, Fate::Stored]);
    let stored = lines(&path);
    assert_eq!(stored.len(), 3);
    assert_eq!(stored[0], serde_json::to_string(&article(1)).expect("JSON"));
    assert_eq!(
        stored[2],
        format!(r#"{{"id":"{}","retracted":true}}"#, article(1).id)
    );
    assert_eq!(
        store_written(&mut sink, 0, minute(600), &batch),
        [Fate::Stored; 2],
        "a bus begun anew"
    );
}

#[test]
fn cuts_off_what_a_crash_left_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tagged.jsonl");
    store_from(
        &mut JsonLines::open(&path).expect("a sink"),
        0,
        &[put(&article(1))],
    );
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("the file");
    file.write_all(b"{\"id\":\"whole\"}\n{\"id\":\"ha")
        .expect("written");
    drop(file);
    let mut sink = JsonLines::open(&path).expect("a sink");
    assert_eq!(lines(&path).len(), 1);
    store_from(&mut sink, 1, &[put(&article(2))]);
    let stored = lines(&path);
    assert_eq!(stored.len(), 2);
    assert_eq!(stored[1], serde_json::to_string(&article(2)).expect("JSON"));
}

#[test]
fn a_message_of_several_lines_becomes_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tagged.jsonl");
    let a = article(1);
    let json = serde_json::to_string_pretty(&a)
        .expect("JSON")
        .replace('\n', "\r\n");
    let change = Change::Put {
        article: &a,
        json: &json,
    };
    let row = Row {
        partition: 0,
        offset: 0,
        next: 1,
        timestamp: minute(0),
        change,
    };
    JsonLines::open(&path)
        .expect("a sink")
        .store(LOG, &[row])
        .expect("stored");
    let stored = lines(&path);
    assert_eq!(stored.len(), 1);
    assert_eq!(
        serde_json::from_str::<telex_model::Tagged>(&stored[0]).expect("JSON"),
        a
    );
}

#[test]
fn a_file_moved_away_is_begun_anew_and_one_cut_short_is_not_hidden() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tagged.jsonl");
    let batch = [put(&article(1)), put(&article(2))];
    store_from(&mut JsonLines::open(&path).expect("a sink"), 0, &batch);
    std::fs::rename(&path, folder.path().join("old.jsonl")).expect("moved");
    let mut sink = JsonLines::open(&path).expect("a sink");
    store_from(&mut sink, 0, &batch);
    store_from(&mut sink, 2, &[put(&article(3))]);
    assert_eq!(
        lines(&path).len(),
        1,
        "what stands in the old file is not written again"
    );
    let second = JsonLines::open(&path).expect_err("held");
    assert!(matches!(second, SinkError::Busy { .. }), "{}", second.chain());
    drop(sink);
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("the file");
    file.set_len(10).expect("cut");
    let error = JsonLines::open(&path).expect_err("cut short");
    assert!(matches!(error, SinkError::Damaged { .. }), "{}", error.chain());
}

#[test]
fn leaves_other_peoples_files_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.jsonl");
    std::fs::write(&path, "{\"mine\":1}\n").expect("written");
    let error = JsonLines::open(&path).expect_err("foreign");
    assert!(matches!(error, SinkError::Foreign { .. }), "{}", error.chain());
    assert_eq!(lines(&path), ["{\"mine\":1}"]);
    let error = JsonLines::open(&folder.path().join("none/x.jsonl")).expect_err("no folder");
    assert!(matches!(error, SinkError::Access { .. }), "{}", error.chain());
    std::fs::write(folder.path().join("b.jsonl.state"), "{").expect("written");
    let error = JsonLines::open(&folder.path().join("b.jsonl")).expect_err("damaged");
    assert!(matches!(error, SinkError::Damaged { .. }), "{}", error.chain());
}

/// A crash at any point of finishing a file, as its traces on disk tell: the number is written, the file has it, the
/// new one is begun, and lines are in it that were not committed.
#[test]
fn a_crash_while_a_file_is_finished_loses_and_doubles_nothing() {
    for crash in 0..4 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tagged.jsonl");
        let numbered = folder.path().join("tagged.1.jsonl");
        let open = || JsonLines::open_with(&path, &small()).expect("a sink");
        store_from(&mut open(), 0, &[put(&article(1))]);
        let state = folder.path().join("tagged.jsonl.state");
        let text = std::fs::read_to_string(&state).expect("a state");
        let text = text.replacen("\"finished\":0", "\"finished\":0,\"finishing\":1", 1);
        assert!(text.contains("finishing"), "{text}");
        std::fs::write(&state, text).expect("written");
        if crash > 0 {
            std::fs::rename(&path, &numbered).expect("renamed");
        }
        if crash > 1 {
            std::fs::write(&path, "").expect("written");
        }
        if crash > 2 {
            std::fs::write(&path, "{\"id\":\"not committed\"}\n".repeat(1000)).expect("written");
        }
        let batch = [put(&article(1)), put(&article(2))];
        assert_eq!(
            store_from(&mut open(), 0, &batch),
            [Fate::AlreadyStored, Fate::Stored]
        );
        store_from(&mut open(), 2, &[put(&article(3))]);
        let files = [numbered, folder.path().join("tagged.2.jsonl"), path];
        let found = files.map(|file| lines(&file));
        let wanted = [1, 2, 3].map(|n| vec![serde_json::to_string(&article(n)).expect("JSON")]);
        assert_eq!(found, wanted, "crash {crash}");
    }
}

#[test]
fn files_that_were_finished_long_ago_are_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tagged.jsonl");
    let day = Duration::from_secs(24 * 3600);
    let open = || {
        let options = JsonLinesOptions {
            retention: Some(10 * day),
            ..small()
        };
        JsonLines::open_with(&path, &options).expect("a sink")
    };
    let mut sink = open();
    for n in 0..4 {
        store_from(&mut sink, u64::from(n), &[put(&article(n))]);
    }
    let numbered = |n: u32| folder.path().join(format!("tagged.{n}.jsonl"));
    // Of the file that is written to the age does not matter, nor of what is somebody else's.
    let others = [
        "other.1.jsonl",
        "tagged.9.jsonl",
        "tagged.1.txt",
        "tagged.old.jsonl",
    ];
    let others = others.map(|name| folder.path().join(name));
    others
        .iter()
        .for_each(|file| std::fs::write(file, "").expect("written"));
    for file in others.iter().chain([&path, &numbered(1)]) {
        age(file, 11 * day);
    }
    age(&numbered(2), 9 * day);
    assert!(numbered(1).exists(), "looked at from time to time");
    drop(sink);
    let mut sink = open();
    let there = |n| numbered(n).exists();
    assert_eq!([1, 2, 3].map(there), [false, true, true]);
    assert!(others.iter().chain([&path]).all(|file| file.exists()));
    let wanted: Vec<String> = [1, 2, 3]
        .iter()
        .map(|n| serde_json::to_string(&article(*n)).expect("JSON"))
        .collect();
    let found = [numbered(2), numbered(3), path.clone()].map(|file| lines(&file).remove(0));
    assert_eq!(found.to_vec(), wanted);
    // Numbers go on, and what is gone does not come back.
    store_from(&mut sink, 0, &[put(&article(0)), put(&article(1))]);
    store_from(&mut sink, 4, &[put(&article(4))]);
    assert!(!there(1) && there(4));
}
