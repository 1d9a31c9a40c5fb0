//! Evaluates learned decision trees.
//!
//! The trees are oblivious (one question a level for all branches), so a tree of depth d is d comparisons and one
//! look-up, which the compiler turns into vector code over all blocks of a page. Rejected: ordinary trees, which
//! were no better in cross-validation on this little data and several times slower.

use std::fmt::Write as _;

use super::table::Table;

/// Questions of a tree at most.
pub const MAX_DEPTH: usize = 6;

/// Score (log-odds) of a first forest below which a block is not looked at again: one in 250 of them is the story. On
/// usual pages these are three blocks in four.
pub const HOPELESS: f32 = -4.5;

/// Rows whose features are gathered at once: all of a usual page, and no second table of a page of nothing but tags.
const PART: usize = 4096;

/// A sum of trees over rows of features.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Forest {
    /// Added to the sum of the trees.
    pub base: f32,
    /// The trees.
    pub trees: Vec<Tree>,
}

/// One tree: questions, and a value for each combination of answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tree {
    /// Feature and threshold; the answer is "greater". Question k gives bit k of the leaf's number.
    pub questions: Vec<(u16, f32)>,
    /// `1 << questions.len()` values.
    pub leaves: Vec<f32>,
}

impl Forest {
    /// Sums the trees for every row; `columns` holds `rows` values of feature 0, then of feature 1, and so on.
    pub fn scores(&self, columns: &[f32], rows: usize) -> Vec<f32> {
        let mut sums = vec![self.base; rows];
        for tree in &self.trees {
            let question = |level: usize| match tree.questions.get(level) {
                Some(&(feature, threshold)) => (usize::from(feature), threshold),
                // Nothing is greater: the bit stays 0.
                None => (0, f32::INFINITY),
            };
            let questions: [(usize, f32); MAX_DEPTH] = std::array::from_fn(question);
            let asked = questions.map(|(feature, threshold)| {
                let column = columns.get(feature * rows..(feature + 1) * rows);
                (column.unwrap_or_default(), threshold)
            });
            tree.add(&asked, &mut sums);
        }
        sums
    }

    /// Scores the rows again that are not hopeless under the scores of an earlier forest; the others keep those.
    pub fn refine(&self, table: &Table, first: &[f32]) -> Vec<f32> {
        let mut scores = first.to_vec();
        let open: Vec<usize> = first
            .iter()
            .enumerate()
            .filter(|(_, score)| **score > HOPELESS)
            .map(|(row, _)| row)
            .collect();
        for part in open.chunks(PART) {
            let mut columns = Vec::with_capacity(part.len() * table.names.len());
            for column in table.columns.chunks_exact(table.rows.max(1)) {
                columns.extend(part.iter().filter_map(|row| column.get(*row)));
            }
            for (row, score) in part.iter().zip(self.scores(&columns, part.len())) {
                if let Some(slot) = scores.get_mut(*row) {
                    *slot = score;
                }
            }
        }
        scores
    }

    /// Reads what [`Forest::to_text`] writes; `None` where it is damaged.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let base = lines.next()?.parse().ok()?;
        let trees = lines.map(tree).collect::<Option<Vec<Tree>>>()?;
        Some(Self { base, trees })
    }

    /// Writes the forest: the base, then a tree a line, questions before leaves.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.base);
        for tree in &self.trees {
            for (feature, threshold) in &tree.questions {
                // Writing to a string cannot fail.
                write!(text, "{feature}>{threshold} ").unwrap_or_default();
            }
            text.push(':');
            for leaf in &tree.leaves {
                write!(text, " {leaf:.4}").unwrap_or_default();
            }
            text.push('\n');
        }
        text
    }
}

/// Rows that are answered at once: their leaves' numbers fit into two vector registers.
const LANES: usize = 8;

impl Tree {
    /// Adds the tree's values for all rows; each question has its column and threshold.
    fn add(&self, questions: &[(&[f32], f32); MAX_DEPTH], sums: &mut [f32]) {
        let (parts, rest) = sums.as_chunks_mut::<LANES>();
        let columns = questions.map(|(column, threshold)| (column.as_chunks::<LANES>(), threshold));
        for (part, sums) in parts.iter_mut().enumerate() {
            let mut leaves = [0u32; LANES];
            for (bit, ((chunks, _), threshold)) in columns.iter().enumerate() {
                if let Some(values) = chunks.get(part) {
                    ask(&mut leaves, values, *threshold, bit);
                }
            }
            self.add_leaves(leaves, sums);
        }
        let mut leaves = [0u32; LANES];
        for (bit, ((_, values), threshold)) in columns.iter().enumerate() {
            ask(&mut leaves, values, *threshold, bit);
        }
        self.add_leaves(leaves, rest);
    }

    #[inline]
    fn add_leaves(&self, leaves: [u32; LANES], sums: &mut [f32]) {
        for (sum, leaf) in sums.iter_mut().zip(leaves) {
            *sum += self.leaves.get(leaf as usize).copied().unwrap_or(0.0);
        }
    }
}

#[inline]
fn ask(leaves: &mut [u32; LANES], values: &[f32], threshold: f32, bit: usize) {
    for (leaf, value) in leaves.iter_mut().zip(values) {
        *leaf |= u32::from(*value > threshold) << bit;
    }
}

fn tree(line: &str) -> Option<Tree> {
    let (questions, leaves) = line.split_once(':')?;
    let question = |word: &str| {
        let (feature, threshold) = word.split_once('>')?;
        Some((feature.parse().ok()?, threshold.parse().ok()?))
    };
    let questions = questions
        .split_whitespace()
        .map(question)
        .collect::<Option<Vec<_>>>()?;
    let leaves: Vec<f32> = leaves
        .split_whitespace()
        .map(|leaf| leaf.parse().ok())
        .collect::<Option<_>>()?;
    (questions.len() <= MAX_DEPTH && leaves.len() == 1 << questions.len())
        .then_some(Tree { questions, leaves })
}

#[cfg(test)]
mod tests {
    use super::{Forest, Tree};

    #[test]
    fn is_read_as_it_was_written_and_answers_by_bits() {
        let tree = Tree {
            questions: vec![(0, 0.5), (1, -2.0)],
            leaves: vec![1.0, 2.0, 4.0, 8.0],
        };
        let forest = Forest {
            base: 0.25,
            trees: vec![tree.clone(), tree],
        };
        assert_eq!(Forest::from_text(&forest.to_text()), Some(forest.clone()));
        // Two rows: (1, -3) answers yes, no; (0, 0) answers no, yes.
        assert_eq!(forest.scores(&[1.0, 0.0, -3.0, 0.0], 2), [4.25, 8.25]);
        assert_eq!(Forest::from_text("0\n0>1 : 1"), None, "a leaf is missing");
    }
}
