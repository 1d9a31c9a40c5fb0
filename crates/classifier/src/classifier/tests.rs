#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail loudly")]

use std::sync::LazyLock;

use proptest::prelude::*;
use telex_model::Where;

use super::{Classifier, Document, builtin};
use crate::{Change, TopicFile, diff, explain};

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

/// Language, topic, headline and text of short reports on each topic.
const STORIES: [(&str, &str, &str, &str); 31] = [
    (
        "en",
        "ukraine",
        "Ukraine repels attack on Kharkiv",
        "Ukrainian forces said on Monday that Russian troops had lost ground near Kharkiv. President Zelensky visited the front.",
    ),
    (
        "uk",
        "ukraine",
        "Зеленський звернувся до Верховної Ради",
        "Президент України виступив у Києві. Він говорив про війну та оборону Харкова, а ЗСУ утримують позиції.",
    ),
    (
        "ru",
        "ukraine",
        "Зеленский выступил в Раде",
        "Президент Украины выступил в Киеве. Он говорил о войне и об обороне Харькова, где идут бои.",
    ),
    (
        "de",
        "ukraine",
        "Ukraine meldet Angriffe auf Odessa",
        "Das ukrainische Militär hat in der Nacht Drohnen abgeschossen. Präsident Selenskyj dankte in Kiew den Soldaten.",
    ),
    (
        "fr",
        "ukraine",
        "L'Ukraine frappée par des missiles",
        "Des missiles russes ont visé Kiev et Odessa. Le président ukrainien Zelensky a demandé de l'aide.",
    ),
    (
        "pl",
        "ukraine",
        "Ukraina broni Charkowa",
        "Ukraińskie wojska odparły atak pod Charkowem. Prezydent Zełenski rozmawiał w Kijowie z dowódcami.",
    ),
    (
        "es",
        "ukraine",
        "Ucrania resiste en Járkov",
        "El ejército ucraniano frenó el ataque ruso. El presidente Zelenski visitó Kiev y el frente del Donbás.",
    ),
    (
        "it",
        "ukraine",
        "Ucraina, missili su Odessa",
        "L'esercito ucraino ha abbattuto i droni russi. Il presidente Zelensky parla da Kiev della guerra.",
    ),
    (
        "pt",
        "ukraine",
        "Ucrânia resiste em Kharkiv",
        "O exército ucraniano travou o ataque russo. O presidente Zelensky falou em Kiev sobre a guerra no Donbas.",
    ),
    (
        "cs",
        "ukraine",
        "Ukrajina brání Charkov",
        "Ukrajinská armáda odrazila útok. Prezident Zelenskyj v Kyjevě hovořil o válce na Ukrajině.",
    ),
    (
        "sk",
        "ukraine",
        "Ukrajina bráni Charkov",
        "Ukrajinská armáda odrazila útok. Prezident Zelenskyj v Kyjeve hovoril o vojne na Ukrajine.",
    ),
    (
        "bg",
        "ukraine",
        "Украйна отблъсна атака край Харков",
        "Украинската армия отблъсна руските войски. Президентът Зеленски говори в Киев за войната в Украйна.",
    ),
    (
        "ro",
        "ukraine",
        "Ucraina rezistă la Harkov",
        "Armata ucraineană a oprit atacul rusesc. Președintele Zelenski a vorbit la Kiev despre războiul din Ucraina.",
    ),
    (
        "nl",
        "ukraine",
        "Oekraïne slaat aanval af",
        "Het Oekraïense leger hield stand bij Charkov. President Zelensky sprak in Kiev over de oorlog in Oekraïne.",
    ),
    (
        "hu",
        "ukraine",
        "Ukrajna visszaverte a támadást",
        "Az ukrán hadsereg Kijevben közölte, hogy Zelenszkij elnök a háborúról beszélt. Az orosz-ukrán háború folytatódik.",
    ),
    (
        "sl",
        "ukraine",
        "Ukrajina odbila napad na Harkov",
        "Ukrajinska vojska je zdržala. Predsednik Zelenski je v Kijevu govoril o vojni v Ukrajini.",
    ),
    (
        "sr",
        "ukraine",
        "Украјина одбила напад",
        "Украјинска војска држи положаје. Председник Зеленски је у Кијеву говорио о рату у Украјини.",
    ),
    (
        "fi",
        "ukraine",
        "Ukraina torjui hyökkäyksen",
        "Ukrainan armeija piti asemansa. Presidentti Zelenskyi puhui Kiovassa sodasta, ja Ukrainan sota jatkuu.",
    ),
    (
        "sv",
        "ukraine",
        "Ukraina slog tillbaka anfall",
        "Den ukrainska armén höll sina ställningar. President Zelenskyj talade i Kiev om kriget i Ukraina.",
    ),
    (
        "el",
        "ukraine",
        "Η Ουκρανία απέκρουσε επίθεση",
        "Ο ουκρανικός στρατός κράτησε τις θέσεις του. Ο πρόεδρος Ζελένσκι μίλησε στο Κίεβο για τον πόλεμο στην Ουκρανία.",
    ),
    (
        "en",
        "nato",
        "NATO summit agrees new force goals",
        "NATO leaders meeting in Vilnius agreed to strengthen the eastern flank. NATO Secretary General Jens Stoltenberg welcomed the decision of the Alliance.",
    ),
    (
        "de",
        "nato",
        "Nato-Gipfel berät über Ostflanke",
        "Nato-Generalsekretär Stoltenberg sagte, die Nato werde mehr Truppen an die Ostflanke verlegen.",
    ),
    (
        "fr",
        "nato",
        "L'OTAN renforce son flanc oriental",
        "Le secrétaire général de l'OTAN a annoncé que l'OTAN enverrait des troupes. Les alliés de l'OTAN se réunissent en sommet.",
    ),
    (
        "uk",
        "nato",
        "Саміт НАТО у Вільнюсі",
        "Генсек НАТО Столтенберг заявив, що країни НАТО посилять східний фланг. НАТО надішле війська.",
    ),
    (
        "ru",
        "nato",
        "Саммит НАТО в Вильнюсе",
        "Генсек НАТО Столтенберг заявил, что НАТО усилит восточный фланг. Учения НАТО пройдут осенью.",
    ),
    (
        "pl",
        "nato",
        "Szczyt NATO w Wilnie",
        "Sekretarz generalny NATO Jens Stoltenberg zapowiedział, że wojska NATO wzmocnią wschodnią flankę Sojuszu.",
    ),
    (
        "it",
        "nato",
        "Vertice Nato a Vilnius",
        "Il segretario generale della Nato Stoltenberg ha detto che la Nato rafforzerà il fianco orientale con nuove truppe.",
    ),
    (
        "en",
        "eu-diplomacy",
        "EU foreign ministers agree new sanctions on Belarus",
        "EU foreign ministers agreed a new sanctions package against Belarus on Monday. The EU's top diplomat Josep Borrell said the European Union would hold talks with Minsk.",
    ),
    (
        "de",
        "eu-diplomacy",
        "EU-Außenminister beschließen Sanktionen gegen Belarus",
        "Die EU-Außenminister haben ein neues Sanktionspaket gegen Belarus beschlossen. Der EU-Außenbeauftragte Borrell sprach mit Minsk.",
    ),
    (
        "uk",
        "eu-diplomacy",
        "ЄС запровадив санкції проти Білорусі",
        "Міністри закордонних справ ЄС погодили новий пакет санкцій проти Білорусі. Верховний представник ЄС Боррель закликав Мінськ до переговорів.",
    ),
    (
        "pl",
        "eu-diplomacy",
        "Szefowa unijnej dyplomacji w Serbii",
        "Szefowa unijnej dyplomacji Federica Mogherini rozmawiała w Belgradzie o negocjacjach akcesyjnych Serbii z Unią Europejską.",
    ),
];

#[test]
fn each_topic_is_found_in_every_language() {
    let missed: Vec<_> = STORIES
        .iter()
        .filter(|(language, topic, title, text)| {
            !topics(title, text, language).iter().any(|found| found == topic)
        })
        .map(|(language, topic, ..)| (language, topic))
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn italian_nato_is_born() {
    let text = "Nato a Napoli nel 1950, il pittore è cresciuto a Roma. Era nato in una famiglia povera. Nato il 3 maggio, \
                nato due volte, diceva sua madre.";
    for title in ["È nato un artista", "NATO A NAPOLI, VISSUTO A ROMA"] {
        assert!(topics(title, text, "it").is_empty(), "{title}");
        assert!(
            evidence(&article(title, text, "it"))
                .iter()
                .all(|(term, _)| term != "nato"),
            "{title}"
        );
    }
}

#[test]
fn spanish_eu_is_the_united_states() {
    let text =
        "El presidente de EU impuso sanciones a Irán. EU negocia con México. La embajada de EU no comentó.";
    assert!(topics("EU endurece sanciones contra Irán", text, "es").is_empty());
    let found = CLASSIFIER
        .classify(&article("EU endurece sanciones contra Irán", text, "es"))
        .concepts;
    assert!(
        found
            .iter()
            .any(|concept| concept.id == "usa" && concept.count == 4),
        "{found:?}"
    );
}

#[test]
fn portuguese_and_romanian_eu_is_a_pronoun() {
    assert!(
        evidence(&article(
            "Eu e a Ucrânia",
            "Eu fui a Kiev. Se eu pudesse, eu ficava.",
            "pt"
        ))
        .iter()
        .all(|(term, _)| term != "eu")
    );
}

#[test]
fn a_drug_is_not_a_country() {
    let text = "Ukrain is an alkaloid preparation sold as a cancer drug. Doctors warn that Ukrain has not been shown to \
                work; sellers of Ukrain were fined by a court in Vienna.";
    assert!(topics("Cancer drug Ukrain: no proof of benefit", text, "en").is_empty());
}

#[test]
fn sport_and_song_are_not_politics() {
    let football = "Ukraine beat Sweden in extra time to reach the quarter-finals of Euro 2020. The striker scored for \
                    Ukraine in the final minute; the coach praised the squad. Ukraine play England in the stadium in Rome.";
    assert!(topics("Ukraine reach quarter-finals", football, "en").is_empty());
    let song = "Die ukrainische Sängerin gewann den Eurovision Song Contest. Das Konzert sahen Millionen, das Album der \
                Band erscheint im Mai, ein Film über das Festival ist geplant.";
    assert!(topics("Eurovision: Sieg für die Ukraine", song, "de").is_empty());
}

#[test]
fn the_name_of_a_source_is_not_a_mention() {
    let text = "У Парижі пройшла виставка собак. Переможцем став пудель.\nПовідомляє Українська правда.\nЄвропейська правда";
    let found = evidence(&article("Виставка собак у Парижі", text, "uk"));
    assert!(
        found
            .iter()
            .all(|(term, _)| term != "ukraine" && term != "europe"),
        "{found:?}"
    );
}

#[test]
fn a_footer_is_not_a_topic() {
    let text = "The orchestra played Mozart to a full house. The soprano was called back four times.\n\
                Source: Ukrinform\n© Kyiv Post. Follow us on Telegram.";
    assert!(topics("Mozart in the old town", text, "en").is_empty());
}

#[test]
fn spanish_and_portuguese_nato_is_born() {
    for (language, title, text) in [
        (
            "es",
            "UN LÍDER NATO",
            "Es un vendedor nato y un orador nato, dicen sus colegas.",
        ),
        (
            "pt",
            "UM LÍDER NATO",
            "É um líder nato, um artilheiro nato, disse o treinador. O cidadão nato vota.",
        ),
    ] {
        let found = evidence(&article(title, text, language));
        assert!(found.iter().all(|(term, _)| term != "nato"), "{found:?}");
        assert!(topics(title, text, language).is_empty(), "{language}");
    }
}

#[test]
fn common_words_belong_to_their_language() {
    let cases = [
        (
            "de",
            "Die Ukraine war kalt. Er war in Kiew, und es war schön.",
            "war",
        ),
        (
            "es",
            "La UE calla. Sin embargo, la UE habla con Rusia; sin embargo, nada cambia.",
            "sanctions",
        ),
        (
            "de",
            "Macron macht in Kiew, was Maschinen machen. Die Ukraine macht mit.",
            "sport",
        ),
        (
            "es",
            "Ucrania sólo tiene una solución: los soldados de Kiev.",
            "local-life",
        ),
        (
            "en",
            "Services for Ukraine were serving the kind people of Kyiv.",
            "serbia",
        ),
        ("en", "Kind people in Kyiv met the king of Ukraine.", "china"),
    ];
    for (language, text, wrong) in cases {
        let found = CLASSIFIER.classify(&article("", text, language)).concepts;
        assert!(
            found.iter().all(|concept| concept.id != wrong),
            "{language} {wrong}: {found:?}"
        );
    }
    let found = CLASSIFIER
        .classify(&article("", "The war goes on. Sanctions bite.", "en"))
        .concepts;
    assert!(found.iter().any(|concept| concept.id == "war"), "{found:?}");
}

#[test]
fn a_signal_may_ask_for_three_sets_and_for_a_language() {
    let file = "[topic]\nname = \"mine\"\nthreshold = 0.01\n[[signal]]\nname = \"all\"\nrole = \"core\"\nconcepts = [\"eu\"]\n\
                with = [\"serbia\"]\nand = [\"@diplomacy\"]\nlanguages = [\"en\"]\n";
    let classifier = Classifier::new(&with_file("mine.toml", file)).expect("a topic");
    let tagged = |text: &str, language: &str| {
        let tags = classifier.classify(&article("", text, language)).tags;
        tags.iter().any(|tag| tag.topic == "mine")
    };
    assert!(tagged("The EU sent its ambassador to Serbia.", "en"));
    assert!(!tagged("The EU sent its ambassador. Serbia waits.", "en"));
    assert!(!tagged("The EU likes Serbia.", "en"));
    assert!(!tagged("The EU sent its ambassador to Serbia.", "de"));
    let lonely = file.replace("with = [\"serbia\"]\n", "");
    let problems = Classifier::new(&with_file("mine.toml", &lonely))
        .err()
        .expect("a problem");
    assert!(problems.iter().any(|problem| problem.line == 8), "{problems:?}");
}

#[test]
fn a_passing_mention_is_not_a_topic() {
    let paragraph = "The city council approved the new tram line after a long debate about costs and noise. Residents \
                     had asked for more trees along the road. The mayor promised that work would begin next spring. ";
    let text = format!(
        "{}Prices of steel have risen since the war in Ukraine. {}",
        paragraph.repeat(6),
        paragraph.repeat(6)
    );
    assert!(topics("Council approves tram line", &text, "en").is_empty());
}

#[test]
fn nato_as_a_label_is_not_the_alliance() {
    let text = "The company makes shells of NATO calibre. The factory in Bourges will hire two hundred workers to make \
                NATO standard ammunition, its director said. Sales doubled last year and the share price rose.";
    assert!(!topics("Shell maker hires workers", text, "en").contains(&"nato".to_owned()));
}

#[test]
fn brexit_talks_are_not_diplomacy() {
    let text = "Theresa May met Michel Barnier in Brussels to discuss the Irish border. The Brexit withdrawal agreement \
                must be ready before Britain leaves the EU in March. The backstop divides the House of Commons.";
    assert!(topics("May and Barnier discuss Brexit backstop", text, "en").is_empty());
}

#[test]
fn words_inside_other_words_do_not_match() {
    let article = article(
        "Senator resignation",
        "The senatorial combination was neutral. Bureau, Neunato, Reukraine.",
        "en",
    );
    assert_eq!(evidence(&article), []);
}

#[test]
fn a_person_counts_only_in_office() {
    let of_2015 =
        "In 2015 Rutte chaired the Dutch cabinet. The Rutte government fell in 2012 and Rutte won again.";
    let of_2025 = "In 2025 Rutte chaired the talks. Rutte said the allies agreed.";
    let counts = |text| {
        evidence(&article("Rutte", text, "nl"))
            .iter()
            .filter(|(term, _)| term == "rutte")
            .count()
    };
    assert_eq!(counts(of_2015), 0);
    assert!(counts(of_2025) > 0);
}

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

const README: &str = include_str!("../../../../README.md");

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

fn with_file(name: &str, text: &str) -> Vec<TopicFile> {
    let mut files = builtin();
    files.push(TopicFile {
        name: name.to_owned(),
        text: text.to_owned(),
    });
    files
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
