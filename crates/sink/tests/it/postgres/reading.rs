//! What is read from PostgreSQL is what SQLite gives for the same articles, filter by filter.

use telex_model::Tagged;
use telex_sink::{Order, PostgresDatabase, PostgresSink, Query, Reader};

use super::{server, sink};
use crate::support::{Database, Said, article, minute, put, store_from, tag};

/// Articles that the filters tell apart.
fn some() -> Vec<Tagged> {
    let made = |n: u32| {
        let mut a = article(n);
        a.tags = match n % 4 {
            0 => vec![tag("nato", 0.5)],
            1 => vec![tag("nato", 0.5), tag("ukraine", 0.9)],
            _ => Vec::new(),
        };
        a.language = [
            Some("uk"),
            Some("uk-UA"),
            Some("UK"),
            Some("ukr"),
            Some("en"),
            None,
        ][n as usize % 6]
            .map(str::to_owned);
        a.source.domain =
            ["news.example", "example", "world.news.example", "oldnews.example"][n as usize % 4].to_owned();
        a.title = [
            "Переговори про мир",
            "Talks on the peace plan",
            "A plan for peace",
            "It's O'Neill \\ & co: 50 %",
        ][n as usize % 4]
            .to_owned();
        a
    };
    (0..48).map(made).collect()
}

const SEARCHES: [&str; 19] = [
    "переговори",
    "ПЕРЕГОВОР*",
    "peace plan",
    "\"peace plan\"",
    "\"plan for\" -talks",
    "talks OR переговори",
    "pea*",
    "-peace",
    "-peace -мир",
    "o'neill",
    "\\",
    "co:50",
    "50 %",
    "\"",
    "&& ||",
    "nothing such",
    "OR",
    "peace AND plan",
    "council adjourn*",
];

const SOURCES: [&str; 8] = [
    "news.example",
    "NEWS.example",
    "example",
    ".example",
    "xample",
    "",
    "%",
    "a\0b",
];

const TIMES: [(Option<i64>, Option<i64>); 4] = [
    (Some(7), None),
    (None, Some(7)),
    (Some(7), Some(30)),
    (Some(9), Some(9)),
];

/// Each filter with each of its values, and all at once.
fn queries() -> Vec<Query> {
    let text = |given: &str| Some(given.to_owned());
    let mut queries = vec![Query::default()];
    queries.extend(SEARCHES.map(|search| Query {
        search: text(search),
        ..Query::default()
    }));
    queries.extend(["nato", "ukraine", "none", "NATO", ""].map(|tag| Query {
        tag: text(tag),
        ..Query::default()
    }));
    queries.extend(["uk", "UK-ua", "u", "en", "", "%"].map(|language| Query {
        language: text(language),
        ..Query::default()
    }));
    queries.extend(SOURCES.map(|source| Query {
        source: text(source),
        ..Query::default()
    }));
    queries.extend(TIMES.map(|(since, until)| Query {
        since: since.map(minute),
        until: until.map(minute),
        ..Query::default()
    }));
    queries.push(Query {
        tag: text("nato"),
        search: text("talks -nothing"),
        since: Some(minute(3)),
        until: Some(minute(40)),
        source: text("example"),
        language: text("uk"),
        limit: Some(3),
        ..Query::default()
    });
    queries
}

fn from_postgres(reader: &PostgresSink, query: &Query) -> Vec<Tagged> {
    let mut found = Vec::new();
    let mut give = |json: &str| {
        found.push(serde_json::from_str(json).expect("a tagged message"));
        true
    };
    reader.read(query, &mut give).expect("read");
    found
}

fn from_sqlite(database: &Database, query: &Query) -> Vec<Tagged> {
    let articles = database.articles();
    let found = articles.query(query);
    found
        .map(|a| a.expect("read").parse().expect("a tagged message"))
        .collect()
}

/// Reads all that a query gives by a reader, so many at a time.
fn by_pages(reader: &mut dyn Reader, query: &Query, limit: usize) -> Vec<Tagged> {
    let mut page = Query {
        limit: Some(limit),
        ..query.clone()
    };
    let mut all = Vec::new();
    loop {
        let found: Vec<_> = reader.query(&page).map(|a| a.expect("read")).collect();
        let Some(last) = found.last() else { return all };
        // As links have it.
        page.after = Some(last.cursor.to_string().parse().expect("its own text"));
        all.extend(found.iter().map(|a| a.parse().expect("a tagged message")));
    }
}

#[test]
fn pages_are_those_that_sqlite_gives() {
    let Some(server) = server() else { return };
    let mut articles = some();
    for (n, a) in articles.iter_mut().enumerate() {
        // Some at the same time, and some stored long after they were seen.
        a.first_seen = minute([n / 3, 60 - n][n % 2] as i64);
    }
    let sqlite = Database::with(&articles);
    let said: Vec<Said> = articles.iter().map(put).collect();
    let url = server.url(&server.database());
    let mut sink = PostgresSink::new(&url).expect("a URL");
    // In batches, in which articles are copied by their ids.
    for (n, part) in said.chunks(16).enumerate() {
        store_from(&mut sink, n as u64 * 16, part);
    }
    // What is stored again keeps its place.
    for sink in [&mut sink as &mut dyn telex_sink::Sink, &mut sqlite.sink()] {
        store_from(sink, 48, &[put(&articles[7]), put(&articles[20])]);
    }
    let mut reader = PostgresDatabase::new(&url)
        .expect("a URL")
        .open()
        .expect("a reader");
    let mut given = 0;
    for query in queries() {
        for order in [Order::NewestFirst, Order::OldestFirst, Order::LastStoredFirst] {
            let query = Query {
                order,
                limit: None,
                ..query.clone()
            };
            let wanted = by_pages(&mut sqlite.articles(), &query, 100);
            given += wanted.len();
            assert_eq!(by_pages(&mut reader, &query, 5), wanted, "{query:?}");
            assert_eq!(from_postgres(&sink, &query), wanted, "{query:?}");
            assert_eq!(reader.count(&query).expect("counted"), wanted.len() as u64);
            let second = Query {
                after: sqlite
                    .articles()
                    .query(&query)
                    .nth(2)
                    .map(|a| a.expect("read").cursor),
                ..query.clone()
            };
            let after = reader.query(&query).nth(2).map(|a| a.expect("read").cursor);
            let rest = from_sqlite(&sqlite, &second);
            assert_eq!(
                from_postgres(
                    &sink,
                    &Query {
                        after,
                        ..query.clone()
                    }
                ),
                rest
            );
        }
    }
    assert!(given > 500, "{given}: the filters let articles through");
}

#[test]
fn each_filter_gives_what_sqlite_gives() {
    let Some(server) = server() else { return };
    let articles = some();
    let sqlite = Database::with(&articles);
    let said: Vec<Said> = articles.iter().map(put).collect();
    let mut postgres = sink(server, &server.database());
    store_from(&mut postgres, 0, &said);
    let mut given = 0;
    for query in queries() {
        for (order, limit) in [
            (Order::NewestFirst, None),
            (Order::OldestFirst, None),
            (Order::NewestFirst, Some(2)),
        ] {
            let query = Query {
                order,
                limit: limit.or(query.limit),
                ..query.clone()
            };
            let wanted = from_sqlite(&sqlite, &query);
            given += wanted.len();
            assert_eq!(from_postgres(&postgres, &query), wanted, "{query:?}");
        }
    }
    assert!(given > 500, "{given}: the filters let articles through");
}
