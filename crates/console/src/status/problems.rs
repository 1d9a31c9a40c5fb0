//! What is wrong, and what mends it.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use telex_model::Stage;
use telex_operate::{FeedStatus, Letter};

use super::{DAY, StageStatus};
use crate::app::App;
use crate::look::{self, Counts};
use crate::render::span;

/// A stage so far behind is a problem: a fifth of an hour's news waits.
const BEHIND: f64 = 300.0;

/// No new article for so long is a problem: small lists of feeds are silent for an hour at night.
const SILENT: SignedDuration = SignedDuration::from_hours(3);

/// A stage that did nothing for so long, while messages waited, is at rest or away.
const IDLE: SignedDuration = SignedDuration::from_secs(30);

/// Parts of all feeds that may fail before it is more than a remark.
const FAILING: usize = 5;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// What.
    pub(crate) what: String,
    /// What to do.
    pub(crate) fix: String,
    /// Page that says more.
    pub(crate) page: &'static str,
    /// It is more than a remark.
    pub(crate) serious: bool,
}

pub(super) fn serious(what: impl Into<String>, fix: impl Into<String>, page: &'static str) -> Problem {
    Problem {
        what: what.into(),
        fix: fix.into(),
        page,
        serious: true,
    }
}

pub(super) fn held(app: &App) -> Vec<Problem> {
    let Some((_, last)) = app.history.ends() else {
        return Vec::new();
    };
    let held = Stage::ALL
        .into_iter()
        .zip(last.stages)
        .filter(|(_, count)| count.held);
    let told = held.map(|(stage, _)| {
        serious(
            format!("The {stage} has stopped over too many dead letters"),
            "See why they died, mend it, and start it again; then replay them.",
            "/dead-letters",
        )
    });
    told.collect()
}

pub(super) fn behind(stages: &[StageStatus]) -> Vec<Problem> {
    let late = stages
        .iter()
        .filter(|s| s.lag_seconds.is_some_and(|lag| lag > BEHIND));
    let told = late.map(|s| {
        let lag = SignedDuration::try_from_secs_f64(s.lag_seconds.unwrap_or_default()).unwrap_or_default();
        serious(
            format!("The {} is {} behind", s.stage, span(lag)),
            "Raise its limit, or run more processes of it; one slow host holds up none but its own pages.",
            "/settings",
        )
    });
    told.collect()
}

/// Finds stages that did nothing while messages waited for them: they do not run, or hang. Where the age of what waits is
/// known, [`behind`] tells. The poller reads the list of feeds as a whole, so nothing ever waits for it.
pub(super) fn idle(first: &Counts, last: &Counts) -> Vec<Problem> {
    if last.at.duration_since(first.at) < IDLE {
        return Vec::new();
    }
    let counts = Stage::ALL.into_iter().zip(first.stages.iter().zip(&last.stages));
    let idle = counts.filter(|(stage, (then, now))| {
        let waits = then.waiting > 0 && now.waiting > 0;
        *stage != Stage::Poller && now.lag_seconds.is_none() && waits && then.messages_in == now.messages_in
    });
    let told = idle.map(|(stage, (_, now))| {
        serious(
            format!("The {stage} does nothing while {} messages wait", now.waiting),
            format!("See whether it runs: telex run {stage}, or telex run all."),
            "/settings",
        )
    });
    told.collect()
}

pub(super) fn silent(feeds: &[FeedStatus], newest: Option<Timestamp>, now: Timestamp) -> Option<Problem> {
    if feeds.is_empty() {
        let fix = "Add one here, or import a list: telex feeds import feeds.opml";
        return Some(serious("No feed is on the list", fix, "/feeds"));
    }
    let Some(newest) = newest else {
        let fix =
            "It takes a minute after the start; then see whether feeds fail, and whether every stage runs.";
        return Some(serious("Nothing has come through yet", fix, "/feeds"));
    };
    let age = now.duration_since(newest);
    (age > SILENT).then(|| {
        let fix = "Look whether feeds fail, and whether a stage is behind.";
        serious(format!("Nothing new for {}", span(age)), fix, "/feeds")
    })
}

pub(super) fn failing(feeds: &[FeedStatus]) -> Option<Problem> {
    let bad = feeds
        .iter()
        .filter(|f| matches!(f.health(), "failing" | "dormant" | "gone"))
        .count();
    (bad > 0).then(|| Problem {
        what: format!("{bad} of {} feeds cannot be read", feeds.len()),
        fix: "Each says why; poll it again, correct its address, or remove it.".to_owned(),
        page: "/feeds",
        serious: bad * FAILING > feeds.len(),
    })
}

pub(super) fn dead(letters: &[Letter], now: Timestamp) -> Option<Problem> {
    let recent = letters
        .iter()
        .take_while(|l| now.duration_since(l.time) < DAY)
        .count();
    (recent > 0).then(|| Problem {
        what: match recent {
            1 => "A dead letter in the last 24 hours".to_owned(),
            look::LETTERS => format!("{recent} dead letters and more in the last 24 hours"),
            n => format!("{n} dead letters in the last 24 hours"),
        },
        fix: "See why they died; once that is mended, replay them.".to_owned(),
        page: "/dead-letters",
        serious: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Count;

    #[test]
    fn silence_is_a_problem_only_where_there_are_feeds_and_were_articles() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        let none = silent(&[], Some(now), now).expect("no feed");
        assert!(none.serious && none.what.contains("No feed"));
    }

    #[test]
    fn a_stage_that_leaves_messages_waiting_is_a_problem() {
        let at: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        let counts = |seconds: i64, messages_in: u64, waiting: u64| Counts {
            at: at + SignedDuration::from_secs(seconds),
            stages: [Count {
                messages_in,
                waiting,
                ..Count::default()
            }; Stage::ALL.len()],
        };
        let first = counts(0, 5, 3);
        let found = idle(&first, &counts(60, 5, 4));
        assert_eq!(found.len(), Stage::ALL.len() - 1, "all but the poller");
        assert!(
            found
                .iter()
                .all(|p| p.serious && p.what.contains("4 messages wait"))
        );
        for fine in [counts(60, 6, 4), counts(60, 5, 0), counts(10, 5, 4)] {
            assert!(idle(&first, &fine).is_empty());
        }
    }
}
