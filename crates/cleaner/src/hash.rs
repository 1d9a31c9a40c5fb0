//! Hashes for telling words and texts apart. Nobody gains by making two of them equal: that spoils one page, his own.

/// Sets the bit in which small letters differ from capitals, in eight bytes at once.
const SMALL: u64 = 0x2020_2020_2020_2020;

/// Hashes a word without regard to case, as far as letters differ in one bit only: those of ASCII, and most of Latin-1,
/// Greek and Cyrillic in UTF-8.
pub(crate) fn hash_word(word: &[u8]) -> u64 {
    let (eights, rest) = word.as_chunks::<8>();
    let hash = eights.iter().fold(SEED, |hash, eight| {
        mix(hash ^ (u64::from_le_bytes(*eight) | SMALL))
    });
    mix(hash ^ (join(rest) | SMALL))
}

/// Hashes characters as they are; `state` is the hash of what stands before.
pub(crate) fn hash_bytes(state: u64, bytes: &[u8]) -> u64 {
    let (eights, rest) = bytes.as_chunks::<8>();
    let hash = eights
        .iter()
        .fold(state, |hash, eight| mix(hash ^ u64::from_le_bytes(*eight)));
    // The length tells an end apart from one with zeros.
    mix(hash ^ join(rest)).wrapping_add(bytes.len() as u64)
}

/// Calls back with the hash of every word of a text: a run of letters and digits.
pub(crate) fn for_each_word(text: &str, mut found: impl FnMut(u64)) {
    let bytes = text.as_bytes();
    let (mut begin, mut at) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        let (is_word, length) = if byte.is_ascii() {
            (byte.is_ascii_alphanumeric(), 1)
        } else {
            let c = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
            (c.is_alphanumeric(), c.len_utf8())
        };
        if !is_word {
            if begin < at {
                found(hash_word(bytes.get(begin..at).unwrap_or_default()));
            }
            begin = at + length;
        }
        at += length;
    }
    if begin < at {
        found(hash_word(bytes.get(begin..).unwrap_or_default()));
    }
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// Multiplies into the upper half and folds it back (as wyhash does).
fn mix(state: u64) -> u64 {
    let wide = u128::from(state) * u128::from(0x9e37_79b9_7f4a_7c15u64);
    (wide as u64) ^ (wide >> 64) as u64
}

/// Packs fewer than eight bytes.
fn join(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |piece, byte| (piece << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::{for_each_word, hash_word};

    #[test]
    fn words_are_told_apart_but_for_their_case() {
        assert_eq!(
            hash_word("Überfähre-Nord".as_bytes()),
            hash_word("überFÄHRE-nord".as_bytes())
        );
        let words = [
            "",
            "a",
            "aa",
            "aaaaaaaa",
            "aaaaaaaaa",
            "b",
            "1",
            "article",
            "articles",
        ];
        let mut hashes = words.map(|word| hash_word(word.as_bytes())).to_vec();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), words.len());
    }

    #[test]
    fn words_end_at_signs_and_spaces_of_every_script() {
        let mut found = Vec::new();
        for_each_word("“Ferry’s back”…\u{a0}船、見 x", |hash| {
            found.push(hash)
        });
        let expected = ["Ferry", "s", "back", "船", "見", "x"].map(|word| hash_word(word.as_bytes()));
        assert_eq!(found, expected);
    }
}
