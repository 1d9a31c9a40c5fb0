//! Server-sent events: articles as they are stored, and the overview as it changes.
//!
//! Nothing is held for a reader: the next event is made when its connection has taken the last, so a slow one costs
//! no memory; who takes nothing for half a minute is let go by the server below. The id of an event is the number of
//! the change in the sink's database, so that a reader who comes back with `Last-Event-ID` gets what it missed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use schemars::JsonSchema;
use serde::Serialize;
use telex_model::ArticleId;
use telex_sink::{ChangeKind, Changed, Changes, Query, SinkError};
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::articles::ArticleSummary;
use crate::ask::{self, Fields};
use crate::failure::Failure;
use crate::status;

/// Readers at once.
pub(crate) const READERS: usize = 64;

/// Changes read at once, where their articles are short.
const AT_ONCE: u32 = 100;

/// Between two looks for changes.
const LOOK: Duration = Duration::from_millis(500);

/// A reader hears something so often, that it knows the connection to be there.
const BEAT: u32 = 30;

/// Between two overviews.
const OVERVIEW: Duration = Duration::from_secs(5);

/// An article was withdrawn.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Withdrawn {
    /// Its id.
    id: ArticleId,
}

/// What follows one after the other.
struct Reader {
    app: Arc<App>,
    _place: OwnedSemaphorePermit,
    wanted: Arc<Wanted>,
    /// Number of the last change that was seen; none before the first look.
    seen: Option<u64>,
    quiet: u32,
    /// The database was read: when it is busy later, there is nothing yet.
    begun: bool,
}

/// `GET /api/v1/events`
pub(crate) async fn articles(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Failure> {
    let known = ["tag", "language", "source", "after"];
    let fields = Fields::parse(uri.query().unwrap_or_default(), &known)?;
    let wanted = Arc::new(Wanted(ask::query(&fields, 1)?));
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let after = last.or(fields.get("after")).map(str::parse::<u64>);
    let seen = after
        .transpose()
        .map_err(|_| Failure::bad("after, Last-Event-ID: no id of an event"))?;
    let reader = Reader {
        _place: place(&app)?,
        app,
        wanted,
        seen,
        quiet: 0,
        begun: false,
    };
    // Where there is no database the answer says so, rather than a stream that never begins.
    let (first, reader) = reader.next().await?;
    let rest = stream::unfold(Some(reader), |reader| async {
        match reader?.next().await {
            Ok((text, reader)) => Some((text, Some(reader))),
            // The reader comes back with the last id.
            Err(_) => None,
        }
    });
    Ok(answer(stream::StreamExt::chain(stream::iter([first]), rest)))
}

fn place(app: &App) -> Result<OwnedSemaphorePermit, Failure> {
    let place = Arc::clone(&app.readers).try_acquire_owned();
    place.map_err(|_| Failure::unavailable(format!("{READERS} streams are read already; close one")))
}

fn answer(events: impl stream::Stream<Item = String> + Send + 'static) -> Response {
    let chunks = stream::StreamExt::map(events, |text| Ok::<_, Infallible>(Bytes::from(text)));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

impl Reader {
    /// Waits for what comes next.
    async fn next(mut self) -> Result<(String, Self), Failure> {
        let Some(seen) = self.seen else {
            let last = self.app.store.ask(|a| a.last_change()).await?;
            self.seen = Some(last);
            self.begun = true;
            return Ok((event("here", Some(last), "{}"), self));
        };
        let mut seen = seen;
        loop {
            let wanted = Arc::clone(&self.wanted);
            let asked = self
                .app
                .store
                .ask(move |articles| match articles.changes(seen, AT_ONCE)? {
                    Changes::Lost(last) => Ok::<_, SinkError>(Told {
                        text: event("lost", Some(last), "{}"),
                        seen: Some(last),
                    }),
                    Changes::Following(changes) => Ok(Told {
                        text: changes.iter().filter_map(|c| wanted.tell(c)).collect(),
                        seen: changes.last().map(|c| c.number),
                    }),
                });
            let told = match asked.await {
                Err(_) if self.begun => Told::default(),
                asked => asked?,
            };
            self.begun = true;
            match told.seen {
                Some(last) => {
                    seen = last;
                    self.seen = told.seen;
                }
                None => tokio::time::sleep(LOOK).await,
            }
            if !told.text.is_empty() {
                self.quiet = 0;
                return Ok((told.text, self));
            }
            self.quiet += 1;
            if self.quiet >= BEAT {
                self.quiet = 0;
                return Ok((event("here", Some(seen), "{}"), self));
            }
        }
    }
}

/// What is to be told of some changes.
#[derive(Debug, Default)]
struct Told {
    text: String,
    /// Number of the last; none where there was none.
    seen: Option<u64>,
}

/// Which articles a reader asked for.
struct Wanted(Query);

impl Wanted {
    /// Writes a change, where it is of what was asked for.
    fn tell(&self, changed: &Changed) -> Option<String> {
        match &changed.change {
            ChangeKind::Withdrawn(id) => Some(of("withdrawn", changed.number, &Withdrawn { id: *id })),
            ChangeKind::Stored(article) => {
                let article = ArticleSummary::of(article).ok()?;
                let wanted = article.is_of(&self.0);
                wanted.then(|| of("article", changed.number, &article))
            }
        }
    }
}

/// Writes an event of an object, whose JSON is one line.
fn of(name: &str, id: u64, data: &impl Serialize) -> String {
    let json = telex_model::to_json(data);
    format!(
        "event: {name}\nid: {id}\ndata: {}\n\n",
        String::from_utf8_lossy(&json)
    )
}

/// Writes an event; data of several lines as such.
fn event(name: &str, id: Option<u64>, data: &str) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    // A bare carriage return ends a line as well.
    let data = data.replace("\r\n", "\n").replace('\r', "\n");
    let data: String = data.lines().map(|line| format!("data: {line}\n")).collect();
    format!("event: {name}\n{id}{data}\n")
}

/// `GET /events`: the middle of the overview, to be put in place of what is there.
pub(crate) async fn overview(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let place = place(&app)?;
    let events = stream::unfold((app, place), |(app, place)| async {
        tokio::time::sleep(OVERVIEW).await;
        let view = status::status(&app).await;
        let html = app.part("overview_live.html", view.as_ref()).ok()?;
        Some((event("overview", None, &html), (app, place)))
    });
    Ok(answer(events))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_end_an_event() {
        assert_eq!(
            event("article", Some(7), "a\n\nid: 9\r\nevent: x\rid: 10"),
            "event: article\nid: 7\ndata: a\ndata: \ndata: id: 9\ndata: event: x\ndata: id: 10\n\n"
        );
    }
}
