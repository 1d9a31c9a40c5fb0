//! Runs the cleaner and its peers over the same pages and prints how right and how fast each is.
//!
//! `telex-cleaner-peers [FOLDER]`: every `NAME.pages.jsonl` (id, url, html) of the folder with its `NAME.gold.jsonl`
//! (id, text) is a set; without a folder, the pages of the test site are the set. One extractor after the other, each
//! on one thread, the least time of some rounds for each page.

mod extract;
mod measure;
mod pages;

use anyhow::Result;

use extract::{EXTRACTORS, run};
use measure::Measure;

fn main() -> Result<()> {
    let sets = match std::env::args_os().nth(1) {
        Some(folder) => pages::of_folder(folder.as_ref())?,
        None => vec![pages::of_site()?],
    };
    for set in sets {
        println!("{}: {} pages", set.name, set.pages.len());
        let mut ours = None;
        for (name, extract) in EXTRACTORS {
            let run = run(*extract, &set.pages);
            let rate = set.pages.len() as f64 / run.spent.as_secs_f64();
            let ours = *ours.get_or_insert(rate);
            let mut measure = Measure::default();
            for (page, text) in set.pages.iter().zip(&run.texts) {
                measure.add(&page.text, text);
            }
            println!(
                "{name:15} {measure}  {rate:7.0} docs/s  cleaner {:5.1} times as fast  slowest page {:.0?}{}",
                ours / rate,
                run.slowest,
                if run.late > 0 {
                    format!("  {} too late", run.late)
                } else {
                    String::new()
                },
            );
        }
    }
    Ok(())
}
