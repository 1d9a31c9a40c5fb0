//! What callers ask for, read from the query of an address or from a form, with everything bounded.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use telex_model::Topic;
use telex_sink::{Cursor, Marker, Order, Query};

use crate::failure::Failure;

/// Longest search.
const MAX_SEARCH: usize = 500;

/// Longest of everything else, but for lists, which are as long as a body may be.
const MAX_VALUE: usize = 2000;

/// Fields that are lists.
const LISTS: [&str; 2] = ["urls", "labels"];

/// Most articles, feeds, letters in one answer.
pub(crate) const MAX_LIMIT: usize = 200;

/// Named values, each given at most once and known.
#[derive(Debug, Default)]
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Reads `a=b&c=d`.
    pub(crate) fn parse(text: &str, known: &[&str]) -> Result<Self, Failure> {
        let mut fields = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let name: String = name.chars().take(40).collect();
                let known = known.join(", ");
                return Err(Failure::bad(format!(
                    "{name:?} is not known here; known are: {known}"
                )));
            }
            if value.chars().count() > MAX_VALUE && !LISTS.contains(&name.as_ref()) {
                return Err(Failure::bad(format!(
                    "{name}: longer than {MAX_VALUE} characters"
                )));
            }
            // An empty field of a form asks for nothing.
            if !value.trim().is_empty() && fields.insert(name.to_string(), value.trim().to_owned()).is_some()
            {
                return Err(Failure::bad(format!("{name} is given twice")));
            }
        }
        Ok(Self(fields))
    }

    /// Gives a value, where it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Gives the address with these values and another one.
    pub(crate) fn with(&self, path: &str, name: &str, value: &str) -> String {
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        for (known, value) in self.0.iter().filter(|(known, _)| *known != name) {
            out.append_pair(known, value);
        }
        format!("{path}?{}", out.append_pair(name, value).finish())
    }

    /// Reads a number of things to show.
    pub(crate) fn limit(&self, default: usize) -> Result<usize, Failure> {
        let Some(text) = self.get("limit") else {
            return Ok(default);
        };
        let fine = text.parse().ok().filter(|n| (1..=MAX_LIMIT).contains(n));
        fine.ok_or_else(|| {
            Failure::bad(format!(
                "limit: {} is no number from 1 to {MAX_LIMIT}",
                shown(text)
            ))
        })
    }
}

/// Names of the fields that [`query`] reads.
pub(crate) const ARTICLE_FIELDS: [&str; 8] = [
    "q", "tag", "language", "source", "since", "until", "cursor", "limit",
];

/// Reads which articles are asked for.
pub(crate) fn query(fields: &Fields, default_limit: usize) -> Result<Query, Failure> {
    let tag = fields.get("tag").map(|tag| {
        let fine = Topic::tagged_with(tag).map_err(|e| Failure::bad(format!("tag: {e}")));
        fine.map(|_| tag.to_owned())
    });
    let search = fields.get("q").map(str::to_owned);
    if search.as_ref().is_some_and(|q| q.chars().count() > MAX_SEARCH) {
        return Err(Failure::bad(format!("q: longer than {MAX_SEARCH} characters")));
    }
    let cursor = fields.get("cursor").map(str::parse::<Cursor>);
    Ok(Query {
        tag: tag.transpose()?,
        // What is found comes as it was stored, which is as it was seen, but for what was changed since.
        order: if search.as_deref().is_some_and(|q| !Marker::new(q).is_empty()) {
            Order::LastStoredFirst
        } else {
            Order::NewestFirst
        },
        search,
        since: fields.get("since").map(|t| time("since", t, 0)).transpose()?,
        until: fields.get("until").map(|t| time("until", t, 1)).transpose()?,
        language: word(fields, "language", |c| c.is_ascii_alphanumeric() || c == '-')?,
        source: word(fields, "source", |c| {
            !c.is_whitespace() && !c.is_control() && c != '/'
        })?,
        limit: Some(fields.limit(default_limit)?),
        after: cursor
            .transpose()
            .map_err(|e| Failure::bad(format!("cursor: {e}")))?,
    })
}

fn word(fields: &Fields, name: &str, fine: impl Fn(char) -> bool) -> Result<Option<String>, Failure> {
    match fields.get(name) {
        Some(text) if text.len() > 253 || !text.chars().all(fine) => {
            Err(Failure::bad(format!("{name}: {} is none", shown(text))))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

/// Reads a time, or a day; a day that ends a range is within it.
fn time(name: &str, text: &str, days: i64) -> Result<Timestamp, Failure> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let day = text
        .parse::<Date>()
        .ok()
        .and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    let end = day.and_then(|day| {
        day.timestamp()
            .checked_add(SignedDuration::from_hours(24 * days))
            .ok()
    });
    end.ok_or_else(|| {
        let shown = shown(text);
        Failure::bad(format!(
            "{name}: {shown} is neither a day, 2026-11-22, nor a time, 2026-11-22T08:00:00Z"
        ))
    })
}

fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(60).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let fields = Fields::parse(text, &ARTICLE_FIELDS);
        fields.and_then(|f| query(&f, 50)).expect_err("refused").detail
    }

    #[test]
    fn reads_what_is_asked_for() {
        let fields = Fields::parse(
            "q=%22peace+plan%22&tag=nato&since=2026-11-01&until=2026-11-02&limit=7&cursor=12.3&language=uk&source=",
            &ARTICLE_FIELDS,
        );
        let query = fields.and_then(|f| query(&f, 50)).expect("understood");
        assert_eq!(query.search.as_deref(), Some("\"peace plan\""));
        assert_eq!(
            query.since.map(|t| t.to_string()).as_deref(),
            Some("2026-11-01T00:00:00Z")
        );
        assert_eq!(
            query.until.map(|t| t.to_string()).as_deref(),
            Some("2026-11-03T00:00:00Z")
        );
        assert_eq!((query.limit, query.source), (Some(7), None));
        assert!(query.after.is_some());
    }

    #[test]
    fn nonsense_is_refused_with_what_is_wrong_with_it() {
        for (text, said) in [
            ("limit=0", "limit"),
            ("limit=1e9", "limit"),
            ("limit=-1", "limit"),
            ("cursor=x", "cursor"),
            ("cursor=1.2.3", "cursor"),
            ("cursor=99999999999999999999.1", "cursor"),
            ("tag=No+Tag", "tag"),
            ("tag=../x", "tag"),
            ("since=yesterday", "since"),
            ("until=9999-12-31", "until"),
            ("language=%00", "language"),
            ("source=a/b", "source"),
            ("q=a&q=b", "twice"),
            ("colour=red", "not known"),
            (&format!("q={}", "x".repeat(501)), "longer"),
            (&format!("source={}", "x".repeat(2001)), "longer"),
        ] {
            assert!(refused(text).contains(said), "{text}: {}", refused(text));
        }
    }
}
