//! Rows in, rows out: the stages' logic on standard input and output.
//!
//! A row out for every row in, in order; a bad row gives a row with `error`. Memory is bounded: rows are worked on in
//! groups.

use std::io::{BufRead, BufWriter, Write};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::WorkArgs;
use crate::error::CliError;
use crate::output;

/// Rows worked on together, for each thread.
const ROWS_A_THREAD: usize = 64;

/// Bytes of rows worked on together.
const GROUP_BYTES: usize = 64 << 20;

/// What was measured.
#[derive(Debug, Default, Clone, Copy)]
struct Timing {
    docs: u64,
    bytes: u64,
    /// Summed over threads.
    busy: Duration,
}

/// One row's result: what is written, the bytes it was made of, and the time that the stage itself took.
pub(crate) struct Done {
    pub(crate) row: Value,
    pub(crate) bytes: usize,
    pub(crate) busy: Duration,
}

/// Measures the stage's own time.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let out = work();
    (out, begin.elapsed())
}

/// A row that says what is wrong; it keeps the id where there is one.
pub(crate) fn error_row(id: Option<&Value>, error: impl std::fmt::Display) -> Done {
    let row = match id {
        Some(id) => json!({"id": id, "error": error.to_string()}),
        None => json!({"error": error.to_string()}),
    };
    Done {
        row,
        bytes: 0,
        busy: Duration::ZERO,
    }
}

/// Works on every line of an input; `name` stands in the line about timing.
pub(crate) fn run_lines(
    name: &str,
    input: &mut dyn BufRead,
    args: &WorkArgs,
    work: &(dyn Fn(&str) -> Done + Sync),
) -> Result<(), CliError> {
    let mut read = || -> Result<Option<Vec<u8>>, CliError> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let n = input
                .read_until(b'\n', &mut line)
                .map_err(|e| CliError::Unavailable(format!("standard input: {e}")))?;
            if n == 0 {
                return Ok(None);
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
    };
    run(
        name,
        &mut read,
        args,
        &|line: &Vec<u8>| match std::str::from_utf8(line) {
            Ok(text) => work(text.trim_end_matches(['\n', '\r'])),
            Err(error) => error_row(None, format_args!("the row is not UTF-8: {error}")),
        },
    )
}

/// Works on every item that `next` gives.
pub(crate) fn run<T: Sync + Size>(
    name: &str,
    next: &mut dyn FnMut() -> Result<Option<T>, CliError>,
    args: &WorkArgs,
    work: &(dyn Fn(&T) -> Done + Sync),
) -> Result<(), CliError> {
    let threads = args
        .threads
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut timing = Timing::default();
    let mut ended = false;
    while !ended {
        let mut group = Vec::new();
        let mut bytes = 0;
        while group.len() < threads * ROWS_A_THREAD && bytes < GROUP_BYTES {
            let Some(item) = next()? else {
                ended = true;
                break;
            };
            bytes += item.size();
            group.push(item);
        }
        for done in work_on(&group, threads, work) {
            timing.docs += 1;
            timing.bytes += done.bytes as u64;
            timing.busy += done.busy;
            serde_json::to_writer(&mut out, &done.row).map_err(|e| output::broken(e.into()))?;
            out.write_all(b"\n").map_err(output::broken)?;
        }
    }
    out.flush().map_err(output::broken)?;
    if args.timing {
        eprintln!("{}", timing.line(name, threads));
    }
    Ok(())
}

/// Bytes of an item before it is worked on.
pub(crate) trait Size {
    fn size(&self) -> usize;
}

impl Size for Vec<u8> {
    fn size(&self) -> usize {
        self.len()
    }
}

impl Size for String {
    fn size(&self) -> usize {
        self.len()
    }
}

/// Works on a group with so many threads, each taking the next item when it is free; results in the group's order.
fn work_on<T: Sync>(group: &[T], threads: usize, work: &(dyn Fn(&T) -> Done + Sync)) -> Vec<Done> {
    let guarded = |item: &T| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(item)))
            .unwrap_or_else(|_| error_row(None, "a defect of Telex: the stage panicked"))
    };
    if threads == 1 || group.len() < 2 {
        return group.iter().map(guarded).collect();
    }
    let taken = std::sync::atomic::AtomicUsize::new(0);
    let mut done: Vec<(usize, Done)> = std::thread::scope(|scope| {
        let worker = || {
            let mut out = Vec::new();
            loop {
                let i = taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(item) = group.get(i) else { return out };
                out.push((i, guarded(item)));
            }
        };
        let handles: Vec<_> = (0..threads.min(group.len()))
            .map(|_| scope.spawn(worker))
            .collect();
        handles
            .into_iter()
            .filter_map(|h| h.join().ok())
            .flatten()
            .collect()
    });
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, d)| d).collect()
}

impl Timing {
    fn line(&self, name: &str, threads: usize) -> String {
        let seconds = self.busy.as_secs_f64() / threads as f64;
        let per = |n: f64| if seconds > 0.0 { n / seconds } else { 0.0 };
        let megabytes = self.bytes as f64 / 1e6;
        format!(
            "{name}: {} docs, {megabytes:.1} MB in {seconds:.2} s: {:.0} docs/s, {:.0} MB/s",
            self.docs,
            per(self.docs as f64),
            per(megabytes)
        )
    }
}
