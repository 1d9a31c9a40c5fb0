//! Describes each block of a page by numbers that the trees ask for.
//!
//! The order of the columns is part of the weights: who adds, removes or moves one learns anew.

use super::boxes::{AROUND, Sums};
use super::echo::Echoes;
use super::grid::{Grid, title_row};
use super::lexicon::{Lexicon, short_line_words};
use super::stats::Stats;
use super::table::Table;
use super::witness::Witness;
use crate::hash::for_each_word;
use crate::html::{Document, Tag};
use crate::meta::{Statements, tidy};

/// Computes the features of a page.
pub(crate) fn features(
    document: &Document<'_>,
    said: &Statements,
    title: Option<&str>,
    lexicon: &Lexicon,
) -> Table {
    let mut grid = Grid::new(document, lexicon);
    let mut table = Table::new(std::mem::take(&mut grid.shape_keys));
    texts(&grid, &mut table);
    places(
        &grid,
        title.and_then(|title| title_row(document, title)),
        &mut table,
    );
    names(&grid, lexicon, &mut table);
    boxes(&grid, &mut table);
    ancestors(&grid, &mut table);
    neighbours(&grid, &mut table);
    windows(&grid, &mut table);
    witnesses(&grid, said, title, &mut table);
    page(&grid, &mut table);
    table
}

/// What the block's own characters say.
fn texts(grid: &Grid<'_, '_>, to: &mut Table) {
    let stats = || grid.stats.iter();
    let blocks = || grid.document.blocks.iter();
    let both = || blocks().zip(stats());
    to.put("words", stats().map(|s| s.words));
    to.put("bytes_per_word", stats().map(|s| s.bytes / s.words));
    to.put("linked", stats().map(|s| s.linked));
    to.put("links", blocks().map(|b| f32::from(b.links)));
    to.put("stops", stats().map(|s| s.stops));
    to.put("words_per_stop", stats().map(|s| s.words / (s.stops + 1.0)));
    to.put("begin", stats().map(|s| s.begin));
    to.put("end", stats().map(|s| s.end));
    to.put("digits", stats().map(|s| s.digits / s.bytes));
    to.put("capitals", stats().map(|s| s.capitals / s.bytes));
    to.put("capitals_per_word", stats().map(|s| s.capitals / s.words));
    to.put("commas", stats().map(|s| s.commas / s.words));
    let share = |bytes: u32, s: &Stats| (bytes as f32 / s.bytes).min(1.0);
    to.put("strong", both().map(|(b, s)| share(b.strong_bytes, s)));
    to.put("em", both().map(|(b, s)| share(b.em_bytes, s)));
    to.put("breaks", blocks().map(|b| f32::from(b.breaks)));
    to.flag("hidden", blocks().map(|b| b.hidden));
}

/// Where on the page the block stands.
fn places(grid: &Grid<'_, '_>, title: Option<usize>, to: &mut Table) {
    let rows = to.rows;
    let all = grid.sums_of(0).words.max(1.0);
    let before = || grid.before.iter().copied();
    let around = || grid.prose_around.iter().enumerate();
    to.put("row", (0..rows).map(|row| row as f32));
    to.put("row_share", (0..rows).map(|row| row as f32 / rows as f32));
    to.put("words_before", before().map(|before| before / all));
    let distance = |row: usize| title.map_or(-1000.0, |title| row as f32 - title as f32);
    to.put("from_title", (0..rows).map(distance));
    let words = title.and_then(|title| grid.before.get(title));
    to.put(
        "words_from_title",
        before().map(|before| words.map_or(-1.0, |title| before - title)),
    );
    let steps = |row: usize, at: Option<usize>| at.map_or(1000.0, |at| row.abs_diff(at) as f32);
    to.put("from_prose", around().map(|(row, [near, _])| steps(row, *near)));
    to.put("to_prose", around().map(|(row, [_, far])| steps(row, *far)));
    let kin = |row: usize, at: Option<usize>| at.map_or(-1.0, |at| grid.kinship(row, at));
    to.put(
        "prose_before_is_sibling",
        around().map(|(row, [near, _])| kin(row, *near)),
    );
    to.put(
        "prose_behind_is_sibling",
        around().map(|(row, [_, far])| kin(row, *far)),
    );
}

/// What names the boxes have, and the words of short lines.
fn names(grid: &Grid<'_, '_>, lexicon: &Lexicon, to: &mut Table) {
    let boxes = || grid.boxes.iter();
    let own =
        |level: usize| move |around: &[u32; 4]| grid.sums_of(around.get(level).copied().unwrap_or(0)).own;
    let home = |around: &[u32; 4]| grid.sums_of(around.first().copied().unwrap_or(0));
    to.put("name_inner", grid.wrapped.iter().copied());
    to.put("name_own", boxes().map(own(0)));
    to.put("name_parent", boxes().map(own(1)));
    to.put("name_grandparent", boxes().map(own(2)));
    let inner = |node: u32| grid.sums_of(node).path_sum;
    let sums = boxes().zip(&grid.document.blocks);
    to.put(
        "name_sum",
        sums.map(|(around, block)| home(around).path_sum.max(inner(block.node))),
    );
    to.put("name_min", boxes().map(|around| home(around).path_min));
    to.put("name_max", boxes().map(|around| home(around).path_max));
    let lines: Vec<(f32, f32)> = grid
        .document
        .blocks
        .iter()
        .map(|block| line_weight(grid.document.block_text(block), lexicon))
        .collect();
    to.put("line_sum", lines.iter().map(|line| line.0));
    to.put("line_min", lines.iter().map(|line| line.1));
}

/// Adds the weights of a short line's words, and finds the least.
fn line_weight(text: &str, lexicon: &Lexicon) -> (f32, f32) {
    let (mut sum, mut least) = (0.0, 0.0f32);
    short_line_words(text, |hash, _| {
        let weight = lexicon.weight(hash);
        sum += weight;
        least = least.min(weight);
    });
    (sum, least)
}

/// What stands around the block.
fn boxes(grid: &Grid<'_, '_>, to: &mut Table) {
    let homes = || grid.boxes.iter().map(|[home, ..]| *home);
    let tag = |home: u32| grid.document.node(home).map_or(Tag::Other, |node| node.tag);
    let tags: Vec<Tag> = homes().map(tag).collect();
    let is = |kinds: &'static [Tag]| tags.iter().map(|tag| kinds.contains(tag));
    to.flag("is_paragraph", is(&[Tag::P]));
    to.flag("is_item", is(&[Tag::Li, Tag::Dd, Tag::Dt]));
    to.flag("is_cell", is(&[Tag::Td, Tag::Th]));
    to.flag("is_caption", is(&[Tag::Figcaption, Tag::Caption]));
    to.flag("is_division", is(&[Tag::Div, Tag::Section, Tag::Article]));
    to.put("heading", grid.headings.iter().copied());
    let around: Vec<u32> = homes().map(|home| grid.sums_of(home).around).collect();
    for (bit, (name, _)) in AROUND.iter().enumerate() {
        to.flag(name, around.iter().map(|around| (around >> bit) & 1 == 1));
    }
    let depth = |home: u32| grid.document.node(home).map_or(0.0, |node| f32::from(node.depth));
    to.put("depth", homes().map(depth));
    to.put("steps_to_main", homes().map(|home| grid.sums_of(home).steps));
    to.put("above_main", homes().map(|home| grid.sums_of(home).above));
}

/// What stands in the boxes around, three levels up, and in those of the same shape.
fn ancestors(grid: &Grid<'_, '_>, to: &mut Table) {
    let all = grid.sums_of(0);
    let levels = [
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
    for (level, [blocks, words, linked, prose, share]) in levels.into_iter().enumerate() {
        let above = |around: &[u32; 4]| grid.sums_of(around.get(level + 1).copied().unwrap_or(0));
        let sums: Vec<Sums> = grid.boxes.iter().map(above).collect();
        let sums = || sums.iter();
        to.put(blocks, sums().map(|s| s.blocks));
        to.put(words, sums().map(|s| s.words / s.blocks.max(1.0)));
        to.put(linked, sums().map(|s| s.linked / s.bytes.max(1.0)));
        to.put(prose, sums().map(|s| s.prose / s.words.max(1.0)));
        to.put(share, sums().map(|s| s.prose / all.prose.max(1.0)));
    }
    let shapes = || grid.shapes.iter();
    to.put("shape_blocks", shapes().map(|s| s.blocks));
    to.put("shape_words", shapes().map(|s| s.words / s.blocks.max(1.0)));
    to.put("shape_share", shapes().map(|s| s.words / all.words.max(1.0)));
    to.put("shape_linked", shapes().map(|s| s.linked / s.blocks.max(1.0)));
    to.put("shape_stops", shapes().map(|s| s.stops / s.blocks.max(1.0)));
}

/// What stands before and behind the block.
fn neighbours(grid: &Grid<'_, '_>, to: &mut Table) {
    let rows = to.rows;
    let levels = [
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
    for (offset, [words, linked, stops, heading, kin, name]) in levels {
        let other = move |row: usize| row.checked_add_signed(offset).filter(|&other| other < rows);
        let stat = |row| other(row).and_then(|other| grid.stats.get(other));
        to.put(words, (0..rows).map(|row| stat(row).map_or(0.0, |s| s.words)));
        to.put(linked, (0..rows).map(|row| stat(row).map_or(0.0, |s| s.linked)));
        to.put(stops, (0..rows).map(|row| stat(row).map_or(0.0, |s| s.stops)));
        let level = |row| other(row).and_then(|other| grid.headings.get(other).copied());
        to.put(heading, (0..rows).map(|row| level(row).unwrap_or(-1.0)));
        let kinship = |row| other(row).map_or(-1.0, |other| grid.kinship(row, other));
        to.put(kin, (0..rows).map(kinship));
        let path = |row| {
            let [home, ..] = *grid.boxes.get(other(row)?)?;
            Some(grid.sums_of(home).path_sum)
        };
        to.put(name, (0..rows).map(|row| path(row).unwrap_or(0.0)));
    }
}

/// How much of what stands near is prose.
fn windows(grid: &Grid<'_, '_>, to: &mut Table) {
    let rows = to.rows;
    let mut sums = Vec::with_capacity(rows + 1);
    let (mut prose, mut all) = (0.0f64, 0.0f64);
    sums.push((prose, all));
    for stat in &grid.stats {
        prose += if stat.is_prose() {
            f64::from(stat.words)
        } else {
            0.0
        };
        all += f64::from(stat.words);
        sums.push((prose, all));
    }
    for (name, reach) in [("prose_near", 4), ("prose_far", 12)] {
        let share = |row: usize| {
            let begin = sums.get(row.saturating_sub(reach)).copied().unwrap_or_default();
            let end = sums.get((row + reach + 1).min(rows)).copied().unwrap_or_default();
            (end.0 - begin.0) as f32 / ((end.1 - begin.1) as f32).max(1.0)
        };
        to.put(name, (0..rows).map(share));
    }
}

/// What the page says of itself.
fn witnesses(grid: &Grid<'_, '_>, said: &Statements, title: Option<&str>, to: &mut Table) {
    let body = said.body.as_deref().map(Witness::new).unwrap_or_default();
    let names = ["og:description", "description", "twitter:description"];
    let descriptions = [grid.document.meta(&names), said.description.as_deref()];
    let descriptions: Vec<String> = descriptions.into_iter().flatten().map(tidy).collect();
    let description = Witness::new(&descriptions.join("\n"));
    let title = title.map(Witness::new).unwrap_or_default();
    let copies = || grid.copies.iter().enumerate();
    to.put("copies", copies().map(|(_, (copies, _))| *copies));
    to.flag("seen_before", copies().map(|(row, (_, first))| *first < row));
    let mut words = Vec::new();
    let mut echoes = Echoes::default();
    let mut shares = Vec::with_capacity(to.rows);
    for (row, (block, stat)) in grid.document.blocks.iter().zip(&grid.stats).enumerate() {
        // Only lines of a sentence's length can be the description or the title.
        let is_line = stat.words < 120.0;
        words.clear();
        for_each_word(grid.document.block_text(block), |hash| words.push(hash));
        echoes.add(row, &words);
        let in_body = if body.is_empty() { -1.0 } else { body.share(&words) };
        let in_description = if is_line { description.share(&words) } else { 0.0 };
        let in_title = if stat.words < 40.0 {
            title.share(&words)
        } else {
            0.0
        };
        shares.push([in_body, in_description, in_title]);
    }
    to.put("in_body", shares.iter().map(|[share, ..]| *share));
    to.put("in_description", shares.iter().map(|[_, share, _]| *share));
    to.put("in_title", shares.iter().map(|[.., share]| *share));
    to.put("echo", (0..to.rows).map(|row| echoes.share(row)));
}

/// What the whole page is like.
fn page(grid: &Grid<'_, '_>, to: &mut Table) {
    let all = grid.sums_of(0);
    to.constant("page_prose", all.prose);
    to.constant("page_prose_share", all.prose / all.words.max(1.0));
    to.constant("page_linked", all.linked / all.bytes.max(1.0));
    to.constant("page_blocks", all.blocks);
}
