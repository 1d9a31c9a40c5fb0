//! `telex topics`: the topic table.

use serde_json::json;
use telex_model::{Cleanup, Topic};

use super::Context;
use crate::cli::{OutputFormat, TopicsCommand};
use crate::error::CliError;
use crate::open::{self, Use};
use crate::output;

/// Shows or makes the topics.
pub(crate) fn run(context: &Context, command: &TopicsCommand) -> Result<(), CliError> {
    let prefix = &context.config.bus.topic_prefix;
    let classifier = open::classifier(&context.config)?;
    let mut topics = Topic::fixed();
    topics.extend(open::tag_topics(&classifier)?.into_iter().map(|(_, t)| t));
    let open = open::bus(&context.config, Use::Beside)?;
    let there = open.bus.topics()?;
    let missing: Vec<&Topic> = topics
        .iter()
        .filter(|t| !there.contains(&t.name(prefix)))
        .collect();
    if matches!(command, TopicsCommand::Apply) {
        open.bus.create_topics(prefix, &topics)?;
    }
    for topic in &topics {
        let spec = topic.spec();
        let kept = match spec.cleanup {
            Cleanup::Compact => "newest of each key".to_owned(),
            Cleanup::Delete(time) => format!("{} h", time.as_secs() / 3600),
        };
        let state = match (missing.contains(&topic), command) {
            (false, _) => "exists",
            (true, TopicsCommand::Apply) => "made",
            (true, _) => "to be made",
        };
        let name = topic.name(prefix);
        match context.output {
            OutputFormat::Json => output::json(&json!({
                "topic": name, "partitions": spec.partitions, "kept": kept,
                "max_message_bytes": spec.max_message_bytes, "state": state,
            }))?,
            OutputFormat::Text => output::line(&format!(
                "{name:36} {:3} partitions  kept: {kept:20} {state}",
                spec.partitions
            ))?,
        }
    }
    Ok(())
}
