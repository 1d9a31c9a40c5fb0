//! Finds and reads dates.

use jiff::{Timestamp, civil, tz};
use url::Url;

use super::{Statements, tidy};
use crate::html::Document;

/// A moment that a page gives, and how far to believe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// The moment; midnight or UTC where the page gives no more.
    pub at: Timestamp,
    /// How it was found.
    pub confidence: Confidence,
}

/// Tells how far a date is to be believed, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Read from visible text or from the address.
    Guessed,
    /// Marked as a date by the page, by one statement only.
    Stated,
    /// Given by two independent statements that agree on the day.
    Confirmed,
}

/// Names under which `meta` elements and microdata give the day of publication, best first.
const PUBLISHED: [&str; 22] = [
    "article:published_time",
    "datePublished",
    "og:article:published_time",
    "parsely-pub-date",
    "sailthru.date",
    "cXenseParse:recs:publishtime",
    "article.published",
    "published_at",
    "publication_date",
    "publishdate",
    "publish-date",
    "publish_date",
    "pubdate",
    "pdate",
    "dc.date.issued",
    "dcterms.created",
    "dc.date",
    "dcterms.date",
    "citation_publication_date",
    "og:published_time",
    "date",
    "last-modified",
];

/// The same for the last change.
const MODIFIED: [&str; 8] = [
    "article:modified_time",
    "dateModified",
    "og:updated_time",
    "article.updated",
    "dcterms.modified",
    "dc.date.modified",
    "lastmod",
    "last-modified",
];

/// Longer addresses are not looked into; browsers and servers stop at 2,000 to 8,000 bytes.
const MAX_PATH: usize = 2_048;

/// Blocks before and behind the headline in which a visible date is looked for.
const NEAR_TITLE: usize = 12;

/// Finds when the story was published.
pub(crate) fn published(document: &Document<'_>, said: &Statements, url: Option<&Url>) -> Option<Date> {
    let stated = said.published.as_deref().and_then(parse);
    let in_head = first_meta(document, &PUBLISHED);
    let in_body = in_body(document, "datePublished");
    let in_url = url.and_then(from_url);
    let marked = [stated, in_head, in_body];
    let Some(at) = marked.into_iter().flatten().next() else {
        let guess = || time_element(document).or(in_url).or_else(|| visible(document));
        return guess().map(|at| Date {
            at,
            confidence: Confidence::Guessed,
        });
    };
    let witnesses = marked
        .into_iter()
        .flatten()
        .skip(1)
        .chain(in_url)
        .chain(time_element(document));
    let confirmed = witnesses.into_iter().any(|other| same_day(at, other));
    let confidence = if confirmed {
        Confidence::Confirmed
    } else {
        Confidence::Stated
    };
    Some(Date { at, confidence })
}

/// Finds when the story was last changed.
pub(crate) fn modified(document: &Document<'_>, said: &Statements) -> Option<Date> {
    let marked = [
        said.modified.as_deref().and_then(parse),
        first_meta(document, &MODIFIED),
        in_body(document, "dateModified"),
    ];
    let mut found = marked.into_iter().flatten();
    let at = found.next()?;
    let confirmed = found.any(|other| same_day(at, other));
    Some(Date {
        at,
        confidence: if confirmed {
            Confidence::Confirmed
        } else {
            Confidence::Stated
        },
    })
}

fn same_day(a: Timestamp, b: Timestamp) -> bool {
    (a.as_second() - b.as_second()).abs() <= 36 * 3600
}

fn first_meta(document: &Document<'_>, names: &[&str]) -> Option<Timestamp> {
    names.iter().find_map(|name| {
        let mut found = document
            .metas
            .iter()
            .filter(|meta| meta.name.eq_ignore_ascii_case(name));
        found.find_map(|meta| parse(&tidy(meta.value)))
    })
}

/// Reads microdata; `time` elements carry their property's name on the element, so both are tried.
fn in_body(document: &Document<'_>, name: &str) -> Option<Timestamp> {
    let mut found = document
        .properties
        .iter()
        .filter(|property| property.name.eq_ignore_ascii_case(name));
    found.find_map(|property| parse(property.value))
}

/// Reads the first `time` element that gives a day.
fn time_element(document: &Document<'_>) -> Option<Timestamp> {
    let mut times = document
        .properties
        .iter()
        .filter(|property| property.name == "time");
    times.find_map(|time| parse(time.value))
}

/// Reads a day from an address: `/2026/03/01/`, `-20260301`, `2026-03-01`.
fn from_url(url: &Url) -> Option<Timestamp> {
    let path = url.path();
    if path.len() > MAX_PATH {
        return None;
    }
    let parts: Vec<&str> = path
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .collect();
    for window in parts.windows(3) {
        if let [year, month, day] = window
            && year.len() == 4
            && month.len() <= 2
            && day.len() <= 2
            && path.contains(&format!("{year}/{month}/{day}"))
                | path.contains(&format!("{year}-{month}-{day}"))
        {
            return day_of(year, month, day);
        }
    }
    let eight = parts
        .iter()
        .find(|part| part.len() == 8 && part.starts_with("20"))?;
    day_of(eight.get(..4)?, eight.get(4..6)?, eight.get(6..)?)
}

fn day_of(year: &str, month: &str, day: &str) -> Option<Timestamp> {
    let date = civil::Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    at_midnight(date)
}

fn at_midnight(date: civil::Date) -> Option<Timestamp> {
    plausible(date.to_zoned(tz::TimeZone::UTC).ok()?.timestamp())
}

/// Looks for a written date in the short lines around the headline.
fn visible(document: &Document<'_>) -> Option<Timestamp> {
    let heading = document.blocks.iter().position(|block| {
        document
            .path(block.node)
            .take(4)
            .any(|(_, node)| node.tag == crate::html::Tag::H1)
    })?;
    let near = document
        .blocks
        .iter()
        .skip(heading.saturating_sub(3))
        .take(NEAR_TITLE);
    near.map(|block| document.block_text(block))
        .filter(|text| text.len() < 120)
        .find_map(written)
}

/// Keeps moments since the web: others are defaults such as 1970 or 0001.
fn plausible(at: Timestamp) -> Option<Timestamp> {
    let year = at.to_zoned(tz::TimeZone::UTC).year();
    (1990..2100).contains(&year).then_some(at)
}

/// Reads a date in any of the forms that pages use for machines, else a written one.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() < 8 || text.len() > 120 {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return number(text);
    }
    let joined = text
        .replacen(' ', "T", 1)
        .replace(" +", "+")
        .replace(" -", "-")
        .replace(" Z", "Z");
    for form in [text, joined.as_str()] {
        if let Ok(at) = form.parse::<Timestamp>() {
            return plausible(at);
        }
        if let Ok(local) = form.parse::<civil::DateTime>() {
            return plausible(local.to_zoned(tz::TimeZone::UTC).ok()?.timestamp());
        }
    }
    if let Ok(zoned) = jiff::fmt::rfc2822::parse(text) {
        return plausible(zoned.timestamp());
    }
    text.get(..10)
        .and_then(|day| day.parse::<civil::Date>().ok())
        .and_then(at_midnight)
        .or_else(|| written(text))
}

/// Reads seconds or milliseconds since 1970, or a day of eight digits.
fn number(text: &str) -> Option<Timestamp> {
    let value: i64 = text.parse().ok()?;
    match text.len() {
        8 => day_of(text.get(..4)?, text.get(4..6)?, text.get(6..)?),
        10 => plausible(Timestamp::from_second(value).ok()?),
        13 => plausible(Timestamp::from_millisecond(value).ok()?),
        14 => day_of(text.get(..4)?, text.get(4..6)?, text.get(6..8)?),
        _ => None,
    }
}

/// Beginnings of the names of the months, lower case, in the languages of most pages of the web.
const MONTHS: [(&str, i8); 77] = [
    ("jan", 1),
    ("feb", 2),
    ("mar", 3),
    ("apr", 4),
    ("may", 5),
    ("jun", 6),
    ("jul", 7),
    ("aug", 8),
    ("sep", 9),
    ("oct", 10),
    ("nov", 11),
    ("dec", 12),
    ("jän", 1),
    ("mär", 3),
    ("mai", 5),
    ("okt", 10),
    ("dez", 12),
    ("fév", 2),
    ("avr", 4),
    ("juin", 6),
    ("juil", 7),
    ("aoû", 8),
    ("déc", 12),
    ("ene", 1),
    ("abr", 4),
    ("ago", 8),
    ("dic", 12),
    ("gen", 1),
    ("mag", 5),
    ("giu", 6),
    ("lug", 7),
    ("set", 9),
    ("ott", 10),
    ("fev", 2),
    ("out", 10),
    ("mei", 5),
    ("maa", 3),
    ("maj", 5),
    ("sty", 1),
    ("lut", 2),
    ("kwi", 4),
    ("cze", 6),
    ("lip", 7),
    ("sie", 8),
    ("wrz", 9),
    ("paź", 10),
    ("lis", 11),
    ("gru", 12),
    ("led", 1),
    ("úno", 2),
    ("bře", 3),
    ("dub", 4),
    ("kvě", 5),
    ("červenec", 7),
    ("července", 7),
    ("čer", 6),
    ("srp", 8),
    ("zář", 9),
    ("říj", 10),
    ("pro", 12),
    ("янв", 1),
    ("фев", 2),
    ("мар", 3),
    ("апр", 4),
    ("мая", 5),
    ("июн", 6),
    ("июл", 7),
    ("авг", 8),
    ("сен", 9),
    ("окт", 10),
    ("ноя", 11),
    ("дек", 12),
    ("січ", 1),
    ("лют", 2),
    ("трав", 5),
    ("серп", 8),
    ("груд", 12),
];

fn month(word: &str) -> Option<i8> {
    let lower = word.to_lowercase();
    // The longest beginning decides: `juin` is not `jui`.
    MONTHS
        .iter()
        .filter(|(start, _)| lower.starts_with(start))
        .max_by_key(|(start, _)| start.len())
        .map(|(_, m)| *m)
}

/// Reads a written date: `3 May 2024`, `May 3, 2024`, `03.05.2024`, `2024年5月3日`.
fn written(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(40)
        .collect();
    if let Some(date) = words.windows(3).find_map(three) {
        return at_midnight(date);
    }
    let cjk: Vec<&str> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .collect();
    let signs = ['年', '년'];
    (text.contains(signs))
        .then(|| cjk.windows(3).find_map(three))
        .flatten()
        .and_then(at_midnight)
}

/// Reads year, month and day from three words, in the orders that are in use.
fn three(words: &[&str]) -> Option<civil::Date> {
    let [a, b, c] = words else { return None };
    let small = |word: &str| {
        digits(word)
            .filter(|&n| (1..=31).contains(&n))
            .and_then(|n| i8::try_from(n).ok())
    };
    let year = |word: &str| {
        digits(word)
            .filter(|_| word.len() == 4)
            .filter(|n| (1990..2100).contains(n))
    };
    if let (Some(day), Some(month), Some(year)) = (small(a), month(b), year(c)) {
        return civil::Date::new(year, month, day).ok();
    }
    if let (Some(month), Some(day), Some(year)) = (month(a), small(b), year(c)) {
        return civil::Date::new(year, month, day).ok();
    }
    if let (Some(year), Some(month), Some(day)) = (year(a), small(b), small(c)) {
        return civil::Date::new(year, month, day).ok();
    }
    // Day first, as everywhere but in the United States, unless only the other order is a date.
    if let (Some(first), Some(second), Some(year)) = (small(a), small(b), year(c)) {
        return civil::Date::new(year, second, first)
            .or_else(|_| civil::Date::new(year, first, second))
            .ok();
    }
    None
}

/// Reads a number, also `3rd`.
fn digits(word: &str) -> Option<i16> {
    let end = word
        .bytes()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(word.len());
    let tail = word.get(end..)?;
    if !matches!(tail, "" | "st" | "nd" | "rd" | "th" | "er") {
        return None;
    }
    word.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    fn day(text: &str) -> String {
        parse(text).map_or("none".to_owned(), |at| at.to_string())
    }

    #[test]
    fn reads_the_forms_of_machines() {
        assert_eq!(day("2024-05-03T12:30:00+02:00"), "2024-05-03T10:30:00Z");
        assert_eq!(day("2024-05-03T12:30:00+0200"), "2024-05-03T10:30:00Z");
        assert_eq!(day("2024-05-03 12:30:00"), "2024-05-03T12:30:00Z");
        assert_eq!(day("2024-05-03 12:30:00 +0200"), "2024-05-03T10:30:00Z");
        assert_eq!(day("2024-05-03"), "2024-05-03T00:00:00Z");
        assert_eq!(day("Fri, 03 May 2024 12:30:00 GMT"), "2024-05-03T12:30:00Z");
        assert_eq!(day("1714739400"), "2024-05-03T12:30:00Z");
        assert_eq!(day("1714739400000"), "2024-05-03T12:30:00Z");
        assert_eq!(day("0001-01-01T00:00:00Z"), "none");
    }

    #[test]
    fn reads_written_dates() {
        for text in [
            "3 May 2024",
            "May 3rd, 2024",
            "Freitag, 3. Mai 2024 12:30",
            "03.05.2024",
            "2024/05/03",
            "2024年5月3日",
            "3 maja 2024",
        ] {
            assert_eq!(day(text), "2024-05-03T00:00:00Z", "{text}");
        }
        assert_eq!(day("05/23/2024"), "2024-05-23T00:00:00Z");
        assert_eq!(day("about three days"), "none");
    }

    #[test]
    fn two_statements_confirm() {
        let page = crate::html::read("<meta property='article:published_time' content='2024-05-03'><p>x");
        let url = Url::parse("https://bell.example/2024/05/03/ferry").unwrap();
        let said = Statements::default();
        assert_eq!(
            published(&page, &said, Some(&url)).unwrap().confidence,
            Confidence::Confirmed
        );
        assert_eq!(
            published(&page, &said, None).unwrap().confidence,
            Confidence::Stated
        );
        assert_eq!(
            published(&crate::html::read(""), &said, Some(&url))
                .unwrap()
                .confidence,
            Confidence::Guessed
        );
    }
}
