//! Copies of a database that is written to.

use telex_sink::{Articles, Query, SinkError, SqliteOptions, SqliteSink, copy_database};

use crate::support::{Database, article, put, store_from};

#[test]
fn a_copy_made_beside_a_writer_is_whole_and_can_be_written_to() {
    let database = Database::with(&(0..50).map(article).collect::<Vec<_>>());
    let folder = tempfile::tempdir().expect("a folder");
    let copies: Vec<_> = (0..5)
        .map(|n| folder.path().join(format!("{n}.sqlite")))
        .collect();
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut sink = database.sink();
            for n in 50.. {
                if ended.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                store_from(&mut sink, n, &[put(&article(n as u32))]);
            }
        });
        for copy in &copies {
            let bytes = copy_database(&database.path, copy).expect("copied");
            assert!(bytes > 10_000);
        }
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    for copy in &copies {
        let count = || {
            let articles = Articles::open(copy).expect("a reader");
            articles.count(&Query::default()).expect("counted")
        };
        let stored = count();
        assert!(stored >= 50);
        // Its positions are those of its articles.
        let mut sink = SqliteSink::open(copy, &SqliteOptions::default()).expect("a sink");
        let fates = store_from(&mut sink, stored - 1, &[put(&article(0)), put(&article(9_000))]);
        assert_eq!(fates, [telex_sink::Fate::AlreadyStored, telex_sink::Fate::Stored]);
        assert_eq!(count(), stored + 1);
    }
}

#[test]
fn nothing_is_overwritten() {
    let database = Database::with(&[article(1)]);
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy.sqlite");
    std::fs::write(&copy, "mine").expect("written");
    copy_database(&database.path, &copy).expect_err("it exists");
    assert_eq!(std::fs::read_to_string(&copy).expect("read"), "mine");
    let missing =
        copy_database(&folder.path().join("none"), &folder.path().join("x")).expect_err("nothing there");
    assert!(matches!(missing, SinkError::Access { .. }), "{}", missing.chain());
}
