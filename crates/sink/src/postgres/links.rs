//! Which story an article belongs to, where many replicas give stories.
//!
//! Stories are given, and changes noted, under a lock that one transaction of the database has at a time, after its
//! articles are copied and before it commits: so whoever gives stories sees all that were given before, and two versions
//! of a text that two replicas store at once are one story. All texts are compared before the lock is taken, and only
//! what others gave meanwhile beneath it. A replica that is frozen there holds the others for as long as the server lets
//! a transaction idle. Rejected: a repair afterwards, which would move articles under a reader.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use postgres::{Client, Error, Statement, Transaction};
use telex_model::{ArticleId, Tagged};

use crate::row::Change;
use crate::story::{Key, Known, MAX_CHARS, REMEMBERED, Stories, Text};

/// "Tlxt": whoever gives stories or notes changes holds this lock.
const LOCK: i64 = 0x546c_7874;

/// Articles whose texts are compared with those of others at once: four others each, and so a few megabytes.
const COMPARED: usize = 16;

/// What linking does.
pub(super) struct Statements {
    lock: Statement,
    newest: Statement,
    shared: Statement,
    texts: Statement,
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
            texts: client.prepare(
                "SELECT s.number, left(a.text, $2) FROM story s JOIN article a ON a.id = s.article
                 WHERE s.number = ANY($1)",
            )?,
            insert: client.prepare(
                "INSERT INTO story(article, story, fingerprint, language, first_seen)
                 SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])",
            )?,
        })
    }

    /// Waits until no other transaction gives stories or notes changes; until this one ends nobody else does.
    pub(super) fn lock(&self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        tx.execute(&self.lock, &[&LOCK]).map(drop)
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
#[derive(Clone)]
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
    /// before the batch, and `stored` which it stores. The lock is held afterwards, also where no article has a story,
    /// until the transaction ends. After an error, also one that follows, this is of no more use.
    pub(super) fn link(
        &mut self,
        tx: &mut Transaction<'_>,
        statements: &Statements,
        before: BTreeMap<ArticleId, Before>,
        changes: &[Change<'_>],
        stored: impl Fn(ArticleId) -> bool,
    ) -> Result<(), Error> {
        if before.is_empty() && !changes.iter().any(is_compared) {
            return statements.lock(tx);
        }
        let mut texts = Texts {
            tx,
            statements,
            told: HashMap::new(),
        };
        texts.compare(&self.stories, &before, changes)?;
        let mut batch = Batch::given(&mut texts, &mut self.stories, &before, changes)?;
        statements.lock(texts.tx)?;
        if self.catch_up(texts.tx, statements)? {
            // Others gave stories meanwhile: once more, with what is told already.
            let forgotten = std::mem::take(&mut batch.forgotten);
            forgotten
                .into_iter()
                .for_each(|known| self.stories.remember(known));
            batch = Batch::given(&mut texts, &mut self.stories, &before, changes)?;
        }
        // What is written comes again with the next batch, as it was committed.
        batch.write(texts.tx, statements, stored)
    }

    /// Remembers what was committed since, by whomever; tells whether there was anything. To be called before a batch
    /// takes away what it replaces, for what comes first in it is compared with that.
    pub(super) fn catch_up(
        &mut self,
        tx: &mut Transaction<'_>,
        statements: &Statements,
    ) -> Result<bool, Error> {
        let most = i64::try_from(REMEMBERED).unwrap_or(i64::MAX);
        let rows = tx.query(&statements.newest, &[&self.newest, &most])?;
        for row in rows.iter().rev() {
            self.newest = row.try_get(0)?;
            let story = row.try_get::<_, &str>(1)?.into();
            self.stories.remember(key(row, 2)?.known(self.newest, story));
        }
        Ok(!rows.is_empty())
    }
}

/// Tells whether a change brings an article that has or gets a story.
fn is_compared(change: &Change<'_>) -> bool {
    matches!(change, Change::Put { article, .. } if Key::of(article).is_some())
}

/// The texts of stored articles, and which of them are versions of which of a batch's.
struct Texts<'t, 'c> {
    tx: &'t mut Transaction<'c>,
    statements: &'t Statements,
    /// By place in the batch and number: told once, however often the stories are given.
    told: HashMap<(usize, i64), bool>,
}

impl Texts<'_, '_> {
    /// Compares the new articles of a batch with those that they may be versions of.
    fn compare(
        &mut self,
        stories: &Stories,
        before: &BTreeMap<ArticleId, Before>,
        changes: &[Change<'_>],
    ) -> Result<(), Error> {
        let own: HashSet<i64> = before.values().map(|b| b.linked.seq).collect();
        let mut asked = Vec::new();
        for (at, change) in changes.iter().enumerate() {
            if let Change::Put { article, .. } = change
                && !before.contains_key(&article.id)
                && let Some(key) = Key::of(article)
            {
                let near = stories.near(&key).into_iter().map(|known| known.seq);
                asked.push((
                    at,
                    &article.text,
                    near.filter(|n| !own.contains(n)).collect::<Vec<_>>(),
                ));
            }
        }
        for some in asked.chunks(COMPARED) {
            let numbers: Vec<i64> = some.iter().flat_map(|(_, _, near)| near).copied().collect();
            let texts = self.read(&numbers)?;
            for (at, text, near) in some.iter().filter(|(_, _, near)| !near.is_empty()) {
                let text = Text::new(text);
                for number in near {
                    let told = texts.get(number).map(|other| text.is_version_of(other));
                    told.map(|told| self.told.insert((*at, *number), told));
                }
            }
        }
        Ok(())
    }

    /// Reads the texts of articles by their numbers; those that are gone are left out.
    fn read(&mut self, numbers: &[i64]) -> Result<HashMap<i64, Text>, Error> {
        if numbers.is_empty() {
            return Ok(HashMap::new());
        }
        let most = i32::try_from(MAX_CHARS).unwrap_or(i32::MAX);
        let rows = self.tx.query(&self.statements.texts, &[&numbers, &most])?;
        let text = |row: &postgres::Row| Ok((row.try_get(0)?, Text::new(row.try_get(1)?)));
        rows.iter().map(text).collect()
    }

    /// Tells whether the text of an article is a version of that of the batch's at a place; none where it is gone.
    /// `other` is its text, where the article is of the batch itself.
    fn is_version(
        &mut self,
        at: usize,
        article: &Tagged,
        seq: i64,
        other: Option<&str>,
    ) -> Result<Option<bool>, Error> {
        if let Some(told) = self.told.get(&(at, seq)) {
            return Ok(Some(*told));
        }
        let other = match other {
            Some(text) => Some(Text::new(text)),
            None => self.read(&[seq])?.remove(&seq),
        };
        let told = other.map(|other| Text::new(&article.text).is_version_of(&other));
        told.map(|told| self.told.insert((at, seq), told));
        Ok(told)
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
    /// What was remembered and is replaced or withdrawn.
    forgotten: Vec<Known>,
}

/// An article, somewhere amid a batch.
struct Current<'a> {
    linked: Option<Linked>,
    text: &'a str,
}

impl<'a> Batch<'a> {
    /// Gives all articles of a batch their stories.
    fn given(
        texts: &mut Texts<'_, '_>,
        stories: &mut Stories,
        before: &'a BTreeMap<ArticleId, Before>,
        changes: &[Change<'a>],
    ) -> Result<Self, Error> {
        let mut batch = Self::default();
        for (id, before) in before {
            batch.numbers.insert(before.linked.seq, *id);
            batch.set(*id, Some(before.linked.clone()), &before.text);
        }
        batch.read_shared(texts.tx, texts.statements, changes)?;
        for (at, change) in changes.iter().enumerate() {
            match change {
                Change::Put { article, .. } => batch.put(texts, stories, at, article)?,
                Change::Retract(id) => batch.retract(stories, *id),
            }
        }
        stories.forget_uncommitted();
        Ok(batch)
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
        texts: &mut Texts<'_, '_>,
        stories: &mut Stories,
        at: usize,
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
        if let Some(old) = &old {
            self.forget(stories, old.seq);
        }
        let story = match old.filter(|old| self.is_shared(id, &old.story)) {
            Some(old) => old.story,
            None => {
                let found = stories.find(&key, |seq| texts.is_version(at, article, seq, self.text(seq)))?;
                found.unwrap_or_else(|| id.to_string().into())
            }
        };
        let seq = -1 - i64::try_from(at).unwrap_or(i64::MAX - 1);
        stories.remember(key.known(seq, Arc::clone(&story)));
        self.numbers.insert(seq, id);
        self.set(id, Some(Linked { seq, story, key }), &article.text);
        Ok(())
    }

    /// Has an article forgotten, until it is known whether the stories are given anew.
    fn forget(&mut self, stories: &mut Stories, seq: i64) {
        self.forgotten
            .extend(stories.forget(seq).filter(|known| known.seq >= 0));
    }

    fn set(&mut self, id: ArticleId, linked: Option<Linked>, text: &'a str) {
        self.articles.insert(id, Current { linked, text });
    }

    /// Tells whether others belong to the story of an article.
    fn is_shared(&self, id: ArticleId, story: &str) -> bool {
        let own = id.to_string();
        let same = |current: &Current<'_>| current.linked.as_ref().is_some_and(|l| *l.story == own);
        story != own || self.shared.contains(&own) || self.articles.values().any(same)
    }

    /// Gives the text of an article of the batch by its number.
    fn text(&self, seq: i64) -> Option<&'a str> {
        let id = self.numbers.get(&seq)?;
        self.articles.get(id).map(|current| current.text)
    }

    fn retract(&mut self, stories: &mut Stories, id: ArticleId) {
        let gone = self.articles.remove(&id).and_then(|current| current.linked);
        if let Some(gone) = gone {
            self.forget(stories, gone.seq);
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
