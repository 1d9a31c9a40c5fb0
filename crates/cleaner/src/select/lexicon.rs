//! Weighs the words that sites write into `class` and `id`, and those of short lines.
//!
//! A word's weight is the logarithm of how much more often it stands around story text than around the rest, learned
//! over many publishers. Rejected: lists written by hand; the learned ones hold what nobody thinks of and leave out
//! what only sounds meaningful.

/// Longer words are hashes of build tools.
const MAX_WORD: usize = 24;
/// Words of a class attribute that are read; utility-class frameworks write hundreds.
const MAX_WORDS: usize = 24;

/// Weights of words, by hash.
#[derive(Debug, Clone, Default)]
pub struct Lexicon {
    /// Open addressing, a power of two long, at most half full; an empty slot has the weight 0.
    slots: Vec<(u64, f32)>,
}

impl Lexicon {
    /// Makes a lexicon of hashes (see [`hash_word`]) and weights.
    pub fn new(weights: &[(u64, f32)]) -> Self {
        let mut slots = vec![(0, 0.0); (weights.len() * 2).next_power_of_two().max(2)];
        let mask = slots.len() - 1;
        for &(hash, weight) in weights.iter().filter(|(_, weight)| *weight != 0.0) {
            let mut at = hash as usize & mask;
            while slots.get(at).is_some_and(|slot| slot.1 != 0.0 && slot.0 != hash) {
                at = (at + 1) & mask;
            }
            if let Some(slot) = slots.get_mut(at) {
                *slot = (hash, weight);
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
        while let Some(&(found, weight)) = self.slots.get(at) {
            if weight == 0.0 || found == hash {
                return weight;
            }
            at = (at + 1) & mask;
        }
        0.0
    }
}

/// Hashes a word without regard to ASCII case.
pub fn hash_word(word: &str) -> u64 {
    word.bytes()
        .fold(SEED, |hash, byte| step(hash, byte.to_ascii_lowercase()))
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

fn step(hash: u64, byte: u8) -> u64 {
    let mixed = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    mixed ^ (mixed >> 29)
}

/// Calls back for every word of a `class` or `id` value: runs of letters, split where small letters meet capitals,
/// and each whole name without its signs and digits.
pub(super) fn class_words<'a>(value: &'a str, mut found: impl FnMut(&'a str)) {
    let mut seen = 0;
    for name in value.split_ascii_whitespace() {
        let mut pieces = 0;
        for run in name.split(|c: char| !c.is_alphabetic()) {
            for word in camel(run) {
                if (2..=MAX_WORD).contains(&word.len()) && seen < MAX_WORDS {
                    found(word);
                    pieces += 1;
                    seen += 1;
                }
            }
        }
        if pieces > 1 && name.len() <= 2 * MAX_WORD {
            found(name);
        }
    }
}

/// Splits `articleBody` into `article` and `Body`.
fn camel(run: &str) -> impl Iterator<Item = &str> {
    let mut rest = run;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let bytes = rest.as_bytes();
        let border = bytes
            .windows(2)
            .position(|pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
        let (word, tail) = rest.split_at_checked(border.map_or(rest.len(), |at| at + 1))?;
        rest = tail;
        Some(word)
    })
}
