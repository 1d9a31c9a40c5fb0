//! Counts what a block's characters say: words, sentences, capitals, digits.

use crate::hash::hash_bytes;
use crate::html::{Block, Document};

/// Counts over the text of one block.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stats {
    /// Words; in scripts without spaces two characters count as one.
    pub(super) words: f32,
    /// Bytes of text.
    pub(super) bytes: f32,
    /// Share of the bytes that is inside links.
    pub(super) linked: f32,
    /// Ends of sentences.
    pub(super) stops: f32,
    /// Commas.
    pub(super) commas: f32,
    /// ASCII digits.
    pub(super) digits: f32,
    /// ASCII capitals.
    pub(super) capitals: f32,
    /// How the text begins: 0 small letter or script without case, 1 capital, 2 digit, 3 another sign.
    pub(super) begin: f32,
    /// How the text ends: 0 letter or digit, 1 end of a sentence, 2 colon, 3 another sign.
    pub(super) end: f32,
    /// Hash of the text.
    pub(super) hash: u64,
}

impl Stats {
    /// Counts over a block.
    pub(super) fn of(document: &Document<'_>, block: &Block) -> Self {
        let text = document.block_text(block);
        let bytes = text.as_bytes();
        let counts = Counts::of(bytes);
        let end = end_code(text);
        Self {
            words: (counts.spaces + 1 + counts.dense / 2) as f32,
            bytes: bytes.len().max(1) as f32,
            linked: (block.link_bytes as f32 / bytes.len().max(1) as f32).min(1.0),
            stops: counts.stops as f32 + f32::from(u8::from(end == 1.0)),
            commas: counts.commas as f32,
            digits: counts.digits as f32,
            capitals: counts.capitals as f32,
            begin: text.chars().next().map_or(3.0, begin_code),
            end,
            hash: hash_bytes(0, bytes),
        }
    }

    /// Tells whether the block reads like running text. 15 words and a full stop: shorter lines are as often
    /// teasers and captions.
    pub(super) fn is_prose(&self) -> bool {
        self.words >= 15.0 && self.linked < 0.35 && self.stops >= 1.0
    }
}

#[derive(Default)]
struct Counts {
    spaces: u32,
    dense: u32,
    stops: u32,
    commas: u32,
    digits: u32,
    capitals: u32,
}

/// Marks in the two upper bytes of a class: signs that end sentences, and spaces behind such.
const STOP: u64 = 1 << 48;
const SPACE: u64 = 1 << 49;
/// The last two bytes of the ideographic full stop.
const WIDE_STOP: u64 = 1 << 50;
const WIDE_STOP_END: u64 = 1 << 51;

/// For each byte a 1 in the counter that it belongs to (of eight bits each), and its marks.
const CLASSES: [u64; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' | b'\n' => 1 | SPACE,
            b',' => 1 << 8,
            b'0'..=b'9' => 1 << 16,
            b'A'..=b'Z' => 1 << 24,
            // First bytes of kana, Chinese characters and Hangul; 。 ！ ？ 、 begin with 0xE3 and 0xEF.
            0xE3..=0xED => 1 << 32,
            b'.' | b'!' | b'?' => STOP,
            0x80 => WIDE_STOP,
            0x82 => WIDE_STOP_END,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

impl Counts {
    fn of(bytes: &[u8]) -> Self {
        let mut counts = Self::default();
        let mut before = 0;
        // A counter of eight bits holds 255.
        for part in bytes.chunks(255) {
            let mut sums = 0u64;
            for byte in part {
                let class = CLASSES[usize::from(*byte)];
                sums += class & (STOP - 1);
                let ends = (before & STOP) << 1 & class | (before & WIDE_STOP) << 1 & class;
                counts.stops += u32::from(ends != 0);
                before = class;
            }
            let [spaces, commas, digits, capitals, dense, ..] = sums.to_le_bytes().map(u32::from);
            counts.spaces += spaces;
            counts.commas += commas;
            counts.digits += digits;
            counts.capitals += capitals;
            counts.dense += dense;
        }
        counts
    }
}

fn begin_code(first: char) -> f32 {
    if first.is_uppercase() {
        1.0
    } else if first.is_alphabetic() {
        0.0
    } else if first.is_numeric() {
        2.0
    } else {
        3.0
    }
}

fn end_code(text: &str) -> f32 {
    let closing = |c: &char| !matches!(c, '"' | '\'' | '”' | '“' | '’' | '»' | '«' | ')' | ']' | '」');
    match text.chars().rev().find(closing) {
        Some('.' | '!' | '?' | '…' | '。' | '！' | '？' | '।' | '؟') => 1.0,
        Some(':') => 2.0,
        Some(last) if last.is_alphanumeric() => 0.0,
        _ => 3.0,
    }
}
