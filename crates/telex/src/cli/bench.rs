//! What is measured.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::between;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Polls per second, memory of an idle feed, and how late polls are in a simulated hour, with a server of feeds
    /// on loopback.
    Poller(BenchPollerArgs),
    /// Articles per second through all stages, how long an article takes at half that pace, and what the idle pipeline
    /// costs, on the configured bus. On Kafka it makes topics of its own and deletes them.
    Pipeline(BenchPipelineArgs),
    /// Milliseconds to the first byte and to the last of the console's pages and searches, on articles made for it.
    Console(BenchConsoleArgs),
}

/// Arguments of `bench console`.
#[derive(Debug, Args)]
pub(crate) struct BenchConsoleArgs {
    /// Number of articles.
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    pub(crate) articles: u32,
    /// Requests for each page.
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests: u32,
    /// Keep the articles in this folder; those that are there already are used.
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

/// Arguments of `bench poller`.
#[derive(Debug, Args)]
pub(crate) struct BenchPollerArgs {
    /// Number of feeds.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub(crate) feeds: usize,
}

/// Arguments of `bench pipeline`.
#[derive(Debug, Args)]
pub(crate) struct BenchPipelineArgs {
    /// Number of articles that are all there at once.
    #[arg(long, default_value_t = 5_000, value_name = "N")]
    pub(crate) articles: usize,
    /// Have a console looked at while all are worked on: both its streams are read, and a page each second.
    #[arg(long)]
    pub(crate) console: bool,
    /// Articles per second of the paced measurement [default: half of what was measured before].
    #[arg(long, value_name = "N", value_parser = between(0.1, 1e6, "articles per second"))]
    pub(crate) rate: Option<f64>,
    /// Seconds of the paced measurement, and of the idle one.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,
}
