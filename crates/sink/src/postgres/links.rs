//! Which story an article belongs to, where many replicas give stories.
//!
//! Stories are given under a lock that one transaction of the database has at a time, after its articles are copied and
//! before it commits: so whoever gives stories sees all that were given before, and two versions of a text that two
//! replicas store at once are one story. What a batch costs beneath the lock is a small part of the whole; a replica
//! that is frozen there holds the others for as long as the server lets a transaction idle. Rejected: a repair
//! afterwards, which would move articles under a reader.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use postgres::{Client, Error, Statement, Transaction};
use telex_model::{ArticleId, Tagged};

use crate::row::Change;
use crate::story::{Key, MAX_CHARS, REMEMBERED, Stories};

/// "Tlxt": whoever gives stories holds this lock.
const LOCK: i64 = 0x546c_7874;

/// What linking does.
pub(super) struct Statements {
    lock: Statement,
    newest: Statement,
    shared: Statement,
    text: Statement,
    insert: Statement,
}

impl Statements {
    pub(super) fn prepare(client: &mut Client) -> Result<Self, Error> {
        Ok(Self {
            lock: client.prepare("SELECT pg_advisory_xact_lock($1)")?,
            newest: client.prepare(
                "SELECT number, story, fingerprint, language, first_seen FROM story
                 WHERE number > $1 ORDER BY number DESC LIMIT $2",
            )?,
            shared: client
                .prepare("SELECT DISTINCT story FROM story WHERE story = ANY($1) AND article <> ALL($1)")?,
            text: client.prepare(
                "SELECT left(a.text, $2) FROM story s JOIN article a ON a.id = s.article WHERE s.number = $1",
            )?,
            insert: client.prepare(
                "INSERT INTO story(article, story, fingerprint, language, first_seen)
                 SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])",
            )?,
        })
    }
}

/// The story of an article that was stored before the batch, and the text that it had.
pub(super) struct Before {
    linked: Linked,
    text: String,
}

impl Before {
    /// Reads one from [`before_columns`], the first of which is at `from`; none where the article has no story.
    pub(super) fn read(row: &postgres::Row, from: usize) -> Result<Option<Self>, Error> {
        let Some(seq) = row.try_get(from)? else {
            return Ok(None);
        };
        let linked = Linked {
            seq,
            story: row.try_get::<_, &str>(from + 1)?.into(),
            key: key(row, from + 2)?,
        };
        let text = row.try_get(from + 5)?;
        Ok(Some(Self { linked, text }))
    }
}

/// Columns that tell the story of an article `a` joined with its row `s` of the table `story`.
pub(super) fn before_columns() -> String {
    format!(
        "s.number, s.story, s.fingerprint, s.language, s.first_seen,
         CASE WHEN s.number IS NOT NULL THEN left(a.text, {MAX_CHARS}) END"
    )
}

/// Reads fingerprint, language and time.
fn key(row: &postgres::Row, from: usize) -> Result<Key, Error> {
    Ok(Key {
        fingerprint: row.try_get::<_, i64>(from)?.cast_unsigned(),
        language: u32::try_from(row.try_get::<_, i64>(from + 1)?).unwrap_or_default(),
        first_seen: row.try_get(from + 2)?,
    })
}

/// An article's place among the stories.
struct Linked {
    /// Its number, or one below zero where it is not committed.
    seq: i64,
    story: Arc<str>,
    key: Key,
}

/// The stories that were given last, as this process knows them.
#[derive(Default)]
pub(super) struct Links {
    stories: Stories,
    /// Number of the newest.
    newest: i64,
}

impl Links {
    /// Gives the articles of a batch their stories, in the order of their changes. `before` tells of those that had one
    /// before the batch, and `stored` which it stores. After an error, also one that follows, this is of no more use.
    pub(super) fn link(
        &mut self,
        tx: &mut Transaction<'_>,
        statements: &Statements,
        before: BTreeMap<ArticleId, Before>,
        changes: &[Change<'_>],
        stored: impl Fn(ArticleId) -> bool,
    ) -> Result<(), Error> {
        let mut batch = Batch::new(before);
        if !batch.has_work(changes) {
            return Ok(());
        }
        tx.execute(&statements.lock, &[&LOCK])?;
        self.catch_up(tx, statements)?;
        batch.read_shared(tx, statements, changes)?;
        for change in changes {
            match change {
                Change::Put { article, .. } => batch.put(tx, statements, &mut self.stories, article)?,
                Change::Retract(id) => batch.retract(&mut self.stories, *id),
            }
        }
        batch.write(tx, statements, stored)?;
        // They come again with the next batch, in the order in which they were committed.
        self.stories.forget_uncommitted();
        Ok(())
    }

    /// Remembers what was committed since, by whomever. To be called before a batch takes away what it replaces, for
    /// what comes first in it is compared with that.
    pub(super) fn catch_up(
        &mut self,
        tx: &mut Transaction<'_>,
        statements: &Statements,
    ) -> Result<(), Error> {
        let most = i64::try_from(REMEMBERED).unwrap_or(i64::MAX);
        let rows = tx.query(&statements.newest, &[&self.newest, &most])?;
        for row in rows.iter().rev() {
            self.newest = row.try_get(0)?;
            let story = row.try_get::<_, &str>(1)?.into();
            self.stories.remember(key(row, 2)?.known(self.newest, story));
        }
        Ok(())
    }
}

/// A batch whose articles get their stories.
#[derive(Default)]
struct Batch<'a> {
    /// Its articles as they are after the changes so far.
    articles: BTreeMap<ArticleId, Current<'a>>,
    /// Articles of the batch by their numbers.
    numbers: BTreeMap<i64, ArticleId>,
    /// Stories named after articles of the batch that others belong to.
    shared: HashSet<String>,
}

/// An article, somewhere amid a batch.
struct Current<'a> {
    linked: Option<Linked>,
    text: Cow<'a, str>,
}

impl<'a> Batch<'a> {
    fn new(before: BTreeMap<ArticleId, Before>) -> Self {
        let mut batch = Self::default();
        for (id, before) in before {
            batch.numbers.insert(before.linked.seq, id);
            let current = Current {
                linked: Some(before.linked),
                text: Cow::Owned(before.text),
            };
            batch.articles.insert(id, current);
        }
        batch
    }

    /// Tells whether any article has or gets a story.
    fn has_work(&self, changes: &[Change<'_>]) -> bool {
        let compared =
            |change: &Change<'_>| matches!(change, Change::Put { article, .. } if Key::of(article).is_some());
        !self.articles.is_empty() || changes.iter().any(compared)
    }

    /// Looks whether others belong to the stories of articles that come with a further revision.
    fn read_shared(
        &mut self,
        tx: &mut Transaction<'_>,
        statements: &Statements,
        changes: &[Change<'_>],
    ) -> Result<(), Error> {
        let mut seen: HashSet<ArticleId> = self.articles.keys().copied().collect();
        let mut again = false;
        for change in changes {
            if let Change::Put { article, .. } = change {
                again |= !seen.insert(article.id);
            }
        }
        if again {
            let ids: Vec<String> = seen.iter().map(ToString::to_string).collect();
            for row in tx.query(&statements.shared, &[&ids])? {
                self.shared.insert(row.try_get(0)?);
            }
        }
        Ok(())
    }

    /// As the SQLite sink does it.
    fn put(
        &mut self,
        tx: &mut Transaction<'_>,
        statements: &Statements,
        stories: &mut Stories,
        article: &'a Tagged,
    ) -> Result<(), Error> {
        let id = article.id;
        let old = self
            .articles
            .get_mut(&id)
            .and_then(|current| current.linked.take());
        let Some(key) = Key::of(article) else {
            // What is not compared belongs to no story; a revision that lost its text stays where it was.
            self.set(id, old, &article.text);
            return Ok(());
        };
        let keeps = old.filter(|old| {
            stories.forget(old.seq);
            self.is_shared(id, &old.story)
        });
        let story = match keeps {
            Some(old) => old.story,
            None => {
                let found = stories.find(&key, &article.text, |seq| self.text(tx, statements, seq))?;
                found.unwrap_or_else(|| id.to_string().into())
            }
        };
        let seq = -1 - i64::try_from(self.numbers.len()).unwrap_or(i64::MAX - 1);
        stories.remember(key.known(seq, Arc::clone(&story)));
        self.numbers.insert(seq, id);
        self.set(id, Some(Linked { seq, story, key }), &article.text);
        Ok(())
    }

    fn set(&mut self, id: ArticleId, linked: Option<Linked>, text: &'a str) {
        let text = Cow::Borrowed(text);
        self.articles.insert(id, Current { linked, text });
    }

    /// Tells whether others belong to the story of an article.
    fn is_shared(&self, id: ArticleId, story: &str) -> bool {
        let own = id.to_string();
        let same = |current: &Current<'_>| current.linked.as_ref().is_some_and(|l| *l.story == own);
        story != own || self.shared.contains(&own) || self.articles.values().any(same)
    }

    /// Gives the text of an article that has a number, none where it is gone.
    fn text(
        &self,
        tx: &mut Transaction<'_>,
        statements: &Statements,
        seq: i64,
    ) -> Result<Option<String>, Error> {
        if let Some(id) = self.numbers.get(&seq) {
            return Ok(self
                .articles
                .get(id)
                .map(|current| current.text.clone().into_owned()));
        }
        let most = i32::try_from(MAX_CHARS).unwrap_or(i32::MAX);
        tx.query_opt(&statements.text, &[&seq, &most])?
            .map(|row| row.try_get(0))
            .transpose()
    }

    fn retract(&mut self, stories: &mut Stories, id: ArticleId) {
        let gone = self.articles.remove(&id).and_then(|current| current.linked);
        if let Some(gone) = gone {
            stories.forget(gone.seq);
        }
    }

    /// Writes the stories of those articles that the batch stored.
    fn write(
        &self,
        tx: &mut Transaction<'_>,
        statements: &Statements,
        stored: impl Fn(ArticleId) -> bool,
    ) -> Result<(), Error> {
        // In the order in which they were given.
        let mut linked: Vec<(&ArticleId, &Linked)> = self
            .articles
            .iter()
            .filter(|(id, _)| stored(**id))
            .filter_map(|(id, current)| Some((id, current.linked.as_ref()?)))
            .collect();
        linked.sort_by_key(|(_, linked)| std::cmp::Reverse(linked.seq));
        let ids: Vec<String> = linked.iter().map(|(id, _)| id.to_string()).collect();
        let stories: Vec<&str> = linked.iter().map(|(_, l)| &*l.story).collect();
        let column = |of: fn(&Key) -> i64| -> Vec<i64> { linked.iter().map(|(_, l)| of(&l.key)).collect() };
        let fingerprints = column(|key| key.fingerprint.cast_signed());
        let (languages, times) = (
            column(|key| i64::from(key.language)),
            column(|key| key.first_seen),
        );
        tx.execute(
            &statements.insert,
            &[&ids, &stories, &fingerprints, &languages, &times],
        )?;
        Ok(())
    }
}
