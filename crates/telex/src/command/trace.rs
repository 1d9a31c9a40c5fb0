//! `telex trace`: what became of one article, topic by topic.

use serde_json::{Value, json};
use telex_operate::{Step, article_id, trace};

use super::Context;
use crate::cli::{OutputFormat, TraceArgs};
use crate::error::CliError;
use crate::open::{self, Use};
use crate::output::{self, harmless};

/// Prints every record of an article in the order in which they were written.
pub(crate) fn run(context: &Context, args: &TraceArgs) -> Result<(), CliError> {
    let id = article_id(&args.article)?;
    let open = open::bus(&context.config, Use::Read)?;
    let prefix = &context.config.bus.topic_prefix;
    let mut looking = |topic: &str| {
        tracing::debug!(topic, "looking");
        true
    };
    let found = trace(open.bus.as_ref(), prefix, id, &mut looking, |step| step)?;
    for step in &found.steps {
        show(context, prefix, step)?;
    }
    if found.steps.is_empty() {
        return Err(CliError::Findings(format!(
            "nothing is known of article {id}; `telex feeds list` says which feeds are polled, `telex feeds test URL` what is in one"
        )));
    }
    Ok(())
}

fn show(context: &Context, prefix: &str, step: &Step) -> Result<(), CliError> {
    let message = &step.message;
    let (said, place) = (step.said(), step.place(prefix));
    match context.output {
        OutputFormat::Json => output::json(&json!({
            "time": message.timestamp,
            "place": place,
            "said": said,
            "value": message.value.as_ref().map(|v| serde_json::from_slice::<Value>(v).unwrap_or_default()),
        })),
        OutputFormat::Text => output::line(&format!(
            "{}  {place:36} {}",
            message.timestamp.strftime("%Y-%m-%d %H:%M:%S%.3f"),
            harmless(&said)
        )),
    }
}
