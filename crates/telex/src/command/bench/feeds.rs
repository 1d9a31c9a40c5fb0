//! A server of feeds and their pages on loopback: many hosts, one thread.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Items of a feed.
pub(super) const ITEMS: usize = 20;

/// Longest head of a request that is read.
const MAX_HEAD: usize = 16 * 1024;

/// The time that the server's thread has used is noted after so many requests.
const NOTE_EVERY: u64 = 64;

/// A running server; ends with the process.
pub(super) struct FeedServer {
    hosts: Vec<SocketAddr>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// One feed in so many is another than before; 0 for none.
    changed: AtomicUsize,
    requests: AtomicU64,
    nanoseconds: AtomicU64,
    /// What the items link to, over and over; without any, items link to nothing.
    pages: Vec<String>,
}

/// The loopback network that the hosts are in.
pub(super) fn network() -> Option<IpNet> {
    "127.0.0.0/8".parse().ok()
}

impl FeedServer {
    /// Listens on so many loopback addresses, at most 250.
    pub(super) fn start(hosts: usize, pages: Vec<String>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let state = Arc::new(State {
            pages,
            ..State::default()
        });
        let address = |last: u8, port| SocketAddr::from((Ipv4Addr::new(127, 0, 77, last), port));
        let first = runtime.block_on(TcpListener::bind(address(1, 0)))?;
        let port = first.local_addr()?.port();
        let mut listeners = vec![first];
        for last in (2..=250).take(hosts.saturating_sub(1)) {
            listeners.push(runtime.block_on(TcpListener::bind(address(last, port)))?);
        }
        let hosts = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<_, _>>()?;
        let shared = Arc::clone(&state);
        std::thread::Builder::new()
            .name("feeds".to_owned())
            .spawn(move || {
                for listener in listeners {
                    runtime.spawn(listen(listener, Arc::clone(&shared)));
                }
                runtime.block_on(std::future::pending::<()>());
            })?;
        Ok(Self { hosts, state })
    }

    /// Addresses of so many feeds, spread over the hosts.
    pub(super) fn urls(&self, feeds: usize) -> Vec<String> {
        let hosts = self.hosts.iter().cycle();
        hosts
            .take(feeds)
            .enumerate()
            .map(|(n, host)| format!("http://{host}/{n}"))
            .collect()
    }

    /// Has one feed in so many be another from now on.
    pub(super) fn change(&self, one_in: usize) {
        self.state.changed.store(one_in, Ordering::Relaxed);
    }

    /// CPU time that the server has used, but for the last few requests.
    pub(super) fn used(&self) -> Duration {
        Duration::from_nanos(self.state.nanoseconds.load(Ordering::Relaxed))
    }
}

async fn listen(listener: TcpListener, state: Arc<State>) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(converse(socket, Arc::clone(&state)));
    }
}

async fn converse(mut socket: TcpStream, state: Arc<State>) {
    let mut head = Vec::new();
    loop {
        head.clear();
        while !head.ends_with(b"\r\n\r\n") {
            match socket.read_buf(&mut head).await {
                Ok(1..) if head.len() < MAX_HEAD => {}
                _ => return,
            }
        }
        let answer = answer(&String::from_utf8_lossy(&head), &state);
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        if state
            .requests
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(NOTE_EVERY)
        {
            let time = clock_gettime(ClockId::ThreadCPUTime);
            let nanoseconds = time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs();
            state.nanoseconds.store(nanoseconds, Ordering::Relaxed);
        }
    }
}

fn answer(head: &str, state: &State) -> String {
    let path = head.split_whitespace().nth(1).unwrap_or_default();
    let mut parts = path.split('/').skip(1).map(|part| part.parse::<usize>().ok());
    let (number, item) = (parts.next().flatten(), parts.next().flatten());
    if let Some((number, item)) = number.zip(item) {
        let place = (number * ITEMS + item) % state.pages.len().max(1);
        let page = state.pages.get(place).map_or("", String::as_str);
        return found("text/html; charset=utf-8", "", page);
    }
    let Some(number) = number else {
        // Such as robots.txt.
        return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned();
    };
    let one_in = state.changed.load(Ordering::Relaxed);
    let version = usize::from(one_in > 0 && number.is_multiple_of(one_in));
    let etag = format!("\"{number}-{version}\"");
    if head.contains(&etag) {
        return format!("HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n");
    }
    found(
        "application/rss+xml",
        &format!("ETag: {etag}\r\n"),
        &feed(number, version),
    )
}

fn found(kind: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A feed of 10 kB; a later version has one new item.
fn feed(number: usize, version: usize) -> String {
    let mut out = format!("<rss version=\"2.0\"><channel><title>Feed {number}</title><link>/</link>");
    let summary = "The harbour board met on Monday to talk about the ferry. ".repeat(7);
    for item in (version..version + ITEMS).rev() {
        // Writing to a string cannot fail.
        let _ok = write!(
            out,
            "<item><title>Story {item} of feed {number}</title><link>/{number}/{item}</link><guid>{number}-{item}</guid>\
             <pubDate>Wed, 01 Jul 2026 {:02}:00:00 GMT</pubDate><description>{summary}</description></item>",
            item % 24
        );
    }
    out.push_str("</channel></rss>");
    out
}
