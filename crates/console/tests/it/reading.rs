//! Reading: pages and the API.

use serde_json::Value;
use telex_model::{Stage, Tagged};
use telex_sink::Database;

use crate::support::{Console, article, store, versions};

#[tokio::test]
async fn articles_are_listed_filtered_and_marked() {
    let mut articles: Vec<Tagged> = (1..=5).map(article).collect();
    "Kyjiw und die Нові переговори".clone_into(&mut articles[1].title);
    articles[1].language = Some("uk".to_owned());
    articles[2].tags.clear();
    "other.example".clone_into(&mut articles[3].source.domain);
    let console = Console::with(&articles).await;
    let shown = |page: &str| -> Vec<usize> {
        let is_there = |a: &&Tagged| page.contains(&format!("/articles/{}", a.id));
        let there = articles.iter().filter(is_there);
        there
            .map(|a| articles.iter().position(|b| b.id == a.id).unwrap() + 1)
            .collect()
    };
    for (query, expected) in [
        ("", vec![1, 2, 3, 4, 5]),
        ("?tag=nato", vec![1, 2, 4, 5]),
        ("?language=uk", vec![2]),
        ("?source=other.example", vec![4]),
        (
            "?q=%D0%BF%D0%B5%D1%80%D0%B5%D0%B3%D0%BE%D0%B2%D0%BE%D1%80*",
            vec![2],
        ),
        ("?q=report+-kyiv&tag=", vec![]),
        ("?since=2026-11-20T00:04:00Z", vec![4, 5]),
        ("?until=2026-11-20", vec![1, 2, 3, 4, 5]),
        ("?until=2026-11-19", vec![]),
    ] {
        assert_eq!(
            shown(&console.page(&format!("/articles{query}")).await),
            expected,
            "{query}"
        );
    }
    let page = console.page("/articles?q=kyiv").await;
    assert!(
        page.contains("<mark class=\"found\" title=\"found\">Kyiv</mark>"),
        "{page}"
    );
    let page = console
        .page(&format!("/articles/{}?q=noon", articles[0].id))
        .await;
    assert!(
        page.contains("<mark class=\"for\" title=\"nato: nato +1.8\">NATO</mark>"),
        "{page}"
    );
    assert!(
        page.contains("<mark class=\"found\" title=\"found\">noon</mark>"),
        "{page}"
    );
}

#[tokio::test]
async fn a_list_says_where_what_comes_after_it_is_told() {
    let console = Console::with(&[article(1), article(2)]).await;
    let list = console
        .page("/articles?tag=nato&source=news.example&language=en&since=2026-11-01")
        .await;
    let stream = "/api/v1/events?tag=nato&amp;language=en&amp;source=news.example&amp;after=2";
    assert!(list.contains(&format!("data-events=\"{stream}\"")), "{list}");
    // What is new is not at the head of these, or is not known to belong there.
    for other in ["q=Kyiv", "until=2026-11-30", "cursor=9999999999999.9"] {
        let list = console.page(&format!("/articles?{other}")).await;
        assert!(!list.contains("data-events"), "{other}");
    }
}

#[tokio::test]
async fn a_time_stays_in_the_form_as_well_as_a_day() {
    let console = Console::with(&[article(1)]).await;
    let list = console
        .page("/articles?since=2026-11-01T08:00:00Z&until=2026-12-01")
        .await;
    for field in [
        r#"<input type="text" name="since" value="2026-11-01T08:00:00Z">"#,
        r#"<input type="date" name="until" value="2026-12-01">"#,
    ] {
        assert!(list.contains(field), "{field}: {list}");
    }
}

#[tokio::test]
async fn an_article_names_the_others_of_its_story() {
    let same = versions();
    let console = Console::with(&same).await;
    let page = console.page(&format!("/articles/{}", same[1].id)).await;
    let (_, story) = page.split_once("The same story").expect("a story");
    let (story, _) = story.split_once("</ul>").expect("a list");
    assert!(story.contains("Report number 1 from Kyiv") && story.contains("Report number 3 from Kyiv"));
    assert!(!story.contains("Report number 2 from Kyiv"), "{story}");
}

#[tokio::test]
async fn pages_of_the_api_meet_every_article_once() {
    let articles: Vec<Tagged> = (1..=7).map(article).collect();
    let console = Console::with(&articles).await;
    for filter in ["", "&q=council", "&tag=nato", "&q=council&tag=nato"] {
        let mut seen: Vec<String> = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/v1/articles?limit=3{filter}{cursor}");
            let answer = console.get(&path).await.json();
            let page = answer["articles"].as_array().unwrap();
            assert!(page.len() <= 3);
            seen.extend(page.iter().map(|a| a["url"].as_str().unwrap().to_owned()));
            let Some(next) = answer["next"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        let newest_first: Vec<String> = articles.iter().rev().map(|a| a.url.clone()).collect();
        assert_eq!(seen, newest_first, "{filter}");
    }
    let whole = console
        .get(&format!("/api/v1/articles/{}", articles[0].id))
        .await
        .json();
    assert_eq!(serde_json::from_value::<Tagged>(whole).unwrap(), articles[0]);
}

#[tokio::test]
async fn what_is_missing_is_said_and_how_to_get_it() {
    let console = Console::with(&[]).await;
    let answer = console.get("/articles").await;
    assert_eq!(answer.status, 503);
    assert!(
        answer.body.contains("not there yet") && answer.body.contains("telex run all"),
        "{answer:?}"
    );
    let overview = console.page("/").await;
    assert!(overview.contains("No feed is on the list"), "{overview}");
    assert!(overview.contains("Articles cannot be read"), "{overview}");

    // As soon as the sink has made it, it is read.
    let path = console.folder().join("articles.sqlite");
    store(&path, &[article(1)]);
    assert!(console.page("/articles").await.contains("Report number 1"));

    let unknown = console
        .get("/api/v1/articles/00000000000000000000000000000001")
        .await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.header("content-type"), Some("application/problem+json"));
    let problem = unknown.json();
    assert_eq!(
        (problem["status"].as_u64(), problem["title"].as_str()),
        (Some(404), Some("Not Found"))
    );
}

#[tokio::test]
async fn a_database_that_cannot_be_read_is_named_with_its_reason() {
    for (name, make, said) in [
        (
            "damaged",
            (|p| std::fs::write(p, vec![b'x'; 8192]).unwrap()) as fn(&std::path::Path),
            "damaged",
        ),
        ("newer", newer, "version 99"),
        ("foreign", foreign, "not written by this sink"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("articles.sqlite");
        make(&path);
        let console = Console::start(folder, Some(Database::Sqlite(path)), None).await;
        for page in ["/articles", "/api/v1/articles"] {
            let answer = console.get(page).await;
            assert_eq!(answer.status, 503, "{name}");
            assert!(answer.body.contains(said), "{name}: {answer:?}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let console = Console::start(folder, None, None).await;
    assert!(console.get("/articles").await.body.contains("sink.sqlite"));
}

/// A sink's database whose header says that a later version wrote it: bytes 60 to 63 are `user_version`.
fn newer(path: &std::path::Path) {
    store(path, &[article(1)]);
    let mut bytes = std::fs::read(path).unwrap();
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(path, bytes).unwrap();
}

/// The same with the mark of another program: bytes 68 to 71 are `application_id`.
fn foreign(path: &std::path::Path) {
    store(path, &[article(1)]);
    let mut bytes = std::fs::read(path).unwrap();
    bytes[68..72].copy_from_slice(&7_u32.to_be_bytes());
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn every_page_and_answer_is_there() {
    let console = Console::with(&[article(1)]).await;
    console.dead(Stage::Cleaner, "k", "invalid_json", "{");
    let id = article(1).id;
    for page in [
        "/",
        "/articles",
        &format!("/articles/{id}"),
        "/feeds",
        "/dead-letters",
        "/dead-letters/cleaner/0/0",
        "/trace",
        &format!("/trace?article={id}"),
        "/topics",
        "/settings",
        "/login",
    ] {
        let html = console.page(page).await;
        assert!(
            html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"),
            "{page}"
        );
        assert!(html.contains("<h1"), "{page}");
    }
    for answer in [
        "status",
        "articles",
        "feeds",
        "dead-letters",
        "topics",
        "settings",
    ] {
        let json = console.get(&format!("/api/v1/{answer}")).await;
        assert_eq!(json.header("content-type"), Some("application/json"), "{answer}");
        assert!(json.json().is_object(), "{answer}");
    }
    let status: Value = console.get("/api/v1/status").await.json();
    assert!(
        status["problems"]
            .as_array()
            .unwrap()
            .iter()
            .any(|p| p["page"] == "/dead-letters"),
        "{status}"
    );
}

#[tokio::test]
async fn files_are_kept_for_good_under_names_that_change_with_them() {
    let console = Console::with(&[]).await;
    let page = console.page("/login").await;
    for ending in [".css", ".js"] {
        let path = page
            .split('"')
            .find(|w| w.starts_with("/assets/") && w.ends_with(ending))
            .unwrap();
        let file = console.get(path).await;
        assert_eq!(file.status, 200);
        assert!(file.header("cache-control").unwrap().contains("immutable"));
        assert!(
            !file.body.contains("http://") && !file.body.contains("//cdn"),
            "nothing from elsewhere"
        );
    }
    assert_eq!(
        console.get("/assets/console-0000000000000000.css").await.status,
        404
    );
}
