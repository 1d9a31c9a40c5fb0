//! `telex dead-letters`: what could not be processed, and putting it back.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde_json::{Value, json};
use telex_model::event::{self, header};
use telex_model::{Stage, Topic};
use telex_stream::{Message, Output, Route, read_all};

use super::Context;
use super::put_back::{self, PutBack};
use crate::cli::{DeadLetterFilter, DeadLettersCommand, OutputFormat, StageName};
use crate::error::CliError;
use crate::open::{self, OpenBus, Use};
use crate::output::{self, harmless};

struct Letter {
    stage: Stage,
    message: Arc<Message>,
}

/// Lists, shows or replays dead letters.
pub(crate) fn run(context: &Context, command: DeadLettersCommand) -> Result<(), CliError> {
    let how = if matches!(command, DeadLettersCommand::Replay { dry_run: false, .. }) {
        Use::Beside
    } else {
        Use::Read
    };
    let open = open::bus(&context.config, how)?;
    let prefix = &context.config.bus.topic_prefix;
    match command {
        DeadLettersCommand::List(filter) => find(&open, prefix, &filter)?
            .iter()
            .try_for_each(|l| show_line(context, l)),
        DeadLettersCommand::Show { id } => show(context, &by_id(&open, prefix, &id)?),
        DeadLettersCommand::Replay {
            filter,
            dry_run,
            rate,
        } => replay(context, &open, &find(&open, prefix, &filter)?, dry_run, rate),
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

/// The newest that match, oldest of them first.
fn find(open: &OpenBus, prefix: &str, filter: &DeadLetterFilter) -> Result<Vec<Letter>, CliError> {
    let mut found = Vec::new();
    for candidate in Stage::ALL
        .into_iter()
        .filter(|s| filter.stage.is_none_or(|f| stage(f) == *s))
    {
        read_all(
            open.bus.as_ref(),
            &Topic::DeadLetters(candidate).name(prefix),
            &mut |message| {
                if filter.reason.as_deref().is_none_or(|r| reason(&message) == r) {
                    found.push(Letter {
                        stage: candidate,
                        message,
                    });
                }
                // Bounded: what is too old to be shown is not held.
                if found.len() >= 2 * filter.limit.max(1000) {
                    found.sort_by_key(|l| l.message.timestamp);
                    found.drain(..found.len() - filter.limit.max(1000));
                }
            },
        )?;
    }
    found.sort_by_key(|l| l.message.timestamp);
    found.drain(..found.len().saturating_sub(filter.limit));
    Ok(found)
}

fn by_id(open: &OpenBus, prefix: &str, id: &str) -> Result<Letter, CliError> {
    let wrong = || {
        CliError::Usage(format!(
            "{id:?} is no dead letter; `telex dead-letters list` shows ids such as cleaner/3/17"
        ))
    };
    let mut parts = id.split('/');
    let name = parts.next().unwrap_or_default();
    let stage = Stage::ALL
        .into_iter()
        .find(|s| s.name() == name)
        .ok_or_else(wrong)?;
    let mut number = || parts.next().and_then(|p| p.parse::<u64>().ok());
    let (Some(partition), Some(offset)) = (number(), number()) else {
        return Err(wrong());
    };
    let partition = u32::try_from(partition).map_err(|_| wrong())?;
    let read = open
        .bus
        .read(&Topic::DeadLetters(stage).name(prefix), partition, offset, 1)?;
    let message = read.into_iter().next().filter(|m| m.offset == offset);
    let message = message
        .ok_or_else(|| CliError::Findings(format!("there is no dead letter {id}; it may be too old")))?;
    Ok(Letter { stage, message })
}

fn reason(message: &Message) -> &str {
    header(&message.headers, event::DEAD_REASON).unwrap_or("unknown")
}

fn id(letter: &Letter) -> String {
    format!(
        "{}/{}/{}",
        letter.stage, letter.message.partition, letter.message.offset
    )
}

fn row(letter: &Letter) -> Value {
    let message = &letter.message;
    json!({
        "id": id(letter),
        "time": message.timestamp,
        "reason": reason(message),
        "detail": header(&message.headers, event::DEAD_DETAIL),
        "origin": header(&message.headers, event::DEAD_ORIGIN),
        "key": String::from_utf8_lossy(&message.key),
        "bytes": message.value.as_ref().map_or(0, bytes::Bytes::len),
    })
}

fn show_line(context: &Context, letter: &Letter) -> Result<(), CliError> {
    if context.output == OutputFormat::Json {
        return output::json(&row(letter));
    }
    let message = &letter.message;
    let detail = header(&message.headers, event::DEAD_DETAIL).unwrap_or_default();
    output::line(&format!(
        "{}  {:22} {:16} {}",
        message.timestamp.strftime("%Y-%m-%d %H:%M:%S"),
        id(letter),
        reason(message),
        harmless(detail)
    ))
}

fn show(context: &Context, letter: &Letter) -> Result<(), CliError> {
    let value = letter.message.value.as_deref().unwrap_or_default();
    if context.output == OutputFormat::Json {
        let headers: BTreeMap<&str, &str> = letter
            .message
            .headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let mut row = row(letter);
        row["headers"] = json!(headers);
        row["value"] = json!(String::from_utf8_lossy(value));
        return output::json(&row);
    }
    output::line(&format!("{}  {}", id(letter), letter.message.timestamp))?;
    for (name, value) in &letter.message.headers {
        output::line(&format!("{name}: {}", harmless(value)))?;
    }
    output::line(&format!(
        "key: {}\n\n{}",
        harmless(&String::from_utf8_lossy(&letter.message.key)),
        harmless(&String::from_utf8_lossy(value))
    ))
}

/// Puts letters back into the topic and partition that they were read from. They stay in the dead letters, which are
/// a log: what was replayed is seen by its time.
fn replay(
    context: &Context,
    open: &OpenBus,
    letters: &[Letter],
    dry_run: bool,
    rate: Option<NonZeroU32>,
) -> Result<(), CliError> {
    let back = PutBack::new(open.bus.as_ref(), rate, dry_run);
    let mut counts: BTreeMap<(String, &str), u64> = BTreeMap::new();
    let mut skipped = 0;
    for letters in letters.chunks(put_back::AT_ONCE) {
        let mut outputs = Vec::new();
        for letter in letters {
            match original(letter, &context.config.bus.topic_prefix) {
                Some(output) => {
                    *counts
                        .entry((letter.stage.to_string(), reason(&letter.message)))
                        .or_default() += 1;
                    outputs.push(output);
                }
                None => skipped += 1,
            }
        }
        back.append(outputs)?;
    }
    let verb = if dry_run { "would be replayed" } else { "replayed" };
    for ((stage, reason), n) in &counts {
        match context.output {
            OutputFormat::Json => {
                output::json(&json!({"stage": stage, "reason": reason, "count": n, "dry_run": dry_run}))?
            }
            OutputFormat::Text => output::line(&format!("{stage}: {n} with reason {reason} {verb}"))?,
        }
    }
    if skipped > 0 {
        output::line(&format!("{skipped} left alone: only their beginning was kept"))?;
    }
    Ok(())
}

/// The message as it was read by the stage; none where only its beginning was kept.
fn original(letter: &Letter, prefix: &str) -> Option<Output> {
    let message = &letter.message;
    if header(&message.headers, event::DEAD_TRUNCATED).is_some() {
        return None;
    }
    let origin = header(&message.headers, event::DEAD_ORIGIN)?;
    let partition = origin.rsplit('/').nth(1)?.parse().ok()?;
    let topic = letter.stage.input();
    let headers = put_back::headers(
        &topic,
        origin.to_owned(),
        jiff::Timestamp::now(),
        &message.headers,
    );
    Some(Output {
        topic: topic.name(prefix),
        key: message.key.clone(),
        route: Route::Partition(partition),
        value: message.value.clone(),
        headers,
    })
}
