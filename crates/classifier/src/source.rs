//! Topic files as they are written, and what can be wrong with them.

use std::collections::BTreeMap;

use serde::Deserialize;
use telex_model::ConceptKind;
use toml::Spanned;

/// One topic file: its name, for messages, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFile {
    /// File name, for messages.
    pub name: String,
    /// TOML.
    pub text: String,
}

/// One thing that is wrong with a topic file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// File name, as given.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in code points, from 1, where it is known.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What would make it right, where that can be told.
    pub hint: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}", self.file, self.line)?;
        if let Some(column) = self.column {
            write!(out, ":{column}")?;
        }
        write!(out, ": {}", self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(out, " ({hint})"))
    }
}

impl std::error::Error for Problem {}

/// Words by language: a language code or `any`, and patterns parted by commas.
pub(crate) type Words = BTreeMap<String, Spanned<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFile {
    pub(crate) topic: Option<RawTopic>,
    #[serde(default)]
    pub(crate) signal: Vec<RawSignal>,
    #[serde(default)]
    pub(crate) concept: Vec<RawConcept>,
    /// Where learned weights come from; for readers only.
    #[serde(default, rename = "provenance")]
    pub(crate) _provenance: serde::de::IgnoredAny,
    #[serde(default)]
    pub(crate) weights: Vec<RawWeights>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTopic {
    pub(crate) name: Spanned<String>,
    #[serde(default)]
    pub(crate) about: String,
    pub(crate) threshold: Option<Spanned<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSignal {
    pub(crate) name: Spanned<String>,
    pub(crate) role: Role,
    pub(crate) concepts: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) with: Vec<Spanned<String>>,
    /// A third set that the sentence must name as well.
    #[serde(default)]
    pub(crate) and: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) within: Within,
    /// Languages that the signal is limited to.
    #[serde(default)]
    pub(crate) languages: Vec<String>,
    /// How many times the default weights of its role it has before anything is learned.
    pub(crate) strength: Option<Spanned<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawConcept {
    pub(crate) id: Spanned<String>,
    pub(crate) kind: ConceptKind,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) groups: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) years: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) word_in: Vec<String>,
    #[serde(default)]
    pub(crate) words: Words,
    #[serde(default)]
    pub(crate) only: Words,
    #[serde(default)]
    pub(crate) except: Words,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWeights {
    pub(crate) topic: Spanned<String>,
    pub(crate) bias: f64,
    pub(crate) slope: f64,
    pub(crate) offset: f64,
    pub(crate) threshold: f64,
    #[serde(default)]
    pub(crate) features: BTreeMap<String, Spanned<f64>>,
}

/// What a signal says about its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Names the topic itself.
    Core,
    /// Speaks for the topic beside its core.
    Support,
    /// Speaks against the topic.
    Counter,
}

/// How near the two sets of a signal must stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Within {
    /// In one sentence.
    #[default]
    Sentence,
    /// Anywhere in the article: the signal is as strong as both sets are.
    Article,
}

/// Gathers problems and knows where in the file each lies.
pub(crate) struct Problems<'a> {
    file: &'a TopicFile,
    found: &'a mut Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(file: &'a TopicFile, found: &'a mut Vec<Problem>) -> Self {
        Self { file, found }
    }

    /// Adds a problem at a byte of the file.
    pub(crate) fn add(&mut self, byte: usize, message: impl Into<String>, hint: Option<String>) {
        let before: Vec<char> = self.file.text.get(..byte).unwrap_or_default().chars().collect();
        let line = before.iter().filter(|&&letter| letter == '\n').count() + 1;
        let column = before.iter().rev().take_while(|&&letter| letter != '\n').count() + 1;
        let file = self.file.name.clone();
        self.found.push(Problem {
            file,
            line,
            column: Some(column),
            message: message.into(),
            hint,
        });
    }

    /// Parses the file; a syntax error is added as a problem and gives `None`.
    pub(crate) fn parse(&mut self) -> Option<RawFile> {
        match toml::from_str(&self.file.text) {
            Ok(raw) => Some(raw),
            Err(error) => {
                let byte = error.span().map_or(0, |span| span.start);
                self.add(byte, error.message().to_owned(), syntax_hint(error.message()));
                None
            }
        }
    }
}

fn syntax_hint(message: &str) -> Option<String> {
    if message.contains("unknown variant") && message.contains("core") {
        return Some("role is core, support or counter".to_owned());
    }
    message
        .contains("missing field")
        .then(|| "the README's example shows every field that a table needs".to_owned())
}

/// Returns the known name that is nearest to a misspelt one, as a hint.
pub(crate) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map(|(_, name)| format!("did you mean {name}?"))
}

/// Levenshtein distance in code points.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, letter) in left.chars().enumerate() {
        let mut diagonal = line;
        let mut previous = line + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(&right) {
            let cost = (*cell + 1)
                .min(previous + 1)
                .min(diagonal + usize::from(letter != *other));
            diagonal = std::mem::replace(cell, cost);
            previous = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
