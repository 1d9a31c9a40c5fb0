//! Topics of the bus, and topics of the classifier.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
