//! What a page says of itself beside the story: title, dates, authors, names and addresses.
//!
//! Structured data is a witness, not a judge: sites copy templates, so each statement is compared with the others
//! and with what the page shows. Rejected: trusting JSON-LD where present (wrong on one page in eight measured).

mod authors;
mod date;
mod json_ld;
mod title;

use url::Url;

pub(crate) use authors::authors;
pub use date::{Confidence, Date};
pub(crate) use date::{modified, published};
pub(crate) use json_ld::{Statements, statements};
pub(crate) use title::{fold, title};

use crate::html::{Document, decode};

/// Tidies a statement for reading: references decoded, also when written twice, white space folded, signs that only
/// tell where a line may break left out.
pub(crate) fn tidy(raw: &str) -> String {
    let once = decode(raw);
    let twice = decode(&once);
    let words: Vec<&str> = twice.split_whitespace().collect();
    let is_unseen = |c: char| matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}');
    words.join(" ").replace(is_unseen, "")
}

/// Finds the site's own name.
pub(crate) fn site_name(document: &Document<'_>, said: &Statements) -> Option<String> {
    let meta = document.meta(&[
        "og:site_name",
        "application-name",
        "al:android:app_name",
        "dc.publisher",
    ]);
    let name = meta.map(tidy).or_else(|| said.publisher.clone());
    name.filter(|name| !name.is_empty() && name.chars().count() <= 100)
}

/// Finds the address that the page gives as its own.
pub(crate) fn canonical_url(document: &Document<'_>, base: Option<&Url>) -> Option<String> {
    let link = document.canonical.filter(|link| !link.trim().is_empty());
    resolve(link.or_else(|| document.meta(&["og:url"]))?, base)
}

/// Finds the picture that stands for the story.
pub(crate) fn lead_image(document: &Document<'_>, said: &Statements, base: Option<&Url>) -> Option<String> {
    let meta = document.meta(&[
        "og:image",
        "og:image:url",
        "og:image:secure_url",
        "twitter:image",
        "twitter:image:src",
    ]);
    meta.and_then(|link| resolve(link, base))
        .or_else(|| resolve(said.image.as_deref()?, base))
}

/// Makes an address absolute; only web addresses are returned.
fn resolve(link: &str, base: Option<&Url>) -> Option<String> {
    let link = decode(link.trim());
    let url = match Url::parse(&link) {
        Ok(url) => url,
        Err(_) => base?.join(&link).ok()?,
    };
    matches!(url.scheme(), "http" | "https").then(|| url.into())
}
