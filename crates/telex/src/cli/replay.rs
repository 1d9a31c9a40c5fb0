//! What is put before the stages once more, or from elsewhere.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

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
