//! Parquet files, read back with a reader of the format.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use telex_sink::{Fate, ParquetOptions, ParquetSink, Sink, SinkError};

use crate::support::{Said, age, article, put, store_from, tag};

/// A row, of which other columns are checked against the message.
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) message: Option<String>,
}

/// Files of a few messages.
pub(crate) fn small() -> ParquetOptions {
    ParquetOptions {
        max_bytes: 2_000,
        ..ParquetOptions::default()
    }
}

/// The whole files in a folder, by their place in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "parquet") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The rows of all files in the order in which they were stored.
pub(crate) fn rows(folder: &Path) -> Vec<Stored> {
    let mut found = Vec::new();
    for path in files(folder) {
        let reader = SerializedFileReader::new(File::open(&path).expect("a file")).expect("Parquet");
        for row in reader.get_row_iter(None).expect("rows") {
            let columns: std::collections::BTreeMap<String, Field> =
                row.expect("a row").into_columns().into_iter().collect();
            let text = |name: &str| match &columns[name] {
                Field::Str(text) => Some(text.clone()),
                Field::Null => None,
                other => panic!("{name} is {other:?}"),
            };
            let number = |name: &str| match columns[name] {
                Field::Long(n) => n,
                ref other => panic!("{name} is {other:?}"),
            };
            let stored = Stored {
                id: text("id").expect("an id"),
                message: text("message"),
            };
            assert_eq!(columns["retracted"], Field::Bool(stored.message.is_none()));
            if let Some(json) = &stored.message {
                let article: telex_model::Tagged = serde_json::from_str(json).expect("a tagged message");
                assert_eq!(text("text").as_ref(), Some(&article.text));
                assert_eq!(text("title").as_ref(), Some(&article.title));
                assert_eq!(text("language"), article.language);
                assert_eq!(number("revision"), i64::from(article.revision));
                let texts = |name: &str| match &columns[name] {
                    Field::ListInternal(list) => list.elements().to_vec(),
                    other => panic!("{name} is {other:?}"),
                };
                let strings = |texts: Vec<String>| texts.into_iter().map(Field::Str).collect::<Vec<_>>();
                assert_eq!(texts("authors"), strings(article.authors));
                let topics = article.tags.iter().map(|t| t.topic.clone());
                assert_eq!(texts("tags"), strings(topics.collect()));
            }
            found.push(((number("number"), number("line")), stored));
        }
    }
    found.sort_by_key(|(place, _)| *place);
    found
        .windows(2)
        .for_each(|two| assert_ne!(two[0].0, two[1].0, "a place is given twice"));
    found.into_iter().map(|(_, row)| row).collect()
}

fn open(folder: &Path) -> ParquetSink {
    ParquetSink::open(folder, ParquetOptions::default()).expect("a sink")
}

#[test]
fn a_message_is_in_the_file_of_its_day_and_surest_tag() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut said: Vec<Said> = Vec::new();
    let mut a = article(1);
    a.tags = vec![tag("nato", 0.9), tag("ukraine", 0.4)];
    let mut b = article(24 * 60);
    b.tags = vec![tag("../../etc", 0.9)];
    said.extend([put(&a), put(&b), put(&article(2)), Said::Retract(article(2).id)]);
    let mut sink = open(folder.path());
    store_from(&mut sink, 0, &said);
    assert!(files(folder.path()).is_empty(), "they wait for more");
    sink.finish().expect("finished");
    let places: Vec<String> = files(folder.path())
        .iter()
        .map(|file| {
            let folder = file.parent().and_then(|p| p.strip_prefix(folder.path()).ok());
            folder.expect("inside").display().to_string()
        })
        .collect();
    let wanted = [
        "day=2026-11-20/tag=nato",
        "day=2026-11-20/tag=none",
        "day=2026-11-21/tag=______etc",
        "retracted",
    ];
    assert_eq!(places, wanted);
    assert_eq!(rows(folder.path()).len(), 4);
    drop(sink);
    assert_eq!(
        store_from(&mut open(folder.path()), 0, &said),
        [Fate::AlreadyStored; 4]
    );
    assert_eq!(rows(folder.path()).len(), 4);
}

/// A crash at any point of making the files: the lines are there, or some of the files beside them, or half a file.
#[test]
fn a_crash_while_files_are_made_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut said: Vec<Said> = Vec::new();
    for n in 0..30 {
        let mut a = article(n);
        a.tags = vec![tag(["nato", "ukraine", "eu"][n as usize % 3], 0.9)];
        said.push(put(&a));
    }
    let mut sink = open(folder.path());
    store_from(&mut sink, 0, &said);
    let lines = folder.path().join("_waiting/tagged.jsonl");
    let waiting = std::fs::read(&lines).expect("lines");
    sink.finish().expect("finished");
    drop(sink);
    let whole = files(folder.path());
    assert_eq!(whole.len(), 3);
    for crash in 0..3 {
        // As it was before the lines went.
        std::fs::write(folder.path().join("_waiting/tagged.1.jsonl"), &waiting).expect("written");
        for file in whole.iter().take(crash) {
            std::fs::remove_file(file).expect("removed");
        }
        let broken = format!("{}.unfinished", whole[2].display());
        std::fs::write(&broken, "PAR1 and no more").expect("written");
        drop(open(folder.path()));
        assert!(!Path::new(&broken).exists());
        assert_eq!(files(folder.path()), whole, "crash {crash}");
        assert_eq!(rows(folder.path()).len(), 30);
    }
}

#[test]
fn files_are_made_when_they_have_their_age() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = ParquetOptions {
        max_age: Duration::ZERO,
        ..ParquetOptions::default()
    };
    let mut sink = ParquetSink::open(folder.path(), options).expect("a sink");
    store_from(&mut sink, 0, &[put(&article(1))]);
    assert_eq!(rows(folder.path()).len(), 0);
    store_from(&mut sink, 1, &[put(&article(2))]);
    assert_eq!(rows(folder.path()).len(), 1, "with the next batch");
}

#[test]
fn what_cannot_be_written_is_told_and_waits() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sink = open(folder.path());
    store_from(&mut sink, 0, &[put(&article(1))]);
    // A file stands where the folder is to be.
    let blocked = folder.path().join("day=2026-11-20");
    std::fs::write(&blocked, "").expect("written");
    let error = sink.finish().expect_err("it cannot");
    assert!(error.chain().contains("day=2026-11-20"), "{}", error.chain());
    let second = ParquetSink::open(folder.path(), small()).expect_err("held");
    assert!(matches!(second, SinkError::Busy { .. }), "{}", second.chain());
    std::fs::remove_file(&blocked).expect("removed");
    store_from(&mut sink, 1, &[put(&article(2))]);
    assert_eq!(rows(folder.path()).len(), 1);
    sink.finish().expect("finished");
    assert_eq!(rows(folder.path()).len(), 2);
}

#[test]
fn days_that_are_long_over_are_removed() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let folder = tempfile::tempdir().expect("a folder");
    let options = ParquetOptions {
        retention: Some(10 * DAY),
        ..ParquetOptions::default()
    };
    let seen = |n: u32, days: u32| {
        let mut a = article(n);
        a.first_seen = (std::time::SystemTime::now() - days * DAY)
            .try_into()
            .expect("a time");
        a.tags = vec![tag("nato", 0.9)];
        put(&a)
    };
    let said: Vec<Said> = (0..).zip([20, 12, 9, 0]).map(|(n, days)| seen(n, days)).collect();
    let mut sink = open(folder.path());
    store_from(&mut sink, 0, &said);
    store_from(&mut sink, 4, &[Said::Retract(article(9).id)]);
    sink.finish().expect("finished");
    assert_eq!(
        rows(folder.path()).len(),
        5,
        "nothing is removed without a retention"
    );
    drop(sink);
    let days = || {
        let names = std::fs::read_dir(folder.path()).expect("a folder");
        let names = names.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| name.starts_with("day=")).collect();
        names.sort();
        names
    };
    let before = days();
    // Of the oldest day something is somebody else's.
    let note = folder.path().join(&before[0]).join("tag=nato/README");
    std::fs::write(&note, "mine").expect("written");
    let withdrawn = files(&folder.path().join("retracted")).remove(0);
    age(&withdrawn, 10 * DAY + DAY / 2);
    let reopened = || drop(ParquetSink::open(folder.path(), options.clone()).expect("a sink"));
    reopened();
    assert_eq!(days(), [before[0].clone(), before[2].clone(), before[3].clone()]);
    assert!(note.exists() && withdrawn.exists());
    assert_eq!(rows(folder.path()).len(), 3);
    std::fs::remove_file(&note).expect("removed");
    age(&withdrawn, 12 * DAY);
    // What comes late goes to its day, and goes with it.
    let mut sink = ParquetSink::open(folder.path(), options.clone()).expect("a sink");
    assert_eq!(days(), before[2..]);
    assert!(!withdrawn.exists());
    store_from(&mut sink, 5, &[seen(6, 15)]);
    sink.finish().expect("finished");
    assert_eq!(rows(folder.path()).len(), 3);
    drop(sink);
    reopened();
    assert_eq!(days(), before[2..]);
}
