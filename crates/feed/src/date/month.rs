//! Names of months in the languages of feeds.

/// Beginnings of names, so that cases and abbreviations are covered; a longer one that begins like a shorter one of
/// another month stands before it.
const BEGINNINGS: [(u32, &[&str]); 13] = [
    // Checked first: Czech and Slovak July begins like June.
    (7, &["červenec", "července", "červenc"]),
    (
        1,
        &[
            "jan",
            "ene",
            "gen",
            "sty",
            "янв",
            "січ",
            "ян",
            "студ",
            "ιαν",
            "ocak",
            "oca",
            "ian",
            "led",
            "jän",
            "يناير",
            "tammi",
            "siječ",
        ],
    ),
    (
        2,
        &[
            "feb",
            "fév",
            "fev",
            "lut",
            "фев",
            "лют",
            "φεβ",
            "şub",
            "únor",
            "febr",
            "فبراير",
            "helmi",
            "velj",
        ],
    ),
    (
        3,
        &[
            "mar",
            "mär",
            "maer",
            "mrt",
            "maart",
            "мар",
            "берез",
            "бер",
            "сак",
            "μαρ",
            "μάρ",
            "březen",
            "března",
            "bře",
            "már",
            "مارس",
            "maalis",
            "ožuj",
        ],
    ),
    (
        4,
        &[
            "apr",
            "abr",
            "avr",
            "kwi",
            "апр",
            "квіт",
            "кві",
            "крас",
            "απρ",
            "nis",
            "dub",
            "ápr",
            "أبريل",
            "ابريل",
            "huhti",
            "trav",
        ],
    ),
    (
        5,
        &[
            "may", "mai", "mag", "maj", "mei", "май", "мая", "мај", "трав", "тра", "μαι", "μάι", "μαΐ",
            "květ", "kvě", "máj", "mayıs", "مايو", "touko", "svib",
        ],
    ),
    (
        6,
        &[
            "jun",
            "jui",
            "giu",
            "cze",
            "июн",
            "юни",
            "јун",
            "черв",
            "чер",
            "чэрв",
            "ιουν",
            "ιούν",
            "haz",
            "iun",
            "jún",
            "červen",
            "června",
            "čer",
            "يونيو",
            "kesä",
            "lip",
        ],
    ),
    (
        7,
        &[
            "jul",
            "lug",
            "июл",
            "юли",
            "јул",
            "лип",
            "ліп",
            "ιουλ",
            "ιούλ",
            "tem",
            "iul",
            "júl",
            "يوليو",
            "heinä",
            "srp",
        ],
    ),
    (
        8,
        &[
            "aug",
            "ago",
            "aoû",
            "aou",
            "sie",
            "авг",
            "серп",
            "сер",
            "жнів",
            "αυγ",
            "αύγ",
            "ağu",
            "srpen",
            "srpna",
            "أغسطس",
            "اغسطس",
            "elok",
        ],
    ),
    (
        9,
        &[
            "sep",
            "set",
            "wrz",
            "сен",
            "сеп",
            "вер",
            "σεπ",
            "eyl",
            "zář",
            "szept",
            "سبتمبر",
            "syys",
            "ruj",
        ],
    ),
    (
        10,
        &[
            "oct",
            "okt",
            "ott",
            "out",
            "paź",
            "paz",
            "окт",
            "жовт",
            "жов",
            "кастр",
            "οκτ",
            "eki",
            "říj",
            "أكتوبر",
            "اكتوبر",
            "loka",
        ],
    ),
    (
        11,
        &[
            "nov",
            "noi",
            "lis",
            "ноя",
            "ное",
            "нов",
            "лист",
            "лис",
            "ліст",
            "νοε",
            "νοέ",
            "kas",
            "نوفمبر",
            "marras",
            "stud",
        ],
    ),
    (
        12,
        &[
            "dec",
            "dez",
            "dic",
            "déc",
            "gru",
            "дек",
            "дец",
            "груд",
            "гру",
            "снеж",
            "δεκ",
            "ara",
            "pros",
            "ديسمبر",
            "joulu",
        ],
    ),
];

/// Weekdays that begin like a month.
const WEEKDAYS: [&str; 8] = [
    "mard",
    "marte",
    "marț",
    "marti",
    "серед",
    "luned",
    "maandag",
    "mart\u{21b}",
];

/// Returns the month that a word in lower case names.
pub(super) fn month(word: &str) -> Option<u32> {
    if word.chars().count() < 3 || WEEKDAYS.iter().any(|day| word.starts_with(day)) {
        return None;
    }
    // French June and July share their first three letters, and so do Polish July and Croatian June.
    match word {
        _ if word.starts_with("juil")
            || word.starts_with("lipi")
            || word.starts_with("lipc")
            || word == "lip" =>
        {
            return Some(7);
        }
        _ if word.starts_with("srpen") || word.starts_with("srpna") => return Some(8),
        _ => {}
    }
    let found = BEGINNINGS
        .iter()
        .find(|(_, names)| names.iter().any(|name| word.starts_with(name)));
    found.map(|(month, _)| *month)
}
