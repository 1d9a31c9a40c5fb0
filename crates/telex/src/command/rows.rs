//! `telex parse-feed`, `clean` and `classify`: the stages' logic on rows.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use telex_classifier::{Classifier, Document};
use telex_cleaner::{Cleaned, Page, clean_html, clean_text};
use telex_feed::{Entry, Input};

use super::{Context, explain};
use crate::cli::{ClassifyArgs, ParseFeedArgs, RowsArgs};
use crate::error::CliError;
use crate::jsonl::{self, Done, error_row, timed};
use crate::open;

/// Largest feed file that is read; larger ones give an error row.
const MAX_FEED: u64 = 64 << 20;

/// Parses feed files.
pub(crate) fn parse_feed(args: &ParseFeedArgs) -> Result<(), CliError> {
    let mut files = args.files.iter().cloned();
    jsonl::run(
        "parse-feed",
        &mut || Ok(files.next()),
        &args.work,
        &|file: &String| feed_row(file),
    )
}

fn feed_row(file: &str) -> Done {
    let bytes = match std::fs::metadata(file) {
        Ok(about) if about.len() > MAX_FEED => Err(format!(
            "the file has {} bytes; the limit is {MAX_FEED}",
            about.len()
        )),
        Ok(_) => std::fs::read(file).map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let empty = |error: String| json!({"file": file, "error": error, "title": null, "link": null, "entries": [], "repairs": []});
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => {
            return Done {
                row: empty(error),
                bytes: 0,
                busy: Duration::ZERO,
            };
        }
    };
    let (parsed, busy) = timed(|| {
        telex_feed::parse(&Input {
            bytes: &bytes,
            content_type: None,
            url: None,
        })
    });
    let row = match parsed {
        Ok(feed) => json!({
            "file": file,
            "error": null,
            "title": feed.title,
            "link": feed.link,
            "entries": feed.entries.iter().map(entry).collect::<Vec<Value>>(),
            "repairs": feed.repairs.iter().map(ToString::to_string).collect::<Vec<String>>(),
        }),
        Err(error) => empty(error.to_string()),
    };
    Done {
        row,
        bytes: bytes.len(),
        busy,
    }
}

fn entry(entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "title": entry.title,
        "link": entry.link,
        "published": entry.published.as_ref().map(|d| d.at),
        "updated": entry.updated.as_ref().map(|d| d.at),
        "summary": entry.summary,
        "content": entry.content,
        "authors": entry.authors,
        "categories": entry.categories,
    })
}

#[derive(Deserialize)]
struct CleanRow {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    html: Option<String>,
    #[serde(default)]
    text: Option<String>,
}

/// Cleans pages.
pub(crate) fn clean(args: &RowsArgs) -> Result<(), CliError> {
    jsonl::run_lines("clean", &mut std::io::stdin().lock(), &args.work, &clean_row)
}

fn clean_row(line: &str) -> Done {
    let row: CleanRow = match serde_json::from_str(line) {
        Ok(row) => row,
        Err(error) => return bad_row(line, &error),
    };
    let (input, cleaned) = match (&row.html, &row.text) {
        (Some(html), _) => (
            html,
            timed(|| {
                clean_html(&Page {
                    url: row.url.as_deref(),
                    html,
                })
            }),
        ),
        (None, Some(text)) => (text, timed(|| clean_text(text))),
        (None, None) => return error_row(Some(&row.id), "the row has neither html nor text"),
    };
    let (cleaned, busy) = cleaned;
    Done {
        row: cleaned_row(&row.id, &cleaned),
        bytes: input.len(),
        busy,
    }
}

fn cleaned_row(id: &Value, cleaned: &Cleaned) -> Value {
    let at = |date: &Option<telex_cleaner::Date>| date.as_ref().map(|d| d.at);
    json!({
        "id": id,
        "kind": cleaned.kind,
        "text": cleaned.text,
        "title": cleaned.title,
        "published": at(&cleaned.published),
        "modified": at(&cleaned.modified),
        "authors": cleaned.authors,
        "language": cleaned.language,
        "site_name": cleaned.site_name,
        "canonical_url": cleaned.canonical_url,
        "lead_image": cleaned.lead_image,
        "fingerprint": cleaned.fingerprint,
        "quality": cleaned.quality,
    })
}

/// A row that cannot be read; its id is kept, if it has one.
fn bad_row(line: &str, error: &serde_json::Error) -> Done {
    let id = serde_json::from_str::<Value>(line)
        .ok()
        .and_then(|v| v.get("id").cloned());
    error_row(id.as_ref(), error)
}

#[derive(Deserialize)]
pub(super) struct ClassifyRow {
    #[serde(default)]
    pub(super) id: Value,
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) language: Option<String>,
}

/// Tags articles.
pub(crate) fn classify(context: &Context, args: &ClassifyArgs) -> Result<(), CliError> {
    let classifier = open::classifier(&context.config)?;
    if args.explain {
        return explain::run(&classifier, &mut std::io::stdin().lock());
    }
    jsonl::run_lines("classify", &mut std::io::stdin().lock(), &args.work, &|line| {
        classify_row(&classifier, line)
    })
}

fn classify_row(classifier: &Classifier, line: &str) -> Done {
    // Serde would take an array for a struct of the same number of fields.
    let read = serde_json::from_str::<serde_json::Map<String, Value>>(line)
        .and_then(|map| serde_json::from_value(Value::Object(map)));
    let row: ClassifyRow = match read {
        Ok(row) => row,
        Err(error) => return bad_row(line, &error),
    };
    if row.title.is_none() && row.text.is_none() {
        return error_row(Some(&row.id), "the row has neither title nor text");
    }
    let title = row.title.as_deref().unwrap_or_default();
    let text = row.text.as_deref().unwrap_or_default();
    let document = Document {
        title,
        text,
        language: row.language.as_deref(),
    };
    let (found, busy) = timed(|| classifier.classify(&document));
    let language = row.language.clone().or(found.language);
    let out = json!({"id": row.id, "language": language, "tags": found.tags, "concepts": found.concepts});
    Done {
        row: out,
        bytes: title.len() + text.len(),
        busy,
    }
}
