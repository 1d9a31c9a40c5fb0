//! Notes what changed, in order, for readers that follow.
//!
//! Numbers are given under the lock of [`links`](super::links), last of all that a transaction does, so whoever has
//! read up to a number misses nothing below it, however many replicas write. Rejected: a number at every row when it is
//! copied, which needs the lock for as long as the copying takes.

use std::collections::HashMap;

use postgres::{Client, Error, Statement, Transaction};
use telex_model::ArticleId;

use crate::row::Change;
use crate::sqlite::CHANGES;

/// What noting does.
pub(super) struct Statements {
    take_back: Statement,
    note: Statement,
    prune: Statement,
}

impl Statements {
    pub(super) fn prepare(client: &mut Client) -> Result<Self, Error> {
        Ok(Self {
            take_back: client.prepare("DELETE FROM change WHERE article = ANY($1)")?,
            note: client.prepare(
                "INSERT INTO change(article, withdrawn)
                 SELECT stored, withdrawn
                 FROM unnest($1::text[], $2::text[]) WITH ORDINALITY n(stored, withdrawn, place) ORDER BY place
                 ON CONFLICT(article) DO UPDATE SET number = DEFAULT",
            )?,
            prune: client
                .prepare("DELETE FROM change WHERE number <= (SELECT max(number) FROM change) - $1")?,
        })
    }
}

/// What some changes come to, in their order: of an article that is there the last, and each time that one went.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Notes(Vec<Note>);

#[derive(Debug, PartialEq, Eq)]
enum Note {
    Stored(ArticleId),
    Withdrawn(ArticleId),
}

impl Notes {
    /// Reads the changes of a batch; `known` are the articles that were there before.
    pub(super) fn of(changes: &[Change<'_>], known: impl Fn(&ArticleId) -> bool) -> Self {
        // Of each article the place of its last change, none where it is gone.
        let mut last: HashMap<ArticleId, Option<usize>> = HashMap::new();
        for (place, change) in changes.iter().enumerate() {
            match change {
                Change::Put { article, .. } => last.insert(article.id, Some(place)),
                Change::Retract(id) => last.insert(*id, None),
            };
        }
        let mut there: HashMap<ArticleId, bool> = HashMap::new();
        let note = |(place, change): (usize, &Change<'_>)| match change {
            Change::Put { article, .. } => {
                there.insert(article.id, true);
                let is_last = last.get(&article.id) == Some(&Some(place));
                is_last.then_some(Note::Stored(article.id))
            }
            Change::Retract(id) => {
                let was_there = there.insert(*id, false).unwrap_or_else(|| known(id));
                was_there.then_some(Note::Withdrawn(*id))
            }
        };
        Self(changes.iter().enumerate().filter_map(note).collect())
    }

    /// Notes that articles went.
    pub(super) fn withdrawn(ids: impl IntoIterator<Item = ArticleId>) -> Self {
        Self(ids.into_iter().map(Note::Withdrawn).collect())
    }

    /// Writes them, and lets go of what is too old to be asked for. The lock must be held.
    pub(super) fn write(&self, tx: &mut Transaction<'_>, statements: &Statements) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let column = |of: fn(&Note) -> Option<&ArticleId>| -> Vec<Option<String>> {
            self.0.iter().map(|n| of(n).map(ToString::to_string)).collect()
        };
        let (stored, withdrawn) = (column(Note::stored), column(Note::withdrawn));
        let gone: Vec<&String> = withdrawn.iter().flatten().collect();
        if !gone.is_empty() {
            tx.execute(&statements.take_back, &[&gone])?;
        }
        tx.execute(&statements.note, &[&stored, &withdrawn])?;
        tx.execute(&statements.prune, &[&CHANGES])?;
        Ok(())
    }
}

impl Note {
    fn stored(&self) -> Option<&ArticleId> {
        match self {
            Self::Stored(id) => Some(id),
            Self::Withdrawn(_) => None,
        }
    }

    fn withdrawn(&self) -> Option<&ArticleId> {
        match self {
            Self::Stored(_) => None,
            Self::Withdrawn(id) => Some(id),
        }
    }
}
