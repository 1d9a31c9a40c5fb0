//! Loads pages with known text and parts them by publisher.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// A page and its known text.
pub(crate) struct Example {
    /// Name of the set that it is from.
    pub(crate) set: usize,
    /// Id inside the set.
    pub(crate) id: String,
    /// Where it was fetched from.
    pub(crate) url: Option<String>,
    /// The markup.
    pub(crate) html: String,
    /// The story, as people marked it.
    pub(crate) text: String,
    /// The part of the data that it belongs to; all pages of a publisher are in one.
    pub(crate) fold: usize,
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

/// Loads the sets, each `NAME` standing for `NAME.pages.jsonl` and `NAME.gold.jsonl`, and parts them.
pub(crate) fn load(sets: &[&str], folds: usize) -> Result<Vec<Example>> {
    let mut examples = Vec::new();
    for (set, name) in sets.iter().enumerate() {
        let gold: HashMap<String, String> = rows::<GoldRow>(&format!("{name}.gold.jsonl"))?
            .into_iter()
            .map(|row| (row.id, row.text))
            .collect();
        for row in rows::<PageRow>(&format!("{name}.pages.jsonl"))? {
            let text = gold.get(&row.id).cloned().unwrap_or_default();
            let PageRow { id, url, html } = row;
            examples.push(Example {
                set,
                id,
                url: url.filter(|url| !url.is_empty()),
                html,
                text,
                fold: 0,
            });
        }
    }
    part(&mut examples, folds);
    Ok(examples)
}

fn rows<T: for<'de> Deserialize<'de>>(path: &str) -> Result<Vec<T>> {
    let text = fs::read_to_string(Path::new(path)).with_context(|| format!("cannot read {path}"))?;
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("bad row in {path}")))
        .collect()
}

/// Gives every publisher a fold by the hash of its name. The publisher is the registrable domain, or where the
/// set has no address the first part of the id.
fn part(examples: &mut [Example], folds: usize) {
    // A set may give the address on some pages of a publisher only: its other pages must not get away.
    let mut domain_of_id: HashMap<String, String> = HashMap::new();
    for example in examples.iter() {
        if let (Some(domain), Some(prefix)) = (domain(example), prefix(&example.id)) {
            domain_of_id.entry(prefix.to_owned()).or_insert(domain);
        }
    }
    for example in examples.iter_mut() {
        let known = prefix(&example.id)
            .and_then(|prefix| domain_of_id.get(prefix))
            .cloned();
        let publisher = known
            .or_else(|| domain(example))
            .unwrap_or_else(|| example.id.clone());
        let hash = publisher.bytes().fold(17u64, |hash, byte| {
            hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)
        });
        example.fold = (hash >> 7) as usize % folds;
    }
}

fn domain(example: &Example) -> Option<String> {
    let url = url::Url::parse(example.url.as_deref()?).ok()?;
    psl::domain_str(url.host_str()?).map(str::to_owned)
}

/// The publisher in ids such as `at/DerStandard_2024`.
fn prefix(id: &str) -> Option<&str> {
    id.contains('/').then(|| id.split('_').next()).flatten()
}
