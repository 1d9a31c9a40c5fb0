//! Feeds arbitrary text to the reader of dates: it must return, with a date in the years it promises.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telex_feed::parse_date;

fuzz_target!(|text: &str| {
    if let Some(date) = parse_date(text) {
        assert!((0..7_258_118_400).contains(&date.at.as_second()), "{text}: {}", date.at);
    }
});
