//! `telex demo`: the whole pipeline on a small news world of its own.

use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use telex_model::{Origin, Stage, Tagged, canonical_url};
use telex_operate::Feeds;
use telex_sink::{Articles, Order, Query};
use telex_site::{Expected, Options, Site};
use url::Url;

use super::{Context, explain, run as running};
use crate::cli::DemoArgs;
use crate::config::{BusConfig, Config, DataDir, Period};
use crate::error::CliError;
use crate::open::{self, Use};
use crate::output::{self, harmless};
use crate::pipeline::Pipeline;

/// How often the screen is drawn.
const FRAME: Duration = Duration::from_millis(200);

/// Runs the demo in a temporary folder.
pub(crate) fn run(context: Context, args: &DemoArgs) -> Result<(), CliError> {
    let folder =
        tempfile::tempdir().map_err(|e| CliError::Unavailable(format!("no temporary folder: {e}")))?;
    let runtime = running::runtime()?;
    let stopped = running::on_signal(&runtime)?;
    let site = runtime
        .block_on(Site::start(Options::default()))
        .map_err(|e| CliError::Unavailable(format!("the demo's site: {e}")))?;
    let expected = site.expected();
    introduce(&site, &expected)?;
    let config = settings(context.config, folder.path())?;
    let open = open::bus(&config, Use::Run)?;
    let opml = site
        .opml()
        .map_err(|e| CliError::Bug(format!("the demo's OPML: {e}")))?;
    let listed = telex_poller::list::parse(&opml).map_err(|e| CliError::Bug(e.to_string()))?;
    let feeds = Feeds::new(open.bus.as_ref(), &config.bus.topic_prefix);
    feeds.declare(listed, Origin::File)?;
    let mut pipeline = Pipeline::start(&config, &open, &Stage::ALL, false, runtime.handle())?;
    let begun = Instant::now();
    let mut screen = Screen::default();
    let mut polls = site.feeds().len() as u64;
    let mut again = false;
    let mut came = None;
    let whole = loop {
        if pipeline.ended()? || *stopped.borrow() {
            break false;
        }
        screen.draw(&pipeline)?;
        let polled = pipeline.polled.polled.load(std::sync::atomic::Ordering::Relaxed);
        if polled >= polls && stored(&config)? >= expected.len() as u64 && quiet(&pipeline) {
            if again {
                break true;
            }
            // Everything has come: a second poll of every feed must bring nothing.
            came = Some(begun.elapsed());
            again = true;
            polls = polled + feeds.poll(&[], Timestamp::now())? as u64;
        }
        if begun.elapsed().as_secs() >= args.deadline {
            break false;
        }
        std::thread::sleep(FRAME);
    };
    screen.draw(&pipeline)?;
    let seconds = came.unwrap_or_else(|| begun.elapsed()).as_secs_f64();
    let metrics = pipeline.metrics.render();
    pipeline.finish()?;
    let verdict = report(&config, &expected)?;
    summary(&pipeline, &site, &verdict, seconds, &metrics)?;
    runtime.block_on(site.stop());
    if whole && verdict.wrong.is_empty() {
        return Ok(());
    }
    let what = if whole {
        verdict.wrong.join("\n")
    } else {
        format!("not everything came through within {} s", args.deadline)
    };
    Err(CliError::Findings(what))
}

/// The settings that make a demo short: many requests a second to hosts that are ours, quick retries.
fn settings(mut config: Config, folder: &std::path::Path) -> Result<Config, CliError> {
    config.data_dir = DataDir(folder.to_owned());
    // Its feeds are no business of a broker that others use.
    config.bus = BusConfig::default();
    config.limits.host.requests_per_second = 20.0;
    config.limits.host.concurrency = NonZeroU32::MIN.saturating_add(3);
    config.web.allow_addresses = vec!["127.0.0.0/8".parse().map_err(|e| CliError::Bug(format!("{e}")))?];
    config.fetcher.first_retry = Period::seconds(1);
    Ok(config)
}

fn introduce(site: &Site, expected: &[Expected]) -> Result<(), CliError> {
    output::line(&format!(
        "A small news world stands on loopback: {} feeds, {} articles.",
        site.feeds().len(),
        expected.len()
    ))?;
    for feed in site.feeds() {
        output::line(&format!("  {:44} {} ({:?})", feed.url, feed.label, feed.special))?;
    }
    output::line("")
}

/// Articles in the sink.
fn stored(config: &Config) -> Result<u64, CliError> {
    let path = open::articles_path(config);
    if !path.exists() {
        return Ok(0);
    }
    Ok(Articles::open(&path)?.count(&Query::default())?)
}

fn quiet(pipeline: &Pipeline) -> bool {
    let waits = |stage| pipeline.metrics.stage(stage, &[], &[]).lag.get();
    Stage::ALL.into_iter().all(|s| waits(s) == 0) && pipeline.metrics.frontier_pending.get() == 0
}

/// The stages as a table that is drawn over on a terminal.
#[derive(Default)]
struct Screen {
    drawn: bool,
}

impl Screen {
    fn draw(&mut self, pipeline: &Pipeline) -> Result<(), CliError> {
        if !output::colors() {
            return Ok(());
        }
        let mut text = String::new();
        if self.drawn {
            text.push_str(&format!("\x1b[{}A", Stage::ALL.len() + 1));
        }
        self.drawn = true;
        text.push_str("\x1b[K  stage             in      out  dropped     dead  waiting\n");
        for stage in Stage::ALL {
            let (drop, dead) = pipeline.counts(stage);
            let m = pipeline.metrics.stage(stage, &[], &[]);
            let waiting = m.lag.get()
                + if stage == Stage::Fetcher {
                    pipeline.metrics.frontier_pending.get()
                } else {
                    0
                };
            text.push_str(&format!(
                "\x1b[K  {:12} {:8} {:8} {drop:8} {dead:8} {waiting:8}\n",
                stage.name(),
                m.messages_in.get(),
                m.messages_out.get()
            ));
        }
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(output::broken)
    }
}

/// What came out, against what should have.
#[derive(Default)]
struct Verdict {
    articles: usize,
    languages: BTreeMap<String, usize>,
    tags: BTreeMap<String, usize>,
    right: usize,
    wrong: Vec<String>,
    other_tags: Vec<String>,
}

/// Prints every article with its tags and what speaks for them, and compares.
fn report(config: &Config, expected: &[Expected]) -> Result<Verdict, CliError> {
    let canonical = |url: &str| Url::parse(url).map(|u| canonical_url(&u)).unwrap_or_default();
    let mut missing: BTreeMap<String, &Expected> = expected.iter().map(|e| (canonical(&e.url), e)).collect();
    let mut verdict = Verdict::default();
    let query = Query {
        order: Order::OldestFirst,
        ..Query::default()
    };
    let articles = Articles::open(&open::articles_path(config))?;
    output::line("")?;
    for stored in articles.query(&query) {
        let article = stored?.parse().map_err(|e| CliError::Bug(e.to_string()))?;
        show(&article)?;
        verdict.articles += 1;
        *verdict
            .languages
            .entry(article.language.clone().unwrap_or_default())
            .or_default() += 1;
        article
            .tags
            .iter()
            .for_each(|t| *verdict.tags.entry(t.topic.clone()).or_default() += 1);
        let Some(wanted) = missing.remove(&canonical(&article.url)) else {
            verdict
                .wrong
                .push(format!("came twice or was not expected: {}", article.url));
            continue;
        };
        let mut tags: Vec<&str> = article.tags.iter().map(|t| t.topic.as_str()).collect();
        let mut should: Vec<&str> = wanted.tags.iter().map(String::as_str).collect();
        tags.sort_unstable();
        should.sort_unstable();
        if tags == should {
            verdict.right += 1;
        } else {
            verdict.other_tags.push(format!(
                "{}: [{}], an editor would say [{}]",
                harmless(&article.title),
                tags.join(", "),
                should.join(", ")
            ));
        }
    }
    verdict
        .wrong
        .extend(missing.keys().map(|url| format!("did not come through: {url}")));
    Ok(verdict)
}

fn show(article: &Tagged) -> Result<(), CliError> {
    let language = article.language.as_deref().unwrap_or("??");
    let site = article
        .source
        .site_name
        .as_deref()
        .unwrap_or(&article.source.domain);
    output::line(&format!(
        "{language:3} {}  ({})",
        harmless(&article.title),
        harmless(site)
    ))?;
    for tag in &article.tags {
        let bar = "█".repeat((tag.score * 10.0).round().clamp(0.0, 10.0) as usize);
        output::line(&format!(
            "      {:13} {:.2} {bar:10}  {}",
            tag.topic,
            tag.score,
            explain::words(tag, &article.title, &article.text)
        ))?;
    }
    Ok(())
}

fn summary(
    pipeline: &Pipeline,
    site: &Site,
    verdict: &Verdict,
    seconds: f64,
    metrics: &str,
) -> Result<(), CliError> {
    let counts = |map: &BTreeMap<String, usize>| {
        map.iter()
            .map(|(k, n)| format!("{k} {n}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let done = pipeline.summary();
    let requests = site.requests();
    let not_modified = requests.iter().filter(|r| r.status == 304).count();
    let series = metrics.lines().filter(|l| !l.starts_with('#')).count();
    output::line("")?;
    output::line(&format!(
        "{} articles in {seconds:.1} s, each once; languages: {}",
        verdict.articles,
        counts(&verdict.languages)
    ))?;
    output::line(&format!(
        "tags: {}; {} of {} articles tagged as an editor would",
        counts(&verdict.tags),
        verdict.right,
        verdict.articles
    ))?;
    verdict
        .other_tags
        .iter()
        .try_for_each(|line| output::line(&format!("  otherwise: {line}")))?;
    output::line(&format!(
        "every feed was polled twice: {} polls, {} failed (one feed is dead on purpose); {} dead letters",
        done.feeds, done.feeds_failed, done.dead_letters
    ))?;
    output::line(&format!(
        "{} requests to the site, {not_modified} of them answered 304; {series} metric series",
        requests.len()
    ))?;
    output::line("")?;
    output::line("Your own feeds, from an OPML file or a list of URLs:")?;
    output::line("  telex run all --feeds feeds.opml --data-dir telex-data")?;
    output::line("  telex articles --data-dir telex-data --tag ukraine")?;
    output::line("The same on Apache Kafka, any number of processes a stage (make kafka starts a broker):")?;
    output::line("  telex topics apply --bus kafka --brokers HOST:PORT")?;
    output::line("  telex run all --feeds feeds.opml --bus kafka --brokers HOST:PORT")
}
