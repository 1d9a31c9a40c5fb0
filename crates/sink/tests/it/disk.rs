//! A disk that is really full: the sink says so, loses nothing, and goes on once there is room.

use std::path::Path;
use std::process::Command;

use telex_sink::{Fate, JsonLines, ParquetSink, PostgresSink, Sink, SinkError};

use crate::parquet::{rows, small};
use crate::postgres::{articles, server};
use crate::small_disk::Disk;
use crate::support::{Said, article, lines, minute, put, store_from, try_store};

/// Articles that take more room than a full disk has.
fn large(numbers: std::ops::Range<u32>) -> Vec<Said> {
    let large = |n: u32| {
        let mut a = article(n);
        // Words that do not compress.
        let word = |w: u32| format!("{:x} ", (n * 100_000 + w).wrapping_mul(2_654_435_761));
        a.text = (0..30_000).map(word).collect();
        put(&a)
    };
    numbers.map(large).collect()
}

/// Stores on a disk that fills up and is freed; the first article and the batch are there in the end.
fn fills_up(disk: &Disk, sink: &mut dyn Sink) {
    assert_eq!(store_from(sink, 0, &[put(&article(0))]), [Fate::Stored]);
    let batch = large(1..5);
    disk.fill();
    for _ in 0..2 {
        let error = try_store(sink, 1, minute(0), &batch).expect_err("it is full");
        let text = error.chain();
        assert!(error.may_pass() && text.contains("no room"), "{text}");
    }
    disk.free();
    assert_eq!(store_from(sink, 1, &batch), [Fate::Stored; 4]);
    assert_eq!(store_from(sink, 1, &batch), [Fate::AlreadyStored; 4]);
}

#[test]
fn json_lines_wait_for_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = Disk::mount(folder.path(), 4) else {
        return;
    };
    let path = folder.path().join("tagged.jsonl");
    fills_up(&disk, &mut JsonLines::open(&path).expect("a sink"));
    assert_eq!(lines(&path).len(), 5);
    drop(JsonLines::open(&path).expect("whole"));
}

#[test]
fn parquet_waits_for_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = Disk::mount(folder.path(), 8) else {
        return;
    };
    let mut sink = ParquetSink::open(folder.path(), small()).expect("a sink");
    fills_up(&disk, &mut sink);
    // And where the lines are there and what is made of them has no room.
    store_from(&mut sink, 5, &large(5..6));
    disk.fill();
    let error = sink.finish().expect_err("it is full");
    assert!(matches!(error, SinkError::Full { .. }), "{}", error.chain());
    disk.free();
    sink.finish().expect("finished");
    assert_eq!(rows(folder.path()).len(), 6);
}

/// The database's files lie on the full disk; the server's own do not, so that it goes on.
#[test]
fn postgres_waits_for_room() {
    let Some(server) = server() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = Disk::mount(folder.path(), 30) else {
        return;
    };
    let space = folder.path().join("space");
    std::fs::create_dir(&space).expect("made");
    let mut client = server.client("postgres");
    let data: String = client
        .query_one("SHOW data_directory", &[])
        .expect("shown")
        .get(0);
    for path in [folder.path(), &space] {
        let reference = format!("--reference={}", Path::new(&data).display());
        let owned = Command::new("chown").arg(reference).arg(path).status();
        assert!(owned.is_ok_and(|s| s.success()));
    }
    let make = format!("CREATE TABLESPACE small LOCATION '{}'", space.display());
    client.batch_execute(&make).expect("made");
    client
        .batch_execute("CREATE DATABASE small TABLESPACE small")
        .expect("made");
    let mut sink = PostgresSink::new(&server.url("small")).expect("a URL");
    fills_up(&disk, &mut sink);
    assert_eq!(articles(&mut server.client("small")).len(), 5);
    drop(sink);
    client
        .batch_execute("DROP DATABASE small WITH (FORCE)")
        .expect("dropped");
    client.batch_execute("DROP TABLESPACE small").expect("dropped");
}
