//! Web archives, as crawlers write them and as disks leave them.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use telex_web::{Capture, FetchError, WarcError, WarcReader};

const LIMIT: usize = 1 << 20;
const PAGE: &str = "<html><body><p>The ferry was late on Monday.</p></body></html>";

fn record(kind: &str, fields: &str, block: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Date: 2024-02-05T10:11:12Z\r\n{fields}Content-Length: {}\r\n\r\n",
        block.len()
    )
    .into_bytes();
    out.extend_from_slice(block);
    out.extend_from_slice(b"\r\n\r\n");
    out
}

fn answer(path: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let mut block = format!("{head}\r\n\r\n").into_bytes();
    block.extend_from_slice(body);
    record(
        "response",
        &format!("WARC-Target-URI: http://h.test/{path}\r\n"),
        &block,
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn chunked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in bytes.chunks(20) {
        write!(out, "{:x};last=no\r\n", chunk.len()).unwrap();
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

fn read(archive: Vec<u8>) -> Vec<Result<Capture, WarcError>> {
    WarcReader::open(Cursor::new(archive), LIMIT).unwrap().collect()
}

/// The only capture of an archive.
fn capture(archive: Vec<u8>) -> Capture {
    let mut captures = read(archive);
    assert_eq!(captures.len(), 1, "{captures:?}");
    captures.remove(0).unwrap()
}

fn body(capture: &Capture) -> &str {
    std::str::from_utf8(&capture.response.as_ref().unwrap().body).unwrap()
}

#[test]
fn answers_are_read_and_all_else_is_passed_over() {
    let target = "WARC-Target-URI: http://h.test/a\r\n";
    let archive = [
        record("warcinfo", "", b"software: a crawler\r\n"),
        record("request", target, b"GET /a HTTP/1.1\r\n\r\n"),
        answer("a", "HTTP/1.1 200 OK\r\nContent-Type: text/html", PAGE.as_bytes()),
        record("revisit", target, b"HTTP/1.1 200 OK\r\n\r\n"),
        record("response", "WARC-Target-URI: dns:h.test\r\n", b"192.0.2.1"),
        answer("b", "HTTP/1.1 404 Not Found", b""),
    ]
    .concat();
    for archive in [archive.clone(), gzip(&archive)] {
        let captures: Vec<Capture> = read(archive).into_iter().map(Result::unwrap).collect();
        let [a, b] = captures.as_slice() else {
            panic!("{captures:?}");
        };
        assert_eq!((a.url.as_str(), body(a)), ("http://h.test/a", PAGE));
        assert_eq!(a.date.as_deref(), Some("2024-02-05T10:11:12Z"));
        let response = a.response.as_ref().unwrap();
        assert!(response.is_page() && response.status == 200);
        assert_eq!(response.final_url.as_str(), "http://h.test/a");
        assert_eq!(b.response.as_ref().unwrap().status, 404);
    }
}

#[test]
fn every_record_may_be_packed_by_itself() {
    let one = gzip(&answer("a", "HTTP/1.1 200 OK", PAGE.as_bytes()));
    let captures = read([one.clone(), one.clone(), one].concat());
    assert_eq!(captures.len(), 3);
    assert!(captures.iter().all(|c| body(c.as_ref().unwrap()) == PAGE));
}

#[test]
fn bodies_are_unpacked_where_they_are_packed_whatever_the_headers_say() {
    let page = PAGE.as_bytes();
    let packed = gzip(page);
    for (headers, kept) in [
        ("Content-Encoding: gzip", packed.clone()),
        ("Content-Encoding: gzip", page.to_vec()),
        ("Content-Encoding: br", page.to_vec()),
        ("Content-Encoding: of-our-own", page.to_vec()),
        ("Transfer-Encoding: chunked", chunked(page)),
        ("Transfer-Encoding: chunked", page.to_vec()),
        (
            "Transfer-Encoding: Chunked\r\nContent-Encoding: gzip",
            chunked(&packed),
        ),
        ("no header at all", page.to_vec()),
    ] {
        for version in ["HTTP/1.1 200 OK", "HTTP/1.0 200", "HTTP/2 200"] {
            let capture = capture(answer("a", &format!("{version}\r\n{headers}"), &kept));
            assert_eq!(body(&capture), PAGE, "{version} {headers}");
        }
    }
}

#[test]
fn a_resource_is_an_answer_without_headers() {
    let fields = "WARC-Target-URI: <https://h.test/a>\r\nContent-Type: text/html; charset=utf-8\r\n";
    let capture = capture(record("resource", fields, PAGE.as_bytes()));
    assert_eq!((capture.url.as_str(), body(&capture)), ("https://h.test/a", PAGE));
    assert_eq!(
        capture.response.unwrap().content_type(),
        Some("text/html; charset=utf-8")
    );
}

#[test]
fn a_bomb_and_a_long_body_are_cut_at_the_limit() {
    let zeros = vec![b'0'; 8 * LIMIT];
    for (headers, kept) in [
        ("Content-Encoding: gzip", gzip(&zeros)),
        ("Content-Type: text/html", zeros),
    ] {
        let archive = [
            answer("a", &format!("HTTP/1.1 200 OK\r\n{headers}"), &kept),
            answer("b", "HTTP/1.1 200 OK", PAGE.as_bytes()),
        ]
        .concat();
        let captures: Vec<Capture> = read(archive).into_iter().map(Result::unwrap).collect();
        let lengths: Vec<usize> = captures.iter().map(|c| body(c).len()).collect();
        assert_eq!(lengths, [LIMIT, PAGE.len()]);
    }
}

#[test]
fn what_is_no_answer_is_told_and_costs_no_other() {
    let archive = [
        answer("a", "SSH-2.0 hello", b""),
        answer("b", "HTTP/1.1 200 OK", PAGE.as_bytes()),
    ]
    .concat();
    let captures: Vec<Capture> = read(archive).into_iter().map(Result::unwrap).collect();
    let [wrong, right] = captures.as_slice() else {
        panic!("{captures:?}");
    };
    assert!(matches!(&wrong.response, Err(FetchError::Protocol(_))));
    assert_eq!(body(right), PAGE);
}

#[test]
fn what_is_no_archive_is_called_so() {
    for bytes in [b"<html>".to_vec(), gzip(b"hello\n"), vec![b'x'; 1 << 20]] {
        let captures = read(bytes);
        assert!(
            matches!(captures.as_slice(), [Err(WarcError::NoWarc)]),
            "{captures:?}"
        );
    }
    assert!(read(Vec::new()).is_empty());
}

#[test]
fn lengths_that_cannot_be_cost_nothing() {
    let archive = format!(
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://h.test/\r\nContent-Length: {}\r\n\r\nHTTP",
        u64::MAX
    );
    let captures = read(archive.into_bytes());
    assert!(matches!(captures.as_slice(), [Err(WarcError::Truncated(1))]));
    let captures = read(b"WARC/1.0\r\nWARC-Type: response\r\n\r\n".to_vec());
    assert!(matches!(
        captures.as_slice(),
        [Err(WarcError::Damaged { record: 1, .. })]
    ));
}

proptest! {
    #[test]
    fn a_cut_costs_only_what_is_behind_it(cut in 0_usize..2000, packed: bool) {
        let pages: Vec<Vec<u8>> = (0..5)
            .map(|n| answer(&n.to_string(), "HTTP/1.1 200 OK\r\nContent-Type: text/html", PAGE.as_bytes()))
            .map(|record| if packed { gzip(&record) } else { record })
            .collect();
        let whole = pages.concat();
        let cut = cut.min(whole.len());
        let mut ends = 0;
        let complete = pages.iter().take_while(|p| { ends += p.len(); ends <= cut }).count();
        let captures = read(whole[..cut].to_vec());
        let read = captures.iter().take_while(|c| c.is_ok()).count();
        prop_assert!(read >= complete, "{read} of {complete} at {cut}");
        prop_assert!(captures.len() <= read + 1, "nothing comes behind an error");
        for capture in captures.iter().take(read) {
            prop_assert_eq!(body(capture.as_ref().unwrap()), PAGE);
        }
    }

    #[test]
    fn no_bytes_break_the_reader(start in 0_usize..600, noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut archive = [
            answer("a", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", &chunked(PAGE.as_bytes())),
            answer("b", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip", &gzip(PAGE.as_bytes())),
        ]
        .concat();
        let start = start.min(archive.len());
        let end = (start + noise.len()).min(archive.len());
        archive.splice(start..end, noise);
        prop_assert!(read(archive).len() <= 20);
    }
}
