//! Articles: read, exported, watched, followed.

use clap::{Args, Subcommand, ValueEnum};

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
