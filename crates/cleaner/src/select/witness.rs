//! Compares what a page shows with what its head says the story is.

use crate::hash::for_each_word;

/// Longest group of words that is compared. Four words in a row are rarely shared by chance.
const GROUP: usize = 4;

/// Groups of words of a statement.
#[derive(Debug, Default)]
pub(super) struct Witness {
    /// Sorted.
    groups: Vec<u64>,
    /// A bit for what the upper bits of a group may be: most groups that are asked for are told from this alone.
    filter: Vec<u64>,
}

/// Bits of the filter for each group: fewer than one foreign group in eight passes.
const FILTER_BITS: usize = 8;

impl Witness {
    /// Reads a statement.
    pub(super) fn new(statement: &str) -> Self {
        let mut words = Vec::new();
        for_each_word(statement, |hash| words.push(hash));
        let mut groups: Vec<u64> = Vec::with_capacity(words.len() * GROUP);
        for size in 1..=GROUP {
            groups.extend(words.windows(size).map(join));
        }
        groups.sort_unstable();
        groups.dedup();
        let mut filter = vec![0; (groups.len() * FILTER_BITS / 64).next_power_of_two()];
        for group in &groups {
            let (slot, bit) = place(*group, filter.len());
            if let Some(slot) = filter.get_mut(slot) {
                *slot |= bit;
            }
        }
        Self { groups, filter }
    }

    fn has(&self, group: u64) -> bool {
        let (slot, bit) = place(group, self.filter.len());
        self.filter.get(slot).is_some_and(|bits| bits & bit != 0) && self.groups.binary_search(&group).is_ok()
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
        let found = words.windows(size).filter(|group| self.has(join(group))).count();
        found as f32 / (words.len() + 1 - size) as f32
    }
}

/// Slot and bit of a group in a filter of so many slots, a power of two.
fn place(group: u64, slots: usize) -> (usize, u64) {
    (
        (group >> 38) as usize & slots.saturating_sub(1),
        1 << (group >> 32 & 63),
    )
}

fn join(group: &[u64]) -> u64 {
    group.iter().fold(group.len() as u64, |hash, word| {
        (hash.rotate_left(21) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}
