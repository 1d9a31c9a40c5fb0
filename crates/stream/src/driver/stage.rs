//! Runs a stage that maps messages to messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use telex_model::MAX_MESSAGE_BYTES;

use crate::control::Phase;
use crate::message::{Message, Output};
use crate::session::{Batch, Commit, Event, Lag, Session, Transaction};

use super::attempts::Attempts;
use super::breaker::Breaker;
use super::{BatchStage, DriverError, Outcome, SourceContext, Summary, show_trouble};

/// Longest wait for messages: how soon lag and health are reported at the latest.
const WAIT: Duration = Duration::from_millis(500);

/// Time between two reports of lag.
pub(super) const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A wait for a limit, as against the moment that asking for it takes.
pub(super) const LIMITED: Duration = Duration::from_millis(1);

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// Runs a stage on a session until it is told to finish.
///
/// # Errors
/// Where the session is of no more use, or, while draining, too much of the input became dead letters.
pub fn run_stage(
    mut session: Box<dyn Session>,
    stage: &mut dyn BatchStage,
    context: SourceContext,
) -> Result<Summary, DriverError> {
    context.control.on_change(session.waker());
    session.report_to(context.health.clone());
    let driver = Driver {
        session,
        stage,
        context,
        attempts: Attempts::default(),
        breaker: Breaker::default(),
        backoff: Backoff::default(),
        held: None,
        joined: false,
        reported: None,
        summary: Summary::default(),
    };
    driver.run()
}

struct Driver<'a> {
    session: Box<dyn Session>,
    stage: &'a mut dyn BatchStage,
    context: SourceContext,
    attempts: Attempts,
    breaker: Breaker,
    backoff: Backoff,
    /// No messages are taken before.
    held: Option<Instant>,
    /// Partitions were assigned, or known to be none.
    joined: bool,
    reported: Option<Instant>,
    summary: Summary,
}

/// Waits that double with every failure in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff(Option<(Duration, Instant)>);

impl Backoff {
    /// Gives the next wait; an error where the stage is draining and has failed for longer than it may.
    pub(super) fn next(&mut self, context: &SourceContext, reason: &str) -> Result<Duration, DriverError> {
        let (wait, since) = match self.0 {
            None => (FIRST_BACKOFF, Instant::now()),
            Some((last, since)) => ((last * 2).min(LONGEST_BACKOFF), since),
        };
        self.0 = Some((wait, since));
        give_up(context, since, reason)?;
        Ok(wait)
    }

    pub(super) fn reset(&mut self) {
        self.0 = None;
    }
}

/// Gives up where a stage that is to finish could not go on since then, and has been patient enough.
pub(super) fn give_up(context: &SourceContext, since: Instant, reason: &str) -> Result<(), DriverError> {
    if context.control.phase() != Phase::Drain || since.elapsed() < context.patience {
        return Ok(());
    }
    Err(DriverError::Stuck {
        stage: context.metrics.stage().name(),
        seconds: since.elapsed().as_secs(),
        reason: reason.to_owned(),
    })
}

impl Driver<'_> {
    fn run(mut self) -> Result<Summary, DriverError> {
        loop {
            self.context.health.alive();
            if self.context.control.phase() == Phase::Stop {
                break;
            }
            self.unhold();
            let wait = self.held.map_or(WAIT, |until| {
                until.saturating_duration_since(Instant::now()).min(WAIT)
            });
            match self.session.next(wait)? {
                Event::Assigned(assigned) => {
                    self.attempts.assigned(&assigned);
                    self.context
                        .metrics
                        .partitions
                        .add(i64::try_from(assigned.len()).unwrap_or(0));
                    self.joined = true;
                }
                Event::Revoked { partitions, .. } => {
                    self.take_back()?;
                    self.revoked(&partitions);
                }
                Event::Lost(partitions) => self.revoked(&partitions),
                Event::Batch(batch) => self.batch(&batch)?,
                Event::Idle => {
                    if self.finished()? {
                        break;
                    }
                }
            }
            if self.reported.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
                self.reported = Some(Instant::now());
                report_lag(&self.context, &self.session.lag()?);
            }
            if self.joined && self.held.is_none() {
                show_trouble(&*self.session, &self.context.health);
            }
        }
        self.take_back()?;
        self.context.control.done();
        report_lag(&self.context, &self.session.lag()?);
        self.context.health.finished();
        Ok(self.summary)
    }

    fn finished(&mut self) -> Result<bool, DriverError> {
        if self.context.control.phase() != Phase::Drain || self.held.is_some() {
            return Ok(false);
        }
        // Without a partition nothing is known: others may be at work on all of them, or about to give some up.
        let lags = self.session.lag()?;
        Ok(!lags.is_empty() && lags.iter().all(Lag::drained))
    }

    fn revoked(&mut self, partitions: &[u32]) {
        self.attempts.revoked(partitions);
        self.stage.revoked(partitions);
        self.context
            .metrics
            .partitions
            .sub(i64::try_from(partitions.len()).unwrap_or(0));
    }

    fn hold(&mut self, time: Duration, reason: &str) {
        self.session.pause();
        self.held = Some(Instant::now() + time);
        self.context.health.not_ready(reason);
    }

    fn unhold(&mut self) {
        if self.held.is_some_and(|until| until <= Instant::now()) {
            self.held = None;
            self.session.resume();
            self.context.metrics.breaker.set(0);
        }
    }

    fn batch(&mut self, batch: &Batch) -> Result<(), DriverError> {
        let deadline = Instant::now() + self.session.batch_deadline();
        self.context.metrics.batch.observe(batch.messages.len() as f64);
        if !self.announce(batch)? {
            return Ok(());
        }
        let mut rest = batch.messages.as_slice();
        while let Some(first) = rest.first() {
            if Instant::now() > deadline {
                // The bus would take the partitions away; the rest is read again.
                return Ok(self.session.rewind()?);
            }
            let alone = self.attempts.careful(first.partition);
            let length = if alone { 1 } else { self.part_length(rest) };
            let (part, after) = rest.split_at(length);
            rest = after;
            let killer = alone && self.attempts.killer(first.partition);
            if alone && !killer && !self.announce_alone(first)? {
                return Ok(());
            }
            let bytes = part.iter().map(|m| m.size()).sum();
            let waited = self.context.limits.wait(part.len(), bytes, &self.context.control);
            self.context.metrics.limit_wait.inc_by(waited.as_secs_f64());
            // What waits for its limit is not begun, so it may be left to the next run.
            if self.context.control.phase() == Phase::Stop && waited >= LIMITED {
                return Ok(self.session.rewind()?);
            }
            if !self.part(part, killer)? {
                return Ok(());
            }
            if alone {
                self.attempts.survived(first.partition);
            }
        }
        Ok(())
    }

    /// How many of these messages are processed and committed together: up to one that is to be processed alone,
    /// and no more than the limits let pass at once.
    fn part_length(&self, messages: &[Arc<Message>]) -> usize {
        let together = messages
            .iter()
            .take_while(|m| !self.attempts.careful(m.partition));
        let length = self.context.limits.pass_at_once(together.map(|m| m.size()));
        length.max(1)
    }

    /// Commits the attempt of every partition whose first batch of this assignment it is; false if that failed.
    fn announce(&mut self, batch: &Batch) -> Result<bool, DriverError> {
        let counts = self
            .attempts
            .to_announce(batch.messages.iter().map(|m| m.partition));
        self.commit_attempts(counts, Attempts::announced)
    }

    fn announce_alone(&mut self, message: &Message) -> Result<bool, DriverError> {
        let counts = self.attempts.alone(message.partition);
        self.commit_attempts(counts, Attempts::announced)
    }

    /// Takes back what was announced and not finished, now that it is known not to kill the process.
    fn take_back(&mut self) -> Result<bool, DriverError> {
        let counts = self.attempts.to_take_back();
        self.commit_attempts(counts, Attempts::taken_back)
    }

    fn commit_attempts(
        &mut self,
        attempts: BTreeMap<u32, u32>,
        then: fn(&mut Attempts, &BTreeMap<u32, u32>),
    ) -> Result<bool, DriverError> {
        if attempts.is_empty() {
            return Ok(true);
        }
        let transaction = Transaction {
            attempts: attempts.clone(),
            ..Transaction::default()
        };
        let done = self.commit(transaction)?;
        tracing::debug!(?attempts, done, "attempts written");
        if done {
            then(&mut self.attempts, &attempts);
        }
        Ok(done)
    }

    /// Processes and commits messages; false if what follows them must not be processed now.
    fn part(&mut self, messages: &[Arc<Message>], killer: bool) -> Result<bool, DriverError> {
        let begin = Instant::now();
        let in_flight = i64::try_from(messages.len()).unwrap_or(i64::MAX);
        self.context.metrics.in_flight.add(in_flight);
        let outcomes = if killer {
            let detail = "the process died several times while it processed this message".to_owned();
            vec![Outcome::Poison {
                reason: "killed_process",
                detail,
            }]
        } else {
            self.stage.process(messages)
        };
        self.context
            .metrics
            .processing
            .observe(begin.elapsed().as_secs_f64());
        let done = self.commit_outcomes(messages, outcomes);
        self.context.metrics.in_flight.sub(in_flight);
        done
    }

    fn commit_outcomes(
        &mut self,
        messages: &[Arc<Message>],
        outcomes: Vec<Outcome>,
    ) -> Result<bool, DriverError> {
        if outcomes.len() != messages.len() {
            let text = format!("{} messages gave {} outcomes", messages.len(), outcomes.len());
            return Err(crate::session::Fatal::Defect(text).into());
        }
        let mut tally = Tally::default();
        let mut transient = None;
        for (message, outcome) in messages.iter().zip(outcomes) {
            if let Outcome::Transient(reason) = outcome {
                transient = Some(reason);
                break;
            }
            tally.add(message, outcome, &self.context);
        }
        let transaction = Transaction {
            offsets: tally.offsets.clone(),
            outputs: std::mem::take(&mut tally.outputs),
            ..Transaction::default()
        };
        if !tally.offsets.is_empty() {
            if !self.commit(transaction)? {
                return Ok(false);
            }
            self.attempts.committed(tally.offsets.keys());
            tally.count(&self.context, &mut self.summary, &mut self.breaker);
        }
        if let Some(reason) = transient {
            self.context.metrics.retries.inc();
            let wait = self.backoff.next(&self.context, &reason)?;
            tracing::warn!(
                stage = self.context.metrics.stage().name(),
                reason,
                ?wait,
                "cannot go on for the moment"
            );
            self.session.rewind()?;
            if self.take_back()? {
                self.hold(wait, &reason);
            }
            return Ok(false);
        }
        self.backoff.reset();
        self.watch_breaker()
    }

    fn watch_breaker(&mut self) -> Result<bool, DriverError> {
        let Some((dead, seen)) = self.breaker.tripped() else {
            self.breaker.fine();
            return Ok(true);
        };
        let error = DriverError::Breaker {
            stage: self.context.metrics.stage().name(),
            dead,
            seen,
            reason: self.breaker.last_reason.clone(),
        };
        self.session.rewind()?;
        if self.context.control.phase() == Phase::Drain {
            return Err(error);
        }
        let hold = self.breaker.hold();
        tracing::error!(%error, ?hold, "the stage is held");
        self.context.metrics.breaker.set(1);
        self.hold(hold, &error.to_string());
        Ok(false)
    }

    /// Commits; false if the batch is no longer ours to go on with.
    fn commit(&mut self, transaction: Transaction) -> Result<bool, DriverError> {
        let begin = Instant::now();
        let result = self.session.commit(transaction)?;
        let metrics = &self.context.metrics;
        metrics.commit_seconds.observe(begin.elapsed().as_secs_f64());
        match result {
            Commit::Committed => {
                metrics.commit("committed");
                Ok(true)
            }
            Commit::Rewound { reason } => {
                metrics.commit("rewound");
                let wait = self.backoff.next(&self.context, &reason)?;
                tracing::warn!(
                    stage = metrics.stage().name(),
                    reason,
                    ?wait,
                    "a commit failed and is tried again"
                );
                self.hold(wait, &reason);
                Ok(false)
            }
            Commit::Fenced => {
                metrics.commit("fenced");
                tracing::warn!(
                    stage = metrics.stage().name(),
                    "another process owns these partitions now"
                );
                Ok(false)
            }
        }
    }
}

/// What a part of a batch adds up to.
#[derive(Debug, Default)]
struct Tally {
    offsets: BTreeMap<u32, u64>,
    outputs: Vec<Output>,
    messages: u64,
    bytes: u64,
    out: u64,
    out_bytes: u64,
    dropped: Vec<&'static str>,
    /// For each message the reason, if it became a dead letter.
    dead: Vec<Option<&'static str>>,
}

impl Tally {
    fn add(&mut self, message: &Message, outcome: Outcome, context: &SourceContext) {
        self.offsets.insert(message.partition, message.next);
        self.messages += 1;
        self.bytes += message.size() as u64;
        let outcome = within_size(outcome);
        self.dead.push(None);
        match outcome {
            Outcome::Emit(outputs) => {
                self.out += outputs.len() as u64;
                self.out_bytes += outputs.iter().map(|o| o.size() as u64).sum::<u64>();
                self.outputs.extend(outputs);
            }
            Outcome::Drop(reason) => self.dropped.push(reason),
            Outcome::Poison { reason, detail } => {
                self.outputs.push(context.dead.make(message, reason, &detail));
                if let Some(last) = self.dead.last_mut() {
                    *last = Some(reason);
                }
            }
            // Handled before.
            Outcome::Transient(_) => {}
        }
    }

    /// Counts, once it is committed.
    fn count(self, context: &SourceContext, summary: &mut Summary, breaker: &mut Breaker) {
        let metrics = &context.metrics;
        metrics.messages_in.inc_by(self.messages);
        metrics.bytes_in.inc_by(self.bytes);
        metrics.messages_out.inc_by(self.out);
        metrics.bytes_out.inc_by(self.out_bytes);
        summary.messages_in += self.messages;
        summary.messages_out += self.out;
        summary.dropped += self.dropped.len() as u64;
        self.dropped.iter().for_each(|reason| metrics.dropped(reason));
        for dead in self.dead {
            breaker.see(dead);
            if let Some(reason) = dead {
                metrics.dead_lettered(reason);
                summary.dead_letters += 1;
            }
        }
    }
}

/// Says what is wrong with what no bus would carry.
pub(super) fn oversize(topic: &str, size: usize) -> String {
    format!("the message to {topic} would have {size} bytes, the limit is {MAX_MESSAGE_BYTES}")
}

/// Makes poison of what no bus would carry.
pub(super) fn within_size(outcome: Outcome) -> Outcome {
    match &outcome {
        Outcome::Emit(outputs) => match outputs.iter().find(|o| o.size() > MAX_MESSAGE_BYTES) {
            Some(large) => Outcome::Poison {
                reason: "oversize",
                detail: oversize(&large.topic, large.size()),
            },
            None => outcome,
        },
        _ => outcome,
    }
}

pub(super) fn report_lag(context: &SourceContext, lags: &[Lag]) {
    let messages: u64 = lags.iter().map(Lag::messages).sum();
    context
        .metrics
        .lag
        .set(i64::try_from(messages).unwrap_or(i64::MAX));
    let oldest = lags.iter().filter_map(|l| l.oldest).min();
    let age = oldest.map_or(0.0, |at| {
        Timestamp::now().duration_since(at).as_secs_f64().max(0.0)
    });
    context.metrics.lag_seconds.set(age);
}
