//! The measure of the article-extraction benchmark: precision and recall over groups of four words.

use std::collections::HashMap;

/// Sums over pages.
#[derive(Default, Clone, Copy)]
pub(crate) struct Score {
    precision: f64,
    precise: f64,
    recall: f64,
    recalled: f64,
    exact: f64,
    pages: f64,
}

impl Score {
    /// Adds a page and gives its own F1.
    pub(crate) fn add(&mut self, gold: &str, text: &str) -> f64 {
        let (a, b) = (groups(gold), groups(text));
        let hits: usize = a
            .iter()
            .map(|(group, count)| (*count).min(b.get(group).copied().unwrap_or(0)))
            .sum();
        let (in_gold, in_text) = (a.values().sum::<usize>(), b.values().sum::<usize>());
        let precision = (in_text > 0).then(|| hits as f64 / in_text as f64);
        let recall = (in_gold > 0).then(|| hits as f64 / in_gold as f64);
        self.precision += precision.unwrap_or(0.0);
        self.precise += f64::from(u8::from(precision.is_some()));
        self.recall += recall.unwrap_or(0.0);
        self.recalled += f64::from(u8::from(recall.is_some()));
        self.exact += f64::from(u8::from(words(gold) == words(text)));
        self.pages += 1.0;
        let (p, r) = (precision.unwrap_or(0.0), recall.unwrap_or(0.0));
        if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 }
    }

    /// F1 of the means.
    pub(crate) fn f1(&self) -> f64 {
        let (p, r) = (
            self.precision / self.precise.max(1.0),
            self.recall / self.recalled.max(1.0),
        );
        if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 }
    }

    /// One line for reading.
    pub(crate) fn line(&self) -> String {
        let (p, r) = (
            self.precision / self.precise.max(1.0),
            self.recall / self.recalled.max(1.0),
        );
        format!(
            "F1 {:.4}  P {p:.4}  R {r:.4}  exact {:.3}  n {}",
            self.f1(),
            self.exact / self.pages.max(1.0),
            self.pages
        )
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect()
}

fn groups(text: &str) -> HashMap<Vec<&str>, usize> {
    let words = words(text);
    let mut groups = HashMap::new();
    for group in words.windows(4.min(words.len().max(1))) {
        *groups.entry(group.to_vec()).or_insert(0) += 1;
    }
    groups
}
