//! Every topic in every language, and what names it in passing: `fixtures/notes.jsonl`, short reports of our own.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{CLASSIFIER, topics};

/// A row of the file.
#[derive(Deserialize)]
struct Note {
    id: String,
    language: String,
    title: String,
    text: String,
    /// 0 or 1 by topic.
    #[serde(flatten)]
    labels: BTreeMap<String, u8>,
}

#[test]
fn short_reports_in_every_language_get_their_tags_and_no_others() {
    let (mut wrong, mut about) = (Vec::new(), BTreeMap::new());
    for line in include_str!("../../../fixtures/notes.jsonl").lines() {
        let note: Note = serde_json::from_str(line).expect("a row");
        let found = topics(&note.title, &note.text, &note.language);
        let wanted = CLASSIFIER.topics().filter(|topic| note.labels[*topic] == 1);
        if !found.iter().map(String::as_str).eq(wanted) {
            wrong.push((note.id, found.clone()));
        }
        for topic in found {
            *about.entry(topic).or_insert(0) += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(CLASSIFIER.topics().all(|topic| about[topic] > 50), "{about:?}");
}
