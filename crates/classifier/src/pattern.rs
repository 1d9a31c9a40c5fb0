//! The small language in which topic files write words.
//!
//! `ukrain*` is any word that begins so, `Крым~` the word with at most three more letters (inflection), anything
//! else the word itself; words in a row make a phrase. A capital in a pattern asks for a capital in the text:
//! `Rada` does not match "rada", and `NATO` only matches capitals; `_nato` matches "nato" and "Nato" but not "NATO". Regular expressions were rejected: they cannot
//! share one automaton cheaply, and authors of topic files should not need them.

use crate::fold::{Folded, is_separator, is_unspaced};

/// Letters that `~` allows after a stem: the longest case endings of Slavic nouns (-ами, -ого, -ovi).
const INFLECTION: usize = 3;
/// Longest pattern in words: names of institutions have up to seven.
const MAX_WORDS: usize = 8;
/// Share of capitals above which a text is written in capitals and capitals tell nothing.
const SHOUTING: f64 = 0.7;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    None,
    Inflection,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Any,
    NotAll,
    Initial,
    All,
}

/// What a word asks of the text where its stem stands.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// Bytes of the stem.
    stem: usize,
    ending: Ending,
    case: Case,
}

#[derive(Debug, Clone)]
struct Word {
    stem: Vec<u8>,
    form: Form,
}

/// One pattern of a topic file, folded.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    /// The form of the first word, mostly the only one, beside the others' list: that lies elsewhere in memory.
    first: Form,
    words: Vec<Word>,
    unspaced: bool,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, for the author of the topic file.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let mut words = Vec::new();
        for part in source.split_whitespace() {
            words.extend(parse_part(part)?);
        }
        let Some(first) = words.first() else {
            return Err("the pattern has no letters".to_owned());
        };
        if words.len() > MAX_WORDS {
            return Err(format!("a pattern may have at most {MAX_WORDS} words"));
        }
        let letters: Vec<char> = String::from_utf8_lossy(&first.stem).chars().collect();
        let unspaced = letters.first().copied().is_some_and(is_unspaced);
        // A syllable of Hangul is one character of two or three letters.
        let syllables = letters
            .iter()
            .all(|letter| matches!(letter, '\u{AC00}'..='\u{D7A3}'));
        let least = if syllables { 2 } else { 3 };
        if first.form.ending == Ending::Any && letters.len() < least && !unspaced {
            return Err(
                "a stem before * needs at least three letters, or it matches half the language".to_owned(),
            );
        }
        if first.stem.len() < 2 && first.form.ending != Ending::None {
            return Err("a stem before ~ needs at least two letters".to_owned());
        }
        Ok(Self {
            first: first.form,
            words,
            unspaced,
        })
    }

    /// Returns the bytes that the automaton looks for: all from the beginning of the first word to the first open
    /// ending.
    pub(crate) fn needle(&self) -> Vec<u8> {
        let mut needle = Vec::new();
        for word in &self.words {
            needle.extend_from_slice(&word.stem);
            if word.form.ending != Ending::None || self.unspaced {
                break;
            }
            needle.push(b' ');
        }
        needle
    }

    /// Checks the pattern where its needle was found and returns the folded offset after its last word.
    pub(crate) fn verify(&self, folded: &Folded, start: usize) -> Option<usize> {
        // The needle holds the first stem.
        let mut end = self.first.verify(folded, start, self.unspaced)?;
        for word in self.words.iter().skip(1) {
            let start = end + 1;
            let stem = folded.bytes.get(start..start + word.stem.len())?;
            end =
                (stem == word.stem.as_slice()).then(|| word.form.verify(folded, start, self.unspaced))??;
        }
        Some(end)
    }

    /// Tells whether the pattern begins with a letter of the Latin alphabet.
    pub(crate) fn is_latin(&self) -> bool {
        self.words
            .first()
            .is_some_and(|word| word.stem.first().is_some_and(u8::is_ascii_alphabetic))
    }

    /// Tells whether the pattern may begin in the middle of what looks like a word.
    pub(crate) fn is_unspaced(&self) -> bool {
        self.unspaced
    }
}

fn parse_part(part: &str) -> Result<Vec<Word>, String> {
    let (body, ending) = match (part.strip_suffix('*'), part.strip_suffix('~')) {
        (Some(body), _) => (body, Ending::Any),
        (_, Some(body)) => (body, Ending::Inflection),
        _ => (part, Ending::None),
    };
    if body.contains(['*', '~']) {
        return Err("* and ~ may only end a word".to_owned());
    }
    let mut pieces: Vec<Word> = body
        .split(is_separator)
        .filter_map(|piece| word(piece, Ending::None))
        .collect();
    if body.starts_with('_') {
        pieces.iter_mut().for_each(|piece| piece.form.case = Case::NotAll);
    }
    if let Some(last) = pieces.last_mut() {
        last.form.ending = ending;
    }
    Ok(pieces)
}

fn word(source: &str, ending: Ending) -> Option<Word> {
    let folded = Folded::new(source).bytes;
    let stem: Vec<u8> = folded.into_iter().filter(|&byte| byte != b' ').collect();
    if stem.is_empty() {
        return None;
    }
    let mut letters = source.chars().filter(|letter| letter.is_alphabetic());
    let first = letters.next().is_some_and(char::is_uppercase);
    let case = match (first, letters.next()) {
        (true, Some(second)) if second.is_uppercase() => Case::All,
        (true, _) => Case::Initial,
        _ => Case::Any,
    };
    let form = Form {
        stem: stem.len(),
        ending,
        case,
    };
    Some(Word { stem, form })
}

impl Form {
    /// Checks what follows a stem and its capitals, and returns the offset after the word.
    fn verify(self, folded: &Folded, start: usize, unspaced: bool) -> Option<usize> {
        let stem_end = start + self.stem;
        if !self.case_fits(folded, start, stem_end) {
            return None;
        }
        if unspaced {
            return Some(stem_end);
        }
        let rest = folded.bytes.get(stem_end..)?;
        let length = rest.iter().position(|&byte| byte == b' ')?;
        let more = rest
            .get(..length)?
            .iter()
            .filter(|&&byte| byte & 0xC0 != 0x80)
            .count();
        let fits = match self.ending {
            Ending::None => more == 0,
            Ending::Inflection => more <= INFLECTION,
            Ending::Any => true,
        };
        fits.then_some(stem_end + length)
    }

    fn case_fits(self, folded: &Folded, start: usize, end: usize) -> bool {
        match self.case {
            Case::Any => true,
            Case::NotAll => !all_upper(folded, start, end),
            Case::Initial => folded.is_upper(start),
            Case::All => all_upper(folded, start, end),
        }
    }
}

fn all_upper(folded: &Folded, start: usize, end: usize) -> bool {
    (start..end).all(|offset| {
        let byte = folded.bytes.get(offset).copied().unwrap_or(b' ');
        byte & 0xC0 == 0x80 || byte.is_ascii_digit() || folded.is_upper(offset)
    })
}

/// Tells whether a text is written in capitals, so that acronyms cannot be told from words.
pub(crate) fn is_shouting(folded: &Folded) -> bool {
    folded.capitals > SHOUTING
}
