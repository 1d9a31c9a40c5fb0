//! Runs the cleaner over JSON lines, for scoring by other tools.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _, stdout};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use telex_cleaner::{Cleaned, Page, clean_html, clean_text};

#[derive(Deserialize)]
struct Row {
    id: String,
    url: Option<String>,
    html: Option<String>,
    text: Option<String>,
}

/// Cleans every row of a file and prints the articles.
pub(crate) fn clean(path: &str) -> Result<()> {
    let mut out = BufWriter::new(stdout());
    for row in rows(path)? {
        let cleaned = row.clean();
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
    Ok(())
}

/// Rounds of the measurement of speed. The least time of a page counts, for what other programs on the machine take
/// only ever adds to it.
const ROUNDS: usize = 7;

/// Cleans every row of a file some times on one thread and returns the speed as a line.
pub(crate) fn speed(path: &str) -> Result<String> {
    let rows = rows(path)?;
    let mut least = vec![Duration::MAX; rows.len()];
    for _ in 0..ROUNDS {
        for (row, least) in rows.iter().zip(&mut least) {
            let begin = Instant::now();
            black_box(row.clean());
            *least = begin.elapsed().min(*least);
        }
    }
    let bytes: usize = rows.iter().map(|row| row.content().len()).sum();
    let seconds = least.iter().sum::<Duration>().as_secs_f64();
    Ok(format!(
        "{} docs of {:.0} kB: {:.0} docs/s, {:.0} MB/s, slowest page {:.1?}",
        rows.len(),
        bytes as f64 / 1e3 / rows.len().max(1) as f64,
        rows.len() as f64 / seconds,
        bytes as f64 / 1e6 / seconds,
        least.iter().max().copied().unwrap_or_default(),
    ))
}

impl Row {
    fn content(&self) -> &str {
        let content = self.html.as_deref().or(self.text.as_deref());
        content.unwrap_or_default()
    }

    fn clean(&self) -> Cleaned {
        match &self.html {
            Some(html) => clean_html(&Page {
                url: self.url.as_deref(),
                html,
            }),
            None => clean_text(self.content()),
        }
    }
}

fn rows(path: &str) -> Result<Vec<Row>> {
    let lines = BufReader::new(File::open(path).with_context(|| format!("cannot read {path}"))?);
    lines
        .lines()
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect()
}
