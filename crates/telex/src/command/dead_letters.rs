//! `telex dead-letters`: what could not be processed, and putting it back.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde_json::json;
use telex_model::Stage;
use telex_operate::{DeadLetters, Letter, LetterFilter};
use telex_stream::Message;

use super::Context;
use crate::cli::{DeadLetterFilter, DeadLettersCommand, OutputFormat, StageName};
use crate::error::CliError;
use crate::open::{self, Use};
use crate::output::{self, harmless};

/// Lists, shows or replays dead letters.
pub(crate) fn run(context: &Context, command: DeadLettersCommand) -> Result<(), CliError> {
    let how = if matches!(command, DeadLettersCommand::Replay { dry_run: false, .. }) {
        Use::Beside
    } else {
        Use::Read
    };
    let open = open::bus(&context.config, how)?;
    let letters = DeadLetters::new(open.bus.as_ref(), &context.config.bus.topic_prefix);
    match command {
        DeadLettersCommand::List(filter) => {
            let found = letters.find(&which(filter))?;
            found.iter().try_for_each(|l| show_line(context, l))
        }
        DeadLettersCommand::Show { id } => show(context, &id, letters.get(&id)?.as_ref()),
        DeadLettersCommand::Replay {
            filter,
            dry_run,
            rate,
        } => replay(context, &letters, filter, dry_run, rate),
    }
}

fn which(filter: DeadLetterFilter) -> LetterFilter {
    LetterFilter {
        stage: filter.stage.map(stage),
        reason: filter.reason,
        limit: filter.limit,
    }
}

fn stage(name: StageName) -> Stage {
    match name {
        StageName::Poller => Stage::Poller,
        StageName::Fetcher => Stage::Fetcher,
        StageName::Cleaner => Stage::Cleaner,
        StageName::Classifier => Stage::Classifier,
        StageName::Sink => Stage::Sink,
    }
}

fn show_line(context: &Context, letter: &Letter) -> Result<(), CliError> {
    if context.output == OutputFormat::Json {
        return output::json(letter);
    }
    output::line(&format!(
        "{}  {:22} {:16} {}",
        letter.time.strftime("%Y-%m-%d %H:%M:%S"),
        letter.id,
        letter.reason,
        harmless(letter.detail.as_deref().unwrap_or_default())
    ))
}

fn show(context: &Context, id: &str, message: &Message) -> Result<(), CliError> {
    let value = message.value.as_deref().unwrap_or_default();
    if context.output == OutputFormat::Json {
        let headers = message.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let name = id.split('/').next();
        let stage = Stage::ALL.into_iter().find(|s| Some(s.name()) == name);
        let mut row = json!(stage.map(|stage| Letter::new(stage, message)));
        row["headers"] = json!(headers.collect::<BTreeMap<&str, &str>>());
        row["value"] = json!(String::from_utf8_lossy(value));
        return output::json(&row);
    }
    output::line(&format!("{id}  {}", message.timestamp))?;
    for (name, value) in &message.headers {
        output::line(&format!("{name}: {}", harmless(value)))?;
    }
    output::line(&format!(
        "key: {}\n\n{}",
        harmless(&String::from_utf8_lossy(&message.key)),
        harmless(&String::from_utf8_lossy(value))
    ))
}

fn replay(
    context: &Context,
    letters: &DeadLetters<'_>,
    filter: DeadLetterFilter,
    dry_run: bool,
    rate: Option<NonZeroU32>,
) -> Result<(), CliError> {
    let done = letters.replay(&letters.find(&which(filter))?, dry_run, rate)?;
    let verb = if dry_run { "would be replayed" } else { "replayed" };
    for ((stage, reason), n) in &done.counts {
        match context.output {
            OutputFormat::Json => output::json(
                &json!({"stage": stage.name(), "reason": reason, "count": n, "dry_run": dry_run}),
            )?,
            OutputFormat::Text => output::line(&format!("{stage}: {n} with reason {reason} {verb}"))?,
        }
    }
    if done.skipped > 0 {
        output::line(&format!(
            "{} left alone: only their beginning was kept",
            done.skipped
        ))?;
    }
    Ok(())
}
