//! Bad input: a clear error, the right exit code, nothing lost.

use std::process::Output;

use crate::world::{Started, World, finish, said, telex, wait_for};

pub(crate) fn refuses(out: &Output, code: i32, parts: &[&str]) {
    let text = said(out);
    assert_eq!(out.status.code(), Some(code), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn a_second_runner_on_the_same_data_is_refused() {
    let world = World::new();
    let first = Started::new(world.telex(&["run", "all", "--feeds", "feeds.opml"]));
    wait_for("the first runner", || {
        world.data().join("articles.sqlite").exists()
    });
    let second = finish(world.telex(&["run", "all"]));
    refuses(
        &second,
        69,
        &["already runs", &first.id().to_string(), "--data-dir"],
    );
    first.signal("TERM");
    assert!(first.finish().status.success());
}

#[test]
fn wrong_configuration_is_refused_with_place_and_suggestion() {
    let world = World::new();
    std::fs::write(
        world.path().join("telex.toml"),
        "[limits.host]\nrequests_per_secnd = 3\n",
    )
    .unwrap();
    refuses(
        &finish(world.telex(&["check"])),
        78,
        &["telex.toml:2", "did you mean limits.host.requests_per_second?"],
    );
    std::fs::remove_file(world.path().join("telex.toml")).unwrap();
    let mut command = world.telex(&["check"]);
    command.env("TELEX__FETCHER__FETCH", "sometimes");
    refuses(
        &finish(command),
        78,
        &["environment TELEX__FETCHER__FETCH", "sometimes"],
    );
    refuses(&finish(telex(&["run", "everything"])), 2, &["everything"]);
    refuses(
        &finish(telex(&["check", "--config", "/nowhere/telex.toml"])),
        78,
        &["/nowhere/telex.toml"],
    );
    let topics = world.path().join("topics");
    std::fs::create_dir(&topics).unwrap();
    std::fs::write(topics.join("mine.toml"), "[topic]\nnme = \"x\"\n").unwrap();
    let mut command = world.telex(&["check"]);
    command.env("TELEX__CLASSIFIER__TOPICS", &topics);
    refuses(&finish(command), 78, &["mine.toml:"]);
}

#[test]
fn wrong_lists_of_feeds_are_refused() {
    let world = World::new();
    refuses(
        &finish(world.telex(&["run", "all", "--once", "--feeds", "nowhere.opml"])),
        69,
        &["nowhere.opml"],
    );
    std::fs::write(world.path().join("list.txt"), "https://a.test/\nnot a url\n").unwrap();
    refuses(
        &finish(world.telex(&["run", "all", "--once", "--feeds", "list.txt"])),
        78,
        &["list.txt", "line 2"],
    );
}

#[test]
fn a_damaged_or_foreign_bus_is_refused() {
    let world = World::new();
    std::fs::create_dir_all(world.data()).unwrap();
    std::fs::write(
        world.data().join("bus.sqlite"),
        "this is no database, whatever its name says".repeat(100),
    )
    .unwrap();
    refuses(
        &finish(world.telex(&["run", "all", "--once"])),
        69,
        &["bus.sqlite", "damaged", ".recover"],
    );
    std::fs::remove_file(world.data().join("bus.sqlite")).unwrap();
    world.once();
    // A page in the middle of the file is overwritten.
    let path = world.data().join("bus.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes
        .iter_mut()
        .skip(middle)
        .take(64 << 10)
        .for_each(|b| *b = 0xa5);
    std::fs::write(&path, bytes).unwrap();
    let out = finish(world.telex(&["doctor"]));
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(String::from_utf8_lossy(&out.stdout).contains("FAIL  bus"));
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let world = World::new();
    std::fs::write(world.path().join("file"), "").unwrap();
    let mut command = world.telex(&["run", "all", "--once"]);
    command.env("TELEX__DATA_DIR", "file");
    refuses(&finish(command), 69, &["file", "--data-dir"]);
    refuses(&finish(world.telex(&["tap"])), 69, &["telex run all"]);
}

#[test]
fn an_address_in_use_is_refused() {
    let world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let out = finish(world.telex(&["run", "all", "--once", "--metrics-listen", &listen]));
    refuses(&out, 69, &["--metrics-listen", &listen]);
}
