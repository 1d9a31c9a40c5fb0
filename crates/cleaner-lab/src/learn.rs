//! Learns and cross-validates the cleaner's weights.

use telex_cleaner::Page;
use telex_cleaner::training::{Forest, HOPELESS, Lexicon, Model, Sample, Table};

use crate::align::labels;
use crate::boost::{Plan, Rows, learn};
use crate::data::Example;
use crate::lexicon::{Counts, lexicon};
use crate::score::Score;

/// How the first forest is learned; small, since it only serves the second.
const FIRST: Plan = Plan {
    trees: 40,
    rate: 0.2,
    pull: 3.0,
    sample: 0.4,
    features: 0.5,
    seed: 1,
};
/// How the second forest is learned.
const SECOND: Plan = Plan {
    trees: 120,
    rate: 0.12,
    pull: 3.0,
    sample: 0.5,
    features: 0.5,
    seed: 2,
};

/// How the forest for plain text is learned.
const LINES: Plan = Plan {
    trees: 80,
    rate: 0.15,
    pull: 3.0,
    sample: 0.5,
    features: 0.5,
    seed: 3,
};

/// Everything that is known of the examples.
pub(crate) struct Lab<'a> {
    pub(crate) examples: &'a [Example],
    samples: Vec<Sample<'a>>,
    labels: Vec<Vec<(f32, f32)>>,
    counts: Vec<Counts>,
    folds: usize,
}

impl<'a> Lab<'a> {
    /// Reads and labels the examples.
    pub(crate) fn new(examples: &'a [Example], folds: usize) -> Self {
        let read = |example: &'a Example| {
            Sample::read(&Page {
                url: example.url.as_deref(),
                html: &example.html,
            })
        };
        let samples: Vec<Sample<'a>> = examples.iter().map(read).collect();
        let label = |(sample, example): (&Sample<'a>, &Example)| labels(sample.texts(), &example.text);
        let labels: Vec<_> = samples.iter().zip(examples).map(label).collect();
        let mut counts = vec![Counts::default(); folds];
        for ((sample, labels), example) in samples.iter().zip(&labels).zip(examples) {
            counts[example.fold].add(sample, labels);
        }
        Self {
            examples,
            samples,
            labels,
            counts,
            folds,
        }
    }

    /// Texts that a perfect choice of blocks would give: what the block model itself can reach.
    pub(crate) fn oracle(&self) -> Vec<String> {
        let of = |(sample, labels): (&Sample<'_>, &Vec<(f32, f32)>)| {
            let scores: Vec<f32> = labels.iter().map(|(share, _)| (*share - 0.5) * 20.0).collect();
            sample.text(&scores)
        };
        self.samples.iter().zip(&self.labels).map(of).collect()
    }

    /// The blocks of all pages but those of one fold; with the scores of an earlier forest, without what is hopeless.
    fn rows(&self, tables: &[Table], earlier: Option<&[Vec<f32>]>, left_out: Option<usize>) -> Rows {
        let width = tables.iter().map(|table| table.names.len()).max().unwrap_or(0);
        let mut rows = Rows {
            columns: vec![Vec::new(); width],
            ..Rows::default()
        };
        for (page, table) in tables.iter().enumerate().filter(|(_, table)| table.rows > 0) {
            if Some(self.examples[page].fold) == left_out {
                continue;
            }
            let is_open = |row: &usize| earlier.is_none_or(|scores| scores[page][*row] > HOPELESS);
            let open: Vec<usize> = (0..table.rows).filter(is_open).collect();
            let columns = table.columns.chunks_exact(table.rows);
            for (to, from) in rows.columns.iter_mut().zip(columns) {
                to.extend(open.iter().map(|row| from[*row]));
            }
            let labels = &self.labels[page];
            let story: f32 = labels.iter().map(|(share, words)| share * words).sum();
            let news = if self.examples[page].set == 0 { 2.0 } else { 1.0 };
            for (share, words) in open.iter().map(|row| labels[*row]) {
                rows.labels.push(share);
                // What a block adds to a page's precision or recall; small blocks count for exactness.
                rows.weights
                    .push(news * 100.0 * (words.min(300.0) + 6.0) / (story + 100.0));
            }
        }
        rows
    }

    /// Scores every block by forests that did not see its publisher: of the first and of the second forest.
    ///
    /// The second forest of a fold learns from first scores that come from forests without the page's own
    /// fold; the judged pages themselves are unseen by every forest that scores them.
    pub(crate) fn cross(&self) -> Vec<(Vec<f32>, Vec<f32>)> {
        let tables = self.tables();
        let first = self.without_own_fold(&tables, None, FIRST);
        let tables = self.with_context(tables, &first);
        let second = self.without_own_fold(&tables, Some(&first), SECOND);
        first.into_iter().zip(second).collect()
    }

    /// Learns from all pages.
    pub(crate) fn model(&self) -> Model {
        let tables = self.tables();
        let out_of_fold = self.without_own_fold(&tables, None, FIRST);
        let first = learn(&self.rows(&tables, None, None), FIRST);
        let tables = self.with_context(tables, &out_of_fold);
        let second = learn(&self.rows(&tables, Some(&out_of_fold), None), SECOND);
        let lines = learn(&self.rows(&self.line_tables(), None, None), LINES);
        Model {
            lexicon: lexicon(&self.counts, &[]),
            first,
            second,
            lines,
        }
    }

    /// Features of all pages, with words weighed on the other folds.
    fn tables(&self) -> Vec<Table> {
        let lexicons: Vec<Lexicon> = (0..self.folds)
            .map(|fold| lexicon(&self.counts, &[fold]))
            .collect();
        let table = |(sample, example): (&Sample<'_>, &Example)| sample.features(&lexicons[example.fold]);
        self.samples.iter().zip(self.examples).map(table).collect()
    }

    /// The same pages as plain text; the first row, the title's, is dropped again so that the labels fit.
    fn line_tables(&self) -> Vec<Table> {
        let lexicons: Vec<Lexicon> = (0..self.folds)
            .map(|fold| lexicon(&self.counts, &[fold]))
            .collect();
        let table = |(sample, example): (&Sample<'_>, &Example)| {
            let text = sample.scrape();
            without_first_row(Sample::read_lines(&text).features(&lexicons[example.fold]))
        };
        self.samples.iter().zip(self.examples).map(table).collect()
    }

    /// Scores the lines of all pages as plain text by forests that did not see their publisher.
    pub(crate) fn cross_lines(&self) -> Vec<Vec<f32>> {
        self.without_own_fold(&self.line_tables(), None, LINES)
    }

    /// The weighed words, for writing.
    pub(crate) fn words(&self) -> Vec<(u64, f32, String)> {
        crate::lexicon::weights(&self.counts, &[])
    }

    fn with_context(&self, mut tables: Vec<Table>, first: &[Vec<f32>]) -> Vec<Table> {
        for ((sample, table), scores) in self.samples.iter().zip(&mut tables).zip(first) {
            sample.context(table, scores);
        }
        tables
    }

    /// Scores each page by a forest that learned on the other folds.
    fn without_own_fold(&self, tables: &[Table], earlier: Option<&[Vec<f32>]>, plan: Plan) -> Vec<Vec<f32>> {
        let forests: Vec<Forest> = (0..self.folds)
            .map(|fold| learn(&self.rows(tables, earlier, Some(fold)), plan))
            .collect();
        let score = |(page, table): (usize, &Table)| {
            let forest = &forests[self.examples[page].fold];
            match earlier {
                None => forest.scores(&table.columns, table.rows),
                Some(earlier) => forest.refine(table, &earlier[page]),
            }
        };
        tables.iter().enumerate().map(score).collect()
    }

    /// The text of a page under the scores of its blocks.
    pub(crate) fn text(&self, page: usize, scores: &[f32]) -> String {
        self.samples[page].text(scores)
    }

    /// The blocks of a page: label, words, text.
    pub(crate) fn blocks(&self, page: usize) -> Vec<(f32, f32, String)> {
        let texts = self.samples[page].texts().map(str::to_owned);
        self.labels[page]
            .iter()
            .zip(texts)
            .map(|(label, text)| (label.0, label.1, text))
            .collect()
    }

    /// Blocks of all pages.
    pub(crate) fn size(&self) -> usize {
        self.labels.iter().map(Vec::len).sum()
    }
}

fn without_first_row(table: Table) -> Table {
    let Table {
        names,
        columns,
        rows,
        shapes,
    } = table;
    let columns = columns
        .chunks_exact(rows.max(1))
        .flat_map(|column| column.iter().skip(1).copied())
        .collect();
    Table {
        names,
        columns,
        rows: rows.saturating_sub(1),
        shapes: shapes.into_iter().skip(1).collect(),
    }
}

/// Scores texts set by set.
pub(crate) fn score(examples: &[Example], texts: Vec<String>) -> (Vec<Score>, Vec<f64>) {
    let sets = examples.iter().map(|example| example.set).max().unwrap_or(0) + 1;
    let mut scores = vec![Score::default(); sets];
    let mut pages = vec![0.0; examples.len()];
    for (page, text) in texts.into_iter().enumerate() {
        pages[page] = scores[examples[page].set].add(&examples[page].text, &text);
    }
    (scores, pages)
}
