//! Cuts a date into words, numbers and signs.

/// A piece of a date.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Number(Number),
    /// Letters in lower case; an `area/city` zone name is one word.
    Word(String),
    Sign(char),
    Space,
}

/// A run of ASCII digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number {
    pub(super) value: u64,
    pub(super) digits: usize,
    /// The sign right before it; a space where there is none.
    pub(super) before: char,
}

/// A date in pieces; what has been understood is taken out.
pub(super) type Lexed = Vec<Option<Item>>;

/// Cuts the text into pieces.
pub(super) fn lex(text: &str) -> Lexed {
    let text = normal(text);
    let mut chars = text.chars().peekable();
    let mut items = Vec::new();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let item = match c {
            '0'..='9' => {
                let mut digits = String::from(c);
                while let Some(c) = chars.next_if(char::is_ascii_digit) {
                    digits.push(c);
                }
                Item::Number(Number {
                    value: digits.parse().unwrap_or(u64::MAX),
                    digits: digits.len(),
                    before,
                })
            }
            c if c.is_alphabetic() => {
                let mut word = String::from(c);
                // Combining marks are not letters of their own.
                while let Some(c) =
                    chars.next_if(|c| c.is_alphabetic() || matches!(c, '_' | '\u{300}'..='\u{36F}'))
                {
                    word.push(c);
                }
                let mut ahead = chars.clone();
                if ahead.next() == Some('/')
                    && ahead.next().is_some_and(char::is_alphabetic)
                    && word.len() > 2
                {
                    while let Some(c) = chars.next_if(|c| c.is_alphabetic() || matches!(c, '_' | '/' | '-')) {
                        word.push(c);
                    }
                }
                Item::Word(word)
            }
            c if c.is_whitespace() => Item::Space,
            c => Item::Sign(c),
        };
        before = match item {
            Item::Sign(sign) => sign,
            _ => ' ',
        };
        if !(item == Item::Space && items.last() == Some(&Some(Item::Space))) {
            items.push(Some(item));
        }
    }
    items
}

/// Returns the text in lower case and with one way of writing what has several.
fn normal(text: &str) -> String {
    let text = text.to_lowercase();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '時' | '时' | '點' | '点' | '시' => out.push(':'),
            '分' | '분' => out.push(':'),
            '年' | '月' | '년' | '월' => out.push('-'),
            '日' | '號' | '号' | '일' | '秒' | '초' => out.push(' '),
            '\u{2212}' | '\u{2013}' | '\u{2010}' | '\u{2011}' => out.push('-'),
            '：' => out.push(':'),
            '\u{200E}' | '\u{200F}' | '\u{FEFF}' => {}
            // Digits of other scripts and full-width digits.
            c => match c.to_digit(10).or_else(|| other_digit(c)) {
                Some(digit) => out.extend(char::from_digit(digit, 10)),
                None => out.push(c),
            },
        }
    }
    for (long, short) in [
        ("a.m.", "am"),
        ("p.m.", "pm"),
        ("a. m.", "am"),
        ("p. m.", "pm"),
        ("오전", " am "),
        ("오후", " pm "),
        ("上午", " am "),
        ("下午", " pm "),
        ("午前", " am "),
        ("午後", " pm "),
    ] {
        if out.contains(long) {
            out = out.replace(long, short);
        }
    }
    out
}

fn other_digit(c: char) -> Option<u32> {
    let zero = match c {
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6F0}'..='\u{6F9}' => 0x6F0,
        '\u{966}'..='\u{96F}' => 0x966,
        '\u{9E6}'..='\u{9EF}' => 0x9E6,
        '\u{FF10}'..='\u{FF19}' => 0xFF10,
        _ => return None,
    };
    Some(u32::from(c) - zero)
}
