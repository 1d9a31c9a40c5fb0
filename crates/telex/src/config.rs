//! Configuration: flag before environment before file before default.
//!
//! All problems are reported at once, each with the place where it stands and, where one is near, what was meant.

mod client;
mod layer;
mod period;
mod secret;

use std::num::NonZeroU32;
use std::path::PathBuf;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telex_model::Stage;
use telex_stream::RateLimit;

pub(crate) use client::ClientSettings;
pub(crate) use layer::Layers;
pub(crate) use period::Period;
pub(crate) use secret::Secret;

/// Everything that can be set.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Folder of everything that is kept on disk: embedded bus, sink database.
    pub(crate) data_dir: DataDir,
    pub(crate) bus: BusConfig,
    pub(crate) limits: Limits,
    pub(crate) web: Web,
    pub(crate) poller: Poller,
    pub(crate) websub: WebSubConfig,
    pub(crate) fetcher: Fetcher,
    pub(crate) classifier: ClassifierConfig,
    pub(crate) sink: Sink,
    pub(crate) canary: Canary,
    pub(crate) metrics: MetricsConfig,
    pub(crate) console: ConsoleConfig,
    pub(crate) log: Log,
}

/// The data directory.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct DataDir(pub(crate) PathBuf);

impl Default for DataDir {
    fn default() -> Self {
        Self(PathBuf::from("telex-data"))
    }
}

/// The bus that carries messages from stage to stage.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BusConfig {
    /// `sqlite`: embedded, one process. `kafka`: any number of processes.
    pub(crate) kind: BusKind,
    /// First word of all topic names.
    pub(crate) topic_prefix: String,
    /// Kafka brokers to begin with: `host:port`, joined by commas.
    pub(crate) brokers: Option<String>,
    /// Further settings of the Kafka client, by the names of librdkafka's CONFIGURATION.md.
    pub(crate) kafka: ClientSettings,
    /// Bytes that the embedded bus may take on disk.
    pub(crate) max_bytes: u64,
    /// Bytes of committed messages that the embedded bus keeps in memory for their readers.
    pub(crate) tail_bytes: u32,
}

impl Default for BusConfig {
    fn default() -> Self {
        Self {
            kind: BusKind::Sqlite,
            topic_prefix: "telex".to_owned(),
            brokers: None,
            kafka: ClientSettings::default(),
            max_bytes: 20 << 30,
            tail_bytes: 64 << 20,
        }
    }
}

/// The kinds of bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BusKind {
    /// Embedded.
    Sqlite,
    /// Apache Kafka.
    Kafka,
}

/// Rate limits, each per process.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Per host; poller and fetcher share it where one process runs both.
    pub(crate) host: HostLimit,
    pub(crate) poller: StageLimit,
    pub(crate) fetcher: StageLimit,
    pub(crate) cleaner: StageLimit,
    pub(crate) classifier: StageLimit,
    pub(crate) sink: StageLimit,
}

impl Limits {
    /// The limit of a stage.
    pub(crate) fn stage(&self, stage: Stage) -> RateLimit {
        let limit = match stage {
            Stage::Poller => &self.poller,
            Stage::Fetcher => &self.fetcher,
            Stage::Cleaner => &self.cleaner,
            Stage::Classifier => &self.classifier,
            Stage::Sink => &self.sink,
        };
        RateLimit {
            messages_per_second: limit.messages_per_second,
            bytes_per_second: limit.bytes_per_second,
        }
    }
}

/// What one host is asked to bear.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HostLimit {
    /// Requests begun per second; 0.2 is one in five seconds.
    #[schemars(range(min = 0.001))]
    pub(crate) requests_per_second: f64,
    /// Requests under way at once.
    pub(crate) concurrency: NonZeroU32,
}

impl Default for HostLimit {
    fn default() -> Self {
        Self {
            requests_per_second: 1.0,
            concurrency: NonZeroU32::MIN.saturating_add(1),
        }
    }
}

/// What a stage may process.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StageLimit {
    /// Messages per second; no limit where absent.
    pub(crate) messages_per_second: Option<NonZeroU32>,
    /// Bytes of messages per second; no limit where absent.
    pub(crate) bytes_per_second: Option<NonZeroU32>,
}

/// Requests to the web.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Web {
    /// Sent with every request; name a contact in it.
    pub(crate) user_agent: String,
    /// Private ranges that may be fetched from; none by default.
    #[schemars(with = "Vec<String>")]
    pub(crate) allow_addresses: Vec<IpNet>,
    /// Longest time of a request with its redirects and body.
    pub(crate) timeout: Period,
    /// Proxy for all requests, `http://user:password@host:port`; asked for vetted addresses by CONNECT, never for
    /// names.
    pub(crate) egress_proxy: Secret,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            user_agent: concat!(
                "telex/",
                env!("CARGO_PKG_VERSION"),
                " (news reader; set web.user_agent to name your contact)"
            )
            .to_owned(),
            allow_addresses: Vec::new(),
            timeout: Period::seconds(30),
            egress_proxy: Secret::default(),
        }
    }
}

/// The poller.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Poller {
    /// OPML, or one URL a line; what leaves the file is no longer polled.
    pub(crate) feeds: Option<PathBuf>,
    /// Newest items taken from a feed seen for the first time.
    pub(crate) initial_items: usize,
    /// Items published longer ago than this are not taken.
    pub(crate) max_age: Option<Period>,
    /// Polls under way at once, over all hosts.
    pub(crate) concurrency: NonZeroU32,
}

impl Default for Poller {
    fn default() -> Self {
        Self {
            feeds: None,
            initial_items: 100,
            max_age: None,
            concurrency: NonZeroU32::MIN.saturating_add(255),
        }
    }
}

/// WebSub: hubs tell the poller when feeds change. Off unless all three are set, the same for all pollers.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WebSubConfig {
    /// Address under which hubs reach the pollers, such as `https://news.example.org/websub`.
    pub(crate) callback_url: Option<String>,
    /// Where a poller listens for them, behind a proxy that speaks TLS.
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// What the secrets of all feeds are derived from; best in a file that TELEX__WEBSUB__SECRET_FILE names.
    pub(crate) secret: Secret,
}

/// The fetcher.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Fetcher {
    /// Whether article pages are fetched.
    pub(crate) fetch: Fetch,
    /// Fetches under way at once, over all hosts.
    pub(crate) concurrency: NonZeroU32,
    /// Requests for one page before the feed's own text stands in for it.
    pub(crate) max_attempts: NonZeroU32,
    /// Wait after the first failed request; it grows fourfold with each further one.
    pub(crate) first_retry: Period,
    /// Bytes of waiting articles kept in memory; beyond it items wait on the bus.
    pub(crate) max_waiting_bytes: usize,
    /// Articles remembered as done; beyond it the oldest are forgotten.
    pub(crate) max_done: usize,
}

impl Default for Fetcher {
    fn default() -> Self {
        Self {
            fetch: Fetch::Auto,
            concurrency: NonZeroU32::MIN.saturating_add(255),
            max_attempts: NonZeroU32::MIN.saturating_add(3),
            first_retry: Period::seconds(60),
            max_waiting_bytes: 256 << 20,
            max_done: 2_000_000,
        }
    }
}

/// Whether article pages are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fetch {
    /// Always.
    Always,
    /// Unless the feed carries the full text.
    Auto,
    /// Never: the feed's own content is the page.
    Never,
}

/// The classifier.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClassifierConfig {
    /// Folder with topic files that are used beside the built-in ones; a file of the same name takes its place.
    pub(crate) topics: Option<PathBuf>,
}

/// The sink.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sink {
    /// Write to a SQLite database in the data directory.
    pub(crate) sqlite: bool,
    pub(crate) postgres: Postgres,
    /// Write JSON lines to this file.
    pub(crate) json_lines: Option<PathBuf>,
    /// Bytes at which that file is finished, as `NAME.1.jsonl` and so on, and a new one begun.
    pub(crate) json_lines_max_bytes: Option<u64>,
    /// Write Parquet files by day and tag to this folder.
    pub(crate) parquet: Option<PathBuf>,
    /// Longest time that articles wait for more before they are written there.
    pub(crate) parquet_max_age: Period,
    /// Articles first seen longer ago are let go of in SQLite and PostgreSQL, where followers see them as withdrawn; so
    /// are finished files of JSON lines whose last line was written longer ago, and Parquet files of days that ended
    /// longer ago. Without it everything is kept.
    pub(crate) retention: Option<Period>,
}

impl Default for Sink {
    fn default() -> Self {
        Self {
            sqlite: true,
            postgres: Postgres::default(),
            json_lines: None,
            json_lines_max_bytes: None,
            parquet: None,
            parquet_max_age: Period::seconds(3600),
            retention: None,
        }
    }
}

/// PostgreSQL.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Postgres {
    /// Write to this database, `postgres://user:password@host:5432/database?sslmode=verify-full`; best in a file that
    /// TELEX__SINK__POSTGRES__URL_FILE names.
    pub(crate) url: Secret,
}

/// Canaries: items of our own that go through all stages to `telex.canary.v1`, so that their age tells whether news
/// could.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Canary {
    /// Pollers put them in, sinks time them.
    pub(crate) enabled: bool,
    /// Time between two, for all pollers together.
    pub(crate) interval: Period,
}

impl Default for Canary {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Period::seconds(60),
        }
    }
}

/// Metrics and health over HTTP.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MetricsConfig {
    /// Address of `/metrics`, `/livez` and `/readyz`; not served where absent.
    pub(crate) listen: Option<std::net::SocketAddr>,
}

/// The operator's page, the API, and tagged articles as Atom and JSON Feed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConsoleConfig {
    /// Serve it beside the stages of `run all`.
    pub(crate) enabled: bool,
    /// Where it listens. Where absent: on 127.0.0.1:8430 if that is free.
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Names by which it may be reached, such as that of a proxy, beside IP addresses and `localhost`.
    pub(crate) hosts: Vec<String>,
    /// What allows changes to be made, 16 characters or more; nothing can be changed without. Best in a file that TELEX__CONSOLE__TOKEN_FILE
    /// names.
    pub(crate) token: Secret,
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: None,
            hosts: Vec::new(),
            token: Secret::default(),
        }
    }
}

/// Logs on standard error.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// What is logged: a level, or `info,telex_fetcher=debug`.
    pub(crate) filter: String,
    /// For people or for machines.
    pub(crate) format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "warn".to_owned(),
            format: LogFormat::Text,
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
