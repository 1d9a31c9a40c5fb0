//! Makes a [`Document`] of plain text, so that scrapes are judged like pages.

use super::page::{Block, Document, Node};
use super::tag::Tag;

/// Signs that scrapers put before list items.
const BULLETS: [char; 6] = ['*', '•', '-', '–', '·', '▪'];
/// Lines beyond this number are not read, as with pages.
const MAX_LINES: usize = 65_536;

/// Reads every line that is not empty as a block; lines with a bullet become list items without it.
pub(crate) fn read_lines(text: &str) -> Document<'_> {
    let node = |tag, depth| Node {
        tag,
        parent: 0,
        depth,
        is_block: true,
        class: "",
        id: "",
        role: "",
    };
    let nodes = vec![node(Tag::Body, 0), node(Tag::P, 1), node(Tag::Li, 1)];
    let mut document = Document {
        nodes,
        ..Document::default()
    };
    for line in text.lines().take(MAX_LINES) {
        let line = line.trim();
        let item = line
            .strip_prefix(BULLETS)
            .filter(|rest| rest.starts_with(' '))
            .map(str::trim);
        let words = item.unwrap_or(line);
        if words.is_empty() {
            continue;
        }
        let start = u32::try_from(document.text.len()).unwrap_or(u32::MAX);
        document.text.push_str(words);
        let end = u32::try_from(document.text.len()).unwrap_or(u32::MAX);
        document.text.push('\n');
        document.blocks.push(Block {
            start,
            end,
            node: if item.is_some() { 2 } else { 1 },
            ..Block::default()
        });
    }
    document
}
