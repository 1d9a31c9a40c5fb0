//! Properties that hold for every feed: what is whole survives any wound elsewhere, unchanged, and nothing panics.

#![allow(clippy::expect_used, reason = "tests stop at the first surprise")]

mod support;

use proptest::prelude::*;
use support::{stories, style, write};
use telex_feed::{Entry, Input, parse, parse_date};

fn entries(bytes: &[u8]) -> Vec<Entry> {
    parse(&Input {
        bytes,
        content_type: None,
        url: None,
    })
    .map(|feed| feed.entries)
    .unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_global_rejects: u32::MAX, ..ProptestConfig::default() })]

    /// A feed reads as what was written into it.
    #[test]
    fn what_is_written_is_read(stories in stories(), style in style()) {
        let written = write(style, &stories);
        let feed = parse(&Input { bytes: &written.bytes, content_type: None, url: None }).expect("a feed");
        prop_assert!(feed.repairs.is_empty(), "{:?}", feed.repairs);
        prop_assert_eq!(feed.entries.len(), stories.len());
        for (entry, story) in feed.entries.iter().zip(&stories) {
            prop_assert_eq!(entry.title.as_deref(), Some(story.title.as_str()));
            let date = entry.published.or(entry.updated).expect("a date");
            prop_assert_eq!(date.at.as_second(), story.published);
            let address = format!("https://harbour.test/{}", story.number);
            prop_assert_eq!(entry.link.as_deref(), Some(address.as_str()));
            prop_assert!(!entry.truncated);
        }
    }

    /// Cut anywhere: the items before the cut are all there, equal in every field to those of the whole feed.
    #[test]
    fn a_cut_costs_only_what_is_behind_it(stories in stories(), style in style(), at in any::<prop::sample::Index>()) {
        let written = write(style, &stories);
        let whole = entries(&written.bytes);
        let cut = at.index(written.bytes.len() + 1);
        let left = entries(written.bytes.get(..cut).expect("within"));
        let before = written.ends.iter().filter(|end| **end <= cut).count();
        prop_assert!(left.len() >= before, "{} of {before} at {cut}", left.len());
        prop_assert_eq!(left.get(..before), whole.get(..before));
        // Of the item that was cut, all but white space may be left.
        prop_assert!(left.iter().enumerate().skip(before).all(|(at, entry)| entry.truncated || whole.get(at) == Some(entry)));
    }

    /// Corrupted anywhere: the items before the wound are all there, and equal in all that is their own.
    #[test]
    fn a_wound_costs_nothing_before_it(
        stories in stories(),
        style in style(),
        at in any::<prop::sample::Index>(),
        wound in wound(),
        removed in 0_usize..12,
    ) {
        let written = write(style, &stories);
        let whole = entries(&written.bytes);
        let at = at.index(written.bytes.len());
        let mut bytes = written.bytes.clone();
        let end = (at + removed).min(bytes.len());
        bytes.splice(at..end, wound);
        let before = written.ends.iter().filter(|end| **end <= at).count();
        let mut left = entries(&bytes);
        for (entry, whole) in left.iter_mut().zip(&whole) {
            // A wound behind the entry may name an author of the whole feed, who is that of each entry without one.
            if whole.authors.is_empty() {
                entry.authors.clear();
            }
        }
        prop_assert_eq!(left.get(..before), whole.get(..before), "{}", String::from_utf8_lossy(&bytes));
    }

    /// An end tag lost anywhere costs no item.
    #[test]
    fn a_lost_tag_costs_no_item(stories in stories(), style in style(), which in any::<prop::sample::Index>()) {
        let written = write(style, &stories);
        let text = String::from_utf8(written.bytes.clone()).expect("UTF-8");
        let tags: Vec<&str> = ["</title>", "</item>", "</entry>", "</pubDate>", "</description>", "</guid>", "</channel>", "</content:encoded>"]
            .into_iter()
            .filter(|tag| text.contains(tag))
            .collect();
        prop_assume!(!tags.is_empty());
        let tag = tags[which.index(tags.len())];
        let left = entries(text.replace(tag, "").as_bytes());
        prop_assert_eq!(left.len(), stories.len(), "without {}", tag);
    }

    /// The same feed in another encoding has the same items.
    #[test]
    fn the_encoding_changes_nothing(stories in stories(), style in style()) {
        let written = write(style, &stories);
        let text = String::from_utf8(written.bytes.clone()).expect("UTF-8");
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        prop_assert_eq!(entries(&utf16), entries(&written.bytes));
    }

    /// No bytes make the parser panic, and reading twice gives the same.
    #[test]
    fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let read = || parse(&Input { bytes: &bytes, content_type: Some("text/xml; charset=koi8-r"), url: Some("https://harbour.test/") });
        prop_assert_eq!(read(), read());
    }

    /// No markup makes the parser panic.
    #[test]
    fn any_markup_is_taken(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..120)) {
        let text = pieces.concat();
        for text in [format!("<rss><channel><item>{text}"), format!("<feed xmlns='http://www.w3.org/2005/Atom'><entry>{text}"), format!("{{\"items\":[{text}")] {
            entries(text.as_bytes());
        }
    }

    /// No text makes the reader of dates panic.
    #[test]
    fn any_text_may_be_a_date(text in "[0-9a-zа-я:+./ TZ,年月日-]{0,40}") {
        let _date = parse_date(&text);
    }

    /// A date survives every common way of writing it.
    #[test]
    fn a_date_is_read_in_any_form(seconds in 1_000_000_000_i64..2_000_000_000) {
        let at = jiff::Timestamp::from_second(seconds).expect("in range");
        for form in ["%a, %d %b %Y %H:%M:%S GMT", "%Y-%m-%dT%H:%M:%SZ", "%d %B %Y %H:%M:%S UTC", "%B %d, %Y %I:%M:%S %p GMT", "%d.%m.%Y %H:%M:%S", "%Y%m%d%H%M%S", "%s"] {
            let text = at.strftime(form).to_string();
            prop_assert_eq!(parse_date(&text).map(|date| date.at), Some(at), "{}", text);
        }
    }
}

/// What a wound is made of: noise, or markup that misleads.
fn wound() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(prop::sample::select(PIECES), 1..6)
            .prop_map(|pieces| pieces.concat().into_bytes()),
    ]
}

const PIECES: &[&str] = &[
    "<item>",
    "</item>",
    "<entry>",
    "</entry>",
    "<title>",
    "</title>",
    "<link>",
    "<link href='",
    "</link>",
    "<a:b>",
    "</a:b>",
    "<x:y/>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?",
    "?>",
    "<!DOCTYPE [",
    "]>",
    "<!ENTITY a \"b\">",
    "&",
    "&amp;",
    "&a;",
    "&#xD83D;",
    "&#0;",
    "&#",
    "<",
    ">",
    "\"",
    "'",
    "=",
    "/",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "\\u",
    "\\ud83d",
    "<rss>",
    "</rss>",
    "<feed>",
    "<channel>",
    "</channel>",
    "<description>",
    "<content type='xhtml'>",
    "<div xmlns='http://www.w3.org/1999/xhtml'>",
    "</div>",
    "<html>",
    "xml:base='a'",
    "<author><name>",
    "</name></author>",
    "<pubDate>",
    "<guid isPermaLink=",
    "<media:group>",
    "<source>",
    "\u{FEFF}",
    "й",
    "😀",
    " ",
    "\n",
    "\0",
    "<content type='image/png'>",
    "aGVsbG8=",
];
