//! `telex bench pipeline`: all stages in this process, over the configured bus, on a news world on loopback.
//!
//! Three measurements, each on topics of its own: everything at once; the time from fetched to tagged at half that
//! pace, as a consumer of the tagged topic sees it; what the pipeline costs while nothing happens. Pages are those of
//! the demo, over and over: a tenth of the size of most newspapers' pages, so figures are for comparing, on one machine.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use telex_model::{Body, Origin, Page, Stage, Topic};
use telex_operate::Feeds;
use telex_site::{Options, Site};
use telex_stream::{DriverError, Event, Session, SessionConfig, read_all};

use super::feeds::{FeedServer, ITEMS};
use super::watched::Watched;
use super::{Context, running, unavailable, used};
use crate::cli::{BenchPipelineArgs, OutputFormat};
use crate::config::{BusKind, Config, DataDir};
use crate::error::CliError;
use crate::open::{self, OpenBus, OpenKind, Use};
use crate::output;
use crate::pipeline::Pipeline;

/// Hosts of the news world: few enough that each has several feeds.
const HOSTS: usize = 40;

/// Requests per second and host where there is to be no limit.
const UNLIMITED: f64 = 100_000.0;

/// Nothing has come for so long: the pipeline is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures and prints.
pub(super) fn run(context: &Context, args: &BenchPipelineArgs) -> Result<(), CliError> {
    let bench = Bench::new(&context.config)?;
    let at_once = bench.at_once(args.articles, args.console)?;
    let rate = args.rate.unwrap_or(at_once.per_second() / 2.0);
    let (paced, idle) = bench.paced(rate, args.seconds)?;
    let bus = match context.config.bus.kind {
        BusKind::Sqlite => "embedded",
        BusKind::Kafka => "kafka",
    };
    if context.output == OutputFormat::Json {
        return output::json(&json!({
            "bus": bus,
            "at_once": {
                "articles": at_once.articles,
                "seconds": at_once.wall.as_secs_f64(),
                "cpu_seconds": at_once.cpu.as_secs_f64(),
                "per_second": at_once.per_second(),
                "per_second_per_core": at_once.per_core(),
                "console_cpu_seconds": at_once.console.map(|cpu| cpu.as_secs_f64()),
            },
            "paced": {
                "articles": paced.len(),
                "per_second": rate,
                "fetched_to_tagged_seconds": {
                    "p50": share(&paced, 0.5), "p99": share(&paced, 0.99), "max": share(&paced, 1.0),
                },
            },
            "idle": {"commits_per_second": idle.commits, "cores": idle.cores},
        }));
    }
    output::line(&format!(
        "at once  {:6.0} articles/s, {:6.0} articles/s per core ({} articles, {:.1} s, {bus})",
        at_once.per_second(),
        at_once.per_core(),
        at_once.articles,
        at_once.wall.as_secs_f64()
    ))?;
    if let Some(console) = at_once.console {
        let share = |of: Duration| 100.0 * console.as_secs_f64() / of.as_secs_f64().max(1e-9);
        output::line(&format!(
            "console  {:6.1} % of a core, {:.1} % of what the pipeline used ({:.2} s)",
            share(at_once.wall),
            share(at_once.cpu),
            console.as_secs_f64()
        ))?;
    }
    output::line(&format!(
        "paced    {rate:6.0} articles/s: from fetched to tagged {:.3} s (median), {:.3} s (99 %), {:.3} s (the slowest)",
        share(&paced, 0.5),
        share(&paced, 0.99),
        share(&paced, 1.0)
    ))?;
    output::line(&format!(
        "idle     {:6.1} commits/s, {:.1} % of a core",
        idle.commits,
        100.0 * idle.cores
    ))
}

struct Bench {
    config: Config,
    server: FeedServer,
    folder: tempfile::TempDir,
}

struct AtOnce {
    articles: u64,
    wall: Duration,
    /// Of this process without the server and the console.
    cpu: Duration,
    /// Of the console, where one was looked at.
    console: Option<Duration>,
}

struct Idle {
    commits: f64,
    cores: f64,
}

impl AtOnce {
    fn per_second(&self) -> f64 {
        self.articles as f64 / self.wall.as_secs_f64()
    }

    fn per_core(&self) -> f64 {
        self.articles as f64 / self.cpu.as_secs_f64().max(1e-9)
    }
}

/// A news world's run: its topics, which go with it.
struct World {
    config: Config,
    open: OpenBus,
    topics: Vec<Topic>,
}

impl Bench {
    fn new(config: &Config) -> Result<Self, CliError> {
        let runtime = running::runtime()?;
        let pages = runtime.block_on(async {
            let site = Site::start(Options::default()).await?;
            let pages = site.pages();
            site.stop().await;
            pages
        });
        let pages = pages.map_err(unavailable("the pages of the bench"))?;
        let mut config = config.clone();
        config.poller.feeds = None;
        config.metrics.listen = None;
        config.limits.host.concurrency = NonZeroU32::MIN.saturating_add(7);
        config.web.allow_addresses = super::feeds::network().into_iter().collect();
        Ok(Self {
            config,
            server: FeedServer::start(HOSTS, pages).map_err(unavailable("the server of the bench"))?,
            folder: tempfile::tempdir().map_err(unavailable("no temporary folder"))?,
        })
    }

    /// Makes the topics of a run, and declares feeds with so many articles.
    fn world(&self, name: &str, articles: usize, requests_per_second: f64) -> Result<World, CliError> {
        let mut config = self.config.clone();
        config.data_dir = DataDir(self.folder.path().join(name));
        config.limits.host.requests_per_second = requests_per_second.max(0.1);
        if requests_per_second < UNLIMITED {
            // More at once would be a burst at the start, which is no pace.
            config.limits.host.concurrency = NonZeroU32::MIN;
        }
        if config.bus.kind == BusKind::Kafka {
            let run = Timestamp::now().as_microsecond();
            config.bus.topic_prefix = format!("{}-bench-{name}-{run:x}", config.bus.topic_prefix);
        }
        let open = open::bus(&config, Use::Run)?;
        let mut topics = Topic::fixed();
        let classifier = open::classifier(&config)?;
        topics.extend(open::tag_topics(&classifier)?.into_iter().map(|(_, topic)| topic));
        let world = World { config, open, topics };
        let prefix = &world.config.bus.topic_prefix;
        world.open.bus.create_topics(prefix, &world.topics)?;
        let urls = self.server.urls(articles.div_ceil(ITEMS));
        let listed = telex_poller::list::parse(&urls.join("\n")).map_err(|e| CliError::Bug(e.to_string()))?;
        Feeds::new(world.open.bus.as_ref(), prefix).declare(listed, Origin::Command)?;
        Ok(world)
    }

    /// Everything as fast as it goes.
    fn at_once(&self, articles: usize, console: bool) -> Result<AtOnce, CliError> {
        let world = self.world("at-once", articles, UNLIMITED)?;
        let runtime = running::runtime()?;
        let (begun, cpu, served) = (Instant::now(), used(), self.server.used());
        let mut pipeline = Pipeline::start(&world.config, &world.open, &Stage::ALL, true, runtime.handle())?;
        let watched = console.then(|| Watched::start(&world.config, &world.open, &pipeline.metrics));
        let watched = watched.transpose()?;
        loop {
            pipeline.drain();
            if pipeline.ended()? {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let wall = begun.elapsed();
        let cpu = used()
            .saturating_sub(cpu)
            .saturating_sub(self.server.used().saturating_sub(served));
        let (console, readers) = watched.map(Watched::end).unzip();
        let cpu = cpu.saturating_sub(console.unwrap_or_default() + readers.unwrap_or_default());
        let articles = pipeline.summary().articles;
        drop(pipeline);
        world.end()?;
        Ok(AtOnce {
            articles,
            wall,
            cpu,
            console,
        })
    }

    /// As many articles a second as that: how long each takes from fetched to tagged, in seconds, sorted; and what the
    /// pipeline costs thereafter.
    fn paced(&self, rate: f64, seconds: u32) -> Result<(Vec<f64>, Idle), CliError> {
        let articles = (rate * f64::from(seconds)).ceil().max(ITEMS as f64) as usize;
        // Each host is also asked for its feeds.
        let requests = rate / HOSTS as f64 * (1.0 + 1.0 / ITEMS as f64);
        let world = self.world("paced", articles, requests)?;
        let prefix = &world.config.bus.topic_prefix;
        let mut reader = world.open.bus.session(SessionConfig {
            group: format!("{prefix}.bench"),
            input: Topic::Tagged.name(prefix),
            max_batch_messages: 500,
            max_batch_bytes: 4 << 20,
        })?;
        let runtime = running::runtime()?;
        let mut pipeline = Pipeline::start(&world.config, &world.open, &Stage::ALL, false, runtime.handle())?;
        let wanted = articles.div_ceil(ITEMS) * ITEMS;
        let came = arrivals(reader.as_mut(), &mut pipeline, wanted)?;
        drop(reader);
        let idle = idle(&pipeline, seconds);
        pipeline.finish()?;
        let mut taken = Vec::with_capacity(came.len());
        read_all(
            world.open.bus.as_ref(),
            &Topic::Pages.name(prefix),
            &mut |message| {
                let page = message
                    .value
                    .as_ref()
                    .and_then(|v| serde_json::from_slice::<Page>(v).ok());
                if let Some(Body::Page(fetched)) = page.map(|page| page.body)
                    && let Some(came) = came.get(message.key.as_ref())
                {
                    taken.push(came.duration_since(fetched.fetched_at).as_secs_f64());
                }
            },
        )?;
        drop(pipeline);
        world.end()?;
        if taken.len() < wanted {
            return Err(CliError::Bug(format!(
                "{} of {wanted} articles came from fetched pages",
                taken.len()
            )));
        }
        taken.sort_by(f64::total_cmp);
        Ok((taken, idle))
    }
}

impl World {
    /// Takes the topics away where they would stay.
    fn end(self) -> Result<(), CliError> {
        if let OpenKind::Kafka(kafka) = &self.open.kind {
            kafka.delete_topics(&self.config.bus.topic_prefix, &self.topics)?;
        }
        Ok(())
    }
}

/// Waits for so many tagged articles; gives by key when each came first.
fn arrivals(
    reader: &mut dyn Session,
    pipeline: &mut Pipeline,
    wanted: usize,
) -> Result<HashMap<Vec<u8>, Timestamp>, CliError> {
    let mut came = HashMap::with_capacity(wanted);
    let mut last = Instant::now();
    while came.len() < wanted {
        if pipeline.ended()? || last.elapsed() > PATIENCE {
            let seconds = last.elapsed().as_secs();
            return Err(CliError::Findings(format!(
                "{} of {wanted} articles came, the last {seconds} s ago; --log info says why",
                came.len()
            )));
        }
        if let Event::Batch(batch) = reader
            .next(Duration::from_millis(100))
            .map_err(DriverError::from)?
        {
            let now = Timestamp::now();
            last = Instant::now();
            for message in &batch.messages {
                came.entry(message.key.to_vec()).or_insert(now);
            }
        }
    }
    Ok(came)
}

/// Watches a pipeline that has nothing to do.
fn idle(pipeline: &Pipeline, seconds: u32) -> Idle {
    let commits = || -> u64 {
        let of = |stage| {
            pipeline
                .metrics
                .stage(stage, &[], &[])
                .commit_seconds
                .get_sample_count()
        };
        Stage::ALL.into_iter().map(of).sum()
    };
    let (before, cpu, begun) = (commits(), used(), Instant::now());
    std::thread::sleep(Duration::from_secs(seconds.into()));
    let seconds = begun.elapsed().as_secs_f64();
    Idle {
        commits: commits().saturating_sub(before) as f64 / seconds,
        cores: used().saturating_sub(cpu).as_secs_f64() / seconds,
    }
}

/// The value below which that share of sorted values lies.
fn share(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or_default()
}
