//! A quick look at the beginning of a word, before the automaton is asked.
//!
//! Most words of a text begin no name. A walk through the automaton finds that out after some three letters, each in
//! another place of memory; the table of bits here stays in the nearest cache.

/// The first bytes of all needles, to pass over words that cannot be one; most cannot.
///
/// Sets by a hash: they may let a word through that no needle begins, never the other way round.
pub(crate) struct Beginnings {
    /// The first two bytes of needles of fewer than four, and the whole of these.
    pairs: Set,
    short: Set,
    /// The first four bytes of the others: most words end here.
    gate: Set,
    /// The first bytes of the others, as many as count.
    long: Set,
}

/// Bytes of the shortest needle: a letter and the space after it.
const PAIR: usize = 2;
/// Bytes that the gate looks at.
const GATE: usize = 4;
/// Bytes of a needle that count at most: eight letters of the Latin alphabet, four of others.
const LONGEST: usize = 8;
/// Bits of the sets, as powers of two. With the 7,500 needles of the built-in topics one bit in a hundred is set in the
/// first two and the last, so that five looks seldom err; all but the last stay in a core's nearest cache.
const SHORT_BITS: u32 = 14;
const GATE_BITS: u32 = 16;
const LONG_BITS: u32 = 19;

impl Beginnings {
    /// Enters the first bytes of needles, which have two bytes at least.
    pub(crate) fn new<'a>(needles: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut beginnings = Self {
            pairs: Set::new(SHORT_BITS),
            short: Set::new(SHORT_BITS),
            gate: Set::new(GATE_BITS),
            long: Set::new(LONG_BITS),
        };
        for needle in needles {
            let mut key = [0; LONGEST];
            key.iter_mut().zip(needle).for_each(|(to, from)| *to = *from);
            let key = u64::from_le_bytes(key);
            if needle.len() < GATE {
                beginnings.pairs.insert(key, PAIR);
                beginnings.short.insert(key, needle.len());
            } else {
                beginnings.gate.insert(key, GATE);
                beginnings.long.insert(key, needle.len().min(LONGEST));
            }
        }
        beginnings
    }

    /// Tells whether a needle may begin this text.
    pub(crate) fn allow(&self, text: &[u8]) -> bool {
        // The end of the text is not worth a rule of its own.
        text.first_chunk().is_none_or(|key| {
            let key = u64::from_le_bytes(*key);
            let long = |length| self.long.contains(key, length);
            let short = |length| self.short.contains(key, length);
            self.gate.contains(key, GATE) && (GATE..=LONGEST).any(long)
                || self.pairs.contains(key, PAIR) && (PAIR..GATE).any(short)
        })
    }
}

/// A set of keys of one to eight bytes, one bit each.
struct Set {
    words: Vec<u64>,
    bits: u32,
}

impl Set {
    fn new(bits: u32) -> Self {
        let words = vec![0; 1 << (bits - 6)];
        Self { words, bits }
    }

    /// Hashes the first bytes of a key by multiplication (Knuth, The Art of Computer Programming 6.4).
    fn place(&self, key: u64, length: usize) -> usize {
        let kept = key << (64 - 8 * length.max(1));
        (kept.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - self.bits)) as usize
    }

    fn insert(&mut self, key: u64, length: usize) {
        let place = self.place(key, length);
        if let Some(word) = self.words.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    fn contains(&self, key: u64, length: usize) -> bool {
        let place = self.place(key, length);
        self.words
            .get(place / 64)
            .is_some_and(|word| word >> (place % 64) & 1 == 1)
    }
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
