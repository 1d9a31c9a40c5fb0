//! Words of users and of articles, in the form that the full-text index understands.
//!
//! The index splits text at everything that is neither letter nor digit, folds case and drops the diacritics of
//! Latin letters. Scripts without spaces are split into single characters here, on both sides, and sought as
//! phrases. Rejected: the trigram tokenizer of SQLite, which knows no words and no word shorter than three
//! letters, and makes the index several times as large.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

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
pub(crate) fn unspaced(c: char) -> bool {
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
        let (groups, without) = parse(search, Term::phrase);
        let with: Vec<String> = groups.iter().map(|g| format!("({})", g.join(" OR "))).collect();
        Self {
            with: (!with.is_empty()).then(|| with.join(" AND ")),
            without: (!without.is_empty()).then(|| without.join(" OR ")),
        }
    }

    /// Tells whether nothing is sought.
    pub(crate) fn is_empty(&self) -> bool {
        self.with.is_none() && self.without.is_none()
    }

    /// Gives both as one expression.
    pub(crate) fn joined(&self) -> String {
        let with = self.with.as_deref().unwrap_or_default();
        match &self.without {
            Some(without) => format!("({with}) NOT ({without})"),
            None => with.to_owned(),
        }
    }
}

/// A user's search as PostgreSQL's `to_tsquery` takes it, with the meaning that [`SearchTerms`] have; none where nothing
/// is sought.
pub(crate) fn tsquery(search: &str) -> Option<String> {
    let (groups, without) = parse(search, Term::lexemes);
    let with = groups.iter().map(|g| format!("({})", g.join(" | ")));
    let without = without.iter().map(|term| format!("!{term}"));
    let all: Vec<String> = with.chain(without).collect();
    (!all.is_empty()).then(|| all.join(" & "))
}

/// Reads what a user typed: groups of terms of each of which one must occur, and terms that must not, each in the form
/// that `form` gives it, if any.
fn parse(search: &str, form: fn(&Term) -> Option<String>) -> (Vec<Vec<String>>, Vec<String>) {
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut without: Vec<String> = Vec::new();
    let mut or = false;
    for term in split(search).into_iter().take(MAX_TERMS) {
        if term.text == "OR" && !term.quoted && !term.negative && !term.prefix {
            or = !groups.is_empty();
            continue;
        }
        let Some(phrase) = form(&term) else { continue };
        match groups.last_mut() {
            _ if term.negative => without.push(phrase),
            Some(group) if or => group.push(phrase),
            _ => groups.push(vec![phrase]),
        }
        or = false;
    }
    (groups, without)
}

/// What of a text a search asks for, to be marked: words that must occur, as phrases of folded words.
#[derive(Debug, Clone, Default)]
pub struct Marker(Vec<Phrase>);

#[derive(Debug, Clone)]
struct Phrase {
    words: Vec<String>,
    prefix: bool,
}

impl Marker {
    /// Reads what a user typed, as [`Query::search`](crate::Query::search) does.
    pub fn new(search: &str) -> Self {
        let terms = split(search).into_iter().take(MAX_TERMS);
        let phrases = terms.filter(|t| !t.negative && (t.quoted || t.prefix || t.text != "OR"));
        let phrases = phrases.map(|term| Phrase {
            words: words(&term.text).map(|(_, word)| word).collect(),
            prefix: term.prefix,
        });
        Self(phrases.filter(|p| !p.words.is_empty()).collect())
    }

    /// Tells whether there is no word that must occur.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Finds byte ranges of a text that match, in order, none within another; at most `limit`.
    ///
    /// Time is linear in the text as far as the last of them, for each of the at most 64 terms.
    pub fn find(&self, text: &str, limit: usize) -> Vec<Range<usize>> {
        if self.0.is_empty() {
            return Vec::new();
        }
        // No more words are read than the longest phrase has, and none behind the last mark.
        let longest = self.0.iter().map(|p| p.words.len()).max().unwrap_or(1);
        let mut words = words(text);
        let mut ahead: VecDeque<(Range<usize>, String)> = VecDeque::new();
        let mut found = Vec::new();
        while found.len() < limit {
            ahead.extend(words.by_ref().take(longest - ahead.len()));
            let Some((first, _)) = ahead.front() else { break };
            let length = self.0.iter().filter_map(|p| p.matches(&ahead)).max();
            if let Some((last, _)) = length.and_then(|n| ahead.get(n - 1)) {
                found.push(first.start..last.end);
            }
            ahead.drain(..length.unwrap_or(1));
        }
        found
    }
}

impl Phrase {
    /// Words at the beginning of the text that the phrase matches.
    fn matches(&self, text: &VecDeque<(Range<usize>, String)>) -> Option<usize> {
        if text.len() < self.words.len() {
            return None;
        }
        let last = self.words.len() - 1;
        let same = |(i, (sought, (_, word))): (usize, (&String, &(Range<usize>, String)))| {
            word == sought || (self.prefix && i == last && word.starts_with(sought.as_str()))
        };
        self.words
            .iter()
            .zip(text)
            .enumerate()
            .all(same)
            .then_some(self.words.len())
    }
}

/// Words of a text as the index has them: where they stand, and folded.
fn words(text: &str) -> impl Iterator<Item = (Range<usize>, String)> {
    let part = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, first) = chars.by_ref().find(|(_, c)| part(*c))?;
        let mut end = start + first.len_utf8();
        let mut word = String::new();
        fold(first, &mut word);
        while let Some((at, c)) = chars.next_if(|(_, c)| part(*c) && !unspaced(*c) && !unspaced(first)) {
            end = at + c.len_utf8();
            fold(c, &mut word);
        }
        Some((start..end, word))
    })
}

/// Folds case and takes the marks off Latin letters, as the index does.
fn fold(c: char, out: &mut String) {
    for lower in c.to_lowercase().filter(|c| !is_combining_mark(*c)) {
        let base = lower.nfd().next().unwrap_or(lower);
        out.push(if base.is_ascii() { base } else { lower });
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

    /// The term as PostgreSQL takes it: quoted, its words are sought in this order.
    fn lexemes(&self) -> Option<String> {
        if !self.text.chars().any(char::is_alphanumeric) {
            return None;
        }
        let quoted = self.text.replace('\\', "\\\\").replace('\'', "''");
        let star = if self.prefix { ":*" } else { "" };
        Some(format!("'{quoted}'{star}"))
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
    fn postgresql_is_asked_for_the_same() {
        for (search, wanted) in [
            ("Kyiv talks", "('Kyiv') & ('talks')"),
            (
                r#"NATO OR "peace plan"* -sport"#,
                "('NATO' | 'peace plan':*) & !'sport'",
            ),
            (r"d'Or \ a&b:*", r"('d''Or') & ('a&b:':*)"),
            (r"a\'b", r"('a\\''b')"),
            ("-a -b", "!'a' & !'b'"),
        ] {
            assert_eq!(tsquery(search).as_deref(), Some(wanted), "{search}");
        }
        for nothing in ["", "\"", "-", "&& || !", "\0"] {
            assert_eq!(tsquery(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn is_bounded() {
        let long = "a ".repeat(10_000);
        let with = SearchTerms::parse(&long).with.unwrap_or_default();
        assert_eq!(with.matches("(\"a\")").count(), MAX_TERMS);
    }

    fn marked(search: &str, text: &str) -> String {
        let mut out = String::new();
        let mut at = 0;
        for range in Marker::new(search).find(text, 100) {
            out.push_str(text.get(at..range.start).unwrap_or_default());
            out.push_str(&format!("[{}]", text.get(range.clone()).unwrap_or_default()));
            at = range.end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        out
    }

    #[test]
    fn marks_what_a_search_finds() {
        for (search, expected) in [
            (
                "kyiv",
                "Talks in [Kyiv], Élysée; peace plan, plan for peace, 北京",
            ),
            (
                "elysee OR TALKS -plan",
                "[Talks] in Kyiv, [Élysée]; peace plan, plan for peace, 北京",
            ),
            (
                "\"peace plan\" in",
                "Talks [in] Kyiv, Élysée; [peace plan], plan for peace, 北京",
            ),
            (
                "pe*",
                "Talks in Kyiv, Élysée; [peace] plan, plan for [peace], 北京",
            ),
            (
                "北京",
                "Talks in Kyiv, Élysée; peace plan, plan for peace, [北京]",
            ),
            ("-kyiv", "Talks in Kyiv, Élysée; peace plan, plan for peace, 北京"),
            ("yiv", "Talks in Kyiv, Élysée; peace plan, plan for peace, 北京"),
        ] {
            let text = "Talks in Kyiv, Élysée; peace plan, plan for peace, 北京";
            assert_eq!(marked(search, text), expected, "{search}");
        }
        assert_eq!(marked("їжак", "Їжак і їжаки"), "[Їжак] і їжаки");
        assert_eq!(marked("мои", "мой мои"), "мой [мои]");
        assert_eq!(Marker::new("a").find(&"a ".repeat(1000), 7).len(), 7);
    }

    #[test]
    fn leaves_scripts_with_spaces_alone() {
        assert!(matches!(spaced("Київ and Ελλάδα, 한국"), Cow::Borrowed(_)));
        assert_eq!(spaced("NATO峰会"), "NATO 峰  会 ");
    }
}
