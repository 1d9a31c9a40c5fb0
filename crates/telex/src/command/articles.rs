//! `telex articles`: reads the sink.

use telex_model::Tagged;
use telex_sink::{Articles, Order, Query};

use super::Context;
use crate::cli::{ArticlesArgs, FilterArgs, OutputFormat};
use crate::error::CliError;
use crate::open;
use crate::output::{self, harmless};

/// Prints articles, oldest first.
pub(crate) fn run(context: &Context, args: &ArticlesArgs) -> Result<(), CliError> {
    let articles = Articles::open(&open::articles_path(&context.config))?;
    for article in articles.query(&query(&args.filter)) {
        let article = article?;
        if args.jsonl || context.output == OutputFormat::Json {
            output::line(&article.json)?;
        } else {
            let tagged = article
                .parse()
                .map_err(|e| CliError::Bug(format!("a stored article: {e}")))?;
            output::line(&line(&tagged))?;
        }
    }
    Ok(())
}

/// Asks for what the arguments say, oldest first; where only so many are wanted, newest first.
pub(crate) fn query(filter: &FilterArgs) -> Query {
    Query {
        tag: filter.tag.clone(),
        search: filter.search.clone(),
        since: filter.since,
        until: filter.until,
        source: filter.source.clone(),
        language: filter.language.clone(),
        limit: filter.limit,
        order: if filter.limit.is_some() {
            Order::NewestFirst
        } else {
            Order::OldestFirst
        },
        after: None,
    }
}

/// An article in one line.
pub(crate) fn line(article: &Tagged) -> String {
    let tags: Vec<String> = article
        .tags
        .iter()
        .map(|t| format!("{} {:.2}", t.topic, t.score))
        .collect();
    let language = article.language.as_deref().unwrap_or("??");
    let when = article
        .published
        .unwrap_or(article.first_seen)
        .strftime("%Y-%m-%d %H:%M");
    format!(
        "{when}  {language:3} {}  [{}]  {}",
        harmless(&article.title),
        tags.join(", "),
        harmless(&article.url)
    )
}
