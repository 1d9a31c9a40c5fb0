//! Feeds: how each does, and changes to the list.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telex_model::Origin;
use telex_operate::{Declared, FeedStatus, Feeds, OperateError, web_url};
use telex_poller::list::Listed;

use crate::app::App;
use crate::ask::Fields;
use crate::failure::Failure;
use crate::guard::{self, Told};
use crate::look::on_thread;
use crate::render::link;

/// Feeds of a page.
const ON_A_PAGE: usize = 200;

/// Feeds added at once.
const MAX_ADDED: usize = 500;

/// Labels of a feed.
const MAX_LABELS: usize = 20;

const FIELDS: [&str; 4] = ["q", "health", "from", "done"];

/// Feeds of an answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FeedList {
    /// The feeds, worst first.
    feeds: Vec<FeedStatus>,
    /// All that match.
    total: usize,
    /// What to give as `from` for those that follow; absent at the end.
    next: Option<usize>,
}

/// Feeds to put on the list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFeeds {
    /// Their addresses.
    urls: Vec<String>,
    /// Labels that their articles carry.
    #[serde(default)]
    labels: Vec<String>,
}

/// What was done to feeds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Changed {
    /// Feeds that were changed.
    changed: usize,
}

/// What can be done to a feed on the list.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Poll,
    Pause,
    Resume,
    Remove,
}

impl Deed {
    fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "poll" => Ok(Self::Poll),
            "pause" => Ok(Self::Pause),
            "resume" => Ok(Self::Resume),
            "remove" => Ok(Self::Remove),
            _ => Err(Failure::missing(
                "feeds can be polled, paused, resumed and removed",
            )),
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Poll => "polled",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Remove => "removed",
        }
    }
}

async fn chosen(app: &App, fields: &Fields) -> Result<FeedList, Failure> {
    let from = fields.get("from").unwrap_or("0").parse::<usize>();
    let from = from.map_err(|_| Failure::bad("from: no number of feeds"))?;
    let wanted = fields.get("q").map(str::to_lowercase);
    let feeds = app.looks.feeds().await?;
    let matches = |f: &&FeedStatus| {
        let title = f.feed.title.as_deref().unwrap_or_default().to_lowercase();
        let named = wanted
            .as_ref()
            .is_none_or(|q| f.feed.url.to_lowercase().contains(q) || title.contains(q));
        named && fields.get("health").is_none_or(|h| f.health() == h)
    };
    let matching: Vec<&FeedStatus> = feeds.iter().filter(matches).collect();
    let shown: Vec<FeedStatus> = matching
        .iter()
        .skip(from)
        .take(ON_A_PAGE)
        .map(|f| (*f).clone())
        .collect();
    let next = from.saturating_add(shown.len());
    Ok(FeedList {
        next: (next < matching.len()).then_some(next),
        total: matching.len(),
        feeds: shown,
    })
}

/// `GET /api/v1/feeds`
pub(crate) async fn list_json(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<FeedList>, Failure> {
    let fields = Fields::parse(uri.query().unwrap_or_default(), &["q", "health", "from"])?;
    chosen(&app, &fields).await.map(Json)
}

#[derive(Serialize)]
struct ListView<'a> {
    rows: Vec<Row>,
    total: usize,
    q: Option<&'a str>,
    health: Option<&'a str>,
    done: Option<&'static str>,
    next: Option<String>,
    /// What was typed and not taken.
    typed: Option<Typed<'a>>,
}

/// What was typed into the form, and what is wrong with it.
#[derive(Serialize)]
struct Typed<'a> {
    urls: &'a str,
    labels: &'a str,
    wrong: String,
}

#[derive(Serialize)]
struct Row {
    id: String,
    url: String,
    link: Option<String>,
    title: Option<String>,
    labels: Vec<String>,
    health: &'static str,
    paused: bool,
    error: Option<String>,
    failures: u32,
    succeeded: Option<Timestamp>,
    next_poll: Option<Timestamp>,
    items_per_day: Option<f32>,
    moved_to: Option<String>,
    push: bool,
}

fn row(status: FeedStatus) -> Row {
    let health = status.health();
    let state = status.state;
    let feed = status.feed;
    Row {
        id: feed.id.to_string(),
        link: link(&feed.url),
        title: feed.title.or_else(|| state.as_ref()?.title.clone()),
        labels: feed.labels,
        health,
        paused: feed.paused,
        url: feed.url,
        error: state
            .as_ref()
            .and_then(|s| s.last_error.clone())
            .filter(|_| health != "healthy"),
        failures: state.as_ref().map_or(0, |s| s.failures),
        succeeded: state.as_ref().and_then(|s| s.succeeded_at),
        next_poll: state.as_ref().map(|s| s.next_poll).filter(|_| !feed.paused),
        items_per_day: state.as_ref().and_then(|s| s.items_per_day),
        push: state
            .as_ref()
            .is_some_and(|s| s.push.as_ref().is_some_and(|p| p.lease_until.is_some())),
        moved_to: state.and_then(|s| s.moved_to),
    }
}

/// `GET /feeds`
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Failure> {
    let fields = Fields::parse(uri.query().unwrap_or_default(), &FIELDS)?;
    show(&app, &headers, &fields, None).await
}

async fn show(
    app: &Arc<App>,
    headers: &HeaderMap,
    fields: &Fields,
    typed: Option<Typed<'_>>,
) -> Result<Response, Failure> {
    let chosen = chosen(app, fields).await?;
    let done = match fields.get("done") {
        Some("known") => Some("It was on the list already; what was new of it was added."),
        Some("added") => Some("On the list; it is polled at once."),
        Some("polled") => Some("It is polled at once, due or not."),
        Some("paused") => Some("It rests until resumed."),
        Some("resumed") => Some("It is polled again."),
        Some("removed") => Some("Off the list; its articles stay."),
        _ => None,
    };
    let view = ListView {
        rows: chosen.feeds.into_iter().map(row).collect(),
        total: chosen.total,
        q: fields.get("q"),
        health: fields.get("health"),
        done,
        next: chosen.next.map(|n| fields.with("/feeds", "from", &n.to_string())),
        typed,
    };
    app.page("feeds.html", app.keys.signed_in(headers).as_ref(), view)
}

/// `POST /api/v1/feeds`
pub(crate) async fn add_json(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Declared>), Failure> {
    app.keys.may_change(&headers, None).await?;
    let new: NewFeeds = guard::json(&headers, body).await?;
    let done = add(&app, new).await?;
    Ok((StatusCode::CREATED, Json(done)))
}

/// `POST /feeds`
pub(crate) async fn add_form(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let fields = app.keys.form(&headers, body, &["urls", "labels"]).await?;
    let words = |name| fields.get(name).unwrap_or_default();
    let new = NewFeeds {
        urls: words("urls").split_whitespace().map(str::to_owned).collect(),
        labels: words("labels")
            .split(',')
            .map(|l| l.trim().to_owned())
            .filter(|l| !l.is_empty())
            .collect(),
    };
    let done = match add(&app, new).await {
        Ok(done) if done.added == 0 => "known",
        Ok(_) => "added",
        Err(wrong) if wrong.status == StatusCode::BAD_REQUEST => {
            let typed = Typed {
                urls: words("urls"),
                labels: words("labels"),
                wrong: wrong.detail,
            };
            let mut page = show(&app, &headers, &Fields::default(), Some(typed)).await?;
            *page.status_mut() = wrong.status;
            // The page says what is wrong.
            page.extensions_mut().insert(Told);
            return Ok(page);
        }
        Err(failure) => return Err(failure),
    };
    Ok(Redirect::to(&format!("/feeds?done={done}")).into_response())
}

async fn add(app: &App, new: NewFeeds) -> Result<Declared, Failure> {
    if new.urls.is_empty() || new.urls.len() > MAX_ADDED {
        return Err(Failure::bad(format!("give 1 to {MAX_ADDED} addresses of feeds")));
    }
    if new.labels.len() > MAX_LABELS || new.labels.iter().any(|l| l.chars().count() > 100) {
        return Err(Failure::bad(format!(
            "at most {MAX_LABELS} labels of at most 100 characters"
        )));
    }
    let listed = |url: &String| {
        Ok(Listed {
            url: web_url(url)?,
            title: None,
            labels: new.labels.clone(),
        })
    };
    let listed: Result<Vec<Listed>, OperateError> = new.urls.iter().map(listed).collect();
    let listed = listed?;
    let (bus, prefix) = (Arc::clone(&app.parts.bus), app.parts.prefix.clone());
    let turn = Arc::clone(&app.changing).lock_owned().await;
    let done = on_thread(move || {
        let _turn = turn;
        Feeds::new(bus.as_ref(), &prefix).declare(listed, Origin::Command)
    });
    let done = done.await?;
    app.looks.forget();
    Ok(done)
}

/// `POST /api/v1/feeds/{id}/{deed}`
pub(crate) async fn change_json(
    State(app): State<Arc<App>>,
    Path((id, deed)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Changed>, Failure> {
    app.keys.may_change(&headers, None).await?;
    let deed = Deed::parse(&deed)?;
    let changed = change(&app, id, deed).await?;
    Ok(Json(Changed { changed }))
}

/// `POST /feeds/{id}/{deed}`
pub(crate) async fn change_form(
    State(app): State<Arc<App>>,
    Path((id, deed)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    app.keys.form(&headers, body, &[]).await?;
    let deed = Deed::parse(&deed)?;
    change(&app, id, deed).await?;
    Ok(Redirect::to(&format!("/feeds?done={}", deed.done())).into_response())
}

async fn change(app: &App, id: String, deed: Deed) -> Result<usize, Failure> {
    let (bus, prefix) = (Arc::clone(&app.parts.bus), app.parts.prefix.clone());
    let turn = Arc::clone(&app.changing).lock_owned().await;
    let changed = on_thread(move || {
        let _turn = turn;
        let feeds = Feeds::new(bus.as_ref(), &prefix);
        let named = [id];
        match deed {
            Deed::Poll => feeds.poll(&named, Timestamp::now()),
            Deed::Pause => feeds.change(&named, |f| f.paused = true),
            Deed::Resume => feeds.change(&named, |f| f.paused = false),
            Deed::Remove => feeds.remove(&named),
        }
    });
    let changed = changed.await?;
    app.looks.forget();
    Ok(changed)
}
