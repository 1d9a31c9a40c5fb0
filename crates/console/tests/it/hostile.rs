//! Bad input: nothing is run, everything is bounded, and the answer says what is wrong.

use telex_model::Stage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Console, DEADLINE, article};

const SCRIPT: &str =
    "<script>alert(1)</script><img src=x onerror=alert(2)>\"'>\u{202e}txt\u{0}{{7*7}}{% raw %}";

/// Asserts that a page holds no markup of ours to run.
fn is_harmless(html: &str, what: &str) {
    for bad in [
        "<script>alert",
        "<img",
        "onerror=alert(2)>\"",
        "\u{202e}",
        "\u{0}",
        "href=\"javascript",
        "javascript:alert(1)\"",
    ] {
        assert!(!html.contains(bad), "{what} holds {bad:?}: {html}");
    }
    assert!(!html.contains("49{%"), "{what}: a template ran");
}

#[tokio::test]
async fn texts_of_others_run_nothing() {
    let mut bad = article(1);
    SCRIPT.clone_into(&mut bad.title);
    bad.text = format!("{SCRIPT}\n{SCRIPT}");
    "javascript:alert(1)".clone_into(&mut bad.url);
    bad.canonical_url = Some("javascript:alert(1)".to_owned());
    bad.lead_image = Some("javascript:alert(1)".to_owned());
    bad.authors = vec![SCRIPT.to_owned()];
    bad.language = Some("\"><script>alert(1)</script>".to_owned());
    bad.fetch_error = Some(SCRIPT.to_owned());
    bad.source.feed_url = "javascript:alert(1)".to_owned();
    bad.source.site_name = Some(SCRIPT.to_owned());
    bad.source.domain = SCRIPT.to_owned();
    bad.source.labels = vec![SCRIPT.to_owned()];
    bad.tags[0].evidence[0].term = SCRIPT.to_owned();
    let console = Console::with(&[bad.clone()]).await;
    console.dead(Stage::Cleaner, SCRIPT, SCRIPT, SCRIPT);
    let feed = serde_json::json!({"urls": ["https://news.example/feed?<script>alert(1)</script>"], "labels": ["<script>alert(1)</script>"]});
    assert_eq!(console.post("/api/v1/feeds", &feed).await.status, 201);
    for page in [
        "/".to_owned(),
        "/articles".to_owned(),
        format!("/articles/{}", bad.id),
        "/articles?q=%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        format!("/articles/{}?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", bad.id),
        "/feeds".to_owned(),
        "/topics".to_owned(),
        "/dead-letters".to_owned(),
        "/dead-letters/cleaner/0/0".to_owned(),
        "/feeds/nato.atom".to_owned(),
    ] {
        is_harmless(&console.page(&page).await, &page);
    }
    for page in [
        "/articles?tag=%3Cscript%3Ealert(1)%3C/script%3E",
        "/%3Cscript%3Ealert(1)%3C/script%3E",
        "/trace?article=%3Cscript%3Ealert(1)",
    ] {
        let answer = console.get(page).await;
        assert!(answer.status >= 400, "{page}");
        is_harmless(&answer.body, page);
    }
    let item = &console.get("/feeds/nato.json").await.json()["items"][0];
    assert!(
        item["url"].as_str().unwrap().starts_with("http://127.0.0.1"),
        "{item}"
    );
    assert!(item.get("image").is_none(), "{item}");
}

#[tokio::test]
async fn every_answer_forbids_what_it_does_not_need() {
    let console = Console::with(&[article(1)]).await;
    for path in ["/", "/articles", "/api/v1/status", "/nowhere", "/feeds/nato.atom"] {
        let answer = console.get(path).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        // With less, browsers would say of our own forms that they come from nowhere.
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        assert!(
            !answer.body.contains(" style=") && !answer.body.contains(" onclick="),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_name_that_is_not_ours_sees_nothing() {
    let console = Console::with(&[article(1)]).await;
    for host in [
        "evil.example",
        "localhost.evil.example",
        "desk.example.org.evil.example",
        "",
    ] {
        for path in ["/", "/api/v1/articles", "/feeds/nato.atom"] {
            let answer = console.send("GET", path, &[("Host", host)], "").await;
            assert!(matches!(answer.status, 400 | 421), "{host} {path}: {answer:?}");
            assert!(!answer.body.contains("Report number"), "{host}");
        }
    }
    for host in ["localhost:1", "desk.example.org", "[::1]:8430"] {
        assert_eq!(
            console
                .send("GET", "/articles", &[("Host", host)], "")
                .await
                .status,
            200,
            "{host}"
        );
    }
    let twice = console
        .send("GET", "/", &[("Host", "localhost"), ("Host", "evil.example")], "")
        .await;
    assert!(twice.status >= 400);
}

#[tokio::test]
async fn nonsense_is_refused_in_words() {
    let console = Console::with(&[article(1)]).await;
    for (path, status, said) in [
        ("/api/v1/articles?limit=100000", 400, "limit"),
        ("/api/v1/articles?cursor=%00", 400, "cursor"),
        (
            "/api/v1/articles?cursor=9223372036854775807.9223372036854775808",
            400,
            "cursor",
        ),
        ("/api/v1/articles?colour=red", 400, "not known"),
        ("/api/v1/articles/zzz", 400, "neither the id"),
        ("/api/v1/articles/zzz/trace", 400, "neither the id"),
        ("/api/v1/dead-letters?stage=printer", 400, "stage"),
        ("/api/v1/dead-letters/cleaner/0/999999", 404, "no dead letter"),
        ("/api/v1/dead-letters/cleaner/4000000000/0", 404, "no dead letter"),
        ("/api/v1/dead-letters/printer/0/0", 400, "no dead letter"),
        ("/api/v1/feeds?from=-1", 400, "from"),
        ("/api/v1/nothing", 404, "no such page"),
        ("/feeds/weather.atom", 404, "no such tag"),
        ("/feeds/nato.rss", 404, "TAG.atom"),
    ] {
        let answer = console.get(path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{path}"
        );
        assert!(
            answer.json()["detail"].as_str().unwrap().contains(said),
            "{path}: {answer:?}"
        );
    }
    assert_eq!(console.get("/api/v1/articles?cursor=-5.-5").await.status, 200);
    let long = console.get(&format!("/articles?q={}", "x".repeat(20_000))).await;
    assert_eq!(long.status, 414);
    let wrong = console.send("DELETE", "/api/v1/articles", &[], "").await;
    assert_eq!(wrong.status, 405);
}

#[tokio::test]
async fn huge_articles_make_bounded_pages() {
    let mut huge = article(1);
    huge.text = "слово ".repeat(600_000);
    let console = Console::with(&[huge.clone()]).await;
    assert!(console.page("/articles").await.len() < 20_000);
    assert!(
        console
            .page("/articles?q=%D1%81%D0%BB%D0%BE%D0%B2%D0%BE")
            .await
            .len()
            < 30_000
    );
    let page = console.page(&format!("/articles/{}", huge.id)).await;
    assert!(
        page.len() < 1_000_000 && page.contains("The text is longer"),
        "{}",
        page.len()
    );
}

#[tokio::test]
async fn whoever_is_slow_with_a_request_holds_nobody_up() {
    let console = Console::with(&[article(1)]).await;
    let mut slow = TcpStream::connect(console.address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
    assert_eq!(console.get("/articles").await.status, 200);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(DEADLINE, slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the slow one was let go");
}

#[tokio::test]
async fn pages_of_other_sites_load_nothing() {
    let console = Console::with(&[article(1)]).await;
    for (site, mode, status) in [
        ("cross-site", "no-cors", 403),
        ("same-site", "cors", 403),
        ("cross-site", "navigate", 200),
        ("same-origin", "cors", 200),
        ("none", "navigate", 200),
    ] {
        let headers = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode)];
        let answer = console.send("GET", "/api/v1/articles", &headers, "").await;
        assert_eq!(answer.status, status, "{site} {mode}");
    }
}

#[tokio::test]
async fn what_the_router_refuses_is_a_problem_as_well() {
    let console = Console::with(&[article(1)]).await;
    let answer = console.get("/api/v1/articles/%ff").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["status"], 400);
}
