//! Walks the tokens of an XML feed and takes what they say, whichever of them are missing.
//!
//! The walker keeps a short stack of open elements, but believes it no more than it must: an item that begins ends the
//! one before, a field that begins ends the field before, an end tag closes whatever was left open inside it.

mod capture;
mod document;
mod scope;

use crate::{
    Error, Feed, Format,
    builder::{EntryBuilder, MAX_FIELD, cut},
    date, link,
    names::{self, Meaning, Vocabulary},
    reference::References,
    sniff,
    token::{Mark, Tag, Token, Tokens},
};

use capture::Capture;
use document::Document;
use scope::{Scope, Scopes};

/// Reads an XML feed from decoded text.
pub(crate) fn parse(text: &str, url: Option<&str>) -> Result<Feed, Error> {
    let mut walker = Walker::new(text, url);
    while let Some(token) = walker.tokens.next() {
        walker.token(token);
        if walker.document.is_full() {
            break;
        }
    }
    walker.finish(text)
}

/// Elements nested deeper than this are passed over. The deepest real feeds (XHTML content) stay below 40.
const MAX_DEPTH: usize = 128;

/// An open element outside of any captured field.
#[derive(Debug)]
struct Frame<'a> {
    /// Name as written.
    name: &'a str,
    kind: Kind,
    /// Where its content begins.
    content: Mark<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Root,
    Group,
    Entry,
    /// Children are not looked at.
    Skip,
}

#[derive(Debug)]
struct Walker<'a> {
    tokens: Tokens<'a>,
    references: References<'a>,
    scopes: Scopes<'a>,
    stack: Vec<Frame<'a>>,
    /// Elements open beyond [`MAX_DEPTH`].
    beyond: usize,
    capture: Option<Capture<'a>>,
    entry: Option<EntryBuilder>,
    /// Name of the last entry element as written: it ends any field that was left open.
    entry_name: &'a str,
    /// Something to be skipped in this entry was never closed and had swallowed the rest of it: nothing is skipped.
    reread: bool,
    document: Document,
}

impl<'a> Walker<'a> {
    fn new(text: &'a str, url: Option<&str>) -> Self {
        Self {
            tokens: Tokens::new(text),
            references: References::default(),
            scopes: Scopes::new(url.and_then(|url| link::base(None, url))),
            stack: Vec::new(),
            beyond: 0,
            capture: None,
            entry: None,
            entry_name: "",
            reread: false,
            document: Document::default(),
        }
    }

    fn token(&mut self, token: Token<'a>) {
        match token {
            Token::Text(raw) => match &mut self.capture {
                Some(capture) => capture.text(raw, &mut self.references),
                None => {
                    let junk = self.document.format.is_none() && !raw.trim_matches(is_blank).is_empty();
                    self.document.leading_junk |= junk;
                }
            },
            Token::Cdata(text) => {
                if let Some(capture) = &mut self.capture {
                    capture.cdata(text);
                }
            }
            Token::Start(tag) => self.start(tag),
            Token::End(name) => self.end(name),
            Token::Doctype(doctype) => self.references.declare(doctype),
        }
    }

    fn depth(&self) -> usize {
        self.stack.len() + self.capture.as_ref().map_or(0, Capture::depth)
    }

    fn start(&mut self, tag: Tag<'a>) {
        let inside = self.capture.is_some();
        if tag.has_attributes() {
            let depth = self.depth() + 1;
            self.scopes.enter(depth, tag, inside, &mut self.references);
        }
        let (prefix, local) = names::split(tag.name);
        let local = names::lower(local);
        let vocabulary = self.scopes.vocabulary(prefix);
        let mut meaning = names::meaning(vocabulary, &local);
        meaning = self.document.in_format(meaning, &local);
        let entry = meaning == Meaning::Entry || !self.entry_name.is_empty() && tag.name == self.entry_name;
        if let Some(capture) = &mut self.capture {
            if !(entry || capture.is_ended_by(meaning, vocabulary, &local)) {
                capture.start(tag, &local, vocabulary, &mut self.references);
                if tag.empty {
                    let depth = self.depth();
                    self.scopes.leave(depth);
                }
                return;
            }
            self.document.mismatched = true;
            self.end_capture();
            // Declarations of the field that has just ended do not reach this element.
            return self.start(tag);
        }
        if self.document.format.is_none() && !self.root(tag, &local, vocabulary) {
            return;
        }
        let meaning = if entry { Meaning::Entry } else { meaning };
        self.element(tag, &local, meaning, vocabulary);
        if tag.empty {
            let depth = self.depth();
            self.scopes.leave(depth);
        }
    }

    /// Looks for the root element; returns whether this element should be walked like any other.
    fn root(&mut self, tag: Tag<'a>, local: &str, vocabulary: Vocabulary) -> bool {
        let found = self.document.root(tag, local, vocabulary);
        if found && matches!(local, "rss" | "feed" | "rdf" | "channel" | "urlset" | "redirect") {
            self.scopes.adopt(names::split(tag.name).0);
            for (name, value) in tag.attributes() {
                let value = self.references.resolve(value);
                self.document.root_attribute(name, &value, self.scopes.base());
            }
            if !tag.empty {
                self.push(tag.name, Kind::Root);
            }
            return false;
        }
        if !found && !tag.empty && self.document.first_element.is_some() {
            // Not pushed: what stands before the root is junk.
            let depth = self.depth();
            self.scopes.leave(depth);
        }
        found
    }

    fn push(&mut self, name: &'a str, kind: Kind) {
        if self.stack.len() < MAX_DEPTH {
            self.stack.push(Frame {
                name,
                kind,
                content: self.tokens.mark(),
            });
        } else {
            self.beyond += 1;
            self.document.too_deep = true;
        }
    }

    /// Handles an element that stands in no field.
    fn element(&mut self, tag: Tag<'a>, local: &str, meaning: Meaning, vocabulary: Vocabulary) {
        if meaning == Meaning::Entry {
            return self.start_entry(tag);
        }
        if self.beyond > 0 || self.stack.iter().any(|frame| frame.kind == Kind::Skip) {
            if !tag.empty {
                self.push(tag.name, Kind::Skip);
            }
            return;
        }
        if let Some(entry) = &mut self.entry {
            entry.news |= vocabulary == Vocabulary::NewsSitemap;
        }
        let scope = Scope::of(tag, &mut self.references);
        match meaning {
            Meaning::Group | Meaning::Skip => {
                let skip = meaning == Meaning::Skip && !self.reread;
                if !tag.empty {
                    self.push(tag.name, if skip { Kind::Skip } else { Kind::Group });
                }
            }
            Meaning::Link if scope.href.is_some() => {
                self.offer_link(&scope);
                if !tag.empty {
                    self.push(tag.name, Kind::Group);
                }
            }
            Meaning::Category if scope.term.is_some() && tag.empty => {
                self.offer_category(scope.term.as_deref())
            }
            _ if tag.empty => {}
            _ => {
                let draft = self.document.format == Some(Format::AtomDraft);
                self.capture = Some(Capture::new(tag.name, local, meaning, vocabulary, scope, draft));
            }
        }
    }

    fn start_entry(&mut self, tag: Tag<'a>) {
        self.beyond = 0;
        if self
            .stack
            .iter()
            .position(|frame| frame.kind == Kind::Entry)
            .is_some_and(|open| self.read_again(open))
        {
            return;
        }
        self.entry_name = tag.name;
        let unclosed = self
            .stack
            .iter()
            .position(|frame| matches!(frame.kind, Kind::Entry | Kind::Skip));
        if let Some(open) = unclosed {
            self.document.mismatched = true;
            self.pop_to(open);
            // That dropped this element's own declarations.
            let depth = self.depth() + 1;
            self.scopes.enter(depth, tag, false, &mut self.references);
        }
        let mut entry = EntryBuilder::default();
        for (name, value) in tag.attributes() {
            let value = self.references.resolve(value);
            match names::lower(name).as_ref() {
                "rdf:about" | "about" => entry.id.offer(1, cut(value.trim(), MAX_FIELD).to_owned()),
                "href" => {
                    if let Some(link) = link::absolute(self.scopes.base(), &value) {
                        entry.link.offer(0, link);
                    }
                }
                "lastmod" => {
                    if let Some(at) = date::parse_date(&value) {
                        entry.updated.replace(2, at);
                    }
                }
                "xml:lang" if !value.trim().is_empty() => {
                    entry.language.offer(1, cut(value.trim(), 64).to_owned())
                }
                _ => {}
            }
        }
        self.entry = Some(entry);
        self.reread = false;
        if tag.empty {
            self.finish_entry(false);
        } else {
            self.push(tag.name, Kind::Entry);
        }
    }

    fn finish_entry(&mut self, truncated: bool) {
        let Some(mut entry) = self.entry.take() else {
            return;
        };
        entry.truncated = truncated;
        self.document.entry(entry);
    }

    fn end(&mut self, name: &'a str) {
        if let Some(capture) = &mut self.capture {
            if capture.end(name) {
                let depth = self.depth();
                self.scopes.leave(depth);
                return;
            }
            let own = same(capture.name, name);
            let outer = self.stack.iter().any(|frame| same(frame.name, name));
            if !own && !outer {
                self.document.mismatched = true;
                return;
            }
            self.document.mismatched |= !own || capture.depth() > 1;
            self.end_capture();
            if own {
                return;
            }
        }
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        match self.stack.iter().rposition(|frame| same(frame.name, name)) {
            Some(open) if self.read_again(open) => {}
            Some(open) => {
                self.document.mismatched |= open + 1 != self.stack.len();
                self.pop_to(open);
            }
            None => self.document.mismatched |= self.document.format.is_some(),
        }
    }

    /// Goes back into an entry that is about to end with the element at `open`, where something unclosed has swallowed
    /// its end; once in each entry, so that the work stays linear.
    fn read_again(&mut self, open: usize) -> bool {
        let Some(entry) = self.stack.iter().position(|frame| frame.kind == Kind::Entry) else {
            return false;
        };
        let skipped = self.stack.iter().position(|frame| frame.kind == Kind::Skip);
        let Some(skipped) = skipped.filter(|skipped| open <= entry && entry < *skipped && !self.reread)
        else {
            return false;
        };
        let content = self.stack.get(skipped).map(|frame| frame.content);
        self.stack.truncate(skipped);
        self.scopes.leave(skipped);
        self.document.mismatched = true;
        self.reread = true;
        content.map(|content| self.tokens.go_back(content)).is_some()
    }

    /// Closes the element at `open` and all within it.
    fn pop_to(&mut self, open: usize) {
        let ends_entry = self
            .stack
            .iter()
            .skip(open)
            .any(|frame| frame.kind == Kind::Entry);
        let ends_root = self.stack.get(open).is_some_and(|frame| frame.kind == Kind::Root);
        self.stack.truncate(open);
        self.scopes.leave(open);
        if ends_entry {
            self.finish_entry(false);
        }
        self.document.root_ended |= ends_root;
    }

    fn end_capture(&mut self) {
        let Some(capture) = self.capture.take() else {
            return;
        };
        let depth = self.depth();
        let base = self.scopes.base().cloned();
        self.take_field(capture, base.as_ref());
        self.scopes.leave(depth);
    }

    /// Ends the walk: says what the document is where it is no feed.
    fn finish(mut self, text: &str) -> Result<Feed, Error> {
        let unfinished = self.capture.is_some() || self.entry.is_some();
        if let Some(mut capture) = self.capture.take() {
            let base = self.scopes.base().cloned();
            if capture.survives_a_cut() {
                capture.close();
                self.take_field(capture, base.as_ref());
            }
        }
        self.finish_entry(true);
        self.document
            .note(&self.tokens.damage, &self.references, &self.scopes, unfinished);
        let root = self.document.first_element.take();
        self.document
            .build()
            .ok_or_else(|| sniff::what(text, root.as_deref()))
    }
}

/// Returns whether two names are the same; case is the most common difference in hand-made feeds.
fn same(open: &str, close: &str) -> bool {
    open.eq_ignore_ascii_case(close)
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{FEFF}' || c == '\0'
}
