//! A session on the embedded bus.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::bus::BusError;
use crate::message::Message;
use crate::session::{
    Assignment, Batch, Commit, Event, Fatal, Lag, Session, SessionConfig, Shortage, Transaction, Waker,
};

use super::error::unusable;
use super::schema::{self, row_id, unsigned};
use super::tail::Known;
use super::writer::{self, Job, Progress, Writer, Written};
use super::{Shared, TopicInfo};

/// How often a waiting session looks for what other processes have appended.
const LOOK_EVERY: Duration = Duration::from_millis(200);

static SESSIONS: AtomicU64 = AtomicU64::new(0);

pub(super) struct SqliteSession {
    id: u64,
    config: SessionConfig,
    topic: Arc<TopicInfo>,
    epoch: i64,
    sql: Connection,
    path: PathBuf,
    max_bytes: u64,
    shared: Arc<Shared>,
    writer: Arc<Writer>,
    parts: Vec<Part>,
    /// Partition to begin the next batch with, so that none starves.
    turn: usize,
    /// What is still to be reported, before any batch.
    assigned: Option<Vec<Assignment>>,
    paused: bool,
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Part {
    id: i64,
    number: u32,
    position: u64,
    /// Next offset after the last message handed out.
    delivered: u64,
    committed: u64,
    /// End as last seen in the file.
    end: u64,
}

impl SqliteSession {
    pub(super) fn open(
        config: SessionConfig,
        topic: Arc<TopicInfo>,
        sql: Connection,
        path: PathBuf,
        max_bytes: u64,
        shared: Arc<Shared>,
        writer: Arc<Writer>,
    ) -> Result<Self, BusError> {
        shared.tail.want(&topic.partitions);
        let taken = Arc::new(Mutex::new(0));
        let (group, name, out) = (config.group.clone(), topic.name.clone(), Arc::clone(&taken));
        let take = Job::other(move |sql| {
            let epoch = sql.query_row(
                "INSERT INTO slot(grp, topic, epoch) VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
                params![group, name],
                |row| row.get(0),
            )?;
            *out.lock().unwrap_or_else(PoisonError::into_inner) = epoch;
            Ok(())
        });
        match writer.ask(take) {
            Written::Done | Written::Fenced => {}
            Written::Failed(reason) => return Err(BusError::Full(reason)),
            Written::Unusable(error) => return Err(error),
        }
        let epoch = *taken.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || -> rusqlite::Result<(Vec<Part>, Vec<Assignment>)> {
            let committed = schema::committed(&sql, &config.group, &topic)?;
            let mut parts = Vec::new();
            let mut assigned = Vec::new();
            for (ends, id) in schema::ends(&sql, &topic)?.into_iter().zip(&topic.partitions) {
                let found = committed.iter().find(|(p, _, _)| *p == ends.partition);
                let (next, attempts) =
                    found.map_or((ends.first, 0), |(_, next, attempts)| (*next, *attempts));
                parts.push(Part {
                    id: *id,
                    number: ends.partition,
                    position: next,
                    delivered: next,
                    committed: next,
                    end: ends.end,
                });
                assigned.push(Assignment {
                    partition: ends.partition,
                    committed: next,
                    attempts,
                });
            }
            Ok((parts, assigned))
        };
        let (parts, assigned) = read().map_err(|e| unusable(&path, &e))?;
        Ok(Self {
            id: SESSIONS.fetch_add(1, Ordering::Relaxed),
            config,
            topic,
            epoch,
            sql,
            path,
            max_bytes,
            shared,
            writer,
            parts,
            turn: 0,
            assigned: Some(assigned),
            paused: false,
            looked: None,
        })
    }

    fn fatal(&self, error: &rusqlite::Error) -> Fatal {
        unusable(&self.path, error).into()
    }

    /// Gathers what there is, a share from each partition in turn.
    fn gather(&mut self) -> Result<Batch, Fatal> {
        let mut messages = Vec::new();
        let mut bytes = 0;
        let count = self.parts.len();
        for i in 0..count {
            let limit = self.config.max_batch_messages.saturating_sub(messages.len());
            let room = self.config.max_batch_bytes.saturating_sub(bytes);
            if limit == 0 || (room == 0 && !messages.is_empty()) {
                break;
            }
            let index = (self.turn + i) % count;
            let read = self.read_part(index, limit, room)?;
            bytes += read.iter().map(|m| m.size()).sum::<usize>();
            messages.extend(read);
        }
        self.turn = if count == 0 { 0 } else { (self.turn + 1) % count };
        Ok(Batch { messages })
    }

    fn read_part(&mut self, index: usize, limit: usize, bytes: usize) -> Result<Vec<Arc<Message>>, Fatal> {
        let Some(part) = self.parts.get_mut(index) else {
            return Ok(Vec::new());
        };
        let mut read = match self.shared.tail.read(part.id, part.position, limit, bytes) {
            Known::Here(messages) => messages,
            Known::Ask => Vec::new(),
        };
        if read.is_empty() && part.position < part.end {
            let found = schema::read(&self.sql, part.id, part.number, part.position, limit, bytes);
            let found = found.map_err(|e| unusable(&self.path, &e))?;
            if found.is_empty() {
                // Compaction or retention has taken the rest.
                part.position = part.end;
            }
            read = found.into_iter().map(Arc::new).collect();
        }
        if let Some(last) = read.last() {
            part.position = last.next;
            part.delivered = last.next;
            part.end = part.end.max(last.next);
        }
        Ok(read)
    }

    /// Looks in the file for what other processes have appended, and for a session that took the slot over.
    fn look(&mut self) -> Result<(), Fatal> {
        if self.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        self.refresh_ends()?;
        let owner: Option<i64> = self
            .sql
            .query_row(
                "SELECT epoch FROM slot WHERE grp = ?1 AND topic = ?2",
                params![self.config.group, self.topic.name],
                |r| r.get(0),
            )
            .optional()
            .map_err(|e| self.fatal(&e))?;
        if owner == Some(self.epoch) {
            return Ok(());
        }
        Err(Fatal::Bus {
            what: format!(
                "another session took over group {} on {}",
                self.config.group, self.topic.name
            ),
            hint: "run one process per data directory".to_owned(),
        })
    }

    fn refresh_ends(&mut self) -> Result<(), Fatal> {
        let ends = schema::ends(&self.sql, &self.topic).map_err(|e| self.fatal(&e))?;
        for (part, ends) in self.parts.iter_mut().zip(ends) {
            part.end = ends.end;
            part.position = part.position.max(ends.first);
        }
        Ok(())
    }

    fn progress(&self, transaction: &Transaction) -> Result<Progress, Fatal> {
        let mut offsets: BTreeMap<u32, (u64, u32)> = transaction
            .offsets
            .iter()
            .map(|(partition, next)| (*partition, (*next, 0)))
            .collect();
        for (partition, attempts) in &transaction.attempts {
            let committed = self.part(*partition).map(|p| p.committed).unwrap_or_default();
            offsets.entry(*partition).or_insert((committed, 0)).1 = *attempts;
        }
        let mut rows = Vec::with_capacity(offsets.len());
        for (partition, (next, attempts)) in offsets {
            let part = self.part(partition).ok_or_else(|| {
                Fatal::Defect(format!("commit of partition {partition}, which is not owned"))
            })?;
            rows.push((part.id, next, attempts));
        }
        Ok(Progress {
            group: self.config.group.clone(),
            topic: self.topic.name.clone(),
            epoch: self.epoch,
            offsets: rows,
        })
    }

    fn part(&self, number: u32) -> Option<&Part> {
        self.parts.iter().find(|p| p.number == number)
    }

    /// A topic by name, from what the bus has seen or from the file.
    fn topic(&self, name: &str) -> Result<Arc<TopicInfo>, BusError> {
        let mut topics = self.shared.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = topics.get(name) {
            return Ok(Arc::clone(found));
        }
        let found = schema::topic(&self.sql, name).map_err(|e| unusable(&self.path, &e))?;
        let info = Arc::new(found.ok_or_else(|| BusError::NoTopic(name.to_owned()))?);
        topics.insert(name.to_owned(), Arc::clone(&info));
        Ok(info)
    }
}

impl Session for SqliteSession {
    fn next(&mut self, wait: Duration) -> Result<Event, Fatal> {
        if let Some(assigned) = self.assigned.take() {
            return Ok(Event::Assigned(assigned));
        }
        let until = Instant::now() + wait;
        let mut seen = self.shared.tail.commits();
        loop {
            self.look()?;
            if !self.paused {
                let batch = self.gather()?;
                if !batch.messages.is_empty() {
                    return Ok(Event::Batch(batch));
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            let (commits, woken) = self.shared.tail.wait(self.id, seen, left.min(LOOK_EVERY));
            if woken || until <= Instant::now() {
                return Ok(Event::Idle);
            }
            seen = commits;
        }
    }

    fn commit(&mut self, transaction: Transaction) -> Result<Commit, Fatal> {
        let progress = self.progress(&transaction)?;
        let offsets = transaction.offsets;
        let records = match writer::prepare(transaction.outputs, &|name| self.topic(name)) {
            Ok(records) => records,
            Err(BusError::Oversize { topic, size, limit }) => {
                return Err(Fatal::Defect(format!(
                    "a message of {size} bytes to {topic} exceeds {limit} bytes"
                )));
            }
            Err(other) => return Err(other.into()),
        };
        match self.writer.ask(Job::commit(progress, records)) {
            Written::Done => {
                for part in &mut self.parts {
                    part.committed = offsets.get(&part.number).copied().unwrap_or(part.committed);
                }
                Ok(Commit::Committed)
            }
            Written::Fenced => {
                // The next call says who owns the slot, before it hands out anything.
                self.looked = None;
                Ok(Commit::Fenced)
            }
            Written::Failed(reason) => {
                self.rewind()?;
                Ok(Commit::Rewound { reason })
            }
            Written::Unusable(error) => Err(error.into()),
        }
    }

    fn rewind(&mut self) -> Result<(), Fatal> {
        for part in &mut self.parts {
            part.position = part.committed;
            part.delivered = part.committed;
        }
        Ok(())
    }

    fn pause(&mut self) {
        self.paused = true;
    }

    fn resume(&mut self) {
        self.paused = false;
    }

    fn lag(&mut self) -> Result<Vec<Lag>, Fatal> {
        self.refresh_ends()?;
        let mut lags = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let settled = part.committed >= part.delivered;
            let committed = if settled {
                part.position.max(part.committed)
            } else {
                part.committed
            };
            let mut oldest = None;
            if committed < part.end {
                let found = self
                    .sql
                    .prepare_cached("SELECT ts FROM record WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 1")
                    .and_then(|mut s| {
                        s.query_row([row_id(part.id, committed), row_id(part.id + 1, 0)], |r| {
                            r.get::<_, i64>(0)
                        })
                        .optional()
                    })
                    .map_err(|e| self.fatal(&e))?;
                oldest = found.and_then(|ts| Timestamp::from_millisecond(ts).ok());
            }
            lags.push(Lag {
                partition: part.number,
                position: part.position,
                committed,
                end: part.end,
                oldest,
            });
        }
        Ok(lags)
    }

    fn restore(&mut self, topic: &str, partition: u32, each: &mut dyn FnMut(Message)) -> Result<(), Fatal> {
        let info = self.topic(topic)?;
        let part = info.part(partition)?;
        let end: i64 = self
            .sql
            .query_row("SELECT next FROM partition WHERE id = ?1", [part], |row| {
                row.get(0)
            })
            .map_err(|e| self.fatal(&e))?;
        let mut from = 0;
        while from < unsigned(end) {
            let read =
                schema::read(&self.sql, part, partition, from, 500, 16 << 20).map_err(|e| self.fatal(&e))?;
            let Some(last) = read.last() else { break };
            from = last.next;
            read.into_iter().for_each(&mut *each);
        }
        Ok(())
    }

    fn waker(&self) -> Waker {
        let (shared, id) = (Arc::clone(&self.shared), self.id);
        Waker::new(move || shared.tail.wake(id))
    }

    fn batch_deadline(&self) -> Duration {
        // Nobody takes partitions away here; the same as on Kafka, so that stages behave alike.
        Duration::from_secs(40)
    }

    fn short_of_room(&mut self, keep_free: u8) -> Result<Option<Shortage>, Fatal> {
        let used = schema::used_bytes(&self.sql).map_err(|e| self.fatal(&e))?;
        let usable = self.max_bytes / 100 * u64::from(100u8.saturating_sub(keep_free));
        let short = used > usable;
        if short {
            self.writer.make_room();
        }
        Ok(short.then(|| Shortage {
            used,
            reason: format!(
                "{} holds {used} of {} bytes: no new work until what is there is worked off; raise bus.max_bytes if that takes too long",
                self.path.display(),
                self.max_bytes
            ),
        }))
    }
}

impl Drop for SqliteSession {
    fn drop(&mut self) {
        self.shared.tail.close(self.id);
    }
}
