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

/// Finds the headline.
///
/// News sites write up to four: for readers (the heading), for search engines (`title`), for sharing (`og:title`) and
/// for machines (`headline`). Measured on marked pages of 85 publishers: the machine's line is the editor's more
/// often than the heading; where heading and `title` are one line made for search, the shared one is, unless the page
/// shares the heading elsewhere. Pages with `news_keywords`, a tag that only news aggregators ever read, are news also
/// where they have nothing for machines.
pub(crate) fn title(document: &Document<'_>, said: &Statements) -> Option<String> {
    let site = document.meta(&["og:site_name"]).map(|name| fold(&tidy(name)));
    let usable =
        |line: &String| !line.is_empty() && Some(fold(line)) != site && line.chars().count() <= MAX_CHARS;
    let page = document.title.map(tidy).filter(usable);
    let shared = document
        .meta(&["og:title", "twitter:title", "dc.title", "parsely-title"])
        .map(tidy)
        .filter(usable);
    let is_news = said.is_news || document.meta(&["news_keywords"]).is_some();
    let tweeted = document.meta(&["twitter:title"]).map(tidy).filter(usable);
    let headline = said.headline.as_deref().map(tidy).filter(usable);
    let mut headings = headings(document);
    headings.retain(usable);
    let confirmed = headings.iter().find(|heading| {
        [&headline, &shared, &page]
            .into_iter()
            .flatten()
            .any(|witness| agree(witness, heading))
    });
    if let (true, Some(heading), Some(shared), Some(page)) = (is_news, confirmed, &shared, &page)
        && !agree(shared, heading)
        && agree(page, heading)
        && !tweeted.is_some_and(|tweeted| agree(&tweeted, heading))
    {
        return Some(without_site(shared));
    }
    let headline = headline.filter(|_| is_news || headings.len() != 1);
    let single = || headings.first().filter(|_| headings.len() == 1);
    headline
        .or_else(|| confirmed.or_else(single).cloned())
        .or_else(|| shared.as_deref().map(without_site))
        .or_else(|| page.as_deref().map(without_site))
        .or_else(|| said.headline.as_deref().map(tidy).filter(usable))
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
    blocks.map(|block| tidy(document.block_text(block))).collect()
}

/// Tells whether two lines are the same but for a site's name.
fn agree(left: &str, right: &str) -> bool {
    let (left, right) = (fold(left), fold(right));
    let (long, short) = if left.len() >= right.len() {
        (left, right)
    } else {
        (right, left)
    };
    short.len() > 4 && long.contains(&short) && short.len() * 2 >= long.len()
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
    fn believes_the_editor_where_heading_and_title_are_written_for_search() {
        let html =
            "<title>Ferry storm: all news | The Bell</title><meta property=og:title content='Ferry found'>
            <h1>Ferry storm: all news</h1>";
        let news = Statements {
            is_news: true,
            ..Statements::default()
        };
        assert_eq!(title(&read(html), &news).as_deref(), Some("Ferry found"));
        assert_eq!(
            title(&read(html), &Statements::default()).as_deref(),
            Some("Ferry storm: all news")
        );
        let for_aggregators = format!("<meta name=news_keywords content='ferry,storm'>{html}");
        assert_eq!(
            title(&read(&for_aggregators), &Statements::default()).as_deref(),
            Some("Ferry found")
        );
    }

    #[test]
    fn takes_the_heading_where_it_is_shared_under_another_name() {
        let html = "<title>Ferry found in the north | The Bell</title><meta property=og:title content='Lost ship is back'>
            <meta name=twitter:title content='Ferry found in the north'><h1>Ferry found in the north</h1>";
        let news = Statements {
            is_news: true,
            ..Statements::default()
        };
        assert_eq!(
            title(&read(html), &news).as_deref(),
            Some("Ferry found in the north")
        );
    }

    #[test]
    fn leaves_out_signs_that_only_guide_the_line_break() {
        let html = "<title>Fer\u{ad}ry found</title><h1>Fer&shy;ry\u{200b} found</h1>";
        assert_eq!(
            title(&read(html), &Statements::default()).as_deref(),
            Some("Ferry found")
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
