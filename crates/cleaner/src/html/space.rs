//! Measures white space: that of the standard, and the no-break space, which pages use for layout.

/// Kinds of bytes: inside a word, the space, other white space, and the first byte of the no-break space.
const WORD: u8 = 0;
const SPACE: u8 = 1;
const BLANK: u8 = 2;
const LEAD: u8 = 3;

const KINDS: [u8; 256] = {
    let mut kinds = [WORD; 256];
    kinds[b' ' as usize] = SPACE;
    kinds[b'\t' as usize] = BLANK;
    kinds[b'\n' as usize] = BLANK;
    kinds[b'\r' as usize] = BLANK;
    kinds[0xc] = BLANK;
    kinds[0xc2] = LEAD;
    kinds
};

fn kind(text: &[u8], at: usize) -> Option<u8> {
    text.get(at).map(|byte| KINDS[usize::from(*byte)])
}

/// Measures the white space at the beginning.
pub(super) fn leading_space(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match kind(text, at) {
            Some(SPACE | BLANK) => at += 1,
            Some(LEAD) if text.get(at + 1) == Some(&0xa0) => at += 2,
            _ => return at,
        }
    }
}

/// Measures the words at the beginning that have single spaces between them, so that they can be taken as they stand.
pub(super) fn run_length(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match kind(text, at) {
            Some(WORD) => at += 1,
            Some(SPACE) if kind(text, at + 1) == Some(WORD) => at += 2,
            Some(LEAD) if text.get(at + 1) != Some(&0xa0) => at += 1,
            _ => return at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{leading_space, run_length};

    #[test]
    fn a_run_ends_where_white_space_has_to_be_folded() {
        for (text, expected) in [
            ("one two  three", "one two"),
            ("one two ", "one two"),
            ("one\ntwo", "one"),
            ("caf\u{e9} \u{e9}t\u{e9}", "caf\u{e9} \u{e9}t\u{e9}"),
            ("5\u{a0}km", "5"),
            ("\u{a9} one", "\u{a9} one"),
        ] {
            assert_eq!(
                text.get(..run_length(text.as_bytes())),
                Some(expected),
                "{text:?}"
            );
        }
        assert_eq!(leading_space(" \u{a0}\t\u{a9}".as_bytes()), 4);
    }
}
