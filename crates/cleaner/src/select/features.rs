//! Describes each block of a page by numbers that the trees ask for.

use std::collections::HashMap;

use super::boxes::{AROUND, Sums, sums};
use super::lexicon::{Lexicon, hash_word};
use super::stats::Stats;
use super::witness::Witness;
use crate::fingerprint::hash_words;
use crate::html::{Block, Document, Tag, heading_level};
use crate::meta::{Statements, fold, tidy};

/// Bytes of a line up to which its words are looked up one by one.
const SHORT_LINE: usize = 80;

/// The features of all blocks of a page.
pub(crate) struct Features {
    /// What each column holds.
    pub(crate) names: Vec<&'static str>,
    /// Column by column.
    pub(crate) columns: Vec<f32>,
    /// Blocks.
    pub(crate) rows: usize,
}

/// Sums over blocks that are boxed and named alike.
#[derive(Default, Clone, Copy)]
struct Shape {
    blocks: f32,
    words: f32,
    linked: f32,
    stops: f32,
}

/// What is computed once for a page.
struct View<'p, 'a> {
    document: &'p Document<'a>,
    stats: &'p [Stats],
    homes: &'p [u32],
    sums: Vec<Sums>,
    shapes: HashMap<u64, Shape>,
    shape_of: Vec<u64>,
    copies: HashMap<u64, (f32, usize)>,
    body: Witness,
    description: Witness,
    title_words: Witness,
    title_at: Option<usize>,
    /// Words before each block, and of all.
    before: Vec<f32>,
    /// Index of the nearest prose block before and behind each block.
    prose_before: Vec<Option<usize>>,
    prose_behind: Vec<Option<usize>>,
    headings: Vec<f32>,
    lexicon: &'p Lexicon,
}

/// Computes the features of a page.
pub(crate) fn features(
    document: &Document<'_>,
    said: &Statements,
    title: Option<&str>,
    lexicon: &Lexicon,
) -> Features {
    let stats: Vec<Stats> = document
        .blocks
        .iter()
        .map(|block| Stats::of(document, block))
        .collect();
    let homes: Vec<u32> = document
        .blocks
        .iter()
        .map(|block| home(document, block))
        .collect();
    let view = View::new(document, said, title, lexicon, &stats, &homes);
    let rows = stats.len();
    let mut writer = Writer {
        names: Vec::new(),
        columns: Vec::new(),
        rows,
        row: 0,
        column: 0,
    };
    let mut words = Vec::new();
    for (row, block) in document.blocks.iter().enumerate() {
        writer.row = row;
        writer.column = 0;
        view.text(&mut writer, row, block);
        view.place(&mut writer, row, block);
        view.names(&mut writer, row, block);
        view.boxes(&mut writer, row);
        view.neighbours(&mut writer, row);
        view.witnesses(&mut writer, row, block, &mut words);
        view.page(&mut writer);
    }
    let Writer { names, columns, .. } = writer;
    Features { names, columns, rows }
}

/// Writes rows into columns.
struct Writer {
    names: Vec<&'static str>,
    columns: Vec<f32>,
    rows: usize,
    row: usize,
    column: usize,
}

impl Writer {
    fn put(&mut self, name: &'static str, value: f32) {
        if self.row == 0 {
            self.names.push(name);
            self.columns.resize(self.columns.len() + self.rows, 0.0);
        }
        if let Some(cell) = self.columns.get_mut(self.column * self.rows + self.row) {
            *cell = value;
        }
        self.column += 1;
    }
}

/// The innermost element around a block that boxes text.
fn home(document: &Document<'_>, block: &Block) -> u32 {
    document
        .path(block.node)
        .find(|(_, node)| node.is_block)
        .map_or(0, |(index, _)| index)
}

/// The level of the heading that a box is, 0 for none.
fn heading(document: &Document<'_>, home: u32) -> f32 {
    let found = document
        .path(home)
        .take(3)
        .find_map(|(_, node)| heading_level(node.tag));
    found.map_or(0.0, f32::from)
}

impl<'p, 'a> View<'p, 'a> {
    fn new(
        document: &'p Document<'a>,
        said: &Statements,
        title: Option<&str>,
        lexicon: &'p Lexicon,
        stats: &'p [Stats],
        homes: &'p [u32],
    ) -> Self {
        let description = document.meta(&["og:description", "description", "twitter:description"]);
        let mut view = Self {
            document,
            stats,
            homes,
            sums: sums(document, stats, homes, lexicon),
            shapes: HashMap::new(),
            shape_of: Vec::with_capacity(stats.len()),
            copies: HashMap::new(),
            body: said
                .body
                .as_deref()
                .map(|body| Witness::new(&crate::fragment_text(body)))
                .unwrap_or_default(),
            description: description
                .map(|text| Witness::new(&tidy(text)))
                .unwrap_or_default(),
            title_words: title.map(Witness::new).unwrap_or_default(),
            title_at: title.and_then(|title| title_at(document, title)),
            before: Vec::with_capacity(stats.len()),
            prose_before: Vec::with_capacity(stats.len()),
            prose_behind: vec![None; stats.len()],
            headings: homes.iter().map(|home| heading(document, *home)).collect(),
            lexicon,
        };
        view.count();
        view
    }

    /// Fills what needs a walk over all blocks.
    fn count(&mut self) {
        let mut words = 0.0;
        let mut last = None;
        for (row, stat) in self.stats.iter().enumerate() {
            let shape = self.shape(row);
            let sums = self.shapes.entry(shape).or_default();
            sums.blocks += 1.0;
            sums.words += stat.words;
            sums.linked += stat.linked;
            sums.stops += stat.stops;
            self.shape_of.push(shape);
            self.copies.entry(stat.hash).or_insert((0.0, row)).0 += 1.0;
            self.before.push(words);
            words += stat.words;
            self.prose_before.push(last);
            last = if stat.is_prose() { Some(row) } else { last };
        }
        let mut next = None;
        for (row, stat) in self.stats.iter().enumerate().rev() {
            if let Some(slot) = self.prose_behind.get_mut(row) {
                *slot = next;
            }
            next = if stat.is_prose() { Some(row) } else { next };
        }
    }

    /// Hashes the names of a block's box and of the one around it.
    fn shape(&self, row: usize) -> u64 {
        let home = self.homes.get(row).copied().unwrap_or(0);
        let mut hash = 7;
        for (_, node) in self.document.path(home).take(2) {
            let letters = node.class.trim_end_matches(|c: char| c.is_ascii_digit());
            hash = (hash ^ hash_word(letters))
                .wrapping_mul(31)
                .wrapping_add(node.tag as u64);
        }
        hash
    }

    fn stat(&self, row: usize) -> Stats {
        self.stats.get(row).copied().unwrap_or_default()
    }

    fn home(&self, row: usize) -> u32 {
        self.homes.get(row).copied().unwrap_or(0)
    }

    fn sums_of(&self, node: u32) -> Sums {
        self.sums.get(node as usize).copied().unwrap_or_default()
    }

    fn parent(&self, node: u32) -> u32 {
        self.document.node(node).map_or(0, |node| node.parent)
    }

    fn tag(&self, node: u32) -> Tag {
        self.document.node(node).map_or(Tag::Other, |node| node.tag)
    }

    /// What the block's own characters say.
    fn text(&self, to: &mut Writer, row: usize, block: &Block) {
        let stat = self.stat(row);
        to.put("words", stat.words);
        to.put("bytes_per_word", stat.bytes / stat.words);
        to.put("linked", stat.linked);
        to.put("links", f32::from(block.links));
        to.put("stops", stat.stops);
        to.put("words_per_stop", stat.words / (stat.stops + 1.0));
        to.put("begin", stat.begin);
        to.put("end", stat.end);
        to.put("digits", stat.digits / stat.bytes);
        to.put("capitals", stat.capitals / stat.bytes);
        to.put("capitals_per_word", stat.capitals / stat.words);
        to.put("commas", stat.commas / stat.words);
        to.put("strong", (block.strong_bytes as f32 / stat.bytes).min(1.0));
        to.put("em", (block.em_bytes as f32 / stat.bytes).min(1.0));
        to.put("breaks", f32::from(block.breaks));
        to.put("hidden", f32::from(u8::from(block.hidden)));
    }

    /// Where on the page the block stands.
    fn place(&self, to: &mut Writer, row: usize, _block: &Block) {
        let rows = self.stats.len().max(1) as f32;
        let all = self.sums_of(0).words.max(1.0);
        let before = self.before.get(row).copied().unwrap_or(0.0);
        to.put("row", row as f32);
        to.put("row_share", row as f32 / rows);
        to.put("words_before", before / all);
        let title_distance = self.title_at.map_or(-1000.0, |title| row as f32 - title as f32);
        to.put("from_title", title_distance);
        let words_from_title = self
            .title_at
            .and_then(|title| self.before.get(title))
            .map_or(-1.0, |t| before - t);
        to.put("words_from_title", words_from_title);
        let (near, far) = (
            self.prose_before.get(row).copied().flatten(),
            self.prose_behind.get(row).copied().flatten(),
        );
        to.put("from_prose", near.map_or(1000.0, |at| (row - at) as f32));
        to.put("to_prose", far.map_or(1000.0, |at| (at - row) as f32));
        to.put(
            "prose_before_is_sibling",
            near.map_or(-1.0, |at| self.kinship(row, at)),
        );
        to.put(
            "prose_behind_is_sibling",
            far.map_or(-1.0, |at| self.kinship(row, at)),
        );
    }

    /// Tells how near two blocks' boxes are related: 3 same box, 2 siblings, 1 cousins, 0 else.
    fn kinship(&self, left: usize, right: usize) -> f32 {
        let (mut a, mut b) = (self.home(left), self.home(right));
        for near in [3.0, 2.0, 1.0] {
            if a == b {
                return near;
            }
            a = self.parent(a);
            b = self.parent(b);
        }
        0.0
    }

    /// What names the boxes have, and the words of short lines.
    fn names(&self, to: &mut Writer, row: usize, block: &Block) {
        let home = self.home(row);
        let inner = self.sums_of(block.node);
        let here = self.sums_of(home);
        let outer = self.sums_of(self.parent(home));
        let wrapped = if block.node == home {
            0.0
        } else {
            self.inner_weight(block.node, home)
        };
        to.put("name_inner", wrapped);
        to.put("name_own", here.own);
        to.put("name_parent", outer.own);
        to.put(
            "name_grandparent",
            self.sums_of(self.parent(self.parent(home))).own,
        );
        to.put("name_sum", here.path_sum.max(inner.path_sum));
        to.put("name_min", here.path_min);
        to.put("name_max", here.path_max);
        let (sum, least) = self.line_weight(block);
        to.put("line_sum", sum);
        to.put("line_min", least);
    }

    /// Adds the weights of inline elements around the whole block.
    fn inner_weight(&self, node: u32, home: u32) -> f32 {
        let mut sum = 0.0;
        for (_, node) in self
            .document
            .path(node)
            .take_while(|(index, _)| *index != home)
            .take(4)
        {
            for value in [node.class, node.id, node.role] {
                super::lexicon::class_words(value, |word| sum += self.lexicon.weight(hash_word(word)));
            }
        }
        sum
    }

    /// Adds the weights of a short line's words.
    fn line_weight(&self, block: &Block) -> (f32, f32) {
        let (mut sum, mut least) = (0.0, 0.0f32);
        short_line_words(self.document.block_text(block), |hash, _| {
            let weight = self.lexicon.weight(hash);
            sum += weight;
            least = least.min(weight);
        });
        (sum, least)
    }

    /// What stands around the block.
    #[allow(clippy::too_many_lines, reason = "a list, one entry a feature")]
    fn boxes(&self, to: &mut Writer, row: usize) {
        let home = self.home(row);
        let here = self.sums_of(home);
        let tag = self.tag(home);
        to.put("is_paragraph", f32::from(u8::from(tag == Tag::P)));
        to.put(
            "is_item",
            f32::from(u8::from(matches!(tag, Tag::Li | Tag::Dd | Tag::Dt))),
        );
        to.put("is_cell", f32::from(u8::from(matches!(tag, Tag::Td | Tag::Th))));
        to.put(
            "is_caption",
            f32::from(u8::from(matches!(tag, Tag::Figcaption | Tag::Caption))),
        );
        to.put(
            "is_division",
            f32::from(u8::from(matches!(tag, Tag::Div | Tag::Section | Tag::Article))),
        );
        to.put("heading", self.heading(row));
        for (bit, (name, _)) in AROUND.iter().enumerate() {
            to.put(name, ((here.around >> bit) & 1) as f32);
        }
        to.put(
            "depth",
            self.document.node(home).map_or(0.0, |node| f32::from(node.depth)),
        );
        to.put("steps_to_main", here.steps);
        to.put("above_main", here.above);
        let all = self.sums_of(0);
        let names = [
            [
                "parent_blocks",
                "parent_words",
                "parent_linked",
                "parent_prose",
                "parent_prose_share",
            ],
            [
                "grand_blocks",
                "grand_words",
                "grand_linked",
                "grand_prose",
                "grand_prose_share",
            ],
            [
                "great_blocks",
                "great_words",
                "great_linked",
                "great_prose",
                "great_prose_share",
            ],
        ];
        let mut node = home;
        for [blocks, words, linked, prose, share] in names {
            node = self.parent(node);
            let sums = self.sums_of(node);
            to.put(blocks, sums.blocks);
            to.put(words, sums.words / sums.blocks.max(1.0));
            to.put(linked, sums.linked / sums.bytes.max(1.0));
            to.put(prose, sums.prose / sums.words.max(1.0));
            to.put(share, sums.prose / all.prose.max(1.0));
        }
        let shape = self
            .shape_of
            .get(row)
            .and_then(|shape| self.shapes.get(shape))
            .copied()
            .unwrap_or_default();
        to.put("shape_blocks", shape.blocks);
        to.put("shape_words", shape.words / shape.blocks.max(1.0));
        to.put("shape_share", shape.words / all.words.max(1.0));
        to.put("shape_linked", shape.linked / shape.blocks.max(1.0));
        to.put("shape_stops", shape.stops / shape.blocks.max(1.0));
    }

    fn heading(&self, row: usize) -> f32 {
        self.headings.get(row).copied().unwrap_or(0.0)
    }

    /// What stands before and behind the block.
    #[allow(clippy::too_many_lines, reason = "a list, one entry a feature")]
    fn neighbours(&self, to: &mut Writer, row: usize) {
        let names = [
            (
                -2,
                [
                    "words_-2",
                    "linked_-2",
                    "stops_-2",
                    "heading_-2",
                    "kin_-2",
                    "name_-2",
                ],
            ),
            (
                -1,
                [
                    "words_-1",
                    "linked_-1",
                    "stops_-1",
                    "heading_-1",
                    "kin_-1",
                    "name_-1",
                ],
            ),
            (
                1,
                [
                    "words_+1",
                    "linked_+1",
                    "stops_+1",
                    "heading_+1",
                    "kin_+1",
                    "name_+1",
                ],
            ),
            (
                2,
                [
                    "words_+2",
                    "linked_+2",
                    "stops_+2",
                    "heading_+2",
                    "kin_+2",
                    "name_+2",
                ],
            ),
        ];
        for (offset, [words, linked, stops, heading, kin, name]) in names {
            let other = row
                .checked_add_signed(offset)
                .filter(|&other| other < self.stats.len());
            let stat = other.map(|other| self.stat(other)).unwrap_or_default();
            to.put(words, stat.words);
            to.put(linked, stat.linked);
            to.put(stops, stat.stops);
            to.put(heading, other.map_or(-1.0, |other| self.heading(other)));
            to.put(kin, other.map_or(-1.0, |other| self.kinship(row, other)));
            to.put(
                name,
                other.map_or(0.0, |other| self.sums_of(self.home(other)).path_sum),
            );
        }
        for (name, reach) in [("prose_near", 4usize), ("prose_far", 12)] {
            let window = self
                .stats
                .get(row.saturating_sub(reach)..(row + reach + 1).min(self.stats.len()));
            let window = window.unwrap_or_default();
            let prose: f32 = window
                .iter()
                .filter(|stat| stat.is_prose())
                .map(|stat| stat.words)
                .sum();
            let all: f32 = window.iter().map(|stat| stat.words).sum();
            to.put(name, prose / all.max(1.0));
        }
    }

    /// What the page says of itself.
    fn witnesses(&self, to: &mut Writer, row: usize, block: &Block, words: &mut Vec<u64>) {
        let stat = self.stat(row);
        hash_words(self.document.block_text(block), words);
        let (copies, first) = self.copies.get(&stat.hash).copied().unwrap_or((1.0, row));
        to.put("copies", copies);
        to.put("seen_before", f32::from(u8::from(first < row)));
        to.put(
            "in_body",
            if self.body.is_empty() {
                -1.0
            } else {
                self.body.share(words)
            },
        );
        // Only lines of a sentence's length can be the description or the title.
        let is_line = stat.words < 120.0;
        to.put(
            "in_description",
            if is_line {
                self.description.share(words)
            } else {
                0.0
            },
        );
        to.put(
            "in_title",
            if stat.words < 40.0 {
                self.title_words.share(words)
            } else {
                0.0
            },
        );
    }

    /// What the whole page is like.
    fn page(&self, to: &mut Writer) {
        let all = self.sums_of(0);
        to.put("page_prose", all.prose);
        to.put("page_prose_share", all.prose / all.words.max(1.0));
        to.put("page_linked", all.linked / all.bytes.max(1.0));
        to.put("page_blocks", all.blocks);
    }
}

/// Calls back with hash and spelling of every word of a short line; nothing for longer ones. The hashes are kept apart
/// from those of names.
pub(super) fn short_line_words<'t>(text: &'t str, mut found: impl FnMut(u64, &'t str)) {
    if text.len() > SHORT_LINE {
        return;
    }
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        let spelled = if word.bytes().all(|b| b.is_ascii_digit()) {
            "0"
        } else {
            word
        };
        found(hash_word(spelled).rotate_left(17) ^ 0x5bd1_e995, spelled);
    }
}

/// Finds the block that shows the title: a heading before a mere copy of its words.
fn title_at(document: &Document<'_>, title: &str) -> Option<usize> {
    let folded = fold(title);
    let mut copy = None;
    for (row, block) in document.blocks.iter().enumerate() {
        let length = (block.end - block.start) as usize;
        if length > title.len() * 2 || length * 2 < title.len() {
            continue;
        }
        let text = fold(document.block_text(block));
        if text == folded || (text.len() > 8 && (text.contains(&folded) || folded.contains(&text))) {
            let is_heading = document
                .path(block.node)
                .take(3)
                .any(|(_, node)| node.tag == Tag::H1);
            if is_heading {
                return Some(row);
            }
            copy = copy.or(Some(row));
        }
    }
    copy
}
