//! A console on a free port, with a bus and a database of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use telex_console::{Parts, Setting, TopicAbout};
use telex_model::{ArticleId, Stage, Tagged, Topic, event};
use telex_sink::{Change, Database, Row, Sink, SqliteOptions, SqliteSink};
use telex_stream::sqlite::{SqliteBus, SqliteOptions as BusOptions};
use telex_stream::{Bus, Output, Route};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const TOKEN: &str = "a token of forty characters and some more";

/// Nothing here takes longer on a machine that is fit to run it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Console {
    pub(crate) address: SocketAddr,
    pub(crate) bus: Arc<dyn Bus>,
    folder: tempfile::TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|l| {
            let (n, value) = l.split_once(':')?;
            n.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Console {
    /// One with these articles in its sink; without any there is no database.
    pub(crate) async fn with(articles: &[Tagged]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("articles.sqlite");
        if !articles.is_empty() {
            store(&path, articles);
        }
        Self::start(folder, Some(Database::Sqlite(path)), Some(TOKEN)).await
    }

    pub(crate) async fn start(
        folder: tempfile::TempDir,
        articles: Option<Database>,
        token: Option<&str>,
    ) -> Self {
        let bus = SqliteBus::open(BusOptions::new(folder.path(), true)).unwrap();
        bus.create_topics("telex", &Topic::fixed()).unwrap();
        let bus: Arc<dyn Bus> = Arc::new(bus);
        let about = |name: &str| TopicAbout {
            name: name.to_owned(),
            about: format!("All of {name}"),
        };
        let parts = Parts {
            bus: Arc::clone(&bus),
            prefix: "telex".to_owned(),
            articles,
            metrics: None,
            settings: vec![Setting {
                name: "console.token".to_owned(),
                value: json!("(hidden)"),
                origin: "default".to_owned(),
            }],
            topics: ["nato", "ukraine"].map(about).to_vec(),
            topics_version: "0a".to_owned(),
            token: token.map(str::to_owned),
            hosts: vec!["desk.example.org".to_owned()],
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(telex_telemetry::serve_http(
            listener,
            telex_console::router(parts).unwrap(),
        ));
        Self { address, bus, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends a request as it stands; `Host` is added.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream
            .write_all(format!("{head}\r\n{body}").as_bytes())
            .await
            .unwrap();
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut bytes));
        read.await.expect("an answer in time").unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no head: {text:?}"));
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: whole(head, body),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// A page that must be there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// Sends JSON with the token.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
        ];
        self.send("POST", path, &headers, &body.to_string()).await
    }

    /// Puts a dead letter on the bus.
    pub(crate) fn dead(&self, stage: Stage, key: &str, reason: &str, value: &str) {
        let headers = [
            (event::DEAD_REASON, reason),
            (event::DEAD_DETAIL, "what went wrong <b>"),
            (event::DEAD_ORIGIN, "telex.pages.v1/3/17"),
        ];
        let output = Output {
            topic: Topic::DeadLetters(stage).name("telex"),
            key: key.to_owned().into(),
            route: Route::Partition(0),
            value: Some(value.to_owned().into()),
            headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec(),
        };
        self.bus.append(vec![output]).unwrap();
    }
}

/// Puts chunks together.
fn whole(head: &str, body: &str) -> String {
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut out, mut rest) = (String::new(), body);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        out.push_str(after.get(..size).unwrap());
        rest = after.get(size + 2..).unwrap_or_default();
    }
    out
}

pub(crate) fn time(minutes: i64) -> Timestamp {
    let day: Timestamp = "2026-11-20T00:00:00Z".parse().unwrap();
    day + SignedDuration::from_mins(minutes)
}

/// Article number `n`, first seen in that minute.
pub(crate) fn article(n: u32) -> Tagged {
    let link = format!("https://news.example/{n}").parse().unwrap();
    let value = json!({
        "id": ArticleId::of_link(&link), "revision": 1, "topics_version": "0a", "url": format!("https://news.example/{n}"),
        "title": format!("Report number {n} from Kyiv"),
        "text": "The council of NATO met on Tuesday.\nIt adjourned at noon.",
        "authors": ["A. Writer"], "published": time(i64::from(n)), "first_seen": time(i64::from(n)),
        "language": "en", "kind": "article",
        "source": {"feed_url": "https://news.example/feed", "domain": "news.example", "site_name": "News"},
        "tags": [{"topic": "nato", "score": 0.9, "evidence": [
            {"term": "nato", "where": "text", "start": 15, "end": 19, "weight": 1.8}]}],
    });
    serde_json::from_value(value).unwrap()
}

/// Three articles with the same text.
pub(crate) fn versions() -> Vec<Tagged> {
    let text: String = (0..200).map(|n| format!("word{n} ")).collect();
    let version = |n| {
        let mut a = article(n);
        a.text.clone_from(&text);
        a.fingerprint = Some("0f0f0f0f0f0f0f0f".to_owned());
        a
    };
    (1..=3).map(version).collect()
}

/// Stores articles in a new database.
pub(crate) fn store(path: &Path, articles: &[Tagged]) {
    store_from(path, 0, articles);
}

/// Stores articles from an offset on.
pub(crate) fn store_from(path: &Path, offset: u64, articles: &[Tagged]) {
    store_in(
        &mut SqliteSink::open(path, &SqliteOptions::default()).unwrap(),
        offset,
        articles,
    );
}

/// Stores articles from an offset on.
pub(crate) fn store_in(sink: &mut dyn Sink, offset: u64, articles: &[Tagged]) {
    let json: Vec<String> = articles
        .iter()
        .map(|a| serde_json::to_string(a).unwrap())
        .collect();
    let rows: Vec<Row<'_>> = (offset..)
        .zip(articles.iter().zip(&json))
        .map(|(offset, (article, json))| Row {
            partition: 0,
            offset,
            next: offset + 1,
            timestamp: time(0),
            change: Change::Put { article, json },
        })
        .collect();
    sink.store("test", &rows).unwrap();
}
