//! Chooses the blocks that are the story.
//!
//! Each block is described by numbers (`features`); a learned forest gives it a score; a second forest sees the scores
//! of the blocks around and decides. Rejected: choosing one box and cleaning it, the way of most extractors: it
//! loses stories that are spread over boxes and keeps what sites put between paragraphs.

mod boxes;
mod context;
mod drawn;
mod echo;
mod features;
mod forest;
mod grid;
mod lexicon;
mod stats;
mod table;
mod witness;

use std::collections::HashMap;
use std::sync::LazyLock;

pub(crate) use context::context;
pub(crate) use features::features;
pub use forest::{Forest, HOPELESS, MAX_DEPTH, Tree};
pub use lexicon::Lexicon;
pub use table::Table;

use crate::hash::hash_word;
use crate::html::{self, Document};
use crate::meta::Statements;

/// The story of a page.
pub(crate) struct Selected {
    /// Its paragraphs, joined by newlines.
    pub(crate) text: String,
    /// How likely the text is the whole story and nothing else, 0 to 1.
    pub(crate) quality: f64,
    /// Words that are more likely the story than not, lines of nothing but links left out.
    pub(crate) sure_words: usize,
}

/// Everything that is learned.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// Weights of words.
    pub lexicon: Lexicon,
    /// Scores blocks by themselves.
    pub first: Forest,
    /// Scores blocks by themselves and by the first scores around.
    pub second: Forest,
    /// Scores the lines of plain text.
    pub lines: Forest,
}

/// The weights; where they come from is told in `weights/README.md`. A test reads them, so they are whole.
static MODEL: LazyLock<Model> = LazyLock::new(|| Model {
    lexicon: Lexicon::from_text(include_str!("../../weights/lexicon.tsv")).unwrap_or_default(),
    first: Forest::from_text(include_str!("../../weights/first.txt")).unwrap_or_default(),
    second: Forest::from_text(include_str!("../../weights/second.txt")).unwrap_or_default(),
    lines: Forest::from_text(include_str!("../../weights/lines.txt")).unwrap_or_default(),
});

/// The score (log-odds) above which a block is the story: even odds. In cross-validation news texts are best at 0 to
/// 0.5, others at -0.5.
pub(crate) const THRESHOLD: f32 = 0.0;

/// Chooses the blocks of the story.
pub(crate) fn article(document: &Document<'_>, said: &Statements, title: Option<&str>) -> Selected {
    let chosen = shown(document, said, title);
    let hidden = hidden_body(said, &chosen.text);
    let hidden = hidden.map(|text| (text.split_whitespace().count(), text));
    match hidden.or_else(|| Some((chosen.sure_words, drawn_text(document, title, &chosen.text)?))) {
        Some((sure_words, text)) => Selected {
            quality: HIDDEN_QUALITY,
            sure_words,
            text,
        },
        None => chosen,
    }
}

/// Chooses among the blocks that a page shows.
fn shown(document: &Document<'_>, said: &Statements, title: Option<&str>) -> Selected {
    let model = &*MODEL;
    let mut table = features(document, said, title, &model.lexicon);
    let first = model.first.scores(&table.columns, table.rows);
    context(document, &first, &mut table);
    let scores = model.second.refine(&table, &first);
    choose(document, &scores)
}

/// Takes the text that a page has its scripts draw, where it shows next to nothing itself. What kind of page it is,
/// what it shows still tells.
fn drawn_text(document: &Document<'_>, title: Option<&str>, chosen: &str) -> Option<String> {
    if chosen.split_whitespace().nth(TOO_FEW_WORDS).is_some() {
        return None;
    }
    let markup = drawn::markup(&document.scripts)?;
    let text = shown(&html::read(&markup), &Statements::default(), title).text;
    (text.split_whitespace().count() >= BODY_WORDS).then_some(text)
}

/// Words that a stated body must have before it is taken instead of what the page shows.
const BODY_WORDS: usize = 80;
/// Quality of a text that only the statements have: nothing that the page shows speaks for it.
const HIDDEN_QUALITY: f64 = 0.6;

/// Takes the text that a page states but does not show, as pages do whose story is drawn by scripts: where it is
/// more than twice as long as what was chosen.
fn hidden_body(said: &Statements, chosen: &str) -> Option<String> {
    let body = said.body.as_deref()?;
    let words = body.split_whitespace().count();
    (words >= BODY_WORDS && words > 2 * chosen.split_whitespace().count()).then(|| body.to_owned())
}

/// Chooses the lines of the story of a plain-text scrape.
pub(crate) fn lines(document: &Document<'_>, said: &Statements, title: Option<&str>) -> Selected {
    let table = features(document, said, title, &MODEL.lexicon);
    let scores = MODEL.lines.scores(&table.columns, table.rows);
    choose(document, &scores)
}

/// Copies of one text on a page that make it furniture, such as a note in place of every picture.
const FURNITURE_COPIES: u32 = 3;
/// Bytes from which a second copy is left out: short lines may be said twice.
const COPY_BYTES: usize = 40;
/// Words below which a choice is taken as failed, and how far the threshold then falls.
const TOO_FEW_WORDS: usize = 25;
const SECOND_THRESHOLD: f32 = -2.0;

/// Joins the blocks above the threshold, without copies; where next to nothing is above it, those above a lower one.
fn choose(document: &Document<'_>, scores: &[f32]) -> Selected {
    let text = join_above(document, scores, THRESHOLD);
    let is_enough = |text: &str| text.split_whitespace().nth(TOO_FEW_WORDS).is_some();
    let more = (!is_enough(&text))
        .then(|| join_above(document, scores, SECOND_THRESHOLD))
        .filter(|more| is_enough(more));
    Selected {
        text: more.unwrap_or(text),
        quality: quality(document, scores),
        sure_words: sure_words(document, scores),
    }
}

/// Counts the words above the threshold that are not in lines of nothing but links.
fn sure_words(document: &Document<'_>, scores: &[f32]) -> usize {
    let chosen = document.blocks.iter().zip(scores);
    let sure = chosen.filter(|(block, score)| **score > THRESHOLD && !block.is_link());
    sure.map(|(block, _)| document.block_text(block).split_whitespace().count())
        .sum()
}

/// The text that the cleaner makes of a page's blocks under these scores.
pub(crate) fn join(document: &Document<'_>, scores: &[f32]) -> String {
    choose(document, scores).text
}

fn join_above(document: &Document<'_>, scores: &[f32], threshold: f32) -> String {
    let chosen = || {
        document
            .blocks
            .iter()
            .zip(scores)
            .filter(|(_, score)| **score > threshold)
    };
    let mut copies: HashMap<&str, u32> = HashMap::new();
    let long = chosen().filter(|(block, _)| (block.end - block.start) as usize >= COPY_BYTES);
    for (block, _) in long {
        *copies.entry(document.block_text(block)).or_default() += 1;
    }
    let mut text = String::new();
    for (block, _) in chosen() {
        let words = document.block_text(block);
        if words.len() >= COPY_BYTES {
            let count = copies
                .get_mut(words)
                .map_or(0, |count| std::mem::replace(count, u32::MAX));
            if count >= FURNITURE_COPIES {
                continue;
            }
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(words);
    }
    text
}

/// Estimates which share of the chosen and the wrongly left words is right, from how sure the scores are.
fn quality(document: &Document<'_>, scores: &[f32]) -> f64 {
    let (mut sure, mut all) = (0.0, 0.0);
    for (block, score) in document.blocks.iter().zip(scores) {
        let bytes = f64::from(block.end - block.start);
        let chance = 1.0 / (1.0 + f64::from(-score).exp());
        if *score > THRESHOLD {
            sure += bytes * chance;
            all += bytes;
        } else {
            all += bytes * chance;
        }
    }
    if sure > 0.0 { sure / all } else { 0.0 }
}

/// Calls back with every word that the lexicon may weigh: block, hash, spelling.
pub(crate) fn lexicon_words(document: &Document<'_>, mut found: impl FnMut(usize, u64, &str)) {
    for (row, block) in document.blocks.iter().enumerate() {
        for (_, node) in document.path(block.node) {
            for value in [node.class, node.id, node.role] {
                lexicon::class_words(value, |word| found(row, hash_word(word.as_bytes()), word));
            }
        }
        lexicon::short_line_words(document.block_text(block), |hash, word| found(row, hash, word));
    }
}
