//! Finds out which blocks of a page the known text consists of.

use std::collections::HashMap;

/// Words in a group by which long blocks are found.
const GROUP: usize = 4;

/// Tells for each block which share of its words is in the text, 0 to 1, and how many words it has.
pub(crate) fn labels<'t>(blocks: impl Iterator<Item = &'t str>, gold: &str) -> Vec<(f32, f32)> {
    let gold: Vec<String> = words(gold);
    let blocks: Vec<Vec<String>> = blocks.map(words).collect();
    let mut taken = vec![false; gold.len()];
    let mut places: HashMap<&[String], Vec<usize>> = HashMap::new();
    for (at, group) in gold.windows(GROUP).enumerate() {
        places.entry(group).or_default().push(at);
    }
    let mut found: Vec<Found> = blocks
        .iter()
        .map(|block| long(block, &places, &mut taken))
        .collect();
    let borders: Vec<(usize, usize)> = borders(&found, gold.len());
    for ((block, found), (from, to)) in blocks.iter().zip(found.iter_mut()).zip(borders) {
        if block.len() < GROUP * 2 && found.share < 0.5 {
            short(block, &gold, (from, to), &mut taken, found);
        }
    }
    found
        .iter()
        .zip(&blocks)
        .map(|(found, block)| (found.share, block.len() as f32))
        .collect()
}

#[derive(Clone, Copy, Default)]
struct Found {
    share: f32,
    /// First and last place in the gold text.
    span: Option<(usize, usize)>,
}

fn words(text: &str) -> Vec<String> {
    let is_sign = |c: char| !c.is_alphanumeric() && c != '_';
    text.split(is_sign)
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Finds a block by its groups of words; every group of the text is given away once, to the first that asks.
fn long(block: &[String], places: &HashMap<&[String], Vec<usize>>, taken: &mut [bool]) -> Found {
    if block.len() < GROUP {
        return Found::default();
    }
    let mut covered = vec![false; block.len()];
    let mut span: Option<(usize, usize)> = None;
    let mut last = 0;
    for (at, group) in block.windows(GROUP).enumerate() {
        let free = places.get(group).and_then(|all| {
            let open = |place: &&usize| taken.get(**place) == Some(&false);
            all.iter()
                .filter(open)
                .find(|place| **place > last)
                .or_else(|| all.iter().find(open))
        });
        let Some(&place) = free else { continue };
        last = place;
        if let Some(slot) = taken.get_mut(place) {
            *slot = true;
        }
        span = Some(span.map_or((place, place), |(a, b)| (a.min(place), b.max(place))));
        for slot in covered.iter_mut().skip(at).take(GROUP) {
            *slot = true;
        }
    }
    let share = covered.iter().filter(|covered| **covered).count() as f32 / block.len() as f32;
    Found { share, span }
}

/// Gives each block the stretch of the gold text that lies between its found neighbours.
fn borders(found: &[Found], end: usize) -> Vec<(usize, usize)> {
    let sure = |found: &Found| found.span.filter(|_| found.share > 0.7);
    let mut from = 0;
    let mut borders: Vec<(usize, usize)> = Vec::with_capacity(found.len());
    for each in found {
        borders.push((from, end));
        if let Some((_, last)) = sure(each) {
            from = last + 1;
        }
    }
    let mut to = end;
    for (each, border) in found.iter().zip(borders.iter_mut()).rev() {
        border.1 = to;
        if let Some((first, _)) = sure(each) {
            to = first;
        }
    }
    borders
}

/// Finds a short block word for word inside its stretch of the text.
fn short(block: &[String], gold: &[String], stretch: (usize, usize), taken: &mut [bool], found: &mut Found) {
    let (from, to) = stretch;
    let to = (to + GROUP).min(gold.len());
    if block.is_empty() || to < from + block.len() {
        return;
    }
    for at in from..=(to - block.len()) {
        let free = taken.get(at) == Some(&false);
        if free && gold.get(at..at + block.len()) == Some(block) {
            for slot in taken.iter_mut().skip(at).take(block.len()) {
                *slot = true;
            }
            found.share = 1.0;
            return;
        }
    }
}
