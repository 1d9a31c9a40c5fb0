//! Reading: words in several scripts, tags, order and pages.

use proptest::prelude::*;
use telex_model::Tagged;
use telex_sink::{Cursor, Order, Query};

use crate::support::{Database, article, minute, names, on_each, tag};

fn told(n: u32, title: &str, text: &str, language: &str, tags: &[&str]) -> Tagged {
    let mut a = article(n);
    title.clone_into(&mut a.title);
    text.clone_into(&mut a.text);
    a.language = Some(language.to_owned());
    a.tags = tags.iter().map(|t| tag(t, 0.5)).collect();
    a
}

fn many_scripts() -> [Tagged; 7] {
    [
        told(
            1,
            "Talks in Kyiv",
            "Ministers discussed a peace plan for hours.",
            "en",
            &["ukraine"],
        ),
        told(
            2,
            "Переговори в Києві",
            "Міністри обговорили мирний план.",
            "uk-UA",
            &["ukraine", "eu-diplomacy"],
        ),
        told(
            3,
            "Sommet à l’Élysée",
            "Les alliés préparent le sommet de l’OTAN.",
            "fr",
            &["nato"],
        ),
        told(4, "北约峰会", "外长们在布鲁塞尔讨论和平计划。", "zh", &["nato"]),
        told(5, "Ανακοίνωση", "Η σύνοδος κορυφής του ΝΑΤΟ.", "el", &[]),
        told(6, "قمة الحلف", "ناقش الوزراء خطة السلام.", "ar", &[]),
        told(7, "Winter sport", "No plan for peace on the slopes.", "en", &[]),
    ]
}

fn search(words: &str) -> Query {
    Query {
        search: Some(words.to_owned()),
        ..Query::default()
    }
}

#[test]
fn finds_words_in_many_scripts() {
    let database = Database::with(&many_scripts());
    let stored = |words: &str, tag: Option<&str>| Query {
        tag: tag.map(str::to_owned),
        order: Order::LastStoredFirst,
        ..search(words)
    };
    for (words, tag, found) in [
        ("peace -sport", None, "1"),
        ("plan OR план", None, "7 2 1"),
        ("plan OR план", Some("ukraine"), "2 1"),
        ("-peace -план", None, "6 5 4 3"),
        ("!?", None, ""),
    ] {
        let found_now = database.find(&stored(words, tag)).join(" ");
        assert_eq!(found_now, found, "{words} by storage");
    }
    for (words, found) in [
        ("kyiv", "1"),
        ("києві ПЛАН", "2"),
        ("міністр*", "2"),
        ("elysee", "3"),
        ("préparent OTAN", "3"),
        ("峰会", "4"),
        ("布鲁塞尔", "4"),
        ("会峰", ""),
        ("νατο", "5"),
        ("السلام", "6"),
        ("peace plan", "7 1"),
        ("\"peace plan\"", "1"),
        ("peace -sport", "1"),
        ("-peace -план", "6 5 4 3"),
        ("kyiv OR elysee", "3 1"),
        ("plan OR план kyiv", "1"),
        ("nothing-like-it", ""),
        ("", ""),
        ("!?", ""),
    ] {
        assert_eq!(database.find(&search(words)).join(" "), found, "{words}");
    }
}

#[test]
fn filters_by_tag_language_and_time() {
    let query = |tag: Option<&str>, language: Option<&str>, since: i64| Query {
        tag: tag.map(Into::into),
        language: language.map(Into::into),
        since: Some(minute(since)),
        ..Query::default()
    };
    on_each(&many_scripts(), |reader| {
        assert_eq!(names(reader, &query(Some("ukraine"), None, 0)), ["2", "1"]);
        assert_eq!(names(reader, &query(Some("ukraine"), Some("UK"), 0)), ["2"]);
        assert_eq!(names(reader, &query(Some("nato"), None, 4)), ["4"]);
        assert_eq!(names(reader, &query(None, Some("en"), 0)), ["7", "1"]);
        assert!(names(reader, &query(None, Some("e"), 0)).is_empty());
        assert!(names(reader, &query(Some("Ukraine' OR 1=1 --"), None, 0)).is_empty());
        let both = Query {
            search: Some("план".to_owned()),
            ..query(Some("ukraine"), None, 0)
        };
        assert_eq!(names(reader, &both), ["2"]);
    });
}

#[test]
fn pages_meet_without_gap_or_overlap() {
    // Articles seen at the same time too.
    let stored: Vec<Tagged> = (0..25)
        .map(|n| {
            let mut a = told(n, "Report", "Text", "en", &["nato"]);
            a.first_seen = minute(i64::from(n / 4));
            a
        })
        .collect();
    let orders = [Order::NewestFirst, Order::OldestFirst, Order::LastStoredFirst];
    on_each(&stored, |reader| {
        for (order, tag) in orders
            .into_iter()
            .flat_map(|order| [(order, None), (order, Some("nato".to_owned()))])
        {
            let whole = Query {
                order,
                tag,
                ..Query::default()
            };
            let mut page = Query {
                limit: Some(7),
                ..whole.clone()
            };
            let mut seen = Vec::new();
            loop {
                let part = names(reader, &page);
                let last = reader.query(&page).last().map(|a| a.expect("read").cursor);
                let Some(last) = last else { break };
                seen.extend(part);
                page.after = Some(last.to_string().parse::<Cursor>().expect("its own text"));
            }
            assert_eq!(seen, names(reader, &whole));
            assert_eq!(seen.len(), 25);
        }
    });
    assert!("12".parse::<Cursor>().is_err() && "1.x".parse::<Cursor>().is_err());
}

#[test]
fn more_than_one_page_of_places_is_read_whole() {
    let stored: Vec<Tagged> = (0..10_003).map(article).collect();
    on_each(&stored, |reader| {
        let found = names(reader, &search("council"));
        assert_eq!(found.len(), stored.len());
        assert_eq!(found.last().map(String::as_str), Some("0"));
    });
}

thread_local! {
    static SHARED: Database = Database::with(&many_scripts());
}

proptest! {
    #[test]
    fn no_search_is_an_error(words in any::<String>(), tag in any::<Option<String>>(), language in any::<Option<String>>()) {
        SHARED.with(|d| d.find(&Query { tag, language, ..search(&words) }));
    }

    #[test]
    fn no_syntax_is_an_error(words in r#"([a-cнж会"“*:^+(){}&|!?.,'-]|AND|OR|NOT|NEAR| |\x00|\u{301}|\u{e000}|\u{1F600}){0,40}"#) {
        SHARED.with(|d| d.find(&search(&words)));
    }
}

#[test]
fn finds_by_source_and_until() {
    let mut articles: Vec<Tagged> = (1..=4).map(article).collect();
    for (a, domain) in articles
        .iter_mut()
        .zip(["a.example", "news.a.example", "ba.example", "b.example"])
    {
        domain.clone_into(&mut a.source.domain);
    }
    let source = |text: &str| Query {
        source: Some(text.to_owned()),
        ..Query::default()
    };
    let until = Query {
        since: Some(minute(2)),
        until: Some(minute(4)),
        ..Query::default()
    };
    let known = articles.first().expect("one").id;
    let unknown = telex_model::ArticleId::of_link(&"https://nowhere.example/".parse().expect("a URL"));
    on_each(&articles, |reader| {
        assert_eq!(names(reader, &source("A.example")).join(" "), "2 1");
        assert_eq!(names(reader, &source("%")).join(" "), "");
        assert_eq!(names(reader, &until).join(" "), "3 2");
        let found = reader.get(known).expect("read").expect("there");
        assert_eq!(found.parse().expect("parsed").id, known);
        assert_eq!(reader.get(unknown).expect("read"), None);
    });
}

#[test]
fn pages_as_stored_meet_every_article_once() {
    let articles: Vec<Tagged> = (1..=7).map(article).collect();
    let expected: Vec<String> = articles.iter().rev().map(|a| a.url.clone()).collect();
    on_each(&articles, |reader| {
        let mut seen = Vec::new();
        let mut query = Query {
            search: Some("council".to_owned()),
            order: Order::LastStoredFirst,
            limit: Some(2),
            ..Query::default()
        };
        loop {
            let page: Vec<_> = reader.query(&query).map(|a| a.expect("read")).collect();
            let Some(last) = page.last() else { break };
            query.after = Some(last.cursor);
            seen.extend(page.iter().map(|a| a.parse().expect("parsed").url));
        }
        assert_eq!(seen, expected);
    });
}
