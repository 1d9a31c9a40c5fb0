//! Reads sitemaps without news in them: lists of pages, and lists of such lists (sitemaps.org, protocol 0.9).
//!
//! Apart from the parser of feeds, for a page of a sitemap has nothing but its address and perhaps a date: read as
//! entries of a feed, the 50,000 that a sitemap may list would take ten times the memory of the file.

use url::Url;

use crate::reference::References;
use crate::token::{Token, Tokens};
use crate::{Date, Error, Input, MAX_BYTES, decode, link, names, parse_date, sniff};

/// Most addresses taken from one sitemap: what the protocol allows.
pub const MAX_SITEMAP_ENTRIES: usize = 50_000;

/// Longest text of an address or date looked at, in bytes: above what links and dates may be.
const MAX_TEXT: usize = 16 * 1024;

/// A sitemap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sitemap {
    /// `<urlset>`: pages, in the order of the document.
    Pages(Vec<Page>),
    /// `<sitemapindex>`: further sitemaps, in the order of the document.
    Index(Vec<Page>),
}

/// An address that a sitemap lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// `loc`, absolute where a base is known.
    pub url: String,
    /// `lastmod`: when it was last changed.
    pub changed: Option<Date>,
}

/// Reads a sitemap, whole or damaged: an address whose end is missing is left out, the others are taken.
///
/// # Errors
/// Says what the bytes are where they are no sitemap. A sitemap with news in it is one here too; [`crate::parse`] takes
/// its news.
pub fn sitemap(input: &Input<'_>) -> Result<Sitemap, Error> {
    if input.bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge);
    }
    if sniff::is_binary(input.bytes) {
        return Err(Error::Binary);
    }
    let decoded = decode::decode(input.bytes, input.content_type);
    if decoded.text.trim_start().is_empty() {
        return Err(Error::Empty);
    }
    let mut reader = Reader {
        base: input.url.and_then(|url| link::base(None, url)),
        ..Reader::default()
    };
    for token in Tokens::new(&decoded.text) {
        reader.token(token);
        if reader.pages.len() >= MAX_SITEMAP_ENTRIES {
            break;
        }
    }
    reader.finish_page();
    match reader.root {
        Some(Root::Pages) => Ok(Sitemap::Pages(reader.pages)),
        Some(Root::Index) => Ok(Sitemap::Index(reader.pages)),
        None => Err(sniff::what(&decoded.text, reader.first.as_deref())),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Pages,
    Index,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Address,
    Changed,
}

#[derive(Default)]
struct Reader<'a> {
    base: Option<Url>,
    references: References<'a>,
    /// Local name of the first element.
    first: Option<String>,
    root: Option<Root>,
    /// Prefix of the root: `loc` of other vocabularies is that of an image or a video.
    prefix: &'a str,
    field: Option<Field>,
    text: String,
    url: Option<String>,
    changed: Option<Date>,
    pages: Vec<Page>,
}

impl<'a> Reader<'a> {
    fn token(&mut self, token: Token<'a>) {
        match token {
            Token::Doctype(doctype) => self.references.declare(doctype),
            Token::Start(tag) => self.start(tag.name, tag.empty),
            Token::End(name) => self.end(name),
            Token::Text(raw) if self.field.is_some() && self.text.len() + raw.len() <= MAX_TEXT => {
                self.references.resolve_into(raw, &mut self.text);
            }
            Token::Cdata(text) if self.field.is_some() && self.text.len() + text.len() <= MAX_TEXT => {
                self.text.push_str(text);
            }
            Token::Text(_) | Token::Cdata(_) => {}
        }
    }

    fn start(&mut self, name: &'a str, empty: bool) {
        let (prefix, local) = names::split(name);
        let local = names::lower(local);
        if self.first.is_none() {
            self.first = Some(local.chars().take(64).collect());
        }
        if self.root.is_none() {
            self.root = match local.as_ref() {
                "urlset" => Some(Root::Pages),
                "sitemapindex" => Some(Root::Index),
                _ => None,
            };
            self.prefix = prefix;
            return;
        }
        if prefix != self.prefix {
            return;
        }
        self.text.clear();
        self.field = None;
        match local.as_ref() {
            "url" | "sitemap" => self.finish_page(),
            "loc" if !empty => self.field = Some(Field::Address),
            "lastmod" if !empty => self.field = Some(Field::Changed),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        let (prefix, local) = names::split(name);
        if prefix != self.prefix {
            return;
        }
        let text = std::mem::take(&mut self.text);
        match self.field.take() {
            Some(Field::Address) => {
                let url = link::absolute(self.base.as_ref(), &text);
                self.url = url.filter(|url| link::is_web_address(url));
            }
            Some(Field::Changed) => self.changed = parse_date(&text),
            None if matches!(names::lower(local).as_ref(), "url" | "sitemap") => self.finish_page(),
            None => {}
        }
    }

    fn finish_page(&mut self) {
        let changed = self.changed.take();
        if let Some(url) = self.url.take() {
            self.pages.push(Page { url, changed });
        }
    }
}
