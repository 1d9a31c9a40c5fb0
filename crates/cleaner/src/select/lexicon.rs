//! Weighs the words that sites write into `class` and `id`, and those of short lines.
//!
//! A word's weight is the logarithm of how much more often it stands around story text than around the rest, learned
//! over many publishers. Rejected: lists written by hand; the learned ones hold what nobody thinks of and leave out
//! what only sounds meaningful.

use crate::hash::{hash_bytes, hash_word};
use crate::html::Node;

/// Longer words are hashes of build tools.
const MAX_WORD: usize = 24;
/// Words of a class attribute that are read; utility-class frameworks write hundreds.
const MAX_WORDS: usize = 24;

/// Weights of words, by hash.
#[derive(Debug, Clone, Default)]
pub struct Lexicon {
    /// Open addressing, a power of two long, at most half full; an empty slot has the weight 0. Only the upper half of
    /// the hash is kept, which with the slot's number tells words apart as well, and fits into nearer caches.
    slots: Vec<(u32, f32)>,
}

impl Lexicon {
    /// Makes a lexicon of hashes of words and weights.
    pub fn new(weights: &[(u64, f32)]) -> Self {
        let mut slots = vec![(0, 0.0); (weights.len() * 2).next_power_of_two().max(2)];
        let mask = slots.len() - 1;
        for &(hash, weight) in weights.iter().filter(|(_, weight)| *weight != 0.0) {
            let mut at = hash as usize & mask;
            let upper = (hash >> 32) as u32;
            while slots.get(at).is_some_and(|slot| slot.1 != 0.0 && slot.0 != upper) {
                at = (at + 1) & mask;
            }
            if let Some(slot) = slots.get_mut(at) {
                *slot = (upper, weight);
            }
        }
        Self { slots }
    }

    /// Reads lines of spelling, weight and hash (hexadecimal), tabs between; `None` where one is damaged.
    pub fn from_text(text: &str) -> Option<Self> {
        let line = |line: &str| {
            let mut parts = line.split('\t').skip(1);
            let weight: f32 = parts.next()?.parse().ok()?;
            Some((u64::from_str_radix(parts.next()?, 16).ok()?, weight))
        };
        text.lines()
            .map(line)
            .collect::<Option<Vec<_>>>()
            .map(|weights| Self::new(&weights))
    }

    /// The weight of a word; 0 where it is unknown.
    pub fn weight(&self, hash: u64) -> f32 {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        let upper = (hash >> 32) as u32;
        while let Some(&(found, weight)) = self.slots.get(at) {
            if weight == 0.0 || found == upper {
                return weight;
            }
            at = (at + 1) & mask;
        }
        0.0
    }
}

/// Weighs elements by their names.
///
/// Pages repeat the names of their boxes, so what was weighed is kept: in a slot for each hash, the last one wins, so
/// that no choice of names makes it slow.
pub(super) struct NameWeights<'l> {
    lexicon: &'l Lexicon,
    known: Vec<(u64, f32)>,
}

/// Slots for weighed names, a power of two. Real pages have 100 to 500 different boxes.
const KNOWN_BITS: u32 = 10;

impl<'l> NameWeights<'l> {
    /// Begins with nothing weighed.
    pub(super) fn new(lexicon: &'l Lexicon) -> Self {
        Self {
            lexicon,
            known: vec![(0, 0.0); 1 << KNOWN_BITS],
        }
    }

    /// Adds the weights of an element's names.
    pub(super) fn weight(&mut self, node: &Node<'_>) -> f32 {
        let names = [node.class, node.id, node.role];
        if names.iter().all(|name| name.is_empty()) {
            return 0.0;
        }
        let hash = names
            .iter()
            .fold(1, |hash, name| hash_bytes(hash, name.as_bytes()));
        let Some(known) = self.known.get_mut((hash >> (64 - KNOWN_BITS)) as usize) else {
            return 0.0;
        };
        if known.0 != hash {
            let mut sum = 0.0;
            for name in names {
                class_words(name, |word| {
                    sum += self.lexicon.weight(hash_word(word.as_bytes()))
                });
            }
            *known = (hash, sum);
        }
        known.1
    }
}

/// Calls back for every word of a `class` or `id` value: runs of letters, split where small letters meet capitals,
/// and each whole name without its signs and digits.
pub(super) fn class_words<'a>(value: &'a str, mut found: impl FnMut(&'a str)) {
    let mut seen = 0;
    for name in value.split_ascii_whitespace() {
        if seen >= MAX_WORDS {
            return;
        }
        let before = seen;
        pieces(name, |word| {
            if (2..=MAX_WORD).contains(&word.len()) && seen < MAX_WORDS {
                found(word);
                seen += 1;
            }
        });
        if seen > before + 1 && name.len() <= 2 * MAX_WORD {
            found(name);
        }
    }
}

/// Splits `article-bodyText2` into `article`, `body` and `Text`. What is not ASCII counts as a letter.
fn pieces<'a>(name: &'a str, mut found: impl FnMut(&'a str)) {
    let mut begin = 0;
    let mut before = b' ';
    for (at, &byte) in name.as_bytes().iter().enumerate() {
        let is_letter = byte.is_ascii_alphabetic() || !byte.is_ascii();
        if !is_letter || (before.is_ascii_lowercase() && byte.is_ascii_uppercase()) {
            found(name.get(begin..at).unwrap_or_default());
            begin = at + usize::from(!is_letter);
        }
        before = byte;
    }
    found(name.get(begin..).unwrap_or_default());
}

/// Bytes of a line up to which its words are looked up one by one.
const SHORT_LINE: usize = 80;

/// Calls back with hash and spelling of every word of a short line; nothing for longer ones. The hashes are kept apart
/// from those of names.
pub(super) fn short_line_words<'t>(text: &'t str, mut found: impl FnMut(u64, &'t str)) {
    if text.len() > SHORT_LINE {
        return;
    }
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        let spelled = if word.bytes().all(|b| b.is_ascii_digit()) {
            "0"
        } else {
            word
        };
        found(
            hash_word(spelled.as_bytes()).rotate_left(17) ^ 0x5bd1_e995,
            spelled,
        );
    }
}
