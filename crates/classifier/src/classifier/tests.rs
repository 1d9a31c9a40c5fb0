#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail loudly")]

use telex_model::Where;

use super::{Classifier, Document, builtin};

fn classifier() -> Classifier {
    Classifier::new(&builtin()).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn topics(title: &str, text: &str, language: &str) -> Vec<String> {
    let article = Document {
        title,
        text,
        language: Some(language),
    };
    classifier()
        .classify(&article)
        .tags
        .into_iter()
        .map(|tag| tag.topic)
        .collect()
}

#[test]
fn evidence_points_at_the_words_in_code_points() {
    let title = "Зеленський: Україна чекає";
    let article = Document {
        title,
        text: "У Києві президент Зеленський назвав війну в Україні…",
        language: Some("uk"),
    };
    let tagged = classifier().classify(&article);
    let evidence = &tagged.tags.first().expect("a tag").evidence;
    let words =
        |part: &str, start: usize, end: usize| part.chars().skip(start).take(end - start).collect::<String>();
    let found: Vec<String> = evidence
        .iter()
        .map(|row| {
            words(
                if row.place == Where::Title {
                    title
                } else {
                    article.text
                },
                row.start,
                row.end,
            )
        })
        .collect();
    assert!(found.contains(&"Зеленський".to_owned()), "{found:?}");
    assert!(found.contains(&"Києві".to_owned()), "{found:?}");
}

#[test]
fn spanish_eu_is_the_united_states() {
    let text =
        "El presidente de EU impuso sanciones a Irán. EU negocia con México. La embajada de EU no comentó.";
    assert!(topics("EU endurece sanciones contra Irán", text, "es").is_empty());
}
