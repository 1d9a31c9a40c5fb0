//! `telex feeds test` and `discover`: what is at an address, as the poller would see it.

use serde_json::json;
use telex_feed::{Feed, FeedLink, Input};
use telex_web::{ACCEPT_FEED, Client, Request, Response};
use tokio::runtime::Runtime;
use url::Url;

use super::super::{Context, run as running};
use super::web_url;
use crate::cli::OutputFormat;
use crate::error::{CliError, chain};
use crate::open;
use crate::output::{self, harmless};

/// Where feeds stand on sites that do not name them: the places of the common publishing programs.
const COMMON_PLACES: [&str; 7] = [
    "/feed",
    "/rss",
    "/rss.xml",
    "/feed.xml",
    "/atom.xml",
    "/index.xml",
    "/feed.json",
];

/// Finds the feeds of a site: those that the page names, else those in common places.
pub(super) fn discover(context: &Context, url: &str) -> Result<(), CliError> {
    let runtime = running::runtime()?;
    let client = open::client(&context.config)?;
    let page = get(&runtime, &client, web_url(url)?)?;
    let mut found = telex_feed::discover(&input(&page));
    if telex_feed::parse(&input(&page)).is_ok() {
        let title = None;
        let url = page.final_url.to_string();
        found = vec![FeedLink { url, title }];
    }
    let named = !found.is_empty();
    if !named {
        let place = |path: &&str| page.final_url.join(path).ok();
        let at = |url: Url| FeedLink {
            url: url.to_string(),
            title: None,
        };
        found = COMMON_PLACES.iter().filter_map(place).map(at).collect();
    }
    let mut readable = 0;
    for link in found {
        let feed = web_url(&link.url).and_then(|at| {
            let answer = get(&runtime, &client, at)?;
            telex_feed::parse(&input(&answer)).map_err(|e| CliError::Findings(chain(&e)))
        });
        // In a common place nobody has said that there is a feed.
        if named || feed.is_ok() {
            readable += usize::from(feed.is_ok());
            show(context, &link, &feed)?;
        }
    }
    if readable == 0 {
        return Err(CliError::Findings(format!(
            "{url}: no feed that can be read was found"
        )));
    }
    Ok(())
}

fn show(context: &Context, link: &FeedLink, feed: &Result<Feed, CliError>) -> Result<(), CliError> {
    let title = feed
        .as_ref()
        .ok()
        .and_then(|f| f.title.as_deref())
        .or(link.title.as_deref());
    let error = feed.as_ref().err().map(ToString::to_string);
    let items = feed.as_ref().map_or(0, |f| f.entries.len());
    match context.output {
        OutputFormat::Json => {
            output::json(&json!({"url": link.url, "title": title, "items": items, "error": error}))
        }
        OutputFormat::Text => {
            let state = error.unwrap_or_else(|| format!("{items} items"));
            let title = title.unwrap_or("-");
            output::line(&harmless(&format!("{}  {title}  ({state})", link.url)))
        }
    }
}

fn get(runtime: &Runtime, client: &Client, url: Url) -> Result<Response, CliError> {
    let text = url.to_string();
    let mut request = Request::new(url);
    request.accept = ACCEPT_FEED.into();
    runtime.block_on(client.get(&request)).map_err(|e| {
        let hint = if e.reason() == "forbidden_address" {
            "; --allow-address CIDR opens a private range"
        } else {
            ""
        };
        CliError::Findings(format!("{text}: {}{hint}", chain(&e)))
    })
}

fn input(response: &Response) -> Input<'_> {
    Input {
        bytes: &response.body,
        content_type: response.content_type(),
        url: Some(response.final_url.as_str()),
    }
}

/// Fetches a feed and says what is in it and what is wrong with it.
pub(super) fn test(context: &Context, url: &str) -> Result<(), CliError> {
    let runtime = running::runtime()?;
    let client = open::client(&context.config)?;
    let response = get(&runtime, &client, web_url(url)?)?;
    describe_answer(&response)?;
    if !(200..300).contains(&response.status) {
        return Err(CliError::Findings(format!(
            "{url}: HTTP status {}",
            response.status
        )));
    }
    let feed = telex_feed::parse(&input(&response))
        .map_err(|e| CliError::Findings(format!("{url}: {}", chain(&e))))?;
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
