//! The search for all names in one text.

use aho_corasick::Anchored;
use aho_corasick::automaton::Automaton;
use aho_corasick::automaton::StateID;
use telex_model::Where;

use crate::fold::Folded;
use crate::language::{Code, kin};
use crate::lexicon::{Entry, Lexicon, Limits, Mention};
use crate::pattern::is_shouting;

#[derive(Clone, Copy)]
struct Hit {
    start: usize,
    end: usize,
    concept: u32,
}

impl Lexicon {
    /// Finds the concepts that one part of an article names, in the order of the text.
    ///
    /// Where names overlap the one that begins first counts, of those the longest.
    pub(crate) fn find(&self, folded: &Folded, language: &str, place: Where) -> Vec<Mention> {
        let mut hits = self.hits(folded, language);
        hits.sort_unstable_by_key(|hit| (hit.start, usize::MAX - hit.end, hit.concept));
        let (mut code_points, mut sentences) = (folded.code_points(), folded.sentences());
        let mut free = 0;
        let mut mentions = Vec::with_capacity(hits.len());
        for hit in hits {
            if hit.start < free {
                continue;
            }
            free = hit.end;
            let sentence = sentences.at(hit.start);
            let (start, end) = (code_points.at(hit.start), code_points.at(hit.end));
            mentions.push(Mention {
                concept: hit.concept,
                place,
                start,
                end,
                sentence,
            });
        }
        mentions
    }

    fn hits(&self, folded: &Folded, language: &str) -> Vec<Hit> {
        let search = Search {
            lexicon: self,
            folded,
            language,
            code: Code::new(language),
            kin: (!language.is_empty()).then(|| Code::new(kin(language))),
            shouting: is_shouting(folded),
        };
        let mut hits = Vec::new();
        let Ok(root) = self.automaton.start_state(Anchored::Yes) else {
            return hits;
        };
        for &start in &folded.starts {
            let start = start as usize;
            let rest = folded.bytes.get(start..).unwrap_or_default();
            if !self.beginnings.allow(rest) {
                continue;
            }
            let mut state = root;
            for (&byte, length) in rest.iter().zip(1..) {
                state = self.automaton.next_state(Anchored::Yes, state, byte);
                if !self.automaton.is_special(state) {
                    continue;
                }
                if self.automaton.is_dead(state) {
                    break;
                }
                search.verify(state, start, length, &mut hits);
            }
        }
        hits
    }
}

/// One text being searched.
struct Search<'a> {
    lexicon: &'a Lexicon,
    folded: &'a Folded,
    language: &'a str,
    code: Code,
    /// `None` where the language is not known.
    kin: Option<Code>,
    shouting: bool,
}

impl Search<'_> {
    /// Checks the patterns whose needle of this length begins at `start`.
    fn verify(&self, state: StateID, start: usize, length: usize, hits: &mut Vec<Hit>) {
        let automaton = &self.lexicon.automaton;
        for number in 0..automaton.match_len(state) {
            let needle = automaton.match_pattern(state, number);
            if automaton.pattern_len(needle) != length {
                // A needle that ends here too, but began later.
                continue;
            }
            for entry in self.lexicon.sharing(needle.as_usize()) {
                if self.applies(entry, start)
                    && let Some(end) = entry.pattern.verify(self.folded, start)
                {
                    hits.push(Hit {
                        start,
                        end,
                        concept: entry.concept,
                    });
                }
            }
        }
    }

    fn applies(&self, entry: &Entry, start: usize) -> bool {
        let at_word = || {
            start
                .checked_sub(1)
                .and_then(|before| self.folded.bytes.get(before))
                == Some(&b' ')
        };
        let is_word = || {
            let concept = self.lexicon.concepts.get(entry.concept as usize);
            concept.is_some_and(|concept| concept.word_in.iter().any(|word_in| word_in == self.language))
        };
        let Limits { only, except, kin } = entry.limits;
        only.is_none_or(|only| only == self.code)
            && except.is_none_or(|except| except != self.code)
            && (self.kin.is_none() || kin.is_none() || kin == self.kin)
            && (entry.pattern.is_unspaced() || at_word())
            && !(self.shouting && is_word())
    }
}
