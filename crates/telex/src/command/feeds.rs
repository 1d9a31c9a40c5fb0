//! `telex feeds`: the list of what is polled.

mod look;

use std::path::Path;

use jiff::Timestamp;
use telex_model::{FeedRecord, Origin, RequestHeaders};
use telex_operate::{Feeds, web_url};
use telex_poller::list::{self, Listed};

use super::Context;
use crate::cli::{FeedsCommand, OutputFormat};
use crate::config::Period;
use crate::error::CliError;
use crate::open::{self, OpenBus, Use};
use crate::output::{self, harmless};

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
            let feeds: Vec<FeedRecord> = feeds(context, &open).records()?.into_values().collect();
            output::write(list::to_opml(&feeds).as_bytes())
        }
        FeedsCommand::Test { url, .. } => look::test(context, &url),
        FeedsCommand::Discover { url, .. } => look::discover(context, &url),
    }
}

fn feeds<'a>(context: &'a Context, open: &'a OpenBus) -> Feeds<'a> {
    Feeds::new(open.bus.as_ref(), &context.config.bus.topic_prefix)
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

fn add(context: &Context, listed: Vec<Listed>) -> Result<(), CliError> {
    let open = open::bus(&context.config, Use::Beside)?;
    let done = feeds(context, &open).declare(listed, Origin::Command)?;
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
    let removed = feeds(context, &open).remove(urls)?;
    output::line(&format!("{removed} removed"))
}

/// Changes feeds on the list, all of them where none is named; a poller at work follows at once.
fn change(
    context: &Context,
    urls: &[String],
    done: &str,
    change: impl Fn(&mut FeedRecord),
) -> Result<(), CliError> {
    let open = open::bus(&context.config, Use::Read)?;
    let changed = feeds(context, &open).change(urls, change)?;
    output::line(&format!("{changed} {done}"))
}

fn list(context: &Context) -> Result<(), CliError> {
    let open = open::bus(&context.config, Use::Read)?;
    for status in feeds(context, &open).list()? {
        if context.output == OutputFormat::Json {
            output::json(&status)?;
            continue;
        }
        let state = status.state.as_ref();
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
            "{:8} next {next:16} {rate:>10}  {}{push}{moved}{error}",
            status.health(),
            status.feed.url
        ))?;
    }
    Ok(())
}
