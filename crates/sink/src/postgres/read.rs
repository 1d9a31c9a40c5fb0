//! Reading all that is stored, for a file.

use postgres::types::ToSql;
use postgres::{Client, Error};

use super::select::Select;
use crate::articles::Query;

/// Messages read at once: what is in memory however many there are.
const PAGE: i32 = 200;

/// Reads messages in one transaction, as of one moment.
pub(super) fn read(
    client: &mut Client,
    query: &Query,
    give: &mut dyn FnMut(&str) -> bool,
) -> Result<(), Error> {
    let Some(select) = Select::messages(query) else {
        return Ok(());
    };
    let mut tx = client.transaction()?;
    let (values, types): (Vec<&(dyn ToSql + Sync)>, Vec<_>) = select.typed().into_iter().unzip();
    let statement = tx.prepare_typed(&select.sql, &types)?;
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
