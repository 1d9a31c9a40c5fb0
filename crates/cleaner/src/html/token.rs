//! Cuts HTML into tags, runs of text and raw elements.
//!
//! Follows the tokenizer of the HTML standard (section 13.2.5) where pages depend on it: quoted and unquoted
//! attribute values, comments, raw-text elements, stray `<`. Left out: the script data escape states and character
//! references inside names. Every byte is looked at a bounded number of times, so time is linear in the input.
//! Rejected: html5ever's tokenizer (it copies every attribute of every tag, the cleaner reads six of them) and
//! lol_html (built for rewriting: selectors and handlers, where a cursor is enough).

use std::borrow::Cow;

use memchr::{memchr, memmem};

use super::tag::Tag;

/// A piece of a page, in order.
#[derive(Debug, PartialEq)]
pub(crate) enum Token<'a> {
    /// Characters between tags, references not decoded.
    Text(&'a str),
    /// An opening tag.
    Open(Tag, Attributes<'a>),
    /// A closing tag.
    Close(Tag),
    /// A whole element whose content is no markup: attributes and content.
    Raw(Tag, Attributes<'a>, &'a str),
}

/// A cursor over a page's tokens.
pub(crate) struct Tokenizer<'a> {
    html: &'a str,
    at: usize,
    /// Set once a drawing was found to have no end, so that its end is not sought again and again.
    endless_svg: bool,
}

impl<'a> Tokenizer<'a> {
    /// Begins at the first character.
    pub(crate) fn new(html: &'a str) -> Self {
        Self {
            html,
            at: 0,
            endless_svg: false,
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.html.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.html.get(from..to).unwrap_or_default()
    }

    /// Takes characters up to the next `<` that begins markup.
    fn text(&mut self) -> Option<Token<'a>> {
        let begin = self.at;
        let bytes = self.html.as_bytes();
        let mut from = begin;
        let end = loop {
            let Some(found) = memchr(b'<', bytes.get(from..).unwrap_or_default()) else {
                break bytes.len();
            };
            let place = from + found;
            if bytes.get(place + 1).is_some_and(|&next| begins_markup(next)) {
                break place;
            }
            from = place + 1;
        };
        self.at = end;
        (end > begin).then(|| Token::Text(self.slice(begin, end)))
    }

    /// Skips `<!…>`, `<?…>` and closing tags without a name.
    fn skip_declaration(&mut self) {
        let rest = self.rest();
        self.at += if rest.starts_with(b"<!--") {
            comment_length(rest)
        } else {
            memchr(b'>', rest).map_or(rest.len(), |end| end + 1)
        };
    }

    /// Reads the tag at the cursor, which stands on `<` or `</` and a letter.
    fn tag(&mut self, closing: bool) -> Option<Token<'a>> {
        let name_at = self.at + 1 + usize::from(closing);
        let bytes = self.html.as_bytes().get(name_at..).unwrap_or_default();
        let name_end = bytes
            .iter()
            .position(|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>'));
        let name = bytes.get(..name_end?)?;
        let tag = Tag::of(name);
        let attributes_at = name_at + name.len();
        let length = tag_length(bytes.get(name.len()..).unwrap_or_default())?;
        let attributes = Attributes {
            rest: self.slice(attributes_at, attributes_at + length),
        };
        self.at = attributes_at + length + 1;
        if closing {
            return Some(Token::Close(tag));
        }
        if tag.is_raw() && !(tag == Tag::Svg && (self.endless_svg || attributes.rest.ends_with('/'))) {
            return Some(self.raw(tag, attributes));
        }
        Some(Token::Open(tag, attributes))
    }

    /// Takes everything up to the closing tag of a raw element.
    fn raw(&mut self, tag: Tag, attributes: Attributes<'a>) -> Token<'a> {
        let begin = self.at;
        let bytes = self.html.as_bytes();
        let name = tag.name().as_bytes();
        for found in memmem::find_iter(self.rest(), b"</") {
            let after = bytes.get(begin + found + 2..).unwrap_or_default();
            let named = after
                .get(..name.len())
                .is_some_and(|word| word.eq_ignore_ascii_case(name));
            let ended = after
                .get(name.len())
                .is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>'));
            if named && ended {
                let content = self.slice(begin, begin + found);
                self.at = begin + found + memchr(b'>', after).map_or(after.len(), |end| end + 1) + 2;
                return Token::Raw(tag, attributes, content);
            }
        }
        if tag == Tag::Svg {
            self.endless_svg = true;
            return Token::Open(tag, attributes);
        }
        self.at = bytes.len();
        Token::Raw(tag, attributes, self.slice(begin, bytes.len()))
    }
}

impl<'a> Iterator for Tokenizer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let token = match self.rest() {
                [] => return None,
                [b'<', first, ..] if first.is_ascii_alphabetic() => self.tag(false),
                [b'<', b'/', first, ..] if first.is_ascii_alphabetic() => self.tag(true),
                [b'<', b'!' | b'?' | b'/', ..] => {
                    self.skip_declaration();
                    continue;
                }
                _ => self.text(),
            };
            if token.is_none() {
                // A tag that never ends: the standard drops what is left.
                self.at = self.html.len();
            }
            return token;
        }
    }
}

fn begins_markup(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!' | b'?')
}

/// Measures a comment from its `<` to behind its end.
fn comment_length(comment: &[u8]) -> usize {
    let body = comment.get(4..).unwrap_or_default();
    if body.starts_with(b">") {
        return 5;
    }
    if body.starts_with(b"->") {
        return 6;
    }
    for found in memmem::find_iter(body, b"--") {
        match body.get(found + 2..) {
            Some([b'>', ..]) => return 4 + found + 3,
            Some([b'-', b'>', ..]) => return 4 + found + 4,
            Some([b'!', b'>', ..]) => return 4 + found + 4,
            _ => {}
        }
    }
    comment.len()
}

/// Measures the attributes up to the `>` that ends the tag; `None` when there is none.
fn tag_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    // A quote only quotes as the first character of a value.
    let mut is_value = false;
    loop {
        match *bytes.get(at)? {
            b'>' => return Some(at),
            b'=' => is_value = true,
            quote @ (b'"' | b'\'') if is_value => {
                at += memchr(quote, bytes.get(at + 1..)?)? + 1;
                is_value = false;
            }
            byte => is_value &= byte.is_ascii_whitespace(),
        }
        at += 1;
    }
}

/// The attributes of a tag, read when asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Attributes<'a> {
    /// Finds the value of the first attribute of that name, references not decoded.
    pub(crate) fn get(self, name: &str) -> Option<&'a str> {
        self.into_iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        let bytes = self.rest.as_bytes();
        let begin = skip(bytes, 0, |b| b.is_ascii_whitespace() || b == b'/');
        if begin == bytes.len() {
            return None;
        }
        // A name may begin with `=`: the standard makes it part of the name.
        let tail = begin + usize::from(bytes.get(begin) == Some(&b'='));
        let end = skip(bytes, tail, |b| {
            !b.is_ascii_whitespace() && b != b'/' && b != b'='
        });
        let name = self.rest.get(begin..end).unwrap_or_default();
        let sign = skip(bytes, end, |b| b.is_ascii_whitespace());
        if bytes.get(sign) != Some(&b'=') {
            self.rest = self.rest.get(end..).unwrap_or_default();
            return Some((name, ""));
        }
        let from = skip(bytes, sign + 1, |b| b.is_ascii_whitespace());
        let (value, next) = match bytes.get(from) {
            Some(&quote @ (b'"' | b'\'')) => {
                let inner = bytes.get(from + 1..).unwrap_or_default();
                let length = memchr(quote, inner).unwrap_or(inner.len());
                (from + 1..from + 1 + length, from + length + 2)
            }
            _ => {
                let to = skip(bytes, from, |b| !b.is_ascii_whitespace());
                (from..to, to)
            }
        };
        let value = self.rest.get(value).unwrap_or_default();
        self.rest = self.rest.get(next..).unwrap_or_default();
        Some((name, value))
    }
}

/// The first place from `at` on whose byte is not of a kind.
fn skip(bytes: &[u8], mut at: usize, is_of_kind: impl Fn(u8) -> bool) -> usize {
    while bytes.get(at).is_some_and(|byte| is_of_kind(*byte)) {
        at += 1;
    }
    at
}

/// Decodes character references, borrowing where there is none.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if memchr(b'&', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    htmlize::unescape(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(html: &str) -> String {
        let mut lines = Vec::new();
        for token in Tokenizer::new(html) {
            lines.push(match token {
                Token::Text(text) => format!("text {text:?}"),
                Token::Open(tag, attributes) => format!("open {tag:?} {:?}", attributes.collect::<Vec<_>>()),
                Token::Close(tag) => format!("close {tag:?}"),
                Token::Raw(tag, _, content) => format!("raw {tag:?} {content:?}"),
            });
        }
        lines.join("\n")
    }

    fn check(html: &str, expect: &expect_test::Expect) {
        expect.assert_eq(&shown(html));
    }

    #[test]
    fn reads_tags_and_every_way_of_writing_a_value() {
        check(
            "<DIV Class=a id='b c' data-x = \"1>2\" hidden href=/p/?q=1>x</div\n><br/>",
            &expect_test::expect![[r#"
                open Div [("Class", "a"), ("id", "b c"), ("data-x", "1>2"), ("hidden", ""), ("href", "/p/?q=1")]
                text "x"
                close Div
                open Br []"#]],
        );
    }

    #[test]
    fn takes_stray_brackets_as_text() {
        check(
            "1 < 2 <3 a<b>",
            &expect_test::expect![[r#"
            text "1 < 2 <3 a"
            open B []"#]],
        );
    }

    #[test]
    fn skips_comments_and_declarations() {
        check(
            "<!doctype html>a<!-- <p> -- > -->b<!-->c<!--->d<?x y>e<!--z--!>f</>g<!-- open",
            &expect_test::expect![[r#"
            text "a"
            text "b"
            text "c"
            text "d"
            text "e"
            text "f"
            text "g""#]],
        );
    }

    #[test]
    fn keeps_raw_elements_whole() {
        check(
            "<script>if (a</b/.x) '</scripty>'</SCRIPT >b<title>x <b></title><style>",
            &expect_test::expect![[r#"
            raw Script "if (a</b/.x) '</scripty>'"
            text "b"
            raw Title "x <b>"
            raw Style """#]],
        );
    }

    #[test]
    fn an_apostrophe_outside_a_value_quotes_nothing() {
        check(
            "<p title=it's>a</p><p x'y>b",
            &expect_test::expect![[r#"
            open P [("title", "it's")]
            text "a"
            close P
            open P [("x'y", "")]
            text "b""#]],
        );
    }

    #[test]
    fn drops_a_tag_that_never_ends() {
        check("a<p class=\"x", &expect_test::expect![[r#"text "a""#]]);
    }
}
