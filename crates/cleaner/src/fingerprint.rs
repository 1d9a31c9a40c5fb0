//! Fingerprints that tell copies of a story from other stories.
//!
//! A SimHash (Charikar, 2002) of 64 bits over overlapping groups of words: near-equal texts differ in few bits, so
//! a consumer compares two numbers. Rejected: MinHash (better for parts of a text, but a signature of hundreds of
//! bytes in every message) and a plain hash (one changed word makes another).

/// Words in a group. Single words say what a story is about, which another story on the event shares; long groups
/// break with every edit.
const GROUP: usize = 3;

/// Fingerprints that differ in at most this many of their 64 bits are of copies of one text. Copies with a changed
/// sentence differ in 1 to 8 bits; independent texts differ in 32 on average, with a deviation of 4.
pub const NEAR_COPY_BITS: u32 = 10;

/// Computes the fingerprint of a text as 16 hexadecimal digits; `None` where there is no word.
pub fn fingerprint(text: &str) -> Option<String> {
    let mut counts = [0i32; 64];
    let mut group = [0u64; GROUP];
    let mut seen = 0usize;
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        group.rotate_left(1);
        if let Some(last) = group.last_mut() {
            *last = hash_word(word);
        }
        seen += 1;
        if seen >= GROUP {
            count(&mut counts, combine(&group));
        }
    }
    match seen {
        0 => return None,
        1..GROUP => count(&mut counts, combine(&group)),
        _ => {}
    }
    let bits = counts
        .iter()
        .fold(0u64, |bits, &count| (bits << 1) | u64::from(count > 0));
    Some(format!("{bits:016x}"))
}

/// Counts the bits in which two fingerprints differ; `None` where one of them is none.
pub fn distance(left: &str, right: &str) -> Option<u32> {
    let read = |text: &str| u64::from_str_radix(text, 16).ok();
    Some((read(left)? ^ read(right)?).count_ones())
}

fn count(counts: &mut [i32; 64], hash: u64) {
    for (bit, count) in counts.iter_mut().enumerate() {
        *count += i32::from((hash >> bit) & 1 == 1) * 2 - 1;
    }
}

/// Hashes a word without regard to case (FNV-1a, whose weak high bits [`combine`] mixes).
fn hash_word(word: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for c in word.chars().flat_map(char::to_lowercase) {
        hash = (hash ^ u64::from(u32::from(c))).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

/// Joins the words of a group in their order (the mixing function of SplitMix64).
fn combine(group: &[u64; GROUP]) -> u64 {
    group.iter().fold(0, |state: u64, word| {
        let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}
