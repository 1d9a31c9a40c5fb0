//! The API: one table makes its routes and its description, OpenAPI 3.1, so neither can be without the other.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use telex_model::Tagged;
use telex_operate::Declared;

use crate::about::{self, Settings, Topics};
use crate::app::App;
use crate::articles::{self, ArticleList};
use crate::events;
use crate::failure::Problem;
use crate::feeds::{self, Changed, FeedList, NewFeeds};
use crate::letters::{self, LetterList, Replay, ReplayDone, WholeLetter};
use crate::status::{self, Status};
use crate::trace::{self, TraceOf};

type SchemaOf = fn(&mut SchemaGenerator) -> Value;

/// One operation of the API.
struct Operation {
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    /// Fields of the query: name and meaning.
    query: &'static [(&'static str, &'static str)],
    body: Option<SchemaOf>,
    status: &'static str,
    answer: Answer,
    handler: fn() -> MethodRouter<Arc<App>>,
}

/// What an operation answers.
enum Answer {
    Json(SchemaOf),
    /// Any JSON object.
    Document,
    Events,
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

const ARTICLES: &[(&str, &str)] = &[
    (
        "q",
        "Words that must occur: all of them, `\"in this order\"`, `begin*`, `one OR other`, `-without`. Found articles come as they were stored, the last first.",
    ),
    ("tag", "With this tag."),
    ("language", "In this language; `uk` also finds `uk-UA`."),
    ("source", "From this domain or one below it."),
    ("since", "First seen then or later: a time (RFC 3339) or a day."),
    ("until", "First seen before then; a day is within."),
    ("limit", "So many at most, 1 to 200; 50 unless given."),
    ("cursor", "`next` of the answer before."),
];

const fn read(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    answer: Answer,
    handler: fn() -> MethodRouter<Arc<App>>,
) -> Operation {
    Operation {
        method: "get",
        path,
        id,
        summary,
        query: &[],
        body: None,
        status: "200",
        answer,
        handler,
    }
}

const fn change(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    body: Option<SchemaOf>,
    answer: Answer,
    handler: fn() -> MethodRouter<Arc<App>>,
) -> Operation {
    Operation {
        method: "post",
        body,
        ..read(path, id, summary, answer, handler)
    }
}

fn operations() -> Vec<Operation> {
    let mut all = reading();
    all.extend(reading_the_rest());
    all.extend(changing());
    all
}

fn reading() -> Vec<Operation> {
    use Answer::{Events, Json};
    vec![
        read(
            "/api/v1/status",
            "getStatus",
            "How the installation does.",
            Json(schema::<Status>),
            || get(status::json),
        ),
        Operation {
            query: ARTICLES,
            ..read(
                "/api/v1/articles",
                "listArticles",
                "Articles, newest first.",
                Json(schema::<ArticleList>),
                || get(articles::list_json),
            )
        },
        read(
            "/api/v1/articles/{id}",
            "getArticle",
            "One article, as it is on the tagged topic.",
            Json(schema::<Tagged>),
            || get(articles::one_json),
        ),
        read(
            "/api/v1/articles/{id}/story",
            "getStory",
            "The articles of the same story, the first seen first; empty where it is alone.",
            Json(schema::<ArticleList>),
            || get(articles::story_json),
        ),
        read(
            "/api/v1/articles/{id}/trace",
            "getTrace",
            "What each stage made of an article.",
            Json(schema::<TraceOf>),
            || get(trace::json),
        ),
        Operation {
            query: &[
                ("tag", "With this tag only."),
                ("language", "In this language only."),
                ("source", "From this domain or one below it only."),
                (
                    "after",
                    "From behind this event on; the header Last-Event-ID says the same and goes first.",
                ),
            ],
            ..read(
                "/api/v1/events",
                "followArticles",
                "Articles as they are stored, as server-sent events: `article` (data: an ArticleSummary), `withdrawn` (data: its id), `here` (nothing new), `lost` (so much was missed that the list is to be read again). Each has an id to come back with.",
                Events,
                || get(events::articles),
            )
        },
    ]
}

fn reading_the_rest() -> Vec<Operation> {
    use Answer::{Document, Json};
    vec![
        Operation {
            query: &[
                ("q", "With these letters in address or title."),
                (
                    "health",
                    "That do so: new, healthy, failing, dormant, gone, paused.",
                ),
                ("from", "`next` of the answer before."),
            ],
            ..read(
                "/api/v1/feeds",
                "listFeeds",
                "Feeds, worst first.",
                Json(schema::<FeedList>),
                || get(feeds::list_json),
            )
        },
        Operation {
            query: &[
                ("stage", "Of this stage only."),
                ("reason", "With this reason only."),
                ("limit", "So many at most, 1 to 200; 100 unless given."),
            ],
            ..read(
                "/api/v1/dead-letters",
                "listDeadLetters",
                "Dead letters among the newest 1000, newest first.",
                Json(schema::<LetterList>),
                || get(letters::list_json),
            )
        },
        read(
            "/api/v1/dead-letters/{stage}/{partition}/{offset}",
            "getDeadLetter",
            "One dead letter with what it holds.",
            Json(schema::<WholeLetter>),
            || get(letters::one_json),
        ),
        read(
            "/api/v1/topics",
            "listTopics",
            "The topics and what spoke for them lately.",
            Json(schema::<Topics>),
            || get(about::topics_json),
        ),
        read(
            "/api/v1/settings",
            "listSettings",
            "The configuration in force, secrets hidden.",
            Json(schema::<Settings>),
            || get(about::settings_json),
        ),
        read(
            "/api/v1/openapi.json",
            "getDescription",
            "This description.",
            Document,
            || get(serve),
        ),
    ]
}

fn changing() -> Vec<Operation> {
    use Answer::Json;
    vec![
        Operation {
            status: "201",
            ..change(
                "/api/v1/feeds",
                "addFeeds",
                "Puts feeds on the list.",
                Some(schema::<NewFeeds>),
                Json(schema::<Declared>),
                || post(feeds::add_json),
            )
        },
        change(
            "/api/v1/feeds/{id}/{deed}",
            "changeFeed",
            "Does to a feed, by its id: poll, pause, resume or remove.",
            None,
            Json(schema::<Changed>),
            || post(feeds::change_json),
        ),
        change(
            "/api/v1/dead-letters/replay",
            "replayDeadLetters",
            "Puts dead letters back where they were read: one by its id, or those of a stage, of a reason.",
            Some(schema::<Replay>),
            Json(schema::<ReplayDone>),
            || post(letters::replay_json),
        ),
    ]
}

/// The routes of the API.
pub(crate) fn routes() -> Router<Arc<App>> {
    let add = |router: Router<Arc<App>>, o: Operation| router.route(o.path, (o.handler)());
    operations().into_iter().fold(Router::new(), add)
}

async fn serve() -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        document().to_string(),
    )
        .into_response()
}

/// Writes the description.
fn document() -> Value {
    let at = |settings: SchemaSettings| settings.with(|s| s.definitions_path = "/components/schemas".into());
    let mut read = at(SchemaSettings::draft2020_12().for_serialize()).into_generator();
    let mut sent = at(SchemaSettings::draft2020_12().for_deserialize()).into_generator();
    let problem = schema::<Problem>(&mut read);
    // In no answer itself, but in events.
    schema::<articles::ArticleSummary>(&mut read);
    schema::<events::Withdrawn>(&mut read);
    let mut paths = Map::new();
    for operation in operations() {
        let described = operation.describe(&mut read, &mut sent);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = described;
    }
    let mut schemas = read.take_definitions(true);
    schemas.extend(sent.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Telex",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Articles, feeds, dead letters and the state of an installation of Telex.",
            "description": "Reading needs nothing but to reach the address. Changes need the token of `console.token`. Within v1 only optional fields are added.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {"Problem": {
                "description": "It could not be done (RFC 9457).",
                "content": {"application/problem+json": {"schema": problem}},
            }},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

impl Operation {
    fn describe(&self, read: &mut SchemaGenerator, sent: &mut SchemaGenerator) -> Value {
        let content = match self.answer {
            Answer::Json(schema) => json!({"application/json": {"schema": schema(read)}}),
            Answer::Document => json!({"application/json": {"schema": {"type": "object"}}}),
            Answer::Events => json!({"text/event-stream": {"schema": {"type": "string"}}}),
        };
        let mut described = json!({
            "operationId": self.id,
            "summary": self.summary,
            "parameters": self.parameters(),
            "responses": {
                self.status: {"description": self.summary, "content": content},
                "default": {"$ref": "#/components/responses/Problem"},
            },
        });
        if let Some(body) = self.body {
            described["requestBody"] =
                json!({"required": true, "content": {"application/json": {"schema": body(sent)}}});
        }
        if self.method == "post" {
            described["security"] = json!([{"token": []}]);
        }
        described
    }

    fn parameters(&self) -> Vec<Value> {
        let named = self
            .path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let in_path = named
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
        let in_query = self.query.iter().map(|(name, meaning)| {
            json!({"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}})
        });
        in_path.chain(in_query).collect()
    }
}
