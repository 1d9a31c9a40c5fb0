//! Runs a source: state in a compacted topic, work in the background.
//!
//! Everything that the source decides is committed with the offsets of its input, so that a session that lost its
//! partitions cannot write. After a commit that failed the source forgets the partitions and restores them: its
//! memory may be ahead of the bus, and restoring is the one path that is always right.

mod clock;
mod room;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use telex_model::MAX_MESSAGE_BYTES;

use crate::control::Phase;
use crate::message::{Message, Output};
use crate::session::{Commit, Event, Lag, Session, Transaction};

use self::clock::Clock;
use self::room::Room;
use super::stage::{Backoff, LIMITED, REPORT_EVERY, oversize, report_lag, within_size};
use super::transform::poison_of_panic;
use super::{DriverError, Outcome, SourceContext, Summary, show_trouble};

/// Longest wait for anything.
const WAIT: Duration = Duration::from_millis(500);

/// Finished work waits so long for more, to be committed together: at most 40 transactions a second.
const LINGER: Duration = Duration::from_millis(25);

/// Bytes of outputs that are committed without waiting for more.
const COMMIT_BYTES: usize = 16 << 20;

/// Outputs that are committed without waiting for more.
const COMMIT_OUTPUTS: usize = 500;

/// Percent of a bus with a cap that a source leaves free, unless it says otherwise.
const KEEPS_FREE: u8 = 10;

/// Work that is done, to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedWork {
    /// Partition of the input that it belongs to.
    pub partition: u32,
    /// What follows from it.
    pub outputs: Vec<Output>,
}

/// A stage with state and work of its own.
pub trait Source {
    /// Full names of the compacted topics, co-partitioned with the input, that are read on assignment, in order.
    fn restored_from(&self) -> Vec<String>;

    /// Takes in a record of such a topic.
    fn restore(&mut self, topic: &str, message: &Message);

    /// Learns that everything of a partition is restored.
    fn assigned(&mut self, partition: u32);

    /// Forgets partitions; work begun for them must not come out of [`Source::finished`] any more.
    fn revoked(&mut self, partitions: &[u32]);

    /// Takes in a message of the input.
    fn ingest(&mut self, message: &Message) -> Outcome;

    /// Begins what is due; gives the time when it wants to be asked again. Whoever finishes work in the background
    /// wakes the session.
    fn start(&mut self, now: Instant) -> Option<Instant>;

    /// Gives the work finished since the last call.
    fn finished(&mut self) -> Vec<FinishedWork>;

    /// Tells whether nothing is under way or due, so that a drained source may end.
    fn idle(&self) -> bool;

    /// Tells whether it can hold no more: input waits on the bus until it can.
    fn full(&self) -> bool {
        false
    }

    /// Learns that the machine's clock was set by so much: what is to be done at a time is to be looked at anew.
    fn clock_was_set(&mut self, _by: SignedDuration) {}

    /// Percent of a bus with a cap that this source leaves free for those that work off what it brings in. The
    /// further up in the flow, the more: else a poller could fill the room that the fetcher needs to go on.
    fn keeps_free(&self) -> u8 {
        KEEPS_FREE
    }
}

/// Runs a source on a session until it is told to finish.
///
/// # Errors
/// Where the session is of no more use.
pub fn run_source(
    mut session: Box<dyn Session>,
    source: &mut dyn Source,
    context: SourceContext,
) -> Result<Summary, DriverError> {
    context.control.on_change(session.waker());
    session.report_to(context.health.clone());
    let driver = Driver {
        session,
        source,
        context,
        owned: BTreeMap::new(),
        forgotten: BTreeSet::new(),
        input: VecDeque::new(),
        pending: Pending::default(),
        backoff: Backoff::default(),
        held: None,
        room: Room::default(),
        clock: Clock::new(),
        paused: false,
        joined: false,
        reported: None,
        summary: Summary::default(),
    };
    driver.run()
}

struct Driver<'a> {
    session: Box<dyn Session>,
    source: &'a mut dyn Source,
    context: SourceContext,
    /// Next offset of every owned partition, as processed so far.
    owned: BTreeMap<u32, u64>,
    /// Partitions whose state was forgotten after a failed commit.
    forgotten: BTreeSet<u32>,
    /// Read and not yet taken in: it waits for its rate, or for room.
    input: VecDeque<Arc<Message>>,
    pending: Pending,
    backoff: Backoff,
    held: Option<Instant>,
    room: Room,
    clock: Clock,
    paused: bool,
    /// Partitions were assigned, or known to be none.
    joined: bool,
    reported: Option<Instant>,
    summary: Summary,
}

/// What waits for its commit.
#[derive(Debug, Default)]
struct Pending {
    since: Option<Instant>,
    partitions: BTreeSet<u32>,
    outputs: Vec<Output>,
    bytes: usize,
    messages_in: u64,
    bytes_in: u64,
    messages_out: u64,
    dropped: Vec<&'static str>,
    dead: Vec<&'static str>,
}

impl Pending {
    fn push(&mut self, partition: u32, outputs: Vec<Output>) {
        self.since.get_or_insert_with(Instant::now);
        self.partitions.insert(partition);
        self.bytes += outputs.iter().map(Output::size).sum::<usize>();
        self.outputs.extend(outputs);
    }

    fn due(&self) -> bool {
        self.bytes >= COMMIT_BYTES
            || self.outputs.len() >= COMMIT_OUTPUTS
            || self.since.is_some_and(|at| at.elapsed() >= LINGER)
    }
}

impl Driver<'_> {
    fn run(mut self) -> Result<Summary, DriverError> {
        let mut next_start = None;
        loop {
            self.context.health.alive();
            let phase = self.context.control.phase();
            if phase == Phase::Stop {
                break;
            }
            self.unhold()?;
            self.look_for_room()?;
            self.pause_or_resume();
            let event = self.session.next(self.wait(next_start))?;
            let idle = matches!(event, Event::Idle);
            self.handle(event)?;
            self.take_in();
            if let Some(by) = self.clock.jumped() {
                tracing::warn!(seconds = by.as_secs(), "the clock of this machine was set");
                self.source.clock_was_set(by);
            }
            if self.held.is_none() && !self.room.short() {
                next_start = self.source.start(Instant::now());
            }
            self.collect();
            if self.pending.due() || (phase == Phase::Drain && self.source.idle()) {
                self.commit()?;
            }
            if idle && phase == Phase::Drain && self.drained()? {
                break;
            }
            if self.reported.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
                self.reported = Some(Instant::now());
                report_lag(&self.context, &self.session.lag()?);
            }
            if self.joined && self.held.is_none() && !self.room.short() {
                show_trouble(&*self.session, &self.context.health);
            }
        }
        self.collect();
        self.commit()?;
        self.context.control.done();
        report_lag(&self.context, &self.session.lag()?);
        self.context.health.finished();
        Ok(self.summary)
    }

    fn handle(&mut self, event: Event) -> Result<(), DriverError> {
        match event {
            Event::Assigned(assigned) => {
                for a in &assigned {
                    self.restore(a.partition, a.committed)?;
                }
                self.joined = true;
            }
            Event::Revoked { partitions, .. } => {
                self.commit()?;
                self.forget(&partitions);
            }
            Event::Lost(partitions) => self.forget(&partitions),
            Event::Batch(batch) => {
                self.context.metrics.batch.observe(batch.messages.len() as f64);
                self.input.extend(batch.messages);
            }
            Event::Idle => {}
        }
        Ok(())
    }

    /// Begins nothing new while the bus has no room for what would follow from it.
    fn look_for_room(&mut self) -> Result<(), DriverError> {
        let keep_free = self.source.keeps_free();
        self.room.look(self.session.as_mut(), keep_free, &self.context)
    }

    fn pause_or_resume(&mut self) {
        let pause = self.held.is_some() || self.room.short() || self.source.full() || !self.input.is_empty();
        if pause == self.paused {
            return;
        }
        self.paused = pause;
        if pause {
            self.session.pause();
        } else {
            self.session.resume();
        }
    }

    fn may_take_in(&self) -> bool {
        self.held.is_none() && !self.room.short() && !self.source.full() && !self.input.is_empty()
    }

    /// Takes in what its rate lets through within a second, so that nothing else waits longer for it.
    fn take_in(&mut self) {
        if !self.may_take_in() {
            return;
        }
        let limits = &self.context.limits;
        let length = limits.pass_at_once(self.input.iter().map(|m| m.size()));
        let bytes = self.input.iter().take(length).map(|m| m.size()).sum();
        let waited = limits.wait(length, bytes, &self.context.control);
        self.context.metrics.limit_wait.inc_by(waited.as_secs_f64());
        // What waits for its limit is not begun, so it may be left to the next run.
        if self.context.control.phase() == Phase::Stop && waited >= LIMITED {
            return;
        }
        let begin = Instant::now();
        for _ in 0..length {
            if let Some(message) = self.input.pop_front() {
                self.ingest(&message);
            }
        }
        self.context
            .metrics
            .processing
            .observe(begin.elapsed().as_secs_f64());
    }

    fn wait(&self, next_start: Option<Instant>) -> Duration {
        if self.may_take_in() {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let linger = self.pending.since.map(|at| at + LINGER);
        let due = match self.held {
            Some(until) => Some(until),
            None => self.room.look_at().or(next_start),
        };
        [due, linger]
            .into_iter()
            .flatten()
            .map(|at| at.saturating_duration_since(now))
            .fold(WAIT, Duration::min)
    }

    fn drained(&mut self) -> Result<bool, DriverError> {
        if self.held.is_some() || self.room.short() || self.owned.is_empty() || !self.source.idle() {
            return Ok(false);
        }
        let full = self.source.full();
        if !full && !self.input.is_empty() {
            return Ok(false);
        }
        self.collect();
        self.commit()?;
        if self.held.is_some() || !self.source.idle() {
            return Ok(false);
        }
        if full {
            tracing::warn!(
                stage = self.context.metrics.stage().name(),
                "no more can be held: all that waits is not due yet; the rest of the input is left to the next run"
            );
            return Ok(true);
        }
        Ok(self.session.lag()?.iter().all(Lag::drained))
    }

    fn restore(&mut self, partition: u32, committed: u64) -> Result<(), DriverError> {
        for topic in self.source.restored_from() {
            let source = &mut self.source;
            self.session
                .restore(&topic, partition, &mut |message| source.restore(&topic, &message))?;
        }
        self.owned.insert(partition, committed);
        self.source.assigned(partition);
        self.context
            .metrics
            .partitions
            .set(i64::try_from(self.owned.len()).unwrap_or(i64::MAX));
        Ok(())
    }

    fn forget(&mut self, partitions: &[u32]) {
        self.source.revoked(partitions);
        self.owned.retain(|p, _| !partitions.contains(p));
        self.forgotten.retain(|p| !partitions.contains(p));
        self.input.retain(|m| !partitions.contains(&m.partition));
        self.context
            .metrics
            .partitions
            .set(i64::try_from(self.owned.len()).unwrap_or(i64::MAX));
    }

    fn ingest(&mut self, message: &Message) {
        if !self.owned.contains_key(&message.partition) {
            return;
        }
        self.pending.messages_in += 1;
        self.pending.bytes_in += message.size() as u64;
        let outputs = match within_size(poison_of_panic(|| self.source.ingest(message))) {
            Outcome::Emit(outputs) => {
                self.pending.messages_out += outputs.len() as u64;
                outputs
            }
            Outcome::Drop(reason) => {
                self.pending.dropped.push(reason);
                Vec::new()
            }
            Outcome::Poison { reason, detail } => {
                self.pending.dead.push(reason);
                vec![self.context.dead.make(message, reason, &detail)]
            }
            // Nothing that a source takes in depends on anybody else.
            Outcome::Transient(reason) => {
                tracing::error!(reason, "a source cannot put off its input");
                Vec::new()
            }
        };
        self.owned.insert(message.partition, message.next);
        self.pending.push(message.partition, outputs);
    }

    fn collect(&mut self) {
        for work in self.source.finished() {
            if self.owned.contains_key(&work.partition) {
                self.pending.messages_out += work.outputs.len() as u64;
                let outputs = work
                    .outputs
                    .into_iter()
                    .map(|output| self.carried(work.partition, output))
                    .collect();
                self.pending.push(work.partition, outputs);
            }
        }
    }

    /// Makes a dead letter of finished work that no bus would carry.
    fn carried(&mut self, partition: u32, output: Output) -> Output {
        let size = output.size();
        if size <= MAX_MESSAGE_BYTES {
            return output;
        }
        let next = self.owned.get(&partition).copied().unwrap_or_default();
        let message = Message {
            partition,
            offset: next.saturating_sub(1),
            next,
            timestamp: Timestamp::now(),
            key: output.key,
            value: output.value,
            headers: output.headers,
        };
        self.pending.messages_out -= 1;
        self.pending.dead.push("oversize");
        self.context
            .dead
            .make(&message, "oversize", &oversize(&output.topic, size))
    }

    fn commit(&mut self) -> Result<(), DriverError> {
        if self.pending.partitions.is_empty() {
            return Ok(());
        }
        let mut pending = std::mem::take(&mut self.pending);
        let offsets = pending
            .partitions
            .iter()
            .filter_map(|p| Some((*p, *self.owned.get(p)?)))
            .collect();
        let begin = Instant::now();
        let outputs = std::mem::take(&mut pending.outputs);
        let result = self.session.commit(Transaction {
            offsets,
            outputs,
            ..Transaction::default()
        })?;
        let metrics = &self.context.metrics;
        metrics.commit_seconds.observe(begin.elapsed().as_secs_f64());
        match result {
            Commit::Committed => {
                metrics.commit("committed");
                self.backoff.reset();
                self.count(pending);
            }
            Commit::Rewound { reason } => {
                metrics.commit("rewound");
                metrics.retries.inc();
                let wait = self.backoff.next(&self.context, &reason)?;
                tracing::warn!(
                    stage = metrics.stage().name(),
                    reason,
                    ?wait,
                    "a commit failed; the state is restored"
                );
                self.context.health.not_ready(reason);
                let owned: Vec<u32> = std::mem::take(&mut self.owned).into_keys().collect();
                self.source.revoked(&owned);
                self.forgotten.extend(owned);
                self.input.clear();
                self.held = Some(Instant::now() + wait);
            }
            Commit::Fenced => {
                metrics.commit("fenced");
                tracing::warn!(
                    stage = metrics.stage().name(),
                    "another process owns these partitions now"
                );
                let owned: Vec<u32> = self.owned.keys().copied().collect();
                self.forget(&owned);
            }
        }
        Ok(())
    }

    /// Goes on after a failed commit, from what the bus holds.
    fn unhold(&mut self) -> Result<(), DriverError> {
        if self.held.is_none_or(|until| until > Instant::now()) {
            return Ok(());
        }
        self.held = None;
        for lag in self.session.lag()? {
            if self.forgotten.remove(&lag.partition) {
                self.restore(lag.partition, lag.committed)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, pending: Pending) {
        let metrics = &self.context.metrics;
        metrics.messages_in.inc_by(pending.messages_in);
        metrics.bytes_in.inc_by(pending.bytes_in);
        metrics.messages_out.inc_by(pending.messages_out);
        metrics.bytes_out.inc_by(pending.bytes as u64);
        pending.dropped.iter().for_each(|reason| metrics.dropped(reason));
        pending
            .dead
            .iter()
            .for_each(|reason| metrics.dead_lettered(reason));
        self.summary.messages_in += pending.messages_in;
        self.summary.messages_out += pending.messages_out;
        self.summary.dropped += pending.dropped.len() as u64;
        self.summary.dead_letters += pending.dead.len() as u64;
    }
}
