//! Puts the fields of an entry together: of several elements that say the same, the best one counts.

use crate::{Date, Entry, names::Rank};

/// Longest title, identifier, author or category in bytes; what is longer is cut or, for identifiers, still cut at the
/// same place each time.
pub(crate) const MAX_FIELD: usize = 64 * 1024;

/// Longest name of an author or category, in bytes.
pub(crate) const MAX_NAME: usize = 1024;

/// Most authors, and most categories, of one entry.
pub(crate) const MAX_NAMES: usize = 128;

/// A value and how good its source is; lower is better.
#[derive(Debug, Clone)]
pub(crate) struct Ranked<T>(Option<(Rank, T)>);

impl<T> Default for Ranked<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Ranked<T> {
    /// Keeps the better of the two; of equals the first.
    pub(crate) fn offer(&mut self, rank: Rank, value: T) {
        if self.0.as_ref().is_none_or(|(best, _)| rank < *best) {
            self.0 = Some((rank, value));
        }
    }

    /// Keeps the better of the two; of equals the last.
    pub(crate) fn replace(&mut self, rank: Rank, value: T) {
        if self.0.as_ref().is_none_or(|(best, _)| rank <= *best) {
            self.0 = Some((rank, value));
        }
    }

    pub(crate) fn take(self) -> Option<T> {
        self.0.map(|(_, value)| value)
    }
}

/// An entry under construction. Empty values are never offered.
#[derive(Debug, Default)]
pub(crate) struct EntryBuilder {
    pub(crate) title: Ranked<String>,
    pub(crate) link: Ranked<String>,
    pub(crate) id: Ranked<String>,
    pub(crate) published: Ranked<Date>,
    pub(crate) updated: Ranked<Date>,
    pub(crate) content: Ranked<String>,
    pub(crate) language: Ranked<String>,
    pub(crate) authors: Names,
    pub(crate) categories: Names,
    summary: Ranked<(String, String)>,
    /// The second of a `description` and a `summary` in one item, which is then the content.
    second: Option<String>,
    pub(crate) truncated: bool,
    /// It has an element that only news has.
    pub(crate) news: bool,
}

impl EntryBuilder {
    /// Takes a summary from the element `name`.
    pub(crate) fn summary(&mut self, rank: Rank, name: &str, text: String) {
        match &self.summary.0 {
            Some((0, (first, _))) if rank == 0 => {
                if first != name && self.second.is_none() {
                    self.second = Some(text);
                }
            }
            _ => self.summary.offer(rank, (name.to_owned(), text)),
        }
    }

    fn says_something(&self) -> bool {
        let text = self.title.0.is_some() || self.summary.0.is_some() || self.content.0.is_some();
        let dated = self.published.0.is_some() || self.updated.0.is_some();
        text || dated || !self.authors.0.is_empty() || !self.categories.0.is_empty()
    }

    /// Returns the entry, or nothing where nothing worth keeping was found.
    ///
    /// A cut-off entry must at least be identifiable, lest a fragment become an item of its own.
    pub(crate) fn build(self, inherited: &[String]) -> Option<Entry> {
        let says_something = self.says_something();
        let mut authors = self.authors.0;
        if authors.is_empty() {
            authors = inherited.to_vec();
        }
        let entry = Entry {
            id: self.id.take(),
            title: self.title.take(),
            link: self.link.take(),
            published: self.published.take(),
            updated: self.updated.take(),
            summary: self.summary.take().map(|(_, text)| text),
            content: self.content.take().or(self.second),
            authors,
            categories: self.categories.0,
            language: self.language.take(),
            truncated: self.truncated,
        };
        let identified = entry.id.is_some() || entry.link.is_some();
        (identified || !entry.truncated && says_something).then_some(entry)
    }
}

/// Names without repeats, few and short.
#[derive(Debug, Default, Clone)]
pub(crate) struct Names(pub(crate) Vec<String>);

/// Most bytes of authors that a feed names for all its entries: they are copied into each.
const MAX_INHERITED: usize = 512;

impl Names {
    /// Returns one name.
    pub(crate) fn of(name: &str) -> Self {
        let mut names = Self::default();
        names.add(name);
        names
    }

    /// Adds all of the others that are not there yet.
    pub(crate) fn extend(&mut self, others: Self) {
        for name in others.0 {
            self.add(&name);
        }
    }

    /// Returns the names for an entry that has none of its own, where they are few.
    pub(crate) fn inherited(&self) -> Vec<String> {
        let size: usize = self.0.iter().map(String::len).sum();
        if size <= MAX_INHERITED {
            self.0.clone()
        } else {
            Vec::new()
        }
    }

    /// Adds a name that is not there yet.
    pub(crate) fn add(&mut self, name: &str) {
        let name = cut(name.trim(), MAX_NAME);
        if !name.is_empty() && self.0.len() < MAX_NAMES && !self.0.iter().any(|known| known == name) {
            self.0.push(name.to_owned());
        }
    }
}

/// Returns the start of `text` of at most `most` bytes.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// Returns the name in what RSS calls an author: `mail@host (Name)`, `Name <mail@host>`, or only one of them.
pub(crate) fn person(text: &str) -> &str {
    let text = text.trim();
    if let Some((before, after)) = text.split_once('(')
        && before.contains('@')
        && let Some((name, _)) = after.split_once(')')
        && !name.trim().is_empty()
    {
        return name.trim();
    }
    if let Some((name, after)) = text.split_once('<')
        && after.contains('@')
        && !name.trim().is_empty()
    {
        return name.trim().trim_matches('"');
    }
    text
}
