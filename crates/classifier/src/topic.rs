//! A topic: its signals, the features taken from them, and the score.
//!
//! A signal is a set of concepts with a role, or two sets that count only where they share a sentence. Each signal
//! gives the same few features (place, number, density, spread, share), so a topic needs no code, and one that
//! nobody trained scores by default weights for its roles. A regression over single words was rejected: with some
//! hundred labelled articles it learns names of the day, and a new person in office would need new labels.

use std::collections::BTreeMap;

use telex_model::{Evidence, Tag};

use crate::reading::{Reading, Region};
use crate::source::Role;

/// Names of the features of a signal, in their order.
pub(crate) const FEATURES: [&str; 7] = ["title", "lead", "count", "density", "spread", "share", "rank"];
/// Most rows of evidence a tag carries: a promise of the tagged message.
const MAX_EVIDENCE: usize = 20;
/// Count at which the `count` feature reaches 1.
const FULL_COUNT: f64 = 30.0;
/// Mentions a thousand code points at which the `density` feature reaches a half: two a paragraph.
const HALF_DENSITY: f64 = 4.0;

/// A set of concepts with a role in a topic.
#[derive(Debug)]
pub(crate) struct Signal {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// By index of the concept: whether the signal counts it.
    pub(crate) members: Vec<bool>,
    /// The second set, where the signal asks that both share a sentence.
    pub(crate) with: Option<Vec<bool>>,
}

/// What an article says about one signal.
pub(crate) struct Observation {
    pub(crate) features: [f64; FEATURES.len()],
    /// Indices of the mentions that count, and of those the ones in title and lead.
    hits: Vec<(usize, Region)>,
}

impl Signal {
    /// Takes the features of this signal from an article.
    pub(crate) fn observe(&self, reading: &Reading) -> Observation {
        let hits = self.hits(reading);
        if hits.is_empty() {
            return Observation {
                features: [0.0; FEATURES.len()],
                hits,
            };
        }
        let number = hits.len() as f64;
        let within = |wanted| hits.iter().filter(|(_, region)| *region == wanted).count() as i32;
        let saturate = |count: i32| 1.0 - 0.5_f64.powi(count);
        let density = number * 1000.0 / (reading.length.max(200) as f64);
        let features = [
            saturate(within(Region::Title)),
            saturate(within(Region::Lead)),
            (number.ln_1p() / FULL_COUNT.ln_1p()).min(1.0),
            density / (density + HALF_DENSITY),
            Self::spread(reading, &hits),
            (number / (reading.actors as f64 + 1.0)).min(1.0),
            number / (number + self.greatest_other(reading)),
        ];
        Observation { features, hits }
    }

    fn hits(&self, reading: &Reading) -> Vec<(usize, Region)> {
        let member = |set: &[bool], concept: u32| set.get(concept as usize).copied().unwrap_or(false);
        let paired = self.with.as_ref().map(|with| {
            let mut sentences: BTreeMap<(bool, u32), (bool, bool)> = BTreeMap::new();
            for (mention, _) in reading
                .mentions
                .iter()
                .zip(&reading.current)
                .filter(|(_, current)| **current)
            {
                let title = mention.place == telex_model::Where::Title;
                let seen = sentences.entry((title, mention.sentence)).or_default();
                seen.0 |= member(&self.members, mention.concept);
                seen.1 |= member(with, mention.concept);
            }
            (with, sentences)
        });
        let counts = |index: usize, mention: &crate::lexicon::Mention| {
            if !reading.current.get(index).copied().unwrap_or(true) {
                return false;
            }
            let Some((with, sentences)) = &paired else {
                return member(&self.members, mention.concept);
            };
            let title = mention.place == telex_model::Where::Title;
            (member(&self.members, mention.concept) || member(with, mention.concept))
                && sentences.get(&(title, mention.sentence)) == Some(&(true, true))
        };
        let mentions = reading.mentions.iter().enumerate();
        mentions
            .filter(|(index, mention)| counts(*index, mention))
            .map(|(index, mention)| (index, reading.region(mention)))
            .collect()
    }

    fn spread(reading: &Reading, hits: &[(usize, Region)]) -> f64 {
        let mut seen = 0_u32;
        for part in hits
            .iter()
            .filter_map(|(index, _)| reading.part(reading.mentions.get(*index)?))
        {
            seen |= 1 << part;
        }
        f64::from(seen.count_ones()) / reading.parts() as f64
    }

    /// Returns how often the most frequent actor outside the signal is named.
    fn greatest_other(&self, reading: &Reading) -> f64 {
        let inside = |index: usize| {
            let with = self
                .with
                .as_ref()
                .is_some_and(|with| with.get(index).copied().unwrap_or(false));
            with || self.members.get(index).copied().unwrap_or(false)
        };
        f64::from(
            reading
                .actor_counts()
                .filter(|(index, _)| !inside(*index))
                .map(|(_, count)| count)
                .max()
                .unwrap_or(0),
        )
    }
}

/// What a topic's features weigh, and how its score is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weights {
    pub(crate) bias: f64,
    /// Weight of each feature of each signal, signal by signal.
    pub(crate) features: Vec<f64>,
    /// Calibration: the score is the logistic function of slope times sum plus offset.
    pub(crate) slope: f64,
    pub(crate) offset: f64,
    /// Score from which the tag is given.
    pub(crate) threshold: f64,
}

impl Weights {
    /// Returns the weights of a topic that nobody trained, from the roles of its signals.
    ///
    /// They are the learned weights of the built-in topics, averaged by role and rounded.
    pub(crate) fn by_role(signals: &[Signal]) -> Self {
        let features = signals
            .iter()
            .flat_map(|signal| default_weights(signal.role))
            .collect();
        Self {
            bias: -3.5,
            features,
            slope: 1.0,
            offset: 0.0,
            threshold: 0.5,
        }
    }
}

fn default_weights(role: Role) -> [f64; FEATURES.len()] {
    match role {
        Role::Core => [3.0, 0.8, 1.0, 1.0, 1.5, 1.0, 1.0],
        Role::Support => [1.0, 0.4, 0.4, 0.5, 0.5, 0.0, 0.0],
        Role::Counter => [-1.5, -0.8, -0.5, -2.0, -0.5, 0.0, 0.0],
    }
}

/// One topic, ready to judge articles.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) signals: Vec<Signal>,
    pub(crate) weights: Weights,
}

/// What a topic makes of an article.
pub(crate) struct Verdict {
    pub(crate) score: f64,
    pub(crate) tagged: bool,
    pub(crate) observations: Vec<Observation>,
}

impl Topic {
    /// Judges an article.
    pub(crate) fn judge(&self, reading: &Reading) -> Verdict {
        let observations: Vec<Observation> = self
            .signals
            .iter()
            .map(|signal| signal.observe(reading))
            .collect();
        let named = self.signals.iter().zip(&observations);
        let core = named
            .filter(|(signal, _)| signal.role == Role::Core)
            .any(|(_, seen)| !seen.hits.is_empty());
        let values = observations.iter().flat_map(|seen| seen.features);
        let sum = self.weights.bias
            + values
                .zip(&self.weights.features)
                .map(|(value, weight)| value * weight)
                .sum::<f64>();
        let score = if core {
            logistic(self.weights.slope * sum + self.weights.offset)
        } else {
            0.0
        };
        Verdict {
            score,
            tagged: core && score >= self.weights.threshold,
            observations,
        }
    }

    /// Turns a verdict into a tag with its evidence.
    pub(crate) fn tag(&self, reading: &Reading, verdict: &Verdict, id_of: impl Fn(u32) -> String) -> Tag {
        let mut weights: BTreeMap<usize, f64> = BTreeMap::new();
        for (index, seen) in verdict.observations.iter().enumerate() {
            let own = self
                .weights
                .features
                .chunks(FEATURES.len())
                .nth(index)
                .unwrap_or_default();
            seen.share_out(own, &mut weights);
        }
        let mut evidence: Vec<Evidence> = weights
            .into_iter()
            .filter_map(|(index, weight)| {
                let mention = reading.mentions.get(index)?;
                let term = id_of(mention.concept);
                let weight = round(weight * self.weights.slope);
                Some(Evidence {
                    term,
                    place: mention.place,
                    start: mention.start,
                    end: mention.end,
                    weight,
                })
            })
            .filter(|row| row.weight != 0.0)
            .collect();
        evidence.sort_by(|left, right| right.weight.abs().total_cmp(&left.weight.abs()));
        evidence.truncate(MAX_EVIDENCE);
        Tag {
            topic: self.name.clone(),
            score: round(verdict.score),
            evidence,
        }
    }
}

impl Observation {
    /// Shares what the signal adds to the sum out among the mentions that made it.
    fn share_out(&self, weights: &[f64], out: &mut BTreeMap<usize, f64>) {
        for (feature, (value, weight)) in self.features.iter().zip(weights).enumerate() {
            let makes = |region: Region| match feature {
                0 => region == Region::Title,
                1 => region == Region::Lead,
                _ => true,
            };
            let makers = self.hits.iter().filter(|(_, region)| makes(*region));
            let number = makers.clone().count();
            for (index, _) in makers {
                *out.entry(*index).or_default() += value * weight / number as f64;
            }
        }
    }
}

/// The logistic function.
pub(crate) fn logistic(sum: f64) -> f64 {
    1.0 / (1.0 + (-sum).exp())
}

/// Four decimals: what a consumer can use, and the same text on every machine.
fn round(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}
