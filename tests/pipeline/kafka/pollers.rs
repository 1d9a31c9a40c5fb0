//! Two and three pollers that share the feeds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use telex_model::{FeedId, FeedRecord, Origin, Stage, Topic, domain, to_json};
use telex_stream::kafka::{KafkaBus, KafkaOptions};
use telex_stream::{Bus, Output, Route};
use url::Url;

use crate::cluster::{Cluster, Processes, shared};
use crate::world::wait_for;

/// As many as spread over all partitions, with several in most.
const FEEDS: u8 = 36;

/// Feeds on hosts of their own, each with one item more at every request; a request takes a moment, so that two
/// pollers of one feed would meet.
#[derive(Default)]
struct Feeds {
    polled: Mutex<BTreeMap<u8, Polled>>,
    /// No more items from now on.
    closed: AtomicBool,
}

#[derive(Default)]
struct Polled {
    requests: u32,
    items: u32,
    under_way: u32,
    met: u32,
}

impl Feeds {
    fn start() -> (Arc<Self>, Vec<String>) {
        let feeds = Arc::new(Self::default());
        let mut port = 0;
        let mut urls = Vec::new();
        for n in 1..=FEEDS {
            let listener = TcpListener::bind((format!("127.0.9.{n}"), port)).unwrap();
            port = listener.local_addr().unwrap().port();
            urls.push(format!("http://127.0.9.{n}:{port}/rss"));
            let feeds = Arc::clone(&feeds);
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let feeds = Arc::clone(&feeds);
                    std::thread::spawn(move || feeds.answer(n, stream));
                }
            });
        }
        (feeds, urls)
    }

    fn answer(&self, n: u8, mut stream: TcpStream) {
        let mut head = [0; 4096];
        while stream.read(&mut head).is_ok_and(|read| read > 0) {
            let items = {
                let mut all = self.polled.lock().unwrap();
                let feed = all.entry(n).or_default();
                feed.requests += 1;
                feed.items += u32::from(!self.closed.load(Ordering::Relaxed));
                feed.under_way += 1;
                feed.met += u32::from(feed.under_way > 1);
                feed.items
            };
            std::thread::sleep(Duration::from_millis(100));
            self.polled.lock().unwrap().entry(n).or_default().under_way -= 1;
            let items: String = (1..=items)
                .map(|k| format!("<item><title>Story {k}</title><link>/{k}</link><guid>{k}</guid></item>"))
                .collect();
            let body = format!("<rss><channel><title>Feed {n}</title>{items}</channel></rss>");
            let length = body.len();
            if write!(stream, "HTTP/1.1 200 X\r\nContent-Length: {length}\r\n\r\n{body}").is_err() {
                return;
            }
        }
    }

    /// Requests for each feed so far.
    fn requests(&self) -> Vec<u32> {
        let all = self.polled.lock().unwrap();
        (1..=FEEDS)
            .map(|n| all.get(&n).map_or(0, |feed| feed.requests))
            .collect()
    }

    /// Items of each feed.
    fn items(&self) -> Vec<u32> {
        let all = self.polled.lock().unwrap();
        (1..=FEEDS)
            .map(|n| all.get(&n).map_or(0, |feed| feed.items))
            .collect()
    }

    fn met(&self) -> u32 {
        self.polled.lock().unwrap().values().map(|feed| feed.met).sum()
    }
}

/// Puts feeds on the list that are polled every second.
fn add(cluster: &Cluster, urls: &[String]) {
    let record = |url: &String| {
        let url = Url::parse(url).unwrap();
        let record = FeedRecord {
            id: FeedId::of(&url),
            url: url.to_string(),
            title: None,
            labels: Vec::new(),
            origin: Origin::Command,
            paused: false,
            interval_seconds: Some(1),
            headers: telex_model::RequestHeaders::default(),
            poll_requested: None,
        };
        Output {
            topic: Topic::Feeds.name(&cluster.prefix),
            key: record.id.to_string().into(),
            route: Route::By(domain(&url).into()),
            value: Some(to_json(&record).into()),
            headers: Vec::new(),
        }
    };
    let bus = KafkaBus::open(KafkaOptions::new(&cluster.address)).unwrap();
    bus.append(urls.iter().map(record).collect()).unwrap();
}

/// Waits until every feed has been polled again, by whoever has it now.
fn polled_again(feeds: &Feeds) {
    let before = feeds.requests();
    wait_for("every feed to be polled", || {
        let now = feeds.requests();
        before.iter().zip(now).all(|(before, now)| *before < now)
    });
}

#[test]
fn pollers_come_and_go_and_no_feed_is_forgotten_or_polled_by_two() {
    let Some(address) = shared() else { return };
    let cluster = Cluster::new(address, "pollers");
    let (feeds, urls) = Feeds::start();
    let mut processes = Processes::none(&cluster);
    processes.start(Stage::Poller);
    processes.start(Stage::Poller);
    processes.settle(Stage::Poller);
    add(&cluster, &urls);
    polled_again(&feeds);

    processes.start(Stage::Poller);
    processes.settle(Stage::Poller);
    polled_again(&feeds);
    let leaves = processes.of(Stage::Poller)[0];
    processes.stop(leaves);
    polled_again(&feeds);
    let dies = processes.of(Stage::Poller)[0];
    processes.kill(dies);
    processes.start(Stage::Poller);
    processes.settle(Stage::Poller);
    polled_again(&feeds);
    // What the last requests brought may be thrown away with the pollers that made them: they bring nothing new.
    feeds.closed.store(true, Ordering::Relaxed);
    polled_again(&feeds);
    polled_again(&feeds);
    let ports = processes.ports();
    ports.into_iter().for_each(|port| processes.stop(port));

    assert_eq!(feeds.met(), 0, "a feed was polled by two at once");
    let items = cluster.read("items.v1");
    let urls: Vec<String> = items
        .into_iter()
        .map(|(_, item)| item.unwrap()["url"].to_string())
        // Canaries have none.
        .filter(|url| url != "null")
        .collect();
    let once: BTreeSet<&String> = urls.iter().collect();
    assert_eq!(urls.len(), once.len(), "an item came twice");
    for (n, items) in (1..=FEEDS).zip(feeds.items()) {
        for k in 1..=items {
            let url = urls
                .iter()
                .any(|url| url.contains(&format!("127.0.9.{n}:")) && url.ends_with(&format!("/{k}\"")));
            assert!(url, "item {k} of feed {n} is lost");
        }
    }
}
