//! Measures the cleaner on pages with known text and learns its weights.
//!
//! ```text
//! telex-cleaner-lab cross SET...       cross-validates by publisher and prints the measures and the worst pages
//! telex-cleaner-lab learn DIR SET...   learns from all pages and writes the weights
//! telex-cleaner-lab clean FILE         cleans pages (JSON lines with id, url, html or text)
//! telex-cleaner-lab speed FILE         measures the speed on the same on one thread
//! ```
//! A set `NAME` is two files: `NAME.pages.jsonl` with id, url, html and `NAME.gold.jsonl` with id, text.
#![allow(clippy::print_stdout, reason = "a command that prints its findings")]

mod align;
mod boost;
mod clean;
mod data;
mod learn;
mod lexicon;
mod score;

use std::fmt::Write as _;
use std::fs;

use anyhow::{Result, bail};
use data::Example;
use learn::{Lab, score};

/// Parts of the data; a fifth is left out at a time.
const FOLDS: usize = 5;

/// Pages that the report on the worst shows.
const WORST: usize = 60;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["clean", file] => clean::clean(file),
        ["speed", file] => {
            println!("{}", clean::speed(file)?);
            Ok(())
        }
        ["cross", sets @ ..] if !sets.is_empty() => cross(&data::load(sets, FOLDS)?),
        ["learn", dir, sets @ ..] if !sets.is_empty() => write(dir, &data::load(sets, FOLDS)?),
        _ => bail!("usage: telex-cleaner-lab cross SET... | learn DIR SET... | clean FILE | speed FILE"),
    }
}

/// Prints what the engine reaches on publishers that it did not learn from.
fn cross(examples: &[Example]) -> Result<()> {
    let lab = Lab::new(examples, FOLDS);
    println!("{} pages, {} blocks", examples.len(), lab.size());
    let print = |what: &str, texts: Vec<String>| {
        let (scores, pages) = score(examples, texts);
        for (set, score) in scores.iter().enumerate() {
            println!("{what}, set {set}: {}", score.line());
        }
        pages
    };
    print("perfect choice of blocks", lab.oracle());
    let scores = lab.cross();
    print(
        "first forest",
        scores
            .iter()
            .enumerate()
            .map(|(page, both)| lab.text(page, &both.0))
            .collect(),
    );
    let pages = print(
        "both forests",
        scores
            .iter()
            .enumerate()
            .map(|(page, both)| lab.text(page, &both.1))
            .collect(),
    );
    println!("{}", worst(&lab, &pages, &scores)?);
    let lines = lab.cross_lines();
    print(
        "as plain text",
        lines
            .iter()
            .enumerate()
            .map(|(page, scores)| lab.text(page, scores))
            .collect(),
    );
    Ok(())
}

/// Lists the worst pages with their wrong blocks.
fn worst(lab: &Lab<'_>, pages: &[f64], scores: &[(Vec<f32>, Vec<f32>)]) -> Result<String> {
    let mut order: Vec<usize> = (0..pages.len()).collect();
    order.sort_by(|a, b| pages[*a].total_cmp(&pages[*b]));
    let mut report = String::new();
    for page in order.into_iter().take(WORST) {
        writeln!(report, "{:.3} {}", pages[page], lab.examples[page].id)?;
        for ((share, words, text), score) in lab.blocks(page).iter().zip(&scores[page].1) {
            if (*share > 0.5) != (*score > 0.0) {
                let line: String = text.chars().take(90).collect();
                writeln!(
                    report,
                    "    is {share:.2} scored {score:.1} words {words} {}",
                    line.replace('\n', " ")
                )?;
            }
        }
    }
    Ok(report)
}

/// Learns from everything and writes the weights.
fn write(dir: &str, examples: &[Example]) -> Result<()> {
    let lab = Lab::new(examples, FOLDS);
    let model = lab.model();
    let mut lexicon = String::new();
    for (hash, weight, spelled) in lab.words() {
        writeln!(lexicon, "{spelled}\t{weight:.2}\t{hash:x}")?;
    }
    fs::write(format!("{dir}/lexicon.tsv"), lexicon)?;
    fs::write(format!("{dir}/first.txt"), model.first.to_text())?;
    fs::write(format!("{dir}/second.txt"), model.second.to_text())?;
    fs::write(format!("{dir}/lines.txt"), model.lines.to_text())?;
    Ok(())
}
