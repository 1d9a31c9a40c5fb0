//! Values in the form that PostgreSQL takes.
//!
//! Its text holds every character of Unicode but U+0000, and its JSON no escape of that nor a lone half of a surrogate
//! pair: in their place stands U+FFFD, the replacement character.

use std::borrow::Cow;
use std::error::Error;

use bytes::{BufMut, BytesMut};
use jiff::Timestamp;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// Gives text without U+0000.
pub(super) fn text(given: &str) -> Cow<'_, str> {
    if given.contains('\0') {
        Cow::Owned(given.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(given)
    }
}

/// 0001-01-01T00:00:00Z, in seconds since 1970.
const FIRST: i64 = -62_135_596_800;

/// Gives a time that PostgreSQL knows; years before the first are nobody's date of publication.
pub(super) fn time(given: Option<Timestamp>) -> Option<Timestamp> {
    let first = Timestamp::from_second(FIRST).ok()?;
    given.filter(|t| *t >= first)
}

/// Gives the bound of a time that is asked for: what PostgreSQL does not know lies before all articles.
pub(super) fn bound(given: Timestamp) -> Timestamp {
    time(Some(given)).unwrap_or_else(|| Timestamp::from_second(FIRST).unwrap_or_default())
}

/// JSON text as a value of type `jsonb`.
#[derive(Debug)]
pub(super) struct Json<'a>(pub(super) Cow<'a, str>);

impl<'a> Json<'a> {
    /// Takes valid JSON.
    pub(super) fn new(json: &'a str) -> Self {
        let suspect = json.contains("\\u0000") || json.contains("\\ud") || json.contains("\\uD");
        Self(if suspect {
            Cow::Owned(mended(json))
        } else {
            Cow::Borrowed(json)
        })
    }
}

/// Replaces escapes of U+0000 and of lone surrogates.
fn mended(json: &str) -> String {
    const REPLACEMENT: &str = "\\ufffd";
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let length = match code(escape) {
            None => 2,
            Some(0 | 0xdc00..=0xdfff) => {
                out.push_str(REPLACEMENT);
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            Some(0xd800..=0xdbff) => {
                let second = escape.get(6..).and_then(code);
                if !matches!(second, Some(0xdc00..=0xdfff)) {
                    out.push_str(REPLACEMENT);
                    rest = escape.get(6..).unwrap_or_default();
                    continue;
                }
                12
            }
            Some(_) => 6,
        };
        // Where what follows a backslash is not ASCII it is no JSON; it is passed on as it is.
        let (kept, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        out.push_str(kept);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The code unit of an escape `\uXXXX` that the text begins with.
fn code(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u32::from_str_radix(digits, 16).ok()
}

impl ToSql for Json<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        // The version of jsonb's binary form.
        out.put_u8(1);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSONB
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_loses_nothing_but_what_cannot_be_held() {
        for (given, wanted) in [
            (r#""plain \n \\u0000""#, r#""plain \n \\u0000""#),
            (r#""a\u0000b""#, r#""a\ufffdb""#),
            (r#""\\\u0000\u0041""#, r#""\\\ufffd\u0041""#),
            (r#""\ud83d\udc69 \ud83d""#, r#""\ud83d\udc69 \ufffd""#),
            (r#""\uD83D\u0041\uDC69""#, r#""\ufffd\u0041\ufffd""#),
            (r#""\ud83d\u0000é""#, r#""\ufffd\ufffdé""#),
        ] {
            assert_eq!(Json::new(given).0, wanted);
        }
        assert_eq!(text("a\0b"), "a\u{fffd}b");
    }

    #[test]
    fn what_is_no_json_does_no_harm() {
        for odd in ["\\", "\\u", "\\u00", "\\ud83d\\", "\\é\\u0000", "\\ud83"] {
            Json::new(odd);
            mended(odd);
        }
    }

    #[test]
    fn times_before_the_first_year_are_none() {
        assert_eq!(time(Some(Timestamp::MIN)), None);
        assert_eq!(time(Some(Timestamp::MAX)), Some(Timestamp::MAX));
    }
}
