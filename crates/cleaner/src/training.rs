//! What the tool that learns the weights needs to see of the engine.
//!
//! Not for cleaning pages: [`crate::clean_html`] is. The form of these items may change with every new set of weights.

pub use crate::select::{Forest, HOPELESS, Lexicon, MAX_DEPTH, Model, Table, Tree};

use crate::Page;
use crate::html::{self, Document};
use crate::meta::{self, Statements};
use crate::select;

/// A page read for learning.
pub struct Sample<'a> {
    document: Document<'a>,
    said: Statements,
    title: Option<String>,
}

impl<'a> Sample<'a> {
    /// Reads a page.
    pub fn read(page: &Page<'a>) -> Self {
        let document = html::read(page.html);
        let said = meta::statements(&document.json_ld);
        let title = meta::title(&document, &said);
        Self {
            document,
            said,
            title,
        }
    }

    /// Reads plain text, each line a block.
    pub fn read_lines(text: &'a str) -> Self {
        let document = html::read_lines(text);
        let title = crate::scrape::title(&document);
        Self {
            document,
            said: Statements::default(),
            title,
        }
    }

    /// Writes the page as a scraper would: its title, then its blocks line by line, list items with a bullet.
    pub fn scrape(&self) -> String {
        let title = self
            .document
            .title
            .map(meta::tidy)
            .filter(|title| !title.is_empty());
        let mut text = title.unwrap_or_else(|| "Untitled".to_owned());
        for block in &self.document.blocks {
            let is_item = self
                .document
                .path(block.node)
                .take(3)
                .any(|(_, node)| node.tag == html::Tag::Li);
            text.push_str(if is_item { "\n* " } else { "\n" });
            let line = self.document.block_text(block).replace('\n', " ");
            // A line of nothing but rare spaces would be dropped; every block must stay a line.
            text.push_str(if line.trim().is_empty() { "?" } else { &line });
        }
        text
    }

    /// The texts of the blocks in page order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.document
            .blocks
            .iter()
            .map(|block| self.document.block_text(block))
    }

    /// Calls back with every word that a lexicon may weigh: block, hash, spelling.
    pub fn words(&self, found: impl FnMut(usize, u64, &str)) {
        select::lexicon_words(&self.document, found);
    }

    /// Computes the features that the first forest sees.
    pub fn features(&self, lexicon: &Lexicon) -> Table {
        select::features(&self.document, &self.said, self.title.as_deref(), lexicon)
    }

    /// Adds the columns that the second forest sees beside those of the first.
    pub fn context(&self, table: &mut Table, first: &[f32]) {
        select::context(&self.document, first, table);
    }

    /// Joins the chosen blocks to a text, as the cleaner does.
    pub fn text(&self, scores: &[f32]) -> String {
        select::join(&self.document, scores)
    }
}
