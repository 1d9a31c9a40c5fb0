//! Votes of a text's words for languages.

use crate::words::{Languages, VOCABULARY, Word};

/// Least share of function words of the language that wins, and of those of one that is sure. Texts have 0.3 and more
/// of their own, 0.15 of those of near kin; of strangers, by names and chance, some hundredths.
const WINS: f64 = 0.05;
const SURE: f64 = 0.15;
/// Least lead of one that is sure, in votes and as a share of its votes.
const LEAD: u32 = 2;
const LEAD_SHARE: f64 = 0.1;

/// What the words of a sample say.
pub(crate) struct Votes {
    /// Words of the sample.
    pub(crate) words: u32,
    first: Candidate,
    second: Candidate,
}

/// A language and its votes.
#[derive(Clone, Copy, Default)]
struct Candidate {
    language: &'static str,
    /// Function words.
    function: u32,
    /// These and words with letters of the language.
    all: u32,
}

impl Votes {
    /// Counts the votes of a sample: one for each function word of a language, one for each word with a letter that
    /// only it and few others use.
    pub(crate) fn of(sample: &str) -> Self {
        let vocabulary = &*VOCABULARY;
        let mut count = Count::default();
        let (mut word, mut users, mut inside) = (Word::new(), Languages::MAX, false);
        for character in sample.chars() {
            if let Some(letter) = vocabulary.letter(character) {
                users &= letter.users;
                word = word.with(letter.small);
                inside = true;
            } else if inside {
                count.add(vocabulary.languages_of(&word), users);
                (word, users, inside) = (Word::new(), Languages::MAX, false);
            }
        }
        if inside {
            count.add(vocabulary.languages_of(&word), users);
        }
        count.finish(&vocabulary.codes)
    }

    /// Returns the language with most votes, if there is one and it has function words enough.
    pub(crate) fn winner(&self) -> Option<&'static str> {
        let enough = self.first.function > 0 && self.covers(WINS);
        (enough && self.first.all > self.second.all).then_some(self.first.language)
    }

    /// Tells whether the winner leads clearly.
    pub(crate) fn clear(&self) -> bool {
        let lead = self.first.all - self.second.all;
        self.covers(SURE) && lead >= LEAD && f64::from(lead) >= LEAD_SHARE * f64::from(self.first.all)
    }

    fn covers(&self, share: f64) -> bool {
        f64::from(self.first.function) >= share * f64::from(self.words)
    }
}

struct Count {
    words: u32,
    /// Function words and letters by bit of the language.
    votes: [(u32, u32); 64],
}

impl Default for Count {
    fn default() -> Self {
        Self {
            words: 0,
            votes: [(0, 0); 64],
        }
    }
}

impl Count {
    fn add(&mut self, function: Languages, users: Languages) {
        self.words += 1;
        each(function, |bit| {
            if let Some(votes) = self.votes.get_mut(bit) {
                votes.0 += 1;
            }
        });
        if users != Languages::MAX {
            each(users, |bit| {
                if let Some(votes) = self.votes.get_mut(bit) {
                    votes.1 += 1;
                }
            });
        }
    }

    fn finish(self, codes: &[&'static str]) -> Votes {
        let (mut first, mut second) = (Candidate::default(), Candidate::default());
        for (&language, (function, letters)) in codes.iter().zip(self.votes) {
            let candidate = Candidate {
                language,
                function,
                all: function + letters,
            };
            if candidate.all > first.all {
                second = std::mem::replace(&mut first, candidate);
            } else if candidate.all > second.all {
                second = candidate;
            }
        }
        Votes {
            words: self.words,
            first,
            second,
        }
    }
}

/// Calls a function with each bit that is set.
fn each(mut set: Languages, mut call: impl FnMut(usize)) {
    while set != 0 {
        call(set.trailing_zeros() as usize);
        set &= set - 1;
    }
}
