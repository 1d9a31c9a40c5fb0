//! A real broker for tests, started and stopped by `deploy/kafka/kafka.sh`.
//!
//! `TELEX_TEST_KAFKA` names one that runs already; where none can be had the tests say so, and in CI they fail.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The broker that somebody else runs for the tests.
pub fn given() -> Option<String> {
    std::env::var("TELEX_TEST_KAFKA")
        .ok()
        .filter(|address| !address.is_empty())
}

/// Says that nothing is tested on Kafka, and why; `make test` repeats it in its closing line. In CI that is a failure.
pub fn missing(reason: &str) {
    if std::env::var_os("CI").is_some_and(|v| v == "true") {
        panic!("no Kafka broker: {reason}");
    }
    let note = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nothing-tested-on-kafka");
    std::fs::write(note, reason).unwrap_or_default();
    // Past the test harness, which shows nothing of tests that pass.
    let text = format!("\nNO KAFKA BROKER, SO NOTHING WAS TESTED ON KAFKA: {reason}\n");
    std::io::stderr().write_all(text.as_bytes()).unwrap_or_default();
}

/// How a broker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    InGoodOrder,
    /// As when its machine fails.
    WithoutNotice,
}

/// One broker or three, which end with this value, or with the process, however that ends.
pub struct Broker {
    /// Where clients begin: `host:port`, joined by commas.
    pub address: String,
    /// What the script keeps; of a secure broker `tls/ca.pem` and `users/NAME.password` too.
    pub folder: PathBuf,
    /// Its standard input is what keeps the broker running.
    script: Child,
}

impl Broker {
    /// Starts one broker or three with further settings, each `key=value`.
    pub fn start(name: &str, brokers: u32, settings: &[&str]) -> Result<Self, String> {
        let brokers = brokers.to_string();
        let mut arguments = vec!["--brokers", &brokers];
        arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        Self::start_with(name, &arguments)
    }

    /// Starts a broker with arguments of the script.
    pub fn start_with(name: &str, arguments: &[&str]) -> Result<Self, String> {
        sweep(Path::new(env!("CARGO_TARGET_TMPDIR")));
        let folder = folder(name);
        let mut command = script("run", &folder);
        let mut script = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("bash cannot be run: {e}"))?;
        let mut line = String::new();
        let output = script.stdout.take().expect("it is piped");
        let read = BufReader::new(output).read_line(&mut line);
        if read.is_err() || line.trim().is_empty() {
            let mut errors = String::new();
            let mut stderr = script.stderr.take().expect("it is piped");
            stderr.read_to_string(&mut errors).map_err(|e| e.to_string())?;
            return Err(errors.trim().to_owned());
        }
        Ok(Self {
            address: line.trim().to_owned(),
            folder,
            script,
        })
    }

    /// Ends one of the brokers, which count from 1.
    ///
    /// Of a lone broker no transaction may be under way when it ends, however it does: what it has decided to commit
    /// and not yet marked in the partitions, it takes for partitions that are gone, and the transaction stays open for
    /// ever (seen with Apache Kafka 4.3.1: killed, when it starts again, its log says "Couldn't find leader endpoint
    /// for partitions"; told to end, it writes that the commit is complete while it shuts down, and no marker). Of
    /// several, another one takes over.
    pub fn end(&self, number: u32, how: End) {
        let file = self.folder.join(format!("broker-{number}/pid"));
        let pid = std::fs::read_to_string(file).expect("it runs");
        let signal = match how {
            End::InGoodOrder => "-TERM",
            End::WithoutNotice => "-KILL",
        };
        let sent = Command::new("kill").args([signal, pid.trim()]).status();
        assert!(sent.is_ok_and(|s| s.success()));
        while self.runs(number) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Tells whether one of the brokers runs.
    pub fn runs(&self, number: u32) -> bool {
        let status = script("status", &self.folder).output().expect("bash runs");
        String::from_utf8_lossy(&status.stdout).contains(&format!("broker-{number}: runs"))
    }

    /// Starts brokers that ended again, with their data, where they were.
    pub fn restart(&self) {
        let started = script("up", &self.folder).stdout(Stdio::null()).status();
        assert!(started.is_ok_and(|s| s.success()));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        if self.script.wait().is_ok() && !std::thread::panicking() {
            std::fs::remove_dir_all(&self.folder).unwrap_or_default();
        }
    }
}

/// Where the brokers of that name are kept.
pub fn folder(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    root.join(format!("kafka-{name}-{}", std::process::id()))
}

fn script(command: &str, folder: &Path) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kafka/kafka.sh");
    let mut bash = Command::new("bash");
    bash.arg(path).arg(command).arg("--dir").arg(folder);
    bash
}

/// Removes what earlier runs left, but of brokers that run and of tests that do: theirs may be stopped for a moment.
fn sweep(root: &Path) {
    let Ok(entries) = std::fs::read_dir(root) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name
            .starts_with("kafka-")
            .then(|| name.rsplit('-').next())
            .flatten();
        let at_work = |id: &str| id == std::process::id().to_string() || Path::new("/proc").join(id).exists();
        if owner.is_none_or(at_work) || !entry.path().join("bootstrap").exists() {
            continue;
        }
        let runs = script("status", &entry.path()).stdout(Stdio::null()).status();
        if runs.is_ok_and(|s| !s.success()) {
            std::fs::remove_dir_all(entry.path()).unwrap_or_default();
        }
    }
}
