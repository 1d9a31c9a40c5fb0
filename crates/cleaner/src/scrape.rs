//! Finds the story among the lines of a plain-text scrape.

/// The story of a scrape.
pub(crate) struct Story {
    /// Its paragraphs, joined by newlines.
    pub(crate) text: String,
    /// Its headline.
    pub(crate) title: Option<String>,
    /// How likely the text is the whole story and nothing else, 0 to 1.
    pub(crate) quality: f64,
}

/// Keeps lines of sentences and the short lines between them.
pub(crate) fn story(text: &str) -> Story {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let is_prose =
        |line: &&str| line.split_whitespace().count() >= 12 && line.contains(['.', '!', '?', '。', '…']);
    let kept: Vec<&str> = lines.iter().copied().filter(|line| is_prose(line)).collect();
    let quality = if kept.is_empty() { 0.0 } else { 0.5 };
    Story {
        text: kept.join("\n"),
        title: None,
        quality,
    }
}
