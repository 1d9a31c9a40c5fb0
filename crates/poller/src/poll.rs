//! One poll of one feed: the request and what follows from the answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use telex_feed::{Feed, Hints, Input};
use telex_model::{FeedHealth, FeedRecord, FeedState, Item, Topic, event, to_json};
use telex_stream::{Output, Route, panic_text};
use telex_telemetry::StageMetrics;
use telex_web::{
    ACCEPT_FEED, Class, Client, HostLimits, Politeness, Request, Response, host_key, status_class,
};
use url::Url;

use crate::health;
use crate::interval::{self, Found};
use crate::items::{self, ItemRules, News, Origin};

/// State of an unchanged feed is written so often, that a restart does not ask everybody at once.
const WRITE_EVERY: SignedDuration = SignedDuration::from_mins(15);

/// What all polls share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) limits: HostLimits,
    pub(crate) rules: Arc<ItemRules>,
    pub(crate) prefix: Arc<str>,
    pub(crate) metrics: StageMetrics,
}

/// One feed as the poll finds it.
pub(crate) struct Task {
    pub(crate) partition: u32,
    pub(crate) record: FeedRecord,
    pub(crate) state: FeedState,
    pub(crate) written_at: Option<Timestamp>,
}

/// What a poll led to.
pub(crate) struct Polled {
    pub(crate) partition: u32,
    pub(crate) state: FeedState,
    pub(crate) outputs: Vec<Output>,
    pub(crate) items: usize,
    pub(crate) failed: bool,
    /// Outputs hold the state.
    pub(crate) written: bool,
}

/// Outcomes of polls, as labels.
pub(crate) const OUTCOMES: [&str; 4] = ["changed", "not_modified", "unchanged", "failed"];

/// Why a poll failed.
struct Failure {
    class: Class,
    reason: &'static str,
    detail: String,
    retry_after: Option<Duration>,
}

/// Polls a feed. Never fails: failures are part of the feed's state.
pub(crate) async fn poll(task: Task, shared: &Shared) -> Polled {
    let now = Timestamp::now();
    let mut state = task.state.clone();
    state.polled_at = Some(now);
    let asked = async { read(&task, request(&task, shared).await?, shared) };
    let result = AssertUnwindSafe(asked)
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| {
            Err(Failure {
                class: Class::Transient,
                reason: "panic",
                detail: format!("defect: {}", panic_text(&*panic)),
                retry_after: None,
            })
        });
    let mut items = Vec::new();
    let (outcome, failed) = match result {
        Ok(answer) => {
            let outcome = answer.outcome();
            items = succeed(&mut state, answer, &task.record, now);
            (outcome, false)
        }
        Err(failure) => {
            fail(&mut state, &failure, &task.record, shared, now);
            ("failed", true)
        }
    };
    shared.metrics.all().polls.with_label_values(&[outcome]).inc();
    let known = task
        .written_at
        .is_some_and(|at| now.duration_since(at) < WRITE_EVERY);
    let written = !items.is_empty() || !known || state.health != task.state.health || outcome == "changed";
    let mut outputs: Vec<Output> = items
        .iter()
        .map(|item| item_output(item, &shared.prefix, now))
        .collect();
    if written {
        outputs.push(state_output(&state, task.partition, &shared.prefix, now));
    }
    Polled {
        partition: task.partition,
        items: items.len(),
        state,
        outputs,
        failed,
        written,
    }
}

/// A usable answer.
enum Answer {
    NotModified {
        fresh: Option<Duration>,
    },
    Feed {
        news: News,
        entries: usize,
        hints: Box<Hints>,
        fresh: Option<Duration>,
        etag: Option<String>,
        last_modified: Option<String>,
        title: Option<String>,
    },
}

impl Answer {
    fn outcome(&self) -> &'static str {
        match self {
            Self::NotModified { .. } => "not_modified",
            Self::Feed { news, .. } if news.items.is_empty() => "unchanged",
            Self::Feed { .. } => "changed",
        }
    }
}

async fn request(task: &Task, shared: &Shared) -> Result<Response, Failure> {
    let url = Url::parse(&task.record.url).map_err(|e| Failure {
        class: Class::Permanent,
        reason: "invalid_url",
        detail: format!("{:?} is no URL: {e}", task.record.url),
        retry_after: None,
    })?;
    let mut request = Request::new(url);
    request.accept = ACCEPT_FEED.into();
    request.if_none_match.clone_from(&task.state.etag);
    request.if_modified_since.clone_from(&task.state.last_modified);
    let begin = std::time::Instant::now();
    let politeness = Politeness {
        limits: &shared.limits,
        robots: None,
    };
    let answer = shared.client.get_politely(&request, &politeness).await;
    let (outcome, bytes) = match &answer {
        Ok(response) => (status_outcome(response.status), response.bytes_on_wire),
        Err(_) => ("error", 0),
    };
    shared
        .metrics
        .request(outcome, begin.elapsed().as_secs_f64(), bytes);
    answer.map_err(|e| Failure {
        class: e.class(),
        reason: e.reason(),
        detail: e.to_string(),
        retry_after: None,
    })
}

/// Outcomes of requests, as labels.
pub(crate) const REQUEST_OUTCOMES: [&str; 6] = [
    "ok",
    "not_modified",
    "redirect",
    "client_error",
    "server_error",
    "error",
];

fn status_outcome(status: u16) -> &'static str {
    match status {
        304 => "not_modified",
        200..=299 => "ok",
        300..=399 => "redirect",
        400..=499 => "client_error",
        _ => "server_error",
    }
}

fn read(task: &Task, response: Response, shared: &Shared) -> Result<Answer, Failure> {
    let now = SystemTime::now();
    let fresh = match response.freshness(now) {
        telex_web::Freshness::Fresh(time) => Some(time),
        _ => None,
    };
    if response.status == 304 {
        return Ok(Answer::NotModified { fresh });
    }
    let retry_after = response.retry_after(now);
    if let Some(class) = status_class(response.status) {
        let detail = format!("HTTP status {}", response.status);
        return Err(Failure {
            class,
            reason: "status",
            detail,
            retry_after,
        });
    }
    let url = response.final_url.as_str();
    let input = Input {
        bytes: &response.body,
        content_type: response.content_type(),
        url: Some(url),
    };
    let feed: Feed = telex_feed::parse(&input).map_err(|e| Failure {
        class: Class::Transient,
        reason: e.reason(),
        detail: e.to_string(),
        retry_after,
    })?;
    shared
        .metrics
        .all()
        .feed_repairs
        .inc_by(feed.repairs.len() as u64);
    let origin = Origin {
        feed_id: task.record.id,
        feed_url: &task.record.url,
        labels: &task.record.labels,
    };
    let first = task.state.succeeded_at.is_none();
    let news = items::news(
        &feed,
        &origin,
        &task.state.seen,
        first,
        &shared.rules,
        Timestamp::now(),
    );
    Ok(Answer::Feed {
        news,
        entries: feed.entries.len(),
        fresh,
        etag: response.etag().map(str::to_owned),
        last_modified: response.last_modified().map(str::to_owned),
        title: feed.title,
        hints: Box::new(feed.hints),
    })
}

fn succeed(state: &mut FeedState, answer: Answer, record: &FeedRecord, now: Timestamp) -> Vec<Item> {
    let interval = Duration::from_secs(u64::from(state.interval_seconds));
    let (adapted, asked, items) = match answer {
        Answer::NotModified { fresh } => {
            let found = Found { items: 0, new: 0 };
            (
                interval::adapt(interval, found),
                interval::asked_for(&Hints::default(), fresh),
                Vec::new(),
            )
        }
        Answer::Feed {
            news,
            entries,
            hints,
            fresh,
            etag,
            last_modified,
            title,
        } => {
            let first = state.succeeded_at.is_none();
            let found = Found {
                items: entries,
                new: if first { 1 } else { news.new },
            };
            state.etag = etag;
            state.last_modified = last_modified;
            state.title = title.or(state.title.take());
            state.seen = news.seen;
            (
                interval::adapt(interval, found),
                interval::asked_for(&hints, fresh),
                news.items,
            )
        }
    };
    state.interval_seconds = seconds(adapted);
    state.succeeded_at = Some(now);
    state.health = FeedHealth::Healthy;
    state.failures = 0;
    state.last_error = None;
    let fixed = record.interval_seconds.map(|s| Duration::from_secs(u64::from(s)));
    let wait = fixed.unwrap_or_else(|| interval::jitter(adapted.max(asked), seed(state, now)));
    state.next_poll = later(now, wait);
    items
}

fn fail(state: &mut FeedState, failure: &Failure, record: &FeedRecord, shared: &Shared, now: Timestamp) {
    state.failures = state.failures.saturating_add(1);
    state.health = health::after_failure(state, failure.class, now);
    state.last_error = Some(failure.detail.chars().take(500).collect());
    let interval = Duration::from_secs(u64::from(state.interval_seconds));
    let mut wait = match state.health {
        FeedHealth::Gone | FeedHealth::Dormant => Duration::from_secs(24 * 60 * 60),
        _ => interval::after_failures(interval, state.failures),
    };
    if let Some(asked) = failure.retry_after {
        wait = wait.max(asked);
    }
    if failure.class == Class::Throttled
        && let (Some(asked), Ok(url)) = (failure.retry_after, Url::parse(&record.url))
    {
        shared.limits.retry_after(&host_key(&url), asked);
    }
    state.next_poll = later(now, interval::jitter(wait, seed(state, now)));
    tracing::info!(
        feed = record.url,
        reason = failure.reason,
        error = failure.detail,
        failures = state.failures,
        "a feed could not be read"
    );
}

fn seed(state: &FeedState, now: Timestamp) -> u64 {
    telex_model::short_hash(&format!("{}{now}", state.id))
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| now.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

fn item_output(item: &Item, prefix: &str, now: Timestamp) -> Output {
    let topic = Topic::Items;
    let id = format!("{}:{:016x}", item.id, item.item_hash);
    let mut headers = event::headers(&topic, "poller", id, now);
    headers.push((
        event::TRACEPARENT.to_owned(),
        event::traceparent(item.id, 1, "poller"),
    ));
    Output {
        topic: topic.name(prefix),
        key: Bytes::from(item.id.to_string()),
        route: Route::By(Bytes::from(item.source.domain.clone())),
        value: Some(to_json(item).into()),
        headers,
    }
}

pub(crate) fn state_output(state: &FeedState, partition: u32, prefix: &str, now: Timestamp) -> Output {
    let topic = Topic::FeedState;
    Output {
        topic: topic.name(prefix),
        key: Bytes::from(state.id.to_string()),
        route: Route::Partition(partition),
        value: Some(to_json(state).into()),
        headers: event::headers(&topic, "poller", state.id.to_string(), now),
    }
}
