//! How the installation does: a sentence, what is wrong with its fix, and the stages in numbers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use telex_model::Stage;
use telex_operate::{FeedStatus, Letter, Survey};
use telex_sink::{Articles, Order, Query, SinkError};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::app::App;
use crate::failure::Failure;
use crate::look::{self, Count, Counts};
use crate::render::{ago, span};

/// Between two counts from the metrics of this process, which cost nothing.
const EVERY: Duration = Duration::from_secs(5);

/// Between two counts from the bus: on Kafka each asks for the offsets of every group.
const EVERY_FROM_BUS: Duration = Duration::from_secs(15);

/// Nobody has looked for so long: the bus is left alone.
const UNSEEN: Duration = Duration::from_secs(60);

/// A look is as good as new for so long.
const FRESH: Duration = Duration::from_secs(1);

/// Counts are kept for so long: rates are of the last minute.
const KEPT: SignedDuration = SignedDuration::from_secs(60);

/// A stage so far behind is a problem: a fifth of an hour's news waits.
const BEHIND: f64 = 300.0;

/// No new article for so long is a problem: small lists of feeds are silent for an hour at night.
const SILENT: SignedDuration = SignedDuration::from_hours(3);

/// A stage that did nothing for so long, while messages waited, is at rest or away.
const IDLE: SignedDuration = SignedDuration::from_secs(30);

/// What could not be read anew is good enough for so long: a database that is busy for a moment is no outage.
const GRACE: SignedDuration = SignedDuration::from_secs(60);

/// Parts of all feeds that may fail before it is more than a remark.
const FAILING: usize = 5;

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

/// Counts of the last minute.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<VecDeque<Counts>>);

impl History {
    fn push(&self, counts: Counts) {
        let mut history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = |known: &Counts| counts.at.duration_since(known.at) > KEPT;
        while history.front().is_some_and(old) {
            history.pop_front();
        }
        history.push_back(counts);
    }

    fn ends(&self) -> Option<(Counts, Counts)> {
        let history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some((history.front()?.clone(), history.back()?.clone()))
    }
}

/// Whether somebody looks.
#[derive(Debug)]
pub(crate) struct Eyes(watch::Sender<Instant>);

impl Default for Eyes {
    fn default() -> Self {
        Self(watch::Sender::new(Instant::now()))
    }
}

impl Eyes {
    /// Somebody looks now.
    pub(crate) fn look(&self) {
        self.0.send_replace(Instant::now());
    }
}

/// Counts until the console ends.
pub(crate) async fn count(app: std::sync::Weak<App>) {
    let Some(mut eyes) = app.upgrade().map(|app| app.eyes.0.subscribe()) else {
        return;
    };
    loop {
        let Some(app) = app.upgrade() else { return };
        let every = match &app.parts.metrics {
            Some(metrics) => {
                app.history.push(look::of_metrics(metrics));
                EVERY
            }
            None => {
                count_bus(&app).await;
                EVERY_FROM_BUS
            }
        };
        let metrics = app.parts.metrics.is_some();
        drop(app);
        tokio::time::sleep(every).await;
        if !metrics && !seen(&mut eyes).await {
            return;
        }
    }
}

/// Waits until somebody has looked of late; tells whether anybody still may.
async fn seen(eyes: &mut watch::Receiver<Instant>) -> bool {
    eyes.wait_for(|last| last.elapsed() < UNSEEN).await.is_ok()
}

async fn count_bus(app: &App) {
    let (bus, prefix) = (Arc::clone(&app.parts.bus), app.parts.prefix.clone());
    match look::on_thread(move || look::of_bus(bus.as_ref(), &prefix)).await {
        Ok(counts) => app.history.push(counts),
        Err(failure) => tracing::debug!(failure.detail, "the stages cannot be counted"),
    }
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

#[derive(Debug)]
struct LastGood<T>(Option<(Timestamp, Arc<T>)>);

impl<T> Default for LastGood<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// What was read now, or the last time that it could be.
#[derive(Debug)]
struct Looked<T> {
    value: Option<Arc<T>>,
    /// When it was read.
    at: Option<Timestamp>,
    /// Why it could not be read now.
    failure: Option<String>,
}

impl<T> LastGood<T> {
    fn or_last(&mut self, read: Result<Arc<T>, Failure>, now: Timestamp) -> Looked<T> {
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
    fn problem(&self, what: &str, now: Timestamp) -> Option<Problem> {
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

fn stored(articles: &Articles, topics: &[String], now: Timestamp) -> Result<Stored, SinkError> {
    let newest = Query {
        limit: Some(1),
        order: Order::NewestFirst,
        ..Query::default()
    };
    let newest = articles.query(&newest).next().transpose()?;
    let newest = newest.and_then(|a| a.parse().ok()).map(|a| a.first_seen);
    let hour = SignedDuration::from_hours(1);
    let flow = |topic: &String| {
        let count = |back: SignedDuration, span: SignedDuration| {
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

fn serious(what: impl Into<String>, fix: impl Into<String>, page: &'static str) -> Problem {
    Problem {
        what: what.into(),
        fix: fix.into(),
        page,
        serious: true,
    }
}

fn held(app: &App) -> Vec<Problem> {
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

fn behind(stages: &[StageStatus]) -> Vec<Problem> {
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
fn idle(first: &Counts, last: &Counts) -> Vec<Problem> {
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

fn silent(feeds: &[FeedStatus], newest: Option<Timestamp>, now: Timestamp) -> Option<Problem> {
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

fn failing(feeds: &[FeedStatus]) -> Option<Problem> {
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

fn dead(letters: &[Letter], now: Timestamp) -> Option<Problem> {
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

    #[tokio::test(start_paused = true)]
    async fn the_bus_is_left_alone_while_nobody_looks() {
        let eyes = Eyes::default();
        let mut seeing = eyes.0.subscribe();
        assert!(seen(&mut seeing).await);
        tokio::time::sleep(UNSEEN).await;
        let hour = Duration::from_secs(3600);
        assert!(tokio::time::timeout(hour, seen(&mut seeing)).await.is_err());
        eyes.look();
        assert!(tokio::time::timeout(hour, seen(&mut seeing)).await.is_ok());
    }

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
