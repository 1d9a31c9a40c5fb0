//! The pipeline as `telex top` shows it.

use serde_json::Value;

use crate::world::{Started, World, finish, free_port, get, rows, said, wait_for};

#[test]
fn a_running_pipeline_is_seen_from_outside() {
    let world = World::new();
    let (port, nobody) = (free_port(), free_port());
    let listen = format!("127.0.0.1:{port}");
    let process =
        Started::new(world.telex(&["run", "all", "--feeds", "feeds.opml", "--metrics-listen", &listen]));
    wait_for("readiness", || {
        get(port, "/readyz").is_some_and(|(status, _)| status == 200)
    });
    let all = world.site.expected().len() as f64;
    wait_for("all articles in the sink", || {
        let text = get(port, "/metrics").map(|(_, text)| text).unwrap_or_default();
        let read = text
            .lines()
            .find_map(|line| line.strip_prefix("telex_messages_in_total{stage=\"sink\"} "));
        read.and_then(|n| n.parse().ok()) >= Some(all)
    });
    let look = |more: &[&str]| {
        let fixed = ["top", "--once", "--every", "0.2", "--address", &listen];
        finish(world.telex(&[&fixed, more].concat()))
    };
    let mut seen = Value::Null;
    // Stages report what waits once a second.
    wait_for("a pipeline with nothing to do", || {
        let out = look(&["--output", "json"]);
        assert!(out.status.success(), "{}", said(&out));
        seen = rows(&out).remove(0);
        let stages = seen["stages"].as_array().unwrap();
        stages
            .iter()
            .all(|s| s["waiting"] == 0.0 && s["partitions"] == 12.0)
    });
    assert_eq!(seen["processes"], 1);
    assert_eq!(seen["problems"], serde_json::json!([]));
    assert_eq!(seen["feeds"]["failing"], 1.0, "{seen}");

    // One process of several is silent: the others are shown, and it is named.
    let out = look(&["--address", &format!("localhost:{nobody}")]);
    assert!(out.status.success(), "{}", said(&out));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        text.contains("1 process") && text.contains(&format!("127.0.0.1:{nobody} does not answer")),
        "{text}"
    );
    assert!(text.contains("classifier") && !text.contains('\u{1b}'), "{text}");
    process.signal("TERM");
    assert!(process.finish().status.success());

    let out = look(&[]);
    assert_eq!(out.status.code(), Some(69), "{}", said(&out));
    let out = finish(world.telex(&["top"]));
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    assert!(said(&out).contains("--address"), "{}", said(&out));
}
