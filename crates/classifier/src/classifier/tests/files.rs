//! A user's own topic files.

use super::*;
use crate::{Change, diff};

const README: &str = include_str!("../../../../../README.md");

/// Returns the topic file that the README shows: the indented lines from `[topic]` on.
fn moldova() -> String {
    let mut lines = README.lines().skip_while(|line| *line != "    [topic]");
    let indented = lines.by_ref().map_while(|line| {
        let line = if line.is_empty() {
            Some("")
        } else {
            line.strip_prefix("    ")
        };
        line.map(|line| format!("{line}\n"))
    });
    indented.collect()
}

#[test]
fn a_user_adds_a_topic_with_one_file() {
    let classifier = Classifier::new(&with_file("moldova-accession.toml", &moldova())).expect("a topic");
    let text = "Moldova opened accession talks with the European Union on Tuesday. President Maia Sandu said in Chisinau \
                that Moldova wants to join the EU by the end of the decade.";
    let yes = article("Moldova opens EU accession talks", text, "en");
    let names = |classifier: &Classifier, article: &Document<'_>| -> Vec<String> {
        classifier
            .classify(article)
            .tags
            .into_iter()
            .map(|tag| tag.topic)
            .collect()
    };
    assert!(names(&classifier, &yes).contains(&"moldova-accession".to_owned()));
    let no = article(
        "Moldova lose at home",
        "Moldova lost the football match. The EU flag flew over the stadium.",
        "en",
    );
    assert!(!names(&classifier, &no).contains(&"moldova-accession".to_owned()));
    assert_ne!(classifier.version(), CLASSIFIER.version());
    let changes = diff(&CLASSIFIER, &classifier, &yes);
    assert!(
        matches!(changes.as_slice(), [Change::Added(tag)] if tag.topic == "moldova-accession"),
        "{changes:?}"
    );
    assert!(diff(&classifier, &classifier, &yes).is_empty());
}

#[test]
fn all_problems_are_told_at_once_with_line_and_hint() {
    let text = "[topic]\nname = \"my topic\"\n\n[[signal]]\nname = \"a\"\nrole = \"support\"\nconcepts = [\"ukrane\"]\n\n\
                [[concept]]\nid = \"x\"\nkind = \"person\"\nname = \"X\"\nyears = [\"2024\"]\nwords.english = \"a*\"\n";
    let problems = Classifier::new(&with_file("my.toml", text))
        .err()
        .expect("problems");
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    expect_test::expect![[r#"
        [
            "my.toml:14:17: `english` is no language (an ISO 639-1 code, or any)",
            "my.toml:14:17: pattern `a*`: a stem before * needs at least three letters, or it matches half the language",
            "my.toml:10:6: concept `x` has no words (add [concept.words])",
            "my.toml:13:10: `2024` is no term of office (write \"2014-2024\", or \"2024-\" for one that lasts)",
            "my.toml:2:8: `my topic` is no topic name (small letters, digits and hyphens)",
            "my.toml:7:13: no concept or group `ukrane` (did you mean ukraine?)",
            "my.toml:2:8: topic `my topic` has no core signal (add [[signal]] with role = \"core\")",
        ]
    "#]]
    .assert_debug_eq(&shown);
    let broken = Classifier::new(&with_file("my.toml", "[topic]\nname = \n"))
        .err()
        .expect("problems");
    assert_eq!(
        (broken.len(), broken.first().map(|problem| problem.line)),
        (1, Some(2))
    );
}

#[test]
fn the_classifier_can_be_shared_by_threads() {
    fn check<T: Send + Sync>(_: &T) {}
    check(&*CLASSIFIER);
}
