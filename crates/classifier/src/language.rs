//! Languages: their codes, which of them are kin, and which one a text is in.

use crate::Document;

/// A language code as a number: comparing texts at each place took a tenth of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(u32);

impl Code {
    /// Packs the two or three letters of a code; a longer text keeps its first four.
    pub(crate) fn new(language: &str) -> Self {
        let mut letters = [0; 4];
        letters
            .iter_mut()
            .zip(language.bytes())
            .for_each(|(to, from)| *to = from);
        Self(u32::from_le_bytes(letters))
    }
}

/// Returns the language that stands for those whose common words are much the same.
pub(crate) fn kin(language: &str) -> &str {
    match language {
        "sk" => "cs",
        "sr" | "bs" | "sh" | "me" => "hr",
        "no" | "nb" | "nn" | "da" => "sv",
        "gl" | "ca" => "es",
        "af" => "nl",
        "az" => "tr",
        other => other,
    }
}

/// Reduces a language tag such as `pt-BR` to its language.
pub(crate) fn normalise(tag: &str) -> String {
    tag.split(['-', '_'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// Code points that the language is identified from: the identifier needs some hundred, and its time grows with them.
const SAMPLE: usize = 600;

/// Identifies the language of an article from its title and the beginning of its text.
pub(crate) fn identify(document: &Document<'_>) -> Option<String> {
    let sample: String = document
        .title
        .chars()
        .chain([' '])
        .chain(document.text.chars())
        .take(SAMPLE)
        .collect();
    whatlang::detect_lang(&sample).map(|language| iso_639_1(language.code()).to_owned())
}

/// Returns the two-letter code of a language, or the three-letter code where there is none.
#[allow(clippy::too_many_lines, reason = "a table, one line a language")]
fn iso_639_1(code: &'static str) -> &'static str {
    const CODES: &[(&str, &str)] = &[
        ("afr", "af"),
        ("aka", "ak"),
        ("amh", "am"),
        ("ara", "ar"),
        ("aze", "az"),
        ("bel", "be"),
        ("ben", "bn"),
        ("bul", "bg"),
        ("cat", "ca"),
        ("ces", "cs"),
        ("cmn", "zh"),
        ("cym", "cy"),
        ("dan", "da"),
        ("deu", "de"),
        ("ell", "el"),
        ("eng", "en"),
        ("epo", "eo"),
        ("est", "et"),
        ("fin", "fi"),
        ("fra", "fr"),
        ("guj", "gu"),
        ("heb", "he"),
        ("hin", "hi"),
        ("hrv", "hr"),
        ("hun", "hu"),
        ("hye", "hy"),
        ("ind", "id"),
        ("ita", "it"),
        ("jav", "jv"),
        ("jpn", "ja"),
        ("kan", "kn"),
        ("kat", "ka"),
        ("khm", "km"),
        ("kor", "ko"),
        ("lat", "la"),
        ("lav", "lv"),
        ("lit", "lt"),
        ("mal", "ml"),
        ("mar", "mr"),
        ("mkd", "mk"),
        ("mya", "my"),
        ("nep", "ne"),
        ("nld", "nl"),
        ("nob", "no"),
        ("ori", "or"),
        ("pan", "pa"),
        ("pes", "fa"),
        ("pol", "pl"),
        ("por", "pt"),
        ("ron", "ro"),
        ("rus", "ru"),
        ("sin", "si"),
        ("slk", "sk"),
        ("slv", "sl"),
        ("sna", "sn"),
        ("spa", "es"),
        ("srp", "sr"),
        ("swe", "sv"),
        ("tam", "ta"),
        ("tel", "te"),
        ("tgl", "tl"),
        ("tha", "th"),
        ("tuk", "tk"),
        ("tur", "tr"),
        ("ukr", "uk"),
        ("urd", "ur"),
        ("uzb", "uz"),
        ("vie", "vi"),
        ("yid", "yi"),
        ("zul", "zu"),
    ];
    CODES
        .iter()
        .find(|(long, _)| *long == code)
        .map_or(code, |(_, short)| short)
}
