//! What is in force: the configuration, and the topics with what speaks for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use telex_sink::{Query, Reader, SinkError};

use crate::app::{App, Setting};
use crate::failure::Failure;

/// Articles of a topic whose evidence is looked at: the newest.
const LOOKED_AT: usize = 100;

/// Concepts shown of a topic.
const SHOWN: usize = 15;

/// The configuration in force.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Settings {
    /// Every setting, secrets hidden.
    settings: Vec<Setting>,
}

/// The topics.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Topics {
    /// Hash of the topic files.
    version: String,
    /// The topics.
    topics: Vec<TopicNow>,
    /// Why there is no evidence, where articles cannot be read.
    unreadable: Option<String>,
}

/// A topic, and what spoke for it lately.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TopicNow {
    /// Its name.
    name: String,
    /// What it is about.
    about: String,
    /// Among its newest 100 articles: concepts by how much they weighed.
    evidence: Vec<Weighed>,
}

/// A concept in the evidence of articles.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Weighed {
    /// The concept.
    term: String,
    /// Articles in whose evidence it is.
    articles: usize,
    /// What it added, all together; negative spoke against the topic.
    weight: f64,
}

/// `GET /api/v1/settings`
pub(crate) async fn settings_json(State(app): State<Arc<App>>) -> Json<Settings> {
    Json(Settings {
        settings: app.parts.settings.clone(),
    })
}

/// `GET /settings`
pub(crate) async fn settings_page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let mut settings = app.parts.settings.clone();
    // What somebody chose comes first.
    settings.sort_by_key(|s| s.origin == "default");
    app.page(
        "settings.html",
        app.keys.signed_in(&headers).as_ref(),
        Settings { settings },
    )
}

/// `GET /api/v1/topics`
pub(crate) async fn topics_json(State(app): State<Arc<App>>) -> Json<Topics> {
    Json(topics(&app).await)
}

/// `GET /topics`
pub(crate) async fn topics_page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let topics = topics(&app).await;
    app.page("topics.html", app.keys.signed_in(&headers).as_ref(), topics)
}

async fn topics(app: &Arc<App>) -> Topics {
    let names: Vec<String> = app.parts.topics.iter().map(|t| t.name.clone()).collect();
    let asked = app
        .store
        .ask(move |articles| names.iter().map(|n| weighed(articles, n)).collect());
    let (evidence, unreadable): (Vec<Vec<Weighed>>, _) = match asked.await {
        Ok(evidence) => (evidence, None),
        Err(failure) => (vec![Vec::new(); app.parts.topics.len()], Some(failure.detail)),
    };
    let topic = |(about, evidence): (&crate::app::TopicAbout, Vec<Weighed>)| TopicNow {
        name: about.name.clone(),
        about: about.about.clone(),
        evidence,
    };
    Topics {
        version: app.parts.topics_version.clone(),
        topics: app.parts.topics.iter().zip(evidence).map(topic).collect(),
        unreadable,
    }
}

fn weighed(articles: &mut dyn Reader, topic: &str) -> Result<Vec<Weighed>, SinkError> {
    let query = Query {
        tag: Some(topic.to_owned()),
        limit: Some(LOOKED_AT),
        ..Query::default()
    };
    let mut terms: BTreeMap<String, Weighed> = BTreeMap::new();
    for article in articles.query(&query) {
        let Ok(article) = article?.parse() else { continue };
        let tag = article.tags.into_iter().find(|t| t.topic == topic);
        let mut here: BTreeMap<String, f64> = BTreeMap::new();
        for evidence in tag.into_iter().flat_map(|t| t.evidence) {
            *here.entry(evidence.term).or_default() += evidence.weight;
        }
        for (term, weight) in here {
            let known = terms.entry(term.clone()).or_insert(Weighed {
                term,
                articles: 0,
                weight: 0.0,
            });
            known.articles += 1;
            known.weight += weight;
        }
    }
    let mut terms: Vec<Weighed> = terms.into_values().collect();
    terms.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    terms.truncate(SHOWN);
    Ok(terms)
}
