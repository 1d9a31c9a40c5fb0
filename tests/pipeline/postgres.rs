//! The pipeline with PostgreSQL as its sink.

use std::process::Stdio;

use serde_json::Value;
use telex_model::Stage;

use crate::cluster::{Cluster, Processes, ready, shared};
use crate::console::json;
use crate::postgres_server::{PASSWORD, Server, missing};
use crate::world::{Started, World, finish, free_port, get, rows, said, wait_for};

fn server() -> Option<Server> {
    Server::start(&[]).map_err(|reason| missing(&reason)).ok()
}

/// The settings of an installation that stores in a database alone; the URL is a secret in a file.
fn settings(world: &World, server: &Server, database: &str) -> [(&'static str, String); 2] {
    let file = world.path().join("postgres-url");
    std::fs::write(&file, server.url(database)).unwrap();
    [
        ("TELEX__SINK__SQLITE", "false".to_owned()),
        ("TELEX__SINK__POSTGRES__URL_FILE", file.display().to_string()),
    ]
}

fn stored(server: &Server, database: &str) -> Vec<Value> {
    let mut client = server.client(database);
    let there = client
        .query_one("SELECT to_regclass('telex.article') IS NOT NULL", &[])
        .unwrap();
    if !there.get::<_, bool>(0) {
        return Vec::new();
    }
    let rows = client
        .query("SELECT message::text FROM telex.article", &[])
        .unwrap();
    rows.iter()
        .map(|r| serde_json::from_str(r.get(0)).unwrap())
        .collect()
}

/// The database ends amid the work and is away for a while: the sink waits, says so, and goes on.
#[test]
fn the_database_goes_away_and_every_article_comes_once() {
    let Some(mut server) = server() else { return };
    let world = World::new();
    let database = server.database();
    let settings = settings(&world, &server, &database);
    let telex = |args: &[&str]| {
        let mut command = world.telex(args);
        command.envs(settings.iter().map(|(k, v)| (k, v)));
        command
    };
    let checked = finish(telex(&["check", "--connect"]));
    assert!(checked.status.success(), "{}", said(&checked));

    server.stop();
    let checked = finish(telex(&["check", "--connect"]));
    assert_eq!(checked.status.code(), Some(69));
    assert!(said(&checked).contains("does not answer"), "{}", said(&checked));
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let log = world.path().join("log");
    let console = free_port();
    let mut run = telex(&["run", "all", "--feeds", "feeds.opml", "--metrics-listen", &listen]);
    run.args(["--console-listen", &format!("127.0.0.1:{console}")])
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap());
    let running = Started::new(run);
    wait_for("the console to say that it cannot read", || {
        get(console, "/api/v1/articles").is_some_and(|(status, text)| {
            assert!(!text.contains(PASSWORD) && !text.contains("horse"), "{text}");
            status == 503 && text.contains("does not answer")
        })
    });
    wait_for("the sink to say that it cannot go on", || {
        get(port, "/readyz").is_some_and(|(status, text)| status == 503 && text.contains("does not answer"))
    });
    let told = |line: &str| get(port, "/metrics").is_some_and(|(_, text)| text.lines().any(|l| l == line));
    assert!(told("telex_sink_held{sink=\"postgres\"} 1"));
    server.launch().unwrap();
    let all = world.site.expected().len();
    wait_for("some articles", || !stored(&server, &database).is_empty());
    server.stop();
    server.launch().unwrap();
    wait_for("all articles", || stored(&server, &database).len() >= all);
    wait_for("the pipeline to be ready", || {
        get(port, "/readyz").is_some_and(|(status, _)| status == 200)
    });
    assert!(told("telex_sink_held{sink=\"postgres\"} 0"));
    let read = json(console, "/api/v1/articles?tag=nato&limit=3").unwrap();
    assert_eq!(read["articles"].as_array().unwrap().len(), 3, "{read}");
    assert!(!told("telex_sink_rows_total{sink=\"postgres\"} 0"));
    running.signal("TERM");
    let out = running.finish();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(out.status.success(), "{log}");
    assert!(!log.contains(PASSWORD) && !log.contains("horse"), "{log}");
    world.check_all(&stored(&server, &database));

    let exported = rows(&finish(telex(&["sink", "export"])));
    world.check_all(&exported);
    let tagged = rows(&finish(telex(&[
        "sink", "export", "--tag", "nato", "--limit", "3",
    ])));
    assert_eq!(tagged.len(), 3);
    let doctor = said_on_output(&finish(telex(&["doctor"])));
    assert!(doctor.contains("its tables have version 3"), "{doctor}");
    let shown = said_on_output(&finish(telex(&["config", "show"])));
    assert!(shown.contains("sink.postgres.url = \"(hidden)\""), "{shown}");
}

fn said_on_output(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A password that is wrong ends the sink with a clear word, and shows in none.
#[test]
fn a_wrong_password_is_no_secret_told() {
    let Some(server) = server() else { return };
    let world = World::new();
    let url = format!("postgres://postgres:hunter2@127.0.0.1:{}/postgres", server.port);
    let mut run = world.telex(&["run", "all", "--once", "--feeds", "feeds.opml", "--log", "debug"]);
    run.env("TELEX__SINK__POSTGRES__URL", url);
    let out = finish(run);
    assert_eq!(out.status.code(), Some(69));
    assert!(said(&out).contains("check user, password"), "{}", said(&out));
    assert!(!format!("{out:?}").contains("hunter2"));
}

/// On Kafka two sinks share the partitions of one database; one is killed, the database restarts.
#[test]
fn replicas_of_the_sink_share_a_database() {
    let (Some(address), Some(mut server)) = (shared(), server()) else {
        return;
    };
    let cluster = Cluster::new(address, "postgres");
    let database = server.database();
    let settings = settings(&cluster.world, &server, &database);
    let settings = settings.each_ref().map(|(k, v)| (*k, v.as_str()));
    let mut processes = Processes::none(&cluster);
    for stage in Stage::ALL {
        processes.start_with(stage, &settings);
    }
    processes.start_with(Stage::Sink, &settings);
    Stage::ALL.iter().for_each(|stage| processes.settle(*stage));
    let mut feeds: Vec<String> = cluster.world.site.feeds().iter().map(|f| f.url.clone()).collect();
    let later = feeds.split_off(feeds.len() / 2);
    let add = |urls: &[String]| {
        let urls = urls.iter().map(String::as_str);
        let out = cluster.run(&["feeds", "add"].into_iter().chain(urls).collect::<Vec<_>>());
        assert!(out.status.success(), "{}", said(&out));
    };
    add(&feeds);
    wait_for("some articles", || !stored(&server, &database).is_empty());
    let victim = processes.of(Stage::Sink)[0];
    processes.kill(victim);
    server.stop();
    add(&later);
    let sink = processes.of(Stage::Sink)[0];
    server.launch().unwrap();
    processes.start_with(Stage::Sink, &settings);
    processes.settle(Stage::Sink);
    let all = cluster.world.site.expected().len();
    wait_for("all articles", || stored(&server, &database).len() >= all);
    wait_for("the sink to be ready", || ready(sink) == Some(true));
    cluster.check();
    cluster.world.check_all(&stored(&server, &database));
}
