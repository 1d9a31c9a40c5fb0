//! Reading what is stored.

use postgres::types::ToSql;
use postgres::{Client, Error};

use super::value::text;
use crate::articles::{Order, Query};
use crate::text::tsquery;

/// Messages read at once: what is in memory however many there are.
const PAGE: i32 = 200;

/// Reads messages in one transaction, as of one moment.
pub(super) fn read(
    client: &mut Client,
    query: &Query,
    give: &mut dyn FnMut(&str) -> bool,
) -> Result<(), Error> {
    let Some(select) = Select::new(query) else {
        return Ok(());
    };
    let mut tx = client.transaction()?;
    let statement = tx.prepare(&select.sql)?;
    let values: Vec<&(dyn ToSql + Sync)> = select.values.iter().map(|v| &**v).collect();
    let portal = tx.bind(&statement, &values)?;
    loop {
        let page = tx.query_portal(&portal, PAGE)?;
        for row in &page {
            if !give(row.try_get(0)?) {
                return Ok(());
            }
        }
        if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            return Ok(());
        }
    }
}

/// A statement in the making.
struct Select {
    sql: String,
    values: Vec<Box<dyn ToSql + Sync>>,
}

impl Select {
    /// Makes the statement of a query; none where nothing can match.
    fn new(query: &Query) -> Option<Self> {
        let mut made = Self {
            sql: "SELECT message::text FROM article a WHERE true".to_owned(),
            values: Vec::new(),
        };
        if let Some(tag) = &query.tag {
            let condition = "EXISTS (SELECT FROM tag t WHERE t.article = a.id AND t.topic = $)";
            made.condition(condition, text(tag).into_owned());
        }
        if let Some(search) = &query.search {
            made.condition("search @@ to_tsquery('simple', $)", tsquery(search)?);
        }
        if let Some(since) = query.since {
            made.condition("first_seen >= $", since);
        }
        if let Some(until) = query.until {
            made.condition("first_seen < $", until);
        }
        if let Some(language) = &query.language {
            let prefix = format!("{}-", text(language).to_lowercase());
            made.condition("starts_with(lower(language) || '-', $)", prefix);
        }
        if let Some(source) = &query.source {
            let source = text(source).to_lowercase();
            if source.contains('.') {
                made.condition("right('.' || domain, length($)) = $", format!(".{source}"));
            } else {
                made.condition("domain = $", source);
            }
        }
        // The order of storage is not kept here; it is much the same as the newest first.
        let direction = match query.order {
            Order::NewestFirst | Order::LastStoredFirst => "DESC",
            Order::OldestFirst => "ASC",
        };
        made.sql
            .push_str(&format!(" ORDER BY first_seen {direction}, id {direction}"));
        if let Some(limit) = query.limit {
            made.values
                .push(Box::new(i64::try_from(limit).unwrap_or(i64::MAX)));
            made.sql.push_str(&format!(" LIMIT ${}", made.values.len()));
        }
        Some(made)
    }

    /// Adds a condition, in which `$` is its value.
    fn condition(&mut self, condition: &str, value: impl ToSql + Sync + 'static) {
        self.values.push(Box::new(value));
        let number = format!("${}", self.values.len());
        self.sql.push_str(" AND ");
        self.sql.push_str(&condition.replace('$', &number));
    }
}
