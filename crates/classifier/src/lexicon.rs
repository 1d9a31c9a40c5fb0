//! All concepts of all topic files and the one automaton that finds them.
//!
//! The automaton is asked at the beginning of each word and left as soon as no name goes on so, after some three
//! letters in most words: time is linear in the text and does not grow with topics and languages. What follows the
//! needle (endings, capitals, language) is checked at each place. Rejected: a search that reads every byte of the text
//! through the automaton, for most bytes stand inside words that no name begins; and regular expressions, one set a
//! topic, for their time grows with every topic.

use std::collections::BTreeMap;

use aho_corasick::Anchored;
use aho_corasick::automaton::Automaton;
use aho_corasick::automaton::StateID;
use aho_corasick::nfa::contiguous::NFA;
use telex_model::{ConceptKind, Where};

use crate::beginning::Beginnings;
use crate::fold::Folded;
use crate::pattern::{Pattern, is_shouting};
use crate::source::{Problems, RawConcept, Words};

/// Letters from the root over which the automaton's states hold a full table: most words are left within them.
/// More costs memory for every further letter; fewer made no difference that could be told from noise.
const DENSE_DEPTH: usize = 1;

/// One concept of the topic files.
#[derive(Debug)]
pub(crate) struct ConceptEntry {
    pub(crate) id: String,
    pub(crate) kind: ConceptKind,
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
    /// First and last year of each term of office; empty where time does not matter.
    pub(crate) terms: Vec<(u16, u16)>,
    /// Languages in which the acronym is also a word.
    word_in: Vec<String>,
}

impl ConceptEntry {
    /// Tells whether a text that names these years can speak of the person in office.
    ///
    /// A text without years always can; otherwise one of its years must lie in a term, or in the year before
    /// (elections) or after it (what the office did last).
    pub(crate) fn in_office(&self, years: &[u16]) -> bool {
        let near = |year: &u16| {
            self.terms
                .iter()
                .any(|(from, to)| (from - 1..=to + 1).contains(year))
        };
        self.terms.is_empty() || years.is_empty() || years.iter().any(near)
    }
}

#[derive(Debug)]
struct Entry {
    pattern: Pattern,
    concept: u32,
    limits: Limits,
}

/// Languages that a pattern is used in.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Language it is limited to.
    only: Option<Code>,
    /// Language it is not used in.
    except: Option<Code>,
    /// Language of a common word, which means something else, or nothing, in languages that are not kin.
    kin: Option<Code>,
}

/// A language code as a number: comparing texts at each place took a tenth of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Code(u32);

impl Code {
    /// Packs the two or three letters of a code; a longer text keeps its first four.
    fn new(language: &str) -> Self {
        let mut letters = [0; 4];
        letters
            .iter_mut()
            .zip(language.bytes())
            .for_each(|(to, from)| *to = from);
        Self(u32::from_le_bytes(letters))
    }
}

/// One place where a text names a concept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mention {
    /// Index of the concept in the lexicon.
    pub(crate) concept: u32,
    pub(crate) place: Where,
    /// Code points of the source.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Number of the sentence in its part of the article.
    pub(crate) sentence: u32,
}

#[derive(Clone, Copy)]
struct Hit {
    start: usize,
    end: usize,
    concept: u32,
}

/// The concepts and their automaton.
pub(crate) struct Lexicon {
    pub(crate) concepts: Vec<ConceptEntry>,
    entries: Vec<Entry>,
    /// Entries that share a needle, by the automaton's value.
    by_needle: Vec<Vec<u32>>,
    beginnings: Beginnings,
    automaton: NFA,
}

/// Gathers concepts from topic files.
#[derive(Default)]
pub(crate) struct Builder {
    concepts: Vec<ConceptEntry>,
    entries: Vec<Entry>,
    ids: BTreeMap<String, u32>,
}

impl Builder {
    /// Adds a concept; what is wrong with it goes to `problems`.
    pub(crate) fn add(&mut self, raw: RawConcept, problems: &mut Problems<'_>) {
        let at = raw.id.span().start;
        let index = self.concepts.len() as u32;
        let id = raw.id.into_inner();
        if !is_name(&id) {
            problems.add(
                at,
                format!("`{id}` is no id"),
                Some("small letters, digits and hyphens".to_owned()),
            );
        }
        if self.ids.insert(id.clone(), index).is_some() {
            problems.add(at, format!("concept `{id}` is defined twice"), None);
        }
        let before = self.entries.len();
        let limited = |language: &str, field: Field| {
            let common = field == Field::Words && is_common(raw.kind) && language != "any";
            let given = |asked| (field == asked).then(|| Code::new(language));
            Limits {
                only: given(Field::Only),
                except: given(Field::Except),
                kin: common.then(|| Code::new(kin(language))),
            }
        };
        for (words, field) in [
            (&raw.words, Field::Words),
            (&raw.only, Field::Only),
            (&raw.except, Field::Except),
        ] {
            self.add_words(words, index, problems, |language| limited(language, field));
        }
        if self.entries.len() == before {
            problems.add(
                at,
                format!("concept `{id}` has no words"),
                Some("add [concept.words]".to_owned()),
            );
        }
        let mut terms = Vec::new();
        for years in raw.years {
            match parse_term(years.as_ref()) {
                Some(term) => terms.push(term),
                None => problems.add(
                    years.span().start,
                    format!("`{}` is no term of office", years.as_ref()),
                    Some("write \"2014-2024\", or \"2024-\" for one that lasts".to_owned()),
                ),
            }
        }
        let groups = raw.groups.into_iter().map(|group| group.into_inner()).collect();
        self.concepts.push(ConceptEntry {
            id,
            kind: raw.kind,
            name: raw.name,
            groups,
            terms,
            word_in: raw.word_in,
        });
    }

    fn add_words(
        &mut self,
        words: &Words,
        concept: u32,
        problems: &mut Problems<'_>,
        limits: impl Fn(&str) -> Limits,
    ) {
        for (language, list) in words {
            let at = list.span().start;
            if language != "any" && !(2..=3).contains(&language.len()) {
                problems.add(
                    at,
                    format!("`{language}` is no language"),
                    Some("an ISO 639-1 code, or any".to_owned()),
                );
            }
            let limits = limits(language);
            for source in list
                .as_ref()
                .split(',')
                .map(str::trim)
                .filter(|source| !source.is_empty())
            {
                match Pattern::parse(source) {
                    Ok(pattern) => {
                        let kin = limits.kin.filter(|_| pattern.is_latin());
                        self.entries.push(Entry {
                            pattern,
                            concept,
                            limits: Limits { kin, ..limits },
                        });
                    }
                    Err(message) => problems.add(at, format!("pattern `{source}`: {message}"), None),
                }
            }
        }
    }

    /// Returns the concepts that an id or `@group` of a signal stands for.
    pub(crate) fn resolve(&self, reference: &str) -> Vec<u32> {
        let chosen = |concept: &ConceptEntry| match reference.strip_prefix('@') {
            Some(group) => concept.groups.iter().any(|name| name == group),
            None => concept.id == reference,
        };
        (0..)
            .zip(&self.concepts)
            .filter(|(_, concept)| chosen(concept))
            .map(|(index, _)| index)
            .collect()
    }

    /// Returns every id and every `@group`, for hints.
    pub(crate) fn references(&self) -> Vec<String> {
        let groups = self
            .concepts
            .iter()
            .flat_map(|concept| &concept.groups)
            .map(|group| format!("@{group}"));
        self.concepts
            .iter()
            .map(|concept| concept.id.clone())
            .chain(groups)
            .collect()
    }

    /// Builds the automaton.
    ///
    /// # Errors
    /// The automaton's own limits: more than 2^31 states.
    pub(crate) fn build(self) -> Result<Lexicon, String> {
        let mut needles: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
        for (index, entry) in (0..).zip(&self.entries) {
            needles.entry(entry.pattern.needle()).or_default().push(index);
        }
        let (needles, by_needle): (Vec<_>, Vec<_>) = needles.into_iter().unzip();
        let mut builder = NFA::builder();
        builder.dense_depth(DENSE_DEPTH);
        let automaton = builder.build(&needles).map_err(|error| error.to_string())?;
        Ok(Lexicon {
            beginnings: Beginnings::new(needles.iter().map(Vec::as_slice)),
            concepts: self.concepts,
            entries: self.entries,
            by_needle,
            automaton,
        })
    }
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
            let sharing = self
                .lexicon
                .by_needle
                .get(needle.as_usize())
                .into_iter()
                .flatten();
            for entry in sharing.filter_map(|&index| self.lexicon.entries.get(index as usize)) {
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

/// Where in a concept's table words stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Words,
    Only,
    Except,
}

/// Tells whether concepts of this kind are named by common words, such as those for war, and not by proper names.
///
/// Names travel between languages; of common words the same letters mean something else elsewhere: English "war" is
/// German for "was".
fn is_common(kind: ConceptKind) -> bool {
    use ConceptKind::{Country, Institution, Person, Place};
    !matches!(kind, Country | Institution | Person | Place)
}

/// Returns the language that stands for those whose common words are much the same.
fn kin(language: &str) -> &str {
    match language {
        "sk" => "cs",
        "sr" | "bs" | "sh" | "me" => "hr",
        "no" | "nb" | "nn" | "da" => "sv",
        "gl" | "ca" => "es",
        "af" => "nl",
        "az" => "tr",
        other => other,
    }
}

/// Tells whether a text may be an id or a topic's name: small letters, digits, hyphens.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn parse_term(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-')?;
    let from: u16 = from
        .trim()
        .parse()
        .ok()
        .filter(|year| (1900..=2100).contains(year))?;
    let to = if to.trim().is_empty() {
        2100
    } else {
        to.trim().parse().ok()?
    };
    (from <= to && to <= 2100).then_some((from, to))
}
