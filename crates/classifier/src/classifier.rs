//! The classifier: topic files compiled, and what it says of an article.

use std::collections::BTreeMap;

use telex_model::{Concept, Tag};

use crate::lexicon::{Builder, Lexicon, is_name};
use crate::reading::Reading;
use crate::signal::{FEATURES, Signal, With};
use crate::source::{
    Problem, Problems, RawFile, RawSignal, RawTopic, RawWeights, TopicFile, Within, nearest,
};
use crate::topic::{Features, Topic, Weights};

/// An article as the classifier needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document<'a> {
    /// Headline; may be empty, then the first sentence of the text stands in for it.
    pub title: &'a str,
    /// Text; paragraphs parted by newlines.
    pub text: &'a str,
    /// ISO 639-1 code; `None` has it identified from the words.
    pub language: Option<&'a str>,
}

/// What the classifier says of an article.
#[derive(Debug, Clone, PartialEq)]
pub struct Classified {
    /// ISO 639-1 code, of three letters where the language has none of two; `None` where it cannot be told.
    pub language: Option<String>,
    /// Topics whose score reaches their threshold, in the order of the topic files.
    pub tags: Vec<Tag>,
    /// Concepts that the article names, the most frequent first.
    pub concepts: Vec<Concept>,
}

/// Topic files compiled into one automaton and one scorer a topic; immutable, so it can be shared by threads.
pub struct Classifier {
    version: String,
    lexicon: Lexicon,
    topics: Vec<Topic>,
}

/// Returns the topic files that are part of the program.
pub fn builtin() -> Vec<TopicFile> {
    macro_rules! files {
        ($($name:literal),* $(,)?) => {
            vec![$(TopicFile { name: $name.to_owned(), text: include_str!(concat!("../topics/", $name)).to_owned() }),*]
        };
    }
    files![
        "counter.toml",
        "countries.toml",
        "institutions.toml",
        "people.toml",
        "ukraine.toml",
        "nato.toml",
        "eu-diplomacy.toml",
        "weights.toml",
    ]
}

impl Classifier {
    /// Compiles topic files; concepts may be used from any file whatever the order.
    ///
    /// # Errors
    /// Every problem of every file at once, in the order of the files.
    pub fn new(files: &[TopicFile]) -> Result<Self, Vec<Problem>> {
        Self::compile(files, true)
    }

    /// Compiles topic files without their learned weights, to train anew after a change of signals.
    ///
    /// # Errors
    /// As for [`Classifier::new`], without problems of weights.
    pub fn without_weights(files: &[TopicFile]) -> Result<Self, Vec<Problem>> {
        Self::compile(files, false)
    }

    fn compile(files: &[TopicFile], weighted: bool) -> Result<Self, Vec<Problem>> {
        let mut found = Vec::new();
        let raw: Vec<(&TopicFile, RawFile)> = files
            .iter()
            .filter_map(|file| Some((file, Problems::new(file, &mut found).parse()?)))
            .collect();
        let mut builder = Builder::default();
        let mut rest = Vec::new();
        for (file, raw) in raw {
            let mut problems = Problems::new(file, &mut found);
            for concept in raw.concept {
                builder.add(concept, &mut problems);
            }
            rest.push((file, raw.topic, raw.signal, raw.weights));
        }
        if found
            .iter()
            .any(|problem| !rest.iter().any(|(file, ..)| file.name == problem.file))
        {
            // What an unreadable file would have defined is missing everywhere: that would only hide its own problem.
            return Err(found);
        }
        let version = version(
            rest.iter()
                .filter(|(.., weights)| weighted || weights.is_empty())
                .map(|(file, ..)| *file),
        );
        let mut topics: Vec<Topic> = Vec::new();
        let mut weights = Vec::new();
        for (file, topic, signals, own_weights) in rest {
            let mut problems = Problems::new(file, &mut found);
            add_topic(&mut topics, topic, signals, &builder, &mut problems);
            weights.extend(own_weights.into_iter().map(|weights| (file, weights)));
        }
        for (file, weights) in weights.into_iter().filter(|_| weighted) {
            add_weights(&mut topics, weights, &mut Problems::new(file, &mut found));
        }
        let lexicon = builder.build().map_err(|message| vec![whole(files, message)])?;
        if found.is_empty() {
            Ok(Self {
                version,
                lexicon,
                topics,
            })
        } else {
            Err(found)
        }
    }

    /// Returns a short hash of the topic files and weights.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the names of the topics.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|topic| topic.name.as_str())
    }

    /// Returns what a topic is about, as its file says.
    pub fn about(&self, topic: &str) -> Option<&str> {
        self.topics
            .iter()
            .find(|known| known.name == topic)
            .map(|known| known.about.as_str())
    }

    /// Tags an article; the same article always gets the same answer. Time and memory are linear in its length.
    pub fn classify(&self, article: &Document<'_>) -> Classified {
        let reading = self.read(article);
        let tags = self.topics.iter().filter_map(|topic| {
            let verdict = topic.judge(&reading);
            verdict
                .tagged
                .then(|| topic.tag(&reading, &verdict, |concept| self.concept_id(concept)))
        });
        Classified {
            tags: tags.collect(),
            concepts: reading.concepts(&self.lexicon.concepts),
            language: Some(reading.language).filter(|language| !language.is_empty()),
        }
    }

    /// Returns what every topic learns from an article.
    pub(crate) fn features(&self, article: &Document<'_>) -> Vec<Features> {
        let reading = self.read(article);
        let of = |topic: &Topic| topic.features(&reading);
        self.topics.iter().map(of).collect()
    }

    /// Returns the topics with their signals and weights.
    pub(crate) fn compiled(&self) -> &[Topic] {
        &self.topics
    }

    /// Returns the concepts and their automaton.
    pub(crate) fn lexicon(&self) -> &Lexicon {
        &self.lexicon
    }

    /// Reads an article for judging.
    pub(crate) fn read(&self, article: &Document<'_>) -> Reading {
        Reading::new(&self.lexicon, article)
    }

    /// Returns the id of a concept by its index.
    pub(crate) fn concept_id(&self, concept: u32) -> String {
        self.lexicon
            .concepts
            .get(concept as usize)
            .map_or_else(String::new, |entry| entry.id.clone())
    }
}

fn whole(files: &[TopicFile], message: String) -> Problem {
    let file = files.first().map_or_else(String::new, |file| file.name.clone());
    Problem {
        file,
        line: 1,
        column: None,
        message,
        hint: None,
    }
}

fn version<'a>(files: impl Iterator<Item = &'a TopicFile>) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.text.as_bytes());
        hasher.update(&[0]);
    }
    hasher.finalize().to_hex().chars().take(12).collect()
}

fn add_topic(
    topics: &mut Vec<Topic>,
    topic: Option<RawTopic>,
    signals: Vec<RawSignal>,
    builder: &Builder,
    problems: &mut Problems<'_>,
) {
    let Some(raw) = topic else {
        if let Some(signal) = signals.first() {
            problems.add(
                signal.name.span().start,
                "a signal without a topic",
                Some("add [topic] with a name".to_owned()),
            );
        }
        return;
    };
    let at = raw.name.span().start;
    let name = raw.name.into_inner();
    if !is_name(&name) {
        problems.add(
            at,
            format!("`{name}` is no topic name"),
            Some("small letters, digits and hyphens".to_owned()),
        );
    }
    if topics.iter().any(|other| other.name == name) {
        problems.add(at, format!("topic `{name}` is defined twice"), None);
    }
    let signals: Vec<Signal> = signals
        .into_iter()
        .map(|signal| build_signal(signal, builder, problems))
        .collect();
    if !signals
        .iter()
        .any(|signal| signal.role == crate::source::Role::Core)
    {
        problems.add(
            at,
            format!("topic `{name}` has no core signal"),
            Some("add [[signal]] with role = \"core\"".to_owned()),
        );
    }
    let mut weights = Weights::by_role(&signals);
    if let Some(threshold) = raw.threshold {
        if (0.0..=1.0).contains(threshold.as_ref()) {
            weights.threshold = threshold.into_inner();
        } else {
            problems.add(threshold.span().start, "a threshold lies between 0 and 1", None);
        }
    }
    topics.push(Topic {
        name,
        about: raw.about,
        signals,
        weights,
    });
}

fn build_signal(raw: RawSignal, builder: &Builder, problems: &mut Problems<'_>) -> Signal {
    let mut members = |references: &[toml::Spanned<String>]| {
        let mut set = Vec::new();
        for reference in references {
            let indices = builder.resolve(reference.as_ref());
            if indices.is_empty() {
                let known = builder.references();
                let hint = nearest(reference.as_ref(), known.iter().map(String::as_str));
                problems.add(
                    reference.span().start,
                    format!("no concept or group `{}`", reference.as_ref()),
                    hint,
                );
            }
            for index in indices {
                let index = index as usize;
                if set.len() <= index {
                    set.resize(index + 1, false);
                }
                if let Some(member) = set.get_mut(index) {
                    *member = true;
                }
            }
        }
        set
    };
    let with = match (raw.with.is_empty(), raw.within) {
        (true, _) => None,
        (false, Within::Article) => Some(With::Article(members(&raw.with))),
        (false, Within::Sentence) => {
            let sets = [&raw.with, &raw.and].into_iter().filter(|set| !set.is_empty());
            Some(With::Sentence(sets.map(|set| members(set)).collect()))
        }
    };
    let members = members(&raw.concepts);
    let strength = raw.strength.map_or(1.0, |strength| {
        if !(0.0..=10.0).contains(strength.as_ref()) {
            problems.add(strength.span().start, "a strength lies between 0 and 10", None);
        }
        strength.into_inner()
    });
    if let Some(and) = raw.and.first()
        && !matches!(with, Some(With::Sentence(_)))
    {
        let hint = Some("add `with`, and leave `within` out".to_owned());
        problems.add(
            and.span().start,
            "`and` only goes with sets of one sentence",
            hint,
        );
    }
    Signal {
        name: raw.name.into_inner(),
        role: raw.role,
        strength,
        members,
        with,
        languages: raw.languages,
    }
}

fn add_weights(topics: &mut [Topic], raw: RawWeights, problems: &mut Problems<'_>) {
    let name = raw.topic.as_ref().clone();
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let Some(topic) = topics.iter_mut().find(|topic| topic.name == name) else {
        let hint = nearest(&name, names.iter().map(String::as_str));
        problems.add(
            raw.topic.span().start,
            format!("weights for an unknown topic `{name}`"),
            hint,
        );
        return;
    };
    let slots: BTreeMap<String, usize> = feature_names(topic).into_iter().zip(0..).collect();
    let mut features = vec![0.0; slots.len()];
    for (feature, weight) in &raw.features {
        match slots.get(feature).and_then(|&slot| features.get_mut(slot)) {
            Some(slot) => *slot = *weight.as_ref(),
            None => {
                let hint = Some("train again after changing the signals of a topic".to_owned());
                problems.add(
                    weight.span().start,
                    format!("topic `{name}` has no feature `{feature}`"),
                    hint,
                );
                break;
            }
        }
    }
    topic.weights = Weights {
        bias: raw.bias,
        features,
        slope: raw.slope,
        offset: raw.offset,
        threshold: raw.threshold,
    };
}

/// Returns the names of a topic's features, `signal.feature`, in the order of its weights.
pub(crate) fn feature_names(topic: &Topic) -> Vec<String> {
    let of = |signal: &Signal| FEATURES.map(|feature| format!("{}.{feature}", signal.name));
    topic.signals.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests;
