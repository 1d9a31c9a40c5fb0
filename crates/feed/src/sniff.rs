//! Tells what bytes are that are no feed.

use memchr::memmem;

use crate::Error;

/// How much of a document is looked at to tell what it is, in bytes. Challenge pages carry large scripts in their head.
const HEAD: usize = 64 * 1024;

/// What the first bytes of things that are never feeds look like.
const MAGIC: [&[u8]; 12] = [
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"PK\x03\x04",
    b"%PDF-",
    b"\x89PNG",
    b"GIF8",
    b"\xff\xd8\xff",
    b"RIFF",
    b"BZh",
    b"\xfd7zXZ",
    b"\x7fELF",
    b"\x00asm",
];

/// Returns whether the bytes are no text.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    if MAGIC.iter().any(|magic| bytes.starts_with(magic)) {
        return true;
    }
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    // UTF-16 and UTF-32 hold NULs, but then every second or more.
    let nuls = head.iter().filter(|byte| **byte == 0).count();
    let odd = head
        .iter()
        .filter(|byte| matches!(byte, 1..=8 | 0x0E..=0x1A))
        .count();
    let has_markup = memchr::memchr2(b'<', b'{', head).is_some();
    !has_markup && (nuls > 0 || odd * 10 > head.len())
}

/// Returns whether the text is meant to be JSON.
pub(crate) fn is_json(text: &str) -> bool {
    match text.as_bytes() {
        [b'{', ..] => true,
        [b'[', rest @ ..] => rest
            .trim_ascii_start()
            .first()
            .is_none_or(|byte| matches!(byte, b'{' | b'[' | b']' | b'"' | b'0'..=b'9')),
        _ => false,
    }
}

/// Words that only challenge pages have, in lower case.
const CHALLENGE: [&str; 18] = [
    "just a moment...",
    "cf-challenge",
    "cf_chl_",
    "cf-chl-",
    "challenge-platform",
    "checking your browser",
    "attention required! | cloudflare",
    "ddos protection by",
    "_incapsula_resource",
    "px-captcha",
    "captcha-delivery.com",
    "g-recaptcha",
    "h-captcha",
    "hcaptcha.com",
    "are you a robot",
    "verify you are human",
    "enable javascript and cookies to continue",
    "sucuri_cloudproxy",
];

/// Returns whether an HTML page asks who is reading it instead of answering.
pub(crate) fn is_challenge(text: &str) -> bool {
    let head = crate::builder::cut(text, HEAD).to_ascii_lowercase();
    CHALLENGE
        .iter()
        .any(|mark| memmem::find(head.as_bytes(), mark.as_bytes()).is_some())
}

/// Returns whether the text begins like an HTML page, whatever stands in it later.
pub(crate) fn is_html(text: &str) -> bool {
    let head = crate::builder::cut(text.trim_start(), HEAD).to_ascii_lowercase();
    [
        "<!doctype html",
        "<html",
        "<head",
        "<body",
        "<title",
        "<meta ",
        "<script",
        "<h1",
        "<center",
        "<p>",
        "<div",
    ]
    .iter()
    .any(|mark| memmem::find(head.as_bytes(), mark.as_bytes()).is_some())
}

/// Says what a text is whose elements are those of no feed; `root` is the local name of its first element.
pub(crate) fn what(text: &str, root: Option<&str>) -> Error {
    let html_root = root.is_some_and(|root| {
        matches!(
            root,
            "html"
                | "head"
                | "body"
                | "title"
                | "meta"
                | "script"
                | "p"
                | "h1"
                | "h2"
                | "div"
                | "center"
                | "br"
                | "b"
                | "pre"
        )
    });
    if is_challenge(text) && (html_root || is_html(text)) {
        return Error::Challenge;
    }
    match root {
        _ if html_root => Error::Html,
        Some("opml") => Error::Opml,
        Some("urlset" | "sitemapindex") => Error::Sitemap,
        Some("error" | "errors" | "exception" | "fault" | "envelope" | "serviceexceptionreport") => {
            Error::XmlError
        }
        _ if is_html(text) => Error::Html,
        Some("response" | "result" | "status") => Error::XmlError,
        Some(_) => Error::Xml,
        None => Error::NotAFeed,
    }
}
