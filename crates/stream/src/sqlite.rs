//! The embedded bus: all topics in one SQLite file, for one running process.
//!
//! - Outputs and offsets are one SQL transaction with `synchronous=FULL`; transactions that wait at the same
//!   time share one, so one `fsync` serves all stages.
//! - One thread writes. Sessions read on connections of their own and get what was just committed from memory.
//! - The same partitions and hash as on Kafka; one session a group owns them all, and a newer session fences it.
//! - A lock on the runner's role (not on the file) refuses a second runner; the command line reads beside the
//!   runner and appends in short transactions.
//! - Compacted topics are compacted as they are written; other topics lose, by age, only what every group that
//!   reads them has committed. A cap on the file's size holds writers back before the disk is full.
//!
//! Rejected: a log of our own (segments, index, recovery: what SQLite has been tested for), and a database a
//! topic (no transaction over all of them in WAL mode).

mod error;
mod maintain;
mod schema;
mod session;
mod tail;
mod unpack;
mod writer;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use telex_model::{Cleanup, Topic};

use crate::bus::{Bus, BusError, Ends, Reset};
use crate::message::{Message, Output};
use crate::session::{Session, SessionConfig};

pub use self::unpack::unpack;

use self::session::SqliteSession;
use self::tail::Tail;
use self::writer::{Job, Writer};

/// How the embedded bus is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Folder that holds the bus.
    pub folder: PathBuf,
    /// Bytes that the file may take.
    pub max_bytes: u64,
    /// Bytes of committed messages kept in memory for their readers.
    pub tail_bytes: usize,
    /// Take the runner's role; without it the bus can be read and appended to beside a runner.
    pub runner: bool,
}

impl SqliteOptions {
    /// Options with the defaults: 20 GiB on disk, 64 MiB in memory.
    pub fn new(folder: impl Into<PathBuf>, runner: bool) -> Self {
        Self {
            folder: folder.into(),
            max_bytes: 20 << 30,
            tail_bytes: 64 << 20,
            runner,
        }
    }
}

/// Use of the embedded bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in use on disk, free pages not counted.
    pub bytes: u64,
    /// Bytes that may be used.
    pub max_bytes: u64,
    /// Bytes of committed messages in memory.
    pub tail_bytes: u64,
}

/// The embedded bus.
#[derive(Debug)]
pub struct SqliteBus {
    path: PathBuf,
    options: SqliteOptions,
    shared: Arc<Shared>,
    /// Shared with the sessions: it ends, and gives the runner's role back, with the last of them.
    writer: Arc<Writer>,
    reader: Mutex<Connection>,
}

/// What writer and sessions share.
#[derive(Debug)]
struct Shared {
    tail: Tail,
    topics: Mutex<HashMap<String, Arc<TopicInfo>>>,
    /// The next session's transaction is to fail.
    fail_next: AtomicBool,
}

/// A topic as the file has it.
#[derive(Debug)]
struct TopicInfo {
    name: String,
    compact: bool,
    max_message_bytes: usize,
    /// Row ids of the partitions, in order.
    partitions: Vec<i64>,
}

impl SqliteBus {
    /// Opens the bus in a folder, making both where needed.
    ///
    /// # Errors
    /// Where the folder cannot be written, the file is damaged or of another program, or another process has the
    /// runner's role.
    pub fn open(options: SqliteOptions) -> Result<Self, BusError> {
        let folder = &options.folder;
        std::fs::create_dir_all(folder).map_err(|e| BusError::Unusable {
            what: format!("{} cannot be made: {e}", folder.display()),
            hint: "choose another --data-dir or correct its owner".to_owned(),
        })?;
        let role = if options.runner {
            Some(take_role(folder)?)
        } else {
            None
        };
        let path = folder.join("bus.sqlite");
        let connection = schema::open(&path, options.max_bytes)?;
        let reader = schema::open(&path, options.max_bytes)?;
        let shared = Arc::new(Shared {
            tail: Tail::new(options.tail_bytes),
            topics: Mutex::default(),
            fail_next: AtomicBool::new(false),
        });
        let writer = Writer::start(
            connection,
            path.clone(),
            options.max_bytes,
            Arc::clone(&shared),
            role,
        )?;
        Ok(Self {
            path,
            options,
            shared,
            writer: Arc::new(writer),
            reader: Mutex::new(reader),
        })
    }

    /// Gives the bytes in use.
    ///
    /// # Errors
    /// Where the bus cannot be read.
    pub fn usage(&self) -> Result<Usage, BusError> {
        Ok(Usage {
            bytes: schema::used_bytes(&self.reader()).map_err(|e| error::unusable(&self.path, &e))?,
            max_bytes: self.options.max_bytes,
            tail_bytes: self.shared.tail.bytes(),
        })
    }

    /// Gives the random id that the bus got when its file was made: offsets mean nothing on another one.
    ///
    /// # Errors
    /// Where the bus cannot be read.
    pub fn id(&self) -> Result<String, BusError> {
        let id = self
            .reader()
            .query_row("SELECT id FROM bus", [], |row| row.get(0));
        id.map_err(|e| error::unusable(&self.path, &e))
    }

    /// Checks the whole file; `ok`, or what is damaged.
    ///
    /// # Errors
    /// Where the bus cannot be read at all.
    pub fn check(&self) -> Result<String, BusError> {
        let check = self
            .reader()
            .pragma_query_value(None, "quick_check", |row| row.get(0));
        check.map_err(|e| error::unusable(&self.path, &e))
    }

    /// Deletes what is no longer kept as of `now`, as the bus does by itself from time to time; gives the number of
    /// records deleted.
    ///
    /// # Errors
    /// Where the bus cannot be written.
    pub fn maintain(&self, now: jiff::Timestamp) -> Result<usize, BusError> {
        let deleted = Arc::new(Mutex::new(0));
        let out = Arc::clone(&deleted);
        let max_bytes = self.options.max_bytes;
        self.writer.run(Job::other(move |sql| {
            let mut total = 0;
            loop {
                let n = maintain::pass(sql, now, max_bytes)?;
                total += n;
                if n == 0 {
                    *out.lock().unwrap_or_else(PoisonError::into_inner) = total;
                    return Ok(());
                }
            }
        }))?;
        let total = *deleted.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(total)
    }

    /// Has the next transaction of a session fail, as on a full disk: for tests of what must survive that.
    pub fn fail_next_commit(&self) {
        self.shared.fail_next.store(true, Ordering::Release);
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn topic(&self, name: &str) -> Result<Arc<TopicInfo>, BusError> {
        if let Some(found) = self
            .shared
            .topics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
        {
            return Ok(Arc::clone(found));
        }
        let found = schema::topic(&self.reader(), name).map_err(|e| error::unusable(&self.path, &e))?;
        let info = Arc::new(found.ok_or_else(|| BusError::NoTopic(name.to_owned()))?);
        self.shared
            .topics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), Arc::clone(&info));
        Ok(info)
    }
}

impl Bus for SqliteBus {
    fn create_topics(&self, prefix: &str, topics: &[Topic]) -> Result<(), BusError> {
        let wanted: Vec<_> = topics.iter().map(|t| (t.name(prefix), t.spec())).collect();
        self.writer.run(Job::other(move |sql| {
            for (name, spec) in &wanted {
                let retention = match spec.cleanup {
                    Cleanup::Compact => None,
                    Cleanup::Delete(time) => Some(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)),
                };
                schema::create_topic(sql, name, spec, retention)?;
            }
            Ok(())
        }))
    }

    fn session(&self, config: SessionConfig) -> Result<Box<dyn Session>, BusError> {
        let topic = self.topic(&config.input)?;
        let connection = schema::open(&self.path, self.options.max_bytes)?;
        let opened = SqliteSession::open(
            config,
            topic,
            connection,
            self.path.clone(),
            self.options.max_bytes,
            Arc::clone(&self.shared),
            Arc::clone(&self.writer),
        )?;
        Ok(Box::new(opened))
    }

    fn append(&self, outputs: Vec<Output>) -> Result<(), BusError> {
        let records = writer::prepare(outputs, &|name| self.topic(name))?;
        self.writer.run(Job::append(records))
    }

    fn read(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, BusError> {
        let info = self.topic(topic)?;
        let part = info.part(partition)?;
        let read = schema::read(&self.reader(), part, partition, from, limit, usize::MAX);
        Ok(read
            .map_err(|e| error::unusable(&self.path, &e))?
            .into_iter()
            .map(Arc::new)
            .collect())
    }

    fn ends(&self, topic: &str) -> Result<Vec<Ends>, BusError> {
        let info = self.topic(topic)?;
        schema::ends(&self.reader(), &info).map_err(|e| error::unusable(&self.path, &e))
    }

    fn committed(&self, group: &str, topic: &str) -> Result<Vec<(u32, u64)>, BusError> {
        let info = self.topic(topic)?;
        let found =
            schema::committed(&self.reader(), group, &info).map_err(|e| error::unusable(&self.path, &e))?;
        Ok(found
            .into_iter()
            .map(|(partition, next, _)| (partition, next))
            .collect())
    }

    fn reset(&self, group: &str, topic: &str, to: Reset) -> Result<(), BusError> {
        let info = self.topic(topic)?;
        // Whoever does not run the bus must keep others from running it meanwhile.
        let _role = if self.options.runner {
            None
        } else {
            Some(take_role(&self.options.folder)?)
        };
        let group = group.to_owned();
        self.writer.run(Job::other(move |sql| {
            for part in &info.partitions {
                let next: i64 = match to {
                    Reset::Earliest => {
                        sql.query_row("SELECT first FROM partition WHERE id = ?1", [part], |r| r.get(0))?
                    }
                    Reset::Latest => {
                        sql.query_row("SELECT next FROM partition WHERE id = ?1", [part], |r| r.get(0))?
                    }
                    // Beyond the ends a group would miss what comes, or wait for what has gone.
                    Reset::Offset(offset) => sql.query_row(
                        "SELECT max(first, min(next, ?2)) FROM partition WHERE id = ?1",
                        params![part, i64::try_from(offset).unwrap_or(i64::MAX)],
                        |r| r.get(0),
                    )?,
                    Reset::Timestamp(time) => schema::first_since(sql, *part, time.as_millisecond())?,
                };
                sql.execute(
                    "INSERT INTO committed(grp, part, next, attempts) VALUES (?1, ?2, ?3, 0)
                     ON CONFLICT DO UPDATE SET next = excluded.next, attempts = 0",
                    params![group, part, next],
                )?;
            }
            // Fences a session of the group that this process may have.
            sql.execute(
                "UPDATE slot SET epoch = epoch + 1 WHERE grp = ?1 AND topic = ?2",
                [&group, &info.name],
            )?;
            Ok(())
        }))
    }

    fn topics(&self) -> Result<Vec<String>, BusError> {
        let reader = self.reader();
        let names = || -> rusqlite::Result<Vec<String>> {
            reader
                .prepare_cached("SELECT name FROM topic ORDER BY name")?
                .query_map([], |row| row.get(0))?
                .collect()
        };
        names().map_err(|e| error::unusable(&self.path, &e))
    }
}

impl TopicInfo {
    fn part(&self, partition: u32) -> Result<i64, BusError> {
        let found = usize::try_from(partition)
            .ok()
            .and_then(|p| self.partitions.get(p).copied());
        found.ok_or_else(|| BusError::NoTopic(format!("{}/{partition}", self.name)))
    }
}

/// Takes the runner's role, which the operating system gives back when the process ends, however it ends.
fn take_role(folder: &Path) -> Result<File, BusError> {
    let path = folder.join("runner.lock");
    let failed = |e: std::io::Error| BusError::Unusable {
        what: format!("{} cannot be locked: {e}", path.display()),
        hint: match e.kind() {
            std::io::ErrorKind::StorageFull => "free the disk; nothing is lost meanwhile".to_owned(),
            _ => "choose another --data-dir or correct its owner".to_owned(),
        },
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let known = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
            let who = if known {
                format!("process {}", pid.trim())
            } else {
                "another process".to_owned()
            };
            return Err(BusError::InUse(format!(
                "{who} already runs Telex on {}; stop it first or choose another --data-dir",
                folder.display()
            )));
        }
        Err(std::fs::TryLockError::Error(e)) => return Err(failed(e)),
    }
    let note = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())
    };
    note(&mut file).map_err(failed)?;
    Ok(file)
}

/// Reads one number that may be absent.
fn optional(sql: &Connection, query: &str, part: i64) -> rusqlite::Result<Option<i64>> {
    sql.prepare_cached(query)?
        .query_row([part], |row| row.get(0))
        .optional()
        .map(Option::flatten)
}
