//! Counts what a block's characters say: words, sentences, capitals, digits.

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
    /// Signs that end sentences.
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
        let mut counts = Counts::default();
        let mut before = b' ';
        for &byte in bytes {
            counts.add(before, byte);
            before = byte;
        }
        Self {
            words: (counts.spaces + 1 + counts.dense / 2) as f32,
            bytes: bytes.len().max(1) as f32,
            linked: (block.link_bytes as f32 / bytes.len().max(1) as f32).min(1.0),
            stops: counts.stops as f32,
            commas: counts.commas as f32,
            digits: counts.digits as f32,
            capitals: counts.capitals as f32,
            begin: text.chars().next().map_or(3.0, begin_code),
            end: end_code(text),
            hash: counts.hash,
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
    hash: u64,
}

impl Counts {
    #[inline]
    fn add(&mut self, before: u8, byte: u8) {
        self.hash = (self.hash.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x517c_c1b7_2722_0a95);
        match byte {
            b' ' | b'\n' => {
                self.spaces += 1;
                self.stops += u32::from(matches!(before, b'.' | b'!' | b'?'));
            }
            b',' => self.commas += 1,
            b'0'..=b'9' => self.digits += 1,
            b'A'..=b'Z' => self.capitals += 1,
            // First bytes of kana, Chinese characters and Hangul; 。 ！ ？ 、 begin with 0xE3 and 0xEF.
            0xE3..=0xED => self.dense += 1,
            0x82 if before == 0x80 => self.stops += 1,
            _ => {}
        }
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
