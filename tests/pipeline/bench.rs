//! The benches that operators run: they measure what they say, and leave nothing behind.

use serde_json::Value;

use crate::cluster::{self, Cluster};
use crate::world::{World, finish, rows, said, wait_for};

#[test]
fn the_poller_can_be_measured() {
    let world = World::new();
    let out = finish(world.telex(&["bench", "poller", "--feeds", "300", "--output", "json"]));
    assert!(out.status.success(), "{}", said(&out));
    let found = rows(&out).remove(0);
    let number = |place: &str| found.pointer(place).and_then(Value::as_f64).unwrap_or(-1.0);
    assert_eq!(
        (number("/all_new/polls"), number("/all_new/items")),
        (300.0, 6000.0),
        "{found}"
    );
    // One feed in 50 has one new item, the others answer 304.
    assert_eq!(
        (number("/not_modified/polls"), number("/not_modified/items")),
        (300.0, 6.0),
        "{found}"
    );
    assert_eq!(
        (number("/all_new/failed"), number("/not_modified/failed")),
        (0.0, 0.0),
        "{found}"
    );
    assert!(number("/not_modified/per_second_per_core") > 100.0, "{found}");
    assert!(
        number("/simulated_hour/polls") > 1000.0 && number("/bytes_per_idle_feed") >= 0.0,
        "{found}"
    );
}

/// Checks what the bench of the pipeline told.
fn check(out: &std::process::Output, bus: &str) {
    assert!(out.status.success(), "{}", said(out));
    let found = rows(out).remove(0);
    let number = |place: &str| found.pointer(place).and_then(Value::as_f64).unwrap_or(-1.0);
    assert_eq!(found["bus"], bus);
    assert_eq!(number("/at_once/articles"), 40.0, "{found}");
    assert!(number("/at_once/per_second_per_core") > 0.0, "{found}");
    assert_eq!(number("/paced/articles"), 20.0, "{found}");
    let taken = |name: &str| number(&format!("/paced/fetched_to_tagged_seconds/{name}"));
    assert!(
        0.0 < taken("p50") && taken("p50") <= taken("p99") && taken("p99") <= taken("max"),
        "{found}"
    );
    assert!(
        number("/idle/commits_per_second") >= 0.0 && number("/idle/cores") > 0.0,
        "{found}"
    );
}

const SMALL: [&str; 10] = [
    "bench",
    "pipeline",
    "--articles",
    "40",
    "--rate",
    "10",
    "--seconds",
    "2",
    "--output",
    "json",
];

#[test]
fn the_pipeline_is_measured_on_the_embedded_bus() {
    let world = World::new();
    check(&finish(world.telex(&SMALL)), "embedded");
    assert!(
        !world.path().join("data").exists(),
        "the installation's own data is left alone"
    );
}

#[test]
fn the_pipeline_is_measured_on_kafka_and_its_topics_are_deleted() {
    let Some(address) = cluster::shared() else { return };
    let cluster = Cluster::without_topics(address, "bench");
    check(&cluster.run(&SMALL), "kafka");
    // Brokers learn of it one after the other.
    wait_for("the bench's topics to go", || {
        let mut kcat = std::process::Command::new("kcat");
        let out = kcat.args(["-b", address, "-L"]).output().unwrap();
        let listed = String::from_utf8_lossy(&out.stdout);
        assert!(
            out.status.success() && listed.contains("__transaction_state"),
            "{listed}"
        );
        !listed.contains(&format!("{}-bench-", cluster.prefix))
    });
}
