//! Archives of pages, as a crawler kept them, in place of fetches.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use url::Url;

use crate::world::{Started, World, finish, rows, said, wait_for};

/// What the world answers for a page, byte by byte, as a crawler keeps it.
fn answer(url: &str) -> Vec<u8> {
    let at = Url::parse(url).unwrap();
    let (host, port) = (at.host_str().unwrap(), at.port().unwrap());
    let ask = || {
        let mut stream = TcpStream::connect((host, port)).unwrap();
        write!(
            stream,
            "GET {} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n",
            &at[url::Position::BeforePath..url::Position::AfterQuery]
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    };
    let answer = ask();
    // One page of the world fails once.
    if answer.starts_with(b"HTTP/1.1 500") {
        ask()
    } else {
        answer
    }
}

fn record(url: &str, answer: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    write!(
        encoder,
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-02-05T10:11:12Z\r\nContent-Type: application/http; msgtype=response\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    )
    .unwrap();
    encoder.write_all(answer).unwrap();
    encoder.write_all(b"\r\n\r\n").unwrap();
    encoder.finish().unwrap()
}

fn archive(path: &Path, urls: &[String]) {
    let mut out = record("http://127.0.0.1/robots.txt", b"HTTP/1.1 404 Not Found\r\n\r\n");
    for url in urls {
        out.extend(record(url, &answer(url)));
    }
    std::fs::write(path, out).unwrap();
}

fn import(world: &World, args: &[&str]) -> Value {
    let out = finish(world.telex(&[&["import", "--output", "json"], args].concat()));
    rows(&out).remove(0)
}

#[test]
fn an_archive_comes_through_once_without_a_fetch() {
    let world = World::new();
    let urls: Vec<String> = world.site.expected().into_iter().map(|e| e.url).collect();
    let file = world.path().join("crawl.warc.gz");
    archive(&file, &urls);
    let asked = world.site.requests().len();

    assert_eq!(import(&world, &["--dry-run", "crawl.warc.gz"])["dry_run"], true);
    let done = import(&world, &["--label", "archive", "crawl.warc.gz"]);
    let taken = done["count"].as_u64().unwrap();
    let passed_over: u64 = done["passed_over"]
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(taken + passed_over, urls.len() as u64 + 1, "{done}");
    assert!(taken * 4 > urls.len() as u64 * 3, "{done}");
    let run = |args: &[&str]| {
        let out = finish(world.telex(&[&["run", "all", "--once"], args].concat()));
        assert!(out.status.success(), "{}", said(&out));
    };
    run(&[]);
    let articles = world.articles(&[]);
    assert_eq!(articles.len() as u64, taken);
    assert!(
        articles
            .iter()
            .all(|a| a["source"]["labels"] == serde_json::json!(["archive"]) && a["kind"] != "listing")
    );
    assert_eq!(world.site.requests().len(), asked, "nothing was fetched");

    // The same once more, and then the feeds: every article of the world has come once, tagged as it should be.
    assert_eq!(import(&world, &["crawl.warc.gz"])["count"], taken);
    run(&["--feeds", "feeds.opml"]);
    world.check_all(&world.articles(&[]));
    let of_archive = |tapped: &[Value]| {
        tapped
            .iter()
            .filter(|a| a["source"]["labels"] == serde_json::json!(["archive"]))
            .count() as u64
    };
    assert_eq!(of_archive(&world.tapped(None)), taken);
}

#[test]
fn archives_are_read_to_their_wound() {
    let world = World::new();
    let urls: Vec<String> = world.site.expected().into_iter().map(|e| e.url).collect();
    let file = world.path().join("crawl.warc.gz");
    archive(&file, urls.get(..9).unwrap());
    let whole = import(&world, &["--dry-run", "crawl.warc.gz"])["count"]
        .as_u64()
        .unwrap();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, bytes.get(..bytes.len() - 30).unwrap()).unwrap();
    let out = finish(world.telex(&["import", "crawl.warc.gz", "--output", "json"]));
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(
        said(&out).contains("crawl.warc.gz: the archive ends in the middle of record 10"),
        "{}",
        said(&out)
    );
    let count: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(count["count"].as_u64().unwrap() + 1, whole);

    std::fs::write(&file, "<html>").unwrap();
    let out = finish(world.telex(&["import", "crawl.warc.gz"]));
    assert_eq!(out.status.code(), Some(1));
    assert!(said(&out).contains("this is no WARC file"), "{}", said(&out));
    let out = finish(world.telex(&["import", "nowhere.warc"]));
    assert_eq!(out.status.code(), Some(69));
}

#[test]
fn an_archive_larger_than_the_bus_waits_for_the_fetcher() {
    let world = World::new();
    let page = answer(&world.site.expected()[0].url);
    let text = String::from_utf8(page).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let head: Vec<&str> = head
        .lines()
        .filter(|l| !l.to_ascii_lowercase().starts_with("content-length"))
        .collect();
    // Pages of 1 MB, most of it comment, which together are larger than the bus.
    let page = format!(
        "{}\r\n\r\n{body}<!--{}-->",
        head.join("\r\n"),
        "x".repeat(1_000_000)
    );
    let out: Vec<u8> = (0..150)
        .flat_map(|n| record(&format!("http://h{n}.test/story"), page.as_bytes()))
        .collect();
    std::fs::write(world.path().join("crawl.warc.gz"), out).unwrap();
    let small = |args: &[&str]| {
        let mut command = world.telex(args);
        command.env("TELEX__BUS__MAX_BYTES", "100000000");
        command
    };
    let process = Started::new(small(&["run", "all"]));
    wait_for("the bus", || world.data().join("bus.sqlite").exists());
    let out = finish(small(&["import", "crawl.warc.gz", "--output", "json"]));
    assert_eq!(rows(&out).remove(0)["count"], 150);
    wait_for("all articles", || world.articles(&[]).len() == 150);
    process.signal("TERM");
    let out = process.finish();
    assert!(out.status.success(), "{}", said(&out));
}
