//! Opens what commands need: the bus, the topic files, the HTTP client.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use telex_classifier::{Classifier, Problem, TopicFile};
use telex_model::{Stage, Topic};
use telex_sink::{Database, PostgresDatabase, PostgresSink, SinkError};
use telex_stream::kafka::{KafkaBus, KafkaOptions};
use telex_stream::sqlite::{SqliteBus, SqliteOptions, Usage};
use telex_stream::{Bus, BusError};
use telex_web::{Client, ClientOptions, EgressProxy, HostLimits, HostLimitsOptions};
use url::Url;

use crate::config::{BusKind, Config};
use crate::error::CliError;

/// A bus, and what is special about its kind.
pub(crate) struct OpenBus {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) kind: OpenKind,
}

/// A bus of one kind.
pub(crate) enum OpenKind {
    Sqlite(Arc<SqliteBus>),
    Kafka(Arc<KafkaBus>),
}

impl OpenBus {
    /// Names what offsets of a topic count in, for whoever keeps them elsewhere: they mean nothing on another bus.
    pub(crate) fn log(&self, topic: &str) -> Result<String, BusError> {
        Ok(match &self.kind {
            OpenKind::Sqlite(bus) => format!("sqlite-{}/{topic}", bus.id()?),
            OpenKind::Kafka(bus) => format!("kafka-{}/{topic}", bus.cluster_id()?),
        })
    }

    /// Bytes in use, where the bus is ours to watch.
    pub(crate) fn usage(&self) -> Result<Option<Usage>, BusError> {
        match &self.kind {
            OpenKind::Sqlite(bus) => bus.usage().map(Some),
            OpenKind::Kafka(_) => Ok(None),
        }
    }

    /// Sees to it that stages can work with their topics and those of these tags: makes all topics on the embedded bus;
    /// checks those of the stages on Kafka, where making them is an operator's decision and others may be closed to
    /// this user.
    pub(crate) fn ensure(&self, prefix: &str, stages: &[Stage], tags: &[Topic]) -> Result<(), BusError> {
        match &self.kind {
            OpenKind::Sqlite(bus) => bus.create_topics(prefix, &[&Topic::fixed(), tags].concat()),
            OpenKind::Kafka(bus) => {
                let mut topics: Vec<Topic> = stages.iter().flat_map(|s| s.topics()).collect();
                if stages.contains(&Stage::Classifier) {
                    topics.extend_from_slice(tags);
                }
                topics.sort();
                topics.dedup();
                bus.verify(prefix, &topics)
            }
        }
    }
}

/// How a command uses the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It runs stages on it.
    Run,
    /// It reads and appends beside a runner; the bus is made where there is none.
    Beside,
    /// It reads, and may append; where there is no bus it fails.
    Read,
}

/// Opens the bus. On the embedded one its topics are there afterwards.
pub(crate) fn bus(config: &Config, how: Use) -> Result<OpenBus, CliError> {
    match config.bus.kind {
        BusKind::Sqlite => sqlite(config, how),
        BusKind::Kafka => {
            if how == Use::Run && config.sink.sqlite {
                let folder = &config.data_dir.0;
                std::fs::create_dir_all(folder).map_err(|e| {
                    let fix = "choose another --data-dir or correct its owner";
                    CliError::Unavailable(format!("{} cannot be made: {e}; {fix}", folder.display()))
                })?;
            }
            let kafka = kafka(config)?;
            Ok(OpenBus {
                bus: Arc::clone(&kafka) as Arc<dyn Bus>,
                kind: OpenKind::Kafka(kafka),
            })
        }
    }
}

/// Connects to Kafka.
pub(crate) fn kafka(config: &Config) -> Result<Arc<KafkaBus>, CliError> {
    let brokers = config.bus.brokers.as_deref().unwrap_or_default();
    let options = KafkaOptions {
        // So that rights on names with the prefix are all that is needed.
        transactional_id_prefix: config.bus.topic_prefix.clone(),
        client: config.bus.kafka.reveal(),
        ..KafkaOptions::new(brokers)
    };
    Ok(Arc::new(KafkaBus::open(options)?))
}

fn sqlite(config: &Config, how: Use) -> Result<OpenBus, CliError> {
    let folder = &config.data_dir.0;
    if how == Use::Read && !folder.join("bus.sqlite").exists() {
        return Err(CliError::Unavailable(format!(
            "{} holds no bus yet; run `telex run all` first, or choose another --data-dir",
            folder.display()
        )));
    }
    let options = SqliteOptions {
        max_bytes: config.bus.max_bytes,
        tail_bytes: usize::try_from(config.bus.tail_bytes).unwrap_or(usize::MAX),
        ..SqliteOptions::new(folder, how == Use::Run)
    };
    let sqlite = Arc::new(SqliteBus::open(options)?);
    sqlite.create_topics(&config.bus.topic_prefix, &Topic::fixed())?;
    Ok(OpenBus {
        bus: Arc::clone(&sqlite) as Arc<dyn Bus>,
        kind: OpenKind::Sqlite(sqlite),
    })
}

/// Database of the SQLite sink.
pub(crate) fn articles_path(config: &Config) -> PathBuf {
    config.data_dir.0.join("articles.sqlite")
}

/// Tells whether a sink would have something to write to. Stages other than the sink, and a console, need nothing.
pub(crate) fn written_to(config: &Config) -> Result<(), CliError> {
    let sink = &config.sink;
    let files = sink.json_lines.is_some() || sink.parquet.is_some();
    if sink.sqlite || files || !sink.postgres.url.reveal().is_empty() {
        return Ok(());
    }
    Err(CliError::Config(
        "sink: nothing to write to; set sink.sqlite, sink.postgres.url, sink.json_lines or sink.parquet"
            .to_owned(),
    ))
}

/// The sink into PostgreSQL, where there is to be one; not connected yet.
pub(crate) fn postgres(config: &Config) -> Result<Option<PostgresSink>, CliError> {
    let url = config.sink.postgres.url.reveal();
    if url.is_empty() {
        return Ok(None);
    }
    PostgresSink::new(url).map(Some).map_err(wrong_url)
}

/// Where stored articles are read: the SQLite sink's database, or PostgreSQL where only that is written to; none where
/// neither is. Not opened yet.
pub(crate) fn stored(config: &Config) -> Result<Option<Database>, CliError> {
    if config.sink.sqlite {
        return Ok(Some(Database::Sqlite(articles_path(config))));
    }
    let url = config.sink.postgres.url.reveal();
    if url.is_empty() {
        return Ok(None);
    }
    let database = PostgresDatabase::new(url).map(Database::Postgres);
    database.map(Some).map_err(wrong_url)
}

fn wrong_url(error: SinkError) -> CliError {
    CliError::Config(format!("sink.postgres.url: {}", error.chain()))
}

/// Reads and compiles the topic files: the built-in ones, and the user's beside or in place of them.
pub(crate) fn classifier(config: &Config) -> Result<Classifier, CliError> {
    compiled(Classifier::new(&topic_files(
        config.classifier.topics.as_deref(),
    )?))
}

/// Reads topic files: the built-in ones, and those of a folder beside or in place of them.
pub(crate) fn topic_files(folder: Option<&Path>) -> Result<Vec<TopicFile>, CliError> {
    let mut files = telex_classifier::builtin();
    if let Some(folder) = folder {
        for file in own_topics(folder)? {
            match files.iter_mut().find(|f| f.name == file.name) {
                Some(replaced) => *replaced = file,
                None => files.push(file),
            }
        }
    }
    Ok(files)
}

/// Turns what is wrong with topic files into an error, one line a problem.
pub(crate) fn compiled(result: Result<Classifier, Vec<Problem>>) -> Result<Classifier, CliError> {
    result.map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        CliError::Config(lines.join("\n"))
    })
}

fn own_topics(folder: &Path) -> Result<Vec<TopicFile>, CliError> {
    let failed =
        |e: std::io::Error| CliError::Config(format!("classifier.topics: {}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path)
            .map_err(|e| CliError::Config(format!("{}: {e}", path.display())))?;
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        Ok(TopicFile { name, text })
    };
    paths.into_iter().map(read).collect()
}

/// The classifier's tags with their topics.
pub(crate) fn tag_topics(classifier: &Classifier) -> Result<Vec<(String, Topic)>, CliError> {
    let topic = |tag: &str| {
        Topic::tagged_with(tag)
            .map(|t| (tag.to_owned(), t))
            .map_err(|e| CliError::Config(format!("topic files: {e}")))
    };
    classifier.topics().map(topic).collect()
}

/// Tags whose topics are on the bus, though the topic files do not give them any more.
pub(crate) fn lost_tags(
    bus: &dyn Bus,
    prefix: &str,
    given: &[(String, Topic)],
) -> Result<Vec<(String, Topic)>, CliError> {
    let mut tags = telex_operate::tags_on_bus(bus, prefix)?;
    tags.retain(|(tag, _)| !given.iter().any(|(known, _)| known == tag));
    Ok(tags)
}

/// The guarded HTTP client.
pub(crate) fn client(config: &Config) -> Result<Client, CliError> {
    let options = ClientOptions {
        user_agent: config.web.user_agent.clone(),
        allow_addresses: config.web.allow_addresses.clone(),
        total_timeout: config.web.timeout.0,
        egress_proxy: egress_proxy(config)?,
        ..ClientOptions::default()
    };
    Client::new(options).map_err(|e| CliError::Config(format!("web: {e}")))
}

fn egress_proxy(config: &Config) -> Result<Option<EgressProxy>, CliError> {
    let text = config.web.egress_proxy.reveal();
    if text.is_empty() {
        return Ok(None);
    }
    // Without the text, which may hold a password.
    let wrong = |e: &dyn std::fmt::Display| CliError::Config(format!("web.egress_proxy: {e}"));
    let url = Url::parse(text).map_err(|e| wrong(&e))?;
    EgressProxy::new(&url).map(Some).map_err(|e| wrong(&e))
}

/// The limits per host.
pub(crate) fn host_limits(config: &Config) -> HostLimits {
    let limit = &config.limits.host;
    HostLimits::new(HostLimitsOptions {
        min_interval: Duration::from_secs_f64(1.0 / limit.requests_per_second),
        burst: limit.concurrency.get(),
        concurrency: limit.concurrency.get(),
        ..HostLimitsOptions::default()
    })
}
