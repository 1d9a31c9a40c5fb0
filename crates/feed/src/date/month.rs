//! Names of months in the languages of feeds.

/// Beginnings of the names of each month, so that grammatical cases and abbreviations are covered. English first, then
/// Romance, Germanic, Slavic in Latin and Cyrillic letters, and others.
const BEGINNINGS: [&str; 12] = [
    "jan ene gen xan ian jän sty led siječ янв яну січ студ јан ιαν oca saus tammi يناير",
    "feb fév fev lut únor unor velj фев лют φεβ şub vasar helmi فبراير",
    "mar mär maer mrt maart már bře ožuj мар бер берез сак μαρ μάρ kov maalis مارس",
    "apr abr avr ápr kwi dub квіт кві крас апр απρ nis baland huhti أبريل ابريل trav",
    "may mai mag maj mei máj kvě květ svib май мая мај трав тра μαι μάι μαΐ mayıs geg touko مايو",
    "jun juin giu iun jún jūn xuñ cze červ čer lip июн юни јун черв чер чэрв ιουν ιούν haz birž kesä يونيو",
    "jul juil lug lip iul júl jūl xul lipi lipc červenc červenec července srp июл юли јул лип ліп ιουλ ιούλ tem liep heinä يوليو",
    "aug ago aoû aou avg sie srpen srpna kolov авг серп сер жнів αυγ αύγ ağu rugp elok أغسطس اغسطس",
    "sep set wrz zář zar ruj szept сен сеп вер σεπ eyl rugs syys سبتمبر",
    "oct okt ott out paź paz říj rij окт жовт жов кастр οκτ eki spal loka أكتوبر اكتوبر",
    "nov noi lis studen ноя ное нов лист лис ліст νοε νοέ kas lapk marras نوفمبر",
    "dec dez dic déc des gru pros дек дец груд гру снеж δεκ ara gruod joulu ديسمبر",
];

/// Weekdays that begin like a month.
const WEEKDAYS: [&str; 7] = ["mard", "marte", "marț", "marti", "серед", "luned", "maandag"];

/// Returns the month that a word in lower case names: the one that shares the longest beginning with it.
///
/// Czech July begins like June, Polish July like Croatian June: the longer beginning is the right one.
pub(super) fn month(word: &str) -> Option<u32> {
    const ENGLISH: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    // Most dates, without a look at two hundred names.
    if let Some(month) = ENGLISH.iter().position(|name| *name == word) {
        return u32::try_from(month + 1).ok();
    }
    if matches!(
        word,
        "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun" | "gmt" | "t" | "z"
    ) || word.chars().take(3).count() < 3
        || WEEKDAYS.iter().any(|day| word.starts_with(day))
    {
        return None;
    }
    let shared = |names: &str| {
        names
            .split(' ')
            .filter(|name| word.starts_with(name))
            .map(str::len)
            .max()
            .unwrap_or(0)
    };
    let (best, month) = BEGINNINGS
        .iter()
        .zip(1_u32..)
        .map(|(names, month)| (shared(names), month))
        .max()?;
    // `max` prefers the later of two equal months, which suits Polish `lip`, July.
    (best > 0).then_some(month)
}
