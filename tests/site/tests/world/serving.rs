//! How the site answers: feeds, validators, faults, changes while it runs, the log.

use std::time::{Duration, Instant};

use crate::client::get;
use telex_site::{Article, FeedUrl, Options, PublishError, Response, Site, Special};

async fn site() -> Site {
    let options = Options {
        slow: Duration::from_millis(300),
        ..Options::default()
    };
    Site::start(options).await.expect("the site starts")
}

fn feed(site: &Site, special: Special) -> FeedUrl {
    site.feeds()
        .iter()
        .find(|feed| feed.special == special)
        .expect("such a feed")
        .clone()
}

fn article(title: &str) -> Article {
    Article::parse(&format!(
        "title = '{title}'\nauthors = ['A. Writer']\npublished = '2026-11-21T08:00:00Z'\nlanguage = 'en'\n\
         section = 'World'\ntags = []\nsummary = 'In short.'\nbody = 'At length.'"
    ))
    .expect("an article")
}

#[tokio::test]
async fn every_feed_lists_its_articles_and_honours_validators() {
    let site = site().await;
    for feed in site.feeds().iter().filter(|feed| feed.special != Special::Dead) {
        let first = get(&feed.url, &[]).await.expect("a reply");
        assert_eq!(first.status, 200, "{}", feed.url);
        let kind = first.header("content-type").expect("a type");
        assert!(
            kind.contains("xml") || kind.contains("json"),
            "{}: {kind}",
            feed.url
        );
        let text = String::from_utf8_lossy(&first.body);
        for article in site
            .expected()
            .iter()
            .filter(|article| article.feeds.contains(&feed.url))
        {
            assert!(text.contains(&article.url), "{} lacks {}", feed.url, article.url);
        }
        let etag = first.header("etag").expect("a tag");
        let modified = first.header("last-modified").expect("a date");
        for header in [("If-None-Match", etag), ("If-Modified-Since", modified)] {
            let again = get(&feed.url, &[header]).await.expect("a reply");
            assert_eq!(
                (again.status, again.body.len()),
                (304, 0),
                "{} {header:?}",
                feed.url
            );
        }
        let other = get(&feed.url, &[("If-None-Match", "\"other\"")])
            .await
            .expect("a reply");
        let status = if feed.special == Special::Unchanging {
            304
        } else {
            200
        };
        assert_eq!(other.status, status, "{}", feed.url);
    }
}

#[tokio::test]
async fn special_feeds_are_what_they_are_called() {
    let site = site().await;
    let dead = site.dead().expect("a dead feed");
    let refused = get(&dead.url, &[]).await.err().expect("no reply");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    let begun = Instant::now();
    get(&feed(&site, Special::Slow).url, &[]).await.expect("a reply");
    assert!(begun.elapsed() >= Duration::from_millis(300));

    let torn = get(&feed(&site, Special::Torn).url, &[])
        .await
        .expect("a reply")
        .body;
    let torn = String::from_utf8(torn).expect("UTF-8");
    assert!(torn.contains(" & ") && !torn.contains("&amp;") && !torn.contains("</channel>"));
    assert_eq!(
        torn.matches("<item>").count(),
        torn.matches("</item>").count() + 1
    );

    let wrong = get(&feed(&site, Special::WrongCharset).url, &[])
        .await
        .expect("a reply")
        .body;
    assert!(String::from_utf8_lossy(&wrong).contains("encoding=\"UTF-8\""));
    assert!(std::str::from_utf8(&wrong).is_err());

    let full = get(&feed(&site, Special::FullText).url, &[])
        .await
        .expect("a reply")
        .body;
    assert!(String::from_utf8_lossy(&full).contains("<content:encoded>"));

    let overlapping = get(&feed(&site, Special::Overlapping).url, &[])
        .await
        .expect("a reply")
        .body;
    assert!(String::from_utf8_lossy(&overlapping).contains("?utm_source="));
}

#[tokio::test]
async fn opml_names_every_feed() {
    let site = site().await;
    let opml = site.opml().expect("OPML");
    assert_eq!(opml.matches("xmlUrl=").count(), site.feeds().len());
    for feed in site.feeds() {
        assert!(opml.contains(&feed.url), "{}", feed.url);
    }
}

#[tokio::test]
async fn answers_are_compressed_on_request() {
    let site = site().await;
    let url = feed(&site, Special::Plain).url;
    let plain = get(&url, &[]).await.expect("a reply");
    let packed = get(&url, &[("Accept-Encoding", "br, gzip")])
        .await
        .expect("a reply");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() < plain.body.len());
    assert_eq!(packed.unpacked().expect("gzip"), plain.body);
}

#[tokio::test]
async fn a_change_shows_in_feed_and_page() {
    let site = site().await;
    let feed = feed(&site, Special::Plain);
    let before = get(&feed.url, &[]).await.expect("a reply");
    let etag = before.header("etag").expect("a tag");

    let url = site
        .publish("courier", "late-news", article("Late news"))
        .expect("published");
    let after = get(&feed.url, &[("If-None-Match", etag)]).await.expect("a reply");
    assert_eq!(after.status, 200);
    assert!(after.text().contains("Late news"));
    assert!(site.expected().iter().any(|expected| expected.url == url));

    site.edit(&url, |article| article.title = "Later news".to_owned())
        .expect("edited");
    assert!(
        get(&feed.url, &[])
            .await
            .expect("a reply")
            .text()
            .contains("Later news")
    );
    assert!(
        get(&url, &[])
            .await
            .expect("a reply")
            .text()
            .contains("Later news")
    );

    let taken = site.publish("courier", "late-news", article("Again"));
    assert_eq!(taken, Err(PublishError::Taken(url)));
    assert!(site.publish("nobody", "x", article("X")).is_err());
    assert!(site.edit("http://127.0.0.1/", |_| ()).is_err());
}

#[tokio::test]
async fn prescribed_answers_come_once_and_in_order() {
    let site = site().await;
    let url = feed(&site, Special::Plain).url;
    site.script(
        &url,
        vec![
            Response::status(429).with_header("retry-after", "7"),
            Response::redirect("http://10.0.0.1/inside"),
            Response::ordinary().truncated_after(100),
            Response::ordinary().with_bad_gzip(),
            Response::status(200)
                .with_body("instead")
                .delayed(Duration::from_millis(200)),
        ],
    );
    let busy = get(&url, &[]).await.expect("a reply");
    assert_eq!((busy.status, busy.header("retry-after")), (429, Some("7")));
    let moved = get(&url, &[]).await.expect("a reply");
    assert_eq!(
        (moved.status, moved.header("location")),
        (302, Some("http://10.0.0.1/inside"))
    );
    let cut = get(&url, &[]).await.expect("a reply");
    let announced: usize = cut
        .header("content-length")
        .and_then(|text| text.parse().ok())
        .expect("a length");
    assert!(
        announced > 1000 && cut.body.len() == 100,
        "{announced} announced, {} came",
        cut.body.len()
    );
    let bad = get(&url, &[]).await.expect("a reply");
    assert_eq!(bad.header("content-encoding"), Some("gzip"));
    assert!(bad.unpacked().is_err());
    let begun = Instant::now();
    assert_eq!(get(&url, &[]).await.expect("a reply").body, b"instead");
    assert!(begun.elapsed() >= Duration::from_millis(200));
    assert!(get(&url, &[]).await.expect("a reply").text().contains("<rss"));
}

#[tokio::test]
async fn a_path_is_prescribed_on_every_host() {
    let site = site().await;
    site.script("/robots.txt", vec![Response::status(503); 2]);
    let mut origins: Vec<&str> = site
        .feeds()
        .iter()
        .filter_map(|feed| feed.url.split('/').nth(2))
        .collect();
    origins.dedup();
    for (index, origin) in origins.iter().take(3).enumerate() {
        let status = get(&format!("http://{origin}/robots.txt"), &[])
            .await
            .expect("a reply")
            .status;
        assert_eq!(status, if index < 2 { 503 } else { 200 }, "{origin}");
    }
}

#[tokio::test]
async fn pages_that_withhold_the_story() {
    let site = site().await;
    let expected = site.expected();
    let trapped = |word: &str| {
        let found = expected
            .iter()
            .find(|article| article.trap.as_ref().is_some_and(|trap| trap.contains(word)));
        found.expect("such an article").clone()
    };
    assert_eq!(get(&trapped("404").url, &[]).await.expect("a reply").status, 404);
    let consent = get(&trapped("consent").url, &[]).await.expect("a reply");
    assert_eq!(consent.status, 200);
    assert!(!consent.text().contains("<article"));
    let flaky = expected
        .iter()
        .find(|article| article.retried)
        .expect("a flaky page");
    assert_eq!(get(&flaky.url, &[]).await.expect("a reply").status, 500);
    assert_eq!(get(&flaky.url, &[]).await.expect("a reply").status, 200);

    let moved = expected
        .iter()
        .find(|article| article.url.contains("/go/"))
        .expect("a moved page");
    let reply = get(&moved.url, &[]).await.expect("a reply");
    assert_eq!(reply.status, 301);
    let origin = moved.url.split("/go/").next().expect("an origin");
    let target = format!("{origin}{}", reply.header("location").expect("a target"));
    assert_eq!(get(&target, &[]).await.expect("a reply").status, 200);

    let forbidden = trapped("robots.txt").url;
    let (host, path) = forbidden
        .trim_start_matches("http://")
        .split_once('/')
        .expect("a path");
    let robots = get(&format!("http://{host}/robots.txt"), &[])
        .await
        .expect("a reply")
        .text();
    assert!(robots.contains(&format!("Disallow: /{path}\n")), "{robots}");
}

#[tokio::test]
async fn requests_are_logged() {
    let site = site().await;
    let url = feed(&site, Special::Plain).url;
    get(
        &format!("{url}?x=1"),
        &[("User-Agent", "probe/1"), ("If-None-Match", "\"a\"")],
    )
    .await
    .expect("a reply");
    let log = site.requests();
    let [request] = log.as_slice() else {
        panic!("{log:?}")
    };
    assert!(url.contains(&request.host) && request.path.ends_with("?x=1"));
    assert_eq!((request.status, request.conditional), (200, true));
    assert_eq!(request.user_agent.as_deref(), Some("probe/1"));
}

#[tokio::test]
async fn nobody_listens_after_a_stop() {
    let site = site().await;
    let url = feed(&site, Special::Plain).url;
    let port = url
        .split([':', '/'])
        .nth(4)
        .and_then(|port| port.parse().ok())
        .expect("a port");
    site.stop().await;
    assert!(get(&url, &[]).await.is_err());
    let again = Site::start(Options {
        port: Some(port),
        ..Options::default()
    })
    .await
    .expect("the port is free");
    assert_eq!(feed(&again, Special::Plain).url, url);
    drop(again);
}
