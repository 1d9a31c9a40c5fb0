//! Where the pages come from.

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use telex_site::{Delivery, Options, Site};

/// A page whose text is known.
pub struct Page {
    pub url: Option<String>,
    pub html: String,
    /// The text that it should give.
    pub text: String,
}

/// Pages that are measured together.
pub struct Set {
    pub name: String,
    pub pages: Arc<[Page]>,
}

#[derive(Deserialize)]
struct PageRow {
    id: String,
    url: Option<String>,
    html: String,
}

#[derive(Deserialize)]
struct GoldRow {
    id: String,
    text: String,
}

/// Loads the sets of a folder, in the order of their names.
pub fn of_folder(folder: &Path) -> Result<Vec<Set>> {
    let files = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for file in files {
        let name = file?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".pages.jsonl").map(str::to_owned));
    }
    names.sort_unstable();
    if names.is_empty() {
        bail!("no NAME.pages.jsonl in {}", folder.display());
    }
    names.into_iter().map(|name| set(folder, name)).collect()
}

fn set(folder: &Path, name: String) -> Result<Set> {
    let gold = rows::<GoldRow>(&folder.join(format!("{name}.gold.jsonl")))?;
    let mut gold: HashMap<String, String> = gold.into_iter().map(|row| (row.id, row.text)).collect();
    let rows = rows::<PageRow>(&folder.join(format!("{name}.pages.jsonl")))?;
    let pages = rows.into_iter().map(|row| Page {
        url: row.url,
        html: row.html,
        text: gold.remove(&row.id).unwrap_or_default(),
    });
    Ok(Set {
        name,
        pages: pages.collect(),
    })
}

fn rows<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>> {
    let name = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let row = |line: &str| serde_json::from_str(line).with_context(|| format!("bad row in {name}"));
    text.lines().map(row).collect()
}

/// Fetches the stories of the test site that stand on their pages, under the address that the feeds give.
pub fn of_site() -> Result<Set> {
    let runtime = tokio::runtime::Runtime::new()?;
    let site = runtime.block_on(Site::start(Options::default()))?;
    let mut pages = Vec::new();
    for story in site.expected() {
        if story.delivery != Delivery::Page || story.retried {
            continue;
        }
        if let Some(html) = fetch(&story.url).with_context(|| story.url.clone())? {
            pages.push(Page {
                url: Some(story.url),
                html,
                text: story.paragraphs.join("\n"),
            });
        }
    }
    Ok(Set {
        name: "test site".to_owned(),
        pages: pages.into(),
    })
}

/// Fetches a page of the test site, none where it has moved or is not in UTF-8 (decoding is the fetcher's); HTTP 1.0 and no encodings, so that the body is what follows
/// the head.
fn fetch(url: &str) -> Result<Option<String>> {
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .context("no address of the test site")?;
    let mut stream = TcpStream::connect(host)?;
    write!(
        stream,
        "GET /{path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let Ok(answer) = String::from_utf8(answer) else {
        return Ok(None);
    };
    let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
    let is_there = head.split(' ').nth(1).is_some_and(|status| status == "200");
    Ok(is_there.then(|| body.to_owned()))
}
