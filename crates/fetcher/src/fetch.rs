//! One fetch of one page, and what follows from it.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use telex_model::{
    ArticleId, Body, FetchedPage, FrontierRecord, Item, MAX_MESSAGE_BYTES, Page, Topic, at_publisher, event,
    to_json,
};
use telex_stream::{Output, Route};
use telex_telemetry::StageMetrics;
use telex_web::{
    ACCEPT_PAGE, Class, Client, HostLimits, Politeness, Request, Response, Robots, Verdict, decode_html,
    host_key, status_class,
};
use url::Url;

use crate::body;
use crate::frontier::{Done, Pending, feed_key};

/// Longest wait before a further try.
pub(crate) const LONGEST_RETRY: Duration = Duration::from_secs(6 * 60 * 60);

/// What all fetches share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) limits: HostLimits,
    pub(crate) robots: Robots,
    pub(crate) prefix: std::sync::Arc<str>,
    pub(crate) metrics: StageMetrics,
    /// Requests for one page before the feed's own text stands in for it.
    pub(crate) max_attempts: u32,
    /// Wait after the first failure; it grows fourfold with each further one.
    pub(crate) first_retry: Duration,
}

/// What a fetch led to.
pub(crate) enum Fetched {
    /// The article is done, with these records.
    Done {
        done: Done,
        outputs: Vec<Output>,
        dropped: Option<&'static str>,
    },
    /// It is to be tried again.
    Again {
        attempts: u32,
        not_before: Timestamp,
        error: String,
    },
}

/// Outcomes of requests, as labels.
pub(crate) const REQUEST_OUTCOMES: [&str; 7] = [
    "ok",
    "redirect",
    "client_error",
    "server_error",
    "robots",
    "not_html",
    "error",
];

/// Why there is no page.
struct Failure {
    class: Class,
    outcome: &'static str,
    detail: String,
    retry_after: Option<Duration>,
}

/// Fetches the page of a waiting article. Never fails: what cannot be fetched is done with the feed's own text.
pub(crate) async fn fetch(pending: &Pending, shared: &Shared) -> Fetched {
    if let Some(brought) = body::brought(&pending.item) {
        let now = Timestamp::now();
        return Fetched::Done {
            done: done(pending, now),
            outputs: vec![page_output(&page(pending, brought, None), &shared.prefix, now)],
            dropped: None,
        };
    }
    let begin = Instant::now();
    let result = request(pending, shared).await;
    let (outcome, bytes) = match &result {
        Ok(response) => ("ok", response.bytes_on_wire),
        Err(failure) => (failure.outcome, 0),
    };
    shared
        .metrics
        .request(outcome, begin.elapsed().as_secs_f64(), bytes);
    match result {
        Ok(response) => passed_on(pending, &response, shared),
        Err(failure) => failed(pending, failure, shared),
    }
}

impl Failure {
    fn new(class: Class, outcome: &'static str, detail: impl Into<String>) -> Self {
        Self {
            class,
            outcome,
            detail: detail.into(),
            retry_after: None,
        }
    }
}

/// Where the page of an item is.
pub(crate) fn address(item: &Item) -> Result<Url, url::ParseError> {
    let link = Url::parse(item.url.as_deref().unwrap_or_default())?;
    Ok(at_publisher(&link).into_owned())
}

async fn request(pending: &Pending, shared: &Shared) -> Result<Response, Failure> {
    let url = address(&pending.item).map_err(|e| {
        Failure::new(
            Class::Permanent,
            "error",
            format!("the item's link is no URL: {e}"),
        )
    })?;
    match shared.robots.allowed(&shared.client, &url).await {
        Verdict::Allowed { crawl_delay } => {
            shared
                .limits
                .set_crawl_delay(&host_key(&url), crawl_delay.unwrap_or_default());
        }
        Verdict::Disallowed => {
            return Err(Failure::new(
                Class::Blocked,
                "robots",
                "robots.txt disallows the page",
            ));
        }
        Verdict::Unreachable => {
            return Err(Failure::new(
                Class::Transient,
                "robots",
                "robots.txt cannot be had",
            ));
        }
    }
    let mut request = Request::new(url);
    request.accept = ACCEPT_PAGE.into();
    let politeness = Politeness {
        limits: &shared.limits,
        robots: Some(&shared.robots),
    };
    let response = shared
        .client
        .get_politely(&request, &politeness)
        .await
        .map_err(|e| {
            let outcome = if e.reason().starts_with("robots") {
                "robots"
            } else {
                "error"
            };
            Failure::new(e.class(), outcome, e.to_string())
        })?;
    usable(response)
}

/// Lets pages through.
fn usable(response: Response) -> Result<Response, Failure> {
    let status = response.status;
    if let Some(class) = status_class(status) {
        let outcome = if status >= 500 {
            "server_error"
        } else {
            "client_error"
        };
        let retry_after = response.retry_after(SystemTime::now());
        return Err(Failure {
            retry_after,
            ..Failure::new(class, outcome, format!("HTTP status {status}"))
        });
    }
    if !(200..300).contains(&status) {
        return Err(Failure::new(
            Class::Permanent,
            "redirect",
            format!("HTTP status {status}"),
        ));
    }
    if !response.is_page() {
        let kind: String = response
            .content_type()
            .unwrap_or("unknown")
            .chars()
            .take(100)
            .collect();
        let detail = format!("the link leads to {kind}, not to a page");
        return Err(Failure::new(Class::Permanent, "not_html", detail));
    }
    Ok(response)
}

fn passed_on(pending: &Pending, response: &Response, shared: &Shared) -> Fetched {
    let now = Timestamp::now();
    let fetched = FetchedPage {
        html: decode_html(&response.body, response.content_type()).into_owned(),
        final_url: response.final_url.to_string(),
        status: response.status,
        fetched_at: now,
    };
    let page = page(pending, Body::Page(fetched), None);
    let output = page_output(&page, &shared.prefix, now);
    if output.size() > MAX_MESSAGE_BYTES {
        let detail = format!("the page would be a message of {} bytes", output.size());
        return stand_in(pending, detail, shared);
    }
    Fetched::Done {
        done: done(pending, now),
        outputs: vec![output],
        dropped: None,
    }
}

fn failed(pending: &Pending, failure: Failure, shared: &Shared) -> Fetched {
    let attempts = pending.attempts + 1;
    let may_pass = matches!(failure.class, Class::Transient | Class::Throttled);
    tracing::debug!(
        url = pending.item.url,
        attempts,
        error = failure.detail,
        "a page could not be fetched"
    );
    if failure.class == Class::Throttled
        && let Some(wait) = failure.retry_after
    {
        shared.limits.retry_after(&pending.host, wait);
    }
    if !may_pass || attempts >= shared.max_attempts {
        return stand_in(pending, failure.detail, shared);
    }
    shared.metrics.retries.inc();
    let wait = shared
        .first_retry
        .saturating_mul(4u32.saturating_pow(pending.attempts.min(8)))
        .min(LONGEST_RETRY);
    let wait = wait.max(failure.retry_after.unwrap_or_default());
    let not_before = SignedDuration::try_from(wait)
        .ok()
        .and_then(|w| Timestamp::now().checked_add(w).ok());
    Fetched::Again {
        attempts,
        not_before: not_before.unwrap_or(Timestamp::MAX),
        error: failure.detail,
    }
}

/// Gives up on a page that a defect of ours cannot stand.
pub(crate) fn panicked(pending: &Pending, text: &str, shared: &Shared) -> Fetched {
    tracing::error!(url = pending.item.url, panic = text, "a defect: a fetch panicked");
    stand_in(pending, format!("defect: {text}"), shared)
}

/// Passes on the feed's own text in place of the page; an item without any is dropped.
fn stand_in(pending: &Pending, error: String, shared: &Shared) -> Fetched {
    let now = Timestamp::now();
    let has_text = body::has_text(&pending.item);
    let outputs = if has_text {
        vec![page_output(
            &page(pending, body::own_text(&pending.item), Some(error)),
            &shared.prefix,
            now,
        )]
    } else {
        tracing::info!(
            url = pending.item.url,
            error,
            "an item without page and text is dropped"
        );
        Vec::new()
    };
    Fetched::Done {
        done: done(pending, now),
        outputs,
        dropped: (!has_text).then_some("no_text"),
    }
}

pub(crate) fn done(pending: &Pending, now: Timestamp) -> Done {
    Done {
        partition: pending.partition,
        revision: pending.revision,
        feed: feed_key(pending.item.feed_id),
        item_hash: pending.item.item_hash,
        first_seen: pending.first_seen,
        done_at: now,
    }
}

pub(crate) fn page(pending: &Pending, body: Body, fetch_error: Option<String>) -> Page {
    let mut item = Item {
        page: None,
        ..Item::clone(&pending.item)
    };
    if matches!(body, Body::Page(_)) {
        // The page has the text; the feed's copy of it would cross the bus for nothing.
        item.content = None;
    }
    Page {
        item,
        revision: pending.revision,
        first_seen: pending.first_seen,
        body,
        fetch_error,
    }
}

pub(crate) fn page_output(page: &Page, prefix: &str, now: Timestamp) -> Output {
    let topic = Topic::Pages;
    let id = page.item.id;
    let mut headers = event::headers(&topic, "fetcher", format!("{id}:{}", page.revision), now);
    headers.push((
        event::TRACEPARENT.to_owned(),
        event::traceparent(id, page.revision, "fetcher"),
    ));
    Output {
        topic: topic.name(prefix),
        key: Bytes::from(id.to_string()),
        route: Route::Key,
        value: Some(to_json(page).into()),
        headers,
    }
}

pub(crate) fn frontier_output(
    id: ArticleId,
    partition: u32,
    record: Option<&FrontierRecord>,
    prefix: &str,
    now: Timestamp,
) -> Output {
    let topic = Topic::Frontier;
    Output {
        topic: topic.name(prefix),
        key: Bytes::from(id.to_string()),
        route: Route::Partition(partition),
        value: record.map(|r| to_json(r).into()),
        headers: event::headers(&topic, "fetcher", id.to_string(), now),
    }
}

pub(crate) fn done_record(item: &Item, done: &Done) -> FrontierRecord {
    FrontierRecord::Done {
        domain: item.source.domain.clone(),
        feed_id: item.feed_id,
        revision: done.revision,
        item_hash: done.item_hash,
        first_seen: done.first_seen,
        done_at: done.done_at,
    }
}

pub(crate) fn pending_record(pending: &Pending) -> FrontierRecord {
    FrontierRecord::Pending {
        item: pending.item.clone(),
        revision: pending.revision,
        first_seen: pending.first_seen,
        attempts: pending.attempts,
        not_before: pending.not_before,
        last_error: pending.last_error.clone(),
    }
}

#[cfg(test)]
mod tests {
    use telex_model::Stage;
    use telex_telemetry::Metrics;
    use telex_web::{ClientOptions, HostLimitsOptions};

    use super::*;
    use crate::frontier::tests::item;

    fn linked(link: &str) -> Item {
        Item {
            url: Some(link.to_owned()),
            ..item(1, 7, "https://h.test/rss")
        }
    }

    #[test]
    fn a_page_in_an_amp_cache_is_fetched_from_its_publisher() {
        let of = |link: &str| address(&linked(link)).map(String::from);
        let own = "https://news.example.org/a?b=c";
        assert_eq!(of(own).as_deref(), Ok(own));
        let cached = "https://www.google.com/amp/s/news.example.org/a?b=c";
        assert_eq!(of(cached).as_deref(), Ok(own));
    }

    #[test]
    fn a_revision_that_waited_is_passed_on_with_the_page_that_it_brought() {
        let shared = Shared {
            client: Client::new(ClientOptions::default()).expect("a client"),
            limits: HostLimits::new(HostLimitsOptions::default()),
            robots: Robots::new("telex", 1000),
            prefix: "t".into(),
            metrics: Metrics::new().stage(Stage::Fetcher, &[], &[]),
            max_attempts: 1,
            first_retry: Duration::ZERO,
        };
        let url = "https://h.test/a";
        let brought = FetchedPage {
            html: "<p>The ferry was late.</p>".into(),
            final_url: url.to_owned(),
            status: 200,
            fetched_at: Timestamp::UNIX_EPOCH,
        };
        let pending = Pending {
            partition: 3,
            item: Box::new(Item {
                page: Some(Box::new(brought.clone())),
                ..linked(url)
            }),
            host: "h.test:443".into(),
            revision: 2,
            first_seen: Timestamp::UNIX_EPOCH,
            attempts: 0,
            not_before: Timestamp::UNIX_EPOCH,
            last_error: None,
            fetch: Some(1),
        };
        // Outside of a runtime no request could be made.
        let fetched = futures_util::FutureExt::now_or_never(fetch(&pending, &shared));
        let Some(Fetched::Done { outputs, done, .. }) = fetched else {
            panic!("it is done at once");
        };
        assert_eq!((done.revision, done.item_hash), (2, 7));
        let value = outputs.first().and_then(|o| o.value.clone()).expect("a page");
        let page: Page = serde_json::from_slice(&value).expect("a page");
        assert_eq!((page.body, page.item.page), (Body::Page(brought), None));
    }
}
