//! The one thread that writes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use telex_model::event::Headers;

use crate::bus::BusError;
use crate::message::{Message, Output};

use super::error::{may_pass, unusable};
use super::schema::{PLAIN, ZSTD, offset_of, row_id, unsigned};
use super::{Shared, TopicInfo, maintain};

/// Values from this size on are compressed: below it a page of the file is not filled anyway.
const COMPRESS_FROM: usize = 4 << 10;

/// Zstandard's level 1: pages shrink to a fifth at some 400 MB/s.
const LEVEL: i32 = 1;

/// Jobs that may wait for the writer; further ones wait for room. More than all stages of a process at once.
const QUEUE: usize = 64;

/// Bytes of records after which a shared transaction takes no further job: two full batches of pages.
const SHARED_BYTES: usize = 32 << 20;

/// Time between two looks for records that are no longer kept.
const MAINTAIN_EVERY: Duration = Duration::from_secs(30);

/// A record ready to be written.
#[derive(Debug)]
pub(super) struct Prepared {
    part: i64,
    number: u32,
    compact: bool,
    key: Bytes,
    headers: Headers,
    headers_json: String,
    value: Option<Bytes>,
    /// What goes into the file, where that is not the value itself.
    compressed: Option<Vec<u8>>,
}

/// The offsets of a session's transaction.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) epoch: i64,
    /// Partition row id, next offset, attempts.
    pub(super) offsets: Vec<(i64, u64, u32)>,
}

type Other = Box<dyn FnOnce(&Connection) -> rusqlite::Result<()> + Send>;

/// What the writer is asked to do.
pub(super) struct Job {
    progress: Option<Progress>,
    records: Vec<Prepared>,
    other: Option<Other>,
    /// Old records are to be deleted after it.
    makes_room: bool,
}

/// What came of a job.
#[derive(Debug)]
pub(super) enum Written {
    Done,
    /// The session's slot belongs to another session.
    Fenced,
    /// Nothing was written; it may be tried again.
    Failed(String),
    /// Nothing was written, and nothing will be.
    Unusable(BusError),
}

impl Job {
    pub(super) fn append(records: Vec<Prepared>) -> Self {
        Self {
            progress: None,
            records,
            other: None,
            makes_room: false,
        }
    }

    pub(super) fn commit(progress: Progress, records: Vec<Prepared>) -> Self {
        Self {
            progress: Some(progress),
            records,
            other: None,
            makes_room: false,
        }
    }

    pub(super) fn other(run: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static) -> Self {
        Self {
            progress: None,
            records: Vec::new(),
            other: Some(Box::new(run)),
            makes_room: false,
        }
    }

    fn make_room() -> Self {
        Self {
            makes_room: true,
            ..Self::other(|_| Ok(()))
        }
    }

    fn bytes(&self) -> usize {
        self.records
            .iter()
            .map(|r| r.value.as_ref().map_or(0, Bytes::len))
            .sum()
    }
}

/// Serialises headers, finds partitions and compresses, on the caller's thread.
pub(super) fn prepare(
    outputs: Vec<Output>,
    topic: &dyn Fn(&str) -> Result<Arc<TopicInfo>, BusError>,
) -> Result<Vec<Prepared>, BusError> {
    let mut compressor: Option<zstd::bulk::Compressor<'_>> = None;
    let mut prepared = Vec::with_capacity(outputs.len());
    for output in outputs {
        let info = topic(&output.topic)?;
        let size = output.size();
        if size > info.max_message_bytes {
            return Err(BusError::Oversize {
                topic: output.topic,
                size,
                limit: info.max_message_bytes,
            });
        }
        let number = output.partition(u32::try_from(info.partitions.len()).unwrap_or(u32::MAX));
        let mut compressed = None;
        if let Some(value) = output.value.as_ref().filter(|v| v.len() >= COMPRESS_FROM) {
            if compressor.is_none() {
                compressor = zstd::bulk::Compressor::new(LEVEL).ok();
            }
            // A value that cannot be compressed is stored as it is.
            compressed = compressor.as_mut().and_then(|c| c.compress(value).ok());
        }
        prepared.push(Prepared {
            part: info.part(number)?,
            number,
            compact: info.compact,
            key: output.key,
            headers_json: serde_json::to_string(&output.headers).unwrap_or_else(|_| "[]".to_owned()),
            headers: output.headers,
            value: output.value,
            compressed,
        });
    }
    Ok(prepared)
}

type Request = (Job, SyncSender<Written>);

/// The writer's thread; dropping it waits for what it was asked to do.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
    /// The runner's role, where this process has it: given back after the last write.
    _role: Option<File>,
}

impl Writer {
    pub(super) fn start(
        sql: Connection,
        path: PathBuf,
        max_bytes: u64,
        shared: Arc<Shared>,
        role: Option<File>,
    ) -> Result<Self, BusError> {
        let (sender, receiver) = sync_channel(QUEUE);
        let state = State {
            sql,
            path,
            max_bytes,
            shared,
            maintains: role.is_some(),
            full: false,
        };
        let thread = std::thread::Builder::new()
            .name("bus-writer".to_owned())
            .spawn(move || state.run(&receiver));
        let thread = thread.map_err(|e| BusError::Unusable {
            what: format!("no thread for the writer: {e}"),
            hint: "check the limit of processes".to_owned(),
        })?;
        Ok(Self {
            jobs: Some(sender),
            thread: Some(thread),
            _role: role,
        })
    }

    /// Has a job done and waits for it.
    pub(super) fn ask(&self, job: Job) -> Written {
        let (reply, result) = sync_channel(1);
        let sent = self
            .jobs
            .as_ref()
            .is_some_and(|jobs| jobs.send((job, reply)).is_ok());
        let answer = if sent { result.recv().ok() } else { None };
        answer.unwrap_or_else(|| {
            Written::Unusable(BusError::Unusable {
                what: "the writer of the embedded bus has ended".to_owned(),
                hint: "see the log".to_owned(),
            })
        })
    }

    /// Has what every group has read deleted before its time, where room is short; waits for nothing.
    pub(super) fn make_room(&self) {
        let (reply, _) = sync_channel(1);
        if let Some(jobs) = &self.jobs {
            // With the queue full the writer is at work for somebody else, and this is asked again.
            drop(jobs.try_send((Job::make_room(), reply)));
        }
    }

    /// Has a job done that is no session's.
    pub(super) fn run(&self, job: Job) -> Result<(), BusError> {
        match self.ask(job) {
            Written::Done => Ok(()),
            Written::Failed(reason) => Err(BusError::Full(reason)),
            Written::Unusable(error) => Err(error),
            Written::Fenced => Err(BusError::InUse("the slot belongs to another session".to_owned())),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the bus writer panicked");
        }
    }
}

struct State {
    sql: Connection,
    path: PathBuf,
    max_bytes: u64,
    shared: Arc<Shared>,
    maintains: bool,
    /// A transaction has found no room, or a session waits for some.
    full: bool,
}

type Committed = Vec<(i64, u64, Vec<Arc<Message>>)>;

impl State {
    fn run(mut self, jobs: &Receiver<Request>) {
        let mut maintained = Instant::now();
        loop {
            let due = MAINTAIN_EVERY.saturating_sub(maintained.elapsed());
            match jobs.recv_timeout(due) {
                Ok(first) => self.serve(first, jobs),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // Where there is no room, what need not be kept makes some.
            if std::mem::take(&mut self.full) || maintained.elapsed() >= MAINTAIN_EVERY {
                maintained = Instant::now();
                if self.maintains {
                    self.maintain(jobs);
                }
            }
        }
    }

    /// Deletes what is no longer kept, one pass between two jobs.
    fn maintain(&mut self, jobs: &Receiver<Request>) {
        loop {
            let pass = |sql: &mut Connection, max_bytes| -> rusqlite::Result<usize> {
                let tx = sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let deleted = maintain::pass(&tx, Timestamp::now(), max_bytes)?;
                tx.commit()?;
                Ok(deleted)
            };
            match pass(&mut self.sql, self.max_bytes) {
                Ok(0) => return,
                Ok(deleted) => tracing::debug!(deleted, "old records deleted"),
                Err(error) => {
                    tracing::warn!(%error, "old records could not be deleted");
                    return;
                }
            }
            match jobs.try_recv() {
                Ok(job) => self.serve(job, jobs),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }

    /// Does the first job and what waits behind it, in one transaction.
    fn serve(&mut self, first: Request, jobs: &Receiver<Request>) {
        let mut batch = vec![first];
        let mut bytes = batch.iter().map(|(job, _)| job.bytes()).sum::<usize>();
        while bytes < SHARED_BYTES {
            let Ok(next) = jobs.try_recv() else { break };
            bytes += next.0.bytes();
            batch.push(next);
        }
        let (batch, replies): (Vec<Job>, Vec<_>) = batch.into_iter().unzip();
        self.full |= batch.iter().any(|job| job.makes_room);
        let results = match self.transact(batch) {
            Ok((results, committed)) => {
                self.shared.tail.publish(committed);
                results
            }
            Err(error) => {
                tracing::warn!(%error, "a transaction of the embedded bus failed");
                self.full |= error.sqlite_error_code() == Some(ErrorCode::DiskFull);
                replies.iter().map(|_| self.failed(&error)).collect()
            }
        };
        for (reply, result) in replies.into_iter().zip(results) {
            // A session that has gone needs no answer.
            drop(reply.send(result));
        }
    }

    fn failed(&self, error: &rusqlite::Error) -> Written {
        match unusable(&self.path, error) {
            BusError::Full(reason) => Written::Failed(reason),
            other if may_pass(error) => Written::Failed(other.to_string()),
            other => Written::Unusable(other),
        }
    }

    /// Fails where a test has asked for it and a session's transaction is among the jobs.
    fn fail_on_demand(&self, jobs: &[Job]) -> rusqlite::Result<()> {
        if jobs.iter().any(|job| job.progress.is_some())
            && self.shared.fail_next.swap(false, Ordering::AcqRel)
        {
            let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
            return Err(rusqlite::Error::SqliteFailure(full, Some("asked for".to_owned())));
        }
        Ok(())
    }

    fn transact(&mut self, jobs: Vec<Job>) -> rusqlite::Result<(Vec<Written>, Committed)> {
        self.fail_on_demand(&jobs)?;
        let tx = self
            .sql
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = Timestamp::now();
        let mut ends: BTreeMap<i64, (u64, u64, Vec<Arc<Message>>)> = BTreeMap::new();
        let mut results = Vec::with_capacity(jobs.len());
        for job in jobs {
            if let Some(progress) = &job.progress
                && !advance(&tx, progress)?
            {
                results.push(Written::Fenced);
                continue;
            }
            if let Some(run) = job.other {
                run(&tx)?;
            }
            for record in job.records {
                let end = match ends.entry(record.part) {
                    std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        let next = unsigned(
                            tx.prepare_cached("SELECT next FROM partition WHERE id = ?1")?
                                .query_row([record.part], |r| r.get(0))?,
                        );
                        entry.insert((next, next, Vec::new()))
                    }
                };
                let offset = end.1;
                insert(&tx, &record, offset, now)?;
                end.1 += 1;
                end.2.push(Arc::new(Message {
                    partition: record.number,
                    offset,
                    next: offset + 1,
                    timestamp: Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now),
                    key: record.key,
                    value: record.value,
                    headers: record.headers,
                }));
            }
            results.push(Written::Done);
        }
        for (part, (_, next, _)) in &ends {
            let next = i64::try_from(*next).unwrap_or(i64::MAX);
            tx.prepare_cached("UPDATE partition SET next = ?2 WHERE id = ?1")?
                .execute([*part, next])?;
        }
        tx.commit()?;
        Ok((
            results,
            ends.into_iter()
                .map(|(part, (first, _, messages))| (part, first, messages))
                .collect(),
        ))
    }
}

/// Moves a group's offsets, unless another session owns its slot.
fn advance(tx: &Connection, progress: &Progress) -> rusqlite::Result<bool> {
    let epoch: Option<i64> = tx
        .prepare_cached("SELECT epoch FROM slot WHERE grp = ?1 AND topic = ?2")?
        .query_row(params![progress.group, progress.topic], |row| row.get(0))
        .optional()?;
    if epoch != Some(progress.epoch) {
        return Ok(false);
    }
    let mut statement = tx.prepare_cached(
        "INSERT INTO committed(grp, part, next, attempts) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET next = excluded.next, attempts = excluded.attempts",
    )?;
    for (part, next, attempts) in &progress.offsets {
        statement.execute(params![
            progress.group,
            part,
            i64::try_from(*next).unwrap_or(i64::MAX),
            attempts
        ])?;
    }
    Ok(true)
}

fn insert(tx: &Connection, record: &Prepared, offset: u64, now: Timestamp) -> rusqlite::Result<()> {
    let id = row_id(record.part, offset);
    let (codec, value) = match &record.compressed {
        Some(bytes) => (ZSTD, Some(bytes.as_slice())),
        None => (PLAIN, record.value.as_deref()),
    };
    tx.prepare_cached(
        "INSERT INTO record(id, ts, key, headers, codec, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        id,
        now.as_millisecond(),
        &record.key[..],
        record.headers_json,
        codec,
        value
    ])?;
    if record.compact {
        let older: Option<i64> = tx
            .prepare_cached("SELECT id FROM newest WHERE part = ?1 AND key = ?2")?
            .query_row(params![record.part, &record.key[..]], |row| row.get(0))
            .optional()?;
        if let Some(older) = older {
            debug_assert!(offset_of(older) < offset);
            tx.prepare_cached("DELETE FROM record WHERE id = ?1")?
                .execute([older])?;
        }
        tx.prepare_cached("INSERT INTO newest(part, key, id) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET id = excluded.id")?
            .execute(params![record.part, &record.key[..], id])?;
    }
    Ok(())
}
