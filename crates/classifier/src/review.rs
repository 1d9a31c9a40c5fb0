//! What authors of topic files look at: why an article got its tags, which labelled articles come out wrong, and what
//! a change of topic files would change.

use std::fmt;

use telex_model::{Concept, Tag, Where};

use crate::fared::{Fared, Label};
use crate::train::Example;
use crate::{Classifier, Document};

/// Code points shown on either side of the words of evidence.
const CONTEXT: usize = 30;
/// Change of score that a backtest reports although the tag stays: what a consumer's filter could notice.
const NOTICEABLE: f64 = 0.1;

/// Named concepts shown to a person; the tagged message has all.
const NAMES: usize = 12;

/// Why an article got, or did not get, each tag; its `Display` is made for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation<'a> {
    /// The article.
    pub article: Document<'a>,
    /// Its language, as for [`Classified::language`](crate::Classified::language).
    pub language: Option<String>,
    /// One entry a topic, also where the tag was not given.
    pub topics: Vec<TopicExplanation>,
    /// Concepts that it names, the most frequent first.
    pub concepts: Vec<Concept>,
}

/// Why an article got, or did not get, one tag.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicExplanation {
    /// Score and evidence.
    pub tag: Tag,
    /// The tag was given.
    pub tagged: bool,
    /// Score from which it is given.
    pub threshold: f64,
    /// What each signal that was seen adds to the sum, in the scale of the evidence, the heaviest first.
    pub signals: Vec<(String, f64)>,
}

/// Explains what the classifier makes of an article.
pub fn explain<'a>(classifier: &Classifier, article: &Document<'a>) -> Explanation<'a> {
    let reading = classifier.read(article);
    let topics = classifier.compiled().iter().map(|topic| {
        let verdict = topic.judge(&reading);
        let contributions = topic.contributions(&verdict).into_iter();
        let mut signals: Vec<(String, f64)> = contributions
            .filter(|(_, sum)| *sum != 0.0)
            .map(|(signal, sum)| (signal.name.clone(), sum))
            .collect();
        signals.sort_by(|left, right| right.1.abs().total_cmp(&left.1.abs()));
        TopicExplanation {
            tag: topic.tag(&reading, &verdict, |concept| classifier.concept_id(concept)),
            tagged: verdict.tagged,
            threshold: topic.weights.threshold,
            signals,
        }
    });
    Explanation {
        article: *article,
        topics: topics.collect(),
        concepts: reading.concepts(&classifier.lexicon().concepts),
        language: Some(reading.language).filter(|language| !language.is_empty()),
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.article.title)?;
        writeln!(out, "language: {}", self.language.as_deref().unwrap_or("unknown"))?;
        let names = self.concepts.iter().take(NAMES);
        let names: Vec<String> = names
            .map(|concept| format!("{} ({})", concept.name, concept.count))
            .collect();
        writeln!(out, "names: {}", names.join(", "))?;
        for topic in &self.topics {
            let answer = if topic.tagged { "yes" } else { "no" };
            let (name, score) = (&topic.tag.topic, topic.tag.score);
            writeln!(
                out,
                "\n{name}: {answer}, score {score:.2}, threshold {:.2}",
                topic.threshold
            )?;
            for (signal, sum) in &topic.signals {
                writeln!(out, "  {sum:+7.2} {signal}")?;
            }
            for row in &topic.tag.evidence {
                let (part, place) = match row.place {
                    Where::Title => (self.article.title, "title"),
                    Where::Text => (self.article.text, "text"),
                };
                let words = in_context(part, row.start, row.end);
                writeln!(
                    out,
                    "  {:+7.2}   {} ({place} {}): {words}",
                    row.weight, row.term, row.start
                )?;
            }
        }
        Ok(())
    }
}

/// Returns the words between two code points in brackets, with what stands around them, on one line.
fn in_context(part: &str, start: usize, end: usize) -> String {
    let first = start.saturating_sub(CONTEXT);
    let mut line = String::new();
    for (index, letter) in (first..).zip(part.chars().skip(first).take(end + CONTEXT - first)) {
        if index == start {
            line.push('[');
        }
        line.push(if letter.is_whitespace() { ' ' } else { letter });
        if index + 1 == end {
            line.push(']');
        }
    }
    line
}

/// How a topic fares on labelled articles.
#[derive(Debug, Clone, PartialEq)]
pub struct Tested {
    /// The topic.
    pub topic: String,
    /// Articles that have a label of the topic.
    pub labels: usize,
    /// Right and wrong answers.
    pub fared: Fared,
    /// Answers that differ from the label, borderline ones too.
    pub mistakes: Vec<Mistake>,
}

/// One answer that differs from its label.
#[derive(Debug, Clone, PartialEq)]
pub struct Mistake {
    /// Index of the example.
    pub example: usize,
    /// Its label.
    pub label: Label,
    /// The score that it got.
    pub score: f64,
}

/// Compares the classifier's answers with labels, topic by topic.
pub fn test(classifier: &Classifier, examples: &[Example<'_>]) -> Vec<Tested> {
    let empty = |topic: &str| Tested {
        topic: topic.to_owned(),
        labels: 0,
        fared: Fared::default(),
        mistakes: Vec::new(),
    };
    let mut tested: Vec<Tested> = classifier.topics().map(empty).collect();
    for (number, example) in examples.iter().enumerate() {
        let reading = classifier.read(&example.document);
        for (topic, result) in classifier.compiled().iter().zip(&mut tested) {
            let Some(&label) = example.labels.get(&topic.name) else {
                continue;
            };
            let verdict = topic.judge(&reading);
            result.labels += 1;
            result.fared.add(label, verdict.tagged);
            if label.positive != verdict.tagged {
                result.mistakes.push(Mistake {
                    example: number,
                    label,
                    score: verdict.score,
                });
            }
        }
    }
    tested
}

/// What a change of topic files does to one tag of one article.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The tag would be new.
    Added(Tag),
    /// The tag would go.
    Removed(Tag),
    /// The tag stays with a score that is noticeably different.
    Moved {
        /// As it is.
        before: Tag,
        /// As it would be.
        after: Tag,
    },
}

/// Returns what the tags of an article would change by if `new` took the place of `old`.
pub fn diff(old: &Classifier, new: &Classifier, article: &Document<'_>) -> Vec<Change> {
    let mut before = old.classify(article).tags;
    let mut changes = Vec::new();
    for after in new.classify(article).tags {
        match before.iter().position(|tag| tag.topic == after.topic) {
            None => changes.push(Change::Added(after)),
            Some(place) => {
                let before = before.remove(place);
                if (before.score - after.score).abs() >= NOTICEABLE {
                    changes.push(Change::Moved { before, after });
                }
            }
        }
    }
    changes.extend(before.into_iter().map(Change::Removed));
    changes
}
