//! `telex classify --explain`: an article with what speaks for its tags, for people.

use std::io::BufRead;

use telex_classifier::{Classifier, Document};
use telex_model::{Evidence, Tag, Where};

use super::rows::ClassifyRow;
use crate::error::CliError;
use crate::output::{self, harmless};

/// Code points shown on either side of a word that speaks for a tag.
const AROUND: usize = 36;

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

fn show(classifier: &Classifier, title: &str, text: &str, language: Option<&str>) -> Result<(), CliError> {
    let found = classifier.classify(&Document {
        title,
        text,
        language,
    });
    let bold = |t: &str| {
        if output::colors() {
            format!("\x1b[1m{t}\x1b[0m")
        } else {
            t.to_owned()
        }
    };
    output::line(&bold(&harmless(title)))?;
    output::line(&format!(
        "  language: {}",
        found.language.as_deref().unwrap_or("unknown")
    ))?;
    if found.tags.is_empty() {
        output::line("  no tag")?;
    }
    for tag in &found.tags {
        output::line(&format!("  {} {:.2}", bold(&tag.topic), tag.score))?;
        for evidence in &tag.evidence {
            output::line(&format!("    {}", place(evidence, title, text)))?;
        }
    }
    let names: Vec<String> = found
        .concepts
        .iter()
        .take(12)
        .map(|c| format!("{} ({})", c.name, c.count))
        .collect();
    if !names.is_empty() {
        output::line(&format!("  names: {}", names.join(", ")))?;
    }
    output::line("")
}

fn place(evidence: &Evidence, title: &str, text: &str) -> String {
    let (name, whole) = match evidence.place {
        Where::Title => ("title", title),
        Where::Text => ("text", text),
    };
    let cut = |from: usize, to: usize| {
        harmless(
            &whole
                .chars()
                .skip(from)
                .take(to.saturating_sub(from))
                .collect::<String>(),
        )
    };
    let before = cut(evidence.start.saturating_sub(AROUND), evidence.start);
    let after = cut(evidence.end, evidence.end + AROUND);
    format!(
        "{:+.2}  {name:5}  …{before}[{}]{after}…  ({})",
        evidence.weight,
        cut(evidence.start, evidence.end),
        evidence.term
    )
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
