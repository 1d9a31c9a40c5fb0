//! All concepts of all topic files and the one automaton that finds them.
//!
//! The automaton is asked at the beginning of each word and left as soon as no name goes on so, after some three
//! letters in most words: time is linear in the text and does not grow with topics and languages. What follows the
//! needle (endings, capitals, language) is checked at each place. Rejected: a search that reads every byte of the text
//! through the automaton, for most bytes stand inside words that no name begins; and regular expressions, one set a
//! topic, for their time grows with every topic.

use std::collections::BTreeMap;

use aho_corasick::nfa::contiguous::NFA;
use telex_model::{ConceptKind, Where};

use crate::beginning::Beginnings;
use crate::language::{Code, kin};
use crate::pattern::Pattern;
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
    pub(crate) word_in: Vec<String>,
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
pub(crate) struct Entry {
    pub(crate) pattern: Pattern,
    pub(crate) concept: u32,
    pub(crate) limits: Limits,
}

/// Languages that a pattern is used in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Language it is limited to.
    pub(crate) only: Option<Code>,
    /// Language it is not used in.
    pub(crate) except: Option<Code>,
    /// Language of a common word, which means something else, or nothing, in languages that are not kin.
    pub(crate) kin: Option<Code>,
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

/// The concepts and their automaton.
pub(crate) struct Lexicon {
    pub(crate) concepts: Vec<ConceptEntry>,
    /// Patterns in the order of their needles, so that those of one needle stand side by side.
    entries: Vec<Entry>,
    /// Where the entries of each of the automaton's needles begin, and at last where all end.
    begins: Vec<u32>,
    pub(crate) beginnings: Beginnings,
    pub(crate) automaton: NFA,
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
        let mut sharing: BTreeMap<Vec<u8>, Vec<Entry>> = BTreeMap::new();
        for entry in self.entries {
            sharing.entry(entry.pattern.needle()).or_default().push(entry);
        }
        let (mut needles, mut entries, mut begins) = (Vec::new(), Vec::new(), Vec::new());
        for (needle, sharing) in sharing {
            needles.push(needle);
            begins.push(entries.len() as u32);
            entries.extend(sharing);
        }
        begins.push(entries.len() as u32);
        let mut builder = NFA::builder();
        builder.dense_depth(DENSE_DEPTH);
        let automaton = builder.build(&needles).map_err(|error| error.to_string())?;
        Ok(Lexicon {
            beginnings: Beginnings::new(needles.iter().map(Vec::as_slice)),
            concepts: self.concepts,
            entries,
            begins,
            automaton,
        })
    }
}

impl Lexicon {
    /// Returns the patterns that share a needle.
    pub(crate) fn sharing(&self, needle: usize) -> &[Entry] {
        let begin = |needle: usize| self.begins.get(needle).map_or(0, |&begin| begin as usize);
        self.entries
            .get(begin(needle)..begin(needle + 1))
            .unwrap_or_default()
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
