//! Every topic in every language.

use serde::Deserialize;

use super::{CLASSIFIER, topics};

/// A row of `fixtures/notes.jsonl`: short reports in many languages, also such as name a topic in passing.
#[derive(Deserialize)]
struct Note {
    id: String,
    language: String,
    title: String,
    text: String,
    #[serde(flatten)]
    labels: std::collections::BTreeMap<String, u8>,
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
fn short_reports_get_their_tags_and_no_others() {
    let mut wrong = Vec::new();
    for line in include_str!("../../../fixtures/notes.jsonl").lines() {
        let note: Note = serde_json::from_str(line).expect("a row");
        let found = topics(&note.title, &note.text, &note.language);
        let wanted = CLASSIFIER.topics().filter(|topic| note.labels[*topic] == 1);
        if !found.iter().map(String::as_str).eq(wanted) {
            wrong.push((note.id, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
