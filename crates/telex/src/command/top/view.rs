//! What is shown: rates between two moments, what waits, what is wrong.

use std::collections::BTreeMap;

use serde::Serialize;
use telex_model::Stage;

use super::sample::Sample;

/// A canary is late after so many seconds, as the alert has it.
const CANARY_LATE: f64 = 300.0;

/// The pipeline between two moments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct View {
    /// Processes that answer.
    pub(super) processes: usize,
    /// What is wrong, each with what mends it.
    pub(super) problems: Vec<String>,
    pub(super) stages: Vec<StageView>,
    /// Articles a minute, by tag.
    pub(super) tags_per_minute: BTreeMap<String, f64>,
    /// Feeds by health.
    pub(super) feeds: BTreeMap<String, f64>,
    /// Seconds from first seen to tagged, of the articles tagged in between: within which half of them, and 99 in 100.
    pub(super) seen_to_tagged: Option<Taken>,
    /// Seconds since the last canary that arrived was put in.
    pub(super) canary_age: Option<f64>,
}

/// Upper bounds of histogram buckets: no article took longer, as far as the share goes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Taken {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// A stage, over all processes. Rates are per second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct StageView {
    pub(super) stage: &'static str,
    pub(super) partitions: f64,
    pub(super) read: f64,
    pub(super) written: f64,
    pub(super) dropped: f64,
    pub(super) dead_lettered: f64,
    /// Messages that wait; of the fetcher, articles in the frontier too.
    pub(super) waiting: f64,
    /// Age in seconds of the oldest of them.
    pub(super) lag_seconds: f64,
    /// Share of the time in which the stage waits for its rate limit.
    pub(super) limited: f64,
}

impl View {
    pub(super) fn new(before: &Sample, now: &Sample, unix_seconds: f64) -> Self {
        let seconds = now.at.saturating_duration_since(before.at).as_secs_f64();
        // A process that began anew counts from 0 again.
        let rate = |earlier: f64, later: f64| match seconds {
            s if s > 0.0 => (later - earlier).max(0.0) / s,
            _ => 0.0,
        };
        let tagged = now.by("telex_tagged_total", "tag");
        let earlier = before.by("telex_tagged_total", "tag");
        let tags_per_minute = tagged.into_iter().map(|(tag, n)| {
            let per_minute = 60.0 * rate(earlier.get(&tag).copied().unwrap_or_default(), n);
            (tag, per_minute)
        });
        let canary = now.max("telex_canary_put_in_timestamp_seconds", None);
        let mut view = Self {
            processes: now.processes,
            problems: Vec::new(),
            stages: Stage::ALL
                .into_iter()
                .map(|stage| StageView::new(stage, before, now, &rate))
                .collect(),
            tags_per_minute: tags_per_minute.collect(),
            feeds: now.by("telex_feeds", "health"),
            seen_to_tagged: taken(before, now),
            canary_age: (canary > 0.0).then_some((unix_seconds - canary).max(0.0)),
        };
        view.problems = view.wrong(now);
        view
    }

    fn wrong(&self, now: &Sample) -> Vec<String> {
        let mut wrong = now.silent.clone();
        if self.processes == 0 {
            return wrong;
        }
        for stage in Stage::ALL {
            let label = Some(("stage", stage.name()));
            if now.max("telex_breaker_open", label) > 0.0 {
                wrong.push(format!(
                    "the {stage} has stopped, since too much of its input became dead letters: `telex dead-letters list` says why"
                ));
            }
            if now.sum("telex_assigned_partitions", label) == 0.0 {
                wrong.push(format!(
                    "nobody works on the partitions of the {stage}: start it, or give --address for its processes"
                ));
            }
        }
        if now.max("telex_topic_files_broken", None) > 0.0 {
            wrong.push("topic files are wrong, those before stay in use: `telex check`".to_owned());
        }
        if let Some(age) = self.canary_age.filter(|age| *age > CANARY_LATE) {
            wrong.push(format!(
                "no canary has come through for {age:.0} s: look for the first stage that lags"
            ));
        }
        let (used, limit) = (
            now.max("telex_bus_bytes", None),
            now.max("telex_bus_limit_bytes", None),
        );
        if limit > 0.0 && used > 0.9 * limit {
            wrong.push(format!(
                "the bus is {:.0} % full: raise bus.max_bytes, or see which stage lags",
                100.0 * used / limit
            ));
        }
        wrong
    }
}

impl StageView {
    fn new(stage: Stage, before: &Sample, now: &Sample, rate: &impl Fn(f64, f64) -> f64) -> Self {
        let label = Some(("stage", stage.name()));
        let of = |name: &str| rate(before.sum(name, label), now.sum(name, label));
        let frontier = match stage {
            Stage::Fetcher => now.sum("telex_frontier_pending", None),
            _ => 0.0,
        };
        Self {
            stage: stage.name(),
            partitions: now.sum("telex_assigned_partitions", label),
            read: of("telex_messages_in_total"),
            written: of("telex_messages_out_total"),
            dropped: of("telex_dropped_total"),
            dead_lettered: of("telex_dead_letters_total"),
            waiting: now.sum("telex_lag_messages", label) + frontier,
            lag_seconds: now.max("telex_lag_seconds", label),
            limited: of("telex_rate_limit_wait_seconds_total"),
        }
    }
}

/// How long articles took that were tagged between two moments; none where there was none.
fn taken(before: &Sample, now: &Sample) -> Option<Taken> {
    let name = "telex_seen_to_tagged_seconds_bucket";
    let earlier = before.by(name, "le");
    let mut buckets: Vec<(f64, f64)> = now
        .by(name, "le")
        .into_iter()
        .filter_map(|(bound, count)| {
            let before = earlier.get(&bound).copied().unwrap_or_default();
            Some((bound.parse().ok()?, (count - before).max(0.0)))
        })
        .collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = buckets.last()?.1;
    let within = |share: f64| {
        let found = buckets.iter().find(|(_, count)| *count >= share * all);
        found.map_or(f64::INFINITY, |(bound, _)| *bound)
    };
    (all > 0.0).then(|| Taken {
        p50: within(0.5),
        p99: within(0.99),
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// What a process tells that has read so many messages a stage and has these other lines.
    fn told(messages: u32, more: &str) -> String {
        let mut text = String::new();
        for stage in Stage::ALL {
            text += &format!("telex_messages_in_total{{stage=\"{stage}\"}} {messages}\n");
            text += &format!("telex_assigned_partitions{{stage=\"{stage}\"}} 6\n");
        }
        text + more
    }

    fn view(before: &[&str], now: &[&str]) -> View {
        let begun = Instant::now();
        let later = begun + Duration::from_secs(2);
        View::new(&Sample::of(begun, before), &Sample::of(later, now), 1_000.0)
    }

    #[test]
    fn rates_are_of_all_processes_and_of_the_time_between() {
        let (a, b) = (
            told(10, "telex_frontier_pending 3\n"),
            told(20, "telex_frontier_pending 4\n"),
        );
        let (c, d) = (
            told(10, "telex_tagged_total{tag=\"nato\"} 1\n"),
            told(14, "telex_tagged_total{tag=\"nato\"} 3\n"),
        );
        let seen = view(&[&a, &c], &[&b, &d]);
        assert_eq!(seen.problems, [] as [String; 0]);
        let fetcher = &seen.stages[1];
        assert_eq!(
            (fetcher.stage, fetcher.read, fetcher.partitions),
            ("fetcher", 7.0, 12.0)
        );
        assert_eq!(fetcher.waiting, 4.0, "the frontier waits too");
        assert_eq!(seen.tags_per_minute["nato"], 60.0);
        let anew = view(&[&told(10, "")], &[&told(2, "")]);
        assert_eq!(anew.stages[0].read, 0.0, "a process began anew");
    }

    #[test]
    fn times_are_those_of_the_articles_between() {
        let bucket = |within_1: u32, within_10: u32, all: u32| {
            told(
                0,
                &format!(
                    "telex_seen_to_tagged_seconds_bucket{{le=\"1\"}} {within_1}\n\
                     telex_seen_to_tagged_seconds_bucket{{le=\"10\"}} {within_10}\n\
                     telex_seen_to_tagged_seconds_bucket{{le=\"+Inf\"}} {all}\n"
                ),
            )
        };
        let took = |before: &str, now: &str| view(&[before], &[now]).seen_to_tagged.map(|t| (t.p50, t.p99));
        assert_eq!(
            took(&bucket(900, 900, 900), &bucket(960, 1000, 1000)),
            Some((1.0, 10.0))
        );
        assert_eq!(
            took(&bucket(0, 0, 0), &bucket(1, 1, 100)),
            Some((f64::INFINITY, f64::INFINITY))
        );
        assert_eq!(took(&bucket(5, 5, 5), &bucket(5, 5, 5)), None);
    }

    #[test]
    fn what_is_wrong_is_said_with_what_mends_it() {
        let mut sample = Sample::of(
            Instant::now(),
            &[
                "telex_breaker_open{stage=\"cleaner\"} 1\ntelex_assigned_partitions{stage=\"cleaner\"} 1\n\
               telex_topic_files_broken 1\ntelex_canary_put_in_timestamp_seconds 600\n\
               telex_bus_bytes 95\ntelex_bus_limit_bytes 100\n",
            ],
        );
        sample
            .silent
            .push("10.0.0.7:9464 does not answer: refused".to_owned());
        let problems = View::new(&sample, &sample, 1_000.0).problems;
        for expected in [
            "10.0.0.7:9464 does not answer",
            "the cleaner has stopped",
            "nobody works on the partitions of the poller",
            "topic files are wrong",
            "no canary has come through for 400 s",
            "the bus is 95 % full",
        ] {
            assert!(
                problems.iter().any(|p| p.contains(expected)),
                "{expected}: {problems:?}"
            );
        }
        assert_eq!(
            problems.len(),
            9,
            "the four other stages are not there either: {problems:?}"
        );
        let none = Sample::of(Instant::now(), &[]);
        assert_eq!(
            View::new(&none, &none, 0.0).problems,
            [] as [String; 0],
            "those that are silent say it"
        );
    }
}
