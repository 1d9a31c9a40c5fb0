//! What is computed once for a page before its blocks are described.

use super::boxes::{Sums, sums};
use super::lexicon::{Lexicon, NameWeights};
use super::stats::Stats;
use crate::hash::hash_bytes;
use crate::html::{Block, Document, Tag, heading_level};
use crate::meta::fold;

/// Sums over blocks that are boxed and named alike.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Shape {
    /// Blocks.
    pub(super) blocks: f32,
    /// Words.
    pub(super) words: f32,
    /// Shares of link text.
    pub(super) linked: f32,
    /// Ends of sentences.
    pub(super) stops: f32,
}

/// A page's blocks with what stands around them. All lists have an entry a block but `sums`, which has one an element.
pub(super) struct Grid<'p, 'a> {
    /// The page.
    pub(super) document: &'p Document<'a>,
    /// Counts over the text.
    pub(super) stats: Vec<Stats>,
    /// The innermost element that boxes text, and the three elements around it.
    pub(super) boxes: Vec<[u32; 4]>,
    /// Sums over elements.
    pub(super) sums: Vec<Sums>,
    /// Weight of the names of inline elements around the whole block.
    pub(super) wrapped: Vec<f32>,
    /// Level of the heading that the box is, 0 for none.
    pub(super) headings: Vec<f32>,
    /// Words before the block.
    pub(super) before: Vec<f32>,
    /// The nearest blocks of prose before and behind.
    pub(super) prose_around: Vec<[Option<usize>; 2]>,
    /// Key of the block's shape: tags and classes, but for digits, of its box and of the element around that.
    pub(super) shape_keys: Vec<u64>,
    /// Sums over the blocks of the same shape.
    pub(super) shapes: Vec<Shape>,
    /// Blocks with the same text, and the first of them.
    pub(super) copies: Vec<(f32, usize)>,
}

impl<'p, 'a> Grid<'p, 'a> {
    /// Counts over a page.
    pub(super) fn new(document: &'p Document<'a>, lexicon: &Lexicon) -> Self {
        let blocks = &document.blocks;
        let stats: Vec<Stats> = blocks.iter().map(|block| Stats::of(document, block)).collect();
        let boxes: Vec<[u32; 4]> = blocks.iter().map(|block| boxes_of(document, block)).collect();
        let mut names = NameWeights::new(lexicon);
        let sums = sums(document, &stats, &boxes, &mut names);
        let wrapped = blocks
            .iter()
            .zip(&boxes)
            .map(|(block, [home, ..])| wrapped_weight(document, block.node, *home, &mut names))
            .collect();
        let shape_keys: Vec<u64> = boxes.iter().map(|boxes| shape_key(document, boxes)).collect();
        Self {
            headings: boxes.iter().map(|[home, ..]| heading(document, *home)).collect(),
            before: words_before(&stats),
            prose_around: prose_around(&stats),
            shapes: shapes(&stats, &shape_keys),
            shape_keys,
            copies: copies(&stats),
            document,
            stats,
            boxes,
            sums,
            wrapped,
        }
    }

    /// The sums of an element.
    pub(super) fn sums_of(&self, node: u32) -> Sums {
        self.sums.get(node as usize).copied().unwrap_or_default()
    }

    /// Tells how near two blocks' boxes are related: 3 same box, 2 siblings, 1 cousins, 0 else.
    pub(super) fn kinship(&self, left: usize, right: usize) -> f32 {
        let (Some(a), Some(b)) = (self.boxes.get(left), self.boxes.get(right)) else {
            return 0.0;
        };
        let near = a.iter().zip(b).take(3).position(|(a, b)| a == b);
        near.map_or(0.0, |level| 3.0 - level as f32)
    }
}

/// The innermost element around a block that boxes text, and the three around it; the root is around itself.
fn boxes_of(document: &Document<'_>, block: &Block) -> [u32; 4] {
    let path = document.path(block.node).skip_while(|(_, node)| !node.is_block);
    let mut boxes = [0; 4];
    for (slot, (index, _)) in boxes.iter_mut().zip(path) {
        *slot = index;
    }
    boxes
}

/// The level of the heading that a box is or stands in, 0 for none.
fn heading(document: &Document<'_>, home: u32) -> f32 {
    let mut path = document.path(home).take(3);
    let found = path.find_map(|(_, node)| heading_level(node.tag));
    found.map_or(0.0, f32::from)
}

/// Adds the weights of the inline elements around a whole block, at most four.
fn wrapped_weight(document: &Document<'_>, node: u32, home: u32, names: &mut NameWeights<'_>) -> f32 {
    let path = document.path(node).take_while(|(index, _)| *index != home);
    path.take(4).map(|(_, node)| names.weight(node)).sum()
}

fn words_before(stats: &[Stats]) -> Vec<f32> {
    let mut words = 0.0;
    let before = stats.iter().map(|stat| {
        words += stat.words;
        words - stat.words
    });
    before.collect()
}

fn prose_around(stats: &[Stats]) -> Vec<[Option<usize>; 2]> {
    let mut around = vec![[None; 2]; stats.len()];
    let mut last = None;
    for (row, (stat, [before, _])) in stats.iter().zip(&mut around).enumerate() {
        *before = last;
        last = if stat.is_prose() { Some(row) } else { last };
    }
    let mut next = None;
    for (row, (stat, [_, behind])) in stats.iter().zip(&mut around).enumerate().rev() {
        *behind = next;
        next = if stat.is_prose() { Some(row) } else { next };
    }
    around
}

fn shape_key(document: &Document<'_>, [home, parent, ..]: &[u32; 4]) -> u64 {
    let nodes = [*home, *parent].map(|index| document.node(index));
    nodes.into_iter().flatten().fold(7, |hash, node| {
        let letters = node.class.trim_end_matches(|c: char| c.is_ascii_digit());
        hash_bytes(hash ^ node.tag as u64, letters.as_bytes())
    })
}

fn shapes(stats: &[Stats], keys: &[u64]) -> Vec<Shape> {
    let mut shapes = vec![Shape::default(); stats.len()];
    for_each_group(keys.iter().copied(), |rows| {
        let mut shape = Shape::default();
        for stat in rows.iter().filter_map(|(_, row)| stats.get(*row)) {
            shape.blocks += 1.0;
            shape.words += stat.words;
            shape.linked += stat.linked;
            shape.stops += stat.stops;
        }
        for (_, row) in rows {
            if let Some(slot) = shapes.get_mut(*row) {
                *slot = shape;
            }
        }
    });
    shapes
}

fn copies(stats: &[Stats]) -> Vec<(f32, usize)> {
    let mut copies = vec![(1.0, 0); stats.len()];
    for_each_group(stats.iter().map(|stat| stat.hash), |rows| {
        let first = rows.first().map_or(0, |(_, row)| *row);
        for (_, row) in rows {
            if let Some(slot) = copies.get_mut(*row) {
                *slot = (rows.len() as f32, first);
            }
        }
    });
    copies
}

/// Calls back with the rows of each key, in order. By sorting, not in a hash table: nobody can make it slow.
pub(super) fn for_each_group(keys: impl Iterator<Item = u64>, mut found: impl FnMut(&[(u64, usize)])) {
    let mut sorted: Vec<(u64, usize)> = keys.enumerate().map(|(row, key)| (key, row)).collect();
    sorted.sort_unstable();
    for rows in sorted.chunk_by(|a, b| a.0 == b.0) {
        found(rows);
    }
}

/// Finds the block that shows the title: a heading before a mere copy of its words.
pub(super) fn title_row(document: &Document<'_>, title: &str) -> Option<usize> {
    let folded = fold(title);
    let mut copy = None;
    for (row, block) in document.blocks.iter().enumerate() {
        let length = (block.end - block.start) as usize;
        if length > title.len() * 2 || length * 2 < title.len() {
            continue;
        }
        let text = fold(document.block_text(block));
        if text == folded || (text.len() > 8 && (text.contains(&folded) || folded.contains(&text))) {
            let mut path = document.path(block.node).take(3);
            if path.any(|(_, node)| node.tag == Tag::H1) {
                return Some(row);
            }
            copy = copy.or(Some(row));
        }
    }
    copy
}
