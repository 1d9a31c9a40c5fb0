//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

use crate::config::{BusKind, Fetch, LogFormat};

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

/// Arguments of `top`.
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Where a process serves its metrics; a name may stand for several processes (repeatable, or joined by commas)
    /// [default: metrics.listen].
    #[arg(long = "address", value_name = "HOST:PORT", value_delimiter = ',')]
    pub(crate) addresses: Vec<String>,
    /// Seconds between two looks.
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = seconds)]
    pub(crate) every: f64,
    /// Looks for that long, prints what it saw and ends, as it does where there is no terminal.
    #[arg(long)]
    pub(crate) once: bool,
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
    #[arg(long, value_name = "N", value_parser = pace)]
    pub(crate) rate: Option<f64>,
    /// Seconds of the paced measurement, and of the idle one.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,
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

/// Arguments of `articles`.
#[derive(Debug, Args)]
pub(crate) struct ArticlesArgs {
    /// One tagged message a line.
    #[arg(long)]
    pub(crate) jsonl: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// Which stored articles are wanted.
#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// Only articles with this tag.
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// Only articles with these words in title or text.
    #[arg(long, value_name = "WORDS")]
    pub(crate) search: Option<String>,
    /// Only articles in this language.
    #[arg(long, value_name = "LANGUAGE")]
    pub(crate) language: Option<String>,
    /// Only articles from this domain and those below it.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) source: Option<String>,
    /// Only articles first seen then or later, such as 2026-11-22T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<jiff::Timestamp>,
    /// Only articles first seen before then.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<jiff::Timestamp>,
    /// No more than so many.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

/// Commands on where the articles are stored.
#[derive(Debug, Subcommand)]
pub(crate) enum SinkCommand {
    /// Print what is stored, oldest first; with --limit the newest, newest first.
    Export(ExportArgs),
    /// Take the tables of PostgreSQL back to an earlier version, for a program that does not know theirs. What the
    /// later versions added is lost: stop the sinks and make a backup (pg_dump) first.
    Migrate {
        /// The version; 0 drops everything.
        #[arg(long, value_name = "VERSION")]
        to: u32,
    },
}

/// Arguments of `sink export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// One tagged message a line, or one row an article.
    #[arg(long, value_enum, default_value = "jsonl")]
    pub(crate) format: ExportFormat,
    /// Which sink [default: sqlite, or postgres where only that is written to].
    #[arg(long, value_enum)]
    pub(crate) from: Option<ExportFrom>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// Forms of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// JSON lines, whole.
    Jsonl,
    /// Comma-separated values (RFC 4180) with a header.
    Csv,
}

/// Sinks that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFrom {
    /// The database in the data directory.
    Sqlite,
    /// The database of sink.postgres.url.
    Postgres,
}

/// Arguments of `tap`.
#[derive(Debug, Args)]
pub(crate) struct TapArgs {
    /// Only articles with this tag.
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// Begin with what the bus still holds.
    #[arg(long)]
    pub(crate) from_start: bool,
    /// End after so many.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// Its id or its address.
    #[arg(value_name = "ARTICLE")]
    pub(crate) article: String,
}

/// Commands on feeds.
#[derive(Debug, Subcommand)]
pub(crate) enum FeedsCommand {
    /// Put feeds on the list; they stay until removed.
    Add {
        /// Addresses of feeds.
        #[arg(required = true)]
        urls: Vec<String>,
        /// Labels that their articles carry.
        #[arg(long, value_name = "LABEL")]
        label: Vec<String>,
    },
    /// Show the feeds, worst first.
    List,
    /// Take feeds off the list.
    Remove {
        /// Addresses of feeds.
        #[arg(required = true)]
        urls: Vec<String>,
    },
    /// Have feeds on the list rest until resumed.
    Pause {
        /// Addresses of feeds.
        #[arg(required = true)]
        urls: Vec<String>,
    },
    /// Have paused feeds polled again.
    Resume {
        /// Addresses of feeds.
        #[arg(required = true)]
        urls: Vec<String>,
    },
    /// Have feeds polled at once, due or not; all feeds where none is named.
    Poll {
        /// Addresses of feeds.
        urls: Vec<String>,
    },
    /// Poll feeds at an interval of their own, such as `5m`, whatever they ask for; `auto` lets it follow the feed again.
    Interval {
        /// At least a minute.
        interval: String,
        /// Addresses of feeds.
        #[arg(required = true)]
        urls: Vec<String>,
    },
    /// Send headers of your own, such as an API key, with every request for a feed; without a file none any more.
    Headers {
        /// Address of the feed.
        url: String,
        /// One `Name: value` a line; their values are shown nowhere.
        file: Option<PathBuf>,
    },
    /// Put the feeds of an OPML file or a list of URLs on the list.
    Import {
        /// The file.
        file: PathBuf,
    },
    /// Print the list as OPML.
    Export,
    /// Find the feeds of a site, and say of each whether it can be read.
    Discover {
        /// Address of a page, most often the front page.
        url: String,
        /// Lets the requests reach that private range (repeatable).
        #[arg(long, value_name = "CIDR")]
        allow_address: Vec<IpNet>,
    },
    /// Fetch a feed and say what is in it and what is wrong with it.
    Test {
        /// Address of the feed.
        url: String,
        /// Lets the request reach that private range (repeatable).
        #[arg(long, value_name = "CIDR")]
        allow_address: Vec<IpNet>,
    },
}

/// Commands on dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// Show dead letters, newest last.
    List(DeadLetterFilter),
    /// Show one dead letter whole.
    Show {
        /// Its id, as `list` shows it: STAGE/PARTITION/OFFSET.
        id: String,
    },
    /// Put dead letters back where they came from.
    Replay {
        #[command(flatten)]
        filter: DeadLetterFilter,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
        /// Messages per second.
        #[arg(long, value_name = "N")]
        rate: Option<std::num::NonZeroU32>,
    },
}

/// Which dead letters.
#[derive(Debug, Args)]
pub(crate) struct DeadLetterFilter {
    /// Of this stage only.
    #[arg(long, value_enum)]
    pub(crate) stage: Option<StageName>,
    /// With this reason only.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// No more than so many.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: usize,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The stage: what it reads is put before it once more, the latest revision of each article.
    #[arg(long, value_enum)]
    pub(crate) stage: ReplayStage,
    /// What was written from then on: `earliest`, a time (RFC 3339), or an offset in every partition.
    #[arg(long, value_name = "WHERE")]
    pub(crate) from: From,
    /// Goes on with a replay that was interrupted.
    #[arg(long, value_name = "ID")]
    pub(crate) resume: Option<String>,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Messages per second.
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<std::num::NonZeroU32>,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Archives, packed with gzip or not; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Labels that their articles carry.
    #[arg(long, value_name = "LABEL")]
    pub(crate) label: Vec<String>,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Pages per second.
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<std::num::NonZeroU32>,
}

/// Stages that can work again on what they have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplayStage {
    /// Articles to tagged articles: the same revisions, tagged by the topic files of now.
    Classifier,
}

/// A place in a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// The first message that is kept.
    Earliest,
    /// The first message written then or later.
    Time(jiff::Timestamp),
    /// This offset in every partition.
    Offset(u64),
}

impl std::str::FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "earliest" {
            return Ok(Self::Earliest);
        }
        let offset = text.parse().map(Self::Offset);
        offset.or_else(|_| {
            let time = text.parse().map(Self::Time);
            time.map_err(|_| "give `earliest`, a time such as 2026-11-22T08:00:00Z, or an offset".to_owned())
        })
    }
}

/// Names of stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StageName {
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
}

/// Commands on topics.
#[derive(Debug, Subcommand)]
pub(crate) enum TopicsCommand {
    /// Show the topics, and what `apply` would make or change.
    Plan,
    /// Make the topics that are missing and raise what is too low; takes nothing away, safe to repeat.
    Apply,
    /// Print what each stage, and whoever works beside them, must be allowed on Kafka: commands of kafka-acls.sh, or
    /// with `--output json` the table.
    Rights(RightsArgs),
    /// Learn what the signals of the topic files weigh, and show how good that is on sources not seen.
    Train(TrainArgs),
    /// Compare the topic files' answers with labels.
    Test(LabelledArgs),
    /// Show which tags other topic files would give to stored articles.
    Diff(DiffArgs),
}

/// Arguments of `topics rights`.
#[derive(Debug, Args)]
pub(crate) struct RightsArgs {
    /// Whose rights; everybody's where absent.
    #[arg(
        long,
        value_parser = clap::builder::PossibleValuesParser::new(telex_model::Role::ALL.map(telex_model::Role::name))
    )]
    pub(crate) role: Option<String>,
    /// The users that get them; `{role}` stands for the name of the role.
    #[arg(long, value_name = "USER", default_value = "User:telex-{role}")]
    pub(crate) principal: String,
}

/// Labelled articles.
#[derive(Debug, Args)]
pub(crate) struct LabelledArgs {
    /// Articles as JSON lines: id, title, text, language, source; `-` is standard input.
    #[arg(value_name = "ARTICLES")]
    pub(crate) articles: PathBuf,
    /// Labels as JSON lines, where the articles do not carry them: id, topics with 0 or 1, and `borderline`, the
    /// topics on which readers could differ.
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
    /// Also list the answers that differ from their label.
    #[arg(long)]
    pub(crate) mistakes: bool,
}

/// Arguments of `topics train`.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) labelled: LabelledArgs,
    /// Write the weights to this file, to stand beside the topic files.
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) write: Option<PathBuf>,
    /// Where the labelled articles are from, in a few words; stands in the file of weights.
    #[arg(long, value_name = "WORDS")]
    pub(crate) from: Option<String>,
}

/// Arguments of `topics diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Folder of topic files as they are, laid over the built-in ones; `built-in` for those alone.
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// Folder of topic files as they would be.
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// Articles as JSON lines, in place of those that the sink stored.
    #[arg(long, value_name = "FILE")]
    pub(crate) articles: Option<PathBuf>,
}

/// Arguments of `parse-feed`.
#[derive(Debug, Args)]
pub(crate) struct ParseFeedArgs {
    /// Rows as JSON lines; the only form there is.
    #[arg(long, required = true)]
    pub(crate) jsonl: bool,
    /// The feeds.
    #[arg(required = true)]
    pub(crate) files: Vec<String>,
    #[command(flatten)]
    pub(crate) work: WorkArgs,
}

/// Arguments of commands that turn rows into rows.
#[derive(Debug, Args)]
pub(crate) struct RowsArgs {
    /// Rows as JSON lines on standard input and output.
    #[arg(long, required = true)]
    pub(crate) jsonl: bool,
    #[command(flatten)]
    pub(crate) work: WorkArgs,
}

/// How rows are worked on.
#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// Threads [default: one a core].
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
    /// Ends standard error with a line that tells the stage's own time.
    #[arg(long)]
    pub(crate) timing: bool,
}

/// Arguments of `classify`.
#[derive(Debug, Args)]
pub(crate) struct ClassifyArgs {
    /// Rows as JSON lines on standard input and output.
    #[arg(long, required_unless_present = "explain")]
    pub(crate) jsonl: bool,
    /// Show each article with its tags and what speaks for them, for people.
    #[arg(long, conflicts_with = "jsonl")]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) work: WorkArgs,
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

/// Reads a number of articles per second.
fn pace(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.1..=1e6).contains(&rate) => Ok(rate),
        Ok(_) => Err("between 0.1 and 1,000,000 articles per second".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a time between two looks.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(seconds),
        Ok(_) => Err("between 0.1 and 3600 seconds".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
