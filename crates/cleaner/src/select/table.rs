//! Numbers about the blocks of a page, column by column.

/// A table of features: one row a block. Columns lie one behind the other, so that a forest's question runs over
/// neighbouring numbers.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// What each column holds.
    pub names: Vec<&'static str>,
    /// All columns, each of [`Table::rows`] numbers.
    pub columns: Vec<f32>,
    /// Blocks.
    pub rows: usize,
    /// For each block a number that it shares with the blocks that are boxed and named alike.
    pub shapes: Vec<u64>,
}

/// Columns for which room is made at once: those of `features` and `context` together.
const COLUMNS: usize = 144;

impl Table {
    /// Makes an empty table.
    pub(super) fn new(shapes: Vec<u64>) -> Self {
        let rows = shapes.len();
        Self {
            names: Vec::with_capacity(COLUMNS),
            columns: Vec::with_capacity(COLUMNS * rows),
            rows,
            shapes,
        }
    }

    /// Adds a column; `values` must give a number a row.
    pub(super) fn put(&mut self, name: &'static str, values: impl Iterator<Item = f32>) {
        self.names.push(name);
        self.columns.extend(values);
        debug_assert_eq!(self.columns.len(), self.names.len() * self.rows, "{name}");
    }

    /// Adds a column that says yes or no.
    pub(super) fn flag(&mut self, name: &'static str, values: impl Iterator<Item = bool>) {
        self.put(name, values.map(|value| f32::from(u8::from(value))));
    }

    /// Adds a column with the same number in every row.
    pub(super) fn constant(&mut self, name: &'static str, value: f32) {
        let rows = self.rows;
        self.put(name, (0..rows).map(|_| value));
    }
}
