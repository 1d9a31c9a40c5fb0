//! Sums over the elements around blocks: how much text, links and prose each holds, and what its names say.

use super::lexicon::NameWeights;
use super::stats::Stats;
use crate::html::{Document, Tag};

/// Sums over everything inside an element, and what it inherits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    /// Blocks.
    pub(super) blocks: f32,
    /// Words.
    pub(super) words: f32,
    /// Words of prose.
    pub(super) prose: f32,
    /// Bytes of text.
    pub(super) bytes: f32,
    /// Bytes inside links.
    pub(super) linked: f32,
    /// Weight of its own names.
    pub(super) own: f32,
    /// Sum, least and greatest of the weights from the root down to it.
    pub(super) path_sum: f32,
    /// Least weight on the way down.
    pub(super) path_min: f32,
    /// Greatest weight on the way down.
    pub(super) path_max: f32,
    /// Elements that are around it, as bits.
    pub(super) around: u32,
    /// Steps up to an element that holds most of the page's prose.
    pub(super) steps: f32,
    /// How far that element stands above the innermost one of its kind.
    pub(super) above: f32,
}

/// Bits of [`Sums::around`].
pub(super) const AROUND: [(&str, &[Tag]); 16] = [
    ("in_nav", &[Tag::Nav, Tag::Menu]),
    ("in_aside", &[Tag::Aside]),
    ("in_footer", &[Tag::Footer]),
    ("in_header", &[Tag::Header, Tag::Hgroup]),
    ("in_form", &[Tag::Form, Tag::Fieldset, Tag::Label]),
    ("in_figure", &[Tag::Figure, Tag::Figcaption, Tag::Caption]),
    ("in_list", &[Tag::Ul, Tag::Ol, Tag::Dl]),
    ("in_table", &[Tag::Table]),
    ("in_quote", &[Tag::Blockquote]),
    ("in_article", &[Tag::Article]),
    ("in_main", &[Tag::Main]),
    ("in_ordered", &[Tag::Ol]),
    ("in_details", &[Tag::Details]),
    ("in_section", &[Tag::Section]),
    ("in_custom", &[Tag::Custom]),
    ("in_paragraph", &[Tag::P]),
];

fn bits(tag: Tag) -> u32 {
    let mut bits = 0;
    for (bit, (_, tags)) in AROUND.iter().enumerate() {
        bits |= u32::from(tags.contains(&tag)) << bit;
    }
    bits
}

/// Greatest weight of an element's own names, so that one box full of names does not drown the rest.
const MAX_OWN: f32 = 6.0;

/// Computes the sums of every element; `boxes` gives each block's innermost boxing element first.
pub(super) fn sums(
    document: &Document<'_>,
    stats: &[Stats],
    boxes: &[[u32; 4]],
    names: &mut NameWeights<'_>,
) -> Vec<Sums> {
    let mut all = vec![Sums::default(); document.nodes.len()];
    for (stat, [home, ..]) in stats.iter().zip(boxes) {
        if let Some(sums) = all.get_mut(*home as usize) {
            sums.blocks += 1.0;
            sums.words += stat.words;
            sums.prose += if stat.is_prose() { stat.words } else { 0.0 };
            sums.bytes += stat.bytes;
            sums.linked += stat.bytes * stat.linked;
        }
    }
    roll_up(document, &mut all);
    hand_down(document, &mut all, names);
    all
}

/// Adds every element to its parent, from the last to the first: parents come before their children.
fn roll_up(document: &Document<'_>, all: &mut [Sums]) {
    for (index, node) in document.nodes.iter().enumerate().skip(1).rev() {
        let Some(child) = all.get(index).copied().filter(|child| child.blocks > 0.0) else {
            continue;
        };
        if let Some(parent) = all.get_mut(node.parent as usize) {
            parent.blocks += child.blocks;
            parent.words += child.words;
            parent.prose += child.prose;
            parent.bytes += child.bytes;
            parent.linked += child.linked;
        }
    }
}

/// Gives every element that holds text what it inherits.
fn hand_down(document: &Document<'_>, all: &mut [Sums], names: &mut NameWeights<'_>) {
    let half = all.first().map_or(0.0, |root| root.prose * 0.5).max(1.0);
    let main_depth = main_depth(document, all, half);
    for (index, node) in document.nodes.iter().enumerate() {
        let parent = all.get(node.parent as usize).copied().unwrap_or_default();
        let Some(here) = all.get_mut(index).filter(|here| here.blocks > 0.0) else {
            continue;
        };
        here.around = parent.around | bits(node.tag);
        here.own = names.weight(node).clamp(-MAX_OWN, MAX_OWN);
        here.path_sum = parent.path_sum + here.own;
        here.path_min = parent.path_min.min(here.own);
        here.path_max = parent.path_max.max(here.own);
        if here.prose >= half {
            here.above = f32::from(main_depth) - f32::from(node.depth);
        } else {
            here.steps = parent.steps + 1.0;
            here.above = parent.above;
        }
    }
}

/// Depth of the innermost element with most of the prose.
fn main_depth(document: &Document<'_>, all: &[Sums], half: f32) -> u16 {
    let holding = document
        .nodes
        .iter()
        .zip(all)
        .filter(|(_, sums)| sums.prose >= half);
    holding.map(|(node, _)| node.depth).max().unwrap_or(0)
}
