//! Disks that are full, with a real disk that is small.

use telex_model::Stage;

use crate::cluster::{Cluster, Processes, start};
use crate::kafka::Work;
use crate::small_disk::Disk;
use crate::world::{Started, World, finish, free_port, get, said, wait_for};

/// One of three brokers has no room and ends; the others carry on, and it comes back.
#[test]
#[ignore = "three brokers more than two cores carry beside the other tests: make faults"]
fn the_disk_of_a_broker_is_full() {
    let folder = crate::broker::folder("disk");
    let Some(disk) = Disk::mount(&folder.join("broker-2/data"), 200) else {
        return;
    };
    let Some(own) = start("disk", 3, &[]) else {
        return;
    };
    let cluster = Cluster::new(&own.address, "disk");
    let processes = Processes::at_work(&cluster, 1);
    let mut work = Work::new(&cluster);
    work.next(&processes, Stage::Sink);
    disk.fill();
    work.next(&processes, Stage::Fetcher);
    wait_for("the broker to end", || !own.runs(2));
    work.next(&processes, Stage::Sink);
    disk.free();
    own.restart();
    wait_for("all processes to be ready", || processes.ready());
    work.finish(processes);
}

/// The embedded bus and the sink's database on a disk without room: nothing is lost, and all goes on once there is some.
#[test]
fn the_disk_of_the_embedded_bus_is_full() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.data(), 30) else {
        return;
    };
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let run =
        || Started::new(world.telex(&["run", "all", "--feeds", "feeds.opml", "--metrics-listen", &listen]));
    let process = run();
    wait_for("the first articles", || {
        world.data().join("articles.sqlite").exists() && !world.articles(&[]).is_empty()
    });
    disk.fill();
    let out = finish(world.telex(&["feeds", "poll"]));
    assert_eq!(out.status.code(), Some(69), "{}", said(&out));
    assert!(said(&out).contains("has no room"), "{}", said(&out));
    disk.free();
    let all = world.site.expected().len();
    wait_for("all articles", || world.articles(&[]).len() >= all);
    process.signal("TERM");
    let out = process.finish();
    assert!(out.status.success(), "{}", said(&out));
    world.check_all(&world.articles(&[]));
}

/// Only the sink has no room: the bus holds what it cannot take.
#[test]
fn the_disk_of_the_sink_is_full() {
    let world = World::new();
    let folder = world.path().join("lines");
    let Some(disk) = Disk::mount(&folder, 5) else {
        return;
    };
    let lines = folder.join("articles.jsonl");
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = world.telex(&["run", "all", "--metrics-listen", &listen]);
    command.env("TELEX__SINK__JSON_LINES", &lines);
    let process = Started::new(command);
    wait_for("the file", || lines.exists());
    disk.fill();
    let out = finish(world.telex(&["feeds", "import", "feeds.opml"]));
    assert!(out.status.success(), "{}", said(&out));
    wait_for("the sink to say so", || {
        get(port, "/readyz").is_some_and(|(status, text)| status == 503 && text.contains("no room"))
    });
    disk.free();
    let all = world.site.expected();
    let written = || std::fs::read_to_string(&lines).unwrap_or_default();
    wait_for("all articles in the file", || {
        written().lines().count() >= all.len()
    });
    process.signal("TERM");
    let out = process.finish();
    assert!(out.status.success(), "{}", said(&out));
    let rows: Vec<serde_json::Value> = written()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    world.check_all(&rows);
    world.check_all(&world.articles(&[]));
}

#[test]
fn a_disk_that_is_full_from_the_start_is_told() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.data(), 5) else {
        return;
    };
    disk.fill();
    let out = finish(world.telex(&["run", "all"]));
    assert_eq!(out.status.code(), Some(69), "{}", said(&out));
    assert!(said(&out).contains("free the disk"), "{}", said(&out));
}
