//! What was just committed, kept in memory for its readers.
//!
//! Saves every reader the decompression and the copy out of SQLite. Bounded in bytes; what no longer fits is read
//! from the file. Also how readers learn that there is something new.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::message::Message;

/// What a message takes in memory beside its bytes: its struct, its shared buffers, its place in the queues.
const OVERHEAD: usize = 256;

fn weight(message: &Message) -> usize {
    message.size() + OVERHEAD
}

#[derive(Debug)]
pub(super) struct Tail {
    max_bytes: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    parts: HashMap<i64, Part>,
    /// Partitions in the order in which their messages came, to drop the oldest first.
    order: VecDeque<i64>,
    bytes: usize,
    /// Partitions that somebody reads.
    wanted: HashSet<i64>,
    /// Sessions that were woken and have not noticed yet.
    woken: HashSet<u64>,
    commits: u64,
}

#[derive(Debug, Default)]
struct Part {
    /// Every record from this offset on is in `messages`.
    start: u64,
    /// Offset after the last record committed by this process.
    end: u64,
    messages: VecDeque<Arc<Message>>,
}

/// What the tail knows of a partition from an offset on.
pub(super) enum Known {
    /// These are the next records; none, if the offset is the end.
    Here(Vec<Arc<Message>>),
    /// The file must be asked.
    Ask,
}

impl Tail {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Keeps the records of these partitions from now on.
    pub(super) fn want(&self, parts: &[i64]) {
        self.lock().wanted.extend(parts);
    }

    /// Takes in what was committed: per partition its first new offset, and the records in order.
    pub(super) fn publish(&self, committed: Vec<(i64, u64, Vec<Arc<Message>>)>) {
        let mut state = self.lock();
        for (id, first, messages) in committed {
            if state.wanted.contains(&id) {
                state.push(id, first, messages);
            }
        }
        while state.bytes > self.max_bytes && state.drop_oldest() {}
        state.commits += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Gives what comes after an offset, at most `limit` messages, and no more once `max_bytes` are reached.
    pub(super) fn read(&self, part: i64, from: u64, limit: usize, max_bytes: usize) -> Known {
        let state = self.lock();
        let Some(part) = state
            .parts
            .get(&part)
            .filter(|p| p.start <= from && from <= p.end)
        else {
            return Known::Ask;
        };
        let begin = part.messages.partition_point(|m| m.offset < from);
        let (mut out, mut bytes) = (Vec::new(), 0);
        for message in part.messages.iter().skip(begin).take(limit) {
            bytes += message.size();
            out.push(Arc::clone(message));
            if bytes >= max_bytes {
                break;
            }
        }
        Known::Here(out)
    }

    /// Waits until something is committed after `seen`, the session is woken, or the time is over; gives the number
    /// of commits, and whether the session was woken.
    pub(super) fn wait(&self, session: u64, seen: u64, time: Duration) -> (u64, bool) {
        let until = Instant::now() + time;
        let mut state = self.lock();
        loop {
            if state.woken.remove(&session) {
                return (state.commits, true);
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.commits != seen || left.is_zero() {
                return (state.commits, false);
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Number of commits so far.
    pub(super) fn commits(&self) -> u64 {
        self.lock().commits
    }

    /// Wakes a session.
    pub(super) fn wake(&self, session: u64) {
        self.lock().woken.insert(session);
        self.changed.notify_all();
    }

    /// Forgets a session's wake-up call.
    pub(super) fn close(&self, session: u64) {
        self.lock().woken.remove(&session);
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> u64 {
        u64::try_from(self.lock().bytes).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, id: i64, first: u64, messages: Vec<Arc<Message>>) {
        let part = self.parts.entry(id).or_default();
        if part.end != first || (part.messages.is_empty() && part.start != part.end) {
            // Another process wrote in between, or this is the first commit that we see.
            self.bytes -= part.messages.drain(..).map(|m| weight(&m)).sum::<usize>();
            part.start = first;
            part.end = first;
            self.order.retain(|p| *p != id);
        }
        for message in messages {
            self.bytes += weight(&message);
            part.end = message.next;
            part.messages.push_back(message);
            self.order.push_back(id);
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(part) = self.order.pop_front().and_then(|id| self.parts.get_mut(&id)) else {
            return false;
        };
        if let Some(message) = part.messages.pop_front() {
            self.bytes -= weight(&message);
            part.start = message.next;
        }
        true
    }
}
