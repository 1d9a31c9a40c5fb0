//! Words that look like a topic and are none, and articles that name it in passing.

use super::*;

#[test]
fn italian_nato_is_born() {
    let text = "Nato a Napoli nel 1950, il pittore è cresciuto a Roma. Era nato in una famiglia povera. Nato il 3 maggio, \
                nato due volte, diceva sua madre. Nato sopra una bottega, dipinge ancora.";
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
fn italian_nato_is_the_alliance_where_it_is_not_born() {
    let text = "Gli alleati discutono di spese e di difesa. Il segretario generale ha parlato ai ministri a Bruxelles.";
    for title in [
        "Nato, gli alleati discutono di spese",
        "Nato: il vertice dei ministri",
        "Soldati NATO a Vilnius",
        "Missione NATO in Kosovo",
    ] {
        let found = evidence(&article(title, text, "it"));
        assert!(found.iter().any(|(term, _)| term == "nato"), "{title}: {found:?}");
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
fn a_lone_mention_is_a_passing_one_however_short_the_text() {
    let text = "The race for the town hall is close. Rents and buses dominate the campaign. The challenger, once an \
                adviser at NATO, wants more police in the centre.";
    assert!(topics("Mayor's lead shrinks", text, "en").is_empty());
    let about = "Ministers agreed to deploy four battalions to the Baltic states. NATO will lead them, and the allies who \
                 border on Russia will house them.";
    assert_eq!(topics("Four battalions for the Baltic", about, "en"), ["nato"]);
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
fn the_eu_negotiates_and_it_saves_gas_at_home() {
    let talks = [
        (
            "en",
            "EU invites Russia and Ukraine to gas talks",
            "The European Commission will hold trilateral talks with Russia and Ukraine on Monday. Its vice-president said \
             the EU offered to mediate between Moscow and Kyiv. Both ministers accepted the Commission's invitation.",
        ),
        (
            "pl",
            "Komisja Europejska zaprasza Rosję i Ukrainę do rozmów",
            "Komisja Europejska chce trójstronnych rozmów z Rosją i Ukrainą. UE zaproponowała pośrednictwo między Moskwą a \
             Kijowem. Ministrowie obu krajów przyjęli zaproszenie Komisji Europejskiej.",
        ),
        (
            "es",
            "La Unión Europea media entre Serbia y Kosovo",
            "La Unión Europea reunió en Bruselas a los presidentes de Serbia y Kosovo. Las conversaciones con la UE siguen \
             mañana. La Unión Europea espera un acuerdo con Serbia antes del verano.",
        ),
    ];
    for (language, title, text) in talks {
        assert!(
            topics(title, text, language).contains(&"eu-diplomacy".to_owned()),
            "{title}"
        );
    }
    let text = "Ministers of the member states agreed in Brussels to cut gas use by a tenth this winter. The energy crisis has \
                pushed gas prices up, and the European Commission wants gas storage to be full by November. Households will \
                see their energy bills capped. The directive on the internal market is to change in spring.";
    assert!(!topics("EU caps gas prices as winter nears", text, "en").contains(&"eu-diplomacy".to_owned()));
}

#[test]
fn the_internal_market_is_not_diplomacy() {
    let cases = [
        (
            "en",
            "EU fines phone maker from the United States",
            "The European Union fined a phone maker from the United States for breaking antitrust rules. In Brussels the \
             competition commissioner said that the single market needs fair rules for firms from China too. The company \
             will appeal at the Court of Justice.",
        ),
        (
            "de",
            "EU-Kommission genehmigt Fusion mit Schweizer Molkerei",
            "Die EU-Kommission hat die Fusion mit einer Molkerei aus der Schweiz genehmigt. Der Wettbewerb im Binnenmarkt \
             bleibe erhalten, teilte sie in Brüssel mit. Verbraucher sollen keine höheren Preise zahlen.",
        ),
        (
            "it",
            "Ue, nuove regole per il mercato interno del riso",
            "La Commissione europea ha presentato nuove regole per il riso che arriva dall'India. Il regolamento riguarda \
             il mercato interno, la politica agricola comune e il bilancio. Gli agricoltori protestano a Bruxelles.",
        ),
    ];
    for (language, title, text) in cases {
        assert!(topics(title, text, language).is_empty(), "{title}");
    }
}

#[test]
fn a_state_acting_with_a_third_country_is_not_the_eu() {
    let text = "The French president received the president of China in Paris. France and China will work together on trade \
                and nuclear power. China is to buy French aircraft, and French wine will be sold in China. The visit ends \
                on Sunday. Diplomats of the EU were not there.";
    assert!(topics("France and China agree on trade", text, "en").is_empty());
}

#[test]
fn local_life_in_ukraine_is_not_ukraine() {
    let cases = [
        (
            "uk",
            "У Львові відкрили виставку",
            "У міській бібліотеці відкрили виставку молодих художників. Відвідувачі побачать сорок картин. Поет і композитор \
             виступлять на концерті в суботу. Вхід для школярів вільний.",
        ),
        (
            "en",
            "Bakery in Odesa wins recipe contest",
            "A small bakery in Odesa has won a recipe contest. Its owner, a former actress, bakes bread with walnuts. The \
             festival ended with a concert, and the weather was fine.",
        ),
    ];
    for (language, title, text) in cases {
        assert!(topics(title, text, language).is_empty(), "{title}");
    }
}

#[test]
fn a_pipeline_round_ukraine_is_about_ukraine_where_it_is_called_a_threat() {
    let argued = "Nord Stream 2 is a threat to security, the minister said on Monday. Gazprom uses the pipeline as a weapon, \
                  and Nord Stream 2 makes blackmail easier. The ship is to lay the last pipes of Nord Stream 2 in spring.";
    assert_eq!(
        topics("Minister calls Nord Stream 2 a threat", argued, "en"),
        ["ukraine"]
    );
    let business = "Nord Stream 2 is a gain for the port, the minister said on Monday. Gazprom uses the pipeline from autumn, \
                    and Nord Stream 2 makes gas cheaper. The ship is to lay the last pipes of Nord Stream 2 in spring.";
    assert!(topics("Minister calls Nord Stream 2 a success", business, "en").is_empty());
}
