//! Finds the story among the lines of a plain-text scrape.
//!
//! The same idea as for pages: each line is described by numbers, among them what stands around it, and a forest that
//! learned on the lines of pages without their markup decides.

use std::collections::HashMap;

use crate::html::{Document, read_lines};
use crate::meta::Statements;
use crate::select;

/// Words of a line that can be a headline.
const HEADLINE_WORDS: std::ops::RangeInclusive<usize> = 4..=25;
/// Lines at the top among which the headline is looked for where no line stands twice.
const TOP_LINES: usize = 4;

/// The story of a scrape.
pub(crate) struct Story {
    /// Its paragraphs, joined by newlines.
    pub(crate) text: String,
    /// Its headline.
    pub(crate) title: Option<String>,
    /// How likely the text is the whole story and nothing else, 0 to 1.
    pub(crate) quality: f64,
}

/// Chooses the lines of the story.
pub(crate) fn story(text: &str) -> Story {
    let document = read_lines(text);
    let title = title(&document);
    let selected = select::lines(&document, &Statements::default(), title.as_deref());
    Story {
        text: selected.text,
        title,
        quality: selected.quality,
    }
}

/// Finds the headline: scrapes have it twice, as the page's title and as its heading.
pub(crate) fn title(document: &Document<'_>) -> Option<String> {
    let mut seen: HashMap<&str, u32> = HashMap::new();
    let can_be = |line: &str| {
        HEADLINE_WORDS.contains(&line.split_whitespace().count()) && !line.ends_with(['.', ':', ','])
    };
    let headlines = || {
        document
            .blocks
            .iter()
            .map(|block| document.block_text(block))
            .filter(|line| can_be(line))
    };
    for line in headlines() {
        *seen.entry(line).or_default() += 1;
    }
    let is_prose = |line: &str| line.split_whitespace().count() > 30;
    let first_prose = document
        .blocks
        .iter()
        .position(|block| is_prose(document.block_text(block)));
    let head = document
        .blocks
        .iter()
        .take(first_prose.unwrap_or(document.blocks.len()));
    let before = head
        .map(|block| document.block_text(block))
        .filter(|line| can_be(line));
    let twice = before
        .clone()
        .find(|line| seen.get(line).is_some_and(|count| (2..=4).contains(count)));
    let top = document
        .blocks
        .iter()
        .take(TOP_LINES)
        .filter(|block| block.node == 1);
    let first = || {
        top.map(|block| document.block_text(block))
            .find(|line| can_be(line))
    };
    twice.or_else(first).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use crate::clean_text;

    #[test]
    fn keeps_the_story_of_a_scrape() {
        let text = "Ferry found on the northern shore\n* Home\n* News\n* Weather\n* Contact us\nPosted at 10:15\n\
            Ferry found on the northern shore\nShare on Facebook\nPrint Friendly\n\
            The ferry that was lost in the storm of last week has been found on the northern shore, the coast guard said on Monday. \
            Nobody was on board when it broke loose, and nobody was hurt.\n\
            \"We did not expect to see her again,\" said the harbour master, who had looked for her for three days. \
            He said that the hull was whole and that she would sail again in spring.\n\
            The owner thanked the people of the village, who had tied her to a tree until the tug arrived.\n\
            Recent News\n* Bridge closed for repairs\n* Market day moved to Friday\nDownload our app\nCopyright 2026";
        let cleaned = clean_text(text);
        assert_eq!(
            cleaned.title.as_deref(),
            Some("Ferry found on the northern shore")
        );
        let lines: Vec<&str> = cleaned.text.lines().collect();
        assert_eq!(lines.len(), 3, "{}", cleaned.text);
        assert!(cleaned.text.starts_with("The ferry that") && cleaned.text.ends_with("the tug arrived."));
    }
}
