//! Words of users and of articles, in the form that the full-text index understands.
//!
//! The index splits text at everything that is neither letter nor digit, folds case and drops the diacritics of
//! Latin letters. Scripts without spaces are split into single characters here, on both sides, and sought as
//! phrases. Rejected: the trigram tokenizer of SQLite, which knows no words and no word shorter than three
//! letters, and makes the index several times as large.

use std::borrow::Cow;

/// Words that a search may have: beyond it they are ignored. More than people type, and far below the 256 levels
/// that SQLite's parser takes.
const MAX_TERMS: usize = 64;

/// Characters that a search may have.
const MAX_CHARS: usize = 2000;

/// Spaces out characters of scripts that write without spaces.
pub(crate) fn spaced(text: &str) -> Cow<'_, str> {
    if !text.chars().any(unspaced) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() * 4 / 3);
    for c in text.chars() {
        if unspaced(c) {
            out.push(' ');
            out.push(c);
            out.push(' ');
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Tells whether a character is of a script that writes without spaces: Thai, Lao, Myanmar, Khmer, kana, Han.
fn unspaced(c: char) -> bool {
    c >= '\u{e00}'
        && matches!(c,
            '\u{e00}'..='\u{eff}'
            | '\u{1000}'..='\u{109f}'
            | '\u{1780}'..='\u{17ff}'
            | '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}')
}

/// A user's search as two expressions of FTS5.
///
/// All words must occur; `"several words"` occur in that order; `word*` begins with it; `a OR b` is either; `-word`
/// does not occur. Everything else, be it an operator of FTS5 or no language at all, is taken for words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SearchTerms {
    /// What must occur.
    pub(crate) with: Option<String>,
    /// What must not.
    pub(crate) without: Option<String>,
}

/// One piece of a search.
#[derive(Debug, PartialEq, Eq)]
struct Term {
    text: String,
    prefix: bool,
    negative: bool,
    quoted: bool,
}

impl SearchTerms {
    /// Reads what a user typed; never fails.
    pub(crate) fn parse(search: &str) -> Self {
        let mut groups: Vec<Vec<String>> = Vec::new();
        let mut without: Vec<String> = Vec::new();
        let mut or = false;
        for term in split(search).into_iter().take(MAX_TERMS) {
            if term.text == "OR" && !term.quoted && !term.negative && !term.prefix {
                or = !groups.is_empty();
                continue;
            }
            let Some(phrase) = term.phrase() else { continue };
            match groups.last_mut() {
                _ if term.negative => without.push(phrase),
                Some(group) if or => group.push(phrase),
                _ => groups.push(vec![phrase]),
            }
            or = false;
        }
        let with: Vec<String> = groups.iter().map(|g| format!("({})", g.join(" OR "))).collect();
        Self {
            with: (!with.is_empty()).then(|| with.join(" AND ")),
            without: (!without.is_empty()).then(|| without.join(" OR ")),
        }
    }
}

impl Term {
    /// The term as a phrase of FTS5; none where it holds nothing that is indexed.
    fn phrase(&self) -> Option<String> {
        if !self.text.chars().any(char::is_alphanumeric) {
            return None;
        }
        let star = if self.prefix { "*" } else { "" };
        Some(format!("\"{}\"{star}", spaced(&self.text).trim()))
    }
}

/// Cuts a search into terms: at white space, quotes keep together.
fn split(search: &str) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut current = String::new();
    let (mut negative, mut quoted) = (false, false);
    // A NUL would end SQLite's reading of the expression.
    let mut chars = search.chars().take(MAX_CHARS).filter(|c| *c != '\0').peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '“' | '”' | '„' => {
                let prefix = quoted && chars.peek() == Some(&'*');
                let text = std::mem::take(&mut current);
                terms.push(Term {
                    text,
                    prefix,
                    negative,
                    quoted,
                });
                negative &= !quoted;
                quoted = !quoted;
            }
            c if c.is_whitespace() && !quoted => {
                terms.push(word(std::mem::take(&mut current), negative));
                negative = false;
            }
            '-' if current.is_empty() && !quoted => negative = true,
            c => current.push(c),
        }
    }
    terms.push(word(current, negative));
    terms.retain(|t| !t.text.is_empty());
    terms
}

fn word(text: String, negative: bool) -> Term {
    let prefix = text.ends_with('*');
    Term {
        text: if prefix {
            text.trim_end_matches('*').to_owned()
        } else {
            text
        },
        prefix,
        negative,
        quoted: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(search: &str, with: Option<&str>, without: Option<&str>) {
        let expected = SearchTerms {
            with: with.map(str::to_owned),
            without: without.map(str::to_owned),
        };
        assert_eq!(SearchTerms::parse(search), expected, "{search:?}");
    }

    #[test]
    fn words_phrases_prefixes_and_operators() {
        check("Kyiv talks", Some(r#"("Kyiv") AND ("talks")"#), None);
        check("переговор*", Some(r#"("переговор"*)"#), None);
        check(
            r#""peace plan" -sport"#,
            Some(r#"("peace plan")"#),
            Some(r#""sport""#),
        );
        check("„peace plan“*", Some(r#"("peace plan"*)"#), None);
        check(
            "NATO OR OTAN summit",
            Some(r#"("NATO" OR "OTAN") AND ("summit")"#),
            None,
        );
        check(r#"-"winter sport" -x*"#, None, Some(r#""winter sport" OR "x"*"#));
        check("北京", Some(r#"("北  京")"#), None);
    }

    #[test]
    fn what_fts5_would_take_for_syntax_is_words() {
        check("title:a", Some(r#"("title:a")"#), None);
        check(
            "a AND NOT b",
            Some(r#"("a") AND ("AND") AND ("NOT") AND ("b")"#),
            None,
        );
        check("NEAR(a b, 5)", Some(r#"("NEAR(a") AND ("b,") AND ("5)")"#), None);
        check("OR a OR", Some(r#"("a")"#), None);
        check("a\0b", Some(r#"("ab")"#), None);
        for nothing in ["", "  ", "\"", "\"\"", "*", "- -- -*", "&& || !", "“”"] {
            check(nothing, None, None);
        }
    }

    #[test]
    fn is_bounded() {
        let long = "a ".repeat(10_000);
        let with = SearchTerms::parse(&long).with.unwrap_or_default();
        assert_eq!(with.matches("(\"a\")").count(), MAX_TERMS);
    }

    #[test]
    fn leaves_scripts_with_spaces_alone() {
        assert!(matches!(spaced("Київ and Ελλάδα, 한국"), Cow::Borrowed(_)));
        assert_eq!(spaced("NATO峰会"), "NATO 峰  会 ");
    }
}
