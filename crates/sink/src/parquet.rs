//! Articles as Parquet files by day and tag, for analysis.
//!
//! A Parquet file cannot be appended to, and a batch must be durable at once. So batches go to a file of JSON lines
//! first, with all that it promises; when that has its size or age it is finished and turned into Parquet files, one
//! for each day and tag in it: `day=2026-11-22/tag=nato/NUMBER-ID.parquet`. The names depend on nothing but what is in
//! it, each file gets its name when it is whole and on disk, and the JSON lines go last: after a crash anywhere between
//! the same files are made again. Rejected: a list of the files that count, which every reader would have to know of.

mod table;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use telex_model::{ArticleId, Tagged};

use crate::durable;
use crate::error::SinkError;
use crate::json_lines::{JsonLines, JsonLinesOptions};
use crate::retention::{self, Retention};
use crate::row::{Fate, Row, Sink};
use table::Line;

/// Folder of what is not Parquet yet; readers leave out what begins with a dot or an underscore.
const WAITING: &str = "_waiting";

/// End of the names of files that are not whole.
const UNFINISHED: &str = ".unfinished";

/// When files are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParquetOptions {
    /// Bytes of JSON lines that are turned into Parquet together; memory holds some three times as many meanwhile.
    pub max_bytes: u64,
    /// Time after which that is done with fewer, once more articles come.
    pub max_age: Duration,
    /// Time after which the files of a day are removed, counted from its end; none is never.
    pub retention: Option<Duration>,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        Self {
            max_bytes: 32 << 20,
            max_age: Duration::from_secs(3600),
            retention: None,
        }
    }
}

/// The sink into a folder of Parquet files.
///
/// Holds every message, older revisions too, each in exactly one file: that of the day when the article was first seen
/// and of its surest tag (`tag=none` without one), and of `retracted` what was withdrawn. A reader takes of each id the
/// row with the highest `number` and `line`.
#[derive(Debug)]
pub struct ParquetSink {
    folder: PathBuf,
    waiting: JsonLines,
    options: ParquetOptions,
    retention: Option<Retention>,
    /// When the first of what is waiting came.
    since: Option<Instant>,
}

impl ParquetSink {
    /// Opens the folder, making it where there is none; removes what a crash left unfinished, and turns what was
    /// waiting into files.
    ///
    /// # Errors
    /// Where the folder cannot be written, another process has it open, or what is waiting in it is damaged.
    pub fn open(folder: &Path, options: ParquetOptions) -> Result<Self, SinkError> {
        let waiting = folder.join(WAITING);
        std::fs::create_dir_all(&waiting).map_err(|e| SinkError::of_io(&waiting, e))?;
        let finish = JsonLinesOptions {
            max_bytes: Some(options.max_bytes),
            retention: None,
        };
        let lines = JsonLines::open_with(&waiting.join("tagged.jsonl"), &finish)?;
        let mut sink = Self {
            folder: folder.to_owned(),
            waiting: lines,
            retention: options.retention.map(Retention::new),
            options,
            since: None,
        };
        sink.sweep(folder).map_err(|e| SinkError::of_io(folder, e))?;
        sink.finish()?;
        sink.forget();
        Ok(sink)
    }

    /// Removes the files of days that are too old, where it is time to.
    fn forget(&mut self) {
        let Some(before) = self.retention.as_mut().and_then(Retention::due) else {
            return;
        };
        self.forget_before(before)
            .unwrap_or_else(|e| retention::kept(&SinkError::of_io(&self.folder, e)));
    }

    fn forget_before(&self, before: SystemTime) -> std::io::Result<()> {
        for day in std::fs::read_dir(&self.folder)? {
            let day = day?.path();
            if end_of_day(&day).is_some_and(|end| end <= before) {
                for tag in std::fs::read_dir(&day)? {
                    let tag = tag?.path();
                    remove_files(&tag, |_| Ok(true))?;
                    remove_empty(&tag);
                }
                remove_empty(&day);
            }
        }
        // What was withdrawn then had been seen by then: its days are gone, at the latest with the one that goes on.
        let day_before = before.checked_sub(Duration::from_secs(24 * 3600));
        let (retracted, before) = (self.folder.join(RETRACTED), day_before.unwrap_or(before));
        if retracted.exists() {
            remove_files(&retracted, |file| retention::is_older(file, before))?;
        }
        Ok(())
    }

    /// Removes files that are not whole.
    fn sweep(&self, folder: &Path) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                if name.starts_with(DAY) || name.starts_with("tag=") || name == RETRACTED {
                    self.sweep(&entry.path())?;
                }
            } else if name.ends_with(UNFINISHED) {
                tracing::info!(file = %entry.path().display(), "a file that was not finished is removed");
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Turns finished files of JSON lines into Parquet.
    fn convert(&self) -> Result<(), SinkError> {
        for (number, path) in self.waiting.finished_files()? {
            let lines = read(&path)?;
            if let Some(first) = lines.first() {
                let name = format!("{number:08}-{:.8}.parquet", first.id.to_string());
                let mut groups: BTreeMap<PathBuf, Vec<(usize, &Line)>> = BTreeMap::new();
                for (at, line) in lines.iter().enumerate() {
                    groups.entry(place(line)).or_default().push((at, line));
                }
                for (place, lines) in groups {
                    self.write(&self.folder.join(place), &name, number, &lines)?;
                }
            }
            std::fs::remove_file(&path).map_err(|e| SinkError::of_io(&path, e))?;
        }
        Ok(())
    }

    fn write(
        &self,
        folder: &Path,
        name: &str,
        number: u64,
        lines: &[(usize, &Line)],
    ) -> Result<(), SinkError> {
        let whole = folder.join(name);
        let write = || -> Result<(), parquet::errors::ParquetError> {
            std::fs::create_dir_all(folder)?;
            durable::replace(&whole, UNFINISHED, |file| table::write(file, number, lines))?;
            // The names of the folders.
            for folder in folder.ancestors().skip(1).take(2) {
                File::open(folder)?.sync_all()?;
            }
            Ok(())
        };
        write().map_err(|error| match error {
            parquet::errors::ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
                Ok(io) => SinkError::of_io(&whole, *io),
                Err(source) => SinkError::Failed {
                    path: whole.clone(),
                    source,
                },
            },
            other => SinkError::Failed {
                path: whole.clone(),
                source: other.into(),
            },
        })
    }
}

impl Sink for ParquetSink {
    fn store(&mut self, log: &str, rows: &[Row<'_>]) -> Result<Vec<Fate>, SinkError> {
        if self.since.is_some_and(|at| at.elapsed() >= self.options.max_age) {
            self.waiting.finish_file()?;
            self.since = None;
        }
        // Also what an earlier attempt could not: the disk may have been full.
        self.convert()?;
        let fates = self.waiting.store(log, rows)?;
        if fates.contains(&Fate::Stored) {
            self.since.get_or_insert_with(Instant::now);
        }
        self.forget();
        Ok(fates)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.waiting.finish_file()?;
        self.since = None;
        self.convert()
    }
}

const RETRACTED: &str = "retracted";

/// Begin of the names of folders of a day.
const DAY: &str = "day=";

/// Gives the time when the day of a folder has ended; none where it is no folder of a day.
fn end_of_day(folder: &Path) -> Option<SystemTime> {
    let day: Date = folder.file_name()?.to_str()?.strip_prefix(DAY)?.parse().ok()?;
    let end = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(end.timestamp().into())
}

/// Removes the Parquet files of a folder that are too old; whatever else is in it stays.
fn remove_files(folder: &Path, old: impl Fn(&Path) -> std::io::Result<bool>) -> std::io::Result<()> {
    for file in std::fs::read_dir(folder)? {
        let file = file?.path();
        if file.extension().is_some_and(|e| e == "parquet") && old(&file)? {
            retention::remove(&file)?;
        }
    }
    Ok(())
}

/// Removes a folder unless something is in it, which is then somebody else's.
fn remove_empty(folder: &Path) {
    if let Err(error) = std::fs::remove_dir(folder) {
        tracing::debug!(folder = %folder.display(), %error, "a folder of old files is kept");
    }
}

/// Folder of a line.
fn place(line: &Line) -> PathBuf {
    let Some((article, _)) = &line.article else {
        return PathBuf::from(RETRACTED);
    };
    let tag = article.tags.first().map_or("none", |t| t.topic.as_str());
    // Tags are words with hyphens; whatever else came must not lead out of the folder.
    let safe: String = tag
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .take(100)
        .collect();
    let day = article.first_seen.strftime("%Y-%m-%d");
    PathBuf::from(format!("{DAY}{day}")).join(format!("tag={safe}"))
}

/// Reads a finished file of JSON lines.
fn read(path: &Path) -> Result<Vec<Line>, SinkError> {
    #[derive(Deserialize)]
    struct Id {
        id: ArticleId,
        #[serde(default)]
        retracted: bool,
    }
    let file = File::open(path).map_err(|e| SinkError::of_io(path, e))?;
    let mut lines = Vec::new();
    for json in BufReader::new(file).lines() {
        let json = json.map_err(|e| SinkError::of_io(path, e))?;
        let parse = || -> serde_json::Result<Line> {
            let Id { id, retracted } = serde_json::from_str(&json)?;
            let article: Option<Box<Tagged>> = if retracted {
                None
            } else {
                Some(serde_json::from_str(&json)?)
            };
            Ok(Line {
                id,
                article: article.map(|a| (a, json.clone())),
            })
        };
        lines.push(parse().map_err(|e| SinkError::Damaged {
            path: path.to_owned(),
            source: e.into(),
        })?);
    }
    Ok(lines)
}
