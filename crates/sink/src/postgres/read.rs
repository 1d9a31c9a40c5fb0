//! Reading what is stored.

use jiff::Timestamp;
use postgres::{Client, Error};

use crate::articles::{Order, Query};

/// Messages read at once: what is in memory however many there are.
const PAGE: i32 = 200;

/// Reads messages in one transaction, as of one moment.
pub(super) fn read(
    client: &mut Client,
    query: &Query,
    give: &mut dyn FnMut(&str) -> bool,
) -> Result<(), Error> {
    let direction = match query.order {
        // The order of storage is not kept here; it is much the same.
        Order::NewestFirst | Order::LastStoredFirst => "DESC",
        Order::OldestFirst => "ASC",
    };
    let sql = format!(
        "SELECT message::text FROM article a
         WHERE ($1::text IS NULL OR EXISTS (SELECT FROM tag t WHERE t.article = a.id AND t.topic = $1))
           AND ($2::text IS NULL OR search @@ websearch_to_tsquery('simple', $2))
           AND ($3::timestamptz IS NULL OR first_seen >= $3)
           AND ($4::text IS NULL OR starts_with(lower(language) || '-', lower($4) || '-'))
         ORDER BY first_seen {direction}, id {direction} LIMIT $5"
    );
    let limit = query.limit.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    let since: Option<Timestamp> = query.since;
    let mut tx = client.transaction()?;
    let statement = tx.prepare(&sql)?;
    let portal = tx.bind(
        &statement,
        &[&query.tag, &query.search, &since, &query.language, &limit],
    )?;
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
