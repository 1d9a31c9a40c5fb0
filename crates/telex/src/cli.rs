//! The command line.

mod articles;
mod bench;
mod feeds;
mod replay;
mod rows;
mod topics;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

use crate::config::{BusKind, Fetch, LogFormat};

pub(crate) use articles::{
    ArticlesArgs, ExportArgs, ExportFormat, ExportFrom, FilterArgs, SinkCommand, TapArgs, TraceArgs,
};
pub(crate) use bench::{BenchCommand, BenchConsoleArgs, BenchPipelineArgs, BenchPollerArgs};
pub(crate) use feeds::FeedsCommand;
pub(crate) use replay::{
    DeadLetterFilter, DeadLettersCommand, From, ImportArgs, ReplayArgs, ReplayStage, StageName,
};
pub(crate) use rows::{ClassifyArgs, ParseFeedArgs, RowsArgs, WorkArgs};
pub(crate) use topics::{DiffArgs, LabelledArgs, RightsArgs, TopicsCommand, TrainArgs};

/// Turns the world's news feeds into clean, tagged, exactly-once streams.
#[derive(Debug, Parser)]
#[command(
    name = "telex",
    version,
    about,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Configuration file [default: telex.toml, where it exists].
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "TELEX_CONFIG",
        help_heading = "General"
    )]
    pub(crate) config: Option<PathBuf>,
    /// Output for people or for programs.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        help_heading = "General"
    )]
    pub(crate) output: OutputFormat,
    /// What is logged: a level, or `info,telex_fetcher=debug`.
    #[arg(long, global = true, value_name = "FILTER", help_heading = "General")]
    pub(crate) log: Option<String>,
    /// How log lines look.
    #[arg(long, global = true, value_enum, help_heading = "General")]
    pub(crate) log_format: Option<LogFormat>,
    /// Folder of everything that is kept on disk.
    #[arg(long, global = true, value_name = "DIR", help_heading = "Bus")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The bus that carries messages.
    #[arg(long, global = true, value_enum, help_heading = "Bus")]
    pub(crate) bus: Option<BusKind>,
    /// Kafka brokers to begin with, joined by commas.
    #[arg(long, global = true, value_name = "HOST:PORT", help_heading = "Bus")]
    pub(crate) brokers: Option<String>,
    /// First word of all topic names.
    #[arg(long, global = true, value_name = "WORD", help_heading = "Bus")]
    pub(crate) topic_prefix: Option<String>,
}

/// For whom output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// People.
    Text,
    /// Programs.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole pipeline in one process, or one stage.
    Run(RunArgs),
    /// Run the pipeline on a small news world of its own and show what comes out.
    Demo(DemoArgs),
    /// Read the articles of the sink.
    Articles(ArticlesArgs),
    /// Look after where the articles are stored.
    #[command(subcommand)]
    Sink(SinkCommand),
    /// Copy the embedded bus and the SQLite sink, also beside a running pipeline, into a new folder that can serve as
    /// data directory.
    Backup {
        /// The folder; it must not exist.
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Show tagged articles as they come.
    Tap(TapArgs),
    /// Show what became of one article, from its item to its tags.
    Trace(TraceArgs),
    /// Look after the list of feeds.
    #[command(subcommand)]
    Feeds(FeedsCommand),
    /// Look after what could not be processed.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Have a stage work again on what it has done, as after a change of topic files.
    Replay(ReplayArgs),
    /// Take in pages that a crawler kept in web archives (WARC), as for backfill; they are not fetched again.
    Import(ImportArgs),
    /// Show or make the topics of the bus; train, test and compare the topic files of the classifier.
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Parse feeds: one JSON row a file.
    ParseFeed(ParseFeedArgs),
    /// Clean pages: JSON rows in, JSON rows out.
    Clean(RowsArgs),
    /// Tag articles: JSON rows in, JSON rows out.
    Classify(ClassifyArgs),
    /// Check configuration and topic files; needs no network.
    Check(CheckArgs),
    /// Look for what is wrong with this installation, and say what mends it.
    Doctor,
    /// Show the configuration and where it comes from.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Watch the stages of a running pipeline: what flows, what waits, what is wrong.
    Top(TopArgs),
    /// Ask a running pipeline whether it is ready (for container health checks).
    Health(HealthArgs),
    /// Measure how fast a stage is on this machine.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Print the JSON Schema of a topic's messages.
    Schema(SchemaArgs),
    /// Print the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// All stages.
    All,
    /// Feeds to items.
    Poller,
    /// Items to pages.
    Fetcher,
    /// Pages to articles.
    Cleaner,
    /// Articles to tagged articles.
    Classifier,
    /// Tagged articles to where they are read.
    Sink,
    /// The operator's page and the API, beside stages that run elsewhere.
    Console,
}

/// Arguments of `top`.
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Where a process serves its metrics; a name may stand for several processes (repeatable, or joined by commas)
    /// [default: metrics.listen].
    #[arg(long = "address", value_name = "HOST:PORT", value_delimiter = ',')]
    pub(crate) addresses: Vec<String>,
    /// Seconds between two looks.
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = between(0.1, 3600.0, "seconds"))]
    pub(crate) every: f64,
    /// Looks for that long, prints what it saw and ends, as it does where there is no terminal.
    #[arg(long)]
    pub(crate) once: bool,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// All stages, or one.
    #[arg(value_enum)]
    pub(crate) what: What,
    /// Poll every feed once, carry everything through, and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// OPML, or one URL a line; what leaves the file is no longer polled.
    #[arg(long, value_name = "FILE")]
    pub(crate) feeds: Option<PathBuf>,
    /// Whether article pages are fetched.
    #[arg(long, value_enum)]
    pub(crate) fetch: Option<Fetch>,
    /// Lets fetches reach that private range (repeatable).
    #[arg(long, value_name = "CIDR")]
    pub(crate) allow_address: Vec<IpNet>,
    /// Serves /metrics, /livez and /readyz there.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Serves the console there [default: 127.0.0.1:8430, with all stages or alone].
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) console_listen: Option<SocketAddr>,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Ends with an error if not everything has come through after so many seconds.
    #[arg(long, default_value_t = 120)]
    pub(crate) deadline: u64,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Also check this list of feeds.
    #[arg(long, value_name = "FILE")]
    pub(crate) feeds: Option<PathBuf>,
    /// Also connect to what the configuration names: Kafka, PostgreSQL.
    #[arg(long)]
    pub(crate) connect: bool,
}

/// Commands on the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print a file with every setting and its default.
    Init,
    /// Print what is in force.
    Show {
        /// Say where each value comes from.
        #[arg(long)]
        origin: bool,
    },
    /// Print the JSON Schema of the file.
    Schema,
}

/// Arguments of `health`.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Where the pipeline serves its metrics [default: metrics.listen].
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) address: Option<SocketAddr>,
}

/// Name of the AsyncAPI document of all topics among the schemas.
pub(crate) const ASYNCAPI: &str = "asyncapi";

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Name of the message, or `asyncapi` for the AsyncAPI 3 document of all topics; all names where absent.
    #[arg(
        value_parser = clap::builder::PossibleValuesParser::new(telex_model::SCHEMAS.into_iter().chain([ASYNCAPI]))
    )]
    pub(crate) name: Option<String>,
}

/// Makes a reader of numbers between two.
fn between(low: f64, high: f64, unit: &'static str) -> impl Fn(&str) -> Result<f64, String> + Clone {
    move |text| match text.parse::<f64>() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        Ok(_) => Err(format!("between {low} and {high} {unit}")),
        Err(error) => Err(error.to_string()),
    }
}
