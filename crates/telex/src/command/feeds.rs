//! `telex feeds`: the list of what is polled.

mod look;

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;
use telex_model::{FeedId, FeedRecord, FeedState, Origin, RequestHeaders, Topic};
use telex_poller::list::{self, Listed};
use telex_stream::read_all;
use url::Url;

use super::Context;
use crate::cli::{FeedsCommand, OutputFormat};
use crate::config::Period;
use crate::error::CliError;
use crate::open::{self, Use};
use crate::output::{self, harmless};
use crate::pipeline;

/// Shortest interval that can be set by hand, in seconds: oftener is rude to any host.
const SHORTEST_INTERVAL: u32 = 60;

/// Looks after the list.
pub(crate) fn run(context: &Context, command: FeedsCommand) -> Result<(), CliError> {
    match command {
        FeedsCommand::Add { urls, label } => {
            let listed = urls.iter().map(|u| {
                Ok(Listed {
                    url: web_url(u)?,
                    title: None,
                    labels: label.clone(),
                })
            });
            add(context, listed.collect::<Result<_, CliError>>()?)
        }
        FeedsCommand::Import { file } => add(context, read_list(&file)?),
        FeedsCommand::Remove { urls } => remove(context, &urls),
        FeedsCommand::Pause { urls } => change(context, &urls, "paused", |r| r.paused = true),
        FeedsCommand::Resume { urls } => change(context, &urls, "resumed", |r| r.paused = false),
        FeedsCommand::Poll { urls } => {
            let now = Timestamp::now();
            change(context, &urls, "to be polled", |r| r.poll_requested = Some(now))
        }
        FeedsCommand::Interval { interval, urls } => {
            let interval = own_interval(&interval)?;
            let now = Timestamp::now();
            change(context, &urls, "changed", |r| {
                r.interval_seconds = interval;
                // So that it does not begin only after the rest that the feed has now.
                r.poll_requested = Some(now);
            })
        }
        FeedsCommand::Headers { url, file } => {
            let headers = file.as_deref().map(read_headers).transpose()?.unwrap_or_default();
            let now = Timestamp::now();
            change(context, &[url], "changed", |r| {
                r.headers = headers.clone();
                r.poll_requested = Some(now);
            })
        }
        FeedsCommand::List => list(context),
        FeedsCommand::Export => {
            let open = open::bus(&context.config, Use::Read)?;
            let feeds: Vec<FeedRecord> =
                pipeline::records(open.bus.as_ref(), &context.config.bus.topic_prefix)?
                    .into_values()
                    .collect();
            output::write(list::to_opml(&feeds).as_bytes())
        }
        FeedsCommand::Test { url, .. } => look::test(context, &url),
        FeedsCommand::Discover { url, .. } => look::discover(context, &url),
    }
}

/// Reads OPML or a list of URLs.
pub(crate) fn read_list(path: &Path) -> Result<Vec<Listed>, CliError> {
    let bytes = std::fs::read(path).map_err(|e| CliError::Unavailable(format!("{}: {e}", path.display())))?;
    list::parse(&telex_web::decode_html(&bytes, None))
        .map_err(|e| CliError::Config(format!("{}: {e}", path.display())))
}

/// Seconds of an interval set by hand; none for `auto`.
fn own_interval(text: &str) -> Result<Option<u32>, CliError> {
    if text == "auto" {
        return Ok(None);
    }
    let seconds = Period::parse(text).and_then(|p| u32::try_from(p.0.as_secs()).ok());
    let fine = seconds.filter(|seconds| *seconds >= SHORTEST_INTERVAL);
    fine.map(Some).ok_or_else(|| {
        CliError::Usage(format!(
            "{text:?} is no interval of a minute or more, such as 90s, 5m, 2h; nor is it auto"
        ))
    })
}

/// Headers that decide how a request is made and answered; the client sets them.
const OURS: [&str; 10] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "if-modified-since",
    "if-none-match",
    "range",
    "te",
    "transfer-encoding",
];

/// Reads headers, one `Name: value` a line. Errors name a line, never what it says.
fn read_headers(path: &Path) -> Result<RequestHeaders, CliError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| CliError::Unavailable(format!("{shown}: {e}")))?;
    let mut headers = RequestHeaders::default();
    for (number, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let wrong = |what: &str| CliError::Usage(format!("{shown}, line {}: {what}", number + 1));
        let (name, value) = line.split_once(':').ok_or_else(|| wrong("no `Name: value`"))?;
        let name = name.trim().to_ascii_lowercase();
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            return Err(wrong("that is no name of a header"));
        }
        if OURS.contains(&name.as_str()) {
            return Err(wrong("this header is set by Telex"));
        }
        let value = value.trim();
        if !value.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            return Err(wrong("the value has other characters than printable ASCII"));
        }
        headers.0.insert(name, value.to_owned());
    }
    Ok(headers)
}

fn web_url(text: &str) -> Result<Url, CliError> {
    let url = Url::parse(text.trim())
        .ok()
        .filter(|u| matches!(u.scheme(), "http" | "https") && u.has_host());
    url.ok_or_else(|| CliError::Usage(format!("{text:?} is no http or https URL")))
}

fn add(context: &Context, listed: Vec<Listed>) -> Result<(), CliError> {
    let open = open::bus(&context.config, Use::Beside)?;
    let done = pipeline::declare(
        open.bus.as_ref(),
        &context.config.bus.topic_prefix,
        listed,
        Origin::Command,
    )?;
    match context.output {
        OutputFormat::Json => output::json(&done),
        OutputFormat::Text => output::line(&format!(
            "{} added, {} changed, {} known already",
            done.added, done.changed, done.unchanged
        )),
    }
}

fn remove(context: &Context, urls: &[String]) -> Result<(), CliError> {
    let open = open::bus(&context.config, Use::Read)?;
    let prefix = &context.config.bus.topic_prefix;
    let named = named(pipeline::records(open.bus.as_ref(), prefix)?, urls)?;
    let outputs = named.iter().map(|r| pipeline::removal(r, prefix)).collect();
    pipeline::append(open.bus.as_ref(), outputs)?;
    output::line(&format!("{} removed", named.len()))
}

/// Changes feeds on the list, all of them where none is named; a poller at work follows at once.
fn change(
    context: &Context,
    urls: &[String],
    done: &str,
    change: impl Fn(&mut FeedRecord),
) -> Result<(), CliError> {
    let open = open::bus(&context.config, Use::Read)?;
    let prefix = &context.config.bus.topic_prefix;
    let known = pipeline::records(open.bus.as_ref(), prefix)?;
    let mut feeds = if urls.is_empty() {
        known.into_values().collect()
    } else {
        named(known, urls)?
    };
    feeds.iter_mut().for_each(change);
    let outputs = feeds.iter().map(|r| pipeline::addition(r, prefix)).collect();
    pipeline::append(open.bus.as_ref(), outputs)?;
    output::line(&format!("{} {done}", feeds.len()))
}

/// The feeds of these addresses.
fn named(mut known: HashMap<FeedId, FeedRecord>, urls: &[String]) -> Result<Vec<FeedRecord>, CliError> {
    let mut found = Vec::new();
    for url in urls {
        let record = known.remove(&FeedId::of(&web_url(url)?));
        found.push(record.ok_or_else(|| CliError::Findings(format!("{url} is not on the list")))?);
    }
    Ok(found)
}

fn list(context: &Context) -> Result<(), CliError> {
    let open = open::bus(&context.config, Use::Read)?;
    let prefix = &context.config.bus.topic_prefix;
    let mut states: HashMap<FeedId, FeedState> = HashMap::new();
    read_all(
        open.bus.as_ref(),
        &Topic::FeedState.name(prefix),
        &mut |message| {
            if let Some(state) = message
                .value
                .as_ref()
                .and_then(|v| serde_json::from_slice::<FeedState>(v).ok())
            {
                states.insert(state.id, state);
            }
        },
    )?;
    let mut feeds: Vec<FeedRecord> = pipeline::records(open.bus.as_ref(), prefix)?
        .into_values()
        .collect();
    let badness = |f: &FeedRecord| states.get(&f.id).map_or(0, |s| s.failures);
    feeds.sort_by(|a, b| badness(b).cmp(&badness(a)).then_with(|| a.url.cmp(&b.url)));
    for feed in &feeds {
        let state = states.get(&feed.id);
        if context.output == OutputFormat::Json {
            let mut feed = feed.clone();
            feed.headers = feed.headers.hidden();
            output::json(&json!({"feed": feed, "state": state}))?;
            continue;
        }
        let health = if feed.paused {
            "paused"
        } else {
            state.map_or("new", |s| s.health.name())
        };
        let next = state.map_or("at once".to_owned(), |s| {
            s.next_poll.strftime("%Y-%m-%d %H:%M").to_string()
        });
        let error = state
            .and_then(|s| s.last_error.as_deref())
            .map(|e| format!("  {}", harmless(e)))
            .unwrap_or_default();
        let moved = state
            .and_then(|s| s.moved_to.as_deref())
            .map(|to| format!("  (moved to {})", harmless(to)))
            .unwrap_or_default();
        let push = state.and_then(|s| s.push.as_ref()?.lease_until);
        let push = push
            .filter(|until| *until > Timestamp::now())
            .map_or("", |_| "  (push)");
        let rate = state
            .and_then(|s| s.items_per_day)
            .map_or(String::new(), |n| format!("{n:.1}/day"));
        output::line(&format!(
            "{health:8} next {next:16} {rate:>10}  {}{push}{moved}{error}",
            feed.url
        ))?;
    }
    Ok(())
}
