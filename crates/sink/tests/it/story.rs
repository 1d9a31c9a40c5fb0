//! Stories over sources, and what changed in which order.

use rusqlite::Connection;
use telex_model::{Kind, Tagged};
use telex_sink::{Articles, ChangeKind, Changes, Sink, StoredArticle, Story};

use crate::support::{Database, Said, article, minute, put, store_from, tag, try_store};

/// Sentences of an agency's report.
const WIRE: [&str; 9] = [
    "The Union's top diplomat has written to the foreign ministry in Moscow about the detained sailors.",
    "The letter, seen by two officials on Thursday, asks for their release before the end of the month.",
    "It does not name a price, but says that talks on fishing rights could not go on without an answer.",
    "A spokesman for the ministry confirmed that it had arrived and would be studied with care.",
    "Fourteen men have been held in a northern port since their trawler was stopped in disputed waters.",
    "Their families met parliament's committee on petitions earlier this week and left without a promise.",
    "Shipowners say that insurance for the route has become three times as dear within a year.",
    "The next meeting of ministers, planned for the second Monday of December, has the matter on its list.",
    "Observers do not expect a decision there, since three governments want to wait for the reply.",
];

/// Article number `n`, from a site of its own, with a text and its fingerprint.
fn report(n: u32, text: &str) -> Tagged {
    Tagged {
        text: text.to_owned(),
        fingerprint: telex_cleaner::fingerprint(text),
        ..article(n)
    }
}

fn wire() -> String {
    WIRE.join("\n")
}

/// Another report on the same letter.
fn other() -> String {
    [
        "Brussels demands that Russia free the crew of a trawler that was seized off the Kola coast.",
        "In a note handed over by courier the foreign affairs chief sets a deadline of four weeks.",
        "Diplomats who know the paper call its tone firm; one speaks of the last friendly warning.",
        "Fishermen in the home port have begun to collect money for lawyers and for the journeys of wives.",
        "Whether Moscow answers at all is open, for the last two notes were never acknowledged.",
    ]
    .join("\n")
}

fn find(articles: &Articles, n: u32) -> StoredArticle {
    let id = article(n).id;
    let all = articles.query(&telex_sink::Query::default());
    all.map(|a| a.expect("read"))
        .find(|a| a.parse().expect("a message").id == id)
        .expect("it is stored")
}

/// Number of the article that another one's story began with, and how many it has; none where it is alone.
fn story(database: &Database, n: u32) -> Option<(u32, u64)> {
    let articles = database.articles();
    let Story { id, articles: count } = articles.story_of(&find(&articles, n)).expect("read")?;
    let first = (0..100).find(|n| article(*n).id == id).expect("one of ours");
    let listed = articles.story(&id, 100).expect("read");
    assert_eq!(listed.len() as u64, count);
    Some((first, count))
}

#[test]
fn versions_of_a_text_are_one_story_over_sources() {
    let cut = WIRE.get(..6).expect("six").join("\n");
    let mut edited = WIRE.to_vec();
    edited.swap(4, 5);
    edited.push("Reporting by our correspondent in Brussels; editing by the night desk.");
    let said = [
        report(1, &wire()),
        report(2, &other()),
        report(3, &cut),
        report(4, &edited.join("\n")),
        Tagged {
            language: Some("fr".to_owned()),
            ..report(5, &wire())
        },
        Tagged {
            kind: Kind::Paywall,
            ..report(6, &wire())
        },
        Tagged {
            first_seen: minute(3 * 24 * 60 + 10),
            ..report(7, &wire())
        },
        report(8, "Read the whole story with a subscription."),
        report(9, "Read the whole story with a subscription."),
    ];
    let database = Database::with(&said);
    for n in [1, 3, 4] {
        assert_eq!(story(&database, n), Some((1, 3)), "article {n}");
    }
    let why = [
        (2, "another report"),
        (5, "another language"),
        (6, "not its own text"),
        (7, "too late"),
        (8, "too short"),
    ];
    for (n, why) in why {
        assert_eq!(story(&database, n), None, "{why}");
    }
}

#[test]
fn a_story_goes_on_over_batches_restarts_and_failures() {
    let database = Database::new();
    let mut sink = database.sink();
    store_from(&mut sink, 0, &[put(&report(1, &wire()))]);
    store_from(&mut sink, 1, &[put(&report(2, &wire()))]);
    assert_eq!(story(&database, 2), Some((1, 2)));
    drop(sink);
    let mut sink = database.sink();
    store_from(&mut sink, 2, &[put(&report(3, &wire()))]);
    assert_eq!(story(&database, 3), Some((1, 3)));

    // A batch that fails leaves nothing behind, in memory neither.
    let spoil = Connection::open(&database.path).expect("a database");
    spoil
        .execute_batch(
            "CREATE TRIGGER spoil BEFORE INSERT ON position BEGIN SELECT RAISE(ABORT, 'spoilt'); END",
        )
        .expect("a trigger");
    let failed = try_store(&mut sink, 3, minute(0), &[put(&report(4, &other()))]);
    assert!(failed.is_err());
    spoil.execute_batch("DROP TRIGGER spoil").expect("dropped");
    store_from(&mut sink, 3, &[put(&report(5, &other()))]);
    assert_eq!(story(&database, 5), None, "article 4 is not there");
}

#[test]
fn a_revision_keeps_the_story_that_it_shares() {
    let database = Database::new();
    let mut sink = database.sink();
    let flash = "The Union has written to Moscow about the detained sailors, officials say. More follows as we get it, \
                 with reactions from the ministry, from the families and from the port where they are held.";
    store_from(
        &mut sink,
        0,
        &[
            put(&report(1, &wire())),
            put(&report(2, flash)),
            put(&report(3, &wire())),
        ],
    );
    assert_eq!(story(&database, 2), None);
    let revised = |n, text: &str| {
        put(&Tagged {
            revision: 2,
            ..report(n, text)
        })
    };
    store_from(&mut sink, 3, &[revised(2, &wire())]);
    assert_eq!(
        story(&database, 2),
        Some((1, 3)),
        "what was alone joins the others"
    );
    store_from(&mut sink, 4, &[revised(3, &other()), put(&report(4, &other()))]);
    assert_eq!(
        story(&database, 3),
        Some((1, 4)),
        "what a reader saw together stays so"
    );
    assert_eq!(story(&database, 4), Some((1, 4)));

    store_from(&mut sink, 6, &[Said::Retract(article(1).id)]);
    assert_eq!(
        story(&database, 2),
        Some((1, 3)),
        "the story outlives its first article"
    );
    store_from(&mut sink, 7, &[put(&report(5, &wire()))]);
    assert_eq!(story(&database, 5), Some((1, 4)));
}

/// What changed behind a number: of what is stored the last part of the URL, of what is gone `-id`.
fn changes(articles: &Articles, after: u64) -> Vec<(u64, String)> {
    let Changes::Following(list) = articles.changes(after, 100).expect("read") else {
        panic!("the place is known");
    };
    let told = |change| match change {
        ChangeKind::Stored(stored) => {
            let tagged = stored.parse().expect("a message");
            let name = tagged.url.rsplit('/').next().unwrap_or_default();
            format!("{name} r{}", tagged.revision)
        }
        ChangeKind::Withdrawn(id) => format!("-{}", (0..9).find(|n| article(*n).id == id).expect("ours")),
    };
    list.into_iter().map(|c| (c.number, told(c.change))).collect()
}

#[test]
fn changes_come_in_order_and_once() {
    let database = Database::new();
    let mut sink = database.sink();
    let articles = database.articles();
    assert_eq!(articles.last_change().expect("read"), 0);
    store_from(
        &mut sink,
        0,
        &[put(&article(1)), put(&article(2)), put(&article(3))],
    );
    let told = |pairs: &[(u64, &str)]| -> Vec<(u64, String)> {
        pairs.iter().map(|(n, what)| (*n, (*what).to_owned())).collect()
    };
    assert_eq!(
        changes(&articles, 0),
        told(&[(1, "1 r1"), (2, "2 r1"), (3, "3 r1")])
    );
    let second = Tagged {
        revision: 2,
        ..article(1)
    };
    store_from(&mut sink, 3, &[put(&second), Said::Retract(article(3).id)]);
    assert_eq!(
        changes(&articles, 0),
        told(&[(2, "2 r1"), (4, "1 r2"), (5, "-3")])
    );
    assert_eq!(changes(&articles, 4), told(&[(5, "-3")]));
    let Changes::Following(first) = articles.changes(0, 1).expect("read") else {
        panic!("known");
    };
    assert_eq!(
        first.iter().map(|c| c.number).collect::<Vec<_>>(),
        [2],
        "the limit holds"
    );

    // Numbers go on where the newest are gone, and what comes again is no change.
    let sql = Connection::open(&database.path).expect("a database");
    sql.execute("DELETE FROM change", []).expect("deleted");
    store_from(&mut sink, 4, &[Said::Retract(article(3).id), put(&article(4))]);
    assert_eq!(changes(&articles, 5), told(&[(6, "4 r1")]));
    assert_eq!(articles.last_change().expect("read"), 6);
    assert_eq!(
        articles.changes(7, 9).expect("read"),
        Changes::Lost(6),
        "of another database"
    );
}

#[test]
fn a_batch_is_one_segment_of_the_full_text_index() {
    let database = Database::new();
    let tagged = |n: u32| {
        put(&Tagged {
            tags: vec![tag("ukraine", 0.9), tag("nato", 0.8)],
            language: Some("en-GB".to_owned()),
            ..report(n, &format!("{}\nEdition {n}.", wire()))
        })
    };
    let batch: Vec<Said> = (0..40).map(tagged).collect();
    store_from(&mut database.sink(), 0, &batch);
    let sql = Connection::open(&database.path).expect("a database");
    let segments: i64 = sql
        .query_row("SELECT count(DISTINCT segid) FROM search_idx", [], |row| {
            row.get(0)
        })
        .expect("counted");
    assert_eq!(
        segments, 1,
        "FTS5 wrote out what it had gathered in the middle of a batch"
    );
}

#[test]
fn of_long_articles_fewer_are_read_at_once() {
    let database = Database::new();
    let mut sink = database.sink();
    let long = |n| {
        put(&Tagged {
            text: "a word ".repeat(100_000),
            ..article(n)
        })
    };
    store_from(&mut sink, 0, &[long(1), long(2), long(3), long(4)]);
    let articles = database.articles();
    let numbers = |after| {
        changes(&articles, after)
            .into_iter()
            .map(|(number, _)| number)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        [numbers(0), numbers(2)],
        [[1, 2], [3, 4]],
        "each is 0.7 MB of the 1 MiB"
    );
}

#[test]
fn old_changes_are_forgotten_and_their_readers_told() {
    let database = Database::new();
    let mut sink = database.sink();
    store_from(&mut sink, 0, &[put(&article(1))]);
    let sql = Connection::open(&database.path).expect("a database");
    sql.execute(
        "UPDATE sqlite_sequence SET seq = 1000000 WHERE name = 'change'",
        [],
    )
    .expect("set");
    store_from(&mut sink, 1, &[put(&article(2))]);
    let articles = database.articles();
    assert_eq!(articles.changes(0, 9).expect("read"), Changes::Lost(1_000_001));
    assert_eq!(changes(&articles, 1), [(1_000_001, "2 r1".to_owned())]);
    let rows: i64 = sql
        .query_row("SELECT count(*) FROM change", [], |row| row.get(0))
        .expect("counted");
    assert_eq!(rows, 1, "what nobody may ask for is not kept");
}

#[test]
fn a_database_of_the_first_version_is_brought_up_to_date() {
    let database = Database::new();
    let sql = Connection::open(&database.path).expect("a database");
    sql.execute_batch(include_str!("../../src/sqlite/schema_1.sql"))
        .expect("tables");
    sql.pragma_update(None, "application_id", 0x546c_7873)
        .expect("set");
    sql.pragma_update(None, "user_version", 1).expect("set");
    let old = report(1, &wire());
    sql.execute(
        "INSERT INTO article(id, revision, topics_version, generation, url, title, kind, domain, first_seen, value)
         VALUES (?1, 1, '0a', 0, ?2, ?3, 'article', 'news.example', 0, ?4)",
        (old.id.to_string(), &old.url, &old.title, serde_json::to_string(&old).expect("JSON")),
    )
    .expect("stored");
    drop(sql);
    let refused = Articles::open(&database.path).expect_err("a reader changes nothing");
    assert!(refused.to_string().contains("start the sink once"), "{refused}");
    let mut sink = database.sink();
    let fates = sink.store("log", &[]).expect("stored");
    assert!(fates.is_empty());
    store_from(
        &mut sink,
        0,
        &[put(&report(2, &wire())), put(&report(3, &wire()))],
    );
    assert_eq!(
        story(&database, 1),
        None,
        "what was stored before is a story of its own"
    );
    assert_eq!(story(&database, 3), Some((2, 2)));
}
