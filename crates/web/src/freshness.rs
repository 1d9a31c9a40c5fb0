//! What servers say about time: `Retry-After`, `Cache-Control`, `Expires`. Pure functions of headers and now.
//!
//! A full cache-semantics crate was rejected: we keep no cache, all that is wanted is one duration.

use std::time::{Duration, SystemTime};

/// The longest wait that a server may impose: beyond a day it is a mistake or a ban, and tomorrow's try costs little.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest freshness that is believed; the poller's ceiling is lower anyhow.
pub const MAX_FRESHNESS: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a response says about its own shelf life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// No header speaks of it.
    Unknown,
    /// It must be asked for again each time (`no-cache`, `no-store`, `max-age=0`, `Expires: 0`).
    Stale,
    /// It stays fresh for so long from now.
    Fresh(Duration),
}

/// Reads `Retry-After`: seconds or an HTTP date (RFC 9110, section 10.2.3), clamped to [`MAX_RETRY_AFTER`].
///
/// A date in the past is zero. `None` where it is neither.
#[must_use]
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = match seconds(value) {
        Some(wait) => wait,
        None => httpdate::parse_http_date(value)
            .ok()?
            .duration_since(now)
            .unwrap_or_default(),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// Computes how long a response stays fresh for a private cache (RFC 9111, section 4.2), clamped to [`MAX_FRESHNESS`].
///
/// `Expires` is measured against the server's own `Date` where there is one, so a wrong clock on either side does not
/// matter; `Age` counts against `max-age`.
#[must_use]
pub fn freshness(
    cache_control: Option<&str>,
    expires: Option<&str>,
    date: Option<&str>,
    age: Option<&str>,
    now: SystemTime,
) -> Freshness {
    let mut max_age = None;
    for directive in cache_control.unwrap_or_default().split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Freshness::Stale;
        }
        if name.eq_ignore_ascii_case("max-age") {
            // An unreadable value counts as stale (RFC 9111, section 4.2.1).
            max_age = Some(seconds(value.trim().trim_matches('"')).unwrap_or_default());
        }
    }
    let lifetime = max_age.or_else(|| {
        let expires = expires?;
        let date = date
            .and_then(|date| httpdate::parse_http_date(date).ok())
            .unwrap_or(now);
        // `Expires: 0` and the like mean "already".
        let until = httpdate::parse_http_date(expires).unwrap_or(date);
        Some(until.duration_since(date).unwrap_or_default())
    });
    let Some(lifetime) = lifetime else {
        return Freshness::Unknown;
    };
    let age = age.and_then(|age| seconds(age.trim())).unwrap_or_default();
    match lifetime.min(MAX_FRESHNESS).saturating_sub(age) {
        Duration::ZERO => Freshness::Stale,
        left => Freshness::Fresh(left),
    }
}

/// Reads whole seconds; digits only, and as large as one likes.
fn seconds(value: &str) -> Option<Duration> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn at(date: &str) -> SystemTime {
        httpdate::parse_http_date(date).unwrap()
    }

    #[test]
    fn retry_after_in_both_forms() {
        let now = at("Sun, 22 Nov 2026 10:00:00 GMT");
        let day = MAX_RETRY_AFTER.as_secs();
        for (value, wanted) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(day)),
            ("Sun, 22 Nov 2026 10:05:00 GMT", Some(300)),
            ("Sunday, 22-Nov-26 10:05:00 GMT", Some(300)),
            ("Sun Nov 22 10:05:00 2026", Some(300)),
            ("Sun, 22 Nov 2026 09:00:00 GMT", Some(0)),
            ("Fri, 22 Nov 2126 10:00:00 GMT", Some(day)),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(
                retry_after(value, now),
                wanted.map(Duration::from_secs),
                "{value}"
            );
        }
    }

    #[test]
    fn freshness_by_max_age_then_expires() {
        let now = at("Sun, 22 Nov 2026 10:00:00 GMT");
        let fresh = |seconds| Freshness::Fresh(Duration::from_secs(seconds));
        let hour_later = Some("Sun, 22 Nov 2026 11:00:00 GMT");
        let check = |cache_control, expires, date, age| freshness(cache_control, expires, date, age, now);

        assert_eq!(check(None, None, None, None), Freshness::Unknown);
        assert_eq!(check(Some("public"), None, None, None), Freshness::Unknown);
        assert_eq!(
            check(Some("public, Max-Age=600"), hour_later, None, None),
            fresh(600)
        );
        assert_eq!(
            check(Some("max-age=\"600\""), None, None, Some("100")),
            fresh(500)
        );
        assert_eq!(
            check(Some("max-age=600"), None, None, Some("601")),
            Freshness::Stale
        );
        assert_eq!(
            check(Some("max-age=600, no-cache"), None, None, None),
            Freshness::Stale
        );
        assert_eq!(check(Some("no-store"), hour_later, None, None), Freshness::Stale);
        assert_eq!(
            check(Some("max-age=junk"), hour_later, None, None),
            Freshness::Stale
        );
        assert_eq!(
            check(Some("max-age=999999999999"), None, None, None),
            fresh(MAX_FRESHNESS.as_secs())
        );
        assert_eq!(check(None, hour_later, None, None), fresh(3600));
        let server_clock_is_wrong = Some("Sun, 22 Nov 2026 10:30:00 GMT");
        assert_eq!(check(None, hour_later, server_clock_is_wrong, None), fresh(1800));
        assert_eq!(check(None, Some("0"), None, None), Freshness::Stale);
        assert_eq!(
            check(None, Some("Sun, 22 Nov 2020 11:00:00 GMT"), None, None),
            Freshness::Stale
        );
    }
}
