//! The trace of an article: what each stage made of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use telex_model::ArticleId;
use telex_operate::{article_id, trace};

use crate::app::App;
use crate::ask::Fields;
use crate::failure::Failure;
use crate::look::on_thread;

/// Longest search: it reads every topic as far as it is kept.
const TIME: Duration = Duration::from_secs(15);

/// What became of an article.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TraceOf {
    /// Its id.
    id: ArticleId,
    /// Its records, in the order in which they were written.
    steps: Vec<StepOf>,
    /// Every topic was read to its end; else there was not time for all, and `telex trace` takes what it needs.
    whole: bool,
}

/// One record of an article.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StepOf {
    /// When it was written.
    time: Timestamp,
    /// Where it stands: topic, partition and offset.
    place: String,
    /// What it says.
    said: String,
}

async fn find(app: &App, id: ArticleId) -> Result<TraceOf, Failure> {
    let Ok(turn) = Arc::clone(&app.traces).try_acquire_owned() else {
        return Err(Failure::unavailable(
            "another trace is being read; try again in a moment",
        ));
    };
    let (bus, prefix) = (Arc::clone(&app.parts.bus), app.parts.prefix.clone());
    on_thread(move || {
        let _turn = turn;
        let begun = Instant::now();
        let step = |s: telex_operate::Step| StepOf {
            time: s.message.timestamp,
            place: s.place(&prefix),
            said: s.said(),
        };
        let found = trace(bus.as_ref(), &prefix, id, &mut |_| begun.elapsed() < TIME, step)?;
        Ok(TraceOf {
            id,
            steps: found.steps,
            whole: found.whole,
        })
    })
    .await
}

/// `GET /api/v1/articles/{id}/trace`
pub(crate) async fn json(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<TraceOf>, Failure> {
    Ok(Json(find(&app, article_id(&id)?).await?))
}

#[derive(Serialize)]
struct View<'a> {
    asked: Option<&'a str>,
    found: Option<TraceOf>,
}

/// `GET /trace`
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Failure> {
    let fields = Fields::parse(uri.query().unwrap_or_default(), &["article"])?;
    let asked = fields.get("article");
    let found = match asked {
        Some(text) => Some(find(&app, article_id(text)?).await?),
        None => None,
    };
    app.page(
        "trace.html",
        app.keys.signed_in(&headers).as_ref(),
        View { asked, found },
    )
}
