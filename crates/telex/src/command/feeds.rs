//! `telex feeds`: the list of what is polled.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;
use telex_feed::{Feed, Input};
use telex_model::{FeedId, FeedRecord, FeedState, Origin, Topic};
use telex_poller::list::{self, Listed};
use telex_stream::read_all;
use telex_web::{ACCEPT_FEED, Request, Response};
use url::Url;

use super::{Context, run as running};
use crate::cli::{FeedsCommand, OutputFormat};
use crate::error::{CliError, chain};
use crate::open::{self, Use};
use crate::output::{self, harmless};
use crate::pipeline;

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
        FeedsCommand::List => list(context),
        FeedsCommand::Export => {
            let open = open::bus(&context.config, Use::Read)?;
            let feeds: Vec<FeedRecord> =
                pipeline::records(open.bus.as_ref(), &context.config.bus.topic_prefix)?
                    .into_values()
                    .collect();
            output::write(list::to_opml(&feeds).as_bytes())
        }
        FeedsCommand::Test { url, .. } => test(context, &url),
    }
}

/// Reads OPML or a list of URLs.
pub(crate) fn read_list(path: &Path) -> Result<Vec<Listed>, CliError> {
    let bytes = std::fs::read(path).map_err(|e| CliError::Unavailable(format!("{}: {e}", path.display())))?;
    list::parse(&telex_web::decode_html(&bytes, None))
        .map_err(|e| CliError::Config(format!("{}: {e}", path.display())))
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
        let rate = state
            .and_then(|s| s.items_per_day)
            .map_or(String::new(), |n| format!("{n:.1}/day"));
        output::line(&format!(
            "{health:8} next {next:16} {rate:>10}  {}{moved}{error}",
            feed.url
        ))?;
    }
    Ok(())
}

/// Fetches a feed and says what is in it and what is wrong with it.
fn test(context: &Context, url: &str) -> Result<(), CliError> {
    let client = open::client(&context.config)?;
    let mut request = Request::new(web_url(url)?);
    request.accept = ACCEPT_FEED.into();
    let answer = running::runtime()?.block_on(client.get(&request));
    let response = answer.map_err(|e| {
        let hint = if e.reason() == "forbidden_address" {
            "; --allow-address CIDR opens a private range"
        } else {
            ""
        };
        CliError::Findings(format!("{url}: {}{hint}", chain(&e)))
    })?;
    describe_answer(&response)?;
    if !(200..300).contains(&response.status) {
        return Err(CliError::Findings(format!(
            "{url}: HTTP status {}",
            response.status
        )));
    }
    let input = Input {
        bytes: &response.body,
        content_type: response.content_type(),
        url: Some(response.final_url.as_str()),
    };
    let feed = telex_feed::parse(&input).map_err(|e| CliError::Findings(format!("{url}: {}", chain(&e))))?;
    describe_feed(&feed)?;
    if feed.entries.is_empty() {
        return Err(CliError::Findings(format!("{url}: the feed holds no items")));
    }
    Ok(())
}

fn describe_answer(response: &Response) -> Result<(), CliError> {
    output::line(&format!(
        "answer     HTTP {} after {:.2} s, {} bytes, {} redirects",
        response.status,
        response.elapsed.as_secs_f64(),
        response.body.len(),
        response.hops
    ))?;
    if let Some(moved) = &response.permanent_redirect {
        output::line(&format!("moved      permanently to {moved}"))?;
    }
    output::line(&format!(
        "type       {}",
        harmless(response.content_type().unwrap_or("not said"))
    ))?;
    let validators = match (response.etag(), response.last_modified()) {
        (None, None) => "none: every poll transfers the whole feed".to_owned(),
        (etag, modified) => harmless(&format!(
            "ETag {}, Last-Modified {}",
            etag.unwrap_or("-"),
            modified.unwrap_or("-")
        )),
    };
    output::line(&format!("validators {validators}"))?;
    Ok(())
}

fn describe_feed(feed: &Feed) -> Result<(), CliError> {
    output::line(&format!(
        "format     {}, {} items",
        feed.format,
        feed.entries.len()
    ))?;
    output::line(&format!(
        "title      {}",
        harmless(feed.title.as_deref().unwrap_or("-"))
    ))?;
    for repair in &feed.repairs {
        output::line(&format!("repaired   {}", harmless(&repair.to_string())))?;
    }
    let bad = |name: &str, n: usize| {
        if n > 0 {
            output::line(&format!("warning    {n} items without {name}"))
        } else {
            Ok(())
        }
    };
    bad("a link", feed.entries.iter().filter(|e| e.link.is_none()).count())?;
    bad(
        "a date",
        feed.entries
            .iter()
            .filter(|e| e.published.is_none() && e.updated.is_none())
            .count(),
    )?;
    for entry in feed.entries.iter().take(5) {
        let date = entry
            .published
            .as_ref()
            .or(entry.updated.as_ref())
            .map_or("no date".to_owned(), |d| d.at.to_string());
        output::line(&format!(
            "item       {date}  {}",
            harmless(entry.title.as_deref().unwrap_or("-"))
        ))?;
    }
    Ok(())
}
