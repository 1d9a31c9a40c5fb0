//! What every route has at hand.

use std::sync::Arc;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use telex_sink::Database;
use telex_stream::Bus;
use telex_telemetry::Metrics;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use crate::events::READERS;
use crate::failure::Failure;
use crate::guard;
use crate::keys::{Keys, SignedIn};
use crate::letters::Outcomes;
use crate::look::Looks;
use crate::render::Renderer;
use crate::status::{Eyes, Good, History, Status};
use crate::store::Store;

/// What a console shows and may do.
#[derive(Debug)]
pub struct Parts {
    /// The bus of the installation.
    pub bus: Arc<dyn Bus>,
    /// First word of the names of its topics.
    pub prefix: String,
    /// Where the sink stores articles; none where the configuration has no sink that can be read.
    pub articles: Option<Database>,
    /// Metrics of the stages, where they run in this process.
    pub metrics: Option<Arc<Metrics>>,
    /// The configuration in force, secrets hidden.
    pub settings: Vec<Setting>,
    /// What the classifier tags.
    pub topics: Vec<TopicAbout>,
    /// Hash of the topic files.
    pub topics_version: String,
    /// What allows changes; none or empty: nothing can be changed.
    pub token: Option<String>,
    /// Names by which the console may be reached, beside IP addresses and `localhost`.
    pub hosts: Vec<String>,
}

/// One setting of the configuration.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Setting {
    /// Its dotted name.
    pub name: String,
    /// Its value; of a secret, whether there is one.
    pub value: serde_json::Value,
    /// Where it comes from: default, a file and line, an environment variable, a flag.
    pub origin: String,
}

/// A topic that the classifier tags.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TopicAbout {
    /// Its name, as in `telex.tagged.<name>.v1`.
    pub name: String,
    /// What it is about, as its file says.
    pub about: String,
}

/// What every route has at hand.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) parts: Parts,
    pub(crate) keys: Keys,
    pub(crate) store: Arc<Store>,
    pub(crate) renderer: Renderer,
    pub(crate) looks: Arc<Looks>,
    pub(crate) history: History,
    /// A trace reads much: one at a time.
    pub(crate) traces: Arc<Semaphore>,
    /// Who changes the list of feeds reads it first: one at a time.
    pub(crate) changing: Arc<Mutex<()>>,
    /// Who puts letters back does so alone: two at once put them back twice.
    pub(crate) replays: Arc<Semaphore>,
    /// What came of the last replays.
    pub(crate) replayed: Outcomes,
    /// Places for readers of streams.
    pub(crate) readers: Arc<Semaphore>,
    /// Whether somebody looks.
    pub(crate) eyes: Eyes,
    /// The last looks that succeeded.
    pub(crate) good: Mutex<Good>,
    /// How the installation does, kept for a moment.
    pub(crate) status: Mutex<Option<(Instant, Arc<Status>)>>,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Result<Arc<Self>, minijinja::Error> {
        Ok(Arc::new(Self {
            keys: Keys::new(parts.token.as_deref(), &parts.hosts),
            store: Store::new(parts.articles.clone()),
            renderer: Renderer::new()?,
            looks: Looks::new(Arc::clone(&parts.bus), &parts.prefix),
            history: History::default(),
            traces: Arc::new(Semaphore::new(1)),
            changing: Arc::default(),
            replays: Arc::new(Semaphore::new(1)),
            replayed: Outcomes::default(),
            readers: Arc::new(Semaphore::new(READERS)),
            eyes: Eyes::default(),
            good: Mutex::default(),
            status: Mutex::default(),
            parts,
        }))
    }

    /// Tells whether a `Host` names this console.
    pub(crate) fn is_ours(&self, host: &str) -> bool {
        guard::is_ours(host, &self.parts.hosts)
    }

    /// Writes a page.
    pub(crate) fn page(
        &self,
        template: &str,
        signed_in: Option<&SignedIn>,
        view: impl Serialize,
    ) -> Result<Response, Failure> {
        let frame = Frame {
            page: template.trim_end_matches(".html"),
            form: signed_in.map(|s| s.form.as_str()),
            changes: self.keys.exist(),
            view,
        };
        let html = self
            .renderer
            .render(template, &frame)
            .map_err(|e| Failure::bug(&e))?;
        Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
    }

    /// Writes a part of a page.
    pub(crate) fn part(&self, template: &str, view: &impl Serialize) -> Result<String, Failure> {
        let frame = serde_json::json!({ "view": view });
        self.renderer
            .render(template, &frame)
            .map_err(|e| Failure::bug(&e))
    }

    /// Writes what went wrong: for programs where they ask, else as a page.
    pub(crate) fn failed(&self, path: &str, signed_in: Option<SignedIn>, failure: &Failure) -> Response {
        let for_programs = path.starts_with("/api/") || (path.starts_with("/feeds/") && path.contains('.'));
        if for_programs {
            return failure.problem();
        }
        let view = serde_json::json!({
            "status": failure.status.as_u16(), "title": failure.title(), "detail": failure.detail,
        });
        match self.page("problem.html", signed_in.as_ref(), view) {
            Ok(mut page) => {
                *page.status_mut() = failure.status;
                page
            }
            Err(_) => failure.problem(),
        }
    }
}

/// What stands around every page, and its middle.
#[derive(Serialize)]
struct Frame<'a, V> {
    page: &'a str,
    /// What the forms of a signed-in browser carry.
    form: Option<&'a str>,
    /// Changes are possible, once signed in.
    changes: bool,
    view: V,
}
