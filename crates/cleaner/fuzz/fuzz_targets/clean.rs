//! Feeds any characters to everything that reads foreign text. Run: `cargo +nightly fuzz run clean`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telex_cleaner::{Page, clean_html, clean_text, fragment_text};

fuzz_target!(|text: &str| {
    let page = clean_html(&Page { url: Some("https://bell.example/2026/03/01/ferry"), html: text });
    assert!((0.0..=1.0).contains(&page.quality));
    let shown = fragment_text(text);
    let mut words = shown.split_whitespace();
    // The text may come from JSON-LD or from a script's data, which are not shown.
    assert!(text.to_ascii_lowercase().contains("<script") || page.text.split_whitespace().all(|word| words.any(|other| other == word)));
    clean_text(text);
});
