//! What every test needs: the news world, the binary, and what it leaves behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use telex_model::canonical_url;
use telex_site::{Expected, Options, Site};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use url::Url;

/// Nothing here takes longer on a machine that is fit to run it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// The news world on loopback, and a folder for one installation.
pub(crate) struct World {
    runtime: Runtime,
    pub(crate) site: Site,
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let options = Options {
            slow: Duration::from_millis(300),
            ..Options::default()
        };
        let site = runtime.block_on(Site::start(options)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("feeds.opml"), site.opml().unwrap()).unwrap();
        Self {
            runtime,
            site,
            folder,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// The binary in this world: quick retries, hosts that take many requests.
    pub(crate) fn telex(&self, args: &[&str]) -> Command {
        let mut command = telex(args);
        command
            .current_dir(self.path())
            .env("TELEX__DATA_DIR", self.data())
            .env("TELEX__LIMITS__HOST__REQUESTS_PER_SECOND", "1000")
            .env("TELEX__LIMITS__HOST__CONCURRENCY", "8")
            .env("TELEX__WEB__ALLOW_ADDRESSES", "[\"127.0.0.0/8\"]")
            .env("TELEX__FETCHER__FIRST_RETRY", "0.2s")
            // Many run at once; the tests of the console choose its address.
            .env("TELEX__CONSOLE__ENABLED", "false");
        command
    }

    /// `run all --once`; its summary.
    pub(crate) fn once(&self) -> Value {
        let out = finish(self.telex(&[
            "run",
            "all",
            "--once",
            "--feeds",
            "feeds.opml",
            "--output",
            "json",
        ]));
        assert!(out.status.success(), "{out:?}");
        serde_json::from_slice(out.stdout.trim_ascii().rsplit(|b| *b == b'\n').next().unwrap()).unwrap()
    }

    /// The articles of the sink.
    pub(crate) fn articles(&self, more: &[&str]) -> Vec<Value> {
        rows(&finish(self.telex(&[&["articles", "--jsonl"], more].concat())))
    }

    /// The articles on the bus, with a tag or all.
    pub(crate) fn tapped(&self, tag: Option<&str>) -> Vec<Value> {
        let limit = self.on_bus(tag).to_string();
        let mut args = vec!["tap", "--from-start", "--output", "json", "--limit", &limit];
        args.extend(tag.iter().flat_map(|t| ["--tag", t]));
        rows(&finish(self.telex(&args)))
    }

    fn on_bus(&self, tag: Option<&str>) -> u64 {
        let topic = tag.map_or("telex.tagged.v1".to_owned(), |t| format!("telex.tagged.{t}.v1"));
        bus(&self.data()).ends_sum(&topic)
    }

    /// Compares articles with what the world expects: each exactly once, with the right tags.
    pub(crate) fn check_all(&self, articles: &[Value]) {
        let mut left: BTreeMap<String, Expected> = self
            .site
            .expected()
            .into_iter()
            .map(|e| (canonical(&e.url), e))
            .collect();
        let mut wrong = Vec::new();
        for article in articles {
            let url = article["url"].as_str().unwrap();
            match left.remove(&canonical(url)) {
                Some(expected) if tags(article) == sorted(&expected.tags) => {}
                Some(expected) => wrong.push(format!("{url}: {:?}, not {:?}", tags(article), expected.tags)),
                None => wrong.push(format!("{url}: came twice or was not expected")),
            }
        }
        wrong.extend(left.keys().map(|url| format!("{url}: did not come")));
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The site's tasks end with the runtime; nothing waits for them.
        let _context = self.runtime.enter();
    }
}

pub(crate) fn canonical(url: &str) -> String {
    canonical_url(&Url::parse(url).unwrap())
}

pub(crate) fn tags(article: &Value) -> Vec<String> {
    let tags: Vec<String> = article["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["topic"].as_str().unwrap().to_owned())
        .collect();
    sorted(&tags)
}

fn sorted(tags: &[String]) -> Vec<String> {
    let mut tags = tags.to_vec();
    tags.sort();
    tags
}

/// The binary under test.
pub(crate) fn telex(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telex"));
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TELEX_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end; a command that hangs fails the test.
pub(crate) fn finish(mut command: Command) -> Output {
    let child = Started(Some(command.spawn().unwrap()));
    child.finish()
}

/// A process that does not outlive its test.
pub(crate) struct Started(pub(crate) Option<Child>);

impl Started {
    pub(crate) fn new(mut command: Command) -> Self {
        Self(Some(command.spawn().unwrap()))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    pub(crate) fn ended(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    pub(crate) fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the end; output is read meanwhile, so that a full pipe holds nobody up.
    pub(crate) fn finish(mut self) -> Output {
        let child = self.0.take().unwrap();
        let id = child.id();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        match receiver.recv_timeout(DEADLINE) {
            Ok(output) => output.unwrap(),
            Err(_) => {
                Command::new("kill")
                    .args(["-9", &id.to_string()])
                    .status()
                    .unwrap();
                panic!("process {id} did not end within {DEADLINE:?}");
            }
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The JSON rows of an output.
pub(crate) fn rows(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    output
        .stdout
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect()
}

/// What a process said on standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits for something to become true.
pub(crate) fn wait_for(what: &str, mut fine: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !fine() {
        assert!(begin.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Asks an HTTP server; status and body.
pub(crate) fn get(port: u16, path: &str) -> Option<(u16, String)> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split_whitespace().nth(1)?.parse().ok()?, body.to_owned()))
}

/// The bus of an installation, opened beside whoever runs on it.
pub(crate) fn bus(data: &Path) -> OpenBus {
    use telex_stream::sqlite::{SqliteBus, SqliteOptions};
    OpenBus(SqliteBus::open(SqliteOptions::new(data, false)).unwrap())
}

pub(crate) struct OpenBus(pub(crate) telex_stream::sqlite::SqliteBus);

impl OpenBus {
    /// Records of a topic.
    pub(crate) fn ends_sum(&self, topic: &str) -> u64 {
        use telex_stream::Bus;
        self.0.ends(topic).unwrap().iter().map(|e| e.end - e.first).sum()
    }
}
