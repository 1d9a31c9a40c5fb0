//! Evidence, score and language: for every text the same, and at the words that it names.

use proptest::prelude::*;

use super::*;

#[test]
fn evidence_points_at_the_words_in_code_points() {
    let cases = [
        (
            "uk",
            "Зеленський: Україна чекає",
            "🇺🇦 У Києві, зокрема в Украї\u{306}ні та Харкові…",
        ),
        ("el", "Ουκρανία", "«Κίεβο» — Ζελένσκι"),
        (
            "ja",
            "ウクライナ情勢",
            "侵攻を受けるウクライナの首都キーウで、ゼレンスキー大統領が会見した。",
        ),
        ("de", "Größe der Ukraine", "STRAẞE nach Kiew — „Ukrainer“ weiß’s"),
        ("hi", "यूक्रेन", "यूक्रेन में ज़ेलेंस्की"),
    ];
    for (language, title, text) in cases {
        let rows = evidence(&article(title, text, language));
        assert!(
            rows.iter().any(|(term, _)| term == "ukraine"),
            "{language}: {rows:?}"
        );
        for (term, words) in rows {
            let edges = [words.chars().next(), words.chars().next_back()];
            assert!(
                edges
                    .iter()
                    .flatten()
                    .all(|edge| edge.is_alphanumeric() || *edge as u32 > 0x300),
                "{term}: {words}"
            );
            let again = evidence(&article("", &format!("Ukraine {words}"), language));
            assert!(
                again.iter().any(|(same, _)| *same == term),
                "{term}: {words} alone gives {again:?}"
            );
        }
    }
}

#[test]
fn evidence_adds_up_to_the_score() {
    let text = "NATO leaders met. Ukraine was on the agenda, and Zelensky spoke in Vilnius about membership of NATO.";
    let explanation = explain(&CLASSIFIER, &article("NATO summit on Ukraine", text, "en"));
    for topic in &explanation.topics {
        let by_words: f64 = topic.tag.evidence.iter().map(|row| row.weight).sum();
        let by_signals: f64 = topic.signals.iter().map(|(_, sum)| sum).sum();
        assert!(
            (by_words - by_signals).abs() < 0.01,
            "{}: {by_words} {by_signals}",
            topic.tag.topic
        );
    }
    let shown = explanation.to_string();
    assert!(
        shown.contains("[NATO] summit on Ukraine") || shown.contains("[NATO summit] on Ukraine"),
        "{shown}"
    );
}

#[test]
fn the_language_is_identified_where_it_is_not_given() {
    let text = "Уряд України ухвалив державний бюджет на наступний рік, повідомив міністр фінансів у Києві.";
    let found = CLASSIFIER.classify(&Document {
        title: "Бюджет ухвалено",
        text,
        language: None,
    });
    assert_eq!(found.language.as_deref(), Some("uk"));
    let found = CLASSIFIER.classify(&Document {
        title: "",
        text: "1 2 3",
        language: None,
    });
    assert_eq!(found.language, None);
    assert_eq!(
        CLASSIFIER.classify(&article("", "", "pt-BR")).language.as_deref(),
        Some("pt")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_text_gives_valid_evidence_and_the_same_answer_again(title in ".{0,60}", noise in "(?s).{0,200}", at in 0_usize..6) {
        let words = ["Україна", "NATO", "EU sanctions on Russia", "Oekraïne", "ΝΑΤΟ", "Украи\u{306}на"];
        let text = format!("{noise} {} {noise}", words[at]);
        let document = Document { title: &title, text: &text, language: None };
        let once = CLASSIFIER.classify(&document);
        prop_assert_eq!(&once, &CLASSIFIER.classify(&document));
        let (in_title, in_text) = (title.chars().count(), text.chars().count());
        for topic in explain(&CLASSIFIER, &document).topics {
            prop_assert!(topic.tag.evidence.len() <= 20);
            prop_assert!((0.0..=1.0).contains(&topic.tag.score));
            for row in topic.tag.evidence {
                let length = if row.place == Where::Title { in_title } else { in_text };
                prop_assert!(row.start < row.end && row.end <= length);
            }
        }
    }

    #[test]
    fn spans_are_exact_beside_characters_that_fold_to_more_or_less(
        before in proptest::collection::vec(0_usize..STRANGE.len(), 0..12),
        after in proptest::collection::vec(0_usize..STRANGE.len(), 0..12),
        word in 0_usize..6,
    ) {
        let word = ["Ukraine", "UKRAINE", "Україна", "Украи\u{306}ни", "Ουκρανία", "Ucrânia"][word];
        let strange = |chosen: &[usize]| chosen.iter().map(|&index| STRANGE[index]).collect::<String>();
        let text = format!("{} {word} {}", strange(&before), strange(&after));
        let start = strange(&before).chars().count() + 1;
        let explanation = explain(&CLASSIFIER, &article("Kyiv", &text, "uk"));
        let rows = explanation.topics.iter().flat_map(|topic| &topic.tag.evidence);
        let found: Vec<_> = rows.filter(|row| row.term == "ukraine").map(|row| (row.start, row.end)).collect();
        prop_assert!(found.contains(&(start, start + word.chars().count())), "{text:?} {found:?}");
    }

    #[test]
    fn an_unrelated_paragraph_never_adds_a_tag_with_high_score(
        repeats in 1_usize..8, first in any::<bool>(), which in 0_usize..UNRELATED.len(), topic in 0_usize..4,
    ) {
        let (language, title, story, mentions, other) = UNRELATED[which];
        let plain = format!("{}{}", ["", mentions[0], mentions[1], mentions[2]][topic], story.repeat(4));
        let other = other.repeat(repeats);
        let longer = if first { format!("{other}\n{plain}") } else { format!("{plain}\n{other}") };
        let before = explain(&CLASSIFIER, &article(title, &plain, language));
        let after = explain(&CLASSIFIER, &article(title, &longer, language));
        for (before, after) in before.topics.iter().zip(&after.topics) {
            prop_assert!(after.tag.score <= before.tag.score + 0.05, "{} {} {}", before.tag.topic, before.tag.score, after.tag.score);
            prop_assert!(before.tagged || !after.tagged || after.tag.score < 0.6);
        }
    }
}

/// Characters that fold to several, to none, to another length in UTF-8, or lie outside the basic plane.
const STRANGE: [&str; 18] = [
    "ß",
    "ẞ",
    "İ",
    "ı",
    "ﬁ",
    "ﬄ",
    "Ǆ",
    "ŉ",
    "ΐ",
    "e\u{301}",
    "\u{AD}",
    "\u{200B}",
    "🇺🇦",
    "漢",
    "ก",
    "क\u{93C}",
    " ",
    ". ",
];

/// Language, headline, story, sentences that mention each topic once, and a paragraph about something else.
const UNRELATED: [(&str, &str, &str, [&str; 3], &str); 4] = [
    (
        "en",
        "Bridge opened",
        "The minister opened a bridge. Traffic had been slow for years, and drivers were glad. ",
        [
            "Ukraine was named once. ",
            "NATO was named once. ",
            "The EU and Serbia were named once. ",
        ],
        "A bakery in the old town sells bread with walnuts. The queue was long on Saturday. ",
    ),
    (
        "uk",
        "Відкрили міст",
        "Міністр відкрив міст. Роками тут були затори, і водії раділи. ",
        [
            "Україну згадали раз. ",
            "НАТО згадали раз. ",
            "ЄС і Сербію згадали раз. ",
        ],
        "Пекарня у старому місті продає хліб із горіхами. У суботу черга була довга. ",
    ),
    (
        "de",
        "Brücke eröffnet",
        "Der Minister hat eine Brücke eröffnet. Jahrelang gab es Staus, die Fahrer freuten sich. ",
        [
            "Die Ukraine wurde einmal genannt. ",
            "Die Nato wurde einmal genannt. ",
            "EU und Serbien wurden genannt. ",
        ],
        "Eine Bäckerei in der Altstadt verkauft Brot mit Walnüssen. Am Samstag war die Schlange lang. ",
    ),
    (
        "es",
        "Abren un puente",
        "El ministro abrió un puente. Durante años hubo atascos y los conductores se alegraron. ",
        [
            "Se nombró a Ucrania. ",
            "Se nombró a la OTAN. ",
            "Se nombró a la UE y a Serbia. ",
        ],
        "Una panadería del casco antiguo vende pan con nueces. El sábado la cola era larga. ",
    ),
];
