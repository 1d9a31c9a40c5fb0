//! Splits text that was meant to be XML into tags and text, whatever state it is in.
//!
//! `quick_xml::Reader` stops at the first thing that is not XML and cannot be told where to go on, so only its lower
//! layer is used: [`ElementParser`] finds the end of a tag, [`Attributes`] reads what is in it. Where to go on after
//! damage is decided here, on the spot, without going back: every byte is looked at a fixed number of times, so
//! the work is linear in the input however broken it is.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};
use quick_xml::{
    events::attributes::{AttrError, Attributes},
    parser::{ElementParser, Parser},
};

/// One piece of markup or text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Token<'a> {
    /// Character data as written: references are not resolved.
    Text(&'a str),
    /// What stood in a CDATA section.
    Cdata(&'a str),
    /// A start tag or an empty-element tag.
    Start(Tag<'a>),
    /// An end tag's name as written, with prefix.
    End(&'a str),
    /// What stood between `<!DOCTYPE` and its end.
    Doctype(&'a str),
}

/// A start tag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tag<'a> {
    /// Name as written, with prefix.
    pub(crate) name: &'a str,
    /// Everything between `<` and `>` or `/>`.
    body: &'a str,
    /// Whether it was written `<name/>`.
    pub(crate) empty: bool,
}

/// Most attributes read of one tag. Real feeds have fewer than twenty (namespaces on the root); the rest is an attack.
const MAX_ATTRIBUTES: usize = 256;

/// Longest name looked at when searching for the end of an item, so that the search stays linear.
const MAX_NAME: usize = 40;

impl<'a> Tag<'a> {
    /// Iterates over names and raw values of the attributes, leaving out what cannot be read.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut attributes = Attributes::html(self.body, self.name.len());
        // The check compares each with each, which is quadratic, and a doubled attribute is no reason to stop.
        attributes.with_checks(false);
        let body = self.body;
        attributes
            .take(MAX_ATTRIBUTES)
            .filter_map(move |attribute| match attribute {
                Ok(attribute) => match attribute.value {
                    Cow::Borrowed(value) => Some((attribute.key.into_inner(), value)),
                    Cow::Owned(_) => None,
                },
                Err(AttrError::ExpectedQuote(..)) => unquoted_end(body),
                Err(_) => None,
            })
    }

    /// Returns whether anything follows the name, so that most tags need no look at attributes.
    pub(crate) fn has_attributes(&self) -> bool {
        self.body.len() > self.name.len()
    }
}

/// What the tokenizer had to put right.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Damage {
    /// The text ended inside a tag, comment or CDATA section.
    pub(crate) truncated: bool,
    /// A tag, comment or section had no end and was ended at the next plausible place.
    pub(crate) unclosed_markup: bool,
    /// A `<` that began nothing was taken as text.
    pub(crate) bare_lt: bool,
}

/// A place to go back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark<'a> {
    at: usize,
    /// Name of the start tag last seen: what an unclosed CDATA section most likely belongs to.
    last_start: &'a str,
    /// Where the next `]]>` is, once searched for; `usize::MAX` where none follows.
    cdata_end: usize,
    /// No `-->` follows, so that it is not searched for at every later `<!--`.
    no_comment_end: bool,
    /// Where the next end tag of an item is, once searched for; `usize::MAX` where none follows.
    item_end: usize,
}

/// Iterator over the [`Token`]s of a text.
#[derive(Debug)]
pub(crate) struct Tokens<'a> {
    text: &'a str,
    place: Mark<'a>,
    /// A second document type is no more than damage.
    doctype_seen: bool,
    pub(crate) damage: Damage,
}

impl<'a> Tokens<'a> {
    /// Starts at the beginning of `text`.
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            place: Mark {
                at: 0,
                last_start: "",
                cdata_end: 0,
                no_comment_end: false,
                item_end: 0,
            },
            doctype_seen: false,
            damage: Damage::default(),
        }
    }

    /// Returns where the next token begins.
    pub(crate) fn mark(&self) -> Mark<'a> {
        self.place
    }

    /// Goes back to where `mark` was taken.
    pub(crate) fn go_back(&mut self, mark: Mark<'a>) {
        self.place = mark;
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.place.at..).unwrap_or_default()
    }

    /// Returns `text[from..to]` and moves on to `next`.
    fn take(&mut self, from: usize, to: usize, next: usize) -> &'a str {
        self.place.at = next;
        self.text.get(from..to).unwrap_or_default()
    }

    fn next_at(&self, from: usize, needle: &str) -> Option<usize> {
        let rest = self.text.as_bytes().get(from..)?;
        memmem::find(rest, needle.as_bytes()).map(|found| from + found)
    }

    fn comment(&mut self) {
        let end = if self.place.no_comment_end {
            None
        } else {
            self.next_at(self.place.at + 4, "-->")
        };
        match end {
            Some(end) => self.place.at = end + 3,
            None => {
                self.place.no_comment_end = true;
                self.skip_unclosed();
            }
        }
    }

    fn instruction(&mut self) {
        // Looked for only before the next tag: `<?xml version="1.0">` and a stray `<?` in text are seen in the wild.
        let body = self.rest().as_bytes().get(2..).unwrap_or_default();
        let body = body
            .get(..memchr(b'<', body).unwrap_or(body.len()))
            .unwrap_or_default();
        match memmem::find(body, b"?>") {
            Some(end) => self.place.at += end + 4,
            None => self.skip_unclosed(),
        }
    }

    /// Skips markup without an end: up to its first `>`, but never over the next `<`.
    fn skip_unclosed(&mut self) {
        self.damage.unclosed_markup = true;
        let rest = self.rest().as_bytes();
        match memchr2(b'<', b'>', rest.get(1..).unwrap_or_default()) {
            Some(end) if rest.get(end + 1) == Some(&b'>') => self.place.at += end + 2,
            Some(end) => self.place.at += end + 1,
            None => self.end_here(),
        }
    }

    fn end_here(&mut self) {
        self.damage.truncated = true;
        self.place.at = self.text.len();
    }

    fn doctype(&mut self) -> Option<Token<'a>> {
        if std::mem::replace(&mut self.doctype_seen, true) {
            self.skip_unclosed();
            return None;
        }
        let start = self.place.at + "<!DOCTYPE".len();
        let rest = self.text.as_bytes().get(start..)?;
        let Some(mut end) = memchr(b'>', rest) else {
            self.skip_unclosed();
            return None;
        };
        let mut next = end + 1;
        if let Some(open) = memchr(b'[', rest).filter(|open| *open < end) {
            // The internal subset holds `>` of its own and ends at `]` `>`.
            let close = memmem::find_iter(rest, b"]").map(|at| at + 1).find(|at| {
                let after = rest.get(*at..).unwrap_or_default();
                after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'>')
            });
            if let Some(close) = close.filter(|close| *close > open) {
                end = close;
                next = close + memchr(b'>', rest.get(close..)?).map_or(0, |at| at + 1);
            }
        }
        Some(Token::Doctype(self.take(start, start + end, start + next)))
    }

    fn cdata(&mut self) -> Token<'a> {
        let start = self.place.at + "<![CDATA[".len();
        if self.place.cdata_end < start {
            self.place.cdata_end = self.next_at(start, "]]>").unwrap_or(usize::MAX);
        }
        let end = self.place.cdata_end;
        if end == usize::MAX || self.runs_away(start, end) {
            return self.unclosed_cdata(start);
        }
        Token::Cdata(self.take(start, end, end + 3))
    }

    /// Returns whether a section that ends at `end` has swallowed the end of its item and what follows that.
    fn runs_away(&mut self, start: usize, end: usize) -> bool {
        if self.place.item_end < start {
            let rest = self.text.get(start..).unwrap_or_default();
            self.place.item_end = item_end(rest).map_or(usize::MAX, |at| start + at);
        }
        self.place.item_end < end && {
            let after = self.text.get(self.place.item_end..end).unwrap_or_default();
            let after = after.split_once('>').map_or("", |(_, after)| after).trim_start();
            let next = after.strip_prefix('<').map(tag_local_name).unwrap_or_default();
            ["item", "entry", "channel", "feed", "rss", "rdf"]
                .iter()
                .any(|name| next.eq_ignore_ascii_case(name))
        }
    }

    /// Ends a section at the end tag of the element it stands in, else at the end of the item, else at the end of all.
    fn unclosed_cdata(&mut self, start: usize) -> Token<'a> {
        self.damage.unclosed_markup = true;
        let rest = self.text.get(start..).unwrap_or_default();
        let end = memmem::find_iter(rest.as_bytes(), b"</").find(|at| {
            let tag = rest.get(at + 2..).unwrap_or_default();
            tag.strip_prefix(self.place.last_start)
                .is_some_and(|after| after.trim_start().starts_with('>'))
                || ends_item(tag)
        });
        self.damage.truncated |= end.is_none();
        let end = start + end.unwrap_or(rest.len());
        Token::Cdata(self.take(start, end, end))
    }

    fn end_tag(&mut self) -> Option<Token<'a>> {
        let start = self.place.at + 2;
        let rest = self.text.as_bytes().get(start..)?;
        let Some(end) = memchr2(b'<', b'>', rest) else {
            self.end_here();
            return None;
        };
        let closed = rest.get(end) == Some(&b'>');
        self.damage.unclosed_markup |= !closed;
        let inside = self.take(start, start + end, start + end + usize::from(closed));
        Some(Token::End(name_of(inside.trim_ascii_start())))
    }

    fn start_tag(&mut self) -> Option<Token<'a>> {
        let start = self.place.at + 1;
        let (end, closed) = self.tag_end(start)?;
        let inside = self.take(start, end, end + usize::from(closed));
        let (body, empty) = match inside.strip_suffix('/') {
            Some(body) => (body, true),
            None => (inside, false),
        };
        let name = name_of(body);
        self.place.last_start = name;
        Some(Token::Start(Tag { name, body, empty }))
    }

    /// Finds the `>` that ends the tag which starts at `start`; where quotes never close or the `>` is missing, the
    /// place before the next tag.
    fn tag_end(&mut self, start: usize) -> Option<(usize, bool)> {
        let bytes = self.text.as_bytes();
        let mut parser = ElementParser::default();
        let mut from = start;
        loop {
            let rest = bytes.get(from..)?;
            let limit = memchr(b'<', rest);
            if let Some(end) = parser.feed(rest.get(..limit.unwrap_or(rest.len()))?) {
                return Some((from + end, true));
            }
            let next = limit.map(|limit| from + limit);
            if let Some(next) = next
                && !begins_markup(bytes, next)
            {
                // A bare `<` in a value.
                from = next + 1;
                continue;
            }
            let inside = bytes.get(start..next.unwrap_or(bytes.len()))?;
            self.damage.unclosed_markup = true;
            return match (memchr(b'>', inside), next) {
                (Some(end), _) => Some((start + end, true)),
                (None, Some(next)) => Some((next, false)),
                (None, None) => {
                    self.end_here();
                    None
                }
            };
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.rest();
            let bytes = rest.as_bytes();
            let second = match bytes {
                [] => return None,
                [b'<', second, ..] => *second,
                [b'<'] => {
                    self.end_here();
                    return None;
                }
                _ => {
                    let end = self.place.at + memchr(b'<', bytes).unwrap_or(bytes.len());
                    return Some(Token::Text(self.take(self.place.at, end, end)));
                }
            };
            let token = match second {
                b'!' if rest.starts_with("<!--") => {
                    self.comment();
                    None
                }
                b'!' if starts_with_ignore_case(bytes, b"<![CDATA[") => Some(self.cdata()),
                b'!' if starts_with_ignore_case(bytes, b"<!DOCTYPE") => self.doctype(),
                b'!' => {
                    self.skip_unclosed();
                    None
                }
                b'?' => {
                    self.instruction();
                    None
                }
                b'/' => self.end_tag(),
                _ if begins_markup(bytes, 0) => self.start_tag(),
                _ => {
                    self.damage.bare_lt = true;
                    Some(Token::Text(self.take(
                        self.place.at,
                        self.place.at + 1,
                        self.place.at + 1,
                    )))
                }
            };
            if token.is_some() {
                return token;
            }
        }
    }
}

/// Returns the attribute at the end of a tag whose value has lost its closing quote.
fn unquoted_end(body: &str) -> Option<(&str, &str)> {
    let (before, value) = body.rsplit_once(['"', '\''])?;
    let name = before.trim_end().strip_suffix('=')?.trim_end();
    let name = name.rsplit(|c: char| c.is_ascii_whitespace()).next()?;
    Some((name, value.trim_end_matches('/')))
}

/// Returns whether the `<` at `at` can begin a tag, comment, section or instruction.
fn begins_markup(bytes: &[u8], at: usize) -> bool {
    bytes.get(at + 1).is_some_and(|next| {
        next.is_ascii_alphabetic() || matches!(next, b'/' | b'!' | b'?' | b'_' | b':') || !next.is_ascii()
    })
}

fn starts_with_ignore_case(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Returns the name at the start of a tag's inside.
fn name_of(inside: &str) -> &str {
    let end = inside
        .bytes()
        .position(|byte| byte.is_ascii_whitespace() || byte == b'/');
    inside.get(..end.unwrap_or(inside.len())).unwrap_or_default()
}

/// Finds the first end tag of an item of any format, with whatever prefix.
fn item_end(text: &str) -> Option<usize> {
    memmem::find_iter(text.as_bytes(), b"</").find(|at| ends_item(text.get(at + 2..).unwrap_or_default()))
}

/// Returns whether what follows a `</` is the name of an item.
fn ends_item(tag: &str) -> bool {
    let name = tag_local_name(tag);
    name.eq_ignore_ascii_case("item") || name.eq_ignore_ascii_case("entry")
}

/// Returns the local name in what follows a `<` or `</`; empty where no name of a sensible length is found.
fn tag_local_name(tag: &str) -> &str {
    let tag = tag.strip_prefix('/').unwrap_or(tag);
    let end = tag
        .bytes()
        .take(MAX_NAME)
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_' | b'.')));
    let name = end.and_then(|end| tag.get(..end)).unwrap_or_default();
    name.rsplit(':').next().unwrap_or_default()
}
