//! Learns forests of oblivious trees by gradient boosting on the logistic loss.
//!
//! Features are put into at most 64 bins. Each level of a tree takes the one question that helps most summed over
//! all branches, which is a strong guard against learning single sites by heart.

use telex_cleaner::training::{Forest, MAX_DEPTH, Tree};

/// Bins of a feature.
const BINS: usize = 64;

/// Rows to learn from, column by column.
#[derive(Default)]
pub(crate) struct Rows {
    /// `columns[feature][row]`.
    pub(crate) columns: Vec<Vec<f32>>,
    /// The truth, 0 to 1.
    pub(crate) labels: Vec<f32>,
    /// How much a row counts.
    pub(crate) weights: Vec<f32>,
}

/// How to learn.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Trees.
    pub(crate) trees: usize,
    /// Share of each tree's answer that is taken.
    pub(crate) rate: f32,
    /// Pull of the leaves towards 0, in weight.
    pub(crate) pull: f32,
    /// Share of the rows that a tree sees.
    pub(crate) sample: f64,
    /// Share of the features that a tree may ask for.
    pub(crate) features: f64,
    /// Start of the random numbers.
    pub(crate) seed: u64,
}

/// A small generator of random numbers (SplitMix64): the same seed learns the same forest.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    }
}

/// Learns a forest.
pub(crate) fn learn(rows: &Rows, plan: Plan) -> Forest {
    let count = rows.labels.len();
    let binned: Vec<(Vec<f32>, Vec<u8>)> = rows.columns.iter().map(|column| bin(column)).collect();
    let mean = weighted_mean(rows).clamp(1e-4, 1.0 - 1e-4);
    let base = (mean / (1.0 - mean)).ln();
    let mut scores = vec![base; count];
    let mut random = Random(plan.seed);
    let mut forest = Forest {
        base,
        trees: Vec::new(),
    };
    let mut slopes = vec![(0f32, 0f32); count];
    for _ in 0..plan.trees {
        for (row, slope) in slopes.iter_mut().enumerate() {
            let chance = 1.0 / (1.0 + (-scores[row]).exp());
            let weight = rows.weights[row];
            *slope = (
                weight * (rows.labels[row] - chance),
                weight * (chance * (1.0 - chance)).max(1e-4),
            );
        }
        let seen: Vec<u32> = (0..count as u32)
            .filter(|_| random.next() < plan.sample)
            .collect();
        let asked: Vec<usize> = (0..binned.len())
            .filter(|_| random.next() < plan.features)
            .collect();
        let Some((questions, tree)) = grow(&binned, &slopes, &seen, &asked, plan) else {
            continue;
        };
        for (row, score) in scores.iter_mut().enumerate() {
            let leaf = questions
                .iter()
                .enumerate()
                .fold(0, |leaf, (bit, &(feature, limit))| {
                    leaf | usize::from(binned[feature].1[row] > limit) << bit
                });
            *score += tree.leaves[leaf];
        }
        forest.trees.push(tree);
    }
    forest
}

fn weighted_mean(rows: &Rows) -> f32 {
    let sum: f32 = rows
        .labels
        .iter()
        .zip(&rows.weights)
        .map(|(label, weight)| label * weight)
        .sum();
    sum / rows.weights.iter().sum::<f32>().max(1e-6)
}

/// Parts a column into bins of about equal size: the thresholds, and each row's bin.
fn bin(column: &[f32]) -> (Vec<f32>, Vec<u8>) {
    let mut sorted: Vec<f32> = column
        .iter()
        .copied()
        .step_by((column.len() / 50_000).max(1))
        .collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut limits: Vec<f32> = (1..BINS)
        .map(|k| sorted[(k * sorted.len() / BINS).min(sorted.len() - 1)])
        .collect();
    limits.dedup();
    // The greatest value as a limit would ask nothing.
    limits.retain(|limit| Some(limit) != sorted.last());
    let bins = column
        .iter()
        .map(|value| limits.partition_point(|limit| value > limit) as u8)
        .collect();
    (limits, bins)
}

type Question = (usize, u8);

/// Grows one tree level by level.
fn grow(
    binned: &[(Vec<f32>, Vec<u8>)],
    slopes: &[(f32, f32)],
    seen: &[u32],
    asked: &[usize],
    plan: Plan,
) -> Option<(Vec<Question>, Tree)> {
    let mut leaf = vec![0u8; seen.len()];
    let near: Vec<(f32, f32)> = seen.iter().map(|row| slopes[*row as usize]).collect();
    // The rows seen side by side: they are run over once a level.
    let columns: Vec<Vec<u8>> = asked
        .iter()
        .map(|&feature| seen.iter().map(|row| binned[feature].1[*row as usize]).collect())
        .collect();
    let mut questions: Vec<Question> = Vec::new();
    for level in 0..MAX_DEPTH {
        let leaves = 1 << level;
        let best = asked.iter().zip(&columns).filter_map(|(&feature, column)| {
            best_limit(binned[feature].0.len(), column, &near, &leaf, leaves, plan.pull)
                .map(|(gain, limit)| (gain, feature, column, limit))
        });
        let Some((_, feature, column, limit)) = best.max_by(|a, b| a.0.total_cmp(&b.0)) else {
            break;
        };
        for (leaf, bin) in leaf.iter_mut().zip(column) {
            *leaf |= u8::from(*bin > limit) << level;
        }
        questions.push((feature, limit));
    }
    if questions.is_empty() {
        return None;
    }
    let mut sums = vec![(0f64, 0f64); 1 << questions.len()];
    for (leaf, slope) in leaf.iter().zip(&near) {
        sums[*leaf as usize].0 += f64::from(slope.0);
        sums[*leaf as usize].1 += f64::from(slope.1);
    }
    let leaves = sums
        .iter()
        .map(|(first, second)| plan.rate * (*first as f32 / (*second as f32 + plan.pull)))
        .collect();
    let asks = questions
        .iter()
        .map(|&(feature, limit)| (feature as u16, binned[feature].0[limit as usize]))
        .collect();
    Some((
        questions,
        Tree {
            questions: asks,
            leaves,
        },
    ))
}

/// Finds the limit of a column that helps most over all leaves.
fn best_limit(
    limits: usize,
    column: &[u8],
    near: &[(f32, f32)],
    leaf: &[u8],
    leaves: usize,
    pull: f32,
) -> Option<(f32, u8)> {
    if limits == 0 {
        return None;
    }
    let mut sums = vec![(0f32, 0f32); leaves * BINS];
    for ((bin, leaf), slope) in column.iter().zip(leaf).zip(near) {
        let cell = &mut sums[*leaf as usize * BINS + *bin as usize];
        cell.0 += slope.0;
        cell.1 += slope.1;
    }
    let mut gains = vec![0f32; limits];
    for leaf in sums.chunks_exact(BINS) {
        let all = leaf
            .iter()
            .fold((0f32, 0f32), |all, cell| (all.0 + cell.0, all.1 + cell.1));
        let worth = |part: (f32, f32)| part.0 * part.0 / (part.1 + pull);
        let mut low = (0f32, 0f32);
        for (gain, cell) in gains.iter_mut().zip(leaf) {
            low = (low.0 + cell.0, low.1 + cell.1);
            *gain += worth(low) + worth((all.0 - low.0, all.1 - low.1)) - worth(all);
        }
    }
    let best = gains.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    (*best.1 > 1e-6).then_some((*best.1, best.0 as u8))
}
