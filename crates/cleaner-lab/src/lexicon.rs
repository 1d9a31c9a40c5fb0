//! Learns the weights of words around blocks and in short lines.

use std::collections::{HashMap, HashSet};

use telex_cleaner::training::{Lexicon, Sample};

/// What was seen of one word: the mean over its pages of its share of the story's and of the other blocks.
#[derive(Default, Clone)]
struct Seen {
    spelled: String,
    story: f32,
    rest: f32,
    pages: f32,
}

/// What was seen of all words in one fold.
#[derive(Default, Clone)]
pub(crate) struct Counts {
    words: HashMap<u64, Seen>,
}

/// Pages that must have a word before it is weighed.
const MIN_PAGES: f32 = 5.0;
/// Pages' worth of doubt: pulls the weights of rare words towards 0.
const DOUBT: f32 = 0.5;
/// Weights below this say nothing.
const MIN_WEIGHT: f32 = 0.2;

impl Counts {
    /// Adds a page with the labels of its blocks.
    pub(crate) fn add(&mut self, sample: &Sample<'_>, labels: &[(f32, f32)]) {
        let mass = |words: f32| words.min(30.0) + 2.0;
        let story: f32 = labels
            .iter()
            .map(|(share, words)| share * mass(*words))
            .sum::<f32>()
            .max(1.0);
        let rest: f32 = labels
            .iter()
            .map(|(share, words)| (1.0 - share) * mass(*words))
            .sum::<f32>()
            .max(1.0);
        let mut here: HashMap<u64, (f32, f32, String)> = HashMap::new();
        let mut on_block = HashSet::new();
        let mut last = usize::MAX;
        sample.words(|row, hash, spelled| {
            if row != last {
                on_block.clear();
                last = row;
            }
            if !on_block.insert(hash) {
                return;
            }
            let (share, words) = labels.get(row).copied().unwrap_or_default();
            let entry = here
                .entry(hash)
                .or_insert_with(|| (0.0, 0.0, spelled.to_ascii_lowercase()));
            entry.0 += share * mass(words) / story;
            entry.1 += (1.0 - share) * mass(words) / rest;
        });
        for (hash, (story, rest, spelled)) in here {
            let seen = self.words.entry(hash).or_default();
            seen.spelled = spelled;
            seen.story += story;
            seen.rest += rest;
            seen.pages += 1.0;
        }
    }
}

/// Weighs the words of all folds that are not left out: hash, weight, spelling.
pub(crate) fn weights(folds: &[Counts], left_out: &[usize]) -> Vec<(u64, f32, String)> {
    let mut sums: HashMap<u64, Seen> = HashMap::new();
    for (_, counts) in folds
        .iter()
        .enumerate()
        .filter(|(fold, _)| !left_out.contains(fold))
    {
        for (hash, seen) in &counts.words {
            let sum = sums.entry(*hash).or_default();
            sum.story += seen.story;
            sum.rest += seen.rest;
            sum.pages += seen.pages;
            sum.spelled.clone_from(&seen.spelled);
        }
    }
    let mut weights: Vec<(u64, f32, String)> = sums
        .into_iter()
        .filter(|(_, seen)| seen.pages >= MIN_PAGES)
        .map(|(hash, seen)| {
            (
                hash,
                ((seen.story + DOUBT) / (seen.rest + DOUBT)).ln(),
                seen.spelled,
            )
        })
        .filter(|(_, weight, _)| weight.abs() >= MIN_WEIGHT)
        .collect();
    weights.sort_by(|a, b| a.2.cmp(&b.2).then(a.0.cmp(&b.0)));
    weights
}

/// The same as the cleaner uses it.
pub(crate) fn lexicon(folds: &[Counts], left_out: &[usize]) -> Lexicon {
    let pairs: Vec<(u64, f32)> = weights(folds, left_out)
        .into_iter()
        .map(|(hash, weight, _)| (hash, weight))
        .collect();
    Lexicon::new(&pairs)
}
