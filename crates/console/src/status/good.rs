//! What was read last, for when it cannot be read now.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::problems::{Problem, serious};
use crate::failure::Failure;
use crate::render::ago;

/// What could not be read anew is good enough for so long: a database that is busy for a moment is no outage.
const GRACE: SignedDuration = SignedDuration::from_secs(60);

#[derive(Debug)]
pub(super) struct LastGood<T>(Option<(Timestamp, Arc<T>)>);

impl<T> Default for LastGood<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// What was read now, or the last time that it could be.
#[derive(Debug)]
pub(super) struct Looked<T> {
    pub(super) value: Option<Arc<T>>,
    /// When it was read.
    at: Option<Timestamp>,
    /// Why it could not be read now.
    pub(super) failure: Option<String>,
}

impl<T> LastGood<T> {
    pub(super) fn or_last(&mut self, read: Result<Arc<T>, Failure>, now: Timestamp) -> Looked<T> {
        let failure = match read {
            Ok(value) => {
                self.0 = Some((now, value));
                None
            }
            Err(failure) => Some(failure.detail),
        };
        let (at, value) = self.0.clone().unzip();
        Looked { value, at, failure }
    }
}

impl<T> Looked<T> {
    /// Says what could not be read, and how old is what is shown.
    pub(super) fn problem(&self, what: &str, now: Timestamp) -> Option<Problem> {
        let fix = self.failure.clone()?;
        let what = match self.at {
            Some(at) => format!("{what}: shown as of {}", ago(at, now)),
            None => what.to_owned(),
        };
        let recent = self.at.is_some_and(|at| now.duration_since(at) <= GRACE);
        Some(Problem {
            serious: !recent,
            ..serious(what, fix, "/settings")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_fails_shows_the_last_good_one_with_its_age() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        let mut good = LastGood::default();
        let failed = || Err::<Arc<u32>, _>(Failure::unavailable("too many questions"));
        let none = good.or_last(failed(), now);
        assert!(none.value.is_none() && none.problem("Unread", now).is_some_and(|p| p.serious));
        let first = good.or_last(Ok(Arc::new(7)), now);
        assert_eq!(first.problem("Unread", now), None);
        for (seconds, serious) in [(40, false), (100, true)] {
            let later = now + SignedDuration::from_secs(seconds);
            let kept = good.or_last(failed(), later);
            assert_eq!(kept.value.as_deref(), Some(&7));
            let problem = kept.problem("Unread", later).expect("a problem");
            assert_eq!(problem.serious, serious, "{problem:?}");
            assert!(problem.what.starts_with("Unread: shown as of "), "{problem:?}");
        }
    }
}
