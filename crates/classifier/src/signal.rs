//! Signals: sets of concepts with a role in a topic, and the features taken from them.

use telex_model::Where;

use crate::lexicon::Mention;
use crate::reading::{Reading, Region};
use crate::source::Role;

/// Names of the features of a signal, in their order, those of places first; `acts` is the share of sentences whose first actor is its own.
pub(crate) const FEATURES: [&str; 8] = [
    "title", "lead", "count", "density", "spread", "share", "rank", "acts",
];
/// Count at which the `count` feature reaches 1: twice what a long report on its own topic has.
const FULL_COUNT: f64 = 30.0;
/// Mentions a thousand code points at which the `density` feature reaches a half: two a paragraph.
const HALF_DENSITY: f64 = 4.0;
/// Mentions of others that `share` and `rank` always assume: most of what an article is about has no concept, so one
/// mention among no others is no topic.
const DOUBT: f64 = 3.0;
/// Least length, in code points, that density is counted over, so that one word in a short note is not everything.
const LEAST_LENGTH: usize = 200;

/// Least number of parts that spread is counted over: in a note of a paragraph or two, one mention is not everywhere.
const LEAST_PARTS: usize = 3;

/// A set of concepts, by their index.
pub(crate) type Set = Vec<bool>;

/// A set of concepts with a role in a topic.
#[derive(Debug)]
pub(crate) struct Signal {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// How many times the default weights of its role it has before anything is learned.
    pub(crate) strength: f64,
    pub(crate) members: Set,
    /// The other sets, where the signal asks for all of them, and how near.
    pub(crate) with: Option<With>,
    /// Languages that it is limited to; empty where it is not.
    pub(crate) languages: Vec<String>,
}

/// What a signal asks for beside its own concepts.
#[derive(Debug)]
pub(crate) enum With {
    /// All of these sets in the sentence.
    Sentence(Vec<Set>),
    /// This set anywhere in the article.
    Article(Set),
}

/// What an article says about one signal.
pub(crate) struct Observation {
    pub(crate) features: [f64; FEATURES.len()],
    /// Indices of the mentions that count, ascending.
    hits: Vec<usize>,
}

impl Signal {
    /// Takes the features of this signal from an article.
    pub(crate) fn observe(&self, reading: &Reading) -> Observation {
        if !self.possible(reading) {
            return Observation::nothing();
        }
        let own = |mention: &Mention| holds(&self.members, mention.concept);
        let alone = || {
            Observation::of(
                indices(reading, own),
                reading,
                |concept| holds(&self.members, concept),
                &self.members,
            )
        };
        match &self.with {
            None => alone(),
            Some(With::Sentence(others)) => {
                let any = |concept| {
                    holds(&self.members, concept) || others.iter().any(|other| holds(other, concept))
                };
                Observation::of(
                    self.sharing_sentences(others, any, reading),
                    reading,
                    any,
                    &self.members,
                )
            }
            Some(With::Article(with)) => {
                let other = |mention: &Mention| holds(with, mention.concept);
                let second = Observation::of(
                    indices(reading, other),
                    reading,
                    |concept| holds(with, concept),
                    with,
                );
                alone().both(second)
            }
        }
    }

    /// Tells quickly that the signal cannot be seen, as most cannot in most articles.
    fn possible(&self, reading: &Reading) -> bool {
        let named = |set: &Set| reading.names(|concept| holds(set, concept));
        (self.languages.is_empty() || self.languages.contains(&reading.language))
            && named(&self.members)
            && match &self.with {
                None => true,
                Some(With::Article(with)) => named(with),
                Some(With::Sentence(others)) => others.iter().all(named),
            }
    }

    /// Returns the mentions of all sets in sentences that have mentions of each.
    fn sharing_sentences(
        &self,
        others: &[Set],
        inside: impl Fn(u32) -> bool,
        reading: &Reading,
    ) -> Vec<usize> {
        let mut hits = Vec::new();
        let mut start = 0;
        for sentence in reading
            .mentions
            .chunk_by(|one, next| (one.place, one.sentence) == (next.place, next.sentence))
        {
            let any = |set: &Set| sentence.iter().any(|mention| holds(set, mention.concept));
            if any(&self.members) && others.iter().all(any) {
                let numbered = sentence.iter().zip(start..);
                let counted = numbered.filter(|(mention, _)| inside(mention.concept));
                hits.extend(counted.map(|(_, index)| index));
            }
            start += sentence.len();
        }
        hits
    }
}

fn holds(set: &[bool], concept: u32) -> bool {
    set.get(concept as usize).copied().unwrap_or(false)
}

fn indices(reading: &Reading, wanted: impl Fn(&Mention) -> bool) -> Vec<usize> {
    reading
        .mentions
        .iter()
        .zip(0..)
        .filter(|(mention, _)| wanted(mention))
        .map(|(_, index)| index)
        .collect()
}

impl Observation {
    fn nothing() -> Self {
        Self {
            features: [0.0; FEATURES.len()],
            hits: Vec::new(),
        }
    }

    fn of(hits: Vec<usize>, reading: &Reading, inside: impl Fn(u32) -> bool, own: &[bool]) -> Self {
        if hits.is_empty() {
            return Self::nothing();
        }
        let number = hits.len() as f64;
        let (mut title, mut lead, mut parts, mut acts) = (0, 0, 0_u32, 0);
        for (index, mention) in hits
            .iter()
            .filter_map(|&index| Some((index, reading.mentions.get(index)?)))
        {
            if reading.leads(index) && holds(own, mention.concept) {
                acts += 1;
            }
            match reading.region(mention) {
                Region::Title => title += 1,
                Region::Lead => lead += 1,
                Region::Body => {}
            }
            if mention.place == Where::Text {
                parts |= 1 << reading.part(mention);
            }
        }
        let saturate = |count: i32| 1.0 - 0.5_f64.powi(count);
        let density = number * 1000.0 / (reading.length.max(LEAST_LENGTH) as f64);
        let outside = || {
            reading
                .actor_counts()
                .filter(|(concept, _)| !inside(*concept))
                .map(|(_, count)| count)
        };
        let (others, greatest) = (outside().sum::<u32>(), outside().max().unwrap_or(0));
        let features = [
            saturate(title),
            saturate(lead),
            (number.ln_1p() / FULL_COUNT.ln_1p()).min(1.0),
            density / (density + HALF_DENSITY),
            f64::from(parts.count_ones()) / reading.parts().max(LEAST_PARTS) as f64,
            number / (number + f64::from(others) + DOUBT),
            number / (number + f64::from(greatest) + DOUBT),
            f64::from(acts) / (reading.sentences() as f64 + DOUBT),
        ];
        Self { features, hits }
    }

    /// Joins what two sets say into what they say together: the geometric mean, 0 where one is silent.
    fn both(self, other: Self) -> Self {
        if self.hits.is_empty() || other.hits.is_empty() {
            return Self::nothing();
        }
        let mut features = self.features;
        for (mine, its) in features.iter_mut().zip(other.features) {
            *mine = (*mine * its).sqrt();
        }
        let mut hits = self.hits;
        hits.extend(other.hits);
        hits.sort_unstable();
        hits.dedup();
        Self { features, hits }
    }

    /// Returns the indices of the mentions that count, ascending.
    pub(crate) fn hits(&self) -> &[usize] {
        &self.hits
    }

    /// Shares what the signal adds to the sum out among the mentions that made it; `shares` goes by mention.
    ///
    /// What the title and the lead add goes to the mentions there, the rest to all alike.
    pub(crate) fn share_out(&self, reading: &Reading, weights: &[f64], shares: &mut [f64]) {
        let sums = self.features.iter().zip(weights);
        let mut added = sums.map(|(value, weight)| value * weight);
        let (title, lead) = (added.next().unwrap_or(0.0), added.next().unwrap_or(0.0));
        let rest: f64 = added.sum();
        let region = |index: &usize| {
            let mention = reading.mentions.get(*index);
            mention.map_or(Region::Body, |mention| reading.region(mention))
        };
        let number = |wanted| self.hits.iter().filter(|index| region(index) == wanted).count() as f64;
        let (titles, leads, all) = (
            number(Region::Title),
            number(Region::Lead),
            self.hits.len() as f64,
        );
        for index in &self.hits {
            let here = match region(index) {
                Region::Title => title / titles,
                Region::Lead => lead / leads,
                Region::Body => 0.0,
            };
            if let Some(share) = shares.get_mut(*index) {
                *share += here + rest / all;
            }
        }
    }
}
