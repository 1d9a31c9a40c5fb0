//! How much processor time a fetch costs the client: `cargo bench -p telex-web`.
//!
//! The server runs on threads of its own and answers from memory; what is printed is the time of the client's thread
//! alone, from the kernel, so that a busy machine does not matter much.

#![allow(clippy::expect_used, reason = "a benchmark may panic")]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use telex_web::{
    Client, ClientOptions, HostLimits, HostLimitsOptions, Request, Resolve, Resolving, host_key,
};
use tokio::task::JoinSet;
use url::Url;

/// Mean size of a news page.
const PAGE_BYTES: usize = 180_000;

const IN_FLIGHT: usize = 64;

/// Every name is this machine.
struct Loopback;

impl Resolve for Loopback {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        Box::pin(async { Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) })
    }
}

fn main() {
    let page = page();
    let packed = gzip(&page);
    eprintln!("page of {} bytes, packed {}", page.len(), packed.len());
    run(
        "304, 16 hosts",
        serve(head("304 Not Modified", "ETag: \"7\"\r\n", None)),
        16,
        40_000,
    );
    run(
        "304, 4000 hosts",
        serve(head("304 Not Modified", "ETag: \"7\"\r\n", None)),
        4000,
        40_000,
    );
    run("page, plain", serve(head("200 OK", "", Some(&page))), 16, 10_000);
    run(
        "page, gzip",
        serve(head("200 OK", "Content-Encoding: gzip\r\n", Some(&packed))),
        16,
        10_000,
    );
}

/// Repetitive markup around changing words; packs to about a tenth.
fn page() -> Vec<u8> {
    let mut seed = 7_u64;
    let mut page = Vec::new();
    while page.len() < PAGE_BYTES {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let word = seed >> 33;
        page.extend_from_slice(format!("<p class=\"story__text\">{:x}</p>\n", word % 4096).as_bytes());
    }
    page.truncate(PAGE_BYTES);
    page
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(plain).expect("packs");
    packer.finish().expect("packs")
}

fn head(status: &str, headers: &str, body: Option<&[u8]>) -> Vec<u8> {
    let length = body
        .map(|body| format!("Content-Length: {}\r\n", body.len()))
        .unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {status}\r\n{headers}{length}\r\n").into_bytes();
    bytes.extend_from_slice(body.unwrap_or_default());
    bytes
}

fn serve(reply: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("is bound");
    let reply = Arc::new(reply);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let reply = Arc::clone(&reply);
            std::thread::Builder::new()
                .stack_size(64 * 1024)
                .spawn(move || converse(socket, &reply))
                .expect("spawns");
        }
    });
    address
}

fn converse(mut socket: TcpStream, reply: &[u8]) {
    let mut buffer = [0; 4096];
    // A request head is one segment here.
    while socket.read(&mut buffer).is_ok_and(|read| read > 0) && socket.write_all(reply).is_ok() {}
}

fn run(name: &str, server: SocketAddr, hosts: usize, fetches: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("starts");
    let (cpu, wall, bytes) = runtime.block_on(async {
        let options = ClientOptions {
            allow_addresses: vec!["127.0.0.0/8".parse().expect("is a network")],
            per_address_concurrency: IN_FLIGHT,
            ..ClientOptions::default()
        };
        let client = Client::with_resolver(options, Arc::new(Loopback)).expect("is valid");
        let unlimited = std::time::Duration::ZERO;
        let limits = HostLimits::new(HostLimitsOptions {
            min_interval: unlimited,
            concurrency: 64,
            ..HostLimitsOptions::default()
        });
        // Connections are made before the clock starts.
        fetch_all(&client, &limits, server, hosts, hosts).await;
        let (cpu, wall) = (thread_nanos(), Instant::now());
        let bytes = fetch_all(&client, &limits, server, hosts, fetches).await;
        (thread_nanos() - cpu, wall.elapsed(), bytes)
    });
    let per_fetch = cpu as f64 / fetches as f64 / 1000.0;
    eprintln!(
        "{name:18} {per_fetch:7.1} us CPU a fetch = {:6.0}/s on one core; {:6.0}/s by the wall; {:.0} MB",
        1e6 / per_fetch,
        fetches as f64 / wall.as_secs_f64(),
        bytes as f64 / 1e6,
    );
}

async fn fetch_all(
    client: &Client,
    limits: &HostLimits,
    server: SocketAddr,
    hosts: usize,
    fetches: usize,
) -> usize {
    let mut running = JoinSet::new();
    let mut bytes = 0;
    for number in 0..fetches {
        if running.len() >= IN_FLIGHT {
            bytes += running.join_next().await.and_then(Result::ok).unwrap_or_default();
        }
        let (client, limits) = (client.clone(), limits.clone());
        let url = format!(
            "http://host{}.test:{}/news/{number}.html",
            number % hosts,
            server.port()
        );
        running.spawn(async move {
            let mut request = Request::new(Url::parse(&url).expect("is a URL"));
            request.if_none_match = Some("\"7\"".to_owned());
            let _permit = limits.acquire(&host_key(&request.url)).await;
            client.get(&request).await.expect("answers").body.len()
        });
    }
    while let Some(done) = running.join_next().await {
        bytes += done.unwrap_or_default();
    }
    bytes
}

/// Processor time of this thread so far, in nanoseconds.
fn thread_nanos() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("is Linux");
    stat.split(' ')
        .next()
        .and_then(|nanos| nanos.parse().ok())
        .expect("is a number")
}
