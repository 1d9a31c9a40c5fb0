//! Turns almost-JSON into JSON in one pass.

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Deepest nesting kept. A feed needs five levels, and the JSON parser stops at 128.
const MAX_DEPTH: usize = 100;

/// Text that is JSON again.
pub(super) struct Relaxed {
    pub(super) text: String,
    /// The text ended before its outermost bracket closed.
    pub(super) truncated: bool,
    /// It ended within an item: deeper than the feed and its list of items.
    pub(super) within_item: bool,
}

/// Puts right what hand-made or cut-off JSON has wrong: raw line breaks and unknown escapes in strings, comments,
/// trailing commas, words that are no JSON, text after the end, a missing end.
///
/// What is deeper than 100 levels is left out.
pub(super) fn relax(text: &str) -> Relaxed {
    let mut relaxer = Relaxer {
        out: String::with_capacity(text.len() + 64),
        open: Vec::new(),
        beyond: 0,
        pending: None,
        value: false,
        key: false,
    };
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' => relaxer.string(c, &mut chars),
            '{' | '[' => relaxer.open(c),
            '}' | ']' => {
                relaxer.close();
                if relaxer.open.is_empty() {
                    return Relaxed {
                        text: relaxer.out,
                        truncated: false,
                        within_item: false,
                    };
                }
            }
            ',' | ':' => relaxer.separator(c),
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|c| *c != '\n').is_some() {},
            '/' if chars.peek() == Some(&'*') => {
                let mut last = ' ';
                for c in chars.by_ref() {
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
            }
            c if c.is_whitespace() || c == '\u{FEFF}' => {}
            c => {
                let mut word = String::from(c);
                while let Some(c) =
                    chars.next_if(|c| c.is_alphanumeric() || matches!(c, '.' | '+' | '-' | '_'))
                {
                    word.push(c);
                }
                relaxer.word(&word);
            }
        }
    }
    relaxer.finish()
}

struct Relaxer {
    out: String,
    /// Closing brackets of what is open.
    open: Vec<char>,
    /// Brackets open beyond [`MAX_DEPTH`]; nothing in them is written.
    beyond: usize,
    /// A separator that is written only once something follows it.
    pending: Option<char>,
    /// The last thing written was a value or a key.
    value: bool,
    /// The last thing written was a key.
    key: bool,
}

impl Relaxer {
    /// Writes the separator that was held back, or puts one in where it is missing; returns whether a key comes next.
    fn begin_value(&mut self) -> bool {
        let separator = self.pending.take();
        if self.key && separator == Some(':') {
            self.out.push(':');
            self.key = false;
        } else {
            self.end_key();
            if self.value {
                self.out.push(',');
            }
            self.key = self.open.last() == Some(&'}');
        }
        self.value = true;
        self.key
    }

    /// Gives a key without a value null.
    fn end_key(&mut self) {
        if std::mem::take(&mut self.key) {
            self.out.push_str(":null");
        }
    }

    fn open(&mut self, bracket: char) {
        if self.beyond > 0 || self.open.len() >= MAX_DEPTH {
            self.beyond += 1;
            return;
        }
        if self.begin_value() {
            self.out.push_str("\"\":");
            self.key = false;
        }
        self.out.push(bracket);
        self.open.push(if bracket == '{' { '}' } else { ']' });
        self.value = false;
    }

    fn close(&mut self) {
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        self.end_key();
        self.pending = None;
        if let Some(bracket) = self.open.pop() {
            self.out.push(bracket);
        }
        self.value = true;
    }

    fn separator(&mut self, separator: char) {
        if self.value && self.beyond == 0 {
            self.pending = Some(separator);
        }
    }

    fn word(&mut self, word: &str) {
        if self.beyond > 0 {
            return;
        }
        let key = self.begin_value();
        let known = matches!(word, "true" | "false") || is_number(word);
        match (key, known) {
            (true, _) => {
                self.out.push('"');
                self.out
                    .extend(word.chars().filter(|c| c.is_alphanumeric() || *c == '_'));
                self.out.push('"');
            }
            (false, true) => self.out.push_str(word),
            (false, false) => self.out.push_str("null"),
        }
    }

    fn string(&mut self, quote: char, chars: &mut Chars<'_>) {
        if self.beyond > 0 {
            while let Some(c) = chars.next().filter(|c| *c != quote) {
                if c == '\\' {
                    chars.next();
                }
            }
            return;
        }
        self.begin_value();
        self.out.push('"');
        while let Some(c) = chars.next().filter(|c| *c != quote) {
            match c {
                '\\' => self.escape(chars),
                '"' => self.out.push_str("\\\""),
                '\n' => self.out.push_str("\\n"),
                '\t' => self.out.push_str("\\t"),
                c if c < ' ' => {}
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn escape(&mut self, chars: &mut Chars<'_>) {
        match chars.next() {
            Some(c @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => self.out.extend(['\\', c]),
            Some('u') => {
                let mut code = unit(chars);
                if matches!(code, 0xD800..=0xDBFF)
                    && chars.next_if_eq(&'\\').is_some()
                    && chars.next_if_eq(&'u').is_some()
                {
                    code = 0x10000 + ((code - 0xD800) << 10) + unit(chars).saturating_sub(0xDC00);
                }
                let c = char::from_u32(code).filter(|c| !c.is_control());
                if matches!(c, Some('"' | '\\')) {
                    self.out.push('\\');
                }
                self.out.extend(c);
            }
            // Escapes that JSON does not know mean the character itself; a raw control character means nothing.
            Some(c) if c >= ' ' => self.out.push(c),
            _ => {}
        }
    }

    fn finish(mut self) -> Relaxed {
        let within_item = self.open.len() > 2;
        self.beyond = 0;
        while !self.open.is_empty() {
            self.close();
        }
        Relaxed {
            text: self.out,
            truncated: true,
            within_item,
        }
    }
}

/// Returns whether the word is a number of JSON.
fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && serde_json::from_str::<serde_json::Number>(word).is_ok()
}

/// Reads up to four hexadecimal digits.
fn unit(chars: &mut Chars<'_>) -> u32 {
    let mut code = 0;
    for _ in 0..4 {
        let Some(digit) = chars
            .next_if(char::is_ascii_hexdigit)
            .and_then(|c| c.to_digit(16))
        else {
            break;
        };
        code = code * 16 + digit;
    }
    code
}
