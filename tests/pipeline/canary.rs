//! Canaries: each goes through all stages, its age is a metric, and no reader of articles sees it.

use telex_model::Stage;

use crate::cluster::{Cluster, Processes, shared};
use crate::world::{Started, World, bus, finish, free_port, get, said, wait_for};

fn metric(port: u16, series: &str) -> Option<f64> {
    let (_, text) = get(port, "/metrics")?;
    text.lines()
        .find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

fn now() -> f64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

#[test]
fn canaries_arrive_on_the_embedded_bus_and_no_reader_sees_them() {
    let world = World::new();
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = world.telex(&["run", "all", "--metrics-listen", &listen]);
    command.env("TELEX__CANARY__INTERVAL", "1s");
    let begun = now();
    let process = Started::new(command);
    wait_for("three canaries", || {
        metric(port, "telex_canary_way_seconds_count") >= Some(3.0)
    });
    for stage in Stage::ALL {
        let seen = metric(port, &format!("telex_canaries_total{{stage=\"{stage}\"}}"));
        assert!(seen >= Some(3.0), "{stage}: {seen:?}");
    }
    let put_in = metric(port, "telex_canary_put_in_timestamp_seconds").unwrap();
    assert!((begun..now()).contains(&put_in), "{put_in}");
    for (counter, what) in [
        ("telex_articles_total{kind=\"article\"}", "counted as an article"),
        ("telex_seen_to_tagged_seconds_count", "timed as an article"),
        ("telex_messages_in_total{stage=\"sink\"}", "read by the sink"),
    ] {
        assert_eq!(metric(port, counter), Some(0.0), "{what}");
    }
    process.signal("TERM");
    let out = process.finish();
    assert!(out.status.success(), "{}", said(&out));
    let bus = bus(&world.data());
    assert!(bus.ends_sum("telex.canary.v1") >= 3);
    for topic in [
        "tagged.v1",
        "tagged.ukraine.v1",
        "dead-letters.sink.v1",
        "frontier.v1",
    ] {
        assert_eq!(bus.ends_sum(&format!("telex.{topic}")), 0, "{topic}");
    }
    assert_eq!(world.articles(&[]).len(), 0);
}

#[test]
fn without_canaries_there_are_none() {
    let world = World::new();
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = world.telex(&["run", "all", "--feeds", "feeds.opml", "--metrics-listen", &listen]);
    command.env("TELEX__CANARY__ENABLED", "false");
    let process = Started::new(command);
    wait_for("articles", || {
        metric(port, "telex_messages_in_total{stage=\"sink\"}") >= Some(1.0)
    });
    assert_eq!(metric(port, "telex_canaries_total{stage=\"poller\"}"), Some(0.0));
    assert_eq!(metric(port, "telex_canary_put_in_timestamp_seconds"), Some(0.0));
    process.signal("TERM");
    assert!(process.finish().status.success());
}

/// Two pollers and two sinks: one of each has the canaries. A poller that dies is followed by the other.
#[test]
fn canaries_arrive_on_kafka_and_go_on_when_their_poller_dies() {
    let Some(address) = shared() else { return };
    let cluster = Cluster::new(address, "canary");
    let mut processes = Processes::none(&cluster);
    for _ in 0..2 {
        for stage in Stage::ALL {
            processes.start_with(stage, &[("TELEX__CANARY__INTERVAL", "1s")]);
        }
    }
    let sum = |processes: &Processes<'_>, stage: Stage| {
        let ports = processes.of(stage);
        let of = |port: &u16| metric(*port, &format!("telex_canaries_total{{stage=\"{stage}\"}}"));
        ports.iter().filter_map(of).sum::<f64>()
    };
    wait_for("canaries", || sum(&processes, Stage::Sink) >= 3.0);
    let at_work = |port: &u16| metric(*port, "telex_canaries_total{stage=\"poller\"}") > Some(0.0);
    let victim = processes.of(Stage::Poller).into_iter().find(at_work).unwrap();
    processes.kill(victim);
    let before = sum(&processes, Stage::Sink);
    wait_for("canaries of the other poller", || {
        sum(&processes, Stage::Sink) >= before + 5.0 && sum(&processes, Stage::Poller) >= 1.0
    });
    assert_eq!(cluster.read("tagged.v1"), []);
    assert!(cluster.read("canary.v1").len() >= 8);
    let doctor = finish(cluster.telex(&["doctor"]));
    assert!(
        doctor.status.success(),
        "{}",
        String::from_utf8_lossy(&doctor.stdout)
    );
}
