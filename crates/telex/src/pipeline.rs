//! Runs stages, each on a thread of its own, and brings them to an end in order.

mod canary;
mod measured;
mod retention;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use telex_classifier::Classifier;
use telex_fetcher::{FetchMode, Fetcher, FetcherOptions};
use telex_model::{Stage, Topic};
use telex_poller::websub::{self, WebSub};
use telex_poller::{ItemRules, Poller, PollerOptions, PollerReport};
use telex_sink::{JsonLines, JsonLinesOptions, ParquetOptions, ParquetSink, Sink, SinkStage, SqliteSink};
use telex_stream::{
    Control, DeadLetter, Limits, Session, SessionConfig, SourceContext, Summary, TransformStage, run_source,
    run_stage,
};
use telex_telemetry::{Health, Metrics, StageMetrics};
use telex_web::{Client, HostLimits, Robots};
use tokio::runtime::Handle;

use crate::config::{Config, Fetch};
use crate::error::CliError;
use crate::open::{self, OpenBus};
use crate::stage::{self, ClassifierStage, CleanerStage, Reloading};
use measured::Measured;

/// Robots.txt files are kept in so many bytes of memory: about 20,000 sites.
const ROBOTS_BYTES: u64 = 32 << 20;

/// Bytes of a batch: pages are large, everything else is not.
const PAGE_BATCH: usize = 16 << 20;
const BATCH: usize = 4 << 20;

/// Messages of a batch.
const BATCH_MESSAGES: usize = 500;

/// Pages of a batch: enough for all cores, few enough that the next stage starts soon.
const PAGE_BATCH_MESSAGES: usize = 64;

/// How long a stage that is to finish, as under `--once`, tries again where it cannot get on: long enough for a
/// database or disk that comes back, short enough for cron.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time for the stages to finish what they began.
const STOP_WITHIN: Duration = Duration::from_secs(25);

/// The stages of one process.
pub(crate) struct Pipeline {
    stages: Vec<Running>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Health,
    pub(crate) polled: Arc<PollerReport>,
    tags: Vec<String>,
    begun: Instant,
}

struct Running {
    stage: Stage,
    control: Control,
    thread: Option<JoinHandle<Result<Summary, CliError>>>,
    summary: Option<Summary>,
}

/// What a run did.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub(crate) struct RunSummary {
    pub(crate) feeds: u64,
    pub(crate) feeds_failed: u64,
    pub(crate) items: u64,
    pub(crate) articles: u64,
    pub(crate) tagged: BTreeMap<String, u64>,
    pub(crate) dead_letters: u64,
    pub(crate) seconds: f64,
}

/// What all stages of a process share.
struct Setup<'a> {
    config: &'a Config,
    open: &'a OpenBus,
    metrics: Arc<Metrics>,
    health: Health,
    runtime: Handle,
    client: Client,
    limits: HostLimits,
    polled: Arc<PollerReport>,
    once: bool,
}

impl Pipeline {
    /// Starts stages.
    pub(crate) fn start(
        config: &Config,
        open: &OpenBus,
        stages: &[Stage],
        once: bool,
        runtime: &Handle,
    ) -> Result<Self, CliError> {
        let begun = Instant::now();
        let classifier = Arc::new(open::classifier(config)?);
        let tag_topics = open::tag_topics(&classifier)?;
        let topics: Vec<Topic> = tag_topics.iter().map(|(_, t)| t.clone()).collect();
        open.ensure(&config.bus.topic_prefix, stages, &topics)?;
        let mut setup = Setup {
            config,
            open,
            metrics: Metrics::new(),
            health: Health::default(),
            runtime: runtime.clone(),
            client: open::client(config)?,
            limits: open::host_limits(config),
            polled: Arc::default(),
            once,
        };
        let mut running = Vec::new();
        for (stage, session) in stages.iter().zip(setup.sessions(stages)?) {
            running.push(setup.stage(*stage, session, &classifier, &tag_topics)?);
        }
        if stages.contains(&Stage::Sink) {
            running.extend(setup.canary()?);
            running.extend(setup.retention()?);
        }
        Ok(Self {
            stages: running,
            metrics: setup.metrics,
            health: setup.health,
            polled: setup.polled,
            tags: tag_topics.into_iter().map(|(tag, _)| tag).collect(),
            begun,
        })
    }

    /// Has each stage finish once those before it have.
    pub(crate) fn drain(&mut self) {
        for i in 0..self.stages.len() {
            let before = self.stages.iter().take(i).all(|s| s.control.is_done());
            if let Some(stage) = self.stages.get(i).filter(|_| before) {
                stage.control.drain();
            }
        }
    }

    /// Has all stages finish what they began.
    pub(crate) fn stop(&self) {
        self.health.stopping();
        self.stages.iter().for_each(|s| s.control.stop());
    }

    /// Takes in stages that have ended; tells whether all have.
    pub(crate) fn ended(&mut self) -> Result<bool, CliError> {
        for running in &mut self.stages {
            if let Some(thread) = running.thread.take_if(|t| t.is_finished()) {
                let result = thread
                    .join()
                    .map_err(|_| CliError::Bug(format!("the {} panicked", running.stage)))?;
                running.summary = Some(result?);
            }
        }
        Ok(self.stages.iter().all(|s| s.summary.is_some()))
    }

    /// Stops all stages and waits for them.
    pub(crate) fn finish(&mut self) -> Result<(), CliError> {
        self.stop();
        let begun = Instant::now();
        while !self.ended()? {
            if begun.elapsed() > STOP_WITHIN {
                let late: Vec<&str> = self
                    .stages
                    .iter()
                    .filter(|s| s.summary.is_none())
                    .map(|s| s.stage.name())
                    .collect();
                return Err(CliError::Bug(format!(
                    "{} did not stop within {} s",
                    late.join(", "),
                    STOP_WITHIN.as_secs()
                )));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Messages that a stage has dropped, and its dead letters.
    pub(crate) fn counts(&self, stage: Stage) -> (u64, u64) {
        self.metrics.stage(stage, &[], &[]).losses()
    }

    /// What the stages did so far; whole once all have ended.
    pub(crate) fn summary(&self) -> RunSummary {
        let of = |stage| {
            self.stages
                .iter()
                .find(|s| s.stage == stage)
                .and_then(|s| s.summary)
                .unwrap_or_default()
        };
        let count = |n: &std::sync::atomic::AtomicU64| n.load(Ordering::Relaxed);
        RunSummary {
            feeds: count(&self.polled.polled),
            feeds_failed: count(&self.polled.failed),
            items: count(&self.polled.items),
            articles: of(Stage::Classifier)
                .messages_in
                .saturating_sub(self.metrics.canaries(Stage::Classifier)),
            tagged: self
                .tags
                .iter()
                .map(|t| (t.clone(), self.metrics.tagged.with_label_values(&[t]).get()))
                .collect(),
            dead_letters: self
                .stages
                .iter()
                .filter_map(|s| s.summary)
                .map(|s| s.dead_letters)
                .sum(),
            seconds: (self.begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        }
    }
}

impl Setup<'_> {
    /// Opens the stages' sessions side by side: on Kafka each waits for the brokers.
    fn sessions(&self, stages: &[Stage]) -> Result<Vec<Box<dyn Session>>, CliError> {
        std::thread::scope(|scope| {
            let opening: Vec<_> = stages
                .iter()
                .map(|stage| scope.spawn(|| self.session(*stage)))
                .collect();
            let opened = opening.into_iter().zip(stages).map(|(session, stage)| {
                session
                    .join()
                    .map_err(|_| CliError::Bug(format!("opening the {stage} panicked")))?
            });
            opened.collect()
        })
    }

    fn session(&self, stage: Stage) -> Result<Box<dyn Session>, CliError> {
        let prefix = &self.config.bus.topic_prefix;
        let pages = stage == Stage::Cleaner;
        Ok(self.open.bus.session(SessionConfig {
            group: format!("{prefix}.{stage}"),
            input: stage.input().name(prefix),
            max_batch_messages: if pages {
                PAGE_BATCH_MESSAGES
            } else {
                BATCH_MESSAGES
            },
            max_batch_bytes: if pages { PAGE_BATCH } else { BATCH },
        })?)
    }

    fn stage(
        &mut self,
        stage: Stage,
        session: Box<dyn Session>,
        classifier: &Arc<Classifier>,
        tags: &[(String, Topic)],
    ) -> Result<Running, CliError> {
        let control = Control::default();
        let prefix = &self.config.bus.topic_prefix;
        let metrics = self.metrics(stage);
        let context = SourceContext {
            control: control.clone(),
            dead: DeadLetter::new(stage, prefix),
            limits: Limits::new(self.config.limits.stage(stage)),
            metrics: metrics.clone(),
            health: self.health.stage(stage.name()),
            patience: PATIENCE,
        };
        let thread = match stage {
            Stage::Poller => self.poller(session, metrics, context)?,
            Stage::Fetcher => self.fetcher(session, metrics, context)?,
            Stage::Cleaner => {
                let mut work = TransformStage(CleanerStage::new(prefix, Arc::clone(&self.metrics)));
                spawn(stage, move || Ok(run_stage(session, &mut work, context)?))?
            }
            Stage::Classifier => {
                let mut topics = tags.to_vec();
                topics.extend(open::lost_tags(self.open.bus.as_ref(), prefix, tags)?);
                let work =
                    ClassifierStage::new(prefix, Arc::clone(classifier), topics, Arc::clone(&self.metrics));
                let mut work = Reloading::new(
                    work,
                    self.config.classifier.topics.as_deref(),
                    Arc::clone(&self.open.bus),
                    prefix,
                    Arc::clone(&self.metrics),
                );
                spawn(stage, move || Ok(run_stage(session, &mut work, context)?))?
            }
            Stage::Sink => self.sink(session, context)?,
        };
        Ok(Running {
            stage,
            control,
            thread: Some(thread),
            summary: None,
        })
    }

    fn metrics(&self, stage: Stage) -> StageMetrics {
        let (drop, dead): (&[&str], &[&str]) = match stage {
            Stage::Poller => (&telex_poller::DROP_REASONS, &telex_poller::DEAD_REASONS),
            Stage::Fetcher => (&telex_fetcher::DROP_REASONS, &telex_fetcher::DEAD_REASONS),
            Stage::Cleaner => (&stage::CLEANER_DROP, &stage::CLEANER_DEAD),
            Stage::Classifier => (&stage::CLASSIFIER_DROP, &stage::CLASSIFIER_DEAD),
            Stage::Sink => (telex_sink::DROP_REASONS, telex_sink::DEAD_REASONS),
        };
        self.metrics.stage(stage, drop, dead)
    }

    fn poller(
        &mut self,
        session: Box<dyn Session>,
        metrics: StageMetrics,
        context: SourceContext,
    ) -> Result<Thread, CliError> {
        let config = &self.config.poller;
        let options = PollerOptions {
            prefix: self.config.bus.topic_prefix.clone(),
            websub: self.websub()?,
            rules: ItemRules {
                initial_items: config.initial_items,
                max_age: config.max_age.map(|p| p.0),
            },
            concurrency: usize::try_from(config.concurrency.get()).unwrap_or(usize::MAX),
            once: self.once,
            canary: self.canary_interval(),
        };
        let (client, limits) = (self.client.clone(), self.limits.clone());
        let mut poller = Poller::new(
            options,
            client,
            limits,
            self.runtime.clone(),
            metrics,
            session.waker(),
        );
        self.polled = poller.report();
        spawn(Stage::Poller, move || {
            Ok(run_source(session, &mut poller, context)?)
        })
    }

    /// Serves the callback of WebSub, where that is wanted; a poller that polls once needs no hub.
    fn websub(&self) -> Result<Option<WebSub>, CliError> {
        let config = &self.config.websub;
        let (Some(callback), Some(listen)) = (config.callback_url.as_deref(), config.listen) else {
            return Ok(None);
        };
        if self.once {
            return Ok(None);
        }
        let websub = WebSub::new(callback, config.secret.reveal())
            .map_err(|problem| CliError::Config(format!("websub.secret: {problem}")))?;
        let bus = Arc::clone(&self.open.bus);
        let (prefix, metrics) = (&self.config.bus.topic_prefix, Arc::clone(&self.metrics));
        let serving = websub::serve(listen, websub.clone(), bus, prefix, metrics);
        let bound = self
            .runtime
            .block_on(serving)
            .map_err(|e| CliError::unavailable("websub.listen", &e))?;
        tracing::info!(%bound, callback, "hubs are listened to");
        Ok(Some(websub))
    }

    fn fetcher(
        &self,
        session: Box<dyn Session>,
        metrics: StageMetrics,
        context: SourceContext,
    ) -> Result<Thread, CliError> {
        let config = &self.config.fetcher;
        let options = FetcherOptions {
            prefix: self.config.bus.topic_prefix.clone(),
            mode: match config.fetch {
                Fetch::Always => FetchMode::Always,
                Fetch::Auto => FetchMode::Auto,
                Fetch::Never => FetchMode::Never,
            },
            concurrency: usize::try_from(config.concurrency.get()).unwrap_or(usize::MAX),
            max_attempts: config.max_attempts.get(),
            first_retry: config.first_retry.0,
            max_waiting_bytes: config.max_waiting_bytes,
            max_done: config.max_done,
        };
        let robots = Robots::new("telex", ROBOTS_BYTES);
        let (client, limits) = (self.client.clone(), self.limits.clone());
        let mut fetcher = Fetcher::new(
            options,
            client,
            limits,
            robots,
            self.runtime.clone(),
            metrics,
            session.waker(),
        );
        spawn(Stage::Fetcher, move || {
            Ok(run_source(session, &mut fetcher, context)?)
        })
    }

    fn sink(&self, session: Box<dyn Session>, context: SourceContext) -> Result<Thread, CliError> {
        let sinks = self.sinks()?;
        let log = self
            .open
            .log(&Stage::Sink.input().name(&self.config.bus.topic_prefix))?;
        let mut work = SinkStage::new(log, sinks, context.control.clone());
        spawn(Stage::Sink, move || {
            let summary = run_stage(session, &mut work, context)?;
            match work.failure() {
                Some(failure) => Err(CliError::Unavailable(failure.chain())),
                None => {
                    work.finish()?;
                    Ok(summary)
                }
            }
        })
    }

    fn sinks(&self) -> Result<Vec<Box<dyn Sink>>, CliError> {
        open::written_to(self.config)?;
        let config = &self.config.sink;
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if config.sqlite {
            let path = open::articles_path(self.config);
            let sqlite = SqliteSink::open(&path, &telex_sink::SqliteOptions::default())?;
            sinks.push(Measured::new(sqlite, self.metrics.sink("sqlite")));
        }
        if let Some(mut postgres) = open::postgres(self.config)? {
            let metrics = self.metrics.sink("postgres");
            match postgres.connect() {
                Err(error) if error.may_pass() => {
                    metrics.failed();
                    tracing::warn!(reason = error.chain(), "the sink waits for its database");
                }
                connected => connected?,
            }
            sinks.push(Measured::new(postgres, metrics));
        }
        let retention = config.retention.map(|period| period.0);
        if let Some(path) = &config.json_lines {
            let options = JsonLinesOptions {
                max_bytes: config.json_lines_max_bytes,
                retention,
            };
            let lines = JsonLines::open_with(path, &options)?;
            sinks.push(Measured::new(lines, self.metrics.sink("json_lines")));
        }
        if let Some(folder) = &config.parquet {
            let options = ParquetOptions {
                max_age: config.parquet_max_age.0,
                retention,
                ..ParquetOptions::default()
            };
            let parquet = ParquetSink::open(folder, options)?;
            sinks.push(Measured::new(parquet, self.metrics.sink("parquet")));
        }
        Ok(sinks)
    }
}

type Thread = JoinHandle<Result<Summary, CliError>>;

fn spawn(
    stage: Stage,
    work: impl FnOnce() -> Result<Summary, CliError> + Send + 'static,
) -> Result<Thread, CliError> {
    let thread = std::thread::Builder::new()
        .name(stage.name().to_owned())
        .spawn(work);
    thread.map_err(|e| CliError::Unavailable(format!("no thread for the {stage}: {e}")))
}

/// The stages that a word stands for.
pub(crate) fn stages(what: crate::cli::What) -> Vec<Stage> {
    use crate::cli::What;
    match what {
        What::All => Stage::ALL.to_vec(),
        What::Poller => vec![Stage::Poller],
        What::Fetcher => vec![Stage::Fetcher],
        What::Cleaner => vec![Stage::Cleaner],
        What::Classifier => vec![Stage::Classifier],
        What::Sink => vec![Stage::Sink],
        What::Console => Vec::new(),
    }
}
