//! Changing things: by token, by form, and by nobody else.

use serde_json::json;
use telex_model::{Stage, Topic};
use telex_operate::{DeadLetters, Feeds, LetterFilter};
use telex_stream::read_all;

use crate::support::{Answer, Console, TOKEN, article};

const FORM: &str = "application/x-www-form-urlencoded";

fn listed(console: &Console) -> Vec<String> {
    let feeds = Feeds::new(console.bus.as_ref(), "telex");
    let mut urls: Vec<String> = feeds.records().unwrap().into_values().map(|f| f.url).collect();
    urls.sort();
    urls
}

/// Signs in; the cookie and what forms carry.
async fn sign_in(console: &Console) -> (String, String) {
    let body = format!("token={}", TOKEN.replace(' ', "+"));
    let answer = console
        .send("POST", "/login", &[("Content-Type", FORM)], &body)
        .await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let page = console
        .send("GET", "/feeds", &[("Cookie", &cookie)], "")
        .await
        .body;
    let form = page
        .split("name=\"form\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    (cookie, form.to_owned())
}

async fn send_form(console: &Console, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers = [&[("Content-Type", FORM)], headers].concat();
    console.send("POST", path, &headers, body).await
}

#[tokio::test]
async fn feeds_are_added_polled_paused_and_removed_by_the_api() {
    let console = Console::with(&[]).await;
    let url = "https://news.example/feed.xml";
    let added = console
        .post("/api/v1/feeds", &json!({"urls": [url], "labels": ["world"]}))
        .await;
    assert_eq!((added.status, added.json()["added"].as_u64()), (201, Some(1)));
    let list = console.get("/api/v1/feeds").await.json();
    let feed = &list["feeds"][0]["feed"];
    assert_eq!(
        (feed["url"].as_str(), feed["labels"][0].as_str()),
        (Some(url), Some("world"))
    );
    let id = feed["id"].as_str().unwrap();
    for (deed, field) in [
        ("poll", "poll_requested"),
        ("pause", "paused"),
        ("resume", "paused"),
    ] {
        assert_eq!(
            console
                .post(&format!("/api/v1/feeds/{id}/{deed}"), &json!({}))
                .await
                .status,
            200
        );
        let record = Feeds::new(console.bus.as_ref(), "telex")
            .records()
            .unwrap()
            .into_values()
            .next()
            .unwrap();
        let value = serde_json::to_value(record).unwrap()[field].clone();
        assert_eq!(
            value.is_string() || value == json!(true),
            deed != "resume",
            "{deed}: {value}"
        );
    }
    assert_eq!(
        console
            .post(&format!("/api/v1/feeds/{id}/burn"), &json!({}))
            .await
            .status,
        404
    );
    assert_eq!(
        console
            .post(&format!("/api/v1/feeds/{id}/remove"), &json!({}))
            .await
            .status,
        200
    );
    assert_eq!(
        console
            .post(&format!("/api/v1/feeds/{id}/remove"), &json!({}))
            .await
            .status,
        404
    );
    assert!(listed(&console).is_empty());
}

#[tokio::test]
async fn what_is_no_feed_is_refused() {
    let console = Console::with(&[]).await;
    for (body, said) in [
        (json!({"urls": []}), "addresses"),
        (json!({"urls": ["javascript:alert(1)"]}), "no http"),
        (json!({"urls": ["file:///etc/passwd"]}), "no http"),
        (
            json!({"urls": ["https://a.example/f"], "labels": vec!["x"; 100]}),
            "labels",
        ),
        (
            json!({"urls": ["https://a.example/f"], "colour": "red"}),
            "colour",
        ),
        (json!({"urls": "https://a.example/f"}), "the body"),
        (json!({"urls": vec!["https://a.example/f"; 600]}), "addresses"),
    ] {
        let answer = console.post("/api/v1/feeds", &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.body.contains(said), "{body}: {answer:?}");
    }
    let large = console
        .post("/api/v1/feeds", &json!({"urls": ["x".repeat(100_000)]}))
        .await;
    assert_eq!(large.status, 413);
    assert!(listed(&console).is_empty());
}

#[tokio::test]
async fn nobody_without_the_token_changes_anything() {
    let console = Console::with(&[]).await;
    let body = json!({"urls": ["https://evil.example/f"]}).to_string();
    let json_type = ("Content-Type", "application/json");
    let wrong = format!("Bearer {TOKEN}x");
    let right = format!("Bearer {TOKEN}");
    for (headers, status) in [
        (vec![json_type], 401),
        (vec![json_type, ("Authorization", "Bearer ")], 401),
        (vec![json_type, ("Authorization", &wrong)], 401),
        (vec![json_type, ("Cookie", "telex_console=99999999999.00")], 401),
        // Another site has no token, but if a browser sent one for it, it is refused still.
        (
            vec![
                json_type,
                ("Authorization", &right),
                ("Origin", "http://evil.example"),
            ],
            403,
        ),
        (
            vec![
                json_type,
                ("Authorization", &right),
                ("Sec-Fetch-Site", "cross-site"),
            ],
            403,
        ),
        (vec![("Content-Type", FORM), ("Authorization", &right)], 415),
    ] {
        let answer = console.send("POST", "/api/v1/feeds", &headers, &body).await;
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
    }
    assert_eq!(
        send_form(&console, "/login", &[], "token=wrong").await.status,
        401
    );
    let elsewhere = [("Origin", "http://evil.example")];
    let body = format!("token={}", TOKEN.replace(' ', "+"));
    assert_eq!(send_form(&console, "/login", &elsewhere, &body).await.status, 403);
    assert!(listed(&console).is_empty());
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let console = Console::with(&[]).await;
    let (cookie, form) = sign_in(&console).await;
    let with = |form: &str| format!("form={form}&urls=https%3A%2F%2Fnews.example%2Ff&labels=a%2C+b");
    let cookie = ("Cookie", cookie.as_str());
    for (headers, form) in [
        (vec![cookie], ""),
        (vec![cookie], "0000"),
        (vec![cookie, ("Origin", "http://evil.example")], form.as_str()),
        (vec![cookie, ("Sec-Fetch-Site", "same-site")], form.as_str()),
        (vec![], form.as_str()),
    ] {
        let answer = send_form(&console, "/feeds", &headers, &with(form)).await;
        assert!(matches!(answer.status, 401 | 403), "{headers:?}: {answer:?}");
        assert!(listed(&console).is_empty());
    }
    let origin = format!("http://{}", console.address);
    let own = [
        cookie,
        ("Origin", origin.as_str()),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    let answer = send_form(&console, "/feeds", &own, &with(&form)).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/feeds?done=added"))
    );
    assert_eq!(listed(&console), ["https://news.example/f"]);
    let out = send_form(&console, "/logout", &own, &format!("form={form}")).await;
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
}

#[tokio::test]
async fn without_a_token_the_console_is_read_only() {
    let folder = tempfile::tempdir().unwrap();
    let console = Console::start(folder, None, None).await;
    for bearer in ["Bearer ", "Bearer x"] {
        let headers = [("Authorization", bearer), ("Content-Type", "application/json")];
        let answer = console
            .send(
                "POST",
                "/api/v1/feeds",
                &headers,
                "{\"urls\":[\"https://a.example/\"]}",
            )
            .await;
        assert_eq!(answer.status, 403);
        assert!(answer.body.contains("console.token"), "{answer:?}");
    }
    assert_eq!(send_form(&console, "/login", &[], "token=").await.status, 403);
    assert!(
        console
            .page("/login")
            .await
            .contains("TELEX__CONSOLE__TOKEN_FILE")
    );
}

#[tokio::test]
async fn dead_letters_are_replayed_after_a_dry_run() {
    let console = Console::with(&[article(1)]).await;
    console.dead(Stage::Cleaner, "one", "invalid_json", "{\"a\":");
    console.dead(Stage::Cleaner, "two", "timed_out", "{}");
    let pages = || {
        let mut keys: Vec<String> = Vec::new();
        let mut each = |m: std::sync::Arc<telex_stream::Message>| {
            keys.push(format!("{}@{}", String::from_utf8_lossy(&m.key), m.partition));
        };
        read_all(console.bus.as_ref(), &Topic::Pages.name("telex"), &mut each).unwrap();
        keys
    };
    let dry = json!({"stage": "cleaner", "reason": "invalid_json", "dry_run": true});
    let done = console.post("/api/v1/dead-letters/replay", &dry).await.json();
    assert_eq!(
        (done["dry_run"].as_bool(), done["groups"][0]["count"].as_u64()),
        (Some(true), Some(1))
    );
    assert!(pages().is_empty(), "a dry run does nothing");

    let whole = console.get("/api/v1/dead-letters/cleaner/0/0").await.json();
    assert_eq!(
        (whole["value"].as_str(), whole["reason"].as_str()),
        (Some("{\"a\":"), Some("invalid_json"))
    );
    let (cookie, form) = sign_in(&console).await;
    let headers = [("Cookie", cookie.as_str())];
    let body = format!("form={form}&id=cleaner%2F0%2F0");
    let answer = send_form(&console, "/dead-letters/replay", &headers, &body).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let result = answer.header("location").unwrap();
    for _ in 0..2 {
        let page = console.page(result).await;
        assert!(page.contains("1 with reason invalid_json put back"), "{page}");
    }
    // Where it was read from: partition 3.
    assert_eq!(pages(), ["one@3"]);
    for (body, status) in [
        (json!({}), 400),
        (json!({"id": "cleaner/0/99"}), 404),
        (json!({"stage": "x"}), 400),
    ] {
        assert_eq!(
            console.post("/api/v1/dead-letters/replay", &body).await.status,
            status,
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_replay_of_many_says_how_many_there_are() {
    let console = Console::with(&[article(1)]).await;
    for n in 0..1003 {
        console.dead(Stage::Cleaner, &n.to_string(), "timed_out", "{}");
    }
    console.dead(Stage::Sink, "last", "refused", "{}");
    let (cookie, form) = sign_in(&console).await;
    let headers = [("Cookie", cookie.as_str())];
    let page = console.send("GET", "/dead-letters", &headers, "").await.body;
    assert!(page.contains("999 of 1003"), "{page}");
    let body = format!("form={form}&stage=cleaner&reason=timed_out&dry_run=yes");
    let answer = send_form(&console, "/dead-letters/replay", &headers, &body).await;
    let result = console.page(answer.header("location").unwrap()).await;
    assert!(
        result.contains("999 of 1003 with reason timed_out would be put back"),
        "{result}"
    );
    for gone in ["/dead-letters/replayed/1", "/dead-letters/replayed/x"] {
        assert!(matches!(console.get(gone).await.status, 400 | 404), "{gone}");
    }
}

#[tokio::test]
async fn behind_a_proxy_forms_are_taken_and_the_cookie_is_safe() {
    let console = Console::with(&[]).await;
    let token = format!("token={}", TOKEN.replace(' ', "+"));
    // A proxy with TLS that names us as it likes and drops what browsers say of themselves.
    let proxied = [
        ("Origin", "https://desk.example.org"),
        ("X-Forwarded-Proto", "https"),
        ("Authorization", "Basic dTpw"),
    ];
    let answer = send_form(&console, "/login", &proxied, &token).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(
        answer.header("set-cookie").unwrap().ends_with("; Secure"),
        "{answer:?}"
    );
    let (cookie, form) = sign_in(&console).await;
    let own = [&proxied[..], &[("Cookie", cookie.as_str())]].concat();
    let body = format!("form={form}&urls=https%3A%2F%2Fnews.example%2Ff");
    let answer = send_form(&console, "/feeds", &own, &body).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    // As browsers send it where a page wants no referrer told.
    let null = [
        ("Origin", "null"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Cookie", cookie.as_str()),
    ];
    let answer = send_form(&console, "/feeds", &null, &body).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let null = [("Origin", "null"), ("Cookie", cookie.as_str())];
    assert_eq!(send_form(&console, "/feeds", &null, &body).await.status, 403);
}

#[tokio::test]
async fn what_was_typed_and_not_taken_stands_in_the_form_again() {
    let console = Console::with(&[]).await;
    let (cookie, form) = sign_in(&console).await;
    let headers = [("Cookie", cookie.as_str())];
    let urls: String = (0..80)
        .map(|n| format!("https%3A%2F%2Fnews.example%2Fa-feed-with-a-long-name%2F{n}%0D%0A"))
        .collect();
    let wrong = format!("form={form}&labels=a%2Cb&urls={urls}javascript%3A%3Cb%3E");
    let answer = send_form(&console, "/feeds", &headers, &wrong).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let page = &answer.body;
    assert!(page.contains("is no http or https URL"), "{page}");
    assert!(page.contains("a-feed-with-a-long-name/79"), "{page}");
    assert!(page.contains("javascript:&lt;b&gt;</textarea>"), "{page}");
    assert!(page.contains("value=\"a,b\""), "{page}");
    assert!(listed(&console).is_empty());
    let right = format!("form={form}&urls={urls}");
    let answer = send_form(&console, "/feeds", &headers, &right).await;
    assert_eq!(answer.header("location"), Some("/feeds?done=added"), "{answer:?}");
    assert_eq!(listed(&console).len(), 80);
}

#[tokio::test]
async fn what_is_added_again_loses_nothing_and_changes_come_in_turn() {
    let console = Console::with(&[]).await;
    let url = "https://news.example/feed";
    let list = json!({"urls": [url], "labels": ["a"]});
    assert_eq!(console.post("/api/v1/feeds", &list).await.status, 201);
    let list = console.get("/api/v1/feeds").await.json();
    let id = list["feeds"][0]["feed"]["id"].as_str().unwrap();
    let deed = async |deed: &str| {
        let path = format!("/api/v1/feeds/{id}/{deed}");
        console.post(&path, &json!({})).await.status
    };
    let done = tokio::join!(deed("pause"), deed("poll"), deed("poll"), deed("poll"));
    assert_eq!(done, (200, 200, 200, 200));
    let twice = json!({"urls": [url, url], "labels": ["b"]});
    let done = console.post("/api/v1/feeds", &twice).await.json();
    assert_eq!(
        (done["added"].as_u64(), done["changed"].as_u64()),
        (Some(0), Some(1))
    );
    let feeds = Feeds::new(console.bus.as_ref(), "telex").records().unwrap();
    let feed = feeds.into_values().next().unwrap();
    assert!(feed.paused && feed.poll_requested.is_some(), "{feed:?}");
    assert_eq!(feed.labels, ["a", "b"]);
}

#[tokio::test]
async fn secrets_of_feeds_are_shown_to_nobody_who_is_not_signed_in() {
    let mut secret = article(1);
    secret.source.feed_url = "https://reader:hunter2@news.example/feed".to_owned();
    secret.lead_image = Some("https://reader:hunter2@news.example/picture.jpg".to_owned());
    let console = Console::with(&[secret.clone()]).await;
    let url = json!({"urls": ["https://reader:hunter2@news.example/feed"]});
    assert_eq!(console.post("/api/v1/feeds", &url).await.status, 201);
    console.dead(Stage::Poller, "one", "invalid_json", "{\"headers\": \"hunter2\"");
    let item = serde_json::to_string(&secret).unwrap();
    for stage in [Stage::Fetcher, Stage::Cleaner, Stage::Classifier, Stage::Sink] {
        console.dead(stage, &id_of(&secret), "invalid_json", &item);
    }
    let id = secret.id;
    for path in [
        "/feeds".to_owned(),
        "/api/v1/feeds".to_owned(),
        "/articles".to_owned(),
        "/api/v1/articles".to_owned(),
        format!("/articles/{id}"),
        format!("/api/v1/articles/{id}"),
        "/feeds/nato.json".to_owned(),
        "/dead-letters".to_owned(),
        "/dead-letters/poller/0/0".to_owned(),
        "/api/v1/dead-letters".to_owned(),
        "/api/v1/dead-letters/poller/0/0".to_owned(),
        "/dead-letters/fetcher/0/0".to_owned(),
        "/api/v1/dead-letters/cleaner/0/0".to_owned(),
        "/dead-letters/classifier/0/0".to_owned(),
        "/api/v1/dead-letters/sink/0/0".to_owned(),
        format!("/trace?article={id}"),
        format!("/api/v1/articles/{id}/story"),
        format!("/api/v1/articles/{id}/trace"),
        "/feeds/nato.atom".to_owned(),
        "/topics".to_owned(),
    ] {
        let body = console.page(&path).await;
        assert!(!body.contains("hunter2"), "{path}: {body}");
    }
    let seen = console.page("/api/v1/dead-letters/sink/0/0").await;
    assert!(seen.contains("https://news.example/feed"), "{seen}");
    let bearer = format!("Bearer {TOKEN}");
    let path = "/api/v1/dead-letters/poller/0/0";
    let seen = console.send("GET", path, &[("Authorization", &bearer)], "").await;
    assert!(seen.body.contains("hunter2"), "{seen:?}");
    let (cookie, _) = sign_in(&console).await;
    let path = "/dead-letters/poller/0/0";
    let seen = console.send("GET", path, &[("Cookie", &cookie)], "").await;
    assert!(seen.body.contains("hunter2"), "{seen:?}");
}

fn id_of(article: &telex_model::Tagged) -> String {
    article.id.to_string()
}

#[tokio::test]
async fn a_letter_that_is_gone_holds_up_no_other() {
    let console = Console::with(&[article(1)]).await;
    console.dead(Stage::Cleaner, "one", "timed_out", "{}");
    let letters = DeadLetters::new(console.bus.as_ref(), "telex");
    let filter = LetterFilter {
        limit: 10,
        ..LetterFilter::default()
    };
    let here = letters.find(&filter).unwrap();
    let mut gone = here.clone();
    gone[0].id = "cleaner/0/99".to_owned();
    let done = letters.replay(&[gone, here].concat(), false, None).unwrap();
    assert_eq!((done.skipped, done.counts.values().sum::<u64>()), (1, 1));
}
