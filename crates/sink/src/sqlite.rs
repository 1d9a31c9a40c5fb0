//! Articles in SQLite, with full-text search.
//!
//! One row an article, its tags, its story, its words in an FTS5 index, and the positions, all in one transaction a
//! batch. The index keeps no copy of the text (contentless): the message is in the article's row, compressed. Rejected:
//! an external-content index, which needs the old text at every change, and so its decompression; triggers, which would
//! hide the same statements.

mod forget;
pub(crate) mod labels;
mod links;
pub(crate) mod schema;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, ToSql, TransactionBehavior, params};
use telex_model::{Kind, Tagged};
use telex_stream::sqlite::unpack;

pub(crate) use self::links::CHANGES;

use crate::error::SinkError;
use crate::position::Position;
use crate::row::{Change, Fate, Row, Sink};
use crate::story::Stories;
use crate::text::spaced;

/// How the database is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Bytes that the file may take; none is as many as the disk has.
    pub max_bytes: Option<u64>,
    /// Level of Zstandard at which messages are compressed; none leaves them as text, to be read by other programs.
    pub compression: Option<i32>,
    /// Bytes of a page in a new file: a power of two from 512 to 65536.
    pub page_bytes: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            max_bytes: None,
            compression: Some(1),
            page_bytes: 8 << 10,
        }
    }
}

/// The sink into SQLite.
#[derive(Debug)]
pub struct SqliteSink {
    path: PathBuf,
    sql: Connection,
    codec: Codec,
    /// As the database has them; none where they are to be read from it anew.
    stories: Option<Stories>,
}

impl SqliteSink {
    /// Opens the database, making it where there is none and bringing it up to date.
    ///
    /// # Errors
    /// Where it cannot be opened and written, is damaged, of another program, or of a newer version.
    pub fn open(path: &Path, options: &SqliteOptions) -> Result<Self, SinkError> {
        let sql = schema::open(path, options.page_bytes, options.max_bytes)?;
        let codec = Codec::new(options.compression).map_err(|e| SinkError::of_io(path, e))?;
        Ok(Self {
            path: path.to_owned(),
            sql,
            codec,
            stories: None,
        })
    }

    fn transact(&mut self, log: &str, rows: &[Row<'_>]) -> rusqlite::Result<Vec<Fate>> {
        let tx = self
            .sql
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut positions = read_positions(&tx, log)?;
        // Put back only when all is stored.
        let mut stories = match self.stories.take() {
            Some(stories) => stories,
            None => links::load(&tx)?,
        };
        let mut fates = Vec::with_capacity(rows.len());
        for row in rows {
            let position = positions.entry(row.partition).or_insert(Position::START);
            fates.push(if position.advance(row) {
                apply(&tx, &mut self.codec, &mut stories, row, position.generation)?
            } else {
                Fate::AlreadyStored
            });
        }
        write_positions(&tx, log, &positions)?;
        links::prune(&tx)?;
        tx.commit()?;
        self.stories = Some(stories);
        Ok(fates)
    }
}

impl Sink for SqliteSink {
    fn store(&mut self, log: &str, rows: &[Row<'_>]) -> Result<Vec<Fate>, SinkError> {
        self.transact(log, rows)
            .map_err(|e| SinkError::of_sqlite(&self.path, e))
    }
}

fn read_positions(tx: &Connection, log: &str) -> rusqlite::Result<BTreeMap<u32, Position>> {
    let mut statement =
        tx.prepare_cached("SELECT partition, next, newest, generation FROM position WHERE log = ?1")?;
    let rows = statement.query_map([log], |row| {
        let position = Position {
            next: u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default(),
            newest: row.get(2)?,
            generation: row.get(3)?,
        };
        Ok((row.get(0)?, position))
    })?;
    rows.collect()
}

fn write_positions(tx: &Connection, log: &str, positions: &BTreeMap<u32, Position>) -> rusqlite::Result<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO position(log, partition, next, newest, generation) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET next = excluded.next, newest = excluded.newest, generation = excluded.generation",
    )?;
    for (partition, position) in positions {
        let next = i64::try_from(position.next).unwrap_or(i64::MAX);
        statement.execute(params![
            log,
            partition,
            next,
            position.newest,
            position.generation
        ])?;
    }
    Ok(())
}

/// Stores or withdraws one article.
fn apply(
    tx: &Connection,
    codec: &mut Codec,
    stories: &mut Stories,
    row: &Row<'_>,
    generation: u32,
) -> rusqlite::Result<Fate> {
    let id = match row.change {
        Change::Put { article, .. } => article.id,
        Change::Retract(id) => id,
    }
    .to_string();
    let known: Option<(i64, u32, u32)> = tx
        .prepare_cached("SELECT seq, revision, generation FROM article WHERE id = ?1")?
        .query_row([&id], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    if let (Some((_, revision, stored)), Change::Put { article, .. }) = (known, row.change)
        // A log begun anew counts revisions from 1 again.
        && generation == stored
        && article.revision < revision
    {
        return Ok(Fate::Outdated);
    }
    let seq = known.map(|(seq, ..)| seq);
    if let Some(seq) = seq {
        forget_words_and_labels(tx, seq)?;
    }
    match (row.change, seq) {
        (Change::Put { article, json }, _) => {
            let seq = put(tx, codec, seq, &id, article, json, generation)?;
            links::link(tx, stories, seq, &id, article)?;
            links::stored(tx, seq)?;
        }
        (Change::Retract(_), Some(seq)) => {
            stories.forget(seq);
            links::withdrawn(tx, seq, &id)?;
            tx.prepare_cached("DELETE FROM article WHERE seq = ?1")?
                .execute([seq])?;
        }
        (Change::Retract(_), None) => {}
    }
    Ok(Fate::Stored)
}

fn forget_words_and_labels(tx: &Connection, seq: i64) -> rusqlite::Result<()> {
    labels::forget(tx, seq)?;
    tx.prepare_cached("DELETE FROM tag WHERE seq = ?1")?
        .execute([seq])?;
    tx.prepare_cached("DELETE FROM search WHERE rowid = ?1")?
        .execute([seq])?;
    Ok(())
}

fn put(
    tx: &Connection,
    codec: &mut Codec,
    seq: Option<i64>,
    id: &str,
    article: &Tagged,
    json: &str,
    generation: u32,
) -> rusqlite::Result<i64> {
    let first_seen = article.first_seen.as_millisecond();
    let value = codec.encode(json);
    tx.prepare_cached(
        "INSERT INTO article(seq, id, revision, topics_version, generation, url, title, language, kind, domain, published, first_seen, value)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT(seq) DO UPDATE SET revision = excluded.revision, topics_version = excluded.topics_version,
           generation = excluded.generation, url = excluded.url, title = excluded.title, language = excluded.language,
           kind = excluded.kind, domain = excluded.domain, published = excluded.published,
           first_seen = excluded.first_seen, value = excluded.value",
    )?
    .execute(params![
        seq,
        id,
        article.revision,
        article.topics_version,
        generation,
        article.url,
        article.title,
        article.language,
        kind_name(article.kind),
        article.source.domain,
        article.published.map(|t| t.as_millisecond()),
        first_seen,
        value,
    ])?;
    let seq = seq.unwrap_or_else(|| tx.last_insert_rowid());
    tx.prepare_cached("INSERT INTO search(rowid, title, text) VALUES (?1, ?2, ?3)")?
        .execute(params![seq, spaced(&article.title), spaced(&article.text)])?;
    let (domain, language) = (&article.source.domain, article.language.as_deref());
    labels::put(tx, seq, first_seen, domain, language)?;
    let mut tags = tx.prepare_cached(
        "INSERT INTO tag(topic, first_seen, seq, score) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET score = max(score, excluded.score)",
    )?;
    for tag in &article.tags {
        tags.execute(params![tag.topic, first_seen, seq, tag.score])?;
    }
    Ok(seq)
}

/// Name of a kind, as in the message.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Article => "article",
        Kind::Listing => "listing",
        Kind::Paywall => "paywall",
        Kind::Consent => "consent",
        Kind::Error => "error",
        Kind::Summary => "summary",
    }
}

/// Makes the stored form of messages.
struct Codec(Option<zstd::bulk::Compressor<'static>>);

/// A message as it is stored.
enum Stored<'a> {
    Plain(&'a str),
    Compressed(Vec<u8>),
}

impl Codec {
    fn new(level: Option<i32>) -> std::io::Result<Self> {
        Ok(Self(level.map(zstd::bulk::Compressor::new).transpose()?))
    }

    fn encode<'a>(&mut self, json: &'a str) -> Stored<'a> {
        match self.0.as_mut().map(|z| z.compress(json.as_bytes())) {
            Some(Ok(bytes)) if bytes.len() < json.len() => Stored::Compressed(bytes),
            _ => Stored::Plain(json),
        }
    }
}

impl std::fmt::Debug for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Codec")
    }
}

impl ToSql for Stored<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Stored::Plain(text) => text.to_sql(),
            Stored::Compressed(bytes) => bytes.to_sql(),
        }
    }
}

/// Reads the stored form of a message.
pub(crate) fn decode(value: ValueRef<'_>) -> rusqlite::Result<String> {
    let wrong = |e: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(0, value.data_type(), e)
    };
    match value {
        ValueRef::Blob(bytes) => {
            let plain = unpack(bytes).map_err(|e| wrong(e.into()))?;
            String::from_utf8(plain).map_err(|e| wrong(e.into()))
        }
        other => Ok(other.as_str()?.to_owned()),
    }
}
