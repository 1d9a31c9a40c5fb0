//! The HTTP side: routing, conditional requests, compression, prescribed answers, the log.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response as HttpResponse, StatusCode, Uri, header},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt, stream};
use jiff::{Timestamp, fmt::rfc2822};

use crate::{
    article::PageBehaviour,
    feed::{self, Special},
    page::{Content, Renderer},
    paper::{FeedSpec, Paper},
    response::Response,
    world::{Story, World},
};

/// Requests kept in the log; older ones are forgotten. More than any test sends.
const LOG_LENGTH: usize = 65_536;
/// Smallest body that is worth compressing, as web servers have it by default.
const GZIP_FROM: usize = 1024;
/// Pause before a connection is broken: an error discards what the server has not yet written to the socket.
const BEFORE_BREAK: Duration = Duration::from_millis(50);
/// How long a client may keep a feed, in seconds; short, since tests poll often.
const FEED_MAX_AGE: &str = "max-age=5";

/// One request that reached the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Address and port of the newspaper.
    pub host: String,
    /// Path with query.
    pub path: String,
    /// Status that was answered.
    pub status: u16,
    /// When it came in.
    pub at: Timestamp,
    /// Whether it carried a validator.
    pub conditional: bool,
    /// Who asked, where it said so.
    pub user_agent: Option<String>,
}

/// What all listeners share.
pub(crate) struct Shared {
    pub(crate) world: RwLock<World>,
    pub(crate) renderer: Renderer,
    pub(crate) slow: Duration,
    log: Mutex<VecDeque<Request>>,
    /// Prescribed answers by URL, or by path for every host.
    scripts: Mutex<HashMap<String, VecDeque<Response>>>,
}

/// An answer before it is put on the wire.
struct Answer {
    status: u16,
    headers: Vec<(HeaderName, String)>,
    body: Bytes,
    delay: Duration,
    truncated_after: Option<usize>,
}

impl Answer {
    fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![(header::CONTENT_TYPE, content_type.to_owned())],
            body: body.into(),
            delay: Duration::ZERO,
            truncated_after: None,
        }
    }

    fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        let value = value.into();
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value));
        self
    }
}

impl Shared {
    pub(crate) fn new(world: World, renderer: Renderer, slow: Duration) -> Self {
        let flaky: Vec<String> = world
            .papers
            .iter()
            .enumerate()
            .flat_map(|(index, _)| world.stories_of(index))
            .filter(|story| story.article.page == PageBehaviour::Flaky)
            .map(|story| world.url(story))
            .collect();
        let scripts = flaky
            .into_iter()
            .map(|url| (url, VecDeque::from([Response::status(500)])))
            .collect();
        Self {
            world: RwLock::new(world),
            renderer,
            slow,
            log: Mutex::default(),
            scripts: Mutex::new(scripts),
        }
    }

    pub(crate) fn script(&self, target: &str, responses: Vec<Response>) {
        lock(&self.scripts)
            .entry(target.to_owned())
            .or_default()
            .extend(responses);
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        lock(&self.log).iter().cloned().collect()
    }

    /// Answers one request to a newspaper.
    pub(crate) async fn answer(
        &self,
        paper: usize,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> HttpResponse<Body> {
        let at = Timestamp::now();
        let answer = self.decide(paper, method, uri, headers);
        self.record(paper, uri, headers, at, answer.status);
        if answer.delay > Duration::ZERO {
            tokio::time::sleep(answer.delay).await;
        }
        on_the_wire(answer)
    }

    fn decide(&self, paper: usize, method: &Method, uri: &Uri, headers: &HeaderMap) -> Answer {
        if method != Method::GET && method != Method::HEAD {
            return Answer::new(405, "text/plain", "only GET and HEAD\n").with(header::ALLOW, "GET, HEAD");
        }
        let world = self.world.read().unwrap_or_else(PoisonError::into_inner);
        let scripted = self.scripted(world.origin(paper), uri.path());
        let ordinary = || {
            let answer = self
                .ordinary(&world, paper, uri.path(), headers)
                .unwrap_or_else(|error| {
                    // A template of ours is wrong; the reason in the body makes the failing test readable.
                    Answer::new(500, "text/plain; charset=utf-8", format!("{error:#}\n"))
                });
            let compresses = world.papers.get(paper).is_some_and(|paper| paper.gzip);
            if compresses && accepts_gzip(headers) {
                compressed(answer)
            } else {
                answer
            }
        };
        match scripted {
            Some(response) => prescribed(response, ordinary),
            None => ordinary(),
        }
    }

    fn scripted(&self, origin: &str, path: &str) -> Option<Response> {
        let mut scripts = lock(&self.scripts);
        [format!("{origin}{path}"), path.to_owned()]
            .iter()
            .find_map(|key| scripts.get_mut(key)?.pop_front())
    }

    fn ordinary(
        &self,
        world: &World,
        index: usize,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Answer, minijinja::Error> {
        let Some(paper) = world.papers.get(index) else {
            return Ok(Answer::new(404, "text/plain", "no such newspaper\n"));
        };
        let page = |status, content| {
            let html = self.renderer.page(world, index, content)?;
            let charset = encoding_rs::Encoding::for_label(paper.charset.as_bytes());
            let body = charset.unwrap_or(encoding_rs::UTF_8).encode(&html).0.into_owned();
            Ok(Answer::new(
                status,
                &format!("text/html; charset={}", paper.charset),
                body,
            ))
        };
        if let Some(feed) = paper.feeds.iter().find(|feed| feed.path == path) {
            return self.feed(world, index, paper, feed, headers);
        }
        if path == "/robots.txt" {
            return Ok(Answer::new(
                200,
                "text/plain; charset=utf-8",
                robots(world, index),
            ));
        }
        if path == "/" {
            return page(200, Content::Front);
        }
        if let Some(moved) = path.strip_prefix("/go") {
            return match world.story_at(index, moved) {
                Some(_) => Ok(Answer::new(301, "text/plain", "").with(header::LOCATION, moved)),
                None => page(404, Content::NotFound),
            };
        }
        match world.story_at(index, path) {
            None
            | Some(Story {
                article:
                    crate::Article {
                        page: PageBehaviour::Missing,
                        ..
                    },
                ..
            }) => page(404, Content::NotFound),
            Some(story) if story.article.page == PageBehaviour::Consent => page(200, Content::Consent(story)),
            Some(story) => page(200, Content::Article(story)),
        }
    }

    fn feed(
        &self,
        world: &World,
        index: usize,
        paper: &Paper,
        feed: &FeedSpec,
        headers: &HeaderMap,
    ) -> Result<Answer, minijinja::Error> {
        let rendered = feed::render(world, &self.renderer, index, paper, feed)?;
        let etag = format!(
            "\"{}\"",
            blake3::hash(&rendered.body)
                .to_hex()
                .chars()
                .take(16)
                .collect::<String>()
        );
        let unchanged = if feed.special == Special::Unchanging {
            is_conditional(headers)
        } else {
            is_unchanged(headers, &etag, rendered.changed)
        };
        let mut answer = if unchanged {
            let mut answer = Answer::new(304, rendered.content_type, "");
            answer.headers.clear();
            answer
        } else {
            Answer::new(200, rendered.content_type, rendered.body)
        };
        if let Ok(date) = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&rendered.changed) {
            answer = answer.with(header::LAST_MODIFIED, date);
        }
        if feed.special == Special::Slow {
            answer.delay = self.slow;
        }
        Ok(answer
            .with(header::ETAG, etag)
            .with(header::CACHE_CONTROL, FEED_MAX_AGE))
    }

    fn record(&self, paper: usize, uri: &Uri, headers: &HeaderMap, at: Timestamp, status: u16) {
        let world = self.world.read().unwrap_or_else(PoisonError::into_inner);
        let host = world.origin(paper).trim_start_matches("http://").to_owned();
        let path = uri
            .path_and_query()
            .map_or_else(|| uri.path().to_owned(), ToString::to_string);
        let user_agent = headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok());
        let conditional = is_conditional(headers);
        let mut log = lock(&self.log);
        if log.len() == LOG_LENGTH {
            log.pop_front();
        }
        log.push_back(Request {
            host,
            path,
            status,
            at,
            conditional,
            user_agent: user_agent.map(str::to_owned),
        });
    }
}

fn robots(world: &World, paper: usize) -> String {
    let mut text = String::from("User-agent: *\nDisallow: /search\nDisallow: /account/\n");
    for story in world.stories_of(paper) {
        if story.article.page == PageBehaviour::Forbidden {
            text.push_str(&format!("Disallow: {}\n", world.path(story)));
        }
    }
    text
}

fn is_conditional(headers: &HeaderMap) -> bool {
    headers.contains_key(header::IF_NONE_MATCH) || headers.contains_key(header::IF_MODIFIED_SINCE)
}

/// Evaluates the validators as RFC 9110, section 13.2.2 orders them: the date counts only where there is no tag.
fn is_unchanged(headers: &HeaderMap, etag: &str, changed: Timestamp) -> bool {
    if let Some(tags) = headers.get(header::IF_NONE_MATCH) {
        let tags = tags.to_str().unwrap_or_default();
        return tags
            .split(',')
            .any(|tag| tag.trim().trim_start_matches("W/") == etag || tag.trim() == "*");
    }
    headers
        .get(header::IF_MODIFIED_SINCE)
        .and_then(|date| date.to_str().ok())
        .and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date).ok())
        .is_some_and(|since| since.as_second() >= changed.as_second())
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|coding| coding.trim().starts_with("gzip")))
}

fn compressed(answer: Answer) -> Answer {
    if answer.body.len() < GZIP_FROM {
        return answer;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    match encoder.write_all(&answer.body).and_then(|()| encoder.finish()) {
        Ok(body) => Answer {
            body: body.into(),
            ..answer
        }
        .with(header::CONTENT_ENCODING, "gzip")
        .with(header::VARY, "accept-encoding"),
        Err(_) => answer,
    }
}

fn prescribed(response: Response, ordinary: impl FnOnce() -> Answer) -> Answer {
    let mut answer = match response.replaced {
        Some((status, body)) => Answer::new(status, "text/html; charset=utf-8", body),
        None => ordinary(),
    };
    if response.bad_gzip {
        // The ten bytes of a gzip header (RFC 1952), then a deflate block of the reserved type 3.
        answer.body = Bytes::from_static(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff]);
        answer = answer.with(header::CONTENT_ENCODING, "gzip");
    }
    for (name, value) in response.headers {
        if let Ok(name) = HeaderName::try_from(name) {
            answer = answer.with(name, value);
        }
    }
    answer.delay = answer.delay.max(response.delay);
    answer.truncated_after = response.truncated_after;
    answer
}

fn on_the_wire(answer: Answer) -> HttpResponse<Body> {
    let length = answer.body.len();
    let body = match answer.truncated_after {
        None => Body::from(answer.body),
        Some(bytes) => {
            let kept = answer.body.slice(..bytes.min(length));
            let broken = io::Error::new(io::ErrorKind::ConnectionReset, "broken off as prescribed");
            let end = stream::once(async move {
                tokio::time::sleep(BEFORE_BREAK).await;
                Err(broken)
            });
            Body::from_stream(stream::once(async move { Ok(kept) }).chain(end))
        }
    };
    let mut response = HttpResponse::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().append(name, value);
        }
    }
    if answer.truncated_after.is_some() {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// Locks also after a panic elsewhere: the maps are whole between calls.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
