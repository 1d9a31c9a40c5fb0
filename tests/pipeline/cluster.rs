//! An installation on Apache Kafka, and its stages as processes of their own.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;
use telex_model::Stage;

use crate::broker::{self, Broker};
use crate::world::{Started, World, canonical, finish, free_port, get, said, wait_for};

/// Longest wait for an answer of a broker.
const PATIENCE: Duration = Duration::from_secs(30);

/// The broker of all tests here but those that restart it.
pub(crate) fn shared() -> Option<&'static str> {
    static SHARED: OnceLock<Option<(Option<Broker>, String)>> = OnceLock::new();
    let found = SHARED.get_or_init(|| match broker::given() {
        Some(address) => Some((None, address)),
        None => start("pipeline", 1, &[]).map(|broker| {
            let address = broker.address.clone();
            (Some(broker), address)
        }),
    });
    found.as_ref().map(|(_, address)| address.as_str())
}

pub(crate) fn start(name: &str, brokers: u32, settings: &[&str]) -> Option<Broker> {
    let started = has_kcat().and_then(|()| Broker::start(name, brokers, settings));
    started.map_err(|reason| broker::missing(&reason)).ok()
}

/// A broker that speaks TLS, asks for passwords and allows its users nothing but what ACLs do.
pub(crate) fn start_secure(name: &str, users: &[&str]) -> Option<Broker> {
    let mut arguments = vec!["--secure"];
    arguments.extend(users.iter().flat_map(|user| ["--user", user]));
    let started = Broker::start_with(name, &arguments);
    started.map_err(|reason| broker::missing(&reason)).ok()
}

/// The independent client that says what read-committed consumers see.
fn has_kcat() -> Result<(), String> {
    let asked = Command::new("kcat").arg("-V").output();
    asked
        .map(drop)
        .map_err(|e| format!("kcat cannot be run: {e}; on Debian: apt-get install kcat"))
}

/// An installation on Kafka.
pub(crate) struct Cluster {
    pub(crate) world: World,
    pub(crate) address: String,
    pub(crate) prefix: String,
}

impl Cluster {
    /// A world of its own, with its topics made.
    pub(crate) fn new(address: &str, name: &str) -> Self {
        let cluster = Self::without_topics(address, name);
        let out = cluster.run(&["topics", "apply"]);
        assert!(out.status.success(), "{}", said(&out));
        cluster
    }

    pub(crate) fn without_topics(address: &str, name: &str) -> Self {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros();
        Self {
            world: World::new(),
            address: address.to_owned(),
            prefix: format!("{name}-{now:x}"),
        }
    }

    pub(crate) fn telex(&self, args: &[&str]) -> Command {
        let bus = [
            "--bus",
            "kafka",
            "--brokers",
            &self.address,
            "--topic-prefix",
            &self.prefix,
        ];
        let mut command = self.world.telex(&[args, &bus].concat());
        // Quick to notice who is gone.
        command
            .env("TELEX__BUS__KAFKA__SESSION_TIMEOUT_MS", "3000")
            .env("TELEX__BUS__KAFKA__HEARTBEAT_INTERVAL_MS", "300")
            .env("TELEX__LOG__FILTER", "info");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> std::process::Output {
        finish(self.telex(args))
    }

    /// Every committed message of a topic, as an independent client reads it: key, and value if it has one.
    pub(crate) fn read(&self, topic: &str) -> Vec<(String, Option<Value>)> {
        let topic = format!("{}.{topic}", self.prefix);
        let mut kcat = Command::new("kcat");
        kcat.args([
            "-C",
            "-q",
            "-e",
            "-b",
            &self.address,
            "-t",
            &topic,
            "-o",
            "beginning",
        ])
        .args(["-X", "isolation.level=read_committed", "-f", "%k\t%S\t%s\n"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
        let out = finish(kcat);
        assert!(out.status.success(), "{}", said(&out));
        let text = String::from_utf8(out.stdout).unwrap();
        let message = |line: &str| {
            let mut fields = line.splitn(3, '\t');
            let (key, size, value) = (fields.next()?, fields.next()?, fields.next()?);
            let value = (size != "-1").then(|| serde_json::from_str(value).unwrap());
            Some((key.to_owned(), value))
        };
        text.lines().map(|line| message(line).unwrap()).collect()
    }

    /// The tag topics hold what the world expects, each article once in each of its topics and in no other.
    pub(crate) fn check(&self) {
        let all: Vec<Value> = self
            .read("tagged.v1")
            .into_iter()
            .map(|(_, v)| v.unwrap())
            .collect();
        self.world.check_all(&all);
        for tag in ["ukraine", "nato", "eu-diplomacy"] {
            let mut seen: Vec<String> = self
                .read(&format!("tagged.{tag}.v1"))
                .into_iter()
                .map(|(_, value)| canonical(value.expect("no retraction")["url"].as_str().unwrap()))
                .collect();
            let tagged = |e: &telex_site::Expected| e.tags.iter().any(|t| t == tag);
            let expected = self.world.site.expected();
            let mut wanted: Vec<String> = expected
                .iter()
                .filter(|e| tagged(e))
                .map(|e| canonical(&e.url))
                .collect();
            seen.sort();
            wanted.sort();
            assert_eq!(seen, wanted, "tagged.{tag}.v1");
        }
    }
}

/// Tells whether no transaction is open in any partition: whoever reads committed messages alone gets as far as
/// all others.
pub(crate) fn settled(address: &str) -> bool {
    let reader = |isolation: &str| -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("group.id", "settled")
            .set("isolation.level", isolation)
            .create()
            .expect("a client")
    };
    let (committed, all) = (reader("read_committed"), reader("read_uncommitted"));
    let topics = all.fetch_metadata(None, PATIENCE).expect("the broker answers");
    topics.topics().iter().all(|topic| {
        topic.partitions().iter().all(|partition| {
            let end = |of: &BaseConsumer| of.fetch_watermarks(topic.name(), partition.id(), PATIENCE);
            let (open, end) = (end(&committed), end(&all));
            open.expect("the broker answers").1 == end.expect("the broker answers").1
        })
    })
}

/// The processes of an installation.
pub(crate) struct Processes<'a> {
    cluster: &'a Cluster,
    all: BTreeMap<u16, (Stage, Started)>,
}

impl<'a> Processes<'a> {
    pub(crate) fn none(cluster: &'a Cluster) -> Self {
        let all = BTreeMap::new();
        Self { cluster, all }
    }

    /// So many processes of each stage, which have shared its partitions.
    pub(crate) fn at_work(cluster: &'a Cluster, each: usize) -> Self {
        let mut processes = Self::none(cluster);
        for _ in 0..each {
            for stage in Stage::ALL {
                processes.start(stage);
            }
        }
        Stage::ALL.iter().for_each(|stage| processes.settle(*stage));
        processes
    }

    /// Starts a process of a stage; it is known by the port of its metrics.
    pub(crate) fn start(&mut self, stage: Stage) -> u16 {
        self.start_with(stage, &[])
    }

    /// As [`Processes::start`], with settings in its environment.
    pub(crate) fn start_with(&mut self, stage: Stage, settings: &[(&str, &str)]) -> u16 {
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let mut command = self
            .cluster
            .telex(&["run", stage.name(), "--metrics-listen", &listen]);
        command.envs(settings.iter().copied());
        // Nobody reads while it runs, and a pipe would fill.
        let log = File::create(self.cluster.world.path().join(format!("{stage}-{port}.log"))).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        self.all.insert(port, (stage, Started::new(command)));
        port
    }

    pub(crate) fn ports(&self) -> Vec<u16> {
        self.all.keys().copied().collect()
    }

    pub(crate) fn ready(&self) -> bool {
        self.ports().iter().all(|port| ready(*port) == Some(true))
    }

    pub(crate) fn of(&self, stage: Stage) -> Vec<u16> {
        let ours = self.all.iter().filter(|(_, (s, _))| *s == stage);
        ours.map(|(port, _)| *port).collect()
    }

    pub(crate) fn kill(&mut self, port: u16) {
        self.all.remove(&port).unwrap().1.kill();
    }

    /// Tells a process to end in good order.
    pub(crate) fn stop(&mut self, port: u16) {
        let (stage, process) = self.all.remove(&port).unwrap();
        process.signal("TERM");
        let out = process.finish();
        let log = self.cluster.world.path().join(format!("{stage}-{port}.log"));
        assert!(
            out.status.success(),
            "{stage}: {}",
            std::fs::read_to_string(log).unwrap()
        );
    }

    pub(crate) fn signal(&self, port: u16, name: &str) {
        self.all[&port].1.signal(name);
    }

    /// Partitions that a process has.
    pub(crate) fn share(&self, port: u16) -> f64 {
        metric(port, "assigned_partitions", self.all[&port].0).unwrap_or(0.0)
    }

    /// Waits until the processes of a stage share its partitions.
    pub(crate) fn settle(&self, stage: Stage) {
        wait_for("partitions to be shared", || {
            let owned: Vec<f64> = self.of(stage).iter().map(|port| self.share(*port)).collect();
            owned.iter().all(|n| *n > 0.0) && owned.iter().sum::<f64>() == 12.0
        });
    }

    /// Messages that the processes of a stage have read and committed.
    pub(crate) fn done(&self, stage: Stage) -> f64 {
        let read = |port: &u16| metric(*port, "messages_in_total", stage).unwrap_or(0.0);
        self.of(stage).iter().map(read).sum()
    }
}

impl Drop for Processes<'_> {
    /// A test that fails shows what its processes said.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for (port, (stage, _)) in &self.all {
            let log = self.cluster.world.path().join(format!("{stage}-{port}.log"));
            let text = std::fs::read_to_string(log).unwrap_or_default();
            // What the clients say of brokers that are away is the same over and over.
            let ours = |line: &&str| !line.contains("librdkafka");
            let last: Vec<&str> = text.lines().filter(ours).rev().take(30).collect();
            let metric = |name| metric(*port, name, *stage);
            eprintln!(
                "{stage} on {port}: ready {:?}, {:?} partitions, lag {:?}",
                ready(*port),
                metric("assigned_partitions"),
                metric("lag_messages")
            );
            last.iter().rev().for_each(|line| eprintln!("    {line}"));
        }
    }
}

fn metric(port: u16, name: &str, stage: Stage) -> Option<f64> {
    let (_, text) = get(port, "/metrics")?;
    let series = format!("telex_{name}{{stage=\"{stage}\"}}");
    text.lines()
        .find_map(|l| l.strip_prefix(&series)?.trim().parse().ok())
}

pub(crate) fn ready(port: u16) -> Option<bool> {
    get(port, "/readyz").map(|(status, _)| status == 200)
}
