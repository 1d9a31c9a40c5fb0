//! The text of one field, with whatever markup stands in it.

use base64::{Engine, prelude::BASE64_STANDARD};
use memchr::memchr3;

use crate::{
    builder::{MAX_FIELD, person},
    names::{Meaning, Vocabulary, split},
    reference::References,
    token::Tag,
};

use super::{MAX_DEPTH, scope::Scope};

/// A field whose end has not come yet.
#[derive(Debug)]
pub(super) struct Capture<'a> {
    /// Name of the element as written.
    pub(super) name: &'a str,
    /// Its local name in lower case, at most 16 bytes of it: tells a `description` from a `summary`.
    pub(super) local: String,
    pub(super) meaning: Meaning,
    pub(super) scope: Scope,
    text: String,
    /// Elements open within the field.
    open: Vec<&'a str>,
    /// Elements open within the field beyond [`MAX_DEPTH`].
    beyond: usize,
    form: Form,
    /// Whether the field holds HTML, so that elements within it are kept.
    html: bool,
    /// Where a `<div>` around everything was opened and closed, as offsets into the text.
    wrapper: Wrapper,
    person: Person,
    /// Text was dropped because the field is too long.
    pub(super) cut: bool,
}

/// How the text of a field is written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    /// Text, or HTML that is escaped once for XML.
    Escaped,
    /// Elements of the document itself; text in it is written as HTML again.
    Xml,
    /// Bytes in base64.
    Base64,
}

#[derive(Debug, Default)]
struct Wrapper {
    wanted: bool,
    opened: Option<usize>,
    closed: Option<(usize, usize)>,
}

/// The parts of an author that is written as elements.
#[derive(Debug, Default)]
struct Person {
    name: Option<String>,
    mail: Option<String>,
    address: Option<String>,
}

impl<'a> Capture<'a> {
    /// Starts the field of `tag`, in Atom before 1.0 with that draft's rules.
    pub(super) fn new(
        name: &'a str,
        local: &str,
        meaning: Meaning,
        vocabulary: Vocabulary,
        scope: Scope,
        draft: bool,
    ) -> Self {
        let form = Form::of(&scope, vocabulary, draft);
        let html = matches!(
            meaning,
            Meaning::Title(_) | Meaning::Summary(_) | Meaning::Content(_)
        );
        Self {
            name,
            local: local.chars().take(16).collect(),
            meaning,
            scope,
            text: String::new(),
            open: Vec::new(),
            beyond: 0,
            form,
            html,
            wrapper: Wrapper {
                wanted: !draft && vocabulary == Vocabulary::Atom,
                ..Wrapper::default()
            },
            person: Person::default(),
            cut: false,
        }
    }

    /// Returns how many elements are open, the field's own included.
    pub(super) fn depth(&self) -> usize {
        1 + self.open.len()
    }

    /// Returns whether a field that begins now means that this one was left open.
    pub(super) fn is_ended_by(&self, meaning: Meaning, vocabulary: Vocabulary, local: &str) -> bool {
        if matches!(self.meaning, Meaning::Author(_) | Meaning::Contributor) {
            // `name`, `email` and `uri` mean nothing outside a person; a title does.
            return !matches!(
                meaning,
                Meaning::Group | Meaning::Skip | Meaning::Link | Meaning::Author(_)
            );
        }
        let foreign = !matches!(vocabulary, Vocabulary::Core | Vocabulary::Atom);
        if vocabulary == Vocabulary::Xhtml || self.form == Form::Xml && foreign {
            // Markup within markup: a drawing, too, has a `dc:title`.
            return false;
        }
        match meaning {
            Meaning::Group | Meaning::LinkText(_) | Meaning::Content(1) => false,
            Meaning::Skip => vocabulary == Vocabulary::Core && matches!(local, "comments" | "source"),
            // Elements of HTML with the same names as those of feeds.
            Meaning::Link => local != "a",
            Meaning::Summary(_) => local != "summary" || !self.html,
            _ => true,
        }
    }

    /// Adds character data as written.
    pub(super) fn text(&mut self, raw: &str, references: &mut References<'a>) {
        if self.full() {
            return;
        }
        match self.form {
            Form::Escaped | Form::Base64 => references.resolve_into(raw, &mut self.text),
            Form::Xml => {
                let resolved = references.resolve(raw);
                escape(&resolved, &mut self.text);
            }
        }
    }

    /// Adds the text of a CDATA section.
    pub(super) fn cdata(&mut self, text: &str) {
        if self.full() {
            return;
        }
        match self.form {
            Form::Escaped | Form::Base64 => self.text.push_str(text),
            Form::Xml => escape(text, &mut self.text),
        }
    }

    /// Returns whether the field is as long as it may be; the text itself is cut at the end.
    fn full(&mut self) -> bool {
        // Markup in a short field is dropped, so only its own text counts.
        self.cut |= !self.html && self.text.len() > MAX_FIELD;
        self.cut
    }

    /// Takes an element within the field.
    pub(super) fn start(
        &mut self,
        tag: Tag<'a>,
        local: &str,
        vocabulary: Vocabulary,
        references: &mut References<'a>,
    ) {
        let empty = tag.empty || self.html && is_void(local);
        if self.beyond > 0 || self.open.len() >= MAX_DEPTH {
            self.beyond += usize::from(!empty);
            return;
        }
        if !empty {
            self.open.push(tag.name);
        }
        if !self.html {
            if matches!(self.meaning, Meaning::Author(_) | Meaning::Contributor) {
                // The text between the parts of a person is indentation.
                self.text.clear();
            }
            return;
        }
        let name = if vocabulary == Vocabulary::Xhtml {
            split(tag.name).1
        } else {
            tag.name
        };
        let first = self.open.len() == 1 && self.text.trim().is_empty();
        self.write_tag(tag, name, empty, references);
        if first && local == "div" && !empty {
            self.wrapper.opened = Some(self.text.len());
        }
    }

    fn write_tag(&mut self, tag: Tag<'a>, name: &str, empty: bool, references: &mut References<'a>) {
        self.text.push('<');
        self.text.push_str(name);
        for (key, value) in tag.attributes() {
            if key.starts_with("xmlns") {
                continue;
            }
            self.text.push(' ');
            self.text.push_str(key);
            self.text.push_str("=\"");
            for (index, part) in references.resolve(value).split('"').enumerate() {
                if index > 0 {
                    self.text.push_str("&quot;");
                }
                escape(part, &mut self.text);
            }
            self.text.push('"');
        }
        self.text.push_str(if !empty {
            ">"
        } else if is_void(name) {
            " />"
        } else {
            "></"
        });
        if empty && !is_void(name) {
            self.text.push_str(name);
            self.text.push('>');
        }
    }

    /// Closes the element `name` within the field; returns whether there was one.
    pub(super) fn end(&mut self, name: &str) -> bool {
        if self.beyond > 0 && self.name != name {
            self.beyond -= 1;
            return true;
        }
        let Some(open) = self.open.iter().rposition(|open| *open == name) else {
            return false;
        };
        while self.open.len() > open {
            self.close_one();
        }
        true
    }

    fn close_one(&mut self) {
        let Some(name) = self.open.pop() else { return };
        let local = split(name).1;
        if !self.html {
            if matches!(self.meaning, Meaning::Author(_) | Meaning::Contributor) {
                self.person.part(local, std::mem::take(&mut self.text));
            }
            return;
        }
        let before = self.text.len();
        self.text.push_str("</");
        // The prefix was left out at the start, too.
        self.text
            .push_str(if self.form == Form::Xml { local } else { name });
        self.text.push('>');
        if self.open.is_empty() && self.wrapper.opened.is_some() && self.wrapper.closed.is_none() {
            self.wrapper.closed = Some((before, self.text.len()));
        }
    }

    /// Closes whatever is open within the field.
    pub(super) fn close(&mut self) {
        while !self.open.is_empty() {
            self.close_one();
        }
    }

    /// Returns whether the field is worth something when the document ends within it. Half an address or half a date
    /// is a wrong one.
    pub(super) fn survives_a_cut(&self) -> bool {
        self.html && self.form != Form::Base64
    }

    /// Returns the names of the person that the field is about.
    pub(super) fn into_person(mut self) -> String {
        self.close();
        let Person { name, mail, address } = self.person;
        name.or(mail)
            .or(address)
            .unwrap_or_else(|| person(&self.text).to_owned())
    }

    /// Returns the text of the field without white space around it.
    pub(super) fn into_text(mut self) -> String {
        self.close();
        if self.form == Form::Base64 {
            return decode_base64(&self.text);
        }
        if let (true, Some(opened), Some((closed, end))) =
            (self.wrapper.wanted, self.wrapper.opened, self.wrapper.closed)
            && self.text.get(end..).is_some_and(|after| after.trim().is_empty())
        {
            return self
                .text
                .get(opened..closed)
                .unwrap_or_default()
                .trim()
                .to_owned();
        }
        trimmed(self.text)
    }
}

impl Person {
    fn part(&mut self, local: &str, text: String) {
        let part = match local.to_ascii_lowercase().as_str() {
            "name" => &mut self.name,
            "email" | "mbox" => &mut self.mail,
            "uri" | "url" | "homepage" => &mut self.address,
            _ => return,
        };
        let text = trimmed(text);
        if !text.is_empty() && part.is_none() {
            *part = Some(text);
        }
    }
}

impl Form {
    fn of(scope: &Scope, vocabulary: Vocabulary, draft: bool) -> Self {
        if vocabulary == Vocabulary::Xhtml {
            return Self::Xml;
        }
        match scope.mode.as_deref().map(str::trim) {
            Some("base64") => return Self::Base64,
            Some("escaped") => return Self::Escaped,
            _ => {}
        }
        let Some(media_type) = scope.media_type.as_deref() else {
            return Self::Escaped;
        };
        let media_type = media_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let xml = media_type == "xhtml" || media_type.ends_with("+xml") || media_type.ends_with("/xml");
        if xml {
            Self::Xml
        } else if !draft
            && media_type.contains('/')
            && !media_type.starts_with("text/")
            && vocabulary == Vocabulary::Atom
        {
            Self::Base64
        } else {
            Self::Escaped
        }
    }
}

/// Returns the decoded text. Content of a type that should be base64 (RFC 4287, 4.1.3.3) but is not is taken as it is,
/// as is what decodes to no text.
fn decode_base64(text: &str) -> String {
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    match BASE64_STANDARD.decode(packed.as_bytes()) {
        Ok(bytes) => String::from_utf8(bytes).map(trimmed).unwrap_or_default(),
        Err(_) => text.trim().to_owned(),
    }
}

/// Returns the text without white space around it and without characters that XML forbids, copying only where needed.
pub(super) fn trimmed(mut text: String) -> String {
    if text.bytes().any(is_forbidden) {
        text.retain(|c| u8::try_from(c).map_or(true, |byte| !is_forbidden(byte)));
    }
    let end = text.trim_end().len();
    text.truncate(end);
    if text.starts_with(char::is_whitespace) {
        return text.trim_start().to_owned();
    }
    text
}

/// Returns whether the byte is a control character that XML forbids.
fn is_forbidden(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')
}

/// Appends the text as HTML.
fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = memchr3(b'<', b'>', b'&', rest.as_bytes()) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        out.push_str(match from.as_bytes().first() {
            Some(b'<') => "&lt;",
            Some(b'>') => "&gt;",
            _ => "&amp;",
        });
        rest = from.get(1..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// Returns whether the element has no content in HTML.
fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "source"
            | "track"
            | "wbr"
    )
}
