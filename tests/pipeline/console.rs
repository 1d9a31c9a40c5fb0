//! The console beside a running pipeline, and alone.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{Started, World, canonical, finish, free_port, get, said, wait_for};

pub(crate) const TOKEN: &str = "a token for tests, long enough";

/// A pipeline with a console, and the port of it.
fn with_console(world: &World, args: &[&str]) -> (Started, u16) {
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = world.telex(&[args, &["--console-listen", &listen]].concat());
    command.env("TELEX__CONSOLE__TOKEN", TOKEN);
    (Started::new(command), port)
}

pub(crate) fn json(port: u16, path: &str) -> Option<Value> {
    let (status, body) = get(port, path)?;
    (status == 200).then(|| serde_json::from_str(&body).ok())?
}

/// Sends JSON with the token; status and answer.
pub(crate) fn post(port: u16, path: &str, body: &Value) -> Option<(u16, String)> {
    let body = body.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, answer) = text.split_once("\r\n\r\n")?;
    Some((head.split_whitespace().nth(1)?.parse().ok()?, answer.to_owned()))
}

pub(crate) fn articles(port: u16) -> usize {
    json(port, "/api/v1/articles?limit=200").map_or(0, |a| a["articles"].as_array().map_or(0, Vec::len))
}

#[test]
fn the_console_shows_what_the_pipeline_does() {
    let world = World::new();
    let expected = world.site.expected();
    let (process, port) = with_console(&world, &["run", "all", "--feeds", "feeds.opml"]);
    wait_for("all articles", || articles(port) == expected.len());
    let nato = json(port, "/api/v1/articles?tag=nato&limit=200").unwrap();
    let mut tagged: Vec<String> = expected
        .iter()
        .filter(|e| e.tags.iter().any(|t| t == "nato"))
        .map(|e| canonical(&e.url))
        .collect();
    let found = nato["articles"].as_array().unwrap().iter();
    let mut found: Vec<String> = found.map(|a| canonical(a["url"].as_str().unwrap())).collect();
    tagged.sort();
    found.sort();
    assert_eq!(found, tagged);

    wait_for("numbers of the process", || {
        json(port, "/api/v1/status")
            .is_some_and(|s| s["stages"][4]["waiting"] == 0 && s["numbers_from"] == "process")
    });
    let feeds = json(port, "/api/v1/feeds").unwrap();
    let worst = &feeds["feeds"][0];
    assert_eq!(worst["state"]["health"], "failing", "{worst}");
    assert!(
        get(port, "/feeds").unwrap().1.contains(
            worst["state"]["last_error"]
                .as_str()
                .unwrap()
                .split('\'')
                .next()
                .unwrap()
        )
    );
    let id = nato["articles"][0]["id"].as_str().unwrap();
    let trace = json(port, &format!("/api/v1/articles/{id}/trace")).unwrap();
    assert_eq!(trace["whole"], true);
    let places: Vec<&str> = trace["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["place"].as_str().unwrap())
        .collect();
    for topic in ["items", "frontier", "pages", "articles", "tagged", "tagged.nato"] {
        assert!(
            places
                .iter()
                .any(|p| p.starts_with(&format!("telex.{topic}.v1/"))),
            "{topic}: {places:?}"
        );
    }
    let settings = get(port, "/settings").unwrap().1;
    assert!(settings.contains("(hidden)") && !settings.contains(TOKEN));

    // The command line and a console alone see the same.
    let (alone, other) = with_console(&world, &["run", "console"]);
    wait_for("the other console", || articles(other) == expected.len());
    wait_for("numbers of the bus", || {
        json(other, "/api/v1/status")
            .is_some_and(|s| s["stages"][4]["waiting"] == 0 && s["numbers_from"] == "bus")
    });
    for process in [alone, process] {
        process.signal("TERM");
        let out = process.finish();
        assert!(out.status.success(), "{}", said(&out));
    }
}

#[test]
fn an_address_in_use_stops_the_console_only_where_it_was_chosen() {
    let world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    // A console alone wants a bus that is there: a mistyped folder is no place for a new one.
    let alone = finish(world.telex(&["run", "console"]));
    assert_eq!(alone.status.code(), Some(69), "{}", said(&alone));
    assert!(said(&alone).contains("holds no bus yet"), "{}", said(&alone));
    assert!(!world.data().exists());
    for what in ["all", "console"] {
        let out = finish(world.telex(&["run", what, "--console-listen", &listen]));
        assert_eq!(out.status.code(), Some(69), "{}", said(&out));
        assert!(said(&out).contains("console.listen"), "{}", said(&out));
    }
}

#[test]
fn a_console_needs_no_sink_and_a_sink_something_to_write_to() {
    let world = World::new();
    let port = free_port();
    let bus = finish(world.telex(&["feeds", "add", "https://example.org/feed.xml"]));
    assert!(bus.status.success(), "{}", said(&bus));
    let mut console = world.telex(&["run", "console", "--console-listen", &format!("127.0.0.1:{port}")]);
    console.env("TELEX__SINK__SQLITE", "false");
    let running = Started::new(console);
    wait_for("the console to say what it lacks", || {
        get(port, "/articles")
            .is_some_and(|(status, page)| status == 503 && page.contains("neither a SQLite sink"))
    });
    running.signal("TERM");
    let out = running.finish();
    assert!(out.status.success(), "{}", said(&out));
    for what in [&["run", "sink", "--once"][..], &["check"]] {
        let mut sink = world.telex(what);
        sink.env("TELEX__SINK__SQLITE", "false");
        let out = finish(sink);
        assert_eq!(out.status.code(), Some(78), "{}", said(&out));
        assert!(said(&out).contains("nothing to write to"), "{}", said(&out));
    }
}

/// Asks for a stream, or for an answer that is not waited for.
pub(crate) fn open(port: u16, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let wait = Some(Duration::from_secs(60));
    stream.set_read_timeout(wait).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    stream
}

/// Readers of streams and a trace under way hold up no end: a supervisor kills what takes longer than its grace.
#[test]
fn readers_hold_up_no_end() {
    let world = World::new();
    let expected = world.site.expected().len();
    let (process, port) = with_console(&world, &["run", "all", "--feeds", "feeds.opml"]);
    wait_for("all articles", || articles(port) == expected);
    let (alone, other) = with_console(&world, &["run", "console"]);
    wait_for("the other console", || articles(other) == expected);
    for (process, port) in [(alone, other), (process, port)] {
        let mut streams: Vec<TcpStream> = ["/api/v1/events", "/events", "/events"]
            .map(|path| open(port, path))
            .into();
        for stream in &mut streams {
            let mut head = [0; 15];
            stream.read_exact(&mut head).unwrap();
            assert_eq!(&head, b"HTTP/1.1 200 OK");
        }
        streams.push(open(port, &format!("/api/v1/articles/{}/trace", "0".repeat(32))));
        let begun = Instant::now();
        process.signal("TERM");
        let out = process.finish();
        assert_eq!(out.status.code(), Some(0), "{}", said(&out));
        // What Docker and systemd give without being asked is 10 s and more; this machine may be busy.
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(30), "{took:?}");
    }
}

/// A newsroom for browsers: says where it is on standard error, and stays until standard input ends.
#[test]
#[ignore = "stays: tests/browser needs it"]
fn a_newsroom_for_browsers() {
    let world = World::new();
    let expected = world.site.expected().len();
    let (_process, port) = with_console(&world, &["run", "all", "--feeds", "feeds.opml"]);
    wait_for("all articles", || articles(port) == expected);
    let dead = [
        ("telex_dead_reason", "invalid_json"),
        ("telex_dead_detail", "expected value at line 1 column 7"),
    ];
    let output = telex_stream::Output {
        topic: "telex.dead-letters.cleaner.v1".to_owned(),
        key: "1".repeat(32).into(),
        route: telex_stream::Route::Partition(0),
        value: Some(r#"{"id": <b>no JSON</b>"#.into()),
        headers: dead
            .iter()
            .chain(&[("telex_dead_origin", "telex.pages.v1/3/17")])
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect(),
    };
    telex_stream::Bus::append(&crate::world::bus(&world.data()).0, vec![output]).unwrap();
    eprintln!("console http://127.0.0.1:{port}/ token {TOKEN}");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
