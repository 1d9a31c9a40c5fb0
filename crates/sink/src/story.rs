//! Stories: copies and versions of one text, over sources.
//!
//! An article that is stored is compared with those of its language that were stored before it and seen within three
//! days of it: by fingerprint first, and where that is near, by the texts themselves. What it shares most of its text
//! with gives it its story; without such a one it begins a story of its own, named after it. A link that was given stays, so
//! that nothing moves under a reader.
//!
//! Rejected: fingerprints alone, which among 100,000 articles link one in a hundred to a stranger and miss a version
//! that was cut to its first half; clusters that merge, for what was read as two stories would become one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;
use telex_model::{Kind, Tagged};

use crate::text::unspaced;

/// Articles that are remembered: all of three days at half an article a second, in 6 MB.
pub(crate) const REMEMBERED: usize = 1 << 17;

/// Longest time between a text and its copy, in milliseconds: agencies' stories are printed within three days.
const SPAN: u64 = 3 * 24 * 60 * 60 * 1000;

/// Fingerprints that differ in so many of their 64 bits are worth a look at the texts. Of 31 pairs of copies, cut and
/// edited versions among 1,800 real pages 28 lie within; one pair of strangers in 3,000 does.
const NEAR: u32 = 18;

/// Texts that are looked at for an article, the nearest first.
const LOOKED_AT: usize = 4;

/// Least part of the shorter text that the longer one has too. Among the same pages versions share .65 to 1, and other
/// stories on the same event up to .42.
const SHARED: f64 = 0.55;

/// Words in a group; texts are compared by the groups that they have.
const GROUP: usize = 3;

/// Words that a text must have: what is shorter is a caption, or a notice that many pages have.
const MIN_WORDS: usize = 30;

/// Characters of a text that count, some 15,000 words: a book need not be compared whole.
pub(crate) const MAX_CHARS: usize = 100_000;

/// Hashes live as long as a comparison, and what a hostile text could bring about is a wrong link; the default's would
/// take most of the time.
const HASHES: FixedState = FixedState::with_seed(0);

/// An article as far as stories are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its row: what a sink knows it by. Those that are not committed yet may be below zero.
    pub(crate) seq: i64,
    /// Its fingerprint.
    pub(crate) fingerprint: u64,
    /// Its language, see [`language_key`].
    pub(crate) language: u32,
    /// When it was first seen, in milliseconds since 1970.
    pub(crate) first_seen: i64,
    /// Id of the article that its story began with.
    pub(crate) story: Arc<str>,
}

/// The articles that were stored last.
#[derive(Debug, Default)]
pub(crate) struct Stories {
    languages: BTreeMap<u32, VecDeque<Known>>,
    /// Languages of the remembered, the oldest first.
    order: VecDeque<u32>,
}

impl Stories {
    /// Remembers an article, and forgets the oldest where they are too many.
    pub(crate) fn remember(&mut self, known: Known) {
        self.order.push_back(known.language);
        self.languages.entry(known.language).or_default().push_back(known);
        if self.order.len() > REMEMBERED
            && let Some(language) = self.order.pop_front()
            && let Some(list) = self.languages.get_mut(&language)
        {
            list.pop_front();
            if list.is_empty() {
                self.languages.remove(&language);
            }
        }
    }

    /// Forgets an article that was withdrawn; gives what was known of it.
    pub(crate) fn forget(&mut self, seq: i64) -> Option<Known> {
        for (language, list) in &mut self.languages {
            if let Some(place) = list.iter().position(|known| known.seq == seq) {
                let of_language = self.order.iter().position(|l| l == language);
                of_language.map(|place| self.order.remove(place));
                return list.remove(place);
            }
        }
        None
    }

    /// Forgets what was not committed: what is below zero, of which nothing else may have been remembered after the
    /// first.
    pub(crate) fn forget_uncommitted(&mut self) {
        for (language, list) in &mut self.languages {
            while list.pop_back_if(|known| known.seq < 0).is_some() {
                let place = self.order.iter().rposition(|l| l == language);
                place.map(|place| self.order.remove(place));
            }
        }
        self.languages.retain(|_, list| !list.is_empty());
    }

    /// Looks for an article that has the same text, more or less; gives its story.
    ///
    /// `is_version` tells whether the text of a row is a version of the article's; none where the row is gone, which is
    /// then forgotten.
    ///
    /// # Errors
    /// Those of `is_version`.
    pub(crate) fn find<E>(
        &mut self,
        key: &Key,
        mut is_version: impl FnMut(i64) -> Result<Option<bool>, E>,
    ) -> Result<Option<Arc<str>>, E> {
        loop {
            let mut gone = None;
            for known in self.near(key) {
                match is_version(known.seq)? {
                    Some(true) => return Ok(Some(Arc::clone(&known.story))),
                    Some(false) => {}
                    None => gone = Some(known.seq),
                }
            }
            if gone.and_then(|seq| self.forget(seq)).is_none() {
                return Ok(None);
            }
        }
    }

    /// Those whose texts may be versions of an article's, the nearest first; of equals the newest. Nothing depends on
    /// the order in which they were remembered, which differs between sinks and over restarts.
    pub(crate) fn near(&self, key: &Key) -> Vec<&Known> {
        let Some(list) = self.languages.get(&key.language) else {
            return Vec::new();
        };
        let mut nearest: Vec<(u32, &Known)> = Vec::with_capacity(LOOKED_AT + 1);
        for known in list {
            let bits = (known.fingerprint ^ key.fingerprint).count_ones();
            if bits > NEAR || known.first_seen.abs_diff(key.first_seen) > SPAN {
                continue;
            }
            let place = nearest.partition_point(|(less, other)| rank(*less, other) <= rank(bits, known));
            if place < LOOKED_AT {
                nearest.insert(place, (bits, known));
                nearest.truncate(LOOKED_AT);
            }
        }
        nearest.into_iter().map(|(_, known)| known).collect()
    }
}

/// What a candidate is preferred by.
fn rank(bits: u32, known: &Known) -> (u32, Reverse<i64>, &str) {
    (bits, Reverse(known.first_seen), &known.story)
}

/// What an article is compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) fingerprint: u64,
    pub(crate) language: u32,
    pub(crate) first_seen: i64,
}

impl Key {
    /// Gives what an article is compared by; none where its text says too little, or is not its own.
    pub(crate) fn of(article: &Tagged) -> Option<Self> {
        if !matches!(article.kind, Kind::Article | Kind::Summary)
            || words(&article.text).nth(MIN_WORDS - 1).is_none()
        {
            return None;
        }
        let fingerprint = article.fingerprint.as_deref()?;
        Some(Self {
            fingerprint: u64::from_str_radix(fingerprint, 16).ok()?,
            language: language_key(article.language.as_deref().unwrap_or_default()),
            first_seen: article.first_seen.as_millisecond(),
        })
    }

    /// The article of this key, now that it has a row and a story.
    pub(crate) fn known(&self, seq: i64, story: Arc<str>) -> Known {
        Known {
            seq,
            fingerprint: self.fingerprint,
            language: self.language,
            first_seen: self.first_seen,
            story,
        }
    }
}

/// The letters of a language without its region, as a number: `de-AT` is `de`.
fn language_key(tag: &str) -> u32 {
    let primary = tag.split(['-', '_']).next().unwrap_or_default();
    primary
        .bytes()
        .take(4)
        .fold(0, |key, byte| key << 8 | u32::from(byte.to_ascii_lowercase()))
}

/// A text to compare others with: hashes of its groups of words, in order.
#[derive(Debug)]
pub(crate) struct Text(Vec<u64>);

impl Text {
    pub(crate) fn new(text: &str) -> Self {
        let end = text
            .char_indices()
            .nth(MAX_CHARS)
            .map_or(text.len(), |(at, _)| at);
        let (counts, _) = text.split_at(end);
        let hashes: Vec<u64> = words(counts).collect();
        let mut groups: Vec<u64> = hashes.windows(GROUP).map(of_group).collect();
        groups.sort_unstable();
        groups.dedup();
        Self(groups)
    }

    /// Tells whether one text is a version of the other.
    pub(crate) fn is_version_of(&self, other: &Text) -> bool {
        let (short, long) = if self.0.len() <= other.0.len() {
            (&self.0, &other.0)
        } else {
            (&other.0, &self.0)
        };
        let mut rest = long.iter().peekable();
        let shared = short.iter().filter(|group| {
            while rest.next_if(|other| other < group).is_some() {}
            rest.peek() == Some(group)
        });
        !short.is_empty() && shared.count() as f64 >= SHARED * short.len() as f64
    }
}

/// Hashes of a text's words, without their case; of scripts without spaces, those of its characters.
fn words(text: &str) -> impl Iterator<Item = u64> {
    let mut letters = text.chars();
    let mut alone = None;
    std::iter::from_fn(move || {
        let mut word = HASHES.build_hasher();
        let mut begun = false;
        for letter in alone.take().into_iter().chain(letters.by_ref()) {
            if unspaced(letter) && letter.is_alphanumeric() {
                if begun {
                    alone = Some(letter);
                    break;
                }
                word.write_u32(u32::from(letter));
                return Some(word.finish());
            }
            if letter.is_ascii_alphanumeric() {
                word.write_u32(u32::from(letter.to_ascii_lowercase()));
                begun = true;
            } else if !letter.is_ascii() && letter.is_alphanumeric() {
                letter
                    .to_lowercase()
                    .for_each(|lower| word.write_u32(u32::from(lower)));
                begun = true;
            } else if begun {
                break;
            }
        }
        begun.then(|| word.finish())
    })
}

/// Hash of the words of a group.
fn of_group(words: &[u64]) -> u64 {
    let mut hasher = HASHES.build_hasher();
    words.iter().for_each(|word| hasher.write_u64(*word));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(seq: i64, fingerprint: u64, hours: i64) -> Known {
        Known {
            seq,
            fingerprint,
            language: language_key("uk"),
            first_seen: hours * 3_600_000,
            story: Arc::from(seq.to_string()),
        }
    }

    fn near(stories: &Stories, fingerprint: u64, language: &str, hours: i64) -> Vec<i64> {
        let key = Key {
            fingerprint,
            language: language_key(language),
            first_seen: hours * 3_600_000,
        };
        stories.near(&key).iter().map(|k| k.seq).collect()
    }

    #[test]
    fn finds_what_is_near_in_bits_language_and_time() {
        let mut stories = Stories::default();
        stories.remember(known(1, 0b111, 0));
        stories.remember(known(2, 0b001, 0));
        stories.remember(known(3, u64::MAX, 0));
        assert_eq!(near(&stories, 0, "uk-UA", 1), [2, 1], "the nearest first");
        assert_eq!(near(&stories, 0, "ru", 1), [] as [i64; 0]);
        assert_eq!(near(&stories, 0, "uk", 72), [2, 1]);
        assert_eq!(near(&stories, 0, "uk", 73), [] as [i64; 0]);
        assert_eq!(
            near(&stories, 0, "uk", -72),
            [2, 1],
            "what is imported may be older"
        );
        let key = Key {
            fingerprint: 0,
            language: language_key("uk"),
            first_seen: 0,
        };
        // The nearest is gone: the next one counts.
        let mut find = |is_version: bool| {
            let told = |seq| -> Result<_, ()> { Ok((seq == 1).then_some(is_version)) };
            stories.find(&key, told).expect("told")
        };
        assert_eq!(find(true).as_deref(), Some("1"));
        assert_eq!(find(false), None);
        assert_eq!(near(&stories, 0, "uk", 1), [1], "what is gone is forgotten");
    }

    #[test]
    fn forgets_what_was_not_committed() {
        let mut stories = Stories::default();
        stories.remember(known(1, 0, 0));
        for seq in [-1, -2, -3] {
            stories.remember(known(seq, 0, 0));
        }
        stories.forget(-2);
        stories.remember(Known {
            language: language_key("en"),
            ..known(-4, 0, 0)
        });
        assert_eq!(near(&stories, 0, "uk", 0).len(), 3);
        stories.forget_uncommitted();
        assert_eq!(near(&stories, 0, "uk", 0), [1]);
        assert_eq!((stories.order.len(), stories.languages.len()), (1, 1));
    }

    #[test]
    fn words_are_taken_one_by_one() {
        let text = "Kyiv's  talks—北京kai ขอ, 1.5 \u{301}x";
        let wanted = ["Kyiv", "s", "talks", "北", "京", "kai", "ข", "อ", "1", "5", "x"];
        let hash = |word: &str| words(word).next().expect("a word");
        assert_eq!(words(text).collect::<Vec<_>>(), wanted.map(hash));
        assert_eq!(
            words("KYIV Україна").collect::<Vec<_>>(),
            ["kyiv", "УКРАЇНА"].map(hash)
        );
        let spaced = crate::text::spaced(text);
        let split: Vec<&str> = spaced
            .split(|c: char| !c.is_alphanumeric())
            .filter(|w| !w.is_empty())
            .collect();
        assert_eq!(split, wanted, "as the full-text index has them");
    }

    #[test]
    fn looks_at_few_and_remembers_not_without_bound() {
        let mut stories = Stories::default();
        (1..10).for_each(|n| stories.remember(known(n, 0, n)));
        assert_eq!(near(&stories, 0, "uk", 0), [9, 8, 7, 6]);
        let other = |n| Known {
            language: language_key("en"),
            ..known(n, 0, 0)
        };
        (0..REMEMBERED as i64).for_each(|n| stories.remember(other(n)));
        assert_eq!(near(&stories, 0, "uk", 0), [] as [i64; 0]);
        assert_eq!((stories.order.len(), stories.languages.len()), (REMEMBERED, 1));
    }

    #[test]
    fn tells_versions_from_other_texts() {
        let sentence = |n: usize| format!("Envoy e{n} met minister m{n} on clause c{n} of treaty t{n}.");
        let text =
            |range: std::ops::Range<usize>| Text::new(&range.map(sentence).collect::<Vec<_>>().join("\n"));
        let whole = text(0..40);
        assert!(text(0..12).is_version_of(&whole), "cut");
        assert!(whole.is_version_of(&text(10..50)), "edited at both ends");
        assert!(!whole.is_version_of(&Text::new("")));
        assert!(!Text::new("").is_version_of(&Text::new("")));
        let other =
            "Rain is expected in the north tomorrow, with strong winds along the coast until the evening.";
        assert!(!whole.is_version_of(&Text::new(other)));
    }
}
