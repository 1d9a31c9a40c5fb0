//! Which language a text is in.
//!
//! Function words and rare letters answer first: a word in three of any text is "the", "und" or "що", which takes some
//! microseconds to see and is right more often than trigrams are, most of all on headlines. Where they say nothing
//! (scripts of one language, languages without a list, a few words without any of these) whatlang answers from its
//! trigrams, in some 100 µs. Rejected: whatlang alone, which took more time than all else that tags an article; and
//! lingua, which is right more often on single lines but slower by two orders and larger by hundreds of megabytes.
//!
//! Pure: texts in, tags out.

mod tags;
mod votes;
mod words;

pub use tags::primary;

use votes::Votes;

/// Code points from the beginning of a text that are looked at: some hundred words, of which thirty vote.
const SAMPLE: usize = 600;

/// Words below which a text is too short to speak against what its page claims.
const FEW_WORDS: u32 = 8;

/// The language of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identified {
    /// ISO 639-1 code, of three letters where the language has none of two.
    pub language: &'static str,
    /// The text speaks clearly enough to be believed against another claim.
    pub sure: bool,
}

/// Identifies the language of a text from its first 600 code points, whatever its length; `None` where nothing can be
/// told.
pub fn identify(text: &str) -> Option<Identified> {
    let end = text.char_indices().nth(SAMPLE).map_or(text.len(), |(at, _)| at);
    let sample = text.get(..end).unwrap_or(text);
    let votes = Votes::of(sample);
    if let Some(language) = votes.winner() {
        let sure = votes.words >= FEW_WORDS && votes.clear();
        return Some(Identified { language, sure });
    }
    whatlang::detect(sample).map(|found| Identified {
        language: tags::tag(found.lang()),
        sure: votes.words >= FEW_WORDS && found.is_reliable(),
    })
}

/// Tells the language of a text that claims one, as pages do, by a tag such as `en-GB`: the text decides where it is
/// sure, the claim where it is not, or where words cannot tell the two apart.
pub fn settle(text: &str, claimed: Option<&str>) -> Option<String> {
    let claimed = claimed.and_then(primary);
    match (identify(text), claimed) {
        (Some(found), Some(claimed)) if found.sure && !tags::alike(found.language, &claimed) => {
            Some(found.language.to_owned())
        }
        (Some(found), None) => Some(found.language.to_owned()),
        (_, claimed) => claimed,
    }
}

#[cfg(test)]
mod tests {
    use super::{identify, settle};

    /// A sentence of a language, with the names of others in it.
    const SENTENCES: [(&str, &str); 30] = [
        (
            "en",
            "The harbour was closed on Monday because the ferry from Bergen had lost its anchor.",
        ),
        (
            "de",
            "Die Fähre wurde nach dem Sturm am Ufer gefunden, und niemand weiß, wie sie dorthin kam.",
        ),
        (
            "fr",
            "Le bac de Calais a été retrouvé sur la rive et personne ne sait qui l'a conduit.",
        ),
        (
            "es",
            "El barco de Bilbao apareció en la orilla después de la tormenta y nadie sabe por qué.",
        ),
        (
            "pt",
            "O barco de Lisboa apareceu na margem depois da tempestade e ninguém sabe como.",
        ),
        (
            "it",
            "Il battello di Genova è stato trovato sulla riva dopo la tempesta e nessuno sa perché.",
        ),
        (
            "ca",
            "El vaixell de Barcelona ha aparegut a la riba i ningú no sap què hi fa després del vent.",
        ),
        (
            "nl",
            "De veerboot is na de storm op de oever gevonden en niemand weet hoe hij daar kwam.",
        ),
        (
            "sv",
            "Färjan hittades på stranden efter stormen och ingen vet hur den kom dit.",
        ),
        (
            "da",
            "Færgen blev fundet på stranden efter stormen, og ingen af dem ved, hvad der skete.",
        ),
        (
            "no",
            "Fergen ble funnet på stranden etter stormen, og ingen av dem vet hva som skjedde.",
        ),
        (
            "fi",
            "Lautta löytyi rannalta myrskyn jälkeen, eikä kukaan tiedä, että se oli siellä.",
        ),
        (
            "et",
            "Praam leiti pärast tormi kaldalt ja keegi ei tea, kuidas see sinna on sattunud.",
        ),
        (
            "pl",
            "Prom został znaleziony na brzegu po burzy i nikt nie wie, jak się tam dostał.",
        ),
        (
            "cs",
            "Přívoz byl po bouři nalezen na břehu a nikdo neví, jak se tam dostal.",
        ),
        (
            "sk",
            "Kompa bola po búrke nájdená na brehu a nikto nevie, ako sa tam dostala, keď už nikto neplával.",
        ),
        (
            "sl",
            "Trajekt so po nevihti našli na obali in nihče ne ve, kako je prišel tja.",
        ),
        (
            "hr",
            "Trajekt je pronađen na obali nakon oluje i nitko ne zna kako je došao tamo.",
        ),
        (
            "hu",
            "A kompot a vihar után a parton találták meg, és senki sem tudja, hogy került oda.",
        ),
        (
            "ro",
            "Bacul a fost găsit pe mal după furtună și nimeni nu știe cum a ajuns acolo.",
        ),
        (
            "lt",
            "Keltas po audros buvo rastas ant kranto ir niekas nežino, kaip jis ten pateko.",
        ),
        (
            "lv",
            "Prāmis pēc vētras tika atrasts krastā, un neviens nezina, kā tas tur nokļuva.",
        ),
        (
            "tr",
            "Feribot fırtınadan sonra kıyıda bulundu ve kimse bunun nasıl olduğunu bilmiyor.",
        ),
        (
            "uk",
            "Пором знайшли на березі після бурі, і ніхто не знає, як він там опинився.",
        ),
        (
            "ru",
            "Паром нашли на берегу после бури, и никто не знает, как он там оказался.",
        ),
        (
            "bg",
            "Фериботът беше намерен на брега след бурята и никой не знае как е стигнал дотам.",
        ),
        (
            "sr",
            "Трајект је нађен на обали после олује и нико не зна како је тамо стигао.",
        ),
        (
            "mk",
            "Траектот беше најден на брегот по бурата и никој не знае како стигнал таму.",
        ),
        (
            "el",
            "Το πλοίο βρέθηκε στην ακτή μετά την καταιγίδα και κανείς δεν ξέρει πώς.",
        ),
        (
            "tl",
            "Natagpuan ang barko sa baybayin at hindi alam ng mga tao kung sino ang may-ari nito.",
        ),
    ];

    #[test]
    fn sentences_and_headlines_are_told() {
        for (language, sentence) in SENTENCES {
            let found = identify(sentence).map(|found| found.language);
            assert_eq!(found, Some(language), "{sentence}");
        }
        let headlines = [
            ("en", "Mayor to open the bridge"),
            ("de", "Ministerin warnt vor dem Ende der Gespräche"),
            ("uk", "Київ готується до зими"),
            ("ru", "Выставка открылась в Казани"),
            ("es", "Detenidos los dueños del almacén"),
        ];
        for (language, headline) in headlines {
            let found = identify(headline).map(|found| found.language);
            assert_eq!(found, Some(language), "{headline}");
        }
    }

    #[test]
    fn words_without_a_list_are_left_to_trigrams() {
        for (language, text) in [
            ("ja", "フェリーは嵐の後に岸で見つかった。"),
            ("ka", "ბორანი ქარიშხლის შემდეგ ნაპირზე იპოვეს."),
            ("hi", "तूफान के बाद नाव किनारे पर मिली और किसी को नहीं पता।"),
        ] {
            assert_eq!(
                identify(text).map(|found| found.language),
                Some(language),
                "{text}"
            );
        }
        assert_eq!(identify("  2024 — 17:30\n"), None);
    }

    #[test]
    fn the_text_decides_over_a_claim_where_it_is_sure() {
        let of = |language: &str| {
            let found = SENTENCES.iter().find(|(known, _)| *known == language);
            found.map_or("", |(_, sentence)| sentence)
        };
        let settled = |text, claimed| settle(text, Some(claimed));
        assert_eq!(settled(of("de"), "en-US").as_deref(), Some("de"));
        assert_eq!(settled(of("de"), "de_AT").as_deref(), Some("de"));
        assert_eq!(settled("Kurz", "de_AT").as_deref(), Some("de"));
        assert_eq!(settled(of("no"), "nb-NO").as_deref(), Some("nb"));
        assert_eq!(settled(of("hr"), "sr-Latn").as_deref(), Some("sr"));
        assert_eq!(settled(of("fr"), "unknown").as_deref(), Some("fr"));
        assert_eq!(settle("", None), None);
    }

    #[test]
    fn only_the_beginning_is_looked_at() {
        let text = format!(
            "{}{}",
            "The ferry was lost and found. ".repeat(40),
            "Die Fähre und der Sturm. ".repeat(4000)
        );
        assert_eq!(identify(&text).map(|found| found.language), Some("en"));
    }
}
