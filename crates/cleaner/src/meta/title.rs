//! Finds the headline.

use super::{Statements, tidy};
use crate::html::{Document, Tag};

/// Signs with which sites put their name behind (or before) the headline.
const SEPARATORS: [&str; 9] = [" | ", " - ", " – ", " — ", " · ", " • ", " :: ", " » ", " « "];

/// Headlines longer than this are no headlines.
const MAX_CHARS: usize = 400;

/// Folds a text to lower-case words, for comparing.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.chars().flat_map(char::to_lowercase));
    }
    folded
}

/// Finds the headline: the largest heading that a statement of the head confirms, else the best statement.
pub(crate) fn title(document: &Document<'_>, said: &Statements) -> Option<String> {
    let page = document.title.map(tidy).filter(|title| !title.is_empty());
    let shared = document
        .meta(&["og:title", "twitter:title", "dc.title", "parsely-title"])
        .map(tidy);
    let headline = said.headline.as_deref().map(tidy);
    let headings = headings(document);
    let witnesses: Vec<String> = [&headline, &shared, &page]
        .into_iter()
        .flatten()
        .map(|text| fold(text))
        .collect();
    let confirmed = headings.iter().find(|heading| {
        let folded = fold(heading);
        folded.len() > 4 && witnesses.iter().any(|witness| agree(witness, &folded))
    });
    let stated = headline
        .or_else(|| shared.as_deref().map(without_site))
        .or_else(|| page.as_deref().map(without_site));
    let single = || (headings.len() == 1).then(|| headings.first().cloned()).flatten();
    let chosen = confirmed.cloned().or(stated).or_else(single);
    chosen.filter(|title| !title.is_empty() && title.chars().count() <= MAX_CHARS)
}

/// The texts of the page's largest headings, in order.
fn headings(document: &Document<'_>) -> Vec<String> {
    let inside = |block: &&crate::html::Block| {
        document
            .path(block.node)
            .take(4)
            .any(|(_, node)| node.tag == Tag::H1)
    };
    let blocks = document.blocks.iter().filter(inside).take(20);
    blocks
        .map(|block| document.block_text(block).replace('\n', " "))
        .collect()
}

/// Tells whether a folded statement and a folded heading are the same line, give or take a site's name.
fn agree(witness: &str, heading: &str) -> bool {
    let (long, short) = if witness.len() >= heading.len() {
        (witness, heading)
    } else {
        (heading, witness)
    };
    !short.is_empty() && long.contains(short) && short.len() * 2 >= long.len()
}

/// Cuts the site's name off a page title: the shorter part at the end, or at the beginning.
fn without_site(title: &str) -> String {
    let last = SEPARATORS
        .iter()
        .filter_map(|sign| title.rfind(sign).map(|at| (at, sign.len())))
        .max();
    let Some((at, length)) = last else {
        return title.to_owned();
    };
    let before = title.get(..at).unwrap_or_default().trim();
    let after = title.get(at + length..).unwrap_or_default().trim();
    let words = |text: &str| text.split_whitespace().count();
    let kept = if words(before) >= words(after) {
        before
    } else {
        after
    };
    if words(kept) >= 2 {
        kept.to_owned()
    } else {
        title.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Statements, title, without_site};
    use crate::html::read;

    #[test]
    fn takes_the_heading_that_the_head_confirms() {
        let html = "<title>Ferry found after storm | The Bell</title><h1>The Bell</h1><h1>Ferry found <em>after</em> storm</h1>";
        assert_eq!(
            title(&read(html), &Statements::default()).as_deref(),
            Some("Ferry found after storm")
        );
    }

    #[test]
    fn cuts_the_site_off_a_title() {
        assert_eq!(
            without_site("Ferry found - after storm | The Bell"),
            "Ferry found - after storm"
        );
        assert_eq!(without_site("Bell | Ferry found"), "Ferry found");
        assert_eq!(without_site("Ferry - Bell"), "Ferry - Bell");
    }
}
