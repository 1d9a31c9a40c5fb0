//! How articles are found: what is read in order, and what is asked of each.
//!
//! There are three things to read in order: the articles by time, those of a topic, a domain or a language (a posting
//! list), and those with the words that are sought. The shortest posting list is read, but for a search that asks for
//! the order of storage, which is that of the full-text index: there the index is read, unless a list is so short that
//! each of its articles can be looked up in the index. Rejected: to leave it to SQLite, which knows neither how long a
//! list is nor what words are frequent.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use crate::articles::{Order, Query};
use crate::sqlite::labels;
use crate::text::SearchTerms;

/// Lists so short are looked up in the full-text index, at 30 to 300 us an article (the more segments the index has),
/// rather than the other way round, at some 2 us for every article with the words: with a longer list one of a thousand
/// articles at least is of it, so the fifty of a page are found among 50,000.
const SHORT: i64 = 1000;

/// One article looked up takes as long as so many read by their words.
const LOOKUP: i64 = 50;

/// Articles with the words are counted so far, in some 10 ms.
const HITS: i64 = 10_000;

/// Lists are counted so far.
const COUNTED: i64 = 20_000;

/// With so few articles wanted it is cheaper to look each up than to collect all that have a word.
const FEW: usize = 1000;

/// How articles are found.
#[derive(Debug)]
pub(crate) struct Plan {
    by: By,
    /// The lists that an article must be on; the first is read, where lists are.
    lists: Vec<List>,
    terms: SearchTerms,
}

/// What is read in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Time,
    List,
    /// The full-text index, between these rows.
    Words(i64, i64),
}

/// A list of articles by time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct List {
    table: &'static str,
    column: &'static str,
    name: String,
}

/// A statement in the making.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) text: String,
    pub(crate) values: Vec<Value>,
}

impl Plan {
    /// Decides; none where nothing can match.
    pub(crate) fn of(sql: &Connection, query: &Query) -> rusqlite::Result<Option<Self>> {
        let terms = query.search.as_deref().map(SearchTerms::parse);
        if terms.as_ref().is_some_and(SearchTerms::is_empty) {
            return Ok(None);
        }
        let terms = terms.unwrap_or_default();
        let words_first = query.order == Order::LastStoredFirst && terms.with.is_some();
        let mut lists = Vec::new();
        let mut shortest = i64::MAX;
        for list in lists_of(query) {
            let length = list.length(sql, query, COUNTED)?;
            if length == 0 {
                return Ok(None);
            }
            if length < shortest {
                shortest = length;
                lists.insert(0, list);
            } else {
                lists.push(list);
            }
        }
        if words_first && lists.len() > 1 && (SHORT..=COUNTED).contains(&shortest) {
            // What they have in common is as good as a list.
            shortest = on_all(sql, query, &lists, SHORT)?;
        }
        // Without a list there is none that is short.
        let short = shortest <= SHORT;
        let most = HITS.min(LOOKUP.saturating_mul(shortest));
        let by = if words_first && (!short || hits(sql, &terms, most)? <= most) {
            match rows(sql, query)? {
                Some((least, most)) => By::Words(least, most),
                None => return Ok(None),
            }
        } else if lists.is_empty() {
            By::Time
        } else {
            By::List
        };
        Ok(Some(Self { by, lists, terms }))
    }

    /// Writes the statement that counts all articles.
    pub(crate) fn count(&self, query: &Query) -> Statement {
        self.select("count(*)", query)
    }

    /// Writes the statement that gives the places of the next articles in the order asked for.
    pub(crate) fn places(&self, query: &Query, limit: usize) -> Statement {
        let t = self.times();
        let mut made = self.select(&format!("{t}.first_seen, {t}.seq"), query);
        let row = self.row();
        if let Some(after) = query.after {
            match query.order {
                Order::NewestFirst => {
                    made.condition(&format!("({t}.first_seen, {t}.seq) < (?, ?)"), after.values())
                }
                Order::OldestFirst => {
                    made.condition(&format!("({t}.first_seen, {t}.seq) > (?, ?)"), after.values())
                }
                Order::LastStoredFirst => made.condition(&format!("{row} < ?"), [after.seq()]),
            }
        }
        let order = match query.order {
            Order::NewestFirst => format!("{t}.first_seen DESC, {t}.seq DESC"),
            Order::OldestFirst => format!("{t}.first_seen ASC, {t}.seq ASC"),
            Order::LastStoredFirst => format!("{row} DESC"),
        };
        made.text.push_str(&format!(" ORDER BY {order} LIMIT ?"));
        made.values
            .push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
        made
    }

    /// The table that says when an article was first seen.
    fn times(&self) -> &'static str {
        if matches!(self.by, By::Words(..)) {
            "a"
        } else {
            "t"
        }
    }

    /// The row of an article, as far as what is read in order has it.
    fn row(&self) -> &'static str {
        if matches!(self.by, By::Words(..)) {
            "s.rowid"
        } else {
            "t.seq"
        }
    }

    fn select(&self, columns: &str, query: &Query) -> Statement {
        let mut made = Statement {
            text: format!("SELECT {columns} FROM "),
            values: Vec::new(),
        };
        // An index of what filters ask, for the rows of articles are wide; a cross join is what SQLite does not turn
        // round.
        let narrow = "CROSS JOIN article a INDEXED BY article_filters ON a.seq";
        let subtag = query.language.as_ref().filter(|l| l.contains('-'));
        match (self.by, self.lists.first()) {
            (By::Words(least, most), _) => {
                made.text.push_str(&format!("search s {narrow} = s.rowid"));
                made.condition("s.search MATCH ?", [self.terms.joined()]);
                made.condition("s.rowid BETWEEN ? AND ?", [least, most]);
            }
            (By::List, Some(list)) => {
                made.text.push_str(&format!("{} t", list.table));
                if subtag.is_some() {
                    made.text.push_str(&format!(" {narrow} = t.seq"));
                }
                made.condition(&format!("t.{} = ?", list.column), [list.name.clone()]);
            }
            _ => made.text.push_str("article t"),
        }
        self.is_on_lists(&mut made);
        let t = self.times();
        if let Some(since) = query.since {
            made.condition(&format!("{t}.first_seen >= ?"), [since.as_millisecond()]);
        }
        if let Some(until) = query.until {
            made.condition(&format!("{t}.first_seen < ?"), [until.as_millisecond()]);
        }
        if let Some(language) = subtag {
            let prefix = format!("{}-", language.to_lowercase());
            made.condition("instr(lower(a.language) || '-', ?) = 1", [prefix]);
        }
        // Last, for it costs most, and SQLite asks in this order.
        if !matches!(self.by, By::Words(..)) {
            self.has_words(&mut made, query);
        }
        made
    }

    /// Asks of each article whether it is on the lists that are not read. Not by EXISTS, of which SQLite makes a join,
    /// before which it would look up words.
    fn is_on_lists(&self, made: &mut Statement) {
        let t = self.times();
        let read = usize::from(self.by == By::List);
        for list in self.lists.iter().skip(read) {
            let condition = format!(
                "(SELECT 1 FROM {} x WHERE x.{} = ? AND x.first_seen = {t}.first_seen AND x.seq = {t}.seq) = 1",
                list.table, list.column
            );
            made.condition(&condition, [list.name.clone()]);
        }
    }

    /// Asks of each article whether it has the words.
    fn has_words(&self, made: &mut Statement, query: &Query) {
        let each = "EXISTS (SELECT 1 FROM search s WHERE s.search MATCH ? AND s.rowid = t.seq)";
        let all = "t.seq IN (SELECT rowid FROM search WHERE search MATCH ?)";
        let few = query.limit.is_some_and(|limit| limit <= FEW);
        if self.terms.with.is_some() && query.order == Order::LastStoredFirst && self.by == By::List {
            // The list is short; one question for all words is half the work of two.
            made.condition(each, [self.terms.joined()]);
            return;
        }
        if let Some(words) = &self.terms.with {
            made.condition(all, [words.clone()]);
        }
        if let Some(words) = &self.terms.without {
            made.condition(&format!("NOT {}", if few { each } else { all }), [words.clone()]);
        }
    }
}

/// Lists that an article must be on.
fn lists_of(query: &Query) -> Vec<List> {
    let label = |name: String| List {
        table: "label",
        column: "name",
        name,
    };
    let tag = query.tag.iter().map(|tag| List {
        table: "tag",
        column: "topic",
        name: tag.clone(),
    });
    let source = query.source.iter().map(|s| label(labels::of_domain(s)));
    let language = query.language.iter().map(|l| label(labels::of_language(l)));
    source.chain(tag).chain(language).collect()
}

/// Counts the articles that are on all of these lists, as far as one more than `most`.
fn on_all(sql: &Connection, query: &Query, lists: &[List], most: i64) -> rusqlite::Result<i64> {
    let plan = Plan {
        by: By::List,
        lists: lists.to_owned(),
        terms: SearchTerms::default(),
    };
    let mut made = plan.select("1", query);
    made.text = format!("SELECT count(*) FROM ({} LIMIT ?)", made.text);
    made.values.push(Value::Integer(most + 1));
    sql.prepare_cached(&made.text)?
        .query_row(params_from_iter(&made.values), |row| row.get(0))
}

/// Counts the articles with the words, as far as one more than `most`.
fn hits(sql: &Connection, terms: &SearchTerms, most: i64) -> rusqlite::Result<i64> {
    sql.prepare_cached("SELECT count(*) FROM (SELECT 1 FROM search WHERE search MATCH ?1 LIMIT ?2)")?
        .query_row(params![terms.joined(), most + 1], |row| row.get(0))
}

/// Gives the rows among which the articles of the time asked for are; none where there is none.
fn rows(sql: &Connection, query: &Query) -> rusqlite::Result<Option<(i64, i64)>> {
    if query.since.is_none() && query.until.is_none() {
        return Ok(Some((0, i64::MAX)));
    }
    let day = |time: Option<jiff::Timestamp>| time.map(|t| labels::day(t.as_millisecond()));
    let rows: Option<(Option<i64>, Option<i64>)> = sql
        .prepare_cached("SELECT min(least), max(most) FROM day WHERE day BETWEEN ?1 AND ?2")?
        .query_row(
            params![
                day(query.since).unwrap_or(i64::MIN),
                day(query.until).unwrap_or(i64::MAX)
            ],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(rows.and_then(|(least, most)| least.zip(most)))
}

impl List {
    /// Counts its articles of the time asked for, as far as one more than `most`.
    fn length(&self, sql: &Connection, query: &Query, most: i64) -> rusqlite::Result<i64> {
        let text = format!(
            "SELECT count(*) FROM (SELECT 1 FROM {} WHERE {} = ?1 AND first_seen >= ?2 AND first_seen < ?3 LIMIT ?4)",
            self.table, self.column
        );
        let since = query.since.map_or(i64::MIN, |t| t.as_millisecond());
        let until = query.until.map_or(i64::MAX, |t| t.as_millisecond());
        sql.prepare_cached(&text)?
            .query_row(params![self.name, since, until, most + 1], |row| row.get(0))
    }
}

impl Statement {
    fn condition<V: Into<Value>>(&mut self, condition: &str, values: impl IntoIterator<Item = V>) {
        let word = if self.values.is_empty() {
            " WHERE "
        } else {
            " AND "
        };
        self.text.push_str(word);
        self.text.push_str(condition);
        self.values.extend(values.into_iter().map(Into::into));
    }
}
