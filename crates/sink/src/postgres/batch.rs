//! One batch in one transaction.

use std::collections::BTreeMap;

use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::{ToSql, Type};
use postgres::{Client, Error, Statement, Transaction};
use telex_model::{ArticleId, Tagged};

use super::changes::{self, Notes};
use super::links::{self, Before, Links};
use super::value::{Json, text, time};
use crate::position::Position;
use crate::row::{Change, Fate, Row};
use crate::sqlite::kind_name;

/// What every batch does.
pub(super) struct Statements {
    lock: Statement,
    begin: Statement,
    known: Statement,
    places: Statement,
    delete: Statement,
    articles: Statement,
    tags: Statement,
    advance: Statement,
    pub(super) links: links::Statements,
    pub(super) changes: changes::Statements,
}

const ARTICLE: [Type; 21] = [
    Type::TEXT,
    Type::INT8,
    Type::INT8,
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT_ARRAY,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::FLOAT8,
    Type::TEXT,
    Type::TEXT,
    Type::JSONB,
];

const TAG: [Type; 5] = [
    Type::TEXT,
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::FLOAT8,
    Type::JSONB,
];

impl Statements {
    pub(super) fn prepare(client: &mut Client) -> Result<Self, Error> {
        Ok(Self {
            // In the order of the partitions: two that lock several of them must not wait for each other.
            lock: client.prepare(
                "SELECT partition, next, newest, generation FROM position
                 WHERE log = $1 AND partition = ANY($2) ORDER BY partition FOR UPDATE",
            )?,
            begin: client.prepare(
                "INSERT INTO position(log, partition, next, newest, generation)
                 SELECT $1, p, $3, $4, 0 FROM unnest($2::bigint[]) p ORDER BY p ON CONFLICT DO NOTHING",
            )?,
            known: client.prepare(&format!(
                "SELECT a.id, a.revision, a.generation, a.seq, {}
                 FROM article a LEFT JOIN story s ON s.article = a.id WHERE a.id = ANY($1)",
                links::before_columns()
            ))?,
            places: client
                .prepare("SELECT nextval('article_seq_seq') FROM generate_series(1, $1::bigint)")?,
            delete: client.prepare("DELETE FROM article WHERE id = ANY($1)")?,
            articles: client.prepare(
                "COPY article(id, seq, revision, topics_version, generation, url, canonical_url, title, text, authors,
                   published, modified, first_seen, language, kind, domain, feed, quality, fingerprint, lead_image,
                   message) FROM STDIN (FORMAT binary)",
            )?,
            tags: client.prepare(
                "COPY tag(article, topic, first_seen, score, evidence) FROM STDIN (FORMAT binary)",
            )?,
            advance: client.prepare(
                "UPDATE position p SET next = n.next, newest = n.newest, generation = n.generation
                 FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) n(partition, next, newest, generation)
                 WHERE p.log = $1 AND p.partition = n.partition",
            )?,
            links: links::Statements::prepare(client)?,
            changes: changes::Statements::prepare(client)?,
        })
    }
}

/// Stores a batch.
pub(super) fn store(
    client: &mut Client,
    statements: &Statements,
    links: &mut Links,
    log: &str,
    rows: &[Row<'_>],
) -> Result<Vec<Fate>, Error> {
    let mut tx = client.transaction()?;
    let mut positions = lock_positions(&mut tx, statements, log, rows)?;
    let generations: Vec<Option<u32>> = rows
        .iter()
        .map(|row| {
            let position = positions.entry(row.partition).or_insert(Position::START);
            position.advance(row).then_some(position.generation)
        })
        .collect();
    if generations.iter().all(Option::is_none) {
        return Ok(vec![Fate::AlreadyStored; rows.len()]);
    }
    let known = read_known(&mut tx, statements, rows)?;
    let mut outcome = Outcome::new(&known.articles);
    let fates: Vec<Fate> = rows
        .iter()
        .zip(generations)
        .map(|(row, generation)| match generation {
            None => Fate::AlreadyStored,
            Some(generation) => outcome.apply(row, generation),
        })
        .collect();
    links.catch_up(&mut tx, &statements.links)?;
    outcome.take_places(&mut tx, statements)?;
    outcome.write(&mut tx, statements)?;
    write_positions(&mut tx, statements, log, &positions)?;
    let stored = rows.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Stored);
    let changes: Vec<Change<'_>> = stored.map(|(row, _)| row.change).collect();
    let notes = Notes::of(&changes, |id| known.articles.contains_key(id));
    // From here on the others wait.
    links.link(&mut tx, &statements.links, known.stories, &changes, |id| {
        outcome.puts(id)
    })?;
    notes.write(&mut tx, &statements.changes)?;
    tx.commit()?;
    Ok(fates)
}

/// Reads the positions of a batch's partitions; until the transaction ends nobody else can.
fn lock_positions(
    tx: &mut Transaction<'_>,
    statements: &Statements,
    log: &str,
    rows: &[Row<'_>],
) -> Result<BTreeMap<u32, Position>, Error> {
    let mut partitions: Vec<i64> = rows.iter().map(|row| i64::from(row.partition)).collect();
    partitions.sort_unstable();
    partitions.dedup();
    let mut read = tx.query(&statements.lock, &[&log, &partitions])?;
    if read.len() < partitions.len() {
        let start = Position::START;
        let next = i64::try_from(start.next).unwrap_or(i64::MAX);
        tx.execute(&statements.begin, &[&log, &partitions, &next, &start.newest])?;
        read = tx.query(&statements.lock, &[&log, &partitions])?;
    }
    let position = |row: &postgres::Row| -> Result<(u32, Position), Error> {
        let position = Position {
            next: u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or_default(),
            newest: row.try_get(2)?,
            generation: number(row.try_get(3)?),
        };
        Ok((number(row.try_get(0)?), position))
    };
    read.iter().map(position).collect()
}

fn number(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or_default()
}

fn write_positions(
    tx: &mut Transaction<'_>,
    statements: &Statements,
    log: &str,
    positions: &BTreeMap<u32, Position>,
) -> Result<(), Error> {
    let column = |of: fn(&Position) -> i64| -> Vec<i64> { positions.values().map(of).collect() };
    let partitions: Vec<i64> = positions.keys().map(|p| i64::from(*p)).collect();
    let next = column(|p| i64::try_from(p.next).unwrap_or(i64::MAX));
    let (newest, generation) = (column(|p| p.newest), column(|p| i64::from(p.generation)));
    tx.execute(
        &statements.advance,
        &[&log, &partitions, &next, &newest, &generation],
    )?;
    Ok(())
}

/// An article that is stored.
#[derive(Clone, Copy)]
struct Stored {
    revision: u32,
    generation: u32,
    seq: i64,
}

/// What was stored before of a batch's articles.
#[derive(Default)]
struct Known {
    articles: BTreeMap<ArticleId, Stored>,
    stories: BTreeMap<ArticleId, Before>,
}

fn read_known(tx: &mut Transaction<'_>, statements: &Statements, rows: &[Row<'_>]) -> Result<Known, Error> {
    let ids: Vec<String> = rows.iter().map(|row| row.id().to_string()).collect();
    let mut known = Known::default();
    for row in tx.query(&statements.known, &[&ids])? {
        if let Ok(id) = row.try_get::<_, &str>(0)?.parse() {
            let stored = Stored {
                revision: number(row.try_get(1)?),
                generation: number(row.try_get(2)?),
                seq: row.try_get(3)?,
            };
            known.articles.insert(id, stored);
            Before::read(&row, 4)?.map(|before| known.stories.insert(id, before));
        }
    }
    Ok(known)
}

/// What a batch comes to.
struct Outcome<'a> {
    /// What was stored before.
    known: &'a BTreeMap<ArticleId, Stored>,
    /// The articles of the batch as they are after it: gone, or this. In the order of their ids: two batches with
    /// the same articles must not wait for each other.
    after: BTreeMap<ArticleId, Option<New<'a>>>,
    /// Articles put so far.
    puts: usize,
}

/// An article to be stored.
struct New<'a> {
    article: &'a Tagged,
    json: &'a str,
    generation: u32,
    place: Place,
}

/// Place of an article in the order of storage.
#[derive(Clone, Copy)]
enum Place {
    /// Taken.
    Seq(i64),
    /// To be taken, after those of so many others.
    After(usize),
}

impl<'a> Outcome<'a> {
    fn new(known: &'a BTreeMap<ArticleId, Stored>) -> Self {
        Self {
            known,
            after: BTreeMap::new(),
            puts: 0,
        }
    }

    fn apply(&mut self, row: &Row<'a>, generation: u32) -> Fate {
        let id = row.id();
        let now = match self.after.get(&id) {
            Some(new) => new.as_ref().map(|n| (n.article.revision, n.generation, n.place)),
            None => self
                .known
                .get(&id)
                .map(|s| (s.revision, s.generation, Place::Seq(s.seq))),
        };
        let new = match row.change {
            Change::Retract(_) => None,
            Change::Put { article, json } => {
                // A log begun anew counts revisions from 1 again.
                if now.is_some_and(|(revision, of, _)| of == generation && article.revision < revision) {
                    return Fate::Outdated;
                }
                self.puts += 1;
                Some(New {
                    article,
                    json,
                    generation,
                    place: now.map_or(Place::After(self.puts), |(.., place)| place),
                })
            }
        };
        self.after.insert(id, new);
        Fate::Stored
    }

    /// Tells whether an article is stored by the batch.
    fn puts(&self, id: ArticleId) -> bool {
        self.after.get(&id).is_some_and(Option::is_some)
    }

    /// Takes places for the articles that have none, in the order of their messages.
    fn take_places(&mut self, tx: &mut Transaction<'_>, statements: &Statements) -> Result<(), Error> {
        let mut new: Vec<(usize, &mut Place)> = Vec::new();
        for New { place, .. } in self.after.values_mut().flatten() {
            if let Place::After(others) = *place {
                new.push((others, place));
            }
        }
        new.sort_unstable_by_key(|(others, _)| *others);
        let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
        let taken = tx.query(&statements.places, &[&count])?;
        for ((_, place), row) in new.into_iter().zip(&taken) {
            *place = Place::Seq(row.try_get(0)?);
        }
        Ok(())
    }

    fn write(&self, tx: &mut Transaction<'_>, statements: &Statements) -> Result<(), Error> {
        let old: Vec<String> = self
            .after
            .keys()
            .filter(|id| self.known.contains_key(id))
            .map(ToString::to_string)
            .collect();
        if !old.is_empty() {
            tx.execute(&statements.delete, &[&old])?;
        }
        let mut writer = BinaryCopyInWriter::new(tx.copy_in(&statements.articles)?, &ARTICLE);
        self.after
            .values()
            .flatten()
            .try_for_each(|new| new.write(&mut writer))?;
        writer.finish()?;
        let mut writer = BinaryCopyInWriter::new(tx.copy_in(&statements.tags)?, &TAG);
        self.after
            .values()
            .flatten()
            .try_for_each(|new| new.write_tags(&mut writer))?;
        writer.finish()?;
        Ok(())
    }
}

impl New<'_> {
    fn write(&self, out: &mut BinaryCopyInWriter<'_>) -> Result<(), Error> {
        let a = self.article;
        let optional = |t: &'_ Option<String>| t.as_deref().map(|t| text(t).into_owned());
        let authors: Vec<_> = a.authors.iter().map(|name| text(name)).collect();
        let seq = match self.place {
            Place::Seq(seq) => Some(seq),
            Place::After(_) => None,
        };
        let values: [&(dyn ToSql + Sync); 21] = [
            &a.id.to_string(),
            &seq,
            &i64::from(a.revision),
            &text(&a.topics_version),
            &i64::from(self.generation),
            &text(&a.url),
            &optional(&a.canonical_url),
            &text(&a.title),
            &text(&a.text),
            &authors,
            &time(a.published),
            &time(a.modified),
            &time(Some(a.first_seen)).unwrap_or_default(),
            &optional(&a.language),
            &kind_name(a.kind),
            &text(&a.source.domain),
            &text(&a.source.feed_url),
            &a.quality,
            &optional(&a.fingerprint),
            &optional(&a.lead_image),
            &Json::new(self.json),
        ];
        out.write(&values)
    }

    fn write_tags(&self, out: &mut BinaryCopyInWriter<'_>) -> Result<(), Error> {
        let a = self.article;
        // The surest of each topic.
        let mut tags = BTreeMap::new();
        for tag in &a.tags {
            let surest = tags.entry(text(&tag.topic)).or_insert(tag);
            if tag.score > surest.score {
                *surest = tag;
            }
        }
        let (id, first_seen) = (a.id.to_string(), time(Some(a.first_seen)).unwrap_or_default());
        for (topic, tag) in tags {
            // Evidence is made of strings and numbers, which always become JSON.
            let evidence = serde_json::to_string(&tag.evidence).unwrap_or_else(|_| "[]".to_owned());
            out.write(&[&id, &topic, &first_seen, &tag.score, &Json::new(&evidence)])?;
        }
        Ok(())
    }
}
