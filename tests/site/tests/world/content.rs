//! What the world holds: counts, languages, lengths, and that pages are mostly not article.

use std::collections::{BTreeMap, BTreeSet};

use crate::client;
use telex_site::{Delivery, Expected, Options, Site};

async fn site() -> Site {
    Site::start(Options::default()).await.expect("the site starts")
}

#[tokio::test]
async fn world_is_as_rich_as_promised() {
    let expected = site().await.expected();
    let mut by_language: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_tags: BTreeMap<String, usize> = BTreeMap::new();
    for article in &expected {
        *by_language.entry(article.language.as_str()).or_default() += 1;
        *by_tags.entry(article.tags.join("+")).or_default() += 1;
    }
    assert!(expected.len() >= 36, "{} articles", expected.len());
    for language in ["en", "uk", "ru", "de", "fr", "pl", "es"] {
        assert!(
            by_language.get(language).is_some_and(|count| *count >= 4),
            "{language} in {by_language:?}"
        );
    }
    for tags in [
        "",
        "eu-diplomacy",
        "eu-diplomacy+ukraine",
        "nato",
        "nato+ukraine",
        "ukraine",
    ] {
        assert!(
            by_tags.get(tags).is_some_and(|count| *count >= 2),
            "{tags} in {by_tags:?}"
        );
    }
    let deliveries: BTreeSet<_> = expected
        .iter()
        .map(|article| format!("{:?}", article.delivery))
        .collect();
    assert_eq!(deliveries.len(), 3, "{deliveries:?}");
    assert!(expected.iter().filter(|article| article.trap.is_some()).count() >= 8);
    assert!(
        expected.iter().any(|article| article.feeds.len() > 1),
        "an article in two feeds"
    );
    let retried = expected.iter().filter(|article| article.retried).count();
    assert_eq!(retried, 1);
}

#[tokio::test]
async fn articles_are_whole() {
    let expected = site().await.expected();
    let urls: BTreeSet<_> = expected.iter().map(|article| &article.url).collect();
    assert_eq!(urls.len(), expected.len(), "each address once");
    for article in &expected {
        let words: usize = article
            .paragraphs
            .iter()
            .map(|text| text.split_whitespace().count())
            .sum();
        let (least, most) = if article.delivery == Delivery::Summary {
            (12, 90)
        } else {
            (250, 600)
        };
        assert!((least..=most).contains(&words), "{}: {words} words", article.url);
        assert!(article.tags.is_sorted(), "{}", article.url);
        for tag in &article.tags {
            assert!(
                ["eu-diplomacy", "nato", "ukraine"].contains(&tag.as_str()),
                "{}: {tag}",
                article.url
            );
        }
    }
}

#[tokio::test]
async fn one_agency_story_stands_on_three_sites() {
    let expected = site().await.expected();
    let agency = |article: &&Expected| article.authors.iter().any(|author| author.contains("Meridian"));
    let copies: Vec<_> = expected.iter().filter(agency).collect();
    let [first, second, translated] = copies.as_slice() else {
        panic!("{} copies", copies.len())
    };
    assert_eq!((first.language.as_str(), second.language.as_str()), ("en", "en"));
    assert_eq!(translated.language, "de");
    let shared = first
        .paragraphs
        .iter()
        .filter(|text| second.paragraphs.contains(text))
        .count();
    assert!(
        shared * 2 > second.paragraphs.len(),
        "{shared} paragraphs are the same"
    );
    assert!(copies.iter().all(|copy| copy.tags == first.tags));
}

#[tokio::test]
async fn dates_move_to_the_present() {
    let now = "2030-05-01T12:00:00Z".parse().expect("a date");
    let options = Options {
        now: Some(now),
        ..Options::default()
    };
    let site = Site::start(options).await.expect("the site starts");
    let dates: Vec<_> = site.expected().iter().map(|article| article.published).collect();
    let newest = dates.iter().max().expect("articles");
    assert!(now.duration_since(*newest).as_mins() >= 10, "{newest}");
    let week = jiff::SignedDuration::from_hours(9 * 24);
    assert!(
        dates.iter().all(|date| now.duration_since(*date) < week),
        "{dates:?}"
    );
}

#[tokio::test]
async fn pages_hold_the_article_and_are_mostly_not_it() {
    let site = site().await;
    for article in site.expected() {
        if article.delivery == Delivery::Summary || article.url.contains("/go/") {
            continue;
        }
        let mut reply = client::get(&article.url, &[]).await.expect("a reply");
        if article.retried || reply.status == 500 {
            reply = client::get(&article.url, &[]).await.expect("a reply");
        }
        assert_eq!(reply.status, 200, "{}", article.url);
        let html = reply.text();
        let text = visible(&html);
        for paragraph in &article.paragraphs {
            assert!(text.contains(paragraph.as_str()), "{}: {paragraph}", article.url);
        }
        let kilobytes = reply.body.len() / 1000;
        assert!((40..=150).contains(&kilobytes), "{}: {kilobytes} kB", article.url);
        let own: usize = article
            .paragraphs
            .iter()
            .map(|paragraph| paragraph.chars().count())
            .sum();
        let all = text.chars().count();
        assert!(
            all >= own * 3,
            "{}: {own} of {all} characters are the article",
            article.url
        );
    }
}

/// Returns what a reader sees of a page, references resolved.
fn visible(html: &str) -> String {
    let mut text = String::new();
    let mut hidden = false;
    for part in html.split('<').skip(1) {
        let (tag, rest) = part.split_once('>').unwrap_or((part, ""));
        let name = tag.split([' ', '\n']).next().unwrap_or_default();
        match name {
            "script" | "style" | "title" => hidden = true,
            "/script" | "/style" | "/title" => hidden = false,
            _ => {}
        }
        if !hidden {
            text.push_str(rest);
        }
    }
    resolve(&text)
}

/// Resolves the references that the site writes: four names and decimal numbers.
fn resolve(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('&').enumerate() {
        match part.split_once(';') {
            Some((name, rest)) if index > 0 => {
                match name {
                    "amp" => out.push('&'),
                    "lt" => out.push('<'),
                    "gt" => out.push('>'),
                    "quot" => out.push('"'),
                    _ => {
                        let number = name.strip_prefix('#').and_then(|digits| digits.parse().ok());
                        out.push(number.and_then(char::from_u32).unwrap_or('\u{fffd}'));
                    }
                }
                out.push_str(rest);
            }
            _ => out.push_str(part),
        }
    }
    out
}
