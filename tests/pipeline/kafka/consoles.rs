//! The console alone, beside stages on Kafka that run elsewhere.

use std::io::Read;

use serde_json::Value;

use crate::cluster::{Cluster, shared};
use crate::console::{TOKEN, articles, json, open, post};
use crate::world::{Started, free_port, get, said, wait_for};

/// A console of an installation on Kafka, and its port.
fn console(cluster: &Cluster, data: &str) -> (Started, u16) {
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = cluster.telex(&["run", "console", "--console-listen", &listen, "--data-dir", data]);
    command.env("TELEX__CONSOLE__TOKEN", TOKEN);
    (Started::new(command), port)
}

/// One beside the sink's database, and one on a machine that has none: both show the bus and change what is on it.
#[test]
fn a_console_alone_shows_and_changes_what_is_on_kafka() {
    let Some(address) = shared() else { return };
    let cluster = Cluster::new(address, "console");
    let expected = cluster.world.site.expected();
    let (beside, port) = console(&cluster, "data");
    let (afar, other) = console(&cluster, "elsewhere");
    // It is there before any stage is.
    wait_for("an empty list", || {
        json(port, "/api/v1/feeds").is_some_and(|f| f["total"] == 0)
    });
    let feeds = cluster.world.site.feeds();
    let urls: Vec<&str> = feeds.iter().map(|f| f.url.as_str()).collect();
    let (status, done) = post(other, "/api/v1/feeds", &serde_json::json!({ "urls": urls })).unwrap();
    assert_eq!(status, 201, "{done}");

    let stages = Started::new(cluster.telex(&["run", "all", "--data-dir", "data"]));
    wait_for("all articles", || articles(port) == expected.len());
    for port in [port, other] {
        wait_for("numbers of the bus", || {
            let status = json(port, "/api/v1/status").unwrap_or_default();
            let read = |stage: &Value| stage["waiting"] == 0;
            status["numbers_from"] == "bus"
                && status["stages"]
                    .as_array()
                    .is_some_and(|s| s.len() == 5 && s.iter().all(read))
        });
    }
    let (status, refused) = get(other, "/api/v1/articles").unwrap();
    assert!(status == 503 && refused.contains("not there yet"), "{refused}");
    let all = json(port, "/api/v1/articles?tag=nato&limit=1").unwrap();
    let id = all["articles"][0]["id"].as_str().unwrap();
    // It takes seconds to read every topic, on a machine that builds more; then it says so and shows what it found.
    let mut trace = String::new();
    let path = format!("/api/v1/articles/{id}/trace");
    open(other, &path).read_to_string(&mut trace).unwrap();
    let tagged = format!("{}.tagged.nato.v1/", cluster.prefix);
    assert!(trace.contains(&tagged), "{trace}");

    for process in [stages, beside, afar] {
        process.signal("TERM");
        let out = process.finish();
        assert!(out.status.success(), "{}", said(&out));
    }
}
