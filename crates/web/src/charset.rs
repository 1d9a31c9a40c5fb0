//! From the bytes of a page to text.
//!
//! Order: byte order mark, HTTP charset, `<meta>`, then a guess; but bytes that are valid UTF-8 stay UTF-8 whatever was
//! declared, since a text that is valid UTF-8 by chance hardly exists, while wrong declarations do. The prescan is our
//! own small reading of the HTML standard's section 13.2.3.2 rather than a parser's run: it must be cheap, and the
//! parser comes after it.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The standard asks for 1024 bytes; many pages put scripts before their `<meta>`, and 4 KiB cost nothing.
const PRESCAN_BYTES: usize = 4096;

/// Bytes that the guess looks at: enough text behind the head of any page, and 5 ms at most.
const SNIFF_BYTES: usize = 256 * 1024;

/// Decodes an HTML page; borrows where the bytes are UTF-8 already. Malformed bytes become U+FFFD.
///
/// `content_type` is the value of the HTTP header, if there was one.
#[must_use]
pub fn decode_html<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Cow<'a, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding
            .decode_without_bom_handling(bytes.get(mark..).unwrap_or_default())
            .0;
    }
    let declared = content_type
        .and_then(charset_of)
        .and_then(|label| Encoding::for_label(label.as_bytes()));
    // UTF-16 of Western text is valid UTF-8 with NULs, so here the header has the word.
    let wide = declared.filter(|encoding| [UTF_16LE, UTF_16BE].contains(encoding) && bytes.contains(&0));
    if let Some(encoding) = wide {
        return encoding.decode_without_bom_handling(bytes).0;
    }
    let ascii_shifted = has_iso_2022_escapes(bytes);
    if !ascii_shifted && let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let declared = declared.or_else(|| meta_charset(bytes));
    if !ascii_shifted && is_wounded_utf8(bytes, declared == Some(UTF_8)) {
        return String::from_utf8_lossy(bytes);
    }
    // Bytes that are no UTF-8 cannot be what a declaration of UTF-8 says.
    let encoding = declared
        .filter(|encoding| *encoding != UTF_8)
        .unwrap_or_else(|| sniff(bytes));
    encoding.decode_without_bom_handling(bytes).0
}

/// Returns the charset parameter of a `Content-Type`.
#[must_use]
pub fn charset_of(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|param| {
        let (name, value) = param.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty()).then_some(value)
    })
}

/// ISO-2022-JP is made of ASCII bytes, hence always valid UTF-8; its escapes betray it.
fn has_iso_2022_escapes(bytes: &[u8]) -> bool {
    let head = bytes.get(..SNIFF_BYTES).unwrap_or(bytes);
    head.is_ascii()
        && head
            .windows(3)
            .any(|w| matches!(w, b"\x1b$B" | b"\x1b$@" | b"\x1b(J"))
}

/// Whether this is UTF-8 that was cut or had foreign bytes pasted in: many whole multi-byte characters, few wounds.
///
/// Text in another encoding gives hardly any valid multi-byte sequence, so a ratio of 20 tells the two apart without a
/// declaration, and 2 with one.
fn is_wounded_utf8(bytes: &[u8], declared: bool) -> bool {
    let mut characters = 0_usize;
    let mut wounds = 0_usize;
    for chunk in bytes.utf8_chunks() {
        characters += chunk.valid().bytes().filter(|byte| *byte >= 0xc0).count();
        wounds += usize::from(!chunk.invalid().is_empty());
    }
    characters > wounds.saturating_mul(if declared { 2 } else { 20 })
}

fn sniff(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let head = bytes.get(..SNIFF_BYTES).unwrap_or(bytes);
    detector.feed(head, head.len() == bytes.len());
    detector.guess(None, Utf8Detection::Deny)
}

/// Finds the charset that a `<meta>` near the start declares.
fn meta_charset(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..PRESCAN_BYTES).unwrap_or(bytes);
    let mut rest = head;
    while let Some(start) = rest.iter().position(|byte| *byte == b'<') {
        rest = rest.get(start + 1..)?;
        if rest.starts_with(b"!--") {
            let end = rest.windows(3).position(|window| window == b"-->")?;
            rest = rest.get(end + 3..)?;
            continue;
        }
        if !starts_with_word(rest, b"meta") {
            continue;
        }
        let end = rest.iter().position(|byte| *byte == b'>').unwrap_or(rest.len());
        if let Some(encoding) = rest.get(..end).and_then(charset_in_tag) {
            return Some(encoding);
        }
    }
    None
}

fn starts_with_word(bytes: &[u8], word: &[u8]) -> bool {
    bytes
        .get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
        && bytes
            .get(word.len())
            .is_some_and(|next| next.is_ascii_whitespace() || *next == b'/')
}

/// Reads `charset=...` inside a tag, as an attribute or within `content`: both look alike up to the quotes.
fn charset_in_tag(tag: &[u8]) -> Option<&'static Encoding> {
    let name = b"charset";
    let at = tag
        .windows(name.len())
        .position(|window| window.eq_ignore_ascii_case(name))?;
    let value = tag
        .get(at + name.len()..)?
        .trim_ascii_start()
        .strip_prefix(b"=")?;
    let value = value.trim_ascii_start();
    let value = value
        .strip_prefix(b"\"")
        .or_else(|| value.strip_prefix(b"'"))
        .unwrap_or(value);
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b';' | b'/');
    let end = value.iter().position(is_end).unwrap_or(value.len());
    let encoding = Encoding::for_label(value.get(..end)?)?;
    // A declaration that could be read byte by byte is not UTF-16 (the standard maps it so, too); what is meant by
    // x-user-defined is windows-1252.
    match encoding.name() {
        "UTF-16LE" | "UTF-16BE" => Some(UTF_8),
        "x-user-defined" => Some(WINDOWS_1252),
        _ => Some(encoding),
    }
}

#[cfg(test)]
mod tests;
