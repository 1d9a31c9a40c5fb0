//! Faults of the whole pipeline in one process, on the embedded bus.

use std::sync::Arc;

use telex_model::{Stage, Topic};
use telex_stream::{Bus, Output, Route};

use crate::world::{Started, World, bus, finish, free_port, get, rows, said, wait_for};

use super::campaign::{Installation, Random, faults, run};

/// The whole pipeline is killed at random moments; a new one goes on.
#[test]
fn kill_nine_loses_and_doubles_nothing() {
    #[derive(Clone, Copy, Debug)]
    struct Kill;
    let world = World::new();
    let start = || Started::new(world.telex(&["run", "all"]));
    let mut process = Some(start());
    wait_for("the bus", || world.data().join("bus.sqlite").exists());
    let mut kill = |_: Kill, _: &mut Random| {
        let mut running = process.take().unwrap();
        if running.ended() {
            panic!("the pipeline ended by itself: {}", said(&running.finish()));
        }
        running.kill();
        process = Some(start());
    };
    let on = Installation {
        world: &world,
        bus: Arc::new(bus(&world.data()).0),
        prefix: "telex".to_owned(),
        telex: &|args| finish(world.telex(args)),
        tagged: &|| world.tapped(None),
    };
    run(
        "the whole pipeline on the embedded bus",
        &on,
        vec![Kill; faults(10)],
        &mut kill,
    );
    let process = process.unwrap();
    process.signal("TERM");
    let out = process.finish();
    assert!(out.status.success(), "{}", said(&out));
}

#[test]
fn wrong_messages_become_dead_letters_and_can_be_put_back() {
    let world = World::new();
    world.once();
    let before = world.articles(&[]).len();
    let append = |value: &str, headers: Vec<(String, String)>| {
        let topic = Topic::Pages.name("telex");
        let output = Output {
            topic,
            key: "k".into(),
            route: Route::Key,
            value: Some(value.to_owned().into()),
            headers,
        };
        bus(&world.data()).0.append(vec![output]).unwrap();
    };
    append("{broken", Vec::new());
    append("{}", vec![("ce_type".to_owned(), "telex.page.v9".to_owned())]);
    let summary = world.once();
    assert_eq!(summary["dead_letters"], 2, "{summary}");
    let letters = rows(&finish(world.telex(&[
        "dead-letters",
        "list",
        "--output",
        "json",
    ])));
    let reasons: Vec<&str> = letters.iter().map(|l| l["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["invalid_json", "wrong_type"]);
    let shown = finish(world.telex(&[
        "dead-letters",
        "show",
        letters[0]["id"].as_str().unwrap(),
        "--output",
        "json",
    ]));
    let shown = rows(&shown).remove(0);
    assert_eq!(shown["value"], "{broken");
    assert!(shown["origin"].as_str().unwrap().starts_with("telex.pages.v1/"));
    let dry = finish(world.telex(&[
        "dead-letters",
        "replay",
        "--reason",
        "invalid_json",
        "--dry-run",
        "--output",
        "json",
    ]));
    assert_eq!(rows(&dry)[0]["count"], 1);
    assert_eq!(world.once()["dead_letters"], 0, "a dry run changes nothing");
    finish(world.telex(&["dead-letters", "replay", "--reason", "invalid_json"]));
    assert_eq!(world.once()["dead_letters"], 1, "it is as broken as before");
    assert!(world.articles(&[]).len() <= before + 1);
}

#[test]
fn a_bus_without_room_holds_the_pipeline_and_loses_nothing() {
    let world = World::new();
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = world.telex(&["run", "all", "--feeds", "feeds.opml", "--metrics-listen", &listen]);
    command.env("TELEX__BUS__MAX_BYTES", (640 << 10).to_string());
    let process = Started::new(command);
    let full = |(status, text): (u16, String)| status == 503 && text.contains("bus.max_bytes");
    wait_for("the bus to be full", || get(port, "/readyz").is_some_and(full));
    process.signal("TERM");
    let out = process.finish();
    assert!(out.status.success(), "{}", said(&out));
    assert!(
        said(&out).contains("bus.max_bytes"),
        "it says what to do: {}",
        said(&out)
    );
    let held = world.articles(&[]).len();
    assert!(held < world.site.expected().len());
    // With room it goes on where it was.
    let process = Started::new(world.telex(&["run", "all", "--feeds", "feeds.opml"]));
    let all = world.site.expected().len();
    wait_for("all articles", || world.articles(&[]).len() >= all);
    process.signal("TERM");
    assert!(process.finish().status.success());
    world.check_all(&world.articles(&[]));
}

#[test]
fn stages_can_run_one_after_the_other() {
    let world = World::new();
    for stage in Stage::ALL {
        let mut args = vec!["run", stage.name(), "--once"];
        if stage == Stage::Poller {
            args.extend(["--feeds", "feeds.opml"]);
        }
        let out = finish(world.telex(&args));
        assert!(out.status.success(), "{stage}: {}", said(&out));
    }
    let late = world.site.expected().iter().filter(|e| e.retried).count();
    let all = world.site.expected().len();
    assert!(
        (all - late..=all).contains(&world.articles(&[]).len()),
        "each stage did its part"
    );
}
