//! Filters in every combination, on lists short and long, and after an upgrade.

use rusqlite::Connection;
use telex_model::Tagged;
use telex_sink::{Order, Query, Reader};

use crate::support::{Database, article, minute, on_each, put, store_from, tag};

/// More than a list may have to be looked up article by article.
const MANY: u32 = 2600;

/// Three articles in four are of one source and in one language; times do not rise with the rows everywhere.
fn mixed() -> Vec<Tagged> {
    let made = (0..MANY).map(|n| {
        let mut a = article(n);
        let domain = match n % 40 {
            0 => "rare.example",
            1 => "live.news.example",
            k if k % 4 == 2 => "other.example",
            _ => "news.example",
        };
        domain.clone_into(&mut a.source.domain);
        a.language = match n % 13 {
            0 => Some("uk-UA".to_owned()),
            1 => Some("uk".to_owned()),
            2 => None,
            _ => Some("en".to_owned()),
        };
        if n % 3 == 0 {
            a.tags.push(tag("nato", 0.9));
        }
        if n % 100 == 0 {
            a.tags.push(tag("ukraine", 0.9));
        }
        a.text = match n % 7 {
            0 => "A summit of ministers".to_owned(),
            1 => "A summit of shepherds".to_owned(),
            _ => "Nothing of note".to_owned(),
        };
        if n % 50 == 7 {
            a.first_seen = minute(i64::from(n) - 1500);
        }
        a
    });
    made.collect()
}

fn wanted(a: &Tagged, q: &Query) -> bool {
    let language = a.language.as_deref().unwrap_or_default().to_lowercase() + "-";
    let domain = format!(".{}", a.source.domain);
    q.tag
        .as_ref()
        .is_none_or(|t| a.tags.iter().any(|x| x.topic == *t))
        && q.language
            .as_ref()
            .is_none_or(|l| language.starts_with(&(l.to_lowercase() + "-")))
        && q.source
            .as_ref()
            .is_none_or(|s| domain.ends_with(&format!(".{s}")))
        && q.since.is_none_or(|t| a.first_seen >= t)
        && q.until.is_none_or(|t| a.first_seen < t)
        && q.search.as_ref().is_none_or(|s| match s.as_str() {
            "summit" => a.text.contains("summit"),
            "summit -shepherds" => a.text.contains("ministers"),
            _ => !a.text.contains("summit"),
        })
}

/// Every combination of filters.
fn queries() -> Vec<Query> {
    let mut queries = vec![Query::default()];
    let mut each = |vary: &dyn Fn(&Query, usize) -> Option<Query>| {
        let before = queries.clone();
        for n in 0..9 {
            queries.extend(before.iter().filter_map(|q| vary(q, n)));
        }
    };
    let text = |n: usize, of: &[&str]| of.get(n).map(|t| (*t).to_owned());
    each(&|q, n| {
        let tag = Some(text(n, &["nato", "ukraine", "none"])?);
        Some(Query { tag, ..q.clone() })
    });
    each(&|q, n| {
        let language = Some(text(n, &["en", "UK", "uk-ua"])?);
        Some(Query {
            language,
            ..q.clone()
        })
    });
    each(&|q, n| {
        let source = Some(text(n, &["news.example", "live.news.example", "rare.example"])?);
        Some(Query { source, ..q.clone() })
    });
    each(&|q, n| {
        let search = Some(text(n, &["summit", "summit -shepherds", "-summit"])?);
        Some(Query { search, ..q.clone() })
    });
    each(&|q, n| {
        let (since, until) = [(Some(400), None), (None, Some(2000)), (Some(1700), Some(1900))]
            .get(n)
            .copied()?;
        Some(Query {
            since: since.map(minute),
            until: until.map(minute),
            ..q.clone()
        })
    });
    queries
}

#[test]
fn every_combination_of_filters_finds_what_it_says() {
    let all = mixed();
    on_each(&all, |reader| {
        queries().iter().for_each(|query| finds(reader, &all, query));
    });
}

fn finds(reader: &mut dyn Reader, all: &[Tagged], query: &Query) {
    let mut expected: Vec<&Tagged> = all.iter().filter(|a| wanted(a, query)).collect();
    let counted = reader.count(query).expect("counted");
    assert_eq!(counted, expected.len() as u64, "{query:?}");
    for order in [Order::NewestFirst, Order::LastStoredFirst] {
        let stored = order == Order::LastStoredFirst && query.search.is_some();
        expected.sort_by_key(|a| (if stored { minute(0) } else { a.first_seen }, at(a)));
        let urls: Vec<&str> = expected.iter().rev().map(|a| a.url.as_str()).collect();
        let mut page = Query {
            order: if stored { order } else { Order::NewestFirst },
            limit: Some(3),
            ..query.clone()
        };
        // Two pages: the second goes on behind the first.
        let mut found = Vec::new();
        for _ in 0..2 {
            let part: Vec<_> = reader.query(&page).map(|a| a.expect("read")).collect();
            page.after = part.last().map(|a| a.cursor).or(page.after);
            found.extend(part.iter().map(|a| a.parse().expect("parsed").url));
        }
        let first: Vec<&str> = urls.into_iter().take(6).collect();
        assert_eq!(found, first, "{page:?}");
    }
}

/// Row of an article.
fn at(article: &Tagged) -> u32 {
    let n = article.url.rsplit('/').next().and_then(|n| n.parse().ok());
    n.expect("a number")
}

fn labels(sql: &Connection) -> Vec<(String, i64, i64)> {
    let mut statement = sql
        .prepare("SELECT name, first_seen, seq FROM label UNION ALL SELECT day, least, most FROM day ORDER BY 1, 2, 3")
        .expect("prepared");
    let rows = statement.query_map([], |r| {
        let name: rusqlite::types::Value = r.get(0)?;
        Ok((format!("{name:?}"), r.get(1)?, r.get(2)?))
    });
    rows.expect("read").map(|r| r.expect("a row")).collect()
}

#[test]
fn what_was_stored_before_gets_the_labels_that_it_would_get_now() {
    let mut all: Vec<Tagged> = mixed().into_iter().take(200).collect();
    for (a, domain) in all.iter_mut().zip([
        "localhost",
        "",
        "a.b.c.d.example",
        "co.example.",
        ".",
        "127.0.0.1",
    ]) {
        domain.clone_into(&mut a.source.domain);
    }
    let database = Database::with(&all);
    let sql = Connection::open(&database.path).expect("opened");
    let now = labels(&sql);
    assert!(now.len() > 390, "{}", now.len());
    sql.execute_batch(
        "DROP TABLE label; DROP INDEX article_filters; DROP TABLE day; PRAGMA user_version = 2",
    )
    .expect("as it was");
    drop(database.sink());
    assert_eq!(labels(&sql), now);
}

#[test]
fn labels_go_with_their_article_and_change_with_it() {
    let database = Database::with(&[article(1), article(2)]);
    let mut moved = article(1);
    moved.revision = 2;
    "elsewhere.example".clone_into(&mut moved.source.domain);
    moved.language = Some("fr".to_owned());
    moved.first_seen = minute(5000);
    let withdrawn = crate::support::Said::Retract(article(2).id);
    store_from(&mut database.sink(), 2, &[put(&moved), withdrawn]);
    let sql = Connection::open(&database.path).expect("opened");
    let names = "SELECT group_concat(name, ' ') FROM (SELECT name FROM label ORDER BY name)";
    let names: String = sql.query_row(names, [], |r| r.get(0)).expect("read");
    assert_eq!(names, "d:elsewhere.example l:fr");
}
