//! The measure of the article-extraction benchmark: precision and recall of groups of four words, each averaged over
//! pages, then F1; and the share of pages that are right word for word.

use std::collections::HashMap;
use std::fmt;

/// Sums over pages.
#[derive(Default)]
pub struct Measure {
    precision: f64,
    /// Pages of which anything was extracted; others have no precision.
    precise: f64,
    recall: f64,
    exact: f64,
    pages: f64,
}

impl Measure {
    /// Adds a page.
    pub fn add(&mut self, truth: &str, text: &str) {
        let (a, b) = (groups(truth), groups(text));
        let hits = a
            .iter()
            .map(|(group, count)| *count.min(b.get(group).unwrap_or(&0)));
        let hits = hits.sum::<usize>() as f64;
        let (in_truth, in_text) = (a.values().sum::<usize>(), b.values().sum::<usize>());
        if in_text > 0 {
            self.precision += hits / in_text as f64;
            self.precise += 1.0;
        }
        self.recall += hits / in_truth.max(1) as f64;
        self.exact += f64::from(u8::from(words(truth) == words(text)));
        self.pages += 1.0;
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = self.precision / self.precise.max(1.0);
        let recall = self.recall / self.pages.max(1.0);
        let f1 = 2.0 * precision * recall / (precision + recall);
        let exact = self.exact / self.pages.max(1.0);
        write!(f, "F1 {f1:.4}  P {precision:.4}  R {recall:.4}  exact {exact:.3}")
    }
}

fn words(text: &str) -> Vec<&str> {
    let is_sign = |c: char| !c.is_alphanumeric() && c != '_';
    text.split(is_sign).filter(|word| !word.is_empty()).collect()
}

fn groups(text: &str) -> HashMap<Vec<&str>, usize> {
    let words = words(text);
    let mut groups = HashMap::new();
    for group in words.windows(words.len().clamp(1, 4)) {
        *groups.entry(group.to_vec()).or_insert(0) += 1;
    }
    groups
}
