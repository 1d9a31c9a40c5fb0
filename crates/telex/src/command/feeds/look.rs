//! `telex feeds test` and `discover`: what is at an address, as the poller would see it.

use serde_json::json;
use telex_feed::{Error, Feed, FeedLink, Input, Page, Sitemap};
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

/// Where news sitemaps stand on sites whose robots.txt names none.
const NEWS_SITEMAPS: [&str; 3] = ["/news-sitemap.xml", "/sitemap-news.xml", "/sitemap_news.xml"];

/// Finds the feeds of a site: those that the page names, else those in common places, else its sitemaps.
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
    let try_all = |links: Vec<FeedLink>, named: bool| -> Result<usize, CliError> {
        let mut readable = 0;
        for link in links {
            let found = web_url(&link.url)
                .map_err(CliError::from)
                .and_then(|at| listed(&get(&runtime, &client, at)?));
            // In a common place nobody has said that there is a feed.
            if named || found.is_ok() {
                readable += usize::from(found.is_ok());
                show(context, &link, &found)?;
            }
        }
        Ok(readable)
    };
    let at = |path: &str| {
        let url = page.final_url.join(path).ok()?.to_string();
        Some(FeedLink { url, title: None })
    };
    let mut readable = if named {
        try_all(found, true)?
    } else {
        try_all(COMMON_PLACES.iter().filter_map(|path| at(path)).collect(), false)?
    };
    if readable == 0 {
        let robots = page.final_url.join("/robots.txt").ok();
        let robots = robots.and_then(|url| get(&runtime, &client, url).ok());
        let text = robots.map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
        let named: Vec<FeedLink> = sitemaps_named(&text.unwrap_or_default()).filter_map(at).collect();
        let places = NEWS_SITEMAPS.iter().filter_map(|path| at(path));
        let links = if named.is_empty() { places.collect() } else { named };
        readable = try_all(links, false)?;
    }
    if readable == 0 {
        return Err(CliError::Findings(format!(
            "{url}: no feed that can be read was found"
        )));
    }
    Ok(())
}

/// Sitemaps that a robots.txt names; the first few, for portals name hundreds.
fn sitemaps_named(robots: &str) -> impl Iterator<Item = &str> {
    let named = robots.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("sitemap")
            .then_some(value.trim())
    });
    named.take(10)
}

/// What stands at an address that can be polled.
enum Listing {
    Feed(Box<Feed>),
    Sitemap(Sitemap),
}

impl Listing {
    fn items(&self) -> usize {
        match self {
            Self::Feed(feed) => feed.entries.len(),
            Self::Sitemap(Sitemap::Pages(pages) | Sitemap::Index(pages)) => pages.len(),
        }
    }
}

fn listed(response: &Response) -> Result<Listing, CliError> {
    let failed = |e: Error| CliError::Findings(chain(&e));
    match telex_feed::parse(&input(response)) {
        Ok(feed) => Ok(Listing::Feed(Box::new(feed))),
        Err(Error::Sitemap) => telex_feed::sitemap(&input(response))
            .map(Listing::Sitemap)
            .map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

fn show(context: &Context, link: &FeedLink, found: &Result<Listing, CliError>) -> Result<(), CliError> {
    let of_feed = match found {
        Ok(Listing::Feed(feed)) => feed.title.as_deref(),
        _ => None,
    };
    let title = of_feed.or(link.title.as_deref());
    let error = found.as_ref().err().map(ToString::to_string);
    let items = found.as_ref().map_or(0, Listing::items);
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
    let found = listed(&response).map_err(|e| CliError::Findings(format!("{url}: {e}")))?;
    match &found {
        Listing::Feed(feed) => describe_feed(feed)?,
        Listing::Sitemap(Sitemap::Pages(pages)) => describe_sitemap("sitemap", "pages", pages)?,
        Listing::Sitemap(Sitemap::Index(sitemaps)) => {
            describe_sitemap("index of sitemaps", "sitemaps", sitemaps)?;
            output::line("polled     those of this site that changed, the newest first, some at a poll")?;
        }
    }
    if found.items() == 0 {
        return Err(CliError::Findings(format!("{url}: the feed holds no items")));
    }
    Ok(())
}

fn describe_sitemap(kind: &str, of: &str, pages: &[Page]) -> Result<(), CliError> {
    output::line(&format!("format     {kind}, {} {of}", pages.len()))?;
    let undated = pages.iter().filter(|page| page.changed.is_none()).count();
    if undated > 0 {
        output::line(&format!(
            "warning    {undated} {of} without a date: changes of them go unseen"
        ))?;
    }
    let mut newest: Vec<&Page> = pages.iter().collect();
    newest.sort_by_key(|page| std::cmp::Reverse(page.changed.map(|date| date.at)));
    for page in newest.into_iter().take(5) {
        let date = page
            .changed
            .map_or("no date".to_owned(), |date| date.at.to_string());
        output::line(&harmless(&format!("item       {date}  {}", page.url)))?;
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
    if let Some(hub) = &feed.hints.hub {
        output::line(&harmless(&format!(
            "hub        {hub} (tells of changes by WebSub)"
        )))?;
    }
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
