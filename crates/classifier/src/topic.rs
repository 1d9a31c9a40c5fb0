//! A topic: its signals, what their features weigh, and the score.
//!
//! Each signal gives the same few features (place, number, density, spread, share), so a topic needs no code, and one
//! that nobody trained scores by default weights for its roles. A regression over single words was rejected: with
//! some hundred labelled articles it learns names of the day, and a new person in office would need new labels.

use telex_model::{Evidence, Tag};

use crate::reading::Reading;
use crate::signal::{FEATURES, Observation, Signal};
use crate::source::Role;

/// Most rows of evidence a tag carries: a promise of the tagged message.
const MAX_EVIDENCE: usize = 20;

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
    pub(crate) fn by_role(signals: &[Signal]) -> Self {
        let features = signals.iter().flat_map(default_weights).collect();
        Self {
            bias: -3.5,
            features,
            slope: 1.0,
            offset: 0.0,
            threshold: 0.5,
        }
    }
}

/// Returns what the features of a signal weigh before anything is learned.
///
/// Set by hand: what names the topic speaks for it, most in the title; what speaks of something else against it.
pub(crate) fn default_weights(signal: &Signal) -> [f64; FEATURES.len()] {
    let by_role = match signal.role {
        Role::Core => [3.0, 0.8, 1.0, 1.0, 1.5, 1.0, 1.0, 1.0],
        Role::Support => [1.0, 0.4, 0.4, 0.5, 0.5, 0.0, 0.0, 0.0],
        Role::Counter => [-1.5, -0.8, -0.5, -2.0, -0.5, 0.0, 0.0, 0.0],
    };
    by_role.map(|weight| weight * signal.strength)
}

/// One topic, ready to judge articles.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) signals: Vec<Signal>,
    pub(crate) weights: Weights,
}

/// What is learned from an article about one topic.
pub(crate) struct Features {
    /// The article names the topic, not only once in passing; one that does not gets no tag whatever it scores.
    pub(crate) named: bool,
    /// The features signal by signal, in the order of the weights.
    pub(crate) values: Vec<f64>,
}

/// What a topic makes of an article.
pub(crate) struct Verdict {
    /// 0 to 1; 0 where the topic is not named, or only once in passing.
    pub(crate) score: f64,
    /// The score reaches the threshold.
    pub(crate) tagged: bool,
    observations: Vec<Observation>,
}

impl Topic {
    /// Takes the features of every signal from an article.
    pub(crate) fn observe(&self, reading: &Reading) -> Vec<Observation> {
        let observe = |signal: &Signal| signal.observe(reading);
        self.signals.iter().map(observe).collect()
    }

    /// Tells whether an article names the topic in its headline, or twice, or beside anything else that speaks for it.
    ///
    /// A lone mention is a passing one however short the text is: in a note of two sentences its density and share
    /// alone would make it a topic.
    pub(crate) fn is_named(&self, reading: &Reading, observations: &[Observation]) -> bool {
        let seen = |wanted: fn(Role) -> bool| {
            let signals = self.signals.iter().zip(observations);
            let chosen = signals.filter(move |(signal, _)| wanted(signal.role));
            chosen.flat_map(|(_, seen)| seen.hits())
        };
        let mut core = seen(|role| role == Role::Core);
        let Some(first) = core.next() else {
            return false;
        };
        let mut beside = seen(|role| role != Role::Counter);
        reading.is_in_title(*first) || beside.any(|hit| hit != first)
    }

    /// Returns what is learned from an article.
    pub(crate) fn features(&self, reading: &Reading) -> Features {
        let observations = self.observe(reading);
        Features {
            named: self.is_named(reading, &observations),
            values: observations.iter().flat_map(|seen| seen.features).collect(),
        }
    }

    /// Judges an article.
    pub(crate) fn judge(&self, reading: &Reading) -> Verdict {
        let observations = self.observe(reading);
        let core = self.is_named(reading, &observations);
        let values = observations.iter().flat_map(|seen| seen.features);
        let sum: f64 = values
            .zip(&self.weights.features)
            .map(|(value, weight)| value * weight)
            .sum();
        let sum = self.weights.slope * (self.weights.bias + sum) + self.weights.offset;
        let score = if core { logistic(sum) } else { 0.0 };
        Verdict {
            score,
            tagged: core && score >= self.weights.threshold,
            observations,
        }
    }

    /// Returns what each signal adds to the sum, in the scale of the evidence.
    pub(crate) fn contributions(&self, verdict: &Verdict) -> Vec<(&Signal, f64)> {
        let weights = self.weights.features.chunks(FEATURES.len());
        let sums = verdict.observations.iter().zip(weights).map(|(seen, weights)| {
            let sum: f64 = seen
                .features
                .iter()
                .zip(weights)
                .map(|(value, weight)| value * weight)
                .sum();
            round(sum * self.weights.slope)
        });
        self.signals.iter().zip(sums).collect()
    }

    /// Turns a verdict into a tag with its evidence.
    pub(crate) fn tag(&self, reading: &Reading, verdict: &Verdict, id_of: impl Fn(u32) -> String) -> Tag {
        let mut shares = vec![0.0; reading.mentions.len()];
        for (seen, weights) in verdict
            .observations
            .iter()
            .zip(self.weights.features.chunks(FEATURES.len()))
        {
            seen.share_out(reading, weights, &mut shares);
        }
        let mut heaviest: Vec<(f64, usize)> = shares
            .into_iter()
            .map(|share| round(share * self.weights.slope))
            .zip(0..)
            .collect();
        heaviest.retain(|(weight, _)| *weight != 0.0);
        heaviest.sort_by(|left, right| right.0.abs().total_cmp(&left.0.abs()));
        heaviest.truncate(MAX_EVIDENCE);
        let rows = heaviest.into_iter().filter_map(|(weight, index)| {
            let mention = reading.mentions.get(index)?;
            let term = id_of(mention.concept);
            Some(Evidence {
                term,
                place: mention.place,
                start: mention.start,
                end: mention.end,
                weight,
            })
        });
        Tag {
            topic: self.name.clone(),
            score: round(verdict.score),
            evidence: rows.collect(),
        }
    }
}

/// The logistic function.
pub(crate) fn logistic(sum: f64) -> f64 {
    1.0 / (1.0 + (-sum).exp())
}

/// Rounds to four decimals: what a consumer can use, and the same text on every machine.
fn round(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}
