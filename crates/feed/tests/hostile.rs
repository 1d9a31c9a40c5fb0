//! Inputs made to exhaust stack, memory or time. That each returns at all, in a debug build, is the test: all work is
//! linear, so a quadratic path would take hours on these.

#![allow(clippy::expect_used, reason = "tests stop at the first surprise")]

use telex_feed::{Error, Feed, Input, MAX_BYTES, MAX_ENTRIES, Repair, parse};

fn read(text: &str) -> Result<Feed, Error> {
    parse(&Input {
        bytes: text.as_bytes(),
        content_type: None,
        url: Some("https://harbour.test/feed"),
    })
}

/// A feed whose only item is followed by `evil`.
fn after_an_item(evil: &str) -> Feed {
    let feed = read(&format!(
        "<rss><channel><item><title>Whole</title><guid>1</guid></item>{evil}"
    ))
    .expect("a feed");
    let first = feed.entries.first().expect("the whole item");
    assert_eq!((first.title.as_deref(), first.truncated), (Some("Whole"), false));
    feed
}

#[test]
fn nesting_overflows_no_stack() {
    after_an_item(&"<media:group>".repeat(1_000_000));
    for tag in ["<a>", "<media:group>", "<item>", "<description>"] {
        after_an_item(&tag.repeat(100_000));
        after_an_item(&format!("<item><description>{}", tag.repeat(100_000)));
    }
    let feed = after_an_item(&"<x:a>".repeat(200_000));
    assert!(feed.repairs.contains(&Repair::TooDeep));
    for bracket in ["[", "{\"a\":", "{\"items\":["] {
        assert_eq!(
            read(&bracket.repeat(300_000)).err(),
            Some(Error::Json),
            "{bracket}"
        );
    }
}

#[test]
fn unclosed_markup_is_searched_once() {
    for evil in [
        "<![CDATA[",
        "<title><![CDATA[</item>",
        "<t><![CDATA[</t>",
        "<!--",
        "<!-- <item>",
        "<?",
        "<?a",
        "<a \"",
        "<a \"'",
        "<a b=\"< ",
        "</",
        "</a",
        "<",
        "< ",
        "&",
        "&#x",
        "<item><x:y><!-- <![CDATA[ </item>",
        "<!DOCTYPE [ >",
        "<!",
    ] {
        let evil = evil.repeat(40_000);
        after_an_item(&evil);
        after_an_item(&format!("{evil}]]>"));
        after_an_item(&format!("<item><description>{evil}</description>"));
    }
}

#[test]
fn entities_do_not_multiply() {
    let definition = "x".repeat(1000);
    let text = format!(
        "<!DOCTYPE rss [<!ENTITY a \"{definition}\"><!ENTITY b \"&a;&a;&a;\">]><rss><channel><item><guid>1</guid><description>{}</description></item></channel></rss>",
        "&a;&b;".repeat(50_000)
    );
    let feed = read(&text).expect("a feed");
    let length = feed
        .entries
        .first()
        .and_then(|entry| entry.summary.as_ref())
        .map_or(0, String::len);
    assert!(length < 2 * text.len(), "{length} bytes of {}", text.len());
}

#[test]
fn attributes_and_names_are_bounded() {
    let attributes: String = (0..200_000)
        .map(|number| format!(" a{number}=\"b\" xmlns:n{number}=\"c\""))
        .collect();
    after_an_item(&format!("<item{attributes}><title{attributes}>T</title><n1:x>"));
    let feed = after_an_item(&format!(
        "<item><guid>2</guid>{}</item>",
        (0..20_000)
            .map(|number| format!("<category>{number}</category><dc:creator>{number}</dc:creator>"))
            .collect::<String>()
    ));
    assert!(
        feed.entries
            .iter()
            .all(|entry| entry.categories.len() <= 128 && entry.authors.len() <= 128)
    );
}

#[test]
fn fields_and_entries_have_a_limit() {
    let feed = after_an_item(&format!(
        "<item><title>{}</title><guid>2</guid></item>",
        "é".repeat(2_000_000)
    ));
    assert!(feed.repairs.contains(&Repair::FieldTooLong));
    assert!(
        feed.entries
            .iter()
            .all(|entry| entry.title.as_ref().is_none_or(|title| title.len() <= 64 * 1024))
    );
    let feed = after_an_item(&"<item><guid>2</guid></item>".repeat(MAX_ENTRIES + 10));
    assert_eq!(feed.entries.len(), MAX_ENTRIES);
    assert!(feed.repairs.contains(&Repair::TooManyEntries));
    let json = format!(
        "{{\"version\":\"https://jsonfeed.org/version/1\",\"items\":[{}{{}}]}}",
        "{\"id\":1},".repeat(MAX_ENTRIES + 10)
    );
    assert_eq!(read(&json).expect("a feed").entries.len(), MAX_ENTRIES);
    assert_eq!(
        parse(&Input {
            bytes: &vec![b' '; MAX_BYTES + 1],
            content_type: None,
            url: None
        })
        .err(),
        Some(Error::TooLarge)
    );
}

#[test]
fn what_is_copied_into_every_entry_is_short() {
    let base = format!("https://harbour.test/{}/", "x".repeat(1_000_000));
    let entry = "<entry><id>1</id><link href='a'/></entry>".repeat(1000);
    let text = format!(
        "<feed xml:base='{base}'><author><name>{}</name></author>{entry}</feed>",
        "n".repeat(1_000_000)
    );
    let feed = read(&text).expect("a feed");
    let size: usize = feed.entries.iter().map(|entry| format!("{entry:?}").len()).sum();
    assert!(size < text.len(), "{size} bytes");
}
