#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use encoding_rs::{GBK, ISO_2022_JP, KOI8_R, SHIFT_JIS, WINDOWS_1251, WINDOWS_1253};
use proptest::prelude::*;

const UKRAINIAN: &str =
    "Уряд схвалив новий порядок роботи шкіл під час зимових канікул, повідомляє міністерство.";

fn encode(encoding: &'static Encoding, text: &str) -> Vec<u8> {
    encoding.encode(text).0.into_owned()
}

#[test]
fn valid_utf8_stays_whatever_is_declared() {
    let page = format!("<meta charset=windows-1251><p>{UKRAINIAN}");
    let decoded = decode_html(page.as_bytes(), Some("text/html; charset=koi8-u"));
    assert!(matches!(decoded, Cow::Borrowed(text) if text == page));
}

#[test]
fn a_byte_order_mark_beats_everything() {
    let wide: Vec<u8> = "\u{feff}Тиша".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(decode_html(&wide, Some("text/html; charset=utf-8")), "Тиша");
    assert_eq!(
        decode_html("\u{feff}Тиша".as_bytes(), Some("text/html; charset=koi8-r")),
        "Тиша"
    );
}

#[test]
fn the_header_beats_the_page() {
    let page = encode(WINDOWS_1251, &format!("<meta charset=koi8-r><p>{UKRAINIAN}"));
    let decoded = decode_html(&page, Some("text/html;Charset=\"Windows-1251\""));
    assert!(decoded.ends_with(UKRAINIAN), "{decoded}");
}

#[test]
fn the_page_tells_when_the_header_does_not() {
    for declaration in [
        "<meta charset=windows-1253>",
        "<META  CHARSET = 'Windows-1253' />",
        "<!-- <meta charset=utf-8> --><meta http-equiv=Content-Type content=\"text/html; charset=windows-1253\">",
        "<meta name=\"x\" content=\"y\"><meta\ncharset=\"windows-1253\"",
    ] {
        let text = format!("{declaration}><p>Καλημέρα");
        for content_type in [None, Some("text/html"), Some("text/html; charset=nonsense")] {
            assert_eq!(
                decode_html(&encode(WINDOWS_1253, &text), content_type),
                text,
                "{declaration}"
            );
        }
    }
}

#[test]
fn without_any_word_it_is_guessed() {
    for (encoding, text) in [
        (WINDOWS_1251, UKRAINIAN),
        (
            KOI8_R,
            "Правительство одобрило новый порядок работы школ во время зимних каникул.",
        ),
        (
            SHIFT_JIS,
            "政府は冬休み中の学校の新しい運営方針を承認したと発表した。",
        ),
        (GBK, "政府批准了寒假期间学校工作的新规定,教育部表示。"),
        (
            ISO_2022_JP,
            "政府は冬休み中の学校の新しい運営方針を承認したと発表した。",
        ),
    ] {
        assert_eq!(
            decode_html(&encode(encoding, text), None),
            text,
            "{}",
            encoding.name()
        );
        // A wrong word for UTF-8 is no better than none.
        let wrong = decode_html(&encode(encoding, text), Some("text/html; charset=utf-8")).into_owned();
        assert_eq!(wrong, text, "{}", encoding.name());
    }
}

#[test]
fn wounded_utf8_loses_only_the_wound() {
    let mut cut = UKRAINIAN.as_bytes().to_vec();
    cut.truncate(cut.len() - 2);
    let decoded = decode_html(&cut, None);
    assert!(
        decoded.starts_with("Уряд схвалив") && decoded.ends_with('\u{fffd}'),
        "{decoded}"
    );

    let pasted =
        [b"<meta charset=utf-8>Caf\xc3\xa9 cr\xc3\xa8me \xe0 br\xc3\xbbl\xc3\xa9e".as_slice()].concat();
    assert_eq!(
        decode_html(&pasted, None),
        "<meta charset=utf-8>Café crème \u{fffd} brûlée"
    );
}

#[test]
fn wide_text_is_believed_only_with_nuls() {
    let wide: Vec<u8> = "<p>Hello".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(
        decode_html(&wide, Some("text/html; charset=utf-16be")),
        "<p>Hello"
    );
    assert_eq!(
        decode_html(b"<p>Hello", Some("text/html; charset=utf-16be")),
        "<p>Hello"
    );
    let meta = b"<meta charset=utf-16le><p>\xe9t\xe9";
    assert!(decode_html(meta, None).ends_with("été"));
}

#[test]
fn charset_parameters_are_found() {
    for (content_type, charset) in [
        ("text/html; charset=utf-8", Some("utf-8")),
        ("text/html;boundary=x; Charset = 'KOI8-R' ", Some("KOI8-R")),
        ("text/html; charset=", None),
        ("text/html", None),
        ("charset=utf-8", None),
        ("", None),
    ] {
        assert_eq!(charset_of(content_type), charset, "{content_type}");
    }
}

proptest! {
    #[test]
    fn any_bytes_become_text(bytes in proptest::collection::vec(any::<u8>(), 0..500), header in ".{0,30}") {
        let text = decode_html(&bytes, Some(&header));
        prop_assert!(text.len() <= 3 * bytes.len() + 4);
        let prefixed = [b"<meta charset=".as_slice(), &bytes].concat();
        prop_assert!(decode_html(&prefixed, None).len() <= 3 * prefixed.len() + 4);
    }

    #[test]
    fn text_in_utf8_comes_back(text in "[^\\x00\\x1b\u{feff}]{0,200}", header in "[a-z]{3,9}/x; charset=[a-z0-9-]{1,12}") {
        prop_assert_eq!(decode_html(text.as_bytes(), Some(&header)), text.as_str());
    }
}
