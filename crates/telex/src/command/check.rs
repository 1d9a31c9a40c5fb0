//! `telex check`: what can be known to be wrong without network or secrets, and on demand what can be reached.

use super::{Context, feeds};
use crate::cli::CheckArgs;
use crate::config::{BusKind, Config};
use crate::error::CliError;
use crate::open::{self, Use};
use crate::output;

/// Checks topic files and the list of feeds; the configuration was checked when it was read.
pub(crate) fn run(context: &Context, args: &CheckArgs) -> Result<(), CliError> {
    let mut problems = Vec::new();
    let mut fine = vec!["configuration".to_owned()];
    match open::classifier(&context.config) {
        Ok(classifier) => fine.push(format!(
            "{} topics, version {}",
            classifier.topics().count(),
            classifier.version()
        )),
        Err(CliError::Config(lines)) => problems.push(lines),
        Err(other) => return Err(other),
    }
    if let Some(path) = args.feeds.as_ref().or(context.config.poller.feeds.as_ref()) {
        match feeds::read_list(path) {
            Ok(listed) => fine.push(format!("{} feeds in {}", listed.len(), path.display())),
            Err(error) => problems.push(error.to_string()),
        }
    }
    let sink = open::written_to(&context.config).and_then(|()| open::postgres(&context.config).map(drop));
    if let Err(CliError::Config(line)) = sink {
        problems.push(line);
    }
    for line in fine {
        output::line(&format!("ok: {line}"))?;
    }
    if !problems.is_empty() {
        return Err(CliError::Config(problems.join("\n")));
    }
    if args.connect {
        connect(&context.config)?;
    }
    Ok(())
}

/// Connects to what the configuration names; changes nothing there.
fn connect(config: &Config) -> Result<(), CliError> {
    if config.bus.kind == BusKind::Kafka {
        let topics = open::bus(config, Use::Read)?.bus.topics()?;
        output::line(&format!("ok: Kafka answers, {} topics", topics.len()))?;
    }
    if let Some(sink) = open::postgres(config)? {
        sink.look()?;
        output::line(&format!("ok: PostgreSQL at {} answers", sink.target()))?;
    }
    Ok(())
}
