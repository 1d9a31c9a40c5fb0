//! `telex classify --explain`: an article with what speaks for its tags, for people.

use std::io::BufRead;

use telex_classifier::{Classifier, Document};
use telex_model::{Tag, Where};

use super::rows::ClassifyRow;
use crate::error::CliError;
use crate::output::{self, harmless};

/// Reads JSON rows, or else one plain text with its title on the first line.
pub(crate) fn run(classifier: &Classifier, input: &mut dyn BufRead) -> Result<(), CliError> {
    let mut text = String::new();
    input
        .read_to_string(&mut text)
        .map_err(|e| CliError::Unavailable(format!("standard input: {e}")))?;
    if text.trim_start().starts_with('{') {
        for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
            let row: ClassifyRow =
                serde_json::from_str(line).map_err(|e| CliError::Findings(format!("row {}: {e}", i + 1)))?;
            let (title, text) = (row.title.unwrap_or_default(), row.text.unwrap_or_default());
            show(classifier, &title, &text, row.language.as_deref())?;
        }
        return Ok(());
    }
    let (title, text) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
    show(classifier, title, text, None)
}

/// Line by line, for the article's own words may hold anything.
fn show(classifier: &Classifier, title: &str, text: &str, language: Option<&str>) -> Result<(), CliError> {
    let document = Document {
        title,
        text,
        language,
    };
    let explanation = telex_classifier::explain(classifier, &document).to_string();
    explanation
        .lines()
        .try_for_each(|line| output::line(&harmless(line)))?;
    output::line("")
}

/// The words that speak most for a tag, each once, in one line.
pub(crate) fn words(tag: &Tag, title: &str, text: &str) -> String {
    let mut seen: Vec<String> = Vec::new();
    for evidence in &tag.evidence {
        let whole = if evidence.place == Where::Title {
            title
        } else {
            text
        };
        let word: String = whole
            .chars()
            .skip(evidence.start)
            .take(evidence.end.saturating_sub(evidence.start))
            .collect();
        let word = harmless(&word);
        if !seen.iter().any(|s| s.to_lowercase() == word.to_lowercase()) {
            seen.push(word);
        }
    }
    seen.truncate(4);
    seen.join(", ")
}
