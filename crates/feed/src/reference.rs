//! Resolves `&...;` in text and attribute values.
//!
//! Feeds use the names of HTML without declaring them, numbers that XML forbids and a bare `&`; so every name of HTML
//! is known, numbers follow the rules of HTML, and what cannot be resolved stays as it is written.

use std::collections::HashMap;

use memchr::memchr;
use quick_xml::escape::resolve_xml_entity;

/// Longest reference looked for. The longest name in HTML has 31 letters; numbers are shorter.
const MAX_REFERENCE: usize = 40;

/// Most entities a document type may declare. Those that exist in feeds abbreviate a handful of addresses.
const MAX_ENTITIES: usize = 64;

/// Longest replacement text of a declared entity, in bytes.
const MAX_REPLACEMENT: usize = 1024;

/// Bytes that declared entities may add to a document in all, against entity bombs; references beyond stay as written.
const MAX_EXPANSION: usize = 256 * 1024;

/// Resolves references, with the entities that the document declares.
#[derive(Debug, Default)]
pub(crate) struct References<'a> {
    declared: HashMap<&'a str, String>,
    expanded: usize,
    /// A `&` that begins no reference, or a reference to nothing, was met.
    pub(crate) dangling: bool,
}

impl<'a> References<'a> {
    /// Reads the `<!ENTITY name "text">` declarations of a document type. Entities within entities are not expanded.
    pub(crate) fn declare(&mut self, doctype: &'a str) {
        for declaration in doctype.split("<!ENTITY").skip(1).take(MAX_ENTITIES) {
            let Some((name, rest)) = declaration
                .trim_start()
                .split_once(|c: char| c.is_ascii_whitespace())
            else {
                continue;
            };
            let rest = rest.trim_start();
            let Some(quote) = rest.chars().next().filter(|quote| matches!(quote, '"' | '\'')) else {
                continue;
            };
            let Some(value) = rest
                .split(quote)
                .nth(1)
                .filter(|value| value.len() <= MAX_REPLACEMENT)
            else {
                continue;
            };
            let mut text = String::new();
            References::default().resolve_into(value, &mut text);
            self.declared.insert(name, text);
        }
    }

    /// Appends `raw` to `out` with its references resolved.
    pub(crate) fn resolve_into(&mut self, raw: &str, out: &mut String) {
        let mut rest = raw;
        while let Some(at) = memchr(b'&', rest.as_bytes()) {
            let (before, reference) = rest.split_at(at);
            out.push_str(before);
            rest = match self.resolve_one(reference, out) {
                Some(after) => after,
                None => {
                    self.dangling = true;
                    out.push('&');
                    reference.get(1..).unwrap_or_default()
                }
            };
        }
        out.push_str(rest);
    }

    /// Returns `raw` with its references resolved.
    pub(crate) fn resolve(&mut self, raw: &str) -> String {
        let mut out = String::with_capacity(raw.len());
        self.resolve_into(raw, &mut out);
        out
    }

    /// Appends what the reference at the start of `text` stands for and returns the text behind it.
    fn resolve_one<'t>(&mut self, text: &'t str, out: &mut String) -> Option<&'t str> {
        let (name, after) = split_reference(text)?;
        if let Some(number) = name.strip_prefix('#') {
            let code = number_of(number)?;
            return match (
                code,
                split_reference(after)
                    .and_then(|(next, rest)| Some((number_of(next.strip_prefix('#')?)?, rest))),
            ) {
                // Some writers escape the two halves of a UTF-16 pair one by one.
                (0xD800..=0xDBFF, Some((low @ 0xDC00..=0xDFFF, rest))) => {
                    out.extend(char::from_u32(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)));
                    Some(rest)
                }
                _ => {
                    out.extend(character(code));
                    Some(after)
                }
            };
        }
        if let Some(character) = resolve_xml_entity(name) {
            out.push_str(character);
        } else if let Some(replacement) = self.declared.get(name) {
            self.expanded += replacement.len();
            if self.expanded > MAX_EXPANSION {
                return None;
            }
            out.push_str(replacement);
        } else {
            // quick-xml has such a table, too, but its Greek letters are wrong (`&Alpha;` is the digit 9).
            let written = text.as_bytes().get(..name.len() + 2)?;
            out.push_str(std::str::from_utf8(htmlize::ENTITIES.get(written)?).ok()?);
        }
        Some(after)
    }
}

/// Splits `&name;rest` into `name` and `rest`.
fn split_reference(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('&')?;
    let end = text
        .bytes()
        .take(MAX_REFERENCE)
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'#' | b'_' | b'-' | b'.')))?;
    let (name, rest) = text.split_at_checked(end)?;
    Some((name, rest.strip_prefix(';')?)).filter(|_| !name.is_empty())
}

fn number_of(digits: &str) -> Option<u32> {
    match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
}

/// Returns the character of a number. As in HTML, 0x80 to 0x9F mean windows-1252; what XML forbids means nothing.
fn character(code: u32) -> Option<char> {
    match code {
        0x80..=0x9F => {
            let byte = [u8::try_from(code).ok()?];
            encoding_rs::WINDOWS_1252
                .decode_without_bom_handling(&byte)
                .0
                .chars()
                .next()
        }
        0..=8 | 0xB | 0xC | 0xE..=0x1F => None,
        _ => char::from_u32(code),
    }
}
