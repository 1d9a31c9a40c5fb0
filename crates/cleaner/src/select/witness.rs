//! Compares what a page shows with what its head says the story is.

use crate::fingerprint::hash_words;

/// Longest group of words that is compared. Four words in a row are rarely shared by chance.
const GROUP: usize = 4;

/// Groups of words of a statement.
#[derive(Debug, Default)]
pub(super) struct Witness {
    groups: Vec<u64>,
}

impl Witness {
    /// Reads a statement.
    pub(super) fn new(statement: &str) -> Self {
        let mut words = Vec::new();
        hash_words(statement, &mut words);
        let mut groups: Vec<u64> = Vec::with_capacity(words.len() * GROUP);
        for size in 1..=GROUP {
            groups.extend(words.windows(size).map(join));
        }
        groups.sort_unstable();
        groups.dedup();
        Self { groups }
    }

    /// Tells whether nothing was stated.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Tells which share of a text's groups of words the statement has, 0 to 1; `words` are the hashes of its words.
    pub(super) fn share(&self, words: &[u64]) -> f32 {
        let size = words.len().min(GROUP);
        if self.groups.is_empty() || size == 0 {
            return 0.0;
        }
        let found = words
            .windows(size)
            .filter(|group| self.groups.binary_search(&join(group)).is_ok())
            .count();
        found as f32 / (words.len() + 1 - size) as f32
    }
}

fn join(group: &[u64]) -> u64 {
    group.iter().fold(group.len() as u64, |hash, word| {
        (hash.rotate_left(21) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}
