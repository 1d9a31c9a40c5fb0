//! Which story an article in the database belongs to, and what changed in which order.
//!
//! No statement here is an `INSERT OR REPLACE`: where it might fail halfway SQLite makes it a savepoint, at which FTS5
//! writes out the words that it gathers, and so a segment for each article rather than one for a batch.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;
use telex_model::Tagged;

use super::decode;
use crate::story::{Key, Known, REMEMBERED, Stories, Text};

/// Changes that are kept for readers that follow: a day at ten articles a second.
pub(crate) const CHANGES: i64 = 1_000_000;

/// Remembers the articles that were stored last.
pub(super) fn load(sql: &Connection) -> rusqlite::Result<Stories> {
    let mut statement = sql.prepare(
        "SELECT seq, fingerprint, language, first_seen, story FROM story ORDER BY seq DESC LIMIT ?1",
    )?;
    let rows = statement.query_map([REMEMBERED as i64], |row| {
        Ok(Known {
            seq: row.get(0)?,
            fingerprint: row.get::<_, i64>(1)?.cast_unsigned(),
            language: row.get(2)?,
            first_seen: row.get(3)?,
            story: row.get(4)?,
        })
    })?;
    let mut known: Vec<Known> = rows.collect::<rusqlite::Result<_>>()?;
    let mut stories = Stories::default();
    while let Some(next) = known.pop() {
        stories.remember(next);
    }
    Ok(stories)
}

/// Gives the article of a row its story. A revision keeps the one that it shares with others.
pub(super) fn link(
    tx: &Connection,
    stories: &mut Stories,
    seq: i64,
    id: &str,
    article: &Tagged,
) -> rusqlite::Result<()> {
    let before: Option<(Arc<str>, bool)> = tx
        .prepare_cached(
            "SELECT story, story <> ?2 OR EXISTS (SELECT 1 FROM story other WHERE other.story = ?2 AND other.seq <> ?1)
             FROM story WHERE seq = ?1",
        )?
        .query_row(params![seq, id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some(key) = Key::of(article) else {
        // What is not compared belongs to no story; a revision that lost its text stays where it was.
        return Ok(());
    };
    if before.is_some() {
        stories.forget(seq);
    }
    let story = match before {
        Some((story, true)) => story,
        _ => {
            let mut mine = None;
            let found = stories.find(&key, |seq| -> rusqlite::Result<_> {
                let mine = mine.get_or_insert_with(|| Text::new(&article.text));
                Ok(text(tx, seq)?.map(|other| mine.is_version_of(&Text::new(&other))))
            })?;
            found.unwrap_or_else(|| Arc::from(id))
        }
    };
    tx.prepare_cached(
        "INSERT INTO story(seq, story, fingerprint, language, first_seen) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT(seq) DO UPDATE SET story = excluded.story, fingerprint = excluded.fingerprint,
           language = excluded.language, first_seen = excluded.first_seen",
    )?
    .execute(params![
        seq,
        story,
        key.fingerprint.cast_signed(),
        key.language,
        key.first_seen
    ])?;
    stories.remember(key.known(seq, story));
    Ok(())
}

/// Reads the text of an article, none where it is gone.
fn text(tx: &Connection, seq: i64) -> rusqlite::Result<Option<String>> {
    let json = tx
        .prepare_cached("SELECT value FROM article WHERE seq = ?1")?
        .query_row([seq], |row| decode(row.get_ref(0)?))
        .optional()?;
    // What is stored was parsed before it was stored.
    let article = json.and_then(|json| serde_json::from_str::<OfText>(&json).ok());
    Ok(article.map(|article| article.text))
}

/// Of an article its text alone.
#[derive(Deserialize)]
struct OfText {
    text: String,
}

/// Notes that an article was stored.
pub(super) fn stored(tx: &Connection, seq: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM change WHERE seq = ?1")?
        .execute([seq])?;
    tx.prepare_cached("INSERT INTO change(seq) VALUES (?1)")?
        .execute([seq])?;
    Ok(())
}

/// Notes that an article is gone.
pub(super) fn withdrawn(tx: &Connection, seq: i64, id: &str) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM change WHERE seq = ?1")?
        .execute([seq])?;
    tx.prepare_cached("DELETE FROM story WHERE seq = ?1")?
        .execute([seq])?;
    tx.prepare_cached("INSERT INTO change(withdrawn) VALUES (?1)")?
        .execute([id])?;
    Ok(())
}

/// Lets go of changes that are too old to be asked for.
pub(super) fn prune(tx: &Connection) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM change WHERE number <= (SELECT max(number) FROM change) - ?1")?
        .execute([CHANGES])?;
    Ok(())
}
