//! What hubs call: it proves that they are who they say, and puts what they say on the bus.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::StreamExt;
use jiff::Timestamp;
use telex_model::{FeedId, FeedSignal, Said, Topic, event, to_json};
use telex_stream::{Bus, BusError, Output, Route, read_all};
use telex_telemetry::{Metrics, serve_http};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};
use url::form_urlencoded;

use super::keys::{Check, Place};
use super::{LEASES, WebSub};
use crate::poll::MAX_FEED;

/// Longest content, in bytes. It is hashed as it comes and never kept.
const MAX_CONTENT: usize = MAX_FEED;

/// Content that takes longer is given up, in all.
const CONTENT_TIME: Duration = Duration::from_secs(30);

/// Calls with content under way at once.
const MAX_CALLS: usize = 256;

/// Longest challenge that is given back, in bytes.
const MAX_CHALLENGE: usize = 1024;

/// Pings are gathered for so long, so that a hub that calls for each item makes one message.
const GATHER: Duration = Duration::from_millis(200);

/// After a failure to write, pings wait for so long.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Feeds whose pings are gathered at once.
const MAX_GATHERED: usize = 10_000;

/// Outcomes of calls, as labels.
const OUTCOMES: [&str; 9] = [
    "ping",
    "verified",
    "denied",
    "unsubscribed",
    "unsigned",
    "bad_signature",
    "unknown",
    "invalid",
    "busy",
];

/// Why the callback is not served.
#[derive(Debug, thiserror::Error)]
#[error("the WebSub callback cannot listen on {address}")]
pub struct WebSubError {
    address: SocketAddr,
    source: std::io::Error,
}

struct Shared {
    websub: WebSub,
    bus: Arc<dyn Bus>,
    prefix: String,
    metrics: Arc<Metrics>,
    calls: Semaphore,
    pinged: Mutex<HashMap<FeedId, (String, Timestamp)>>,
    gathered: Notify,
}

/// Serves the callback until the runtime ends; gives the address that it listens on, once it does. Meant to stand
/// behind a proxy that speaks TLS.
///
/// # Errors
/// Where the address cannot be bound.
pub async fn serve(
    address: SocketAddr,
    websub: WebSub,
    bus: Arc<dyn Bus>,
    prefix: &str,
    metrics: Arc<Metrics>,
) -> Result<SocketAddr, WebSubError> {
    let wrap = |source| WebSubError { address, source };
    let listener = TcpListener::bind(address).await.map_err(wrap)?;
    let bound = listener.local_addr().map_err(wrap)?;
    OUTCOMES
        .iter()
        .for_each(|outcome| drop(metrics.websub_callbacks.with_label_values(&[outcome])));
    let base = websub.callback.path().trim_end_matches('/').to_owned();
    let shared = Arc::new(Shared {
        websub,
        bus,
        prefix: prefix.to_owned(),
        metrics,
        calls: Semaphore::new(MAX_CALLS),
        pinged: Mutex::default(),
        gathered: Notify::new(),
    });
    let app = Router::new()
        .route(
            &format!("{base}/{{feed}}/{{domain}}/{{topic}}/{{seal}}"),
            get(verify).post(content),
        )
        .fallback(|State(shared): State<Arc<Shared>>| async move {
            shared.answer("unknown", StatusCode::NOT_FOUND)
        })
        .with_state(Arc::clone(&shared));
    tokio::spawn(serve_http(listener, app));
    tokio::spawn(async move { shared.write_pings().await });
    Ok(bound)
}

type Parts = Path<[String; 4]>;

/// A hub asks whether we want what it was asked for, or says that it will not do it.
async fn verify(
    State(shared): State<Arc<Shared>>,
    Path(parts): Parts,
    RawQuery(query): RawQuery,
) -> Response {
    let query: HashMap<String, String> = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    let said = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let topic = said("hub.topic");
    let Some(place) = shared.websub.keys.open(&parts).filter(|place| place.is_of(topic)) else {
        return shared.answer("unknown", StatusCode::NOT_FOUND);
    };
    let challenge = said("hub.challenge").to_owned();
    let fits = !challenge.is_empty() && challenge.len() <= MAX_CHALLENGE;
    let (outcome, signal) = match said("hub.mode") {
        "subscribe" if fits => {
            let lease = said("hub.lease_seconds").parse().unwrap_or(*LEASES.start());
            let lease_seconds = lease.clamp(*LEASES.start(), *LEASES.end());
            ("verified", Some(Said::Subscribed { lease_seconds }))
        }
        "denied" => {
            let reason = said("hub.reason").chars().take(200).collect();
            ("denied", Some(Said::Denied { reason }))
        }
        "unsubscribe" if fits => ("unsubscribed", None),
        _ => return shared.answer("invalid", StatusCode::BAD_REQUEST),
    };
    let unsubscribes = signal.is_none();
    let worked = Arc::clone(&shared);
    let done = tokio::task::spawn_blocking(move || match signal {
        Some(said) => worked
            .append(vec![worked.output(&place, Timestamp::now(), said)])
            .map(|()| true),
        None => worked.is_listed(place.feed).map(|listed| !listed),
    });
    match done.await {
        Ok(Ok(true)) if unsubscribes || outcome == "verified" => {
            let headers = [
                (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            shared.count(outcome);
            (headers, challenge).into_response()
        }
        Ok(Ok(true)) => shared.answer(outcome, StatusCode::OK),
        // Somebody else wants a feed of ours unsubscribed.
        Ok(Ok(false)) => shared.answer("invalid", StatusCode::NOT_FOUND),
        Ok(Err(error)) => {
            tracing::warn!(%error, "what a hub said could not be written");
            shared.answer("busy", StatusCode::SERVICE_UNAVAILABLE)
        }
        Err(_) => shared.answer("busy", StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// A hub sends content: that it signed it is all that matters.
async fn content(
    State(shared): State<Arc<Shared>>,
    Path(parts): Parts,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(place) = shared.websub.keys.open(&parts) else {
        return shared.answer("unknown", StatusCode::NOT_FOUND);
    };
    let Ok(_call) = shared.calls.try_acquire() else {
        return shared.answer("busy", StatusCode::SERVICE_UNAVAILABLE);
    };
    // The Recommendation has content that is not rightly signed ignored and acknowledged, so that nobody learns from
    // the answer.
    let Some(signature) = headers
        .get("x-hub-signature")
        .and_then(|value| value.to_str().ok())
    else {
        return shared.answer("unsigned", StatusCode::ACCEPTED);
    };
    let Some(check) = shared.websub.keys.check(place.feed, signature) else {
        return shared.answer("bad_signature", StatusCode::ACCEPTED);
    };
    match timeout(CONTENT_TIME, read(body, check)).await {
        Ok(Ok(true)) if shared.gather(place) => shared.answer("ping", StatusCode::ACCEPTED),
        Ok(Ok(true)) => shared.answer("busy", StatusCode::SERVICE_UNAVAILABLE),
        Ok(Ok(false)) => shared.answer("bad_signature", StatusCode::ACCEPTED),
        Ok(Err(status)) => shared.answer("invalid", status),
        Err(_) => shared.answer("invalid", StatusCode::REQUEST_TIMEOUT),
    }
}

/// Hashes content to its end; tells whether its signature is right.
async fn read(body: Body, mut check: Check) -> Result<bool, StatusCode> {
    let mut chunks = body.into_data_stream();
    let mut length = 0usize;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| StatusCode::BAD_REQUEST)?;
        length = length.saturating_add(chunk.len());
        if length > MAX_CONTENT {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        check.update(&chunk);
    }
    Ok(check.passes())
}

impl Shared {
    fn pinged(&self) -> MutexGuard<'_, HashMap<FeedId, (String, Timestamp)>> {
        self.pinged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, outcome: &str) {
        self.metrics.websub_callbacks.with_label_values(&[outcome]).inc();
    }

    fn answer(&self, outcome: &str, status: StatusCode) -> Response {
        self.count(outcome);
        status.into_response()
    }

    fn output(&self, place: &Place, at: Timestamp, said: Said) -> Output {
        let topic = Topic::Feeds;
        let feed = place.feed;
        let signal = FeedSignal { feed, at, said };
        Output {
            topic: topic.name(&self.prefix),
            key: Bytes::from(signal.key()),
            route: Route::By(Bytes::from(place.domain.clone())),
            value: Some(to_json(&signal).into()),
            headers: event::headers(&topic, "websub", signal.key(), at),
        }
    }

    fn append(&self, outputs: Vec<Output>) -> Result<(), BusError> {
        self.bus.append(outputs)
    }

    /// Tells whether a feed is on the list. Reads all of it, which only the end of a subscription asks for.
    fn is_listed(&self, feed: FeedId) -> Result<bool, BusError> {
        let (key, mut listed) = (feed.to_string(), false);
        read_all(
            self.bus.as_ref(),
            &Topic::Feeds.name(&self.prefix),
            &mut |message| {
                if *message.key == *key.as_bytes() {
                    listed = message.value.is_some();
                }
            },
        )?;
        Ok(listed)
    }

    /// Keeps a ping to be written; false where there are too many.
    fn gather(&self, place: Place) -> bool {
        let mut pinged = self.pinged();
        if pinged.len() >= MAX_GATHERED && !pinged.contains_key(&place.feed) {
            return false;
        }
        pinged.insert(place.feed, (place.domain, Timestamp::now()));
        self.gathered.notify_one();
        true
    }

    async fn write_pings(self: Arc<Self>) {
        loop {
            self.gathered.notified().await;
            sleep(GATHER).await;
            let pinged = std::mem::take(&mut *self.pinged());
            let worked = Arc::clone(&self);
            let outputs: Vec<Output> = pinged
                .iter()
                .map(|(feed, (domain, at))| {
                    let place = Place::new(*feed, domain.clone(), "");
                    self.output(&place, *at, Said::Ping)
                })
                .collect();
            let done = tokio::task::spawn_blocking(move || worked.append(outputs)).await;
            if let Ok(Err(error)) = done {
                tracing::warn!(%error, "pings could not be written; they are kept");
                for (feed, ping) in pinged {
                    self.pinged().entry(feed).or_insert(ping);
                }
                sleep(AFTER_FAILURE).await;
                self.gathered.notify_one();
            }
        }
    }
}
