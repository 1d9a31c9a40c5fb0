//! Function words and letters: what tells most languages apart at a glance.

use std::sync::LazyLock;

/// A set of languages, one bit each, in the order of the file of words.
pub(crate) type Languages = u64;

/// The most frequent words of each language, one language a line: written by hand from what grammars call function
/// words (articles, prepositions, conjunctions, pronouns, auxiliaries), with a few that news use in every text.
const WORDS: &str = include_str!("words.txt");

/// Letters that only some of the languages use in their own words.
const LETTERS: [(&str, &str); 41] = [
    ("їєґ", "uk"),
    ("і", "uk be"),
    ("ў", "be"),
    ("ыэё", "ru be"),
    ("ъ", "bg ru"),
    ("щ", "bg ru uk"),
    ("йьюя", "bg ru uk be"),
    ("ђћ", "sr"),
    ("јљњџ", "sr mk"),
    ("ѓќѕ", "mk"),
    ("ěřů", "cs"),
    ("ďťň", "cs sk"),
    ("ĺľŕ", "sk"),
    ("čšž", "cs sk sl hr lt lv"),
    ("ý", "cs sk is vi"),
    ("łńśźż", "pl"),
    ("ąę", "pl lt"),
    ("ć", "pl hr"),
    ("đ", "hr vi"),
    ("țșţ", "ro"),
    ("ş", "ro tr az"),
    ("ă", "ro vi"),
    ("őű", "hu"),
    ("ğı", "tr az"),
    ("ə", "az"),
    ("ß", "de"),
    ("ä", "de sv fi et sk"),
    ("ö", "de sv fi et hu tr az is"),
    ("ü", "de et hu tr az es"),
    ("å", "sv da no fi"),
    ("ø", "da no"),
    ("æ", "da no is"),
    ("ðþ", "is"),
    ("ñ", "es gl eu"),
    ("ã", "pt vi"),
    ("õ", "pt et vi"),
    ("œ", "fr"),
    ("ėįų", "lt"),
    ("āēīģķļņ", "lv"),
    ("ë", "sq nl af"),
    ("ơư", "vi"),
];

/// First code point behind the letters of the Latin, Greek and Cyrillic alphabets, which are looked up, not computed.
const TABLE_END: u32 = 0x500;

/// What one text can be asked for.
pub(crate) struct Vocabulary {
    /// Codes of the languages, by bit.
    pub(crate) codes: Vec<&'static str>,
    words: Table,
    /// Letters by code point.
    letters: Vec<Option<Letter>>,
}

/// The table made of words and letters.
pub(crate) static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(Vocabulary::new);

impl Vocabulary {
    fn new() -> Self {
        let lines = || WORDS.lines().filter_map(|line| line.split_once(": "));
        let codes: Vec<&'static str> = lines().map(|(code, _)| code).collect();
        let mut words = Table::new(WORDS.split_whitespace().count());
        for (bit, (_, list)) in lines().enumerate() {
            for word in list.split_whitespace() {
                words.add(word.chars().fold(Word::new(), Word::with), 1 << bit);
            }
        }
        let users = |small: char| {
            let (_, languages) = LETTERS.iter().find(|(letters, _)| letters.contains(small))?;
            let uses = |code: &str| languages.split(' ').any(|language| language == code);
            Some(
                (0..)
                    .zip(&codes)
                    .fold(0, |set, (bit, code)| set | Languages::from(uses(code)) << bit),
            )
        };
        let letter = |code| {
            let mut letter = compute(char::from_u32(code)?)?;
            letter.users = users(letter.small).unwrap_or(letter.users);
            Some(letter)
        };
        let letters = (0..TABLE_END).map(letter).collect();
        Self {
            codes,
            words,
            letters,
        }
    }

    /// Returns the languages that a word is a function word of.
    pub(crate) fn languages_of(&self, word: &Word) -> Languages {
        self.words.get(word)
    }

    /// Returns what a character is as a letter, `None` where it is none.
    pub(crate) fn letter(&self, character: char) -> Option<Letter> {
        match self.letters.get(character as usize) {
            Some(letter) => *letter,
            None => compute(character),
        }
    }
}

/// A letter as votes need it.
#[derive(Clone, Copy)]
pub(crate) struct Letter {
    /// Its small form.
    pub(crate) small: char,
    /// Languages that use it; all of them where it tells nothing.
    pub(crate) users: Languages,
}

fn compute(character: char) -> Option<Letter> {
    // Of small forms of two letters the first does.
    let small = character.to_lowercase().next().unwrap_or(character);
    character.is_alphabetic().then_some(Letter {
        small,
        users: Languages::MAX,
    })
}

/// A word by the hash of its letters (FNV-1a over code points): of 64 bits, so that no two words of a text meet.
#[derive(Clone, Copy)]
pub(crate) struct Word {
    hash: u64,
}

impl Word {
    pub(crate) fn new() -> Self {
        Self {
            hash: 0xCBF2_9CE4_8422_2325,
        }
    }

    /// Adds a small letter.
    pub(crate) fn with(self, letter: char) -> Self {
        let hash = (self.hash ^ u64::from(letter)).wrapping_mul(0x0100_0000_01B3);
        Self { hash }
    }
}

/// Languages of the function words, by the hash of their letters: a table with linear probing, since every word of a
/// text asks, most in vain, and the standard map would hash the hash again.
struct Table {
    /// At least half of them empty: no languages.
    slots: Vec<(u64, Languages)>,
}

impl Table {
    fn new(words: usize) -> Self {
        Self {
            slots: vec![(0, 0); (2 * words).next_power_of_two()],
        }
    }

    /// Returns the number of the slot that a word has, or would have.
    fn place(&self, word: &Word) -> usize {
        let mut place = word.hash as usize % self.slots.len();
        while self
            .slots
            .get(place)
            .is_some_and(|(hash, languages)| *languages != 0 && *hash != word.hash)
        {
            place = (place + 1) % self.slots.len();
        }
        place
    }

    fn add(&mut self, word: Word, languages: Languages) {
        let place = self.place(&word);
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = (word.hash, slot.1 | languages);
        }
    }

    fn get(&self, word: &Word) -> Languages {
        self.slots
            .get(self.place(word))
            .map_or(0, |(_, languages)| *languages)
    }
}

#[cfg(test)]
mod tests {
    use super::{LETTERS, VOCABULARY};

    #[test]
    fn every_language_of_a_letter_has_words() {
        assert!(VOCABULARY.codes.len() <= 64, "one bit a language");
        for (letters, languages) in LETTERS {
            for language in languages.split(' ') {
                assert!(VOCABULARY.codes.contains(&language), "{letters}: {language}");
            }
        }
    }
}
