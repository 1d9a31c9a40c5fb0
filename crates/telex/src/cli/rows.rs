//! Single stages on rows of JSON.

use clap::Args;

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
