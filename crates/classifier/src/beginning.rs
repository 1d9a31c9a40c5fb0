//! A quick look at the beginning of a word, before the automaton is asked.
//!
//! Most words of a text begin no name. A walk through the automaton finds that out after some three letters, each in
//! another place of memory; the table of bits here stays in the nearest cache.

/// The first bytes of all needles, to pass over words that cannot be one; most cannot.
///
/// A table of bits by a hash: it may let a word through that no needle begins, never the other way round.
pub(crate) struct Beginnings(Vec<u64>);

/// Bytes of a needle that count, the longest that it has: two letters of the Latin alphabet to four of others.
const BEGINNINGS: [usize; 4] = [8, 6, 4, 2];
/// Bits of the table, as a power of two: 16 kB, which stay in a core's nearest cache.
const TABLE_BITS: u32 = 17;

impl Beginnings {
    /// Enters the first bytes of needles.
    pub(crate) fn new<'a>(needles: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut bits = vec![0; 1 << (TABLE_BITS - 6)];
        for needle in needles {
            let length = BEGINNINGS.into_iter().find(|length| *length <= needle.len());
            let mut key = [0; 8];
            key.iter_mut().zip(needle).for_each(|(to, from)| *to = *from);
            let index = hash(u64::from_le_bytes(key), length.unwrap_or(0));
            if let Some(word) = bits.get_mut(index / 64) {
                *word |= 1_u64 << (index % 64);
            }
        }
        Self(bits)
    }

    /// Tells whether a needle may begin this text.
    pub(crate) fn allow(&self, text: &[u8]) -> bool {
        // The end of the text is not worth a rule of its own.
        text.first_chunk().is_none_or(|key| {
            let key = u64::from_le_bytes(*key);
            BEGINNINGS.into_iter().any(|length| {
                let index = hash(key, length);
                self.0
                    .get(index / 64)
                    .is_some_and(|word| word >> (index % 64) & 1 == 1)
            })
        })
    }
}

/// Hashes the first bytes of a key by multiplication (Knuth, The Art of Computer Programming 6.4).
fn hash(key: u64, length: usize) -> usize {
    let kept = key << (64 - 8 * length.max(1));
    (kept.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - TABLE_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::Beginnings;

    #[test]
    fn no_needle_is_passed_over_and_most_other_words_are() {
        let needles = [
            "eu ",
            "nato ",
            "ukrain",
            "\u{443}\u{43a}\u{440}\u{430}\u{457}\u{43d}",
            "европейск",
        ];
        let table = Beginnings::new(needles.iter().map(|needle| needle.as_bytes()));
        for needle in needles {
            assert!(table.allow(format!("{needle}abcdefgh").as_bytes()), "{needle}");
            assert!(table.allow(needle.as_bytes()), "{needle} at the end of the text");
        }
        let passed = (0..1000).filter(|number| table.allow(format!("{number:03} word").as_bytes()));
        assert!(passed.count() < 10);
    }
}
