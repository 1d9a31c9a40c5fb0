//! Texts with marks: what a search found, and what spoke for a tag.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;
use telex_model::{Tag, Tagged, Where};
use telex_sink::Marker;

/// Marks of a search in one text.
const MAX_MARKS: usize = 1000;

/// Characters of a text that are shown: the longest reports have a fifth of it.
const MAX_SHOWN: usize = 200_000;

/// Characters around the first mark of an excerpt.
const BEFORE: usize = 80;

/// Characters of an excerpt.
pub(crate) const EXCERPT: usize = 280;

/// A piece of text, marked or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Piece {
    text: String,
    /// Why it is marked; none where it is not.
    mark: Option<String>,
    /// How it is marked: `found`, `for` or `against`.
    class: Option<&'static str>,
}

/// A place to be marked, in bytes.
#[derive(Debug, Clone)]
struct Mark {
    range: Range<usize>,
    why: String,
    class: &'static str,
}

/// Marks what a search finds.
pub(crate) fn found(text: &str, search: Option<&Marker>) -> Vec<Piece> {
    let found = search.map(|s| s.find(text, MAX_MARKS)).unwrap_or_default();
    let marks = found.into_iter().map(|range| Mark {
        range,
        why: "found".to_owned(),
        class: "found",
    });
    cut(text, &marks.collect::<Vec<_>>(), 0..text.len())
}

/// Cuts the beginning of a text, or the place where a search finds something.
pub(crate) fn excerpt(text: &str, search: Option<&Marker>) -> Vec<Piece> {
    let beginning = text
        .char_indices()
        .nth(MAX_SHOWN)
        .map_or(text.len(), |(at, _)| at);
    let text = text.get(..beginning).unwrap_or_default();
    let first = search
        .and_then(|s| s.find(text, 1).into_iter().next())
        .map_or(0, |r| r.start);
    let before = text.get(..first).unwrap_or_default();
    let start = before.char_indices().rev().nth(BEFORE).map_or(0, |(at, _)| at);
    // At a word, where there are spaces between words.
    let start = match before.get(start..).and_then(|b| b.find(' ')) {
        Some(space) if start > 0 => start + space + 1,
        _ => start,
    };
    let rest = text.get(start..).unwrap_or_default();
    let end = rest.char_indices().nth(EXCERPT).map_or(rest.len(), |(at, _)| at);
    let end = match rest.get(..end).and_then(|shown| shown.rfind(' ')) {
        Some(space) if end < rest.len() && space > end / 2 => space,
        _ => end,
    };
    let shown = rest.get(..end).unwrap_or_default().replace('\n', " ");
    let mut pieces = found(&shown, search);
    let dots = |text: &str| Piece {
        text: text.to_owned(),
        mark: None,
        class: None,
    };
    if start > 0 {
        pieces.insert(0, dots("… "));
    }
    if end < rest.len() {
        pieces.push(dots(" …"));
    }
    pieces
}

/// A text in paragraphs, with what spoke for its tags and what a search finds.
pub(crate) struct Marked {
    pub(crate) title: Vec<Piece>,
    pub(crate) paragraphs: Vec<Vec<Piece>>,
    /// The text is longer than what is shown.
    pub(crate) cut: bool,
}

/// Marks an article.
pub(crate) fn article(article: &Tagged, search: Option<&Marker>) -> Marked {
    let end = article.text.char_indices().nth(MAX_SHOWN).map(|(at, _)| at);
    let text = article
        .text
        .get(..end.unwrap_or(article.text.len()))
        .unwrap_or_default();
    let title = marks(&article.title, &article.tags, Where::Title, search);
    let marks = marks(text, &article.tags, Where::Text, search);
    let mut paragraphs = Vec::new();
    let mut at = 0;
    for line in text.split('\n') {
        if !line.trim().is_empty() {
            paragraphs.push(cut(text, &marks, at..at + line.len()));
        }
        at += line.len() + 1;
    }
    Marked {
        title: cut(&article.title, &title, 0..article.title.len()),
        paragraphs,
        cut: end.is_some(),
    }
}

/// Places to be marked, in order, none within another: evidence first, for that is what the page is for.
fn marks(text: &str, tags: &[Tag], place: Where, search: Option<&Marker>) -> Vec<Mark> {
    let mut said: BTreeMap<(usize, usize), (Vec<String>, f64)> = BTreeMap::new();
    for tag in tags {
        for evidence in tag.evidence.iter().filter(|e| e.place == place) {
            let entry = said.entry((evidence.start, evidence.end)).or_default();
            entry.0.push(format!(
                "{}: {} {:+.1}",
                tag.topic, evidence.term, evidence.weight
            ));
            entry.1 += evidence.weight;
        }
    }
    let mut places = Places::new(text);
    let evidence = said.into_iter().filter_map(|((start, end), (why, weight))| {
        let class = if weight < 0.0 { "against" } else { "for" };
        let range = places.byte(start)?..places.byte(end)?;
        (!range.is_empty()).then(|| Mark {
            range,
            why: why.join("; "),
            class,
        })
    });
    let mut marks: Vec<Mark> = evidence.collect();
    let found = search.map(|s| s.find(text, MAX_MARKS)).unwrap_or_default();
    marks.extend(found.into_iter().map(|range| Mark {
        range,
        why: "found".to_owned(),
        class: "found",
    }));
    // Stable: where two begin together, evidence stays.
    marks.sort_by_key(|m| m.range.start);
    let mut end = 0;
    marks.retain(|m| {
        let apart = m.range.start >= end;
        if apart {
            end = m.range.end;
        }
        apart
    });
    marks
}

/// Byte places of code points.
struct Places(Vec<usize>);

impl Places {
    fn new(text: &str) -> Self {
        let mut places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        places.push(text.len());
        Self(places)
    }

    fn byte(&mut self, point: usize) -> Option<usize> {
        self.0.get(point).copied()
    }
}

/// Cuts a range of a text into marked and other pieces.
fn cut(text: &str, marks: &[Mark], range: Range<usize>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = range.start;
    let mut push = |range: Range<usize>, mark: Option<&Mark>| {
        let text = text.get(range).unwrap_or_default();
        if !text.is_empty() {
            pieces.push(Piece {
                text: text.to_owned(),
                mark: mark.map(|m| m.why.clone()),
                class: mark.map(|m| m.class),
            });
        }
    };
    let first = marks.partition_point(|m| m.range.end <= range.start);
    for mark in marks.iter().skip(first).take_while(|m| m.range.start < range.end) {
        let (start, end) = (mark.range.start.max(range.start), mark.range.end.min(range.end));
        push(at..start, None);
        push(start..end, Some(mark));
        at = end;
    }
    push(at..range.end, None);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(pieces: &[Piece]) -> String {
        let piece = |p: &Piece| match p.class {
            Some(class) => format!("[{class} {}]", p.text),
            None => p.text.clone(),
        };
        pieces.iter().map(piece).collect()
    }

    fn tagged(text: &str, evidence: &[(usize, usize, f64)]) -> Tagged {
        let evidence: Vec<_> = evidence
            .iter()
            .map(|(start, end, weight)| {
                serde_json::json!({"term": "x", "where": "text", "start": start, "end": end, "weight": weight})
            })
            .collect();
        let value = serde_json::json!({
            "id": "0".repeat(32), "revision": 1, "topics_version": "0", "url": "", "title": "Їжак", "text": text,
            "authors": [], "first_seen": "2026-11-22T00:00:00Z", "kind": "article",
            "source": {"feed_url": "", "domain": ""},
            "tags": [{"topic": "nato", "score": 0.9, "evidence": evidence}],
        });
        serde_json::from_value(value).expect("a tagged article")
    }

    #[test]
    fn marks_evidence_by_code_points_and_what_was_found() {
        let search = Marker::new("plan");
        let marked = article(
            &tagged("Про НАТО\nі plan \u{1f600}b", &[(4, 8, 1.5), (16, 18, -1.0)]),
            Some(&search),
        );
        let text: Vec<String> = marked.paragraphs.iter().map(|p| plain(p)).collect();
        assert_eq!(text, ["Про [for НАТО]", "і [found plan] [against \u{1f600}b]"]);
        assert!(!marked.cut);
    }

    #[test]
    fn evidence_that_is_nowhere_or_overlaps_breaks_nothing() {
        let places = [
            (0, 3, 1.0),
            (1, 2, 1.0),
            (5, 4, 1.0),
            (2, 99, 1.0),
            (usize::MAX, usize::MAX, 1.0),
        ];
        let marked = article(&tagged("abcdef", &places), None);
        assert_eq!(plain(marked.paragraphs.first().expect("one")), "[for abc]def");
    }

    #[test]
    fn huge_texts_are_cut() {
        let marked = article(&tagged(&"ї ".repeat(MAX_SHOWN), &[]), None);
        assert!(marked.cut);
        assert_eq!(
            plain(&excerpt(&"ї".repeat(1000), None)).chars().count(),
            EXCERPT + 2
        );
    }

    #[test]
    fn an_excerpt_is_around_what_was_found() {
        let text = format!("{} needle {}", "hay ".repeat(100), "hay ".repeat(100));
        let shown = plain(&excerpt(&text, Some(&Marker::new("needle"))));
        assert!(shown.starts_with("… ") && shown.contains("[found needle]") && shown.ends_with(" …"));
    }
}
