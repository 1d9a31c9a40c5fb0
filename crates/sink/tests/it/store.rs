//! Storing in SQLite: what is kept, what comes again, what is withdrawn.

use telex_model::Tagged;
use telex_sink::{Articles, Fate, Query, SinkError, SqliteOptions, SqliteSink};

use crate::support::{Database, Said, article, minute, put, store_from, store_written, tag};

#[test]
fn gives_back_what_was_stored_to_the_letter() {
    for compression in [None, Some(1)] {
        let database = Database::new();
        let options = SqliteOptions {
            compression,
            ..SqliteOptions::default()
        };
        let mut sink = SqliteSink::open(&database.path, &options).expect("a sink");
        let mut long = article(2);
        long.text = "Пункт про переговори. ".repeat(2000);
        long.tags = vec![tag("ukraine", 0.9)];
        let stored = [article(1), long];
        store_from(&mut sink, 0, &stored.each_ref().map(put));
        let found: Vec<Tagged> = Articles::open(&database.path)
            .expect("a reader")
            .query(&Query {
                order: telex_sink::Order::OldestFirst,
                ..Query::default()
            })
            .map(|a| a.expect("read").parse().expect("a tagged message"))
            .collect();
        assert_eq!(found, stored, "{compression:?}");
    }
}

#[test]
fn the_same_batch_twice_leaves_each_article_once() {
    let database = Database::new();
    let batch = [put(&article(1)), put(&article(2))];
    assert_eq!(store_from(&mut database.sink(), 0, &batch), [Fate::Stored; 2]);
    assert_eq!(
        store_from(&mut database.sink(), 0, &batch),
        [Fate::AlreadyStored; 2]
    );
    assert_eq!(database.find(&Query::default()), ["2", "1"]);
}

#[test]
fn a_batch_that_overlaps_is_stored_from_where_it_is_new() {
    let database = Database::new();
    let mut sink = database.sink();
    store_from(&mut sink, 0, &[put(&article(1)), Said::Retract(article(1).id)]);
    let batch = [put(&article(1)), Said::Retract(article(1).id), put(&article(2))];
    let fates = store_from(&mut sink, 0, &batch);
    assert_eq!(fates, [Fate::AlreadyStored, Fate::AlreadyStored, Fate::Stored]);
    assert_eq!(
        database.find(&Query::default()),
        ["2"],
        "what was withdrawn does not come back"
    );
}

#[test]
fn a_retraction_takes_article_words_and_tags() {
    let mut a = article(1);
    a.tags = vec![tag("nato", 0.8)];
    let database = Database::with(&[a.clone(), article(2)]);
    store_from(
        &mut database.sink(),
        2,
        &[Said::Retract(a.id), Said::Retract(article(9).id)],
    );
    assert_eq!(database.find(&Query::default()), ["2"]);
    let by = |tag: Option<&str>, search: Option<&str>| Query {
        tag: tag.map(Into::into),
        search: search.map(Into::into),
        ..Query::default()
    };
    assert!(database.find(&by(Some("nato"), None)).is_empty());
    assert_eq!(database.find(&by(None, Some("council"))), ["2"]);
    store_from(&mut database.sink(), 4, &[put(&a)]);
    assert_eq!(
        database.find(&by(Some("nato"), Some("council"))),
        ["1"],
        "it may be stored anew"
    );
}

#[test]
fn a_newer_revision_replaces_and_an_older_one_is_left_out() {
    let (mut second, mut retagged) = (article(1), article(1));
    second.revision = 2;
    second.text = "A correction was printed.".to_owned();
    second.tags = vec![tag("nato", 0.4)];
    retagged.revision = 2;
    retagged.topics_version = "0b".to_owned();
    retagged.text.clone_from(&second.text);
    retagged.tags = vec![tag("ukraine", 0.7)];
    let database = Database::with(&[article(1), second.clone(), article(1)]);
    let search = |words: &str| Query {
        search: Some(words.to_owned()),
        ..Query::default()
    };
    let tagged = |t: &str| Query {
        tag: Some(t.to_owned()),
        ..Query::default()
    };
    assert!(
        database.find(&search("council")).is_empty(),
        "the old words are gone"
    );
    assert_eq!(database.find(&search("correction")), ["1"]);
    assert_eq!(database.find(&tagged("nato")), ["1"]);
    let fates = store_from(&mut database.sink(), 3, &[put(&retagged), put(&article(1))]);
    assert_eq!(fates, [Fate::Stored, Fate::Outdated]);
    assert!(database.find(&tagged("nato")).is_empty());
    assert_eq!(database.find(&tagged("ukraine")), ["1"]);
    assert_eq!(database.find(&Query::default()), ["1"]);
}

#[test]
fn a_bus_begun_anew_loses_nothing() {
    let mut third = article(1);
    third.revision = 3;
    let database = Database::with(&[article(5), article(6), third]);
    let batch = [put(&article(1)), put(&article(7))];
    let fates = store_written(&mut database.sink(), 0, minute(600), &batch);
    assert_eq!(
        fates,
        [Fate::Stored; 2],
        "offsets and revisions count from the beginning again"
    );
    let again = store_written(&mut database.sink(), 0, minute(600), &batch);
    assert_eq!(again, [Fate::AlreadyStored; 2]);
    assert_eq!(database.find(&Query::default()), ["7", "6", "5", "1"]);
}

#[test]
fn readers_and_the_sink_do_not_hinder_each_other() {
    let database = Database::with(&(0..50).map(article).collect::<Vec<_>>());
    let (articles, mut sink) = (database.articles(), database.sink());
    let query = Query::default();
    let mut found = articles.query(&query);
    assert!(found.next().is_some());
    store_from(&mut sink, 50, &[Said::Retract(article(10).id), put(&article(60))]);
    let rest: Vec<_> = found.collect::<Result<_, _>>().expect("read");
    assert_eq!(rest.len(), 48, "what is withdrawn meanwhile is left out");
    assert_eq!(
        articles.count(&query).expect("counted"),
        50,
        "a new query sees what is new"
    );
}

#[test]
fn a_full_file_is_said_and_loses_nothing() {
    let database = Database::new();
    let small = SqliteOptions {
        max_bytes: Some(400 << 10),
        ..SqliteOptions::default()
    };
    let mut sink = SqliteSink::open(&database.path, &small).expect("a sink");
    let mut large = article(2);
    large.text = (0..200_000)
        .map(|n: u32| format!("{:x} ", n.wrapping_mul(2_654_435_761)))
        .collect();
    store_from(&mut sink, 0, &[put(&article(1))]);
    let full = crate::support::try_store(&mut sink, 1, minute(0), &[put(&article(3)), put(&large)]);
    let error = full.expect_err("full");
    assert!(
        matches!(error, SinkError::Full { .. }) && error.may_pass(),
        "{}",
        error.chain()
    );
    assert_eq!(database.find(&Query::default()), ["1"], "all or none");
    drop(sink);
    let fates = store_from(&mut database.sink(), 1, &[put(&article(3)), put(&large)]);
    assert_eq!(
        fates,
        [Fate::Stored; 2],
        "once there is room, the same batch goes through"
    );
}
