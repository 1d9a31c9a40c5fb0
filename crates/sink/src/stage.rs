//! The stage: messages of the tagged topic into sinks.

use std::sync::Arc;

use telex_model::event::{CE_TYPE, header};
use telex_model::{ArticleId, Tagged, Topic};
use telex_stream::{BatchStage, Control, Message, Outcome};

use crate::error::SinkError;
use crate::row::{Change, Fate, Row, Sink};

/// Why the stage drops messages on purpose.
pub const DROP_REASONS: &[&str] = &[ALREADY_STORED, OUTDATED];

/// Why the stage makes dead letters of messages.
pub const DEAD_REASONS: &[&str] = &[INVALID_JSON, WRONG_TYPE, WRONG_KEY];

const ALREADY_STORED: &str = "already_stored";
const OUTDATED: &str = "outdated";
const INVALID_JSON: &str = "invalid_json";
const WRONG_TYPE: &str = "wrong_type";
const WRONG_KEY: &str = "wrong_key";

/// Stores tagged articles in every one of its sinks.
///
/// A sink keeps positions of its own, so when the second of two fails, the first leaves out what it has when the
/// batch comes again. While a sink fails the stage goes no further and nothing is lost. If it fails in a way that
/// time does not heal, the stage also has itself stopped; [`SinkStage::failure`] then says why.
#[derive(Debug)]
pub struct SinkStage {
    log: String,
    sinks: Vec<Box<dyn Sink>>,
    control: Control,
    failure: Option<SinkError>,
}

impl SinkStage {
    /// Makes the stage. `log` names what offsets count in: bus and topic, such as `sqlite/telex.tagged.v1`; another
    /// bus needs another name. `control` is that of the driver that runs the stage.
    pub fn new(log: impl Into<String>, sinks: Vec<Box<dyn Sink>>, control: Control) -> Self {
        Self {
            log: log.into(),
            sinks,
            control,
            failure: None,
        }
    }

    /// The error that had the stage stopped.
    pub fn failure(&self) -> Option<&SinkError> {
        self.failure.as_ref()
    }

    /// Has every sink complete what it keeps open for more to come.
    ///
    /// # Errors
    /// The first sink's that could not.
    pub fn finish(&mut self) -> Result<(), SinkError> {
        self.sinks.iter_mut().try_for_each(|sink| sink.finish())
    }

    /// Stores rows in every sink; gives one outcome a row.
    fn store(&mut self, rows: &[Row<'_>]) -> Result<Vec<Outcome>, SinkError> {
        let mut best = vec![None; rows.len()];
        for sink in &mut self.sinks {
            for (best, fate) in best.iter_mut().zip(sink.store(&self.log, rows)?) {
                *best = match (*best, fate) {
                    (Some(Fate::Stored), _) | (_, Fate::Stored) => Some(Fate::Stored),
                    (Some(Fate::Outdated), _) => Some(Fate::Outdated),
                    (_, fate) => Some(fate),
                };
            }
        }
        Ok(best.into_iter().map(outcome).collect())
    }

    /// Holds the stage, for good where waiting will not help.
    fn hold(&mut self, error: SinkError) -> String {
        let reason = error.chain();
        if !error.may_pass() {
            tracing::error!(reason, "the sink cannot go on");
            self.failure = Some(error);
            self.control.stop();
        }
        reason
    }
}

impl BatchStage for SinkStage {
    fn process(&mut self, messages: &[Arc<Message>]) -> Vec<Outcome> {
        let read: Vec<Result<Read<'_>, Outcome>> = messages.iter().map(|m| Read::new(m)).collect();
        let rows: Vec<Row<'_>> = read.iter().flatten().map(Read::row).collect();
        match self.store(&rows) {
            Ok(stored) => {
                let mut stored = stored.into_iter();
                let mut merge = |read: Result<Read<'_>, Outcome>| match read {
                    Ok(_) => stored.next().unwrap_or(Outcome::Emit(Vec::new())),
                    Err(poison) => poison,
                };
                read.into_iter().map(&mut merge).collect()
            }
            Err(error) => {
                let reason = self.hold(error);
                messages
                    .iter()
                    .map(|_| Outcome::Transient(reason.clone()))
                    .collect()
            }
        }
    }
}

fn outcome(fate: Option<Fate>) -> Outcome {
    match fate {
        Some(Fate::AlreadyStored) => Outcome::Drop(ALREADY_STORED),
        Some(Fate::Outdated) => Outcome::Drop(OUTDATED),
        Some(Fate::Stored) | None => Outcome::Emit(Vec::new()),
    }
}

/// A message, parsed.
struct Read<'a> {
    message: &'a Message,
    id: ArticleId,
    article: Option<(Box<Tagged>, &'a str)>,
}

impl<'a> Read<'a> {
    /// Parses a message; what cannot be one becomes poison.
    fn new(message: &'a Message) -> Result<Self, Outcome> {
        let poison = |reason, detail| Outcome::Poison { reason, detail };
        let expected = Topic::Tagged.event_type();
        if let Some(other) = header(&message.headers, CE_TYPE).filter(|found| *found != expected) {
            let detail = format!("ce_type is {other:?}, this stage reads {expected:?}");
            return Err(poison(WRONG_TYPE, detail));
        }
        let key = std::str::from_utf8(&message.key).map_err(|e| poison(WRONG_KEY, e.to_string()))?;
        let id: ArticleId = key.parse().map_err(|e| poison(WRONG_KEY, format!("{e}")))?;
        let article = match &message.value {
            None => None,
            Some(value) => {
                let json = std::str::from_utf8(value).map_err(|e| poison(INVALID_JSON, e.to_string()))?;
                let article: Box<Tagged> =
                    serde_json::from_str(json).map_err(|e| poison(INVALID_JSON, e.to_string()))?;
                if article.id != id {
                    let detail = format!("the key is {id}, the article's id {}", article.id);
                    return Err(poison(WRONG_KEY, detail));
                }
                Some((article, json))
            }
        };
        Ok(Self { message, id, article })
    }

    fn row(&self) -> Row<'_> {
        Row {
            partition: self.message.partition,
            offset: self.message.offset,
            next: self.message.next,
            timestamp: self.message.timestamp,
            change: match &self.article {
                Some((article, json)) => Change::Put { article, json },
                None => Change::Retract(self.id),
            },
        }
    }
}
