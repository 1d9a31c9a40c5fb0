//! Turns bytes into text, believing what they are over what is said about them.
//!
//! Order: byte order mark; then valid UTF-8, whatever is declared; then the `charset` of the HTTP header, the XML
//! declaration, and at last a guess from the bytes. A declaration that the bytes contradict is not believed:
//! mojibake in an article is worse than a wrong header.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::Repair;

/// Text of a feed.
pub(crate) struct Decoded<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) repairs: Vec<Repair>,
}

/// Bytes from which the encoding is guessed; more do not change the guess.
const SAMPLE: usize = 256 * 1024;

/// Decodes a document.
pub(crate) fn decode<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Decoded<'a> {
    if let Some(text) = utf32(bytes) {
        return Decoded {
            text: text.into(),
            repairs: Vec::new(),
        };
    }
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        let rest = bytes.get(length..).unwrap_or_default();
        // Some writers put a mark of UTF-16 before text of one byte a character.
        if encoding == UTF_8 || rest.iter().take(256).any(|byte| *byte == 0) || !looks_like_ascii_markup(rest)
        {
            return with(encoding, rest);
        }
        return Decoded {
            text: decode(rest, content_type).text,
            repairs: vec![Repair::WrongEncoding { used: "UTF-8" }],
        };
    }
    if let Some(encoding) = utf16_without_mark(bytes) {
        return with(encoding, bytes);
    }
    let declared = declared(bytes);
    let stateful = [http_charset(content_type), declared]
        .into_iter()
        .flatten()
        .find(|encoding| *encoding == encoding_rs::ISO_2022_JP);
    if let Some(encoding) = stateful.filter(|_| bytes.contains(&0x1B)) {
        return with(encoding, bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let text = text.trim_start_matches('\u{FEFF}');
            let wrong = declared.is_some_and(|declared| declared != UTF_8) && !text.is_ascii();
            let repairs = if wrong {
                vec![Repair::WrongEncoding { used: "UTF-8" }]
            } else {
                Vec::new()
            };
            Decoded {
                text: text.into(),
                repairs,
            }
        }
        Err(_) => not_utf8(bytes, http_charset(content_type), declared),
    }
}

fn with<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Decoded<'a> {
    let (text, errors) = encoding.decode_without_bom_handling(bytes);
    Decoded {
        text,
        repairs: if errors {
            vec![Repair::InvalidBytes]
        } else {
            Vec::new()
        },
    }
}

/// Decodes bytes that are not valid UTF-8 as a whole.
fn not_utf8<'a>(
    bytes: &'a [u8],
    http: Option<&'static Encoding>,
    declared: Option<&'static Encoding>,
) -> Decoded<'a> {
    let claimed = claim(http, declared);
    if mostly_utf8(bytes) {
        let mut decoded = Decoded {
            text: damaged_utf8(bytes).into(),
            repairs: vec![Repair::InvalidBytes],
        };
        if claimed.is_some_and(|claimed| claimed != UTF_8) {
            decoded.repairs.push(Repair::WrongEncoding { used: UTF_8.name() });
        }
        return decoded;
    }
    let guess = guess(bytes);
    let encoding = match claimed {
        Some(claimed) if claimed != UTF_8 && claimed != UTF_16LE && claimed != UTF_16BE => {
            // Latin-1 is what software declares that knows no better; it fits any bytes.
            let default = claimed == WINDOWS_1252 && !is_latin(guess) && dense(bytes);
            let broken = claimed
                .decode_without_bom_handling(bytes.get(..SAMPLE).unwrap_or(bytes))
                .1;
            if default
                || broken
                    && !guess
                        .decode_without_bom_handling(bytes.get(..SAMPLE).unwrap_or(bytes))
                        .1
            {
                guess
            } else {
                claimed
            }
        }
        _ => guess,
    };
    let mut decoded = with(encoding, bytes);
    if claimed != Some(encoding) {
        decoded.repairs.insert(
            0,
            Repair::WrongEncoding {
                used: encoding.name(),
            },
        );
    }
    decoded
}

/// Returns which of the two claims to believe. The header wins (RFC 7303), unless it says Latin-1, which servers add
/// to whatever they serve.
fn claim(http: Option<&'static Encoding>, declared: Option<&'static Encoding>) -> Option<&'static Encoding> {
    match (http, declared) {
        (Some(http), Some(declared)) if http == WINDOWS_1252 || http == UTF_8 => Some(declared),
        (Some(http), _) => Some(http),
        (None, declared) => declared,
    }
}

/// Returns whether most of what is not ASCII is valid UTF-8, or all that is not valid lies in one small place: then that
/// is damage and not another encoding.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let (mut at, mut valid, mut invalid) = (0_usize, 0_usize, 0_usize);
    let mut wound: Option<(usize, usize)> = None;
    // Characters beyond ASCII that lie outside of the wound.
    let (mut before, mut after) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        let characters = chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        valid += characters;
        at += chunk.valid().len();
        match wound {
            None => before = valid,
            Some(_) => after = characters,
        }
        if !chunk.invalid().is_empty() {
            invalid += 1;
            let start = wound.map_or(at, |(start, _)| start);
            at += chunk.invalid().len();
            wound = Some((start, at));
            after = 0;
        }
    }
    let small = wound.is_some_and(|(start, end)| (end - start) * 8 < bytes.len());
    valid > 0 && valid >= invalid || small && before + after > 0
}

/// Decodes UTF-8 with a few bytes that are not.
///
/// A single one between ASCII letters is a letter or quotation mark of windows-1252 that was pasted in; anything else
/// is U+FFFD.
fn damaged_utf8(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        let ascii_before = text.bytes().next_back().is_none_or(|byte| byte.is_ascii());
        let ascii_after = chunks
            .peek()
            .is_some_and(|next| next.valid().bytes().next().is_some_and(|byte| byte.is_ascii()));
        match chunk.invalid() {
            [] => {}
            one @ [_] if ascii_before && ascii_after => {
                text.push_str(&WINDOWS_1252.decode_without_bom_handling(one).0)
            }
            _ => text.push('\u{FFFD}'),
        }
    }
    text
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes.get(..SAMPLE).unwrap_or(bytes), true);
    detector.guess(None, Utf8Detection::Deny)
}

fn is_latin(encoding: &'static Encoding) -> bool {
    matches!(
        encoding.name(),
        "windows-1252"
            | "ISO-8859-2"
            | "windows-1250"
            | "windows-1254"
            | "windows-1257"
            | "ISO-8859-4"
            | "windows-1258"
            | "ISO-8859-13"
            | "ISO-8859-10"
            | "ISO-8859-14"
            | "ISO-8859-15"
            | "ISO-8859-16"
            | "ISO-8859-3"
            | "macintosh"
    )
}

/// Returns whether so many letters lie outside ASCII that the script is not Latin: in no language written in Latin
/// letters does every third letter of a text carry an accent.
fn dense(bytes: &[u8]) -> bool {
    let sample = bytes.get(..SAMPLE).unwrap_or(bytes);
    let (mut high, mut low, mut in_tag) = (0_usize, 0_usize, false);
    for byte in sample {
        match byte {
            b'<' => in_tag = true,
            b'>' => in_tag = false,
            _ if in_tag => {}
            0x80.. => high += 1,
            byte if byte.is_ascii_alphabetic() => low += 1,
            _ => {}
        }
    }
    high * 2 > low
}

fn http_charset(content_type: Option<&str>) -> Option<&'static Encoding> {
    let parameters = content_type?.split(';').skip(1);
    let charset = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    label(charset?.1)
}

/// Returns the encoding in the XML declaration, wherever in the first bytes it stands.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..bytes.len().min(1024))?;
    let start = memchr::memmem::find(head, b"<?xml")?;
    let declaration = head.get(start..)?;
    let end = memchr::memchr(b'>', declaration).unwrap_or(declaration.len());
    let declaration = std::str::from_utf8(declaration.get(..end)?).ok()?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value
        .trim_start()
        .strip_prefix('=')?
        .trim_start()
        .trim_start_matches(['"', '\'']);
    label(value.split(['"', '\'', '?', ' ']).next()?)
}

fn label(name: &str) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(name.trim().trim_matches(['"', '\'']).as_bytes())
}

fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    match bytes {
        [0, b'<' | b'{' | b'\n' | b' ', 0, ..] => Some(UTF_16BE),
        [b'<' | b'{' | b'\n' | b' ', 0, second, 0, ..] if *second != 0 => Some(UTF_16LE),
        _ => None,
    }
}

/// Decodes UTF-32, which the Encoding Standard leaves out.
fn utf32(bytes: &[u8]) -> Option<String> {
    let big = match bytes {
        [0, 0, 0xFE, 0xFF, ..] | [0, 0, 0, b'<', ..] => true,
        [0xFF, 0xFE, 0, 0, ..] | [b'<', 0, 0, 0, ..] => false,
        _ => return None,
    };
    let units = bytes.as_chunks::<4>().0.iter();
    let codes = units.map(|unit| {
        if big {
            u32::from_be_bytes(*unit)
        } else {
            u32::from_le_bytes(*unit)
        }
    });
    let text: String = codes
        .map(|code| char::from_u32(code).unwrap_or('\u{FFFD}'))
        .collect();
    Some(text.trim_start_matches('\u{FEFF}').to_owned())
}

fn looks_like_ascii_markup(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"<")
}
