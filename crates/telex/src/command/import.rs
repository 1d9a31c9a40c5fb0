//! `telex import`: pages that crawlers kept, in place of fetching them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use telex_model::{Stage, Topic};
use telex_poller::{Archive, PASSED_OVER};
use telex_stream::{Bus, Control, Output};
use telex_web::{ClientOptions, WarcReader};

use super::Context;
use crate::cli::{ImportArgs, OutputFormat};
use crate::error::CliError;
use crate::open::{self, Use};
use crate::output;
use telex_operate::PutBack;

/// Bytes and messages appended in one transaction.
const BATCH_BYTES: usize = 8 << 20;
const BATCH: usize = 100;

/// Bytes that may lie before the fetcher: an archive is larger than what a bus should hold at once. Of a small bus no
/// more than a twentieth, or the fetcher would wait for room that only it can make.
const AHEAD: u64 = 64 << 20;
const OF_THE_BUS: u64 = 20;

/// Without any progress of the fetcher the command gives up after this time: it is not running.
const PATIENCE: Duration = Duration::from_secs(60);

/// A wait that is longer is told.
const TELL: Duration = Duration::from_secs(2);

/// How often the fetcher's progress is looked up.
const LOOK: Duration = Duration::from_millis(100);

/// Takes pages in; prints how many, and why others were passed over.
pub(crate) fn run(context: &Context, args: &ImportArgs) -> Result<(), CliError> {
    let prefix = &context.config.bus.topic_prefix;
    let open = (!args.dry_run)
        .then(|| open::bus(&context.config, Use::Beside))
        .transpose()?;
    let mut import = Import {
        archive: Archive {
            prefix: prefix.clone(),
            labels: args.label.clone(),
        },
        to: open.as_ref().map(|open| Ahead {
            bus: open.bus.as_ref(),
            back: PutBack::new(open.bus.as_ref(), args.rate, false),
            group: format!("{prefix}.{}", Stage::Fetcher),
            topic: Topic::Items.name(prefix),
            most_bytes: AHEAD.min(context.config.bus.max_bytes / OF_THE_BUS),
            messages: 0,
            bytes: 0,
        }),
        batch: Vec::new(),
        batch_bytes: 0,
        taken: 0,
        passed_over: BTreeMap::new(),
    };
    let result = args.files.iter().try_for_each(|file| import.file(file));
    let result = result.and_then(|()| import.flush());
    import.tell(context.output, args.dry_run)?;
    result
}

struct Import<'a> {
    archive: Archive,
    /// Nowhere in a dry run.
    to: Option<Ahead<'a>>,
    batch: Vec<Output>,
    batch_bytes: usize,
    taken: u64,
    passed_over: BTreeMap<&'static str, u64>,
}

impl Import<'_> {
    fn file(&mut self, path: &Path) -> Result<(), CliError> {
        let shown = path.display();
        let failed = |e: std::io::Error| CliError::Unavailable(format!("{shown}: {e}"));
        let file: Box<dyn Read> = if path == Path::new("-") {
            Box::new(std::io::stdin())
        } else {
            Box::new(File::open(path).map_err(failed)?)
        };
        let limit = ClientOptions::default().max_body_bytes;
        for capture in WarcReader::open(file, limit).map_err(failed)? {
            // What came before a wound is taken in.
            let capture = match capture {
                Ok(capture) => capture,
                Err(error) => {
                    self.flush()?;
                    return Err(CliError::Findings(format!("{shown}: {error}")));
                }
            };
            match self.archive.message(&capture, Timestamp::now()) {
                Ok(message) => self.add(message)?,
                Err(reason) => {
                    tracing::debug!(url = capture.url, reason, "passed over");
                    *self.passed_over.entry(reason).or_default() += 1;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, message: Output) -> Result<(), CliError> {
        self.batch_bytes += message.size();
        self.batch.push(message);
        if self.batch.len() >= BATCH || self.batch_bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), CliError> {
        let batch = std::mem::take(&mut self.batch);
        let (count, bytes) = (batch.len() as u64, std::mem::take(&mut self.batch_bytes));
        if let Some(to) = &mut self.to {
            to.wait(count, bytes as u64)?;
            to.back.append(batch)?;
        }
        self.taken += count;
        Ok(())
    }

    fn tell(&self, format: OutputFormat, dry_run: bool) -> Result<(), CliError> {
        let count = |reason: &str| self.passed_over.get(reason).copied().unwrap_or_default();
        let passed_over: BTreeMap<_, _> = PASSED_OVER.iter().map(|r| (*r, count(r))).collect();
        match format {
            OutputFormat::Json => output::json(&json!({
                "count": self.taken, "passed_over": passed_over, "dry_run": dry_run,
            })),
            OutputFormat::Text => {
                let would = if dry_run { "would be" } else { "are" };
                output::line(&format!("{} pages {would} before the fetcher", self.taken))?;
                passed_over
                    .iter()
                    .filter(|(_, count)| **count > 0)
                    .try_for_each(|(reason, count)| {
                        output::line(&format!("{count} answers passed over: {}", explained(reason)))
                    })
            }
        }
    }
}

fn explained(reason: &str) -> &str {
    match reason {
        "no_answer" => "cannot be understood as an HTTP response",
        "no_page" => "no page, but an error, a redirect or a file of another kind",
        "no_article" => "a front page or other list, a request for consent, an error page",
        "no_text" => "a page without text",
        "oversize" => "larger than a message may be",
        other => other,
    }
}

/// Appends, but not too far ahead of the fetcher.
struct Ahead<'a> {
    bus: &'a dyn Bus,
    back: PutBack<'a>,
    group: String,
    topic: String,
    most_bytes: u64,
    messages: u64,
    bytes: u64,
}

impl Ahead<'_> {
    /// Waits until there is room for so many more messages and bytes.
    fn wait(&mut self, messages: u64, bytes: u64) -> Result<(), CliError> {
        self.messages += messages;
        self.bytes += bytes;
        let mean = (self.bytes / self.messages.max(1)).max(1);
        let most = self.most_bytes / mean;
        let (mut least, mut since, begun) = (u64::MAX, Instant::now(), Instant::now());
        let mut told = false;
        loop {
            let behind = self.behind()?;
            if behind == 0 || behind + messages <= most {
                return Ok(());
            }
            if behind < least {
                (least, since) = (behind, Instant::now());
            } else if since.elapsed() >= PATIENCE {
                return Err(CliError::Unavailable(format!(
                    "{behind} items wait, and no fetcher takes them in: start `telex run all` or `telex run fetcher`, then repeat the command; what it has put there already is not taken twice"
                )));
            }
            if !told && begun.elapsed() >= TELL {
                told = true;
                tracing::info!(
                    behind,
                    "waiting for the fetcher, as of `telex run all`, to take in what is there"
                );
            }
            Control::default().wait(LOOK);
        }
    }

    /// Messages that the fetcher has not taken in.
    fn behind(&self) -> Result<u64, CliError> {
        let committed: HashMap<u32, u64> = self
            .bus
            .committed(&self.group, &self.topic)?
            .into_iter()
            .collect();
        let behind = self.bus.ends(&self.topic)?.into_iter().map(|ends| {
            let next = committed.get(&ends.partition).copied().unwrap_or_default();
            ends.end.saturating_sub(next.max(ends.first))
        });
        Ok(behind.sum())
    }
}
