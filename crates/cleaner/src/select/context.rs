//! Describes each block by what the first forest thinks of the blocks around it.

use super::grid::for_each_group;
use super::table::Table;
use crate::html::Document;

/// Adds the columns that come of the first forest's scores (log-odds).
pub(crate) fn context(document: &Document<'_>, scores: &[f32], to: &mut Table) {
    let chances: Vec<f32> = scores.iter().map(|score| 1.0 / (1.0 + (-score).exp())).collect();
    let weights: Vec<f32> = document
        .blocks
        .iter()
        .map(|block| ((block.end - block.start) as f32).sqrt())
        .collect();
    to.put("score", scores.iter().copied());
    for (name, offset) in [
        ("score_-3", -3),
        ("score_-2", -2),
        ("score_-1", -1),
        ("score_+1", 1),
        ("score_+2", 2),
        ("score_+3", 3),
    ] {
        let shifted = |row: usize| {
            row.checked_add_signed(offset)
                .and_then(|row| scores.get(row))
                .copied()
                .unwrap_or(-8.0)
        };
        to.put(name, (0..scores.len()).map(shifted));
    }
    to.put("score_near", windowed(&chances, &weights, 4).into_iter());
    to.put("score_far", windowed(&chances, &weights, 12).into_iter());
    let mass: Vec<f32> = chances
        .iter()
        .zip(&weights)
        .map(|(chance, weight)| chance * weight * weight)
        .collect();
    let total: f32 = mass.iter().sum::<f32>().max(1.0);
    let mut before = 0.0;
    let running = mass.iter().map(|mass| {
        before += mass;
        (before - mass) / total
    });
    to.put("story_before", running);
    to.constant("story_bytes", total);
    for (name, level) in [("score_box", 0), ("score_parent", 1), ("score_grand", 2)] {
        to.put(name, grouped(document, &chances, &weights, level).into_iter());
    }
    to.put("score_shape", alike(&to.shapes, &chances, &weights).into_iter());
    to.put("since_story", distances(&chances, false).into_iter());
    to.put("until_story", distances(&chances, true).into_iter());
}

/// Averages over the blocks around each, itself left out.
fn windowed(chances: &[f32], weights: &[f32], reach: usize) -> Vec<f32> {
    let row = |row: usize| {
        let range = row.saturating_sub(reach)..(row + reach + 1).min(chances.len());
        let (mut sum, mut all) = (0.0, 0.01);
        for other in range.filter(|other| *other != row) {
            let weight = weights.get(other).copied().unwrap_or(0.0);
            sum += weight * chances.get(other).copied().unwrap_or(0.0);
            all += weight;
        }
        sum / all
    };
    (0..chances.len()).map(row).collect()
}

/// Averages over the blocks whose box, some levels up, is the same; itself left out.
fn grouped(document: &Document<'_>, chances: &[f32], weights: &[f32], level: usize) -> Vec<f32> {
    let mut sums = vec![(0.0f32, 0.0f32); document.nodes.len()];
    let boxes: Vec<u32> = document
        .blocks
        .iter()
        .map(|block| {
            let boxing = document.path(block.node).filter(|(_, node)| node.is_block);
            boxing.map(|(index, _)| index).nth(level).unwrap_or(0)
        })
        .collect();
    for ((home, chance), weight) in boxes.iter().zip(chances).zip(weights) {
        if let Some(sum) = sums.get_mut(*home as usize) {
            sum.0 += chance * weight;
            sum.1 += weight;
        }
    }
    let row = |((home, chance), weight): ((&u32, &f32), &f32)| {
        let (sum, all) = sums.get(*home as usize).copied().unwrap_or_default();
        let others = all - weight;
        if others > 0.01 {
            (sum - chance * weight) / others
        } else {
            -1.0
        }
    };
    boxes.iter().zip(chances).zip(weights).map(row).collect()
}

/// Averages over the blocks of the same shape; itself left out.
fn alike(shapes: &[u64], chances: &[f32], weights: &[f32]) -> Vec<f32> {
    let mut column = vec![-1.0; chances.len()];
    let at = |list: &[f32], row: usize| list.get(row).copied().unwrap_or(0.0);
    for_each_group(shapes.iter().copied(), |rows| {
        let rows = || rows.iter().map(|(_, row)| *row);
        let all: f32 = rows().map(|row| at(weights, row)).sum();
        let sum: f32 = rows().map(|row| at(weights, row) * at(chances, row)).sum();
        for row in rows() {
            let others = all - at(weights, row);
            if let Some(cell) = column.get_mut(row).filter(|_| others > 0.01) {
                *cell = (sum - at(weights, row) * at(chances, row)) / others;
            }
        }
    });
    column
}

/// Counts the blocks since (or until) one that is probably the story.
fn distances(chances: &[f32], backwards: bool) -> Vec<f32> {
    let mut column = vec![0.0; chances.len()];
    let mut distance = 200.0f32;
    let mut step = |(chance, cell): (&f32, &mut f32)| {
        *cell = distance;
        distance = if *chance > 0.5 {
            1.0
        } else {
            (distance + 1.0).min(200.0)
        };
    };
    let pairs = chances.iter().zip(column.iter_mut());
    if backwards {
        pairs.rev().for_each(&mut step);
    } else {
        pairs.for_each(&mut step);
    }
    column
}
