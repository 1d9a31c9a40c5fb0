//! Labelled articles as JSON lines: what `telex topics train` and `test` read.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use telex_classifier::{Document, Example, Label};
use url::Url;

use crate::cli::LabelledArgs;
use crate::error::CliError;

/// One article as a row; whatever else stands in it may be labels.
#[derive(Debug, Deserialize)]
pub(super) struct ArticleRow {
    pub(super) id: String,
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default, alias = "lang")]
    pub(super) language: Option<String>,
    #[serde(default)]
    source: Option<Value>,
    #[serde(flatten)]
    labels: LabelRow,
}

impl ArticleRow {
    pub(super) fn document(&self) -> Document<'_> {
        Document {
            title: self.title.as_deref().unwrap_or_default(),
            text: self.text.as_deref().unwrap_or_default(),
            language: self.language.as_deref(),
        }
    }

    /// Where the article is from: its `source` (or that one's `domain`), or the site of an id that is a URL, or what
    /// stands before the first colon of another.
    fn source(&self) -> String {
        let named = self
            .source
            .as_ref()
            .map(|source| source.get("domain").unwrap_or(source));
        if let Some(source) = named.and_then(Value::as_str) {
            return source.to_owned();
        }
        let url = Url::parse(&self.id).ok();
        match url.as_ref().and_then(Url::host_str) {
            Some(host) => host.to_owned(),
            None => self.id.split(':').next().unwrap_or_default().to_owned(),
        }
    }
}

/// The labels of one article: a topic's name with 0 or 1, or false or true.
#[derive(Debug, Default, Deserialize)]
struct LabelRow {
    #[serde(default, alias = "borderline_tags")]
    borderline: Vec<String>,
    #[serde(flatten)]
    topics: Map<String, Value>,
}

#[derive(Deserialize)]
struct LabelsOf {
    id: String,
    #[serde(flatten)]
    labels: LabelRow,
}

impl LabelRow {
    /// The labels of the topics that there are; `_` stands for `-` in names as well.
    fn of(&self, topics: &[&str]) -> BTreeMap<String, Label> {
        let named = |name: &str, topic: &str| name == topic || name.replace('_', "-") == topic;
        let label = |topic: &&str| {
            let (_, value) = self.topics.iter().find(|(name, _)| named(name, topic))?;
            let positive = value
                .as_bool()
                .or_else(|| value.as_u64().filter(|n| *n < 2).map(|n| n == 1))?;
            let borderline = self.borderline.iter().any(|name| named(name, topic));
            Some(((*topic).to_owned(), Label { positive, borderline }))
        };
        topics.iter().filter_map(label).collect()
    }
}

/// Labelled articles, owned.
pub(super) struct Labelled {
    rows: Vec<(ArticleRow, String, BTreeMap<String, Label>)>,
}

impl Labelled {
    /// Reads articles and their labels.
    pub(super) fn read(args: &LabelledArgs, topics: &[&str]) -> Result<Self, CliError> {
        let mut apart: BTreeMap<String, LabelRow> = BTreeMap::new();
        if let Some(path) = &args.labels {
            let rows: Vec<LabelsOf> = read_rows(path)?;
            apart.extend(rows.into_iter().map(|row| (row.id, row.labels)));
        }
        let mut rows = Vec::new();
        for article in read_rows::<ArticleRow>(&args.articles)? {
            let labels = apart.get(&article.id).unwrap_or(&article.labels).of(topics);
            if !labels.is_empty() {
                let source = article.source();
                rows.push((article, source, labels));
            }
        }
        if rows.is_empty() {
            return Err(CliError::Findings(format!(
                "{}: no article has a label of {}",
                args.articles.display(),
                topics.join(", ")
            )));
        }
        Ok(Self { rows })
    }

    /// The articles as examples, in the order of the file.
    pub(super) fn examples(&self) -> Vec<Example<'_>> {
        self.rows
            .iter()
            .map(|(article, source, labels)| Example {
                document: article.document(),
                source,
                labels: labels.clone(),
            })
            .collect()
    }

    /// Id and headline of an example.
    pub(super) fn name(&self, example: usize) -> (&str, &str) {
        self.rows.get(example).map_or(("", ""), |(article, ..)| {
            (&article.id, article.title.as_deref().unwrap_or_default())
        })
    }
}

/// Reads rows of JSON lines; `-` is standard input.
pub(super) fn read_rows<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>, CliError> {
    let failed = |e: std::io::Error| CliError::Unavailable(format!("{}: {e}", path.display()));
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
    } else {
        text = std::fs::read_to_string(path).map_err(failed)?;
    }
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|e| CliError::Findings(format!("{}:{}: {e}", path.display(), index + 1)))
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(parse)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail loudly")]

    use super::*;

    fn row(text: &str) -> ArticleRow {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn labels_are_read_in_every_form() {
        let row = row(
            r#"{"id": "a", "lang": "uk", "eu_diplomacy": 1, "nato": false, "ukraine": 2, "borderline": ["eu-diplomacy"]}"#,
        );
        let labels = row.labels.of(&["ukraine", "nato", "eu-diplomacy"]);
        let of = |topic: &str| labels.get(topic).map(|label| (label.positive, label.borderline));
        assert_eq!(of("eu-diplomacy"), Some((true, true)));
        assert_eq!(of("nato"), Some((false, false)));
        assert_eq!(of("ukraine"), None, "2 is no label");
        assert_eq!(row.document().language, Some("uk"));
    }

    #[test]
    fn the_source_is_named_or_follows_from_the_id() {
        let source = |text: &str| row(text).source();
        assert_eq!(source(r#"{"id": "x", "source": "agency"}"#), "agency");
        assert_eq!(
            source(r#"{"id": "x", "source": {"domain": "example.org"}}"#),
            "example.org"
        );
        assert_eq!(source(r#"{"id": "https://example.org/a"}"#), "example.org");
        assert_eq!(source(r#"{"id": "corpus/part:17"}"#), "corpus/part");
    }

    #[test]
    fn a_bad_row_is_named_by_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"id\": \"a\"}\n\n{\"id\": 1}\n").unwrap();
        let error = read_rows::<ArticleRow>(file.path()).unwrap_err().to_string();
        assert!(error.contains(":3: "), "{error}");
    }
}
