//! The stage on the embedded bus, from the topic to what readers find.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use telex_model::event::CE_TYPE;
use telex_model::{Stage, Tagged, Topic};
use telex_sink::{DEAD_REASONS, DROP_REASONS, JsonLines, Query, Row, Sink, SinkError, SinkStage};
use telex_stream::sqlite::{SqliteBus, SqliteOptions};
use telex_stream::{
    Bus, Control, DeadLetter, Limits, Output, RateLimit, Reset, Route, SessionConfig, SourceContext, Summary,
    read_all, run_stage,
};
use telex_telemetry::{Health, Metrics};

use crate::support::{Database, LOG, article, lines, tag};

fn bus(folder: &Path) -> SqliteBus {
    let bus = SqliteBus::open(SqliteOptions::new(folder, true)).expect("a bus");
    bus.create_topics("telex", &Topic::fixed()).expect("topics");
    bus
}

fn output(key: impl Into<Bytes>, value: Option<&str>, event_type: &str) -> Output {
    Output {
        topic: Topic::Tagged.name("telex"),
        key: key.into(),
        route: Route::Key,
        value: value.map(|v| Bytes::copy_from_slice(v.as_bytes())),
        headers: vec![(CE_TYPE.to_owned(), event_type.to_owned())],
    }
}

fn tagged(a: &Tagged) -> Output {
    let json = serde_json::to_string(a).expect("JSON");
    output(a.id.to_string(), Some(&json), "telex.tagged.v1")
}

/// Runs the stage until all of the topic is stored, or it has itself stopped.
fn run(bus: &SqliteBus, sinks: Vec<Box<dyn Sink>>) -> (Summary, SinkStage) {
    let control = Control::default();
    let mut stage = SinkStage::new(LOG, sinks, control.clone());
    control.drain();
    let config = SessionConfig {
        group: "telex.sink".to_owned(),
        input: Topic::Tagged.name("telex"),
        max_batch_messages: 50,
        max_batch_bytes: 4 << 20,
    };
    let context = SourceContext {
        control,
        dead: DeadLetter::new(Stage::Sink, "telex"),
        limits: Limits::new(RateLimit::default()),
        metrics: Metrics::new().stage(Stage::Sink, DROP_REASONS, DEAD_REASONS),
        health: Arc::new(Health::default()).stage("sink"),
        patience: std::time::Duration::from_secs(30),
    };
    let session = bus.session(config).expect("a session");
    let summary = run_stage(session, &mut stage, context).expect("run");
    (summary, stage)
}

#[test]
fn every_article_of_the_topic_is_found_and_the_rest_is_in_dead_letters() {
    let database = Database::new();
    let folder = tempfile::tempdir().expect("a folder");
    let bus = bus(folder.path());
    let mut outputs: Vec<Output> = (0..120).map(|n| tagged(&article(n))).collect();
    let mut about = article(7);
    about.revision = 2;
    about.tags = vec![tag("nato", 0.9)];
    outputs.push(tagged(&about));
    outputs.push(tagged(&article(7)));
    outputs.push(output(article(8).id.to_string(), None, "telex.tagged.v1"));
    outputs.push(output(
        article(9).id.to_string(),
        Some("{broken"),
        "telex.tagged.v1",
    ));
    outputs.push(output(article(9).id.to_string(), Some("{}"), "telex.tagged.v2"));
    outputs.push(output("no id", None, "telex.tagged.v1"));
    let json = serde_json::to_string(&article(200)).expect("JSON");
    outputs.push(output(article(9).id.to_string(), Some(&json), "telex.tagged.v1"));
    bus.append(outputs).expect("appended");

    let jsonl = folder.path().join("tagged.jsonl");
    let sinks = || -> Vec<Box<dyn Sink>> {
        vec![
            Box::new(database.sink()),
            Box::new(JsonLines::open(&jsonl).expect("a sink")),
        ]
    };
    let (summary, _) = run(&bus, sinks());
    assert_eq!(
        (summary.messages_in, summary.dead_letters, summary.dropped),
        (127, 4, 0)
    );
    assert_eq!(database.find(&Query::default()).len(), 119);
    assert_eq!(lines(&jsonl).len(), 123);
    let nato = Query {
        tag: Some("nato".to_owned()),
        ..Query::default()
    };
    assert_eq!(database.find(&nato), ["7"]);

    let mut reasons = Vec::new();
    let dead = Topic::DeadLetters(Stage::Sink).name("telex");
    read_all(&bus, &dead, &mut |m| {
        reasons.extend(telex_model::event::header(&m.headers, "telex_dead_reason").map(str::to_owned));
    })
    .expect("read");
    reasons.sort();
    assert_eq!(reasons, ["invalid_json", "wrong_key", "wrong_key", "wrong_type"]);
    assert!(reasons.iter().all(|r| DEAD_REASONS.contains(&r.as_str())));

    // As after a crash between the sink's transaction and the bus's.
    bus.reset("telex.sink", &Topic::Tagged.name("telex"), Reset::Earliest)
        .expect("reset");
    let (again, _) = run(&bus, sinks());
    assert_eq!((again.messages_in, again.dropped), (127, 123));
    assert_eq!(database.find(&Query::default()).len(), 119);
    assert_eq!(lines(&jsonl).len(), 123);
}

/// A sink whose disk cannot be used.
#[derive(Debug)]
struct Broken;

impl Sink for Broken {
    fn store(&mut self, _: &str, _: &[Row<'_>]) -> Result<Vec<telex_sink::Fate>, SinkError> {
        Err(SinkError::Access {
            path: "/read-only/articles.sqlite".into(),
            source: "read-only file system".into(),
        })
    }
}

#[test]
fn a_sink_that_cannot_go_on_ends_the_stage_and_loses_nothing() {
    let database = Database::new();
    let folder = tempfile::tempdir().expect("a folder");
    let bus = bus(folder.path());
    bus.append(vec![tagged(&article(1))]).expect("appended");
    let (summary, stage) = run(&bus, vec![Box::new(database.sink()), Box::new(Broken)]);
    assert_eq!(summary, Summary::default());
    let failure = stage.failure().expect("a failure").chain();
    assert!(failure.contains("/read-only/articles.sqlite") && failure.contains("read-only file system"));
    let (summary, stage) = run(&bus, vec![Box::new(database.sink())]);
    assert_eq!(
        (summary.messages_in, summary.dropped),
        (1, 1),
        "the first sink has it already"
    );
    assert!(stage.failure().is_none());
    assert_eq!(database.find(&Query::default()), ["1"]);
}
