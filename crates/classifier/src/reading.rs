//! One article as the topics see it: which concepts stand where.

use telex_model::{Concept, ConceptKind, Where};

use crate::Document;
use crate::fold::Folded;
use crate::lexicon::{ConceptEntry, Lexicon, Mention};

/// Code points of the text that count as its lead: about two sentences.
const LEAD: usize = 300;
/// Longest first sentence that stands in for a missing headline.
const HEADLINE: usize = 200;
/// Code points of one of the parts over which spread is counted, and their greatest number.
const PART: usize = 200;
const PARTS: usize = 10;

/// The parts of an article that features tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Region {
    /// The headline, or the first sentence of a text without one.
    Title,
    /// The first 300 code points after it.
    Lead,
    /// The rest.
    Body,
}

/// An article read once for all topics.
pub(crate) struct Reading {
    /// ISO 639-1, or ISO 639-3 where there is none; empty where the language is not known.
    pub(crate) language: String,
    /// Every mention, those of the title first; without persons who, by the years in the text, were not in office.
    pub(crate) mentions: Vec<Mention>,
    /// Code points of title and text together.
    pub(crate) length: usize,
    /// Mentions of each concept, by its index.
    counts: Vec<u32>,
    /// Concepts that are named, and those of them that are actors.
    named: Vec<u32>,
    named_actors: Vec<u32>,
    /// One flag a mention: it is the first actor of its sentence.
    leads: Vec<bool>,
    /// Sentences that name an actor.
    sentences: usize,
    text_length: usize,
    headline_end: usize,
}

impl Reading {
    /// Folds and searches an article.
    pub(crate) fn new(lexicon: &Lexicon, document: &Document<'_>) -> Self {
        let given = document.language.and_then(telex_language::primary);
        let language = given.or_else(|| identify(document)).unwrap_or_default();
        let title = Folded::new(document.title);
        let text = Folded::new(document.text);
        let mut mentions = lexicon.find(&title, &language, Where::Title);
        mentions.extend(lexicon.find(&text, &language, Where::Text));
        let mut years = title.years.clone();
        years.extend(&text.years);
        let mut counts = vec![0; lexicon.concepts.len()];
        let (mut named, mut named_actors) = (Vec::new(), Vec::new());
        for mention in &mentions {
            let concept = lexicon.concepts.get(mention.concept as usize);
            let actor = concept.is_some_and(|concept| is_actor(concept.kind));
            if let Some(count) = counts.get_mut(mention.concept as usize) {
                if *count == 0 {
                    named.push(mention.concept);
                    if actor {
                        named_actors.push(mention.concept);
                    }
                }
                *count += 1;
            }
        }
        let office = |mention: &Mention| lexicon.concepts.get(mention.concept as usize);
        mentions.retain(|mention| office(mention).is_none_or(|concept| concept.in_office(&years)));
        let leads = leads(lexicon, &mentions);
        let headline_end = if document.title.trim().is_empty() {
            text.code_points().at(text.first_sentence_end()).min(HEADLINE)
        } else {
            0
        };
        let (length, text_length) = (title.length + text.length, text.length);
        Self {
            language,
            mentions,
            length,
            counts,
            named,
            named_actors,
            sentences: leads.iter().filter(|leads| **leads).count(),
            leads,
            text_length,
            headline_end,
        }
    }

    /// Tells in which region a mention stands.
    pub(crate) fn region(&self, mention: &Mention) -> Region {
        match mention.place {
            Where::Title => Region::Title,
            Where::Text if mention.start < self.headline_end => Region::Title,
            Where::Text if mention.start < self.headline_end + LEAD => Region::Lead,
            Where::Text => Region::Body,
        }
    }

    /// Tells whether the mention of this index stands in the headline.
    pub(crate) fn is_in_title(&self, index: usize) -> bool {
        let mention = self.mentions.get(index);
        mention.is_some_and(|mention| self.region(mention) == Region::Title)
    }

    /// Returns how many parts the text is divided into for spread.
    pub(crate) fn parts(&self) -> usize {
        (self.text_length / PART).clamp(1, PARTS)
    }

    /// Returns the part of the text that a mention stands in.
    pub(crate) fn part(&self, mention: &Mention) -> usize {
        let parts = self.parts();
        (mention.start * parts / self.text_length.max(1)).min(parts - 1)
    }

    /// Tells whether the mention of this index is the first actor of its sentence: who acts mostly comes first.
    pub(crate) fn leads(&self, index: usize) -> bool {
        self.leads.get(index).copied().unwrap_or(false)
    }

    /// Returns how many sentences name an actor.
    pub(crate) fn sentences(&self) -> usize {
        self.sentences
    }

    /// Tells whether any of these concepts is named.
    pub(crate) fn names(&self, chosen: impl Fn(u32) -> bool) -> bool {
        self.named.iter().any(|&concept| chosen(concept))
    }

    /// Returns index and number of mentions of every actor that is named.
    pub(crate) fn actor_counts(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let count = |concept: u32| self.counts.get(concept as usize).copied().unwrap_or(0);
        self.named_actors
            .iter()
            .map(move |&concept| (concept, count(concept)))
    }

    /// Returns the named concepts, the most frequent first.
    pub(crate) fn concepts(&self, entries: &[ConceptEntry]) -> Vec<Concept> {
        let named = entries.iter().zip(&self.counts).filter(|(_, count)| **count > 0);
        let mut concepts: Vec<Concept> = named
            .map(|(entry, &count)| Concept {
                id: entry.id.clone(),
                kind: entry.kind,
                name: entry.name.clone(),
                count,
            })
            .collect();
        concepts.sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.id.cmp(&right.id)));
        concepts
    }
}

/// Identifies the language of an article from its title and the beginning of its text.
fn identify(document: &Document<'_>) -> Option<String> {
    let words = [document.title, document.text].join(" ");
    telex_language::identify(&words).map(|found| found.language.to_owned())
}

/// Tells whether a concept of this kind can be what an article is about.
pub(crate) fn is_actor(kind: ConceptKind) -> bool {
    matches!(
        kind,
        ConceptKind::Country | ConceptKind::Institution | ConceptKind::Person
    )
}

/// Flags the first actor of each sentence.
fn leads(lexicon: &Lexicon, mentions: &[Mention]) -> Vec<bool> {
    let mut last = None;
    let lead = |mention: &Mention| {
        let concept = lexicon.concepts.get(mention.concept as usize);
        let sentence = Some((mention.place, mention.sentence));
        let first = last != sentence && concept.is_some_and(|concept| is_actor(concept.kind));
        if first {
            last = sentence;
        }
        first
    };
    mentions.iter().map(lead).collect()
}
