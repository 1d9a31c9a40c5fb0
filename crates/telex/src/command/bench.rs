//! `telex bench`: how fast the stages are on this machine.

mod console;
mod feeds;
mod pipeline;
mod watched;

use std::num::NonZeroU32;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use telex_model::{Origin, Stage};
use telex_operate::Feeds;
use telex_poller::simulation::Simulation;

use self::feeds::FeedServer;
use super::{Context, run as running};
use crate::cli::{BenchCommand, BenchPollerArgs, OutputFormat};
use crate::config::{BusConfig, Config, DataDir};
use crate::error::CliError;
use crate::open::{self, Use};
use crate::output;
use crate::pipeline::Pipeline;

/// Loopback addresses that the feeds are spread over.
const HOSTS: usize = 250;

/// One feed in so many has changed when all are polled again.
const CHANGED: usize = 50;

/// How long an idle poller is watched.
const IDLE: Duration = Duration::from_secs(3);

/// Measures.
pub(crate) fn run(context: &Context, command: &BenchCommand) -> Result<(), CliError> {
    match command {
        BenchCommand::Poller(args) => poller(context, args),
        BenchCommand::Pipeline(args) => pipeline::run(context, args),
        BenchCommand::Console(args) => console::run(context, args),
    }
}

/// What a round over all feeds took.
struct Round {
    polls: u64,
    failed: u64,
    items: u64,
    wall: Duration,
    /// CPU time of the poller with its bus and client, without the server.
    cpu: Duration,
}

impl Round {
    fn per_second(&self) -> f64 {
        self.polls as f64 / self.wall.as_secs_f64()
    }

    fn per_core(&self) -> f64 {
        self.polls as f64 / self.cpu.as_secs_f64().max(1e-9)
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "polls": self.polls,
            "failed": self.failed,
            "items": self.items,
            "seconds": self.wall.as_secs_f64(),
            "cpu_seconds": self.cpu.as_secs_f64(),
            "per_second": self.per_second(),
            "per_second_per_core": self.per_core(),
        })
    }

    fn text(&self, what: &str) -> String {
        format!(
            "{what:13} {:6.0} feeds/s, {:6.0} feeds/s per core, {} items, {} failed",
            self.per_second(),
            self.per_core(),
            self.items,
            self.failed
        )
    }
}

fn unavailable(what: &'static str) -> impl Fn(std::io::Error) -> CliError {
    move |error| CliError::Unavailable(format!("{what}: {error}"))
}

fn poller(context: &Context, args: &BenchPollerArgs) -> Result<(), CliError> {
    let folder = tempfile::tempdir().map_err(unavailable("no temporary folder"))?;
    let server = FeedServer::start(HOSTS, Vec::new()).map_err(unavailable("the server of the bench"))?;
    let urls = server.urls(args.feeds);
    let listed = telex_poller::list::parse(&urls.join("\n")).map_err(|e| CliError::Bug(e.to_string()))?;
    let config = settings(&context.config, &folder.path().join("bench"));
    let empty = memory(&config)?;
    let open = open::bus(&config, Use::Run)?;
    Feeds::new(open.bus.as_ref(), &config.bus.topic_prefix).declare(listed, Origin::Command)?;
    drop(open);
    let all_new = round(&config, &server)?;
    server.change(CHANGED);
    let unchanged = round(&config, &server)?;
    let per_feed = memory(&config)?.saturating_sub(empty) / args.feeds.max(1) as u64;
    let hour = Simulation {
        feeds: args.feeds,
        hosts: args.feeds.div_ceil(10),
        between: Duration::from_secs(1),
        request: Duration::from_millis(200),
        concurrency: usize::try_from(config.poller.concurrency.get()).unwrap_or(usize::MAX),
        span: Duration::from_secs(3600),
    };
    let went = hour.run();
    let late = |share| went.late_at(share).as_secs_f64();
    if context.output == OutputFormat::Json {
        return output::json(&json!({
            "feeds": args.feeds,
            "all_new": all_new.json(),
            "not_modified": unchanged.json(),
            "bytes_per_idle_feed": per_feed,
            "simulated_hour": {"polls": went.late.len(), "late_p50": late(0.5), "late_p99": late(0.99), "late_max": late(1.0)},
        }));
    }
    output::line(&all_new.text("all new"))?;
    output::line(&unchanged.text("not modified"))?;
    output::line(&format!("idle          {per_feed} bytes of memory a feed"))?;
    output::line(&format!(
        "one hour      {} polls, late by {:.3} s (median), {:.3} s (99 %), {:.3} s (the latest); simulated, 10 feeds a host",
        went.late.len(),
        late(0.5),
        late(0.99),
        late(1.0)
    ))
}

/// The settings of this installation, with a bus of its own and hosts that take what comes.
fn settings(config: &Config, folder: &std::path::Path) -> Config {
    let mut config = config.clone();
    config.data_dir = DataDir(folder.to_owned());
    config.bus = BusConfig::default();
    config.poller.feeds = None;
    config.metrics.listen = None;
    config.limits.host.requests_per_second = 100_000.0;
    config.limits.host.concurrency = NonZeroU32::MIN.saturating_add(31);
    config.web.allow_addresses = feeds::network().into_iter().collect();
    config
}

/// Polls every feed once.
fn round(config: &Config, server: &FeedServer) -> Result<Round, CliError> {
    let runtime = running::runtime()?;
    let open = open::bus(config, Use::Run)?;
    let (begun, cpu, served) = (Instant::now(), used(), server.used());
    let mut pipeline = Pipeline::start(config, &open, &[Stage::Poller], true, runtime.handle())?;
    loop {
        pipeline.drain();
        if pipeline.ended()? {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let count = |n: &std::sync::atomic::AtomicU64| n.load(Ordering::Relaxed);
    Ok(Round {
        polls: count(&pipeline.polled.polled),
        failed: count(&pipeline.polled.failed),
        items: count(&pipeline.polled.items),
        wall: begun.elapsed(),
        cpu: used()
            .saturating_sub(cpu)
            .saturating_sub(server.used().saturating_sub(served)),
    })
}

/// CPU time of this process.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or_default(),
        time.tv_nsec.try_into().unwrap_or_default(),
    )
}

/// Memory in bytes of a poller of this installation that has nothing to do: one in a process of its own, for what
/// this one once used tells nothing.
fn memory(config: &Config) -> Result<u64, CliError> {
    let failed = |e: std::io::Error| CliError::Unavailable(format!("a poller that is watched: {e}"));
    let idle = Idle(
        Command::new(std::env::current_exe().map_err(failed)?)
            .args(["run", "poller", "--data-dir"])
            .arg(&config.data_dir.0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?,
    );
    std::thread::sleep(IDLE);
    let status = std::fs::read_to_string(format!("/proc/{}/status", idle.0.id())).map_err(failed)?;
    let kilobytes = status.lines().find_map(|line| {
        line.strip_prefix("RssAnon:")?
            .trim()
            .strip_suffix("kB")?
            .trim()
            .parse::<u64>()
            .ok()
    });
    Ok(kilobytes.unwrap_or_default() * 1024)
}

/// A process that ends with its measurement.
struct Idle(Child);

impl Drop for Idle {
    fn drop(&mut self) {
        // Nothing depends on how it ends.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
