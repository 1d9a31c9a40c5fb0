//! `telex bench console`: how long the console's pages take, over real HTTP on a database of any size.
//!
//! Their words are [`Words`], so that the index has the shape that it has with real text.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use telex_model::{Article, ArticleId, Evidence, Kind, Source, Tag, Tagged, Where};
use telex_sink::{Articles, Change, Query, Row, Sink, SqliteOptions, SqliteSink};
use telex_site::{Words, word};
use url::Url;

use super::{Context, running, unavailable};
use crate::cli::{BenchConsoleArgs, OutputFormat};
use crate::command::console;
use crate::config::{BusConfig, DataDir};
use crate::error::CliError;
use crate::open::{self, Use};
use crate::output;

/// Articles stored in one transaction.
const BATCH: u32 = 1000;

/// Bytes of an article's text: a short report.
const TEXT_BYTES: usize = 1500;

/// Articles are spread over so many days.
const DAYS: i64 = 30;

/// One request to a combination of filters for so many to each page: there are hundreds.
const REQUESTS_PER_COMBINATION: u32 = 40;

/// Combinations told of: the slowest.
const SLOWEST: usize = 5;

/// Sources of the articles.
const SOURCES: u64 = 300;

/// Measures.
pub(super) fn run(context: &Context, args: &BenchConsoleArgs) -> Result<(), CliError> {
    let temporary = tempfile::tempdir().map_err(unavailable("no temporary folder"))?;
    let folder = args.folder.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder).map_err(unavailable("the folder"))?;
    let mut config = context.config.clone();
    config.data_dir = DataDir(folder.to_owned());
    config.bus = BusConfig::default();
    let path = open::articles_path(&config);
    let stored = fill(&path, args.articles)?;
    let id = newest(&path)?;
    let context = Context {
        config,
        layers: crate::config::Layers::new(),
        output: context.output,
    };
    let runtime = running::runtime()?;
    let open = open::bus(&context.config, Use::Run)?;
    let served = console::parts(&context, &open, None)?;
    let address = console::serve_anywhere(served, &runtime)?;
    if context.output == OutputFormat::Text {
        output::line(&format!(
            "{stored} articles; milliseconds to the first byte, and to the last"
        ))?;
    }
    let tell = |what: &str, times: &Times| tell(context.output, stored, what, times);
    for (what, page) in pages(&id) {
        let times = measure(address, &page, args.requests).map_err(unavailable("the console"))?;
        tell(what, &times)?;
    }
    let each = args.requests.div_ceil(REQUESTS_PER_COMBINATION);
    let (mut all, mut slowest) = (Times::default(), Vec::new());
    for page in combinations(Timestamp::now()) {
        let times = measure(address, &page, each).map_err(unavailable("the console"))?;
        all.first.extend_from_slice(&times.first);
        all.last.extend_from_slice(&times.last);
        slowest.push((times.at(0.5).0, page, times));
    }
    tell("every combination of filters", &all.sorted())?;
    slowest.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
    for (_, page, times) in slowest.iter().take(SLOWEST) {
        tell(page, times)?;
    }
    Ok(())
}

/// Says how long a page took.
fn tell(format: OutputFormat, articles: u64, what: &str, times: &Times) -> Result<(), CliError> {
    let ((first, last), (first_99, last_99)) = (times.at(0.5), times.at(0.99));
    match format {
        OutputFormat::Json => output::json(&json!({
            "page": what, "articles": articles, "first_p50": first, "first_p99": first_99, "last_p50": last, "last_p99": last_99,
        })),
        OutputFormat::Text => output::line(&format!(
            "{what:28} median {first:6.1} {last:6.1}   99 % {first_99:6.1} {last_99:6.1}"
        )),
    }
}

/// Pages, and what they are an example of.
fn pages(id: &str) -> Vec<(&'static str, String)> {
    let search = |words: &str| {
        let query: String = url::form_urlencoded::byte_serialize(words.as_bytes()).collect();
        format!("/articles?q={query}")
    };
    let common = word(1);
    vec![
        ("overview", "/".to_owned()),
        ("articles", "/articles".to_owned()),
        ("articles of a tag", "/articles?tag=nato".to_owned()),
        ("an article", format!("/articles/{id}")),
        ("Atom", "/feeds/nato.atom".to_owned()),
        ("search: the commonest word", search(&common)),
        ("search: two words", search(&format!("{} {}", word(5), word(40)))),
        ("search: a rare word", search(&word(40_000))),
        ("search: a beginning", search(&format!("{}*", word(700)))),
        (
            "search: one without another",
            search(&format!("{} -{}", word(3), word(4))),
        ),
        ("search in a tag", format!("{}&tag=nato", search(&common))),
    ]
}

/// Every combination of filters, words among them or not: common ones, rare ones, and none that fits.
fn combinations(now: Timestamp) -> Vec<String> {
    let day = |days: i64| {
        (now - SignedDuration::from_hours(24 * days))
            .strftime("%F")
            .to_string()
    };
    let span = format!("since={}&until={}", day(20), day(19));
    let search = |words: &str| {
        let query: String = url::form_urlencoded::byte_serialize(words.as_bytes()).collect();
        format!("q={query}")
    };
    let mut queries = vec![String::new()];
    for choices in [
        vec!["tag=ukraine".to_owned(), "tag=nato".to_owned()],
        vec![
            "language=en".to_owned(),
            "language=el".to_owned(),
            "language=xx".to_owned(),
        ],
        vec![
            "source=paper-7.example".to_owned(),
            "source=nowhere.example".to_owned(),
        ],
        vec![span, format!("since={}", day(2)), format!("until={}", day(10))],
        vec![
            search(&word(1)),
            search(&word(700)),
            search(&format!("{} -{}", word(3), word(40))),
            search(&format!("-{}", word(40))),
        ],
    ] {
        let with = |before: &String| {
            let with: Vec<String> = choices.iter().map(|c| format!("{before}&{c}")).collect();
            with
        };
        let more: Vec<String> = queries.iter().flat_map(with).collect();
        queries.extend(more);
    }
    queries
        .iter()
        .map(|q| format!("/articles?{}", q.trim_start_matches('&')))
        .collect()
}

/// Makes article number `n`.
fn tagged(words: &mut Words, n: u32, of: u32, now: Timestamp) -> Result<Tagged, CliError> {
    let domain = format!("paper-{}.example", words.number() % SOURCES);
    let address = format!("https://{domain}/{n}");
    let link = Url::parse(&address).map_err(|e| CliError::Bug(e.to_string()))?;
    let age = SignedDuration::from_secs(DAYS * 86_400 / i64::from(of.max(1)) * i64::from(of - n));
    let language = match words.number() % 100 {
        0..60 => "en",
        60..80 => "uk",
        80..99 => "de",
        _ => "el",
    };
    let article = Article {
        id: ArticleId::of_link(&link),
        revision: 1,
        url: address,
        canonical_url: None,
        title: words.text(60),
        text: words.text(TEXT_BYTES),
        authors: vec!["A. Writer".to_owned()],
        published: None,
        modified: None,
        first_seen: now - age,
        language: Some(language.to_owned()),
        kind: Kind::Article,
        source: Source {
            domain,
            ..Source::default()
        },
        fingerprint: None,
        lead_image: None,
        quality: 0.9,
        fetch_error: None,
    };
    let chance = words.number() % 100;
    let tag = |(name, share): (&str, u64)| (chance < share).then(|| tag(name));
    let tags = [("ukraine", 20), ("nato", 5)]
        .into_iter()
        .filter_map(tag)
        .collect();
    Ok(Tagged::new(article, "0a", tags, Vec::new()))
}

fn tag(name: &str) -> Tag {
    Tag {
        topic: name.to_owned(),
        score: 0.9,
        evidence: vec![Evidence {
            term: name.to_owned(),
            place: Where::Text,
            start: 0,
            end: 4,
            weight: 1.5,
        }],
    }
}

/// Stores articles, if there are none; gives their number.
fn fill(path: &Path, articles: u32) -> Result<u64, CliError> {
    if path.exists() {
        return Ok(Articles::open(path)?.count(&Query::default())?);
    }
    let mut sink = SqliteSink::open(path, &SqliteOptions::default())?;
    let (mut words, now) = (Words::default(), Timestamp::now());
    for from in (0..articles).step_by(usize::try_from(BATCH).unwrap_or(1)) {
        let until = articles.min(from + BATCH);
        let made: Vec<Tagged> = (from..until)
            .map(|n| tagged(&mut words, n, articles, now))
            .collect::<Result<_, _>>()?;
        let json: Vec<Vec<u8>> = made.iter().map(telex_model::to_json).collect();
        let rows = (u64::from(from)..).zip(made.iter().zip(&json));
        let rows: Vec<Row<'_>> = rows
            .map(|(offset, (article, json))| Row {
                partition: 0,
                offset,
                next: offset + 1,
                timestamp: now,
                change: Change::Put {
                    article,
                    json: std::str::from_utf8(json).unwrap_or_default(),
                },
            })
            .collect();
        sink.store("bench", &rows)?;
    }
    Ok(u64::from(articles))
}

fn newest(path: &Path) -> Result<String, CliError> {
    let articles = Articles::open(path)?;
    let newest = articles.query(&Query::default()).next().transpose()?;
    let newest = newest.and_then(|a| a.parse().ok()).map(|a| a.id.to_string());
    newest.ok_or_else(|| CliError::Usage("--articles: at least one".to_owned()))
}

/// Milliseconds to the first and the last byte, each in order.
#[derive(Default)]
struct Times {
    first: Vec<f64>,
    last: Vec<f64>,
}

impl Times {
    fn sorted(mut self) -> Self {
        self.first.sort_by(f64::total_cmp);
        self.last.sort_by(f64::total_cmp);
        self
    }

    fn at(&self, share: f64) -> (f64, f64) {
        let of = |times: &[f64]| {
            let at = (times.len() as f64 * share).ceil() as usize;
            times.get(at.saturating_sub(1)).copied().unwrap_or_default()
        };
        (of(&self.first), of(&self.last))
    }
}

/// Asks for a page again and again.
fn measure(address: SocketAddr, page: &str, requests: u32) -> std::io::Result<Times> {
    let mut times = Times::default();
    for _ in 0..requests {
        let (first, last) = ask(address, page)?;
        times.first.push(first.as_secs_f64() * 1000.0);
        times.last.push(last.as_secs_f64() * 1000.0);
    }
    Ok(times.sorted())
}

fn ask(address: SocketAddr, page: &str) -> std::io::Result<(Duration, Duration)> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer)?;
    let first = begun.elapsed();
    stream.read_to_end(&mut answer)?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        let text = String::from_utf8_lossy(&answer);
        let what = text.lines().next().unwrap_or_default();
        return Err(std::io::Error::other(format!("{page}: {what}")));
    }
    Ok((first, begun.elapsed()))
}
