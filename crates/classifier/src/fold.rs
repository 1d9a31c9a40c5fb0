//! Text as the automaton reads it: lower case, without diacritics, words parted by single spaces.
//!
//! Every character of the source becomes one character here or none, so a place in the folded text can be told
//! as a code point of the source. Unicode's full case folding (ß to ss) was rejected because it breaks that.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

/// First character that the table does not hold; above it lie symbols and scripts without case.
const TABLE_END: usize = 0x2000;
/// Table entry of a character that leaves no trace: combining marks and soft hyphens.
const NOTHING: u32 = 0;
/// What stands between words.
const SPACE: u32 = ' ' as u32;
/// First letter of the scripts without capitals (Hebrew and on): there any letter after a full stop begins a sentence.
const FIRST_UNCASED: u32 = 0x0590;
/// First letter of the scripts that may write words without spaces (Thai and on).
const FIRST_UNSPACED: u32 = 0x0E00;
/// Number of digits that says that the word holds letters.
const NO_NUMBER: u32 = 100;
/// Bit of a table entry that says that the character is a capital; the rest is what it folds to.
const CAPITAL: u32 = 1 << 31;

static TABLE: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let entry = |letter: char| fold_slowly(letter) as u32 | if letter.is_uppercase() { CAPITAL } else { 0 };
    (0..TABLE_END as u32)
        .map(|code| char::from_u32(code).map_or(SPACE, entry))
        .collect()
});

fn fold_slowly(source: char) -> char {
    if matches!(source, '\u{0300}'..='\u{036F}' | '\u{00AD}' | '\u{0483}'..='\u{0487}' | '\u{0591}'..='\u{05BD}' | '\u{064B}'..='\u{065F}' | '\u{093C}')
    {
        return '\0';
    }
    let base = source.nfd().next().unwrap_or(source);
    let lower = base.to_lowercase().next().unwrap_or(base);
    match lower {
        'ł' => 'l',
        'đ' | 'ð' => 'd',
        'ø' => 'o',
        'ı' => 'i',
        'ß' => 's',
        'æ' => 'a',
        'ς' => 'σ',
        'ґ' => 'г',
        letter if letter.is_alphanumeric() => letter,
        // Vowel signs of Indic scripts are no letters but parts of words.
        '\u{0900}'..='\u{0DFF}' if lower != '\u{0964}' && lower != '\u{0965}' => lower,
        _ => ' ',
    }
}

/// Returns the table entry of a character.
fn fold_char(table: &[u32], source: char) -> u32 {
    if let Some(&entry) = table.get(source as usize) {
        return entry;
    }
    match source {
        '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{FE00}'..='\u{FE0F}' => NOTHING,
        _ if source.is_alphanumeric() => {
            let folded = source.to_lowercase().next().map_or(SPACE, |lower| lower as u32);
            folded | if source.is_uppercase() { CAPITAL } else { 0 }
        }
        _ => SPACE,
    }
}

/// Tells whether a character parts words.
pub(crate) fn is_separator(letter: char) -> bool {
    fold_char(&TABLE, letter) == SPACE
}

/// Tells whether words of this character's script are written without spaces between them.
pub(crate) fn is_unspaced(letter: char) -> bool {
    matches!(letter, '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3040}'..='\u{30FF}'
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// A text folded, with what is needed to find the way back.
pub(crate) struct Folded {
    /// The folded text as UTF-8: a space, then words each followed by one space.
    pub(crate) bytes: Vec<u8>,
    /// Code points of the source.
    pub(crate) length: usize,
    /// Letters that were capitals, as a share of all letters of the source.
    pub(crate) capitals: f64,
    /// Years that the text names, ascending.
    pub(crate) years: Vec<u16>,
    /// Folded offsets at which a name may begin: those of words, and every letter of scripts without spaces.
    pub(crate) starts: Vec<u32>,
    /// One bit a byte: the letter that begins there was a capital.
    upper: Vec<u64>,
    /// For each source character that left no trace the folded offset that it stood before.
    removed: Vec<u32>,
    /// Folded offsets at which a sentence begins, ascending, without the first.
    sentences: Vec<u32>,
}

impl Folded {
    /// Folds a text in one pass.
    pub(crate) fn new(source: &str) -> Self {
        let table: &[u32] = &TABLE;
        let mut writer = Writer::new(source.len());
        let mut rest = source.chars();
        loop {
            let run = writer.plain(table, rest.as_str().as_bytes());
            if run > 0 {
                rest = rest.as_str().get(run..).unwrap_or_default().chars();
            }
            let Some(letter) = rest.next() else { break };
            writer.folded.length += 1;
            match fold_char(table, letter) {
                NOTHING => writer.remove(),
                SPACE => writer.separator(letter),
                entry => writer.letter(entry),
            }
        }
        writer.finish()
    }

    /// Tells whether the letter that begins at this folded offset was a capital.
    pub(crate) fn is_upper(&self, offset: usize) -> bool {
        self.upper
            .get(offset / 64)
            .is_some_and(|word| word >> (offset % 64) & 1 == 1)
    }

    /// Returns a cursor that turns ascending folded offsets into code points of the source.
    pub(crate) fn code_points(&self) -> CodePoints<'_> {
        CodePoints {
            folded: self,
            offset: 1,
            seen: 0,
            removed: 0,
        }
    }

    /// Returns a cursor that turns ascending folded offsets into numbers of sentences.
    pub(crate) fn sentences(&self) -> Sentences<'_> {
        Sentences {
            starts: &self.sentences,
            passed: 0,
        }
    }

    /// Returns the folded offset at which the second sentence begins, or the end of a text of one sentence.
    pub(crate) fn first_sentence_end(&self) -> usize {
        self.sentences
            .first()
            .map_or(self.bytes.len(), |&start| start as usize)
    }
}

/// Returns how many bytes the small letter has that begins a text, if it folds to itself. Of letters of two bytes only
/// those of scripts with capitals do.
fn plain_letter(table: &[u32], text: &[u8]) -> Option<usize> {
    match text {
        [b'a'..=b'z', ..] => Some(1),
        [lead @ 0xC3..=0xD5, trail, ..] => {
            let code = u32::from(lead & 0x1F) << 6 | u32::from(trail & 0x3F);
            (table.get(code as usize) == Some(&code)).then_some(2)
        }
        _ => None,
    }
}

struct Writer {
    folded: Folded,
    letters: usize,
    capitals: usize,
    /// A full stop, question mark or exclamation mark was read and no letter since.
    terminal: bool,
    /// So was a space after it: a capital begins a sentence.
    stopped: bool,
    /// The last character written is a letter.
    in_word: bool,
    /// Digits of the word so far, or [`NO_NUMBER`].
    digits: u32,
    number: u32,
}

impl Writer {
    fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity + 2);
        bytes.push(b' ');
        let folded = Folded {
            bytes,
            length: 0,
            capitals: 0.0,
            years: Vec::new(),
            starts: Vec::with_capacity(capacity / 5),
            upper: vec![0; capacity / 64 + 1],
            removed: Vec::with_capacity(capacity / 16),
            sentences: Vec::new(),
        };
        Self {
            folded,
            letters: 0,
            capitals: 0,
            terminal: false,
            stopped: false,
            in_word: false,
            digits: 0,
            number: 0,
        }
    }

    fn remove(&mut self) {
        self.folded.removed.push(self.folded.bytes.len() as u32);
    }

    fn separator(&mut self, source: char) {
        match source {
            '.' | '!' | '?' | '…' => self.terminal = true,
            '。' | '।' => self.stopped = true,
            '\n' => self.begin_sentence(),
            _ if self.terminal && source.is_whitespace() => self.stopped = true,
            _ => {}
        }
        if self.in_word {
            self.end_number();
            self.in_word = false;
            self.folded.bytes.push(b' ');
        } else {
            self.remove();
        }
    }

    fn letter(&mut self, entry: u32) {
        let (code, capital) = (entry & !CAPITAL, entry & CAPITAL != 0);
        if self.stopped {
            if capital || code >= FIRST_UNCASED {
                self.begin_sentence();
            }
            self.stopped = false;
        }
        self.terminal = false;
        let offset = self.folded.bytes.len();
        if capital {
            self.set_upper(offset);
        }
        self.begin_word(code >= FIRST_UNSPACED && char::from_u32(code).is_some_and(is_unspaced));
        self.letters += 1;
        let bytes = &mut self.folded.bytes;
        match code {
            0x30..0x3A => {
                self.digits = self.digits.saturating_add(1);
                self.number = self.number.wrapping_mul(10).wrapping_add(code - 0x30);
                bytes.push(code as u8);
                return;
            }
            0..0x80 => bytes.push(code as u8),
            // Most letters of this second group come one at a time; the general encoder costs three times as much.
            0x80..0x800 => bytes.extend([0xC0 | (code >> 6) as u8, 0x80 | (code & 0x3F) as u8]),
            _ => {
                let letter = char::from_u32(code).unwrap_or(' ');
                bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        self.digits = NO_NUMBER;
    }

    /// Writes the small letters at the beginning of a text that fold to themselves and single spaces between them,
    /// which are most of most texts, as they stand; returns how many bytes these are.
    fn plain(&mut self, table: &[u32], text: &[u8]) -> usize {
        let before = self.folded.bytes.len();
        let (mut end, mut letters, mut spaces) = (0, 0, 0);
        while let Some(rest) = text.get(end..) {
            if let Some(bytes) = plain_letter(table, rest) {
                if !self.in_word {
                    self.folded.starts.push((before + end) as u32);
                    self.in_word = true;
                }
                letters += 1;
                end += bytes;
            } else if rest.first() == Some(&b' ') && self.in_word && letters > 0 {
                self.in_word = false;
                spaces += 1;
                end += 1;
            } else {
                break;
            }
        }
        if letters > 0 {
            self.folded
                .bytes
                .extend_from_slice(text.get(..end).unwrap_or_default());
            self.folded.length += letters + spaces;
            self.letters += letters;
            (self.stopped, self.terminal) = (false, false);
            (self.digits, self.number) = (if self.in_word { NO_NUMBER } else { 0 }, 0);
        }
        end
    }

    fn begin_word(&mut self, anyway: bool) {
        if !self.in_word || anyway {
            self.folded.starts.push(self.folded.bytes.len() as u32);
            self.in_word = true;
        }
    }

    fn set_upper(&mut self, offset: usize) {
        self.capitals += 1;
        let word = offset / 64;
        if word >= self.folded.upper.len() {
            self.folded.upper.resize(word + 1, 0);
        }
        if let Some(bits) = self.folded.upper.get_mut(word) {
            *bits |= 1 << (offset % 64);
        }
    }

    fn end_number(&mut self) {
        if self.digits == 4 && (1949..=2060).contains(&self.number) {
            self.folded.years.push(self.number as u16);
        }
        self.digits = 0;
        self.number = 0;
    }

    fn begin_sentence(&mut self) {
        self.stopped = false;
        let offset = self.folded.bytes.len() as u32;
        if offset > 1 && self.folded.sentences.last() != Some(&offset) {
            self.folded.sentences.push(offset);
        }
    }

    fn finish(mut self) -> Folded {
        self.end_number();
        if self.in_word {
            self.folded.bytes.push(b' ');
        }
        self.folded.years.sort_unstable();
        self.folded.years.dedup();
        self.folded.capitals = self.capitals as f64 / self.letters.max(1) as f64;
        self.folded
    }
}

/// Turns folded offsets into code points of the source; offsets must not go backwards.
pub(crate) struct CodePoints<'a> {
    folded: &'a Folded,
    offset: usize,
    seen: usize,
    removed: usize,
}

impl CodePoints<'_> {
    /// Returns the code point at which the folded offset lies.
    pub(crate) fn at(&mut self, offset: usize) -> usize {
        let passed = self.folded.bytes.get(self.offset..offset).unwrap_or_default();
        self.seen += passed.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
        self.offset = self.offset.max(offset);
        while self
            .folded
            .removed
            .get(self.removed)
            .is_some_and(|&place| place as usize <= offset)
        {
            self.removed += 1;
        }
        self.seen + self.removed
    }
}

/// Turns folded offsets into numbers of sentences; offsets must not go backwards.
pub(crate) struct Sentences<'a> {
    starts: &'a [u32],
    passed: usize,
}

impl Sentences<'_> {
    /// Returns the number of the sentence in which the folded offset lies, from 0.
    pub(crate) fn at(&mut self, offset: usize) -> u32 {
        while self
            .starts
            .get(self.passed)
            .is_some_and(|&start| start as usize <= offset)
        {
            self.passed += 1;
        }
        self.passed as u32
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail loudly")]

    use proptest::prelude::*;

    use super::Folded;

    fn folded(source: &str) -> String {
        String::from_utf8(Folded::new(source).bytes).expect("UTF-8")
    }

    #[test]
    fn case_and_diacritics_fold_in_every_script() {
        let cases = [
            ("Zełenski, ŁÓDŹ", " zelenski lodz "),
            ("Київ і Йосип", " киів і иосип "),
            ("Кии\u{306}в", " киив "),
            ("ΟΥΚΡΑΝΊΑΣ", " ουκρανιασ "),
            ("Țară – șef!", " tara sef "),
            ("l’OTAN d'Ukraine", " l otan d ukraine "),
            ("İstanbul ısı", " istanbul isi "),
            ("co\u{AD}operate\u{200B}d", " cooperated "),
            ("", " "),
        ];
        for (source, wanted) in cases {
            assert_eq!(folded(source), wanted, "{source}");
        }
    }

    #[test]
    fn years_are_numbers_of_four_digits() {
        assert_eq!(
            Folded::new("In 2014, 2014 and 1999; 12014 x2015 2015x 3000 7/2022.").years,
            [1999, 2014, 2022]
        );
    }

    #[test]
    fn a_full_stop_before_a_capital_ends_a_sentence() {
        let folded = Folded::new("One. two U.S. president. Three!\nfour");
        let mut sentences = folded.sentences();
        let at = |word: &str| {
            folded
                .bytes
                .windows(word.len())
                .position(|part| part == word.as_bytes())
                .expect("word")
        };
        let places = ["one", "two", "president", "three", "four"].map(at);
        assert_eq!(places.map(|place| sentences.at(place)), [0, 0, 0, 1, 2]);
    }

    proptest! {
        #[test]
        fn every_word_is_found_again_at_its_code_points(source in "(?s).{0,80}") {
            let folded = Folded::new(&source);
            prop_assert!(std::str::from_utf8(&folded.bytes).is_ok());
            prop_assert!(!folded.bytes.windows(2).any(|pair| pair == b"  "));
            let letters: Vec<char> = source.chars().collect();
            let mut places = folded.code_points();
            let mut words: Vec<usize> = folded.starts.iter().map(|&start| start as usize).collect();
            words.dedup();
            for start in words {
                let end = start + folded.bytes[start..].iter().position(|&byte| byte == b' ').expect("a space ends the text");
                let (first, last) = (places.at(start), 0);
                prop_assert!(first >= last && first < letters.len());
                let again = Folded::new(&letters[first..].iter().collect::<String>());
                prop_assert_eq!(&again.bytes[1..=end - start], &folded.bytes[start..end]);
            }
        }
    }
}
