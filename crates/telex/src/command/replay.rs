//! `telex replay`: has a stage work again on what it has done.
//!
//! The latest revision of each article is put behind the others, marked as a replay; the stages go on working
//! meanwhile. Rejected: turning the group's offsets back, for which every process of the stage must be stopped, and
//! which shows consumers the older revisions again.

use std::collections::HashMap;

use serde_json::json;
use telex_model::event::{self, header};
use telex_model::{Stage, Topic};
use telex_operate::PutBack;
use telex_stream::{Bus, Message, Output, Route, read_all};

use super::Context;
use crate::cli::{From, OutputFormat, ReplayArgs, ReplayStage};
use crate::error::CliError;
use crate::open::{self, Use};
use crate::output;

/// Replays; prints how many messages, and the id of the replay.
pub(crate) fn run(context: &Context, args: &ReplayArgs) -> Result<(), CliError> {
    let stage = match args.stage {
        ReplayStage::Classifier => Stage::Classifier,
    };
    let how = if args.dry_run { Use::Read } else { Use::Beside };
    let open = open::bus(&context.config, how)?;
    let begun = jiff::Timestamp::now();
    let id = args
        .resume
        .clone()
        .unwrap_or_else(|| format!("{:x}", begun.as_microsecond()));
    let replay = Replay {
        bus: open.bus.as_ref(),
        topic: stage.input(),
        name: stage.input().name(&context.config.bus.topic_prefix),
        id: &id,
        begun,
    };
    if !args.dry_run {
        tracing::info!(
            id,
            "the replay begins; if it is interrupted, repeat the command with --resume and this id"
        );
    }
    let latest = replay.latest()?;
    let count = replay.put_back(&latest, args)?;
    match context.output {
        OutputFormat::Json => output::json(&json!({
            "replay": id, "stage": stage.name(), "count": count, "dry_run": args.dry_run,
        })),
        OutputFormat::Text if args.dry_run => output::line(&format!("{count} articles would be replayed")),
        OutputFormat::Text => output::line(&format!("{count} articles are put before the {stage} again")),
    }
}

/// Partition and offset of the latest message of each key; about 100 bytes of memory an article.
type Latest = HashMap<Box<[u8]>, (u32, u64)>;

struct Replay<'a> {
    bus: &'a dyn Bus,
    topic: Topic,
    name: String,
    id: &'a str,
    begun: jiff::Timestamp,
}

impl Replay<'_> {
    fn latest(&self) -> Result<Latest, CliError> {
        let mut latest = Latest::new();
        read_all(self.bus, &self.name, &mut |message| {
            let at = (message.partition, message.offset);
            match latest.get_mut(message.key.as_ref()) {
                Some(last) => *last = at,
                None => drop(latest.insert(message.key.as_ref().into(), at)),
            }
        })?;
        Ok(latest)
    }

    /// Appends the messages chosen; gives their number.
    fn put_back(&self, latest: &Latest, args: &ReplayArgs) -> Result<u64, CliError> {
        let back = PutBack::new(self.bus, args.rate, args.dry_run);
        let mut count = 0;
        let mut outputs = Vec::new();
        let mut failed = Ok(());
        read_all(self.bus, &self.name, &mut |message| {
            let last = latest.get(message.key.as_ref()) == Some(&(message.partition, message.offset));
            if failed.is_err() || !last || !self.chosen(&message, args.from) {
                return;
            }
            count += 1;
            outputs.push(self.copy(&message));
            if outputs.len() >= telex_operate::AT_ONCE {
                failed = back.append(std::mem::take(&mut outputs));
            }
        })?;
        failed?;
        back.append(outputs)?;
        Ok(count)
    }

    /// Neither what was taken back, nor what this replay has put back already.
    fn chosen(&self, message: &Message, from: From) -> bool {
        let within = match from {
            From::Earliest => true,
            From::Time(time) => message.timestamp >= time,
            From::Offset(offset) => message.offset >= offset,
        };
        within && message.value.is_some() && header(&message.headers, event::REPLAY) != Some(self.id)
    }

    fn copy(&self, message: &Message) -> Output {
        let event_id = header(&message.headers, event::CE_ID)
            .unwrap_or_default()
            .to_owned();
        let mut headers = telex_operate::headers(&self.topic, event_id, self.begun, &message.headers);
        headers.retain(|(name, _)| name != event::REPLAY);
        headers.push((event::REPLAY.to_owned(), self.id.to_owned()));
        Output {
            topic: self.name.clone(),
            key: message.key.clone(),
            route: Route::Partition(message.partition),
            value: message.value.clone(),
            headers,
        }
    }
}
