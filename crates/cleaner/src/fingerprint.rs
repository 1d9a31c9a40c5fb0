//! Fingerprints that tell copies of a story from other stories.
//!
//! A SimHash (Charikar, 2002) of 64 bits over overlapping groups of words: near-equal texts differ in few bits, so
//! a consumer compares two numbers. Rejected: MinHash (better for parts of a text, but a signature of hundreds of
//! bytes in every message) and a plain hash (one changed word makes another).

use crate::hash::for_each_word;

/// Words in a group. Single words say what a story is about, which another story on the event shares; long groups
/// break with every edit.
const GROUP: usize = 3;

/// Fingerprints that differ in at most this many of their 64 bits are of copies of one text. Copies with a changed
/// sentence differ in 1 to 8 bits; independent texts differ in 32 on average, with a deviation of 4.
pub const NEAR_COPY_BITS: u32 = 10;

/// Computes the fingerprint of a text as 16 hexadecimal digits; `None` where there is no word.
pub fn fingerprint(text: &str) -> Option<String> {
    let mut words = Vec::with_capacity(text.len() / 6);
    for_each_word(text, |hash| words.push(hash));
    if words.is_empty() {
        return None;
    }
    let mut counts = [0u32; 64];
    let mut groups = words.windows(GROUP.min(words.len()));
    let total = groups.len();
    // Eight counters of a byte each fit into a word; they are emptied before they can overflow.
    while groups.len() > 0 {
        let mut lanes = [0u64; 8];
        for group in groups.by_ref().take(255) {
            for (lane, byte) in lanes.iter_mut().zip(combine(group).to_le_bytes()) {
                *lane += SPREAD.get(usize::from(byte)).copied().unwrap_or(0);
            }
        }
        for (counts, lane) in counts.chunks_exact_mut(8).zip(lanes) {
            for (count, seen) in counts.iter_mut().zip(lane.to_le_bytes()) {
                *count += u32::from(seen);
            }
        }
    }
    let is_set = |count: u32| u64::from(count as usize * 2 > total);
    let bits = counts
        .iter()
        .enumerate()
        .fold(0u64, |bits, (bit, &count)| bits | (is_set(count) << bit));
    Some(format!("{bits:016x}"))
}

/// Each bit of a byte in a byte of its own.
const SPREAD: [u64; 256] = {
    let mut table = [0u64; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            table[byte] |= (((byte >> bit) & 1) as u64) << (bit * 8);
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// Counts the bits in which two fingerprints differ; `None` where one of them is none.
pub fn distance(left: &str, right: &str) -> Option<u32> {
    let read = |text: &str| u64::from_str_radix(text, 16).ok();
    Some((read(left)? ^ read(right)?).count_ones())
}

/// Joins the words of a group in their order (the mixing function of SplitMix64).
fn combine(group: &[u64]) -> u64 {
    group.iter().fold(0, |state: u64, word| {
        let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}
