//! Atom and JSON Feed, read by an independent parser, and conditional requests.

use feed_rs::model::FeedType;
use telex_model::Tagged;

use crate::support::{Console, article, store_from, time};

fn parse(text: &str) -> feed_rs::model::Feed {
    feed_rs::parser::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[tokio::test]
async fn both_forms_say_the_same() {
    let mut articles: Vec<Tagged> = (1..=60).map(article).collect();
    articles[59].title = "A <b> & \"c\" ]]>\u{1}\u{202e}".to_owned();
    articles[59].authors.clear();
    articles[58].tags.clear();
    let console = Console::with(&articles).await;
    let (atom, json) = (
        console.get("/feeds/nato.atom").await,
        console.get("/feeds/nato.json").await,
    );
    assert_eq!(
        atom.header("content-type"),
        Some("application/atom+xml; charset=utf-8")
    );
    assert_eq!(
        json.header("content-type"),
        Some("application/feed+json; charset=utf-8")
    );
    let (atom, json) = (parse(&atom.body), parse(&json.body));
    assert!(matches!(
        (&atom.feed_type, &json.feed_type),
        (FeedType::Atom, FeedType::JSON)
    ));
    for feed in [&atom, &json] {
        assert_eq!(feed.title.as_ref().unwrap().content, "Telex: nato");
        assert_eq!(feed.entries.len(), 50);
        let (newest, last) = (&feed.entries[0], &feed.entries[49]);
        assert!(
            newest
                .title
                .as_ref()
                .unwrap()
                .content
                .starts_with("A <b> & \"c\""),
            "{newest:?}"
        );
        assert_eq!(newest.links[0].href, "https://news.example/60");
        // Number 59 has no such tag.
        assert_eq!(last.links[0].href, "https://news.example/10");
        let id = format!("urn:uuid:{}", last.id.trim_start_matches("urn:uuid:"));
        assert_eq!(id.replace('-', ""), format!("urn:uuid:{}", articles[9].id));
        assert_eq!(last.published.unwrap().to_string(), "2026-11-20 00:10:00 UTC");
        assert_eq!(last.authors[0].name.as_deref(), Some("A. Writer"));
    }
    let ids = |f: &feed_rs::model::Feed| f.entries.iter().map(|e| e.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&atom), ids(&json));
    assert_eq!(atom.entries[0].authors[0].name.as_deref(), Some("News"));
    assert_eq!(atom.entries[0].categories[0].term, "nato");
}

#[tokio::test]
async fn a_feed_keeps_its_id_whatever_the_name_of_the_server() {
    let console = Console::with(&[article(1)]).await;
    for host in ["localhost", "desk.example.org"] {
        let answer = console
            .send("GET", "/feeds/nato.atom", &[("Host", host)], "")
            .await;
        assert_eq!(parse(&answer.body).id, "urn:telex:feed:nato");
    }
}

#[tokio::test]
async fn a_tag_without_articles_is_an_empty_feed() {
    let console = Console::with(&[article(1)]).await;
    for path in ["/feeds/ukraine.atom", "/feeds/ukraine.json"] {
        assert!(parse(&console.page(path).await).entries.is_empty());
    }
}

#[tokio::test]
async fn who_has_it_already_gets_nothing_twice() {
    let console = Console::with(&[article(1)]).await;
    for path in ["/feeds/nato.atom", "/feeds/nato.json"] {
        let first = console.get(path).await;
        let (tag, modified) = (
            first.header("etag").unwrap(),
            first.header("last-modified").unwrap(),
        );
        let weak = format!("\"x\", W/{tag}");
        for (headers, status) in [
            ([("If-None-Match", tag)], 304),
            ([("If-None-Match", &*weak)], 304),
            ([("If-None-Match", "*")], 304),
            // A revised article has no later time.
            ([("If-Modified-Since", modified)], 200),
            ([("If-None-Match", "\"other\"")], 200),
            ([("If-Modified-Since", "Fri, 20 Nov 2026 00:00:00 GMT")], 200),
            ([("If-Modified-Since", "yesterday")], 200),
        ] {
            let answer = console.send("GET", path, &headers, "").await;
            assert_eq!(answer.status, status, "{path} {headers:?}");
            assert_eq!(answer.body.is_empty(), status == 304);
            assert_eq!(answer.header("etag"), Some(tag));
        }
        // The tag counts, whatever the time says.
        let both = [("If-None-Match", "\"other\""), ("If-Modified-Since", modified)];
        assert_eq!(console.send("GET", path, &both, "").await.status, 200);
    }
}

#[tokio::test]
async fn a_revised_article_is_seen() {
    let console = Console::with(&[article(1)]).await;
    let path = "/feeds/nato.atom";
    let first = console.get(path).await;
    let (tag, modified) = (
        first.header("etag").unwrap(),
        first.header("last-modified").unwrap(),
    );
    let mut revised = article(1);
    revised.revision = 2;
    revised.title = "Corrected".to_owned();
    revised.modified = Some(time(30));
    store_from(&console.folder().join("articles.sqlite"), 9, &[revised]);
    for header in [("If-None-Match", tag), ("If-Modified-Since", modified)] {
        let answer = console.send("GET", path, &[header], "").await;
        assert_eq!(answer.status, 200, "{header:?}");
        let feed = parse(&answer.body);
        assert_eq!(feed.entries[0].title.as_ref().unwrap().content, "Corrected");
        let updated = feed.entries[0].updated.unwrap().to_string();
        assert_eq!(updated, "2026-11-20 00:30:00 UTC");
    }
}
