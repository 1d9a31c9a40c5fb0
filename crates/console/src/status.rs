//! How the installation does: a sentence, what is wrong with its fix, and the stages in numbers.

mod counting;
mod good;
mod problems;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use telex_model::Stage;
use telex_operate::{FeedStatus, Survey};
use telex_sink::{Order, Query, Reader, SinkError};
use tokio::time::Instant;

use crate::app::App;
use crate::look::{Count, Counts};
use crate::render::ago;

pub(crate) use counting::{Eyes, History, count};
use good::LastGood;
use problems::{Problem, behind, dead, failing, held, idle, silent};

/// A look is as good as new for so long.
const FRESH: Duration = Duration::from_secs(1);

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How the installation does.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Status {
    /// Nothing is wrong that somebody should look at now.
    pub(crate) healthy: bool,
    /// How it does, in a sentence.
    pub(crate) sentence: String,
    /// When the newest article was seen first.
    pub(crate) newest_article: Option<Timestamp>,
    /// What is wrong, worst first.
    pub(crate) problems: Vec<Problem>,
    /// The stages, in the order of the flow; empty until they were counted.
    pub(crate) stages: Vec<StageStatus>,
    /// Where the numbers of the stages come from: `process`, or `bus`, which knows neither what stages put out nor how
    /// long they wait.
    pub(crate) numbers_from: &'static str,
    /// Feeds by how they do.
    pub(crate) feeds: BTreeMap<String, usize>,
    /// Articles by tag.
    pub(crate) tags: Vec<TagFlow>,
}

/// A stage in numbers; what is not known is absent.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct StageStatus {
    /// Its name.
    stage: String,
    /// Messages read per second, over the last minute.
    in_per_second: Option<f64>,
    /// Messages written per second.
    out_per_second: Option<f64>,
    /// Messages dropped on purpose since the process began.
    dropped: Option<u64>,
    /// Dead letters since the process began.
    dead_letters: Option<u64>,
    /// Messages that wait for it.
    waiting: u64,
    /// Age in seconds of the oldest of them.
    lag_seconds: Option<f64>,
    /// Share of the time spent waiting for its own rate limit, 0 to 1.
    limit_wait: Option<f64>,
}

/// How many articles a tag got.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct TagFlow {
    /// The tag.
    topic: String,
    /// In the last hour.
    hour: u64,
    /// In the same hour a week ago.
    hour_last_week: u64,
    /// In the last 24 hours.
    day: u64,
    /// In the same 24 hours a week ago.
    day_last_week: u64,
}

/// `GET /api/v1/status`
pub(crate) async fn json(State(app): State<Arc<App>>) -> Response {
    let body = telex_model::to_json(status(&app).await.as_ref());
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Gives how the installation does, as of a moment ago: however many look, it is looked at once.
pub(crate) async fn status(app: &Arc<App>) -> Arc<Status> {
    let mut kept = app.status.lock().await;
    if let Some((at, status)) = kept.as_ref()
        && at.elapsed() < FRESH
    {
        return Arc::clone(status);
    }
    let status = Arc::new(look(app).await);
    *kept = Some((Instant::now(), Arc::clone(&status)));
    status
}

/// Looks at everything; what cannot be looked at is a problem.
async fn look(app: &Arc<App>) -> Status {
    let now = Timestamp::now();
    let mut problems = Vec::new();
    let topics: Vec<String> = app.parts.topics.iter().map(|t| t.name.clone()).collect();
    let asked = app
        .store
        .ask(move |articles| stored(articles, &topics, now).map(Arc::new));
    let mut good = app.good.lock().await;
    let stored = good.stored.or_last(asked.await, now);
    let feeds = good.feeds.or_last(app.looks.feeds().await, now);
    let letters = good.letters.or_last(app.looks.letters().await, now);
    drop(good);
    problems.extend(stored.problem("Articles cannot be read", now));
    problems.extend(feeds.problem("The bus cannot be read", now));
    if feeds.failure.is_none() {
        problems.extend(letters.problem("Dead letters cannot be read", now));
    }
    let Stored { newest, tags } = stored.value.as_deref().cloned().unwrap_or_default();
    // A database that cannot be read is a problem of its own; so is a bus.
    let (readable, listed) = (stored.value.is_some(), feeds.value.is_some());
    let feeds = feeds.value.unwrap_or_default();
    let letters = letters.value.unwrap_or_default();
    let ends = app.history.ends();
    let stages = ends
        .as_ref()
        .map(|(first, last)| stages(first, last))
        .unwrap_or_default();
    problems.extend(held(app));
    problems.extend(behind(&stages));
    problems.extend(ends.iter().flat_map(|(first, last)| idle(first, last)));
    problems.extend(silent(&feeds, newest, now).filter(|_| listed && (readable || feeds.is_empty())));
    problems.extend(failing(&feeds));
    problems.extend(dead(&letters.newest, now));
    problems.sort_by_key(|p| !p.serious);
    let serious = problems.iter().find(|p| p.serious);
    let newest_words = newest.map_or("no article yet".to_owned(), |t| {
        format!("newest article {}", ago(t, now))
    });
    Status {
        healthy: serious.is_none(),
        sentence: match serious {
            None => format!("Healthy, {newest_words}"),
            Some(problem) => format!("{}, {newest_words}", problem.what),
        },
        newest_article: newest,
        problems,
        stages,
        numbers_from: if app.parts.metrics.is_some() {
            "process"
        } else {
            "bus"
        },
        feeds: by_health(&feeds),
        tags,
    }
}

/// What the sink's database says.
#[derive(Debug, Clone, Default)]
struct Stored {
    newest: Option<Timestamp>,
    tags: Vec<TagFlow>,
}

/// The last looks that succeeded, for when one fails.
#[derive(Debug, Default)]
pub(crate) struct Good {
    stored: LastGood<Stored>,
    feeds: LastGood<Vec<FeedStatus>>,
    letters: LastGood<Survey>,
}

fn stored(articles: &mut dyn Reader, topics: &[String], now: Timestamp) -> Result<Stored, SinkError> {
    let newest = Query {
        limit: Some(1),
        order: Order::NewestFirst,
        ..Query::default()
    };
    let newest = articles.query(&newest).next().transpose()?;
    let newest = newest.and_then(|a| a.parse().ok()).map(|a| a.first_seen);
    let hour = SignedDuration::from_hours(1);
    let flow = |topic: &String| {
        let mut count = |back: SignedDuration, span: SignedDuration| {
            let until = now - back;
            articles.count(&Query {
                tag: Some(topic.clone()),
                since: Some(until - span),
                until: Some(until),
                ..Query::default()
            })
        };
        Ok::<TagFlow, SinkError>(TagFlow {
            topic: topic.clone(),
            hour: count(SignedDuration::ZERO, hour)?,
            hour_last_week: count(DAY * 7, hour)?,
            day: count(SignedDuration::ZERO, DAY)?,
            day_last_week: count(DAY * 7, DAY)?,
        })
    };
    let tags = topics.iter().map(flow).collect::<Result<_, _>>()?;
    Ok(Stored { newest, tags })
}

fn stages(first: &Counts, last: &Counts) -> Vec<StageStatus> {
    let seconds = last.at.duration_since(first.at).as_secs_f64();
    let rate = |now: f64, then: f64| (seconds > 0.0).then(|| tenth((now - then).max(0.0) / seconds));
    let stage = |((stage, old), new): ((Stage, &Count), &Count)| StageStatus {
        stage: stage.name().to_owned(),
        in_per_second: rate(new.messages_in as f64, old.messages_in as f64),
        out_per_second: new
            .messages_out
            .zip(old.messages_out)
            .and_then(|(n, o)| rate(n as f64, o as f64)),
        dropped: new.dropped,
        dead_letters: new.dead,
        waiting: new.waiting,
        lag_seconds: new.lag_seconds.map(tenth),
        limit_wait: new.limit_wait.zip(old.limit_wait).and_then(|(n, o)| rate(n, o)),
    };
    Stage::ALL
        .into_iter()
        .zip(&first.stages)
        .zip(&last.stages)
        .map(stage)
        .collect()
}

fn tenth(n: f64) -> f64 {
    (n * 10.0).round() / 10.0
}

fn by_health(feeds: &[FeedStatus]) -> BTreeMap<String, usize> {
    let mut by_health = BTreeMap::new();
    for feed in feeds {
        *by_health.entry(feed.health().to_owned()).or_default() += 1;
    }
    by_health
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_time_between_counts() {
        let at: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        let counts = |at, n: u64| Counts {
            at,
            stages: [Count {
                messages_in: n,
                messages_out: Some(2 * n),
                lag_seconds: Some(301.04),
                ..Count::default()
            }; Stage::ALL.len()],
        };
        let (first, last) = (counts(at, 100), counts(at + SignedDuration::from_secs(10), 150));
        let stages_now = stages(&first, &last);
        let first_stage = stages_now.first().expect("a stage");
        assert_eq!(
            (first_stage.in_per_second, first_stage.out_per_second),
            (Some(5.0), Some(10.0))
        );
        assert_eq!(first_stage.lag_seconds, Some(301.0));
        assert_eq!(behind(&stages_now).len(), Stage::ALL.len());
        assert!(
            behind(&stages_now)
                .first()
                .is_some_and(|p| p.what == "The poller is 5 min behind")
        );
        // A process that began anew counts from 0.
        let began_anew = stages(&last, &counts(at + SignedDuration::from_secs(20), 0));
        assert_eq!(began_anew.first().and_then(|s| s.in_per_second), Some(0.0));
        let one = stages(&first, &first);
        assert_eq!(one.first().and_then(|s| s.in_per_second), None);
    }
}
