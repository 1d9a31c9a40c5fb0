use expect_test::{Expect, expect};

use super::parse_date;

/// Reads one date a line and compares instant and confidence.
fn check(dates: &str, expect: &Expect) {
    let read = |text: &str| match parse_date(text) {
        Some(date) => format!("{} {:?} <- {text}\n", date.at, date.confidence),
        None => format!("none <- {text}\n"),
    };
    expect.assert_eq(
        &dates
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(read)
            .collect::<String>(),
    );
}

#[test]
fn rfc822_whole_and_broken() {
    check(
        "Mon, 13 Jul 2026 10:00:00 +0200
        Mon, 13 Jul 2026 10:00:00 GMT
        13 Jul 2026 10:00 Z
        Mon, 13 July 2026 10:00:00 EDT
        Mon, 13 Jul 26 10:00:00 PST
        Monday, 13-Jul-26 10:00:00 GMT
        Mon Jul 13 10:00:00 2026
        Mon Jul 13 10:00:00 EDT 2026
        Tue, 13 Jul 2026 10:00:00 +0000
        Mon,13 Jul 2026 10:00:00+0300
        Mon, 13 Jul 2026 10:00:00 +03:00
        Mon, 13 Jul 2026 10:00:00 GMT+3
        Mon, 13 Jul 2026 10:00:00 UTC+0300
        Mon, 13 Jul 2026 10:00:00 GMT+0300 (MSK)
        Mon, 13 Jul 2026 10:00:00 Europe/Kiev
        Tue, 13 Jan 2026 10:00:00 Europe/Kyiv
        Mon, 13 Jul 2026 24:00:00 GMT
        Mon, 13 Jul 2026 23:59:60 GMT
        Mon, 13 Jul 2026 10:00:00
        Mon, 13 Jul 2026
        Mon, 31 Jun 2026 10:00:00 GMT
        Mon, 13 Jul 2026 10:00:00 XYZ",
        &expect![[r#"
            2026-07-13T08:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 +0200
            2026-07-13T10:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 GMT
            2026-07-13T10:00:00Z Exact <- 13 Jul 2026 10:00 Z
            2026-07-13T14:00:00Z Exact <- Mon, 13 July 2026 10:00:00 EDT
            2026-07-13T18:00:00Z Exact <- Mon, 13 Jul 26 10:00:00 PST
            2026-07-13T10:00:00Z Exact <- Monday, 13-Jul-26 10:00:00 GMT
            2026-07-13T10:00:00Z AssumedZone <- Mon Jul 13 10:00:00 2026
            2026-07-13T14:00:00Z Exact <- Mon Jul 13 10:00:00 EDT 2026
            2026-07-13T10:00:00Z Exact <- Tue, 13 Jul 2026 10:00:00 +0000
            2026-07-13T07:00:00Z Exact <- Mon,13 Jul 2026 10:00:00+0300
            2026-07-13T07:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 +03:00
            2026-07-13T07:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 GMT+3
            2026-07-13T07:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 UTC+0300
            2026-07-13T07:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 GMT+0300 (MSK)
            2026-07-13T07:00:00Z Exact <- Mon, 13 Jul 2026 10:00:00 Europe/Kiev
            2026-01-13T08:00:00Z Exact <- Tue, 13 Jan 2026 10:00:00 Europe/Kyiv
            2026-07-14T00:00:00Z Exact <- Mon, 13 Jul 2026 24:00:00 GMT
            2026-07-13T23:59:59Z Exact <- Mon, 13 Jul 2026 23:59:60 GMT
            2026-07-13T10:00:00Z AssumedZone <- Mon, 13 Jul 2026 10:00:00
            2026-07-13T00:00:00Z DateOnly <- Mon, 13 Jul 2026
            2026-06-30T10:00:00Z Guessed <- Mon, 31 Jun 2026 10:00:00 GMT
            2026-07-13T10:00:00Z AssumedZone <- Mon, 13 Jul 2026 10:00:00 XYZ
        "#]],
    );
}
