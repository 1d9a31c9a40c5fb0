//! An installation: a bus, what is on it, and pollers that work on it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use telex_model::{FeedId, FeedRecord, FeedState, Item, Origin, Stage, Topic, domain, event, to_json};
use telex_poller::list::Listed;
use telex_poller::websub::WebSub;
use telex_poller::{ItemRules, Poller, PollerOptions, PollerReport};
use telex_stream::sim::SimBus;
use telex_stream::{
    Bus, Control, DeadLetter, Limits, Output, RateLimit, Route, SessionConfig, SourceContext, read_all,
    run_source,
};
use telex_telemetry::{Health, Metrics};
use telex_web::{Client, ClientOptions, HostLimits, HostLimitsOptions};
use tokio::runtime::Runtime;
use url::Url;

pub(crate) const PREFIX: &str = "telex";

/// Nothing here takes longer on a machine that is fit to run it.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct Installation {
    pub(crate) runtime: Runtime,
    pub(crate) bus: SimBus,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) rules: ItemRules,
    pub(crate) limits: HostLimitsOptions,
    pub(crate) client: ClientOptions,
    pub(crate) websub: Option<WebSub>,
}

/// A poller at work.
pub(crate) struct Working {
    control: Control,
    thread: Option<JoinHandle<()>>,
    pub(crate) report: Arc<PollerReport>,
}

impl Installation {
    pub(crate) fn new() -> Self {
        let bus = SimBus::default();
        bus.create_topics(PREFIX, &Topic::fixed()).unwrap();
        Self {
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(4)
                .enable_all()
                .build()
                .unwrap(),
            bus,
            metrics: Metrics::new(),
            rules: ItemRules::default(),
            limits: HostLimitsOptions {
                min_interval: Duration::ZERO,
                ..HostLimitsOptions::default()
            },
            client: ClientOptions {
                allow_addresses: vec!["127.0.0.0/8".parse().unwrap()],
                ..ClientOptions::default()
            },
            websub: None,
        }
    }

    /// Puts a feed on the list.
    pub(crate) fn add(&self, url: &Url) -> FeedRecord {
        let listed = Listed {
            url: url.clone(),
            title: None,
            labels: Vec::new(),
        };
        let record = listed.record(Origin::Command);
        self.put(&record);
        record
    }

    pub(crate) fn put(&self, record: &FeedRecord) {
        self.write(record, Some(to_json(record).into()));
    }

    pub(crate) fn remove(&self, record: &FeedRecord) {
        self.write(record, None);
    }

    fn write(&self, record: &FeedRecord, value: Option<Bytes>) {
        let output = Output {
            topic: Topic::Feeds.name(PREFIX),
            key: Bytes::from(record.id.to_string()),
            route: Route::By(Bytes::from(domain(&Url::parse(&record.url).unwrap()))),
            value,
            headers: event::Headers::new(),
        };
        self.bus.append(vec![output]).unwrap();
    }

    pub(crate) fn start(&self, once: bool) -> Working {
        let session = self
            .bus
            .session(SessionConfig {
                group: "poller".to_owned(),
                input: Topic::Feeds.name(PREFIX),
                max_batch_messages: 500,
                max_batch_bytes: 4 << 20,
            })
            .unwrap();
        let metrics = self.metrics.stage(
            Stage::Poller,
            &telex_poller::DROP_REASONS,
            &telex_poller::DEAD_REASONS,
        );
        let options = PollerOptions {
            canary: None,
            prefix: PREFIX.to_owned(),
            rules: self.rules.clone(),
            concurrency: 64,
            once,
            websub: self.websub.clone(),
        };
        let client = Client::new(self.client.clone()).unwrap();
        let limits = HostLimits::new(self.limits);
        let runtime = self.runtime.handle().clone();
        let mut poller = Poller::new(options, client, limits, runtime, metrics.clone(), session.waker());
        let report = poller.report();
        let control = Control::default();
        let context = SourceContext {
            control: control.clone(),
            dead: DeadLetter::new(Stage::Poller, PREFIX),
            limits: Limits::new(RateLimit::default()),
            metrics,
            health: Health::default().stage("poller"),
            patience: Duration::from_secs(5),
        };
        let thread = std::thread::spawn(move || {
            run_source(session, &mut poller, context).unwrap();
        });
        Working {
            control,
            thread: Some(thread),
            report,
        }
    }

    /// Polls every feed once; gives the items that this brought.
    pub(crate) fn once(&self) -> Vec<Item> {
        let before = self.items().len();
        let mut working = self.start(true);
        working.control.drain();
        working.join();
        self.items().split_off(before)
    }

    /// Every item on the bus, in the order of their polls.
    pub(crate) fn items(&self) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        self.each(&Topic::Items, |value| {
            items.push(serde_json::from_slice(value).unwrap())
        });
        items.sort_by_key(|item| item.polled_at);
        items
    }

    pub(crate) fn state(&self, id: FeedId) -> Option<FeedState> {
        let mut found = None;
        self.each(&Topic::FeedState, |value| {
            let state: FeedState = serde_json::from_slice(value).unwrap();
            if state.id == id {
                found = Some(state);
            }
        });
        found
    }

    fn each(&self, topic: &Topic, mut take: impl FnMut(&[u8])) {
        read_all(&self.bus, &topic.name(PREFIX), &mut |message| {
            if let Some(value) = &message.value {
                take(value);
            }
        })
        .unwrap();
    }
}

impl Working {
    pub(crate) fn polled(&self) -> u64 {
        self.report.polled.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(mut self) {
        self.control.stop();
        self.join();
    }

    fn join(&mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.control.stop();
    }
}

/// Waits for something to become true.
pub(crate) fn wait_for(what: &str, mut fine: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !fine() {
        assert!(begin.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Last part of the addresses of items.
pub(crate) fn names(items: &[Item]) -> Vec<&str> {
    items
        .iter()
        .filter_map(|item| item.url.as_deref()?.rsplit('/').next())
        .collect()
}

/// An RSS feed of items: number and title.
pub(crate) fn rss(items: &[(u32, &str)]) -> String {
    let items: String = items
        .iter()
        .map(|(n, title)| format!("<item><title>{title}</title><link>/a/{n}</link><guid>{n}</guid></item>"))
        .collect();
    format!("<rss version=\"2.0\"><channel><title>Harbour</title>{items}</channel></rss>")
}
