//! Runs the cleaner over JSON lines, for scoring by other tools.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _, stdout};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use telex_cleaner::{Page, clean_html, clean_text};

#[derive(Deserialize)]
struct Row {
    id: String,
    url: Option<String>,
    html: Option<String>,
    text: Option<String>,
}

/// Cleans every row of a file and prints the articles, then on standard error the speed.
pub(crate) fn clean(path: &str) -> Result<()> {
    let rows = BufReader::new(File::open(path).with_context(|| format!("cannot read {path}"))?);
    let mut out = BufWriter::new(stdout());
    let (mut spent, mut bytes, mut pages) = (Duration::ZERO, 0, 0);
    let mut slowest = Duration::ZERO;
    for line in rows.lines() {
        let row: Row = serde_json::from_str(&line?)?;
        let begin = Instant::now();
        let cleaned = match (&row.html, &row.text) {
            (Some(html), _) => clean_html(&Page {
                url: row.url.as_deref(),
                html,
            }),
            (None, text) => clean_text(text.as_deref().unwrap_or_default()),
        };
        let took = begin.elapsed();
        spent += took;
        slowest = slowest.max(took);
        bytes += row.html.as_ref().or(row.text.as_ref()).map_or(0, String::len);
        pages += 1;
        let article = serde_json::json!({
            "id": row.id,
            "kind": cleaned.kind,
            "text": cleaned.text,
            "title": cleaned.title,
            "published": cleaned.published.map(|date| date.at.to_string()),
            "authors": cleaned.authors,
            "language": cleaned.language,
            "site_name": cleaned.site_name,
            "quality": cleaned.quality,
        });
        writeln!(out, "{article}")?;
    }
    let (seconds, megabytes) = (spent.as_secs_f64(), bytes as f64 / 1e6);
    eprintln!(
        "{pages} docs, {megabytes:.1} MB in {seconds:.2} s: {:.0} docs/s, {:.0} MB/s, slowest {slowest:.0?}",
        f64::from(pages) / seconds,
        megabytes / seconds
    );
    Ok(())
}
