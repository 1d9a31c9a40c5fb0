//! Learns weights from labelled articles, and says how good they are on sources they have not seen.
//!
//! Articles of one source share footers, style and subject, so cross-validation never splits a source: a random split
//! would praise what the scorer learned by heart. Calibration and threshold are chosen on scores of articles that
//! were not learned from, also inside each fold.

use std::collections::BTreeMap;

use crate::classifier::feature_names;
use crate::fared::{Fared, Label};
use crate::regression::{Line, Prior, Row, Sign, fit};
use crate::signal::Signal;
use crate::source::Role;
use crate::topic::{Features, Topic, default_weights, logistic};
use crate::{Classifier, Document, TopicFile};

/// Folds of the cross-validation; more change the result by less than its noise.
const FOLDS: usize = 8;
/// Penalty of half the squared weights, in rows. Chosen by cross-validation among 10, 20, 40, 80, 120 and 160 for
/// the logarithmic loss: weaker penalties learn accidents of few sources, stronger ones nothing. Choosing one a topic in
/// inner folds was rejected: it prefers weak ones and loses on sources that it has not seen.
const PENALTY: f64 = 80.0;
/// Share of the default weights that weights keep where nothing speaks against them. Chosen like the penalty, among
/// 0.15, 0.3, 0.5, 0.7 and 1.
const PRIOR: f64 = 0.5;
/// How much a label counts on which the readers could differ.
const BORDERLINE: f64 = 0.5;

/// A labelled article.
#[derive(Debug, Clone)]
pub struct Example<'a> {
    /// The article.
    pub document: Document<'a>,
    /// Where it is from: a corpus, a site; articles of one source are never split between folds.
    pub source: &'a str,
    /// Labels by topic; a topic without a label is not learned from this article.
    pub labels: BTreeMap<String, Label>,
}

/// How good a topic's weights are on sources that they were not learned from.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicReport {
    /// The topic.
    pub topic: String,
    /// Over all languages.
    pub fared: Fared,
    /// By language.
    pub languages: BTreeMap<String, Fared>,
    /// Calibration: mean score and share of positives of the articles in each tenth of the score, with their number.
    pub calibration: Vec<(f64, f64, usize)>,
    /// Score of each labelled article when its source was left out, and whether it was tagged, by index.
    pub scores: Vec<(usize, f64, bool)>,
}

/// What training gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The weights file, to stand beside the topic files.
    pub weights: TopicFile,
    /// One report a topic that has labels of both kinds.
    pub reports: Vec<TopicReport>,
}

/// Learns weights for every topic that has labels of both kinds.
///
/// Deterministic: the same topic files and examples in the same order give the same file. `provenance` says in a few
/// words where the examples are from and goes into the file. Time grows with examples times features.
pub fn train(classifier: &Classifier, examples: &[Example<'_>], provenance: &str) -> Trained {
    let readings: Vec<Vec<Features>> = examples
        .iter()
        .map(|example| classifier.features(&example.document))
        .collect();
    let folds = folds(examples);
    let mut text = header(classifier, examples.len(), provenance);
    let mut reports = Vec::new();
    for (index, topic) in classifier.compiled().iter().enumerate() {
        let set = Set::new(topic, index, examples, &readings, &folds);
        if !set.has_both() {
            continue;
        }
        let learned = set.learn(None);
        write_weights(&mut text, topic, &learned);
        reports.push(set.report(examples));
    }
    Trained {
        weights: TopicFile {
            name: "weights.toml".to_owned(),
            text,
        },
        reports,
    }
}

/// Weights with calibration and threshold.
struct Learned {
    line: Line,
    slope: f64,
    offset: f64,
    threshold: f64,
}

impl Learned {
    fn score(&self, values: &[f64]) -> f64 {
        logistic(self.slope * self.line.sum(values) + self.offset)
    }
}

/// The labelled articles of one topic.
struct Set<'a> {
    topic: &'a Topic,
    rows: Vec<Sample<'a>>,
    priors: Vec<Prior>,
}

struct Sample<'a> {
    example: usize,
    values: &'a [f64],
    label: Label,
    fold: usize,
    /// The article names the topic, not only once in passing; others get no tag whatever they score.
    named: bool,
}

impl Sample<'_> {
    fn row(&self) -> Row<'_> {
        let weight = if self.label.borderline { BORDERLINE } else { 1.0 };
        Row {
            values: self.values,
            positive: self.label.positive,
            weight,
        }
    }
}

impl<'a> Set<'a> {
    fn new(
        topic: &'a Topic,
        index: usize,
        examples: &[Example<'_>],
        readings: &'a [Vec<Features>],
        folds: &BTreeMap<String, usize>,
    ) -> Self {
        let priors: Vec<Prior> = topic.signals.iter().flat_map(priors).collect();
        let rows = examples
            .iter()
            .zip(readings)
            .enumerate()
            .filter_map(|(number, (example, reading))| {
                let features = reading.get(index)?;
                Some(Sample {
                    example: number,
                    values: &features.values,
                    label: *example.labels.get(&topic.name)?,
                    fold: folds.get(example.source).copied().unwrap_or(0),
                    named: features.named,
                })
            });
        Self {
            topic,
            rows: rows.collect(),
            priors,
        }
    }

    fn has_both(&self) -> bool {
        let positives = self.rows.iter().filter(|sample| sample.label.positive).count();
        positives > 0 && positives < self.rows.len()
    }

    /// Learns from all folds but one; calibration and threshold come from scores of folds that were left out in turn.
    fn learn(&self, left_out: Option<usize>) -> Learned {
        let line = self.fit(|fold| Some(fold) != left_out);
        let mut sums: Vec<(f64, &Sample<'_>)> = Vec::new();
        for fold in (0..FOLDS).filter(|fold| Some(*fold) != left_out) {
            let inner = self.fit(|other| other != fold && Some(other) != left_out);
            let rows = self
                .rows
                .iter()
                .filter(|sample| sample.fold == fold && sample.named);
            sums.extend(rows.map(|sample| (inner.sum(sample.values), sample)));
        }
        let (slope, offset) = calibrate(&sums);
        let scored = sums.iter().map(|(sum, _)| logistic(slope * sum + offset));
        let threshold = best_threshold(scored.collect());
        Learned {
            line,
            slope,
            offset,
            threshold,
        }
    }

    fn fit(&self, wanted: impl Fn(usize) -> bool) -> Line {
        let rows: Vec<Row<'_>> = self
            .rows
            .iter()
            .filter(|sample| sample.named && wanted(sample.fold))
            .map(Sample::row)
            .collect();
        fit(&rows, &self.priors, PENALTY)
    }

    fn report(&self, examples: &[Example<'_>]) -> TopicReport {
        let mut scores: Vec<(usize, f64, bool)> = Vec::new();
        for fold in 0..FOLDS {
            let learned = self.learn(Some(fold));
            for sample in self.rows.iter().filter(|sample| sample.fold == fold) {
                let score = if sample.named {
                    learned.score(sample.values)
                } else {
                    0.0
                };
                scores.push((sample.example, score, sample.named && score >= learned.threshold));
            }
        }
        scores.sort_unstable_by_key(|(example, ..)| *example);
        let (mut fared, mut languages) = (Fared::default(), BTreeMap::new());
        for (sample, (_, _, tagged)) in self.rows.iter().zip(&scores) {
            fared.add(sample.label, *tagged);
            let language = examples
                .get(sample.example)
                .and_then(|example| example.document.language);
            let of_language: &mut Fared = languages.entry(language.unwrap_or("?").to_owned()).or_default();
            of_language.add(sample.label, *tagged);
        }
        let positives = self
            .rows
            .iter()
            .zip(&scores)
            .map(|(sample, (_, score, _))| (*score, sample.label.positive));
        let calibration = tenths(positives.filter(|(score, _)| *score > 0.0));
        TopicReport {
            topic: self.topic.name.clone(),
            fared,
            languages,
            calibration,
            scores,
        }
    }
}

fn priors(signal: &Signal) -> impl Iterator<Item = Prior> + use<> {
    let sign = if signal.role == Role::Counter {
        Sign::Negative
    } else {
        Sign::Positive
    };
    default_weights(signal).into_iter().map(move |mean| Prior {
        sign,
        mean: mean * PRIOR,
    })
}

/// Deals the sources out to the folds, the largest first, each to the smallest fold.
fn folds(examples: &[Example<'_>]) -> BTreeMap<String, usize> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for example in examples {
        *sizes.entry(example.source).or_default() += 1;
    }
    let mut sources: Vec<(&str, usize)> = sizes.into_iter().collect();
    sources.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
    let mut filled = [0_usize; FOLDS];
    let mut folds = BTreeMap::new();
    for (source, size) in sources {
        let smallest = (0..)
            .zip(&filled)
            .min_by_key(|(_, size)| **size)
            .map_or(0, |(fold, _)| fold);
        if let Some(fill) = filled.get_mut(smallest) {
            *fill += size;
        }
        folds.insert(source.to_owned(), smallest);
    }
    folds
}

/// Fits slope and offset so that the score is a probability (Platt 1999).
fn calibrate(sums: &[(f64, &Sample<'_>)]) -> (f64, f64) {
    let values: Vec<[f64; 1]> = sums.iter().map(|(sum, _)| [*sum]).collect();
    let rows: Vec<Row<'_>> = sums
        .iter()
        .zip(&values)
        .map(|((_, sample), value)| Row {
            values: value,
            ..sample.row()
        })
        .collect();
    let line = fit(
        &rows,
        &[Prior {
            sign: Sign::Positive,
            mean: 1.0,
        }],
        1.0,
    );
    (line.weights.first().copied().unwrap_or(1.0), line.bias)
}

/// Returns the threshold with the best F1 to be expected where the scores are the chances that they claim to be.
///
/// That is half this best F1 (Lipton, Elkan and Naryanaswamy 2014). The score at which the best is reached was
/// rejected: around it all scores do about as well, so it lies wherever luck put it, like the best of the labels.
fn best_threshold(mut scores: Vec<f64>) -> f64 {
    scores.sort_by(|left, right| right.total_cmp(left));
    let positives: f64 = scores.iter().sum();
    let (mut right, mut best) = (0.0, 0.0_f64);
    for (score, tagged) in scores.into_iter().zip(1..) {
        right += score;
        best = best.max(2.0 * right / (f64::from(tagged) + positives));
    }
    (best / 2.0).clamp(0.1, 0.9)
}

fn tenths(scored: impl Iterator<Item = (f64, bool)>) -> Vec<(f64, f64, usize)> {
    let mut bins = [(0.0, 0_usize, 0_usize); 10];
    for (score, positive) in scored {
        if let Some(bin) = bins.get_mut(((score * 10.0) as usize).min(9)) {
            bin.0 += score;
            bin.1 += usize::from(positive);
            bin.2 += 1;
        }
    }
    let filled = bins.into_iter().filter(|bin| bin.2 > 0);
    filled
        .map(|(sum, positives, number)| (sum / number as f64, positives as f64 / number as f64, number))
        .collect()
}

fn header(classifier: &Classifier, number: usize, provenance: &str) -> String {
    let mut text =
        String::from("# Learned weights; written by `telex topics train`, not by hand.\n\n[provenance]\n");
    let quoted = toml::Value::String(provenance.to_owned());
    text.push_str(&format!(
        "examples = {quoted}\nnumber = {number}\ntopics_version = \"{}\"\nmethod = \"logistic regression, signs by role, \
         penalty {PENALTY}, {FOLDS} folds by source\"\n",
        classifier.version()
    ));
    text
}

fn write_weights(text: &mut String, topic: &Topic, learned: &Learned) {
    text.push_str(&format!(
        "\n[[weights]]\ntopic = \"{}\"\nbias = {:.4}\nslope = {:.4}\noffset = {:.4}\nthreshold = {:.4}\n\n[weights.features]\n",
        topic.name, learned.line.bias, learned.slope, learned.offset, learned.threshold
    ));
    for (name, weight) in feature_names(topic).iter().zip(&learned.line.weights) {
        if weight.abs() >= 0.000_05 {
            text.push_str(&format!("\"{name}\" = {weight:.4}\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail loudly")]

    use std::collections::BTreeMap;

    use super::{Example, FOLDS, Label, folds, train};
    use crate::{Classifier, Document, TopicFile, builtin, test};

    const ABOUT: &str =
        "Ukraine's president Zelensky spoke in Kyiv about the war. Ukrainian troops hold Kharkiv.";
    const ASIDE: &str =
        "The bakery sells bread with walnuts. Wheat from Ukraine is dear. The queue was long on Saturday.";

    fn examples() -> Vec<Example<'static>> {
        let sources = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let example = |source, text, positive| {
            let labels = BTreeMap::from([(
                "ukraine".to_owned(),
                Label {
                    positive,
                    borderline: false,
                },
            )]);
            Example {
                document: Document {
                    title: "",
                    text,
                    language: Some("en"),
                },
                source,
                labels,
            }
        };
        sources
            .iter()
            .flat_map(|source| [example(source, ABOUT, true), example(source, ASIDE, false)])
            .collect()
    }

    #[test]
    fn training_learns_and_is_deterministic() {
        let files = builtin();
        let classifier = Classifier::without_weights(&files).expect("topics");
        let trained = train(&classifier, &examples(), "a test");
        assert_eq!(trained, train(&classifier, &examples(), "a test"));
        let [report] = trained.reports.as_slice() else {
            panic!("one topic has labels")
        };
        assert_eq!(
            (
                report.fared.all.right,
                report.fared.all.wrong,
                report.fared.all.missed
            ),
            (10, 0, 0)
        );
        let mut files: Vec<TopicFile> = files
            .into_iter()
            .filter(|file| file.name != "weights.toml")
            .collect();
        files.push(trained.weights);
        let learned = Classifier::new(&files).expect("weights that fit");
        let tested = test(&learned, &examples());
        assert!(tested.iter().all(|topic| topic.mistakes.is_empty()), "{tested:?}");
    }

    #[test]
    fn a_source_is_never_split_and_folds_are_even() {
        let examples = examples();
        let folds = folds(&examples);
        let mut sizes = [0; FOLDS];
        for example in &examples {
            sizes[folds[example.source]] += 1;
        }
        assert!(sizes.iter().all(|&size| size == 2 || size == 4), "{sizes:?}");
    }

    #[test]
    fn weights_of_other_signals_are_a_problem() {
        let mut files = builtin();
        let text = "[[weights]]\ntopic = \"nato\"\nbias = 0.0\nslope = 1.0\noffset = 0.0\nthreshold = 0.5\n\
                    [weights.features]\n\"gone.title\" = 1.0\n";
        files.retain(|file| file.name != "weights.toml");
        files.push(TopicFile {
            name: "weights.toml".to_owned(),
            text: text.to_owned(),
        });
        let problems = Classifier::new(&files).err().expect("problems");
        let [problem] = problems.as_slice() else {
            panic!("{problems:?}")
        };
        assert_eq!((problem.line, problem.file.as_str()), (8, "weights.toml"));
        assert!(Classifier::without_weights(&files).is_ok());
    }
}
