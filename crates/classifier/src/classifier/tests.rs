#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail loudly")]

mod evidence;
mod files;
mod names;
mod stories;
mod traps;

use std::sync::LazyLock;

use telex_model::Where;

use super::{Classifier, Document, builtin};
use crate::{TopicFile, explain};

static CLASSIFIER: LazyLock<Classifier> =
    LazyLock::new(|| Classifier::new(&builtin()).unwrap_or_else(|problems| panic!("{problems:#?}")));

fn article<'a>(title: &'a str, text: &'a str, language: &'a str) -> Document<'a> {
    Document {
        title,
        text,
        language: Some(language),
    }
}

fn topics(title: &str, text: &str, language: &str) -> Vec<String> {
    let tags = CLASSIFIER.classify(&article(title, text, language)).tags;
    tags.into_iter().map(|tag| tag.topic).collect()
}

fn cut(part: &str, start: usize, end: usize) -> String {
    part.chars().skip(start).take(end - start).collect()
}

/// Returns the words of all evidence of an article, with the concepts that they stand for.
fn evidence(article: &Document<'_>) -> Vec<(String, String)> {
    let explanation = explain(&CLASSIFIER, article);
    let rows = explanation.topics.iter().flat_map(|topic| &topic.tag.evidence);
    rows.map(|row| {
        let part = if row.place == Where::Title {
            article.title
        } else {
            article.text
        };
        (row.term.clone(), cut(part, row.start, row.end))
    })
    .collect()
}

fn with_file(name: &str, text: &str) -> Vec<TopicFile> {
    let mut files = builtin();
    files.push(TopicFile {
        name: name.to_owned(),
        text: text.to_owned(),
    });
    files
}
