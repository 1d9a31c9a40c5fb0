//! One poll of one feed: the request and what follows from the answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use telex_feed::{Feed, Format, Input, Sitemap};
use telex_model::{FeedRecord, FeedState, Item, Topic, event, to_json};
use telex_stream::{Output, Route, panic_text};
use telex_telemetry::StageMetrics;
use telex_web::{
    ACCEPT_FEED, Class, Client, HostLimits, Permit, Politeness, Request, Response, host_key, status_class,
};
use url::Url;

use crate::interval;
use crate::items::{self, ItemRules, Origin, Reading};
use crate::sitemap::{self, Listed};
use crate::state::{self, Answer, Whole};
use crate::websub::{self, WebSub};
use crate::window::Window;

/// State of an unchanged feed is written so often, that a restart does not ask everybody at once.
const WRITE_EVERY: SignedDuration = SignedDuration::from_mins(15);

/// Longest feed in bytes: a sitemap with the 50,000 addresses that one may have, at 200 bytes each.
pub(crate) const MAX_FEED: usize = 10 << 20;

/// What all polls share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) limits: HostLimits,
    pub(crate) rules: Arc<ItemRules>,
    pub(crate) prefix: Arc<str>,
    pub(crate) metrics: StageMetrics,
    pub(crate) websub: Option<WebSub>,
}

/// One feed as the poll finds it.
pub(crate) struct Task {
    pub(crate) partition: u32,
    pub(crate) record: FeedRecord,
    pub(crate) state: FeedState,
    /// When its hub last called.
    pub(crate) pinged: Option<Timestamp>,
    pub(crate) written_at: Option<Timestamp>,
    /// The right to one request to the feed's host.
    pub(crate) permit: Option<Permit>,
}

impl Task {
    pub(crate) fn address(&self) -> &str {
        address(&self.record, Some(&self.state))
    }
}

/// Where a feed is asked for: where it has moved for good, else where the list has it.
pub(crate) fn address<'a>(record: &'a FeedRecord, state: Option<&'a FeedState>) -> &'a str {
    state.and_then(|s| s.moved_to.as_deref()).unwrap_or(&record.url)
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
pub(crate) const OUTCOMES: [&str; 5] = ["changed", "not_modified", "unchanged", "empty", "failed"];

/// Why a poll failed.
pub(crate) struct Failure {
    class: Class,
    reason: &'static str,
    pub(crate) detail: String,
    retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn permanent(reason: &'static str, detail: &str) -> Self {
        Self {
            class: Class::Permanent,
            reason,
            detail: detail.to_owned(),
            retry_after: None,
        }
    }

    pub(crate) fn transient(reason: &'static str, detail: &str) -> Self {
        Self {
            class: Class::Transient,
            ..Self::permanent(reason, detail)
        }
    }

    /// What cannot be read today may be mended tomorrow.
    pub(crate) fn of(error: &telex_feed::Error) -> Self {
        Self::transient(error.reason(), &error.to_string())
    }
}

/// Polls a feed. Never fails: failures are part of the feed's state.
pub(crate) async fn poll(mut task: Task, shared: &Shared) -> Polled {
    let now = Timestamp::now();
    let mut state = task.state.clone();
    state.polled_at = Some(now);
    state.request_served = task.record.poll_requested;
    state.ping_served = task.pinged.or(state.ping_served);
    let asked = async {
        let response = request(&task, shared).await?;
        read(&mut task, response, shared).await
    };
    let result = AssertUnwindSafe(asked)
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| {
            let detail = format!("defect: {}", panic_text(&*panic));
            Err(Failure::transient("panic", &detail))
        });
    let mut items = Vec::new();
    let (outcome, failed) = match result {
        Ok(answer) => {
            let outcome = answer.outcome();
            if outcome == "empty" && !state.seen.is_empty() {
                tracing::warn!(feed = task.address(), "a feed that held items holds none");
            }
            let fixed = task.record.interval_seconds;
            let fixed = fixed.map(|s| Duration::from_secs(u64::from(s)));
            items = state::succeed(&mut state, answer, fixed, now);
            if let Some(push) = &mut state.push {
                websub::subscribe(&task.record, push, shared, now).await;
            }
            (outcome, false)
        }
        Err(failure) => {
            state::fail(
                &mut state,
                failure.class,
                &failure.detail,
                failure.retry_after,
                now,
            );
            report(&state, &failure, shared, task.address());
            ("failed", true)
        }
    };
    let all = shared.metrics.all();
    all.polls.with_label_values(&[outcome]).inc();
    all.missed_items.inc_by(state.missed - task.state.missed);
    let recent = |at| now.duration_since(at) < WRITE_EVERY;
    let known = task.written_at.is_some_and(recent);
    let decided = state.health != task.state.health
        || state.moved_to != task.state.moved_to
        || state.push != task.state.push;
    // Else a restart would take up the request again.
    let asked_for = state.request_served != task.state.request_served;
    let written = !items.is_empty() || !known || decided || asked_for || outcome == "changed";
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

async fn request(task: &Task, shared: &Shared) -> Result<Response, Failure> {
    let url = Url::parse(task.address()).map_err(|e| {
        let detail = format!("{:?} is no URL: {e}", task.address());
        Failure::permanent("invalid_url", &detail)
    })?;
    let known = state::conditional(&task.state).then_some(&task.state);
    let mut request = Request::new(url);
    request.headers = own_headers(&task.record, &request.url);
    send(request, known, shared).await
}

/// The feed's headers, for an address of its own: one that it has moved to may be somebody else's.
fn own_headers(record: &FeedRecord, address: &Url) -> Vec<(String, String)> {
    let own = Url::parse(&record.url).is_ok_and(|own| own.origin() == address.origin());
    let headers = record.headers.0.iter().filter(|_| own);
    headers
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Makes a request for a feed; `known` is what the server may find unchanged. An answer that says that something is
/// wrong is a failure.
pub(crate) async fn ask(url: Url, known: Option<&FeedState>, shared: &Shared) -> Result<Response, Failure> {
    send(Request::new(url), known, shared).await
}

async fn send(mut request: Request, known: Option<&FeedState>, shared: &Shared) -> Result<Response, Failure> {
    request.accept = ACCEPT_FEED.into();
    request.max_body_bytes = Some(MAX_FEED);
    if let Some(state) = known {
        request.if_none_match.clone_from(&state.etag);
        request.if_modified_since.clone_from(&state.last_modified);
    }
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
    let response = answer.map_err(|e| Failure {
        class: e.class(),
        reason: e.reason(),
        detail: e.to_string(),
        retry_after: None,
    })?;
    match status_class(response.status) {
        Some(class) if response.status != 304 => Err(Failure {
            class,
            reason: "status",
            detail: format!("HTTP status {}", response.status),
            retry_after: response.retry_after(SystemTime::now()),
        }),
        _ => Ok(response),
    }
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

async fn read(task: &mut Task, response: Response, shared: &Shared) -> Result<Answer, Failure> {
    let now = SystemTime::now();
    let fresh = match response.freshness(now) {
        telex_web::Freshness::Fresh(time) => Some(time),
        _ => None,
    };
    let moved = response.permanent_redirect.as_ref().map(Url::to_string);
    if response.status == 304 {
        let whole = None;
        return Ok(Answer { fresh, moved, whole });
    }
    let whole = match parsed(&response) {
        Ok(feed) => whole(task, &response, feed, Listed::default(), shared),
        Err(telex_feed::Error::Sitemap) => {
            let listed = sitemap::read(sitemap_of(&response)?, task, shared).await?;
            let mut feed = Feed::empty(Format::NewsSitemap);
            let mut listed = listed;
            feed.entries = std::mem::take(&mut listed.entries);
            whole(task, &response, feed, listed, shared)
        }
        Err(error) => {
            return Err(Failure {
                retry_after: response.retry_after(now),
                ..Failure::of(&error)
            });
        }
    };
    Ok(Answer {
        fresh,
        moved,
        whole: Some(Box::new(whole)),
    })
}

/// Reads an answer as a feed.
pub(crate) fn parsed(response: &Response) -> Result<Feed, telex_feed::Error> {
    telex_feed::parse(&input(response))
}

/// Reads an answer as a sitemap.
pub(crate) fn sitemap_of(response: &Response) -> Result<Sitemap, Failure> {
    telex_feed::sitemap(&input(response)).map_err(|e| Failure::of(&e))
}

fn input(response: &Response) -> Input<'_> {
    Input {
        bytes: &response.body,
        content_type: response.content_type(),
        url: Some(response.final_url.as_str()),
    }
}

/// Compares what an answer lists with what was seen.
fn whole(task: &Task, response: &Response, feed: Feed, listed: Listed, shared: &Shared) -> Whole {
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
    let partial = listed.sitemaps.is_some();
    let reading = Reading {
        feed: &feed,
        pages: &listed.pages,
        partial,
        first: task.state.succeeded_at.is_none(),
    };
    let seen = items::seen_with(&task.state.seen, &listed.old);
    let now = Timestamp::now();
    let news = items::news(reading, &origin, &seen, &shared.rules, now);
    // Of an index only what changed is read: that all of it is new says nothing.
    let (entries, window) = if partial {
        (news.seen.len(), Window::default())
    } else {
        let window = Window::of(&feed.entries, &listed.pages, now);
        (feed.entries.len() + listed.pages.len(), window)
    };
    let validator = |value: Option<&str>| value.filter(|_| !listed.more).map(str::to_owned);
    Whole {
        news,
        entries,
        window,
        asked: interval::asked(&feed.hints),
        hub: shared
            .websub
            .as_ref()
            .and_then(|_| websub::named(response, &feed.hints)),
        etag: validator(response.etag()),
        last_modified: validator(response.last_modified()),
        title: feed.title,
        sitemaps: listed.sitemaps.unwrap_or_default(),
    }
}

/// Says what failed, and has its host rest where that asked for it.
fn report(state: &FeedState, failure: &Failure, shared: &Shared, address: &str) {
    if failure.class == Class::Throttled
        && let (Some(asked), Ok(url)) = (failure.retry_after, Url::parse(address))
    {
        shared.limits.retry_after(&host_key(&url), asked);
    }
    tracing::info!(
        feed = address,
        reason = failure.reason,
        error = failure.detail,
        failures = state.failures,
        "a feed could not be read"
    );
}

pub(crate) fn item_output(item: &Item, prefix: &str, now: Timestamp) -> Output {
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
