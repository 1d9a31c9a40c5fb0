//! Articles as JSON lines: one file, one message a line, a retraction as `{"id":"..","retracted":true}`.
//!
//! Beside the file stands `<file>.state` with the number of its bytes that count and the positions behind them,
//! replaced as a whole after the lines are on disk. What a crash leaves behind those bytes is cut off. Rejected:
//! the positions in the file itself, as lines of another kind, which every reader would have to know of.
//!
//! A file that has its size is finished: it gets a number and never changes again. Rejected: a file a day, which for a
//! large installation is no bound, and for a small one many files.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::durable::{self, folder_of};
use crate::error::SinkError;
use crate::position::Position;
use crate::retention::{self, Retention};
use crate::row::{Change, Fate, Row, Sink};

const VERSION: i32 = 1;

/// When files of JSON lines are finished, and how long they are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JsonLinesOptions {
    /// Bytes at which a file is finished, as `NAME.1.jsonl` and so on, and a new one begun; none is never. A batch is
    /// never parted, so files are larger by up to that.
    pub max_bytes: Option<u64>,
    /// Time after which a finished file is removed, counted from its last line; none is never.
    pub retention: Option<Duration>,
}

/// The sink into a file of JSON lines.
///
/// Holds every message, older revisions too: a reader takes the last line of an id. To begin a new file, stop the
/// sink and move the file away: the state beside it stays, and nothing is written twice.
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    state_path: PathBuf,
    file: File,
    state: State,
    max_bytes: Option<u64>,
    retention: Option<Retention>,
    buffer: Vec<u8>,
}

/// What stands beside the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    version: i32,
    /// Bytes of the file that count.
    bytes: u64,
    /// Number of the file that was finished last.
    #[serde(default)]
    finished: u64,
    /// Number that the file is getting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finishing: Option<u64>,
    /// By log and partition.
    positions: BTreeMap<String, BTreeMap<u32, Position>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            version: VERSION,
            bytes: 0,
            finished: 0,
            finishing: None,
            positions: BTreeMap::new(),
        }
    }
}

impl State {
    /// The state after the file got its number.
    fn begun_anew(&self, number: u64) -> Self {
        Self {
            bytes: 0,
            finished: number,
            finishing: None,
            ..self.clone()
        }
    }
}

impl JsonLines {
    /// Opens the file, making it where there is none, and cuts off what was not committed.
    ///
    /// # Errors
    /// Where file or state cannot be opened and written, are damaged or of a newer version, the file is shorter
    /// than it was, was not written by this sink, or another process has it open.
    pub fn open(path: &Path) -> Result<Self, SinkError> {
        Self::open_with(path, &JsonLinesOptions::default())
    }

    /// As [`JsonLines::open`]; finishes files and removes them.
    ///
    /// # Errors
    /// As [`JsonLines::open`].
    pub fn open_with(path: &Path, options: &JsonLinesOptions) -> Result<Self, SinkError> {
        let io = |e| SinkError::of_io(path, e);
        let mut name = path.as_os_str().to_owned();
        name.push(".state");
        let state_path = PathBuf::from(name);
        let found = path.try_exists().map_err(io)?;
        let file = open_file(path)?;
        let known = read_state(&state_path)?;
        let length = file.metadata().map_err(io)?.len();
        let state = match known {
            None if length > 0 => {
                return Err(SinkError::Foreign {
                    path: path.to_owned(),
                });
            }
            None => State::default(),
            Some(state) if state.finishing.is_some_and(|n| finished(path, n).exists()) => {
                state.begun_anew(state.finishing.unwrap_or_default())
            }
            // Moved away on purpose: what is in it need not be written again.
            Some(state) if !found => State { bytes: 0, ..state },
            Some(state) if length < state.bytes => {
                let source = format!("it has {length} bytes where {} were written", state.bytes).into();
                return Err(SinkError::Damaged {
                    path: path.to_owned(),
                    source,
                });
            }
            Some(state) => state,
        };
        if length > state.bytes {
            let bytes = length - state.bytes;
            tracing::info!(file = %path.display(), bytes, "lines that were not committed are cut off");
        }
        let mut sink = Self {
            path: path.to_owned(),
            state_path,
            file,
            state,
            max_bytes: options.max_bytes,
            retention: options.retention.map(Retention::new),
            buffer: Vec::new(),
        };
        sink.cut().map_err(io)?;
        // Before the first line, so that a crash amid it leaves no file that seems to be somebody else's.
        sink.write_state(&sink.state)?;
        sink.forget();
        Ok(sink)
    }

    /// Removes finished files that are too old, where it is time to.
    fn forget(&mut self) {
        let Some(before) = self.retention.as_mut().and_then(Retention::due) else {
            return;
        };
        self.forget_before(before)
            .unwrap_or_else(|error| retention::kept(&error));
    }

    fn forget_before(&self, before: SystemTime) -> Result<(), SinkError> {
        for (_, path) in self.finished_files()? {
            let io = |e| SinkError::of_io(&path, e);
            if retention::is_older(&path, before).map_err(io)? {
                retention::remove(&path).map_err(io)?;
            }
        }
        Ok(())
    }

    /// Goes back to the end of what is committed.
    fn cut(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.state.bytes)?;
        self.file.seek(SeekFrom::Start(self.state.bytes))?;
        Ok(())
    }

    fn append(&mut self) -> std::io::Result<()> {
        self.cut()?;
        self.file.write_all(&self.buffer)?;
        self.file.sync_data()
    }

    /// Finishes the file where it has its size, and begins a new one.
    fn rotate(&mut self) -> Result<(), SinkError> {
        if self.max_bytes.is_none_or(|max| self.state.bytes < max) {
            return Ok(());
        }
        self.finish_file()
    }

    /// Finishes the file whatever its size, unless it is empty, and begins a new one.
    pub(crate) fn finish_file(&mut self) -> Result<(), SinkError> {
        if self.state.bytes == 0 {
            return Ok(());
        }
        // An attempt that failed may have left lines that do not count.
        self.cut().map_err(|e| SinkError::of_io(&self.path, e))?;
        // The number stands in the state before the file has it, so that a crash at any point can be told.
        let number = self.state.finishing.unwrap_or_else(|| {
            let mut numbers = self.state.finished + 1..;
            let free = numbers.find(|n| !finished(&self.path, *n).exists());
            free.unwrap_or(u64::MAX)
        });
        self.state.finishing = Some(number);
        self.write_state(&self.state)?;
        let name = finished(&self.path, number);
        if !name.exists() {
            std::fs::rename(&self.path, &name).map_err(|e| SinkError::of_io(&name, e))?;
        }
        self.file = open_file(&self.path)?;
        self.state = self.state.begun_anew(number);
        self.write_state(&self.state)?;
        tracing::info!(file = %name.display(), "a file of JSON lines is finished");
        Ok(())
    }

    /// Gives the finished files that are still there, with their numbers, oldest first.
    pub(crate) fn finished_files(&self) -> Result<Vec<(u64, PathBuf)>, SinkError> {
        let folder = folder_of(&self.path);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|e| SinkError::of_io(folder, e))? {
            names.push(entry.map_err(|e| SinkError::of_io(folder, e))?.file_name());
        }
        let number = |name: &std::ffi::OsString| -> Option<u64> {
            let number = Path::new(name.to_str()?)
                .file_stem()?
                .to_str()?
                .rsplit('.')
                .next()?;
            let number = number.parse().ok().filter(|n| *n <= self.state.finished)?;
            (finished(&self.path, number).file_name() == Some(name.as_os_str())).then_some(number)
        };
        let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers
            .into_iter()
            .map(|n| (n, finished(&self.path, n)))
            .collect())
    }

    /// Replaces the state as a whole.
    fn write_state(&self, state: &State) -> Result<(), SinkError> {
        durable::replace(&self.state_path, ".new", |mut file| -> std::io::Result<File> {
            file.write_all(&serde_json::to_vec(state)?)?;
            Ok(file)
        })
        .map_err(|e| SinkError::of_io(&self.state_path, e))
    }
}

impl Sink for JsonLines {
    fn store(&mut self, log: &str, rows: &[Row<'_>]) -> Result<Vec<Fate>, SinkError> {
        let mut state = self.state.clone();
        let positions = state.positions.entry(log.to_owned()).or_default();
        self.buffer.clear();
        let mut fates = Vec::with_capacity(rows.len());
        for row in rows {
            let position = positions.entry(row.partition).or_insert(Position::START);
            if position.advance(row) {
                write_line(&mut self.buffer, &row.change);
                fates.push(Fate::Stored);
            } else {
                fates.push(Fate::AlreadyStored);
            }
        }
        if state == self.state {
            return Ok(fates);
        }
        self.rotate()?;
        // A new file has other bytes that count.
        state = State {
            positions: state.positions,
            ..self.state.clone()
        };
        self.append().map_err(|e| SinkError::of_io(&self.path, e))?;
        state.bytes += self.buffer.len() as u64;
        self.write_state(&state)?;
        self.state = state;
        self.forget();
        Ok(fates)
    }
}

/// Opens the file that is written to, for this process alone.
fn open_file(path: &Path) -> Result<File, SinkError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|e| SinkError::of_io(path, e))?;
    lock(path, &file)?;
    Ok(file)
}

/// Name of a finished file: the number before the extension.
fn finished(path: &Path, number: u64) -> PathBuf {
    let number = number.to_string();
    match (path.file_stem(), path.extension()) {
        (Some(stem), Some(extension)) => {
            let parts = [stem, number.as_ref(), extension];
            path.with_file_name(parts.join(".".as_ref()))
        }
        _ => {
            let name = path.file_name().unwrap_or_default();
            path.with_file_name([name, number.as_ref()].join(".".as_ref()))
        }
    }
}

fn write_line(out: &mut Vec<u8>, change: &Change<'_>) {
    match change {
        // Between tokens a line break is white space, and within strings JSON knows none.
        Change::Put { json, .. } => out.extend(json.trim().bytes().map(|b| match b {
            b'\n' | b'\r' => b' ',
            other => other,
        })),
        Change::Retract(id) => {
            out.extend_from_slice(format!("{{\"id\":\"{id}\",\"retracted\":true}}").as_bytes())
        }
    }
    out.push(b'\n');
}

fn read_state(path: &Path) -> Result<Option<State>, SinkError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SinkError::of_io(path, error)),
    };
    let state: State = serde_json::from_slice(&bytes).map_err(|e| SinkError::Damaged {
        path: path.to_owned(),
        source: e.into(),
    })?;
    if state.version > VERSION {
        return Err(SinkError::Newer {
            path: path.to_owned(),
            found: state.version,
            known: VERSION,
        });
    }
    Ok(Some(state))
}

fn lock(path: &Path, file: &File) -> Result<(), SinkError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(SinkError::Busy {
            path: path.to_owned(),
            source: None,
        }),
        Err(TryLockError::Error(error)) => Err(SinkError::of_io(path, error)),
    }
}
