//! Chooses the blocks that are the story.

use crate::html::{Block, Document, Tag};
use crate::meta::Statements;

/// The story of a page.
pub(crate) struct Selected {
    /// Its paragraphs, joined by newlines.
    pub(crate) text: String,
    /// How likely the text is the whole story and nothing else, 0 to 1.
    pub(crate) quality: f64,
}

/// Chooses the box with most prose and leaves out what in it is no prose.
pub(crate) fn article(document: &Document<'_>, _said: &Statements, _title: Option<&str>) -> Selected {
    let mut weights = vec![0f32; document.nodes.len()];
    for block in &document.blocks {
        let prose = prose_words(document, block);
        let mut share = prose;
        for (node, _) in document
            .path(block.node)
            .filter(|(_, node)| node.is_block)
            .skip(1)
            .take(4)
        {
            if let Some(weight) = weights.get_mut(node as usize) {
                *weight += share;
            }
            share *= 0.8;
        }
    }
    let best = weights
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1))
        .map_or(0, |(index, _)| index);
    let mut text = String::new();
    for block in &document.blocks {
        let inside = document.path(block.node).any(|(node, _)| node as usize == best);
        let is_story = document.path(block.node).all(|(_, node)| !is_aside(node.tag));
        if inside && is_story && block.link_bytes * 2 < block.end - block.start && !block.hidden {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(document.block_text(block));
        }
    }
    let quality = if text.is_empty() { 0.0 } else { 0.5 };
    Selected { text, quality }
}

fn is_aside(tag: Tag) -> bool {
    matches!(
        tag,
        Tag::Aside
            | Tag::Nav
            | Tag::Footer
            | Tag::Header
            | Tag::Figcaption
            | Tag::Form
            | Tag::Figure
            | Tag::H1
    )
}

/// Counts the words of a block that reads like prose.
fn prose_words(document: &Document<'_>, block: &Block) -> f32 {
    let text = document.block_text(block);
    let words = text.split_whitespace().count();
    let linked = block.link_bytes * 3 > block.end - block.start;
    if words < 10 || linked || !text.contains(['.', '!', '?', '。', '…']) {
        0.0
    } else {
        words as f32
    }
}
