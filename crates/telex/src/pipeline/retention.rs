//! Lets go of stored articles that are older than wanted, beside the sink that stores.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use telex_model::Stage;
use telex_sink::{SinkError, SqliteOptions, SqliteSink};
use telex_stream::{Control, Phase, Summary};

use super::{Running, Setup, spawn};
use crate::config::{Config, Period};
use crate::error::CliError;
use crate::open;

/// Articles of a step: on a slow disk a small part of a second, for which the sink waits.
const STEP: usize = 200;

/// Rest after a step that was full, so that the sink has the database most of the time.
const REST: Duration = Duration::from_millis(200);

/// Time between two looks when nothing is left.
const EVERY: Duration = Duration::from_secs(60);

/// Time between two looks at whether to end.
const TICK: Duration = Duration::from_millis(50);

/// A database that lets go of the oldest articles before a time; gives how many those were.
type Forget = Box<dyn FnMut(Timestamp) -> Result<usize, SinkError> + Send>;

impl Setup<'_> {
    /// Starts the retention of every database, each on a thread of its own.
    pub(super) fn retention(&self) -> Result<Vec<Running>, CliError> {
        let Some(period) = self.config.sink.retention else {
            return Ok(Vec::new());
        };
        let begin = |forget| {
            let control = Control::default();
            let of_thread = control.clone();
            Ok(Running {
                stage: Stage::Sink,
                control,
                thread: Some(spawn(Stage::Sink, move || Ok(run(forget, period, &of_thread)))?),
                summary: None,
            })
        };
        databases(self.config)?.into_iter().map(begin).collect()
    }
}

fn databases(config: &Config) -> Result<Vec<Forget>, CliError> {
    let mut databases: Vec<Forget> = Vec::new();
    if config.sink.sqlite {
        let path = open::articles_path(config);
        let mut sink: Option<SqliteSink> = None;
        databases.push(Box::new(move |before| {
            let sink = match &mut sink {
                Some(sink) => sink,
                none => none.insert(SqliteSink::open(&path, &SqliteOptions::default())?),
            };
            sink.forget(before, STEP)
        }));
    }
    if let Some(mut sink) = open::postgres(config)? {
        databases.push(Box::new(move |before| sink.forget(before, STEP)));
    }
    Ok(databases)
}

/// Lets go of what is too old, until told to stop; told to finish, until nothing is left.
fn run(mut forget: Forget, period: Period, control: &Control) -> Summary {
    let mut next = Instant::now();
    let mut left = true;
    loop {
        let phase = control.phase();
        // Told to finish, it looks once more: the sink has stored everything by then.
        let last = phase == Phase::Drain && !left;
        if phase == Phase::Stop {
            break;
        }
        if next > Instant::now() && !last {
            std::thread::sleep(TICK);
            continue;
        }
        let done = forget(before(period));
        left = matches!(done, Ok(STEP));
        next = Instant::now() + if left { REST } else { EVERY };
        match done {
            Ok(gone) => tracing::debug!(gone, "old articles were let go of"),
            Err(error) => {
                tracing::warn!(reason = error.chain(), "old articles are kept for the moment");
            }
        }
        if last && !left {
            break;
        }
    }
    control.done();
    Summary::default()
}

fn before(period: Period) -> Timestamp {
    let age = jiff::SignedDuration::try_from(period.0).unwrap_or(jiff::SignedDuration::MAX);
    Timestamp::now().checked_sub(age).unwrap_or(Timestamp::MIN)
}
