//! On feeds that are whole, feed-rs and this parser say the same.

#![allow(clippy::expect_used, reason = "tests stop at the first surprise")]

mod support;

use proptest::prelude::*;
use support::{Style, stories, style, write};
use telex_feed::{Input, parse};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn feed_rs_agrees_on_whole_feeds(stories in stories(), style in style()) {
        let written = write(style, &stories);
        let ours = parse(&Input { bytes: &written.bytes, content_type: None, url: None }).expect("a feed");
        let theirs = feed_rs::parser::parse(written.bytes.as_slice()).expect("a feed");
        prop_assert_eq!(ours.title, theirs.title.map(|title| title.content));
        prop_assert_eq!(ours.entries.len(), theirs.entries.len());
        for (ours, theirs) in ours.entries.into_iter().zip(theirs.entries) {
            if !matches!(style, Style::Rdf) {
                // It makes an id of its own for RDF.
                prop_assert_eq!(ours.id.as_deref(), Some(theirs.id.as_str()));
            }
            prop_assert_eq!(ours.title, theirs.title.map(|title| title.content));
            prop_assert_eq!(ours.link.as_deref(), theirs.links.first().map(|link| link.href.as_str()));
            let date = theirs.published.or(theirs.updated).map(|date| date.timestamp());
            prop_assert_eq!(ours.published.or(ours.updated).map(|date| date.at.as_second()), date);
            prop_assert_eq!(ours.summary, theirs.summary.map(|text| text.content));
            prop_assert_eq!(ours.content, theirs.content.and_then(|content| content.body));
        }
    }
}
