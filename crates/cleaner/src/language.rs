//! Tells the language of a text.
//!
//! Uses whatlang: 40 kB of trigrams and some 100 µs a text. Rejected: lingua, which is right more often on single
//! lines but slower by two orders and larger by hundreds of megabytes; articles are longer than lines.

use whatlang::{Detector, Lang};

use crate::html::decode;

/// Characters that are looked at: trigrams of this many tell languages apart as well as those of the whole text.
const SAMPLE_CHARS: usize = 600;

/// Words below which a text is too short to be told from its letters alone.
const MIN_WORDS: usize = 8;

/// Languages that a text is told from when the page says which it is: the largest of the web, at least one of each
/// family of near relations. Comparing with these alone takes a third of the time.
const LARGEST: [Lang; 17] = [
    Lang::Eng,
    Lang::Spa,
    Lang::Deu,
    Lang::Fra,
    Lang::Por,
    Lang::Ita,
    Lang::Nld,
    Lang::Pol,
    Lang::Swe,
    Lang::Tur,
    Lang::Vie,
    Lang::Ind,
    Lang::Rus,
    Lang::Ukr,
    Lang::Bul,
    Lang::Ara,
    Lang::Pes,
];

/// Tells the language as a BCP 47 tag of two letters (three where there are no two); what the page claims decides
/// where the text alone does not.
pub(crate) fn language(text: &str, claimed: Option<&str>) -> Option<String> {
    let claimed = claimed.and_then(primary_tag);
    let words = text.split_whitespace().take(MIN_WORDS).count();
    if words == 0 {
        return claimed;
    }
    let end = text
        .char_indices()
        .nth(SAMPLE_CHARS)
        .map_or(text.len(), |(at, _)| at);
    let sample = text.get(..end).unwrap_or(text);
    if words >= MIN_WORDS
        && claimed
            .as_deref()
            .is_some_and(|claimed| confirms(sample, claimed))
    {
        return claimed;
    }
    match whatlang::detect(sample) {
        Some(info) if words >= MIN_WORDS && (info.is_reliable() || claimed.is_none()) => {
            Some(tag(info.lang()).to_owned())
        }
        Some(info) if claimed.is_none() => Some(tag(info.lang()).to_owned()),
        _ => claimed,
    }
}

/// Tells whether a text is surely in the language that its page claims.
fn confirms(sample: &str, claimed: &str) -> bool {
    let Some(claimed) = Lang::all().iter().copied().find(|lang| tag(*lang) == claimed) else {
        return false;
    };
    let mut among = LARGEST.to_vec();
    among.push(claimed);
    let found = Detector::with_allowlist(among).detect(sample);
    found.is_some_and(|info| info.lang() == claimed && info.is_reliable())
}

/// Takes the language out of `en-GB` or `en_GB`.
fn primary_tag(claimed: &str) -> Option<String> {
    let decoded = decode(claimed.trim());
    let primary = decoded.split(['-', '_', ',', ' ']).next()?;
    let is_tag = (2..=3).contains(&primary.len()) && primary.bytes().all(|b| b.is_ascii_alphabetic());
    is_tag.then(|| primary.to_ascii_lowercase())
}

/// Gives whatlang's language (ISO 639-3) its shortest tag.
#[allow(clippy::too_many_lines, reason = "a table, one line a language")]
fn tag(lang: Lang) -> &'static str {
    match lang {
        Lang::Epo => "eo",
        Lang::Eng => "en",
        Lang::Rus => "ru",
        Lang::Cmn => "zh",
        Lang::Spa => "es",
        Lang::Por => "pt",
        Lang::Ita => "it",
        Lang::Ben => "bn",
        Lang::Fra => "fr",
        Lang::Deu => "de",
        Lang::Ukr => "uk",
        Lang::Kat => "ka",
        Lang::Ara => "ar",
        Lang::Hin => "hi",
        Lang::Jpn => "ja",
        Lang::Heb => "he",
        Lang::Yid => "yi",
        Lang::Pol => "pl",
        Lang::Amh => "am",
        Lang::Jav => "jv",
        Lang::Kor => "ko",
        Lang::Nob => "nb",
        Lang::Dan => "da",
        Lang::Swe => "sv",
        Lang::Fin => "fi",
        Lang::Tur => "tr",
        Lang::Nld => "nl",
        Lang::Hun => "hu",
        Lang::Ces => "cs",
        Lang::Ell => "el",
        Lang::Bul => "bg",
        Lang::Bel => "be",
        Lang::Mar => "mr",
        Lang::Kan => "kn",
        Lang::Ron => "ro",
        Lang::Slv => "sl",
        Lang::Hrv => "hr",
        Lang::Srp => "sr",
        Lang::Mkd => "mk",
        Lang::Lit => "lt",
        Lang::Lav => "lv",
        Lang::Est => "et",
        Lang::Tam => "ta",
        Lang::Vie => "vi",
        Lang::Urd => "ur",
        Lang::Tha => "th",
        Lang::Guj => "gu",
        Lang::Uzb => "uz",
        Lang::Pan => "pa",
        Lang::Aze => "az",
        Lang::Ind => "id",
        Lang::Tel => "te",
        Lang::Pes => "fa",
        Lang::Mal => "ml",
        Lang::Ori => "or",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Sin => "si",
        Lang::Khm => "km",
        Lang::Tuk => "tk",
        Lang::Aka => "ak",
        Lang::Zul => "zu",
        Lang::Sna => "sn",
        Lang::Afr => "af",
        Lang::Lat => "la",
        Lang::Slk => "sk",
        Lang::Cat => "ca",
        Lang::Tgl => "tl",
        Lang::Hye => "hy",
        other => other.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::language;

    #[test]
    fn the_text_decides_over_the_template() {
        let german = "Die Fähre wurde nach dem Sturm am Ufer gefunden, und niemand weiß, wie sie dorthin gekommen ist.";
        assert_eq!(language(german, Some("en-US")).as_deref(), Some("de"));
        assert_eq!(language("Kurz", Some("de_AT")).as_deref(), Some("de"));
        assert_eq!(language("", None), None);
    }
}
