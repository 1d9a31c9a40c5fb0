//! One article as its author filed it: the text, its tags, and what its page does to a fetcher.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

/// An article with everything that the pipeline must find out about it.
///
/// On disk it is a TOML file whose `body` is plain text with four marks: an empty line ends a paragraph, `## `
/// begins a subhead, `> ` a quotation, `- ` a list item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Article {
    /// The headline.
    pub title: String,
    /// Names of the authors; empty for agency copy.
    pub authors: Vec<String>,
    /// When it was first published.
    pub published: Timestamp,
    /// When it was last changed, if it was.
    #[serde(default)]
    pub modified: Option<Timestamp>,
    /// ISO 639-1 code of the language of title and text.
    pub language: String,
    /// Name of the section it stands in, in the article's own language.
    pub section: String,
    /// The topics that it must be tagged with, sorted; empty for none.
    pub tags: Vec<String>,
    /// What the feeds say about it: one to three sentences that do not stand in the body.
    pub summary: String,
    /// How its page answers.
    #[serde(default)]
    pub page: PageBehaviour,
    /// What makes the article hard, for whoever reads a failing test.
    #[serde(default)]
    pub trap: Option<String>,
    /// The text; empty only where the page never shows it.
    #[serde(default, deserialize_with = "body")]
    pub body: Vec<Block>,
}

/// A part of an article's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "content", rename_all = "lowercase")]
pub enum Block {
    /// Ordinary text.
    Paragraph(String),
    /// A headline within the text.
    Subhead(String),
    /// A quotation set apart.
    Quote(String),
    /// A bulleted list.
    List(Vec<String>),
}

/// How the page of an article answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageBehaviour {
    /// The page is there.
    #[default]
    Plain,
    /// The first request meets a 500, later ones the page.
    Flaky,
    /// The feed's link answers 301 with the page's place.
    Moved,
    /// There is no such page: 404.
    Missing,
    /// Instead of the story the page asks for consent.
    Consent,
    /// The page is there, but robots.txt forbids to fetch it.
    Forbidden,
}

impl PageBehaviour {
    /// Tells whether a fetcher that keeps the rules comes to see the text.
    pub fn shows_text(self) -> bool {
        matches!(self, Self::Plain | Self::Flaky | Self::Moved)
    }
}

impl Article {
    /// Reads an article from TOML.
    ///
    /// # Errors
    /// The text is not TOML, a field is missing, unknown or malformed.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Returns the text as one string per paragraph, subhead, quotation and list item.
    pub fn paragraphs(&self) -> Vec<String> {
        let mut out = Vec::new();
        for block in &self.body {
            match block {
                Block::Paragraph(text) | Block::Subhead(text) | Block::Quote(text) => out.push(text.clone()),
                Block::List(items) => out.extend(items.iter().cloned()),
            }
        }
        out
    }
}

/// Splits marked-up text into blocks; lines of one block are joined by a space.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut out = Vec::new();
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim).chain([""]) {
        if !line.is_empty() {
            lines.push(line);
        } else if let Some(first) = lines.first() {
            out.push(block(first, &lines));
            lines.clear();
        }
    }
    out
}

fn block(first: &str, lines: &[&str]) -> Block {
    let joined = |mark: &str| {
        let bare: Vec<&str> = lines
            .iter()
            .map(|line| line.strip_prefix(mark).unwrap_or(line))
            .collect();
        bare.join(" ")
    };
    if first.starts_with("## ") {
        Block::Subhead(joined("## "))
    } else if first.starts_with("> ") {
        Block::Quote(joined("> "))
    } else if first.starts_with("- ") {
        Block::List(
            lines
                .iter()
                .map(|line| line.strip_prefix("- ").unwrap_or(line).to_owned())
                .collect(),
        )
    } else {
        Block::Paragraph(lines.join(" "))
    }
}

fn body<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Block>, D::Error> {
    String::deserialize(deserializer).map(|text| blocks(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_make_blocks() {
        let found = blocks("One\ntwo.\n\n## Head\n\n> Said\n> she.\n\n- a\n- b\n");
        assert_eq!(
            found,
            [
                Block::Paragraph("One two.".into()),
                Block::Subhead("Head".into()),
                Block::Quote("Said she.".into()),
                Block::List(vec!["a".into(), "b".into()]),
            ]
        );
    }

    #[test]
    fn unknown_field_is_an_error() {
        assert!(Article::parse("title = 'x'\nheadline = 'y'").is_err());
    }
}
