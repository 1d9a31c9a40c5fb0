//! Whether an article's page is needed.

use telex_cleaner::fragment_text;
use telex_model::{Body, Item};

/// Whether article pages are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FetchMode {
    /// Always.
    Always,
    /// Unless the feed carries the full text.
    #[default]
    Auto,
    /// Never: the feed's own content is the page.
    Never,
}

/// Content of a feed with at least so many characters of text is taken for the full article. Teasers end below:
/// news agencies' leads have 300 to 500 characters, a short article 1,200 (200 words).
const FULL_TEXT: usize = 1200;

/// Ends of teasers: the dots of a cut, in any of their forms.
const CUTS: [&str; 4] = ["...", "…", "[…]", "[...]"];

/// Links of a teaser to its article, as the last words of the text.
const MORE: [&str; 14] = [
    "read more",
    "continue reading",
    "read on",
    "full story",
    "weiterlesen",
    "mehr lesen",
    "lire la suite",
    "leer más",
    "seguir leyendo",
    "leggi tutto",
    "czytaj więcej",
    "читать далее",
    "читати далі",
    "pokračovat",
];

/// Tells what the text of an item is to be taken from without fetching; none where its page is needed.
pub(crate) fn without_page(item: &Item, mode: FetchMode) -> Option<Body> {
    if let Some(brought) = brought(item) {
        return Some(brought);
    }
    match mode {
        _ if item.url.is_none() => Some(own_text(item)),
        FetchMode::Never => Some(own_text(item)),
        FetchMode::Auto if item.content.as_deref().is_some_and(is_full_text) => Some(Body::Feed),
        FetchMode::Auto | FetchMode::Always => None,
    }
}

/// The page that an item brought with it.
pub(crate) fn brought(item: &Item) -> Option<Body> {
    item.page.as_deref().cloned().map(Body::Page)
}

/// What stands in for a page: the feed's content, else its summary.
pub(crate) fn own_text(item: &Item) -> Body {
    if item.content.as_deref().is_some_and(is_full_text) {
        Body::Feed
    } else {
        Body::Summary
    }
}

/// Tells whether an item has any words of its own beside its title.
pub(crate) fn has_text(item: &Item) -> bool {
    [&item.content, &item.summary]
        .into_iter()
        .flatten()
        .any(|html| !fragment_text(html).trim().is_empty())
}

fn is_full_text(html: &str) -> bool {
    let text = fragment_text(html);
    let end = text
        .trim_end()
        .trim_end_matches(['»', '>', '→', '.', ' '])
        .to_lowercase();
    text.chars().count() >= FULL_TEXT
        && !CUTS.iter().any(|cut| text.trim_end().ends_with(cut))
        && !MORE.iter().any(|more| end.ends_with(more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_texts_and_teasers() {
        let story = "<p>The ferry was late on Monday, and again on Tuesday. ".repeat(30);
        assert!(is_full_text(&story));
        assert!(!is_full_text(&format!("{story} and then…</p>")));
        assert!(!is_full_text(&format!(
            "{story}</p><a href='/a'>Continue reading →</a>"
        )));
        assert!(!is_full_text("<p>The ferry was late.</p>"));
        assert!(!is_full_text(&format!(
            "<p>Short.</p><script>{}</script>",
            "x ".repeat(5000)
        )));
    }
}
