//! What lists are filtered by: labels of articles, and which rows are of which days.

use rusqlite::{Connection, OptionalExtension, params};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Label of a domain: articles of it and of those below it have it, if it has a dot or is their own.
pub(crate) fn of_domain(domain: &str) -> String {
    format!("d:{}", domain.to_lowercase())
}

/// Label of a language: that of `uk-UA` is of `uk`.
pub(crate) fn of_language(language: &str) -> String {
    let language = language.split('-').next().unwrap_or_default();
    format!("l:{}", language.to_lowercase())
}

/// Number of the day of a time in milliseconds.
pub(crate) fn day(first_seen: i64) -> i64 {
    first_seen.div_euclid(DAY)
}

/// Labels of an article.
fn labels(domain: &str, language: Option<&str>) -> Vec<String> {
    let mut labels = vec![of_domain(domain)];
    let mut rest = domain;
    while let Some((_, above)) = rest.split_once('.').filter(|(_, above)| above.contains('.')) {
        labels.push(of_domain(above));
        rest = above;
    }
    labels.extend(language.map(of_language));
    labels
}

/// Notes the labels of an article that is stored.
pub(super) fn put(
    tx: &Connection,
    seq: i64,
    first_seen: i64,
    domain: &str,
    language: Option<&str>,
) -> rusqlite::Result<()> {
    let mut insert =
        tx.prepare_cached("INSERT OR IGNORE INTO label(name, first_seen, seq) VALUES (?1, ?2, ?3)")?;
    for name in labels(domain, language) {
        insert.execute(params![name, first_seen, seq])?;
    }
    tx.prepare_cached(
        "INSERT INTO day(day, least, most) VALUES (?1, ?2, ?2)
         ON CONFLICT DO UPDATE SET least = min(least, excluded.least), most = max(most, excluded.most)",
    )?
    .execute(params![day(first_seen), seq])?;
    Ok(())
}

/// Forgets the labels of an article, whose row is still as they were noted.
pub(super) fn forget(tx: &Connection, seq: i64) -> rusqlite::Result<()> {
    let known: Option<(i64, String, Option<String>)> = tx
        .prepare_cached("SELECT first_seen, domain, language FROM article WHERE seq = ?1")?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((first_seen, domain, language)) = known else {
        return Ok(());
    };
    let mut delete =
        tx.prepare_cached("DELETE FROM label WHERE name = ?1 AND first_seen = ?2 AND seq = ?3")?;
    for name in labels(&domain, language.as_deref()) {
        delete.execute(params![name, first_seen, seq])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_article_has_the_labels_by_which_it_is_sought() {
        assert_eq!(
            labels("Live.News.example.org", Some("uk-UA")),
            [
                "d:live.news.example.org",
                "d:news.example.org",
                "d:example.org",
                "l:uk"
            ]
        );
        assert_eq!(labels("localhost", None), ["d:localhost"]);
        assert_eq!(labels("", None), ["d:"]);
        assert_eq!((day(-1), day(0), day(DAY)), (-1, 0, 1));
    }
}
