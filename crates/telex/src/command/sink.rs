//! `telex sink`: looks after where the articles are stored.

use std::io::{BufWriter, Write};

use serde_json::json;
use telex_model::Tagged;
use telex_sink::{Articles, PostgresSink};

use super::{Context, articles};
use crate::cli::{ExportArgs, ExportFormat, ExportFrom, OutputFormat, SinkCommand};
use crate::error::CliError;
use crate::open;
use crate::output;

/// Runs a command on the sink.
pub(crate) fn run(context: &Context, command: &SinkCommand) -> Result<(), CliError> {
    match command {
        SinkCommand::Export(args) => export(context, args),
        SinkCommand::Migrate { to } => migrate(context, *to),
    }
}

fn postgres(context: &Context) -> Result<PostgresSink, CliError> {
    open::postgres(&context.config)?
        .ok_or_else(|| CliError::Usage("there is no PostgreSQL sink; set sink.postgres.url".to_owned()))
}

fn migrate(context: &Context, to: u32) -> Result<(), CliError> {
    let sink = postgres(context)?;
    let taken_back = sink.go_back(to)?;
    match context.output {
        OutputFormat::Json => output::json(&json!({"taken_back": taken_back})),
        OutputFormat::Text if taken_back.is_empty() => output::line("nothing to take back"),
        OutputFormat::Text => {
            let versions: Vec<String> = taken_back.iter().map(ToString::to_string).collect();
            output::line(&format!(
                "{}: taken back, newest first: {}",
                sink.target(),
                versions.join(", ")
            ))
        }
    }
}

fn export(context: &Context, args: &ExportArgs) -> Result<(), CliError> {
    let query = articles::query(&args.filter);
    let default = if context.config.sink.sqlite || context.config.sink.postgres.url.reveal().is_empty() {
        ExportFrom::Sqlite
    } else {
        ExportFrom::Postgres
    };
    let mut out = Writer::new(args.format)?;
    match args.from.unwrap_or(default) {
        ExportFrom::Sqlite => {
            let articles = Articles::open(&open::articles_path(&context.config))?;
            for article in articles.query(&query) {
                out.write(&article?.json)?;
            }
        }
        ExportFrom::Postgres => {
            let mut failed = None;
            postgres(context)?.read(&query, &mut |json| match out.write(json) {
                Ok(()) => true,
                Err(error) => {
                    failed = Some(error);
                    false
                }
            })?;
            failed.map_or(Ok(()), Err)?;
        }
    }
    out.end()
}

const COLUMNS: [&str; 13] = [
    "id",
    "revision",
    "first_seen",
    "published",
    "language",
    "kind",
    "domain",
    "url",
    "title",
    "authors",
    "tags",
    "quality",
    "text",
];

/// Writes articles to standard output.
struct Writer {
    format: ExportFormat,
    out: BufWriter<std::io::StdoutLock<'static>>,
}

impl Writer {
    fn new(format: ExportFormat) -> Result<Self, CliError> {
        let mut writer = Self {
            format,
            out: BufWriter::new(std::io::stdout().lock()),
        };
        if format == ExportFormat::Csv {
            writer.line(&COLUMNS.join(","), "\r\n")?;
        }
        Ok(writer)
    }

    fn write(&mut self, json: &str) -> Result<(), CliError> {
        match self.format {
            ExportFormat::Jsonl => self.line(json, "\n"),
            ExportFormat::Csv => {
                let article: Tagged = serde_json::from_str(json)
                    .map_err(|e| CliError::Bug(format!("a stored article: {e}")))?;
                self.line(&row(&article).map(|field| quoted(&field)).join(","), "\r\n")
            }
        }
    }

    fn line(&mut self, text: &str, end: &str) -> Result<(), CliError> {
        let written = self.out.write_all(text.as_bytes());
        written
            .and_then(|()| self.out.write_all(end.as_bytes()))
            .map_err(output::broken)
    }

    fn end(mut self) -> Result<(), CliError> {
        self.out.flush().map_err(output::broken)
    }
}

/// An article's fields; of several names each is parted by a semicolon.
fn row(article: &Tagged) -> [String; COLUMNS.len()] {
    let kind = serde_json::to_value(article.kind).unwrap_or_default();
    let tags: Vec<&str> = article.tags.iter().map(|t| t.topic.as_str()).collect();
    [
        article.id.to_string(),
        article.revision.to_string(),
        article.first_seen.to_string(),
        article.published.map(|t| t.to_string()).unwrap_or_default(),
        article.language.clone().unwrap_or_default(),
        kind.as_str().unwrap_or_default().to_owned(),
        article.source.domain.clone(),
        article.url.clone(),
        article.title.clone(),
        article.authors.join(";"),
        tags.join(";"),
        article.quality.to_string(),
        article.text.clone(),
    ]
}

/// A field as RFC 4180 has it.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(quoted("plain; text"), "plain; text");
        assert_eq!(quoted("a \"b\", c\nd"), "\"a \"\"b\"\", c\nd\"");
        assert_eq!(quoted(""), "");
    }
}
