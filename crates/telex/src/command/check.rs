//! `telex check`: what can be known to be wrong without network or secrets.

use super::{Context, feeds};
use crate::cli::CheckArgs;
use crate::error::CliError;
use crate::open;
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
    for line in fine {
        output::line(&format!("ok: {line}"))?;
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(CliError::Config(problems.join("\n")))
    }
}
