//! Feeds arbitrary bytes to the parser: it must return, and what it returns must be no larger than it promises.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telex_feed::{Input, parse, sitemap};

fuzz_target!(|bytes: &[u8]| {
    let input = Input { bytes, content_type: None, url: Some("https://harbour.test/feed.xml") };
    let _read = sitemap(&input);
    let Ok(feed) = parse(&input) else { return };
    let text = |field: &Option<String>| field.as_ref().map_or(0, String::len);
    let size: usize = feed.entries.iter().map(|entry| text(&entry.title) + text(&entry.summary) + text(&entry.content)).sum();
    // Five times: `&` becomes `&amp;`. The rest is what entities may add.
    assert!(size <= 5 * bytes.len() + 256 * 1024 * 5, "{size} bytes of {}", bytes.len());
    assert_eq!(parse(&input), Ok(feed));
});
