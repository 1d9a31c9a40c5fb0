//! A console that is looked at while a bench runs, and what that costs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use telex_telemetry::Metrics;
use tokio::runtime::Runtime;

use super::Context;
use crate::command::console;
use crate::config::{Config, Layers};
use crate::error::CliError;
use crate::open::OpenBus;

/// Names of the threads of the console and of those who look at it.
const CONSOLE: &str = "console";
const READER: &str = "looks";

/// Between two pages.
const EVERY: Duration = Duration::from_secs(1);

/// The pages that are looked at, one after the other.
const PAGES: [&str; 4] = ["/", "/articles", "/articles?tag=nato", "/feeds"];

/// The streams that are read all the time.
const STREAMS: [&str; 2] = ["/events", "/api/v1/events"];

/// A console with readers of both its streams and somebody who looks at a page each second.
pub(super) struct Watched {
    runtime: Runtime,
    ended: Arc<AtomicBool>,
    readers: Vec<JoinHandle<()>>,
}

impl Watched {
    /// Begins to look.
    pub(super) fn start(config: &Config, open: &OpenBus, metrics: &Arc<Metrics>) -> Result<Self, CliError> {
        let context = Context {
            config: config.clone(),
            layers: Layers::new(),
            output: crate::cli::OutputFormat::Text,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name(CONSOLE)
            .build();
        let failed = |e: std::io::Error| CliError::Unavailable(format!("the console of the bench: {e}"));
        let runtime = runtime.map_err(failed)?;
        let parts = console::parts(&context, open, Some(Arc::clone(metrics)))?;
        let address = console::serve_anywhere(parts, &runtime)?;
        let ended = Arc::new(AtomicBool::new(false));
        let mut readers = Vec::new();
        for path in STREAMS {
            let end = Arc::clone(&ended);
            readers.push(spawn(move || {
                while !end.load(Ordering::Acquire) {
                    // Until there is a database there is no stream.
                    let read = follow(address, path, &end);
                    tracing::debug!(?read, path, "a stream ended");
                    std::thread::sleep(EVERY);
                }
            })?);
        }
        let end = Arc::clone(&ended);
        readers.push(spawn(move || {
            for page in PAGES.iter().cycle() {
                if end.load(Ordering::Acquire) {
                    return;
                }
                let read = ask(address, page).and_then(|mut s| s.read_to_end(&mut Vec::new()));
                if let Err(error) = read {
                    tracing::warn!(%error, page, "a page was not answered");
                }
                std::thread::sleep(EVERY);
            }
        })?);
        Ok(Self {
            runtime,
            ended,
            readers,
        })
    }

    /// Stops looking; gives the processor time of the console and of those who looked.
    pub(super) fn end(self) -> (Duration, Duration) {
        let used = (of_threads(CONSOLE), of_threads(READER));
        self.ended.store(true, Ordering::Release);
        for reader in self.readers {
            drop(reader.join());
        }
        self.runtime.shutdown_background();
        used
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, CliError> {
    let built = std::thread::Builder::new().name(READER.to_owned()).spawn(work);
    built.map_err(|e| CliError::Unavailable(format!("no thread: {e}")))
}

/// Reads a stream until it ends, or until told to.
fn follow(address: SocketAddr, path: &str, end: &AtomicBool) -> std::io::Result<()> {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    let mut stream = ask(address, path)?;
    stream.set_read_timeout(Some(EVERY))?;
    let mut buffer = vec![0; 64 << 10];
    while !end.load(Ordering::Acquire) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Err(error) if !matches!(error.kind(), TimedOut | WouldBlock) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn ask(address: SocketAddr, path: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    Ok(stream)
}

/// Processor time of the threads of this process that have this name.
fn of_threads(name: &str) -> Duration {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return Duration::ZERO;
    };
    let of = |thread: std::fs::DirEntry| {
        let read = |file: &str| std::fs::read_to_string(thread.path().join(file)).ok();
        if read("comm")?.trim_end() != name {
            return None;
        }
        let nanoseconds = read("schedstat")?.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    };
    threads.flatten().filter_map(of).sum()
}
