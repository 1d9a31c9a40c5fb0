//! Turns web pages and plain-text scrapes into articles: text, title, authors, dates, language, fingerprint.
//!
//! Pure and single-threaded: a page in, an article out; the caller spreads pages over cores. Foreign bytes never
//! panic, and time and memory are linear in the input: at most 20 times the page, and 70 MB for its blocks, of which
//! the first 65,536 count (measured: usual pages 2 to 4 times, prose without end 14 times, a page of nothing but tags
//! 65 MB).
//!
//! The engine is our own: one pass over a fast tokenizer into flat arrays (`html`), then a judgement on each block of
//! text (`select`). Rejected: the extractors that exist, all of which build a tree and walk it many times, and none of
//! which is linear on hostile pages.

mod fingerprint;
mod hash;
mod html;
mod kind;
mod meta;
mod scrape;
mod select;
pub mod training;

use telex_model::Kind;
use url::Url;

pub use fingerprint::{NEAR_COPY_BITS, distance, fingerprint};
pub use meta::{Confidence, Date};

/// A web page as it was fetched, in Unicode.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The address that it was fetched from; relative links are resolved with it and its path may give a date.
    pub url: Option<&'a str>,
    /// The markup.
    pub html: &'a str,
}

/// What is left of a page when everything but the story is taken off.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cleaned {
    /// What the page turned out to be.
    pub kind: Kind,
    /// The story's paragraphs, sub-headings, quotes and list items, joined by one newline.
    pub text: String,
    /// The headline.
    pub title: Option<String>,
    /// When the story was published.
    pub published: Option<Date>,
    /// When the story was last changed.
    pub modified: Option<Date>,
    /// Names of the authors, in the page's order.
    pub authors: Vec<String>,
    /// BCP 47 tag of the text's language.
    pub language: Option<String>,
    /// The site's own name.
    pub site_name: Option<String>,
    /// The address that the page gives as its own, absolute.
    pub canonical_url: Option<String>,
    /// The picture that stands for the story, absolute.
    pub lead_image: Option<String>,
    /// See [`fingerprint()`]; `None` where there is no text.
    pub fingerprint: Option<String>,
    /// How likely the text is the whole story and nothing else, 0 to 1.
    pub quality: f64,
}

/// Cleans a web page.
pub fn clean_html(page: &Page<'_>) -> Cleaned {
    let document = html::read(page.html);
    let said = meta::statements(&document.json_ld);
    let url = page.url.and_then(|url| Url::parse(url).ok());
    let title = meta::title(&document, &said);
    let selected = select::article(&document, &said, title.as_deref());
    let site_name = meta::site_name(&document, &said);
    let claimed = said.language.as_deref().or(document.language);
    Cleaned {
        kind: kind::of_page(&document, &said, selected.sure_words),
        published: meta::published(&document, &said, url.as_ref()),
        modified: meta::modified(&document, &said),
        authors: meta::authors(&document, &said, site_name.as_deref()),
        language: telex_language::settle(&selected.text, claimed),
        site_name,
        canonical_url: meta::canonical_url(&document, url.as_ref()),
        lead_image: meta::lead_image(&document, &said, url.as_ref()),
        fingerprint: fingerprint(&selected.text),
        quality: selected.quality,
        text: selected.text,
        title,
    }
}

/// Cleans the plain text that somebody else took off a page, navigation and all.
pub fn clean_text(text: &str) -> Cleaned {
    let story = scrape::story(text);
    Cleaned {
        kind: Kind::Article,
        language: telex_language::settle(&story.text, None),
        fingerprint: fingerprint(&story.text),
        quality: story.quality,
        title: story.title,
        text: story.text,
        ..Cleaned::default()
    }
}

/// Takes the markup off a feed's own summary or content: paragraphs joined by newlines, nothing left out but
/// markup, scripts, styles and controls.
pub fn fragment_text(html: &str) -> String {
    let mut document = html::read(html);
    document.text.truncate(document.text.trim_end().len());
    document.text
}
