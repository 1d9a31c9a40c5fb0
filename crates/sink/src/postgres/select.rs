//! Statements that find articles.

use postgres::types::{ToSql, Type};

use super::value::{bound, text};
use crate::articles::{Order, Query};
use crate::text::tsquery;

/// A statement in the making.
///
/// Where a tag is asked for, its rows are read first, which lie in the order of time.
pub(super) struct Select {
    pub(super) sql: String,
    pub(super) values: Vec<(Box<dyn ToSql + Sync>, Type)>,
    /// The column that tells when an article was first seen.
    first_seen: &'static str,
}

impl Select {
    /// Makes the statement that counts the articles of a query; none where nothing can match.
    pub(super) fn count(query: &Query) -> Option<Self> {
        Self::new("count(*)", query, false)
    }

    /// Makes the statement that gives the places of the next articles, `first_seen` and `seq`; none where nothing can
    /// match. It does not touch what rows keep elsewhere for its size: that is read once the places are known.
    pub(super) fn places(query: &Query, limit: usize) -> Option<Self> {
        let mut made = Self::new("a.first_seen, a.seq", query, true)?;
        made.after(query);
        made.order(query);
        made.limit(limit);
        Some(made)
    }

    /// Makes the statement that gives messages; none where nothing can match.
    pub(super) fn messages(query: &Query) -> Option<Self> {
        let mut made = Self::new("a.message::text", query, true)?;
        made.after(query);
        made.order(query);
        if let Some(limit) = query.limit {
            made.limit(limit);
        }
        Some(made)
    }

    /// Gives the values as a client takes them.
    pub(super) fn typed(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.values
            .iter()
            .map(|(value, of)| (&**value, of.clone()))
            .collect()
    }

    fn new(columns: &str, query: &Query, rows: bool) -> Option<Self> {
        let of_articles =
            rows || query.search.is_some() || query.language.is_some() || query.source.is_some();
        let (from, first_seen) = match (&query.tag, of_articles) {
            (None, _) => ("article a", "a.first_seen"),
            (Some(_), true) => ("tag t JOIN article a ON a.id = t.article", "t.first_seen"),
            (Some(_), false) => ("tag t", "t.first_seen"),
        };
        let mut made = Self {
            sql: format!("SELECT {columns} FROM {from} WHERE true"),
            values: Vec::new(),
            first_seen,
        };
        if let Some(tag) = &query.tag {
            made.text("t.topic = $", text(tag).into_owned());
        }
        if let Some(search) = &query.search {
            made.text("a.search @@ to_tsquery('simple', $)", tsquery(search)?);
        }
        if let Some(since) = query.since {
            made.condition(&format!("{first_seen} >= $"), bound(since), Type::TIMESTAMPTZ);
        }
        if let Some(until) = query.until {
            made.condition(&format!("{first_seen} < $"), bound(until), Type::TIMESTAMPTZ);
        }
        if let Some(language) = &query.language {
            let prefix = format!("{}-", text(language).to_lowercase());
            made.text("starts_with(lower(a.language) || '-', $)", prefix);
        }
        if let Some(source) = &query.source {
            let source = text(source).to_lowercase();
            if source.contains('.') {
                made.text("right('.' || a.domain, length($)) = $", format!(".{source}"));
            } else {
                made.text("a.domain = $", source);
            }
        }
        Some(made)
    }

    /// Leaves out what does not follow the query's place.
    fn after(&mut self, query: &Query) {
        let Some(after) = query.after else { return };
        let seq = self.value(after.seq(), Type::INT8);
        let compared = match query.order {
            Order::NewestFirst => '<',
            Order::OldestFirst => '>',
            Order::LastStoredFirst => {
                self.sql.push_str(&format!(" AND a.seq < {seq}"));
                return;
            }
        };
        let t = self.first_seen;
        let time = self.value(bound(after.microsecond()), Type::TIMESTAMPTZ);
        // The first condition is what an index of tags can use, which does not know the rows.
        self.sql.push_str(&format!(
            " AND {t} {compared}= {time} AND ({t}, a.seq) {compared} ({time}, {seq})"
        ));
    }

    fn order(&mut self, query: &Query) {
        let t = self.first_seen;
        self.sql.push_str(&match query.order {
            Order::NewestFirst => format!(" ORDER BY {t} DESC, a.seq DESC"),
            Order::OldestFirst => format!(" ORDER BY {t}, a.seq"),
            Order::LastStoredFirst => " ORDER BY a.seq DESC".to_owned(),
        });
    }

    fn limit(&mut self, limit: usize) {
        let limit = self.value(i64::try_from(limit).unwrap_or(i64::MAX), Type::INT8);
        self.sql.push_str(&format!(" LIMIT {limit}"));
    }

    fn text(&mut self, condition: &str, value: String) {
        self.condition(condition, value, Type::TEXT);
    }

    /// Adds a condition, in which `$` is its value.
    fn condition(&mut self, condition: &str, value: impl ToSql + Sync + 'static, of: Type) {
        let number = self.value(value, of);
        self.sql.push_str(" AND ");
        self.sql.push_str(&condition.replace('$', &number));
    }

    /// Adds a value; gives its name in the statement.
    fn value(&mut self, value: impl ToSql + Sync + 'static, of: Type) -> String {
        self.values.push((Box::new(value), of));
        format!("${}", self.values.len())
    }
}
