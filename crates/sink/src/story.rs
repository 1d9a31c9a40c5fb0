//! Stories: copies and versions of one text, over sources.
//!
//! An article that is stored is compared with those of its language that were stored before it and seen within three
//! days of it: by fingerprint first, and where that is near, by the texts themselves. What it shares most of its text
//! with gives it its story; without such a one it begins a story of its own, named after it. A link that was given stays, so
//! that nothing moves under a reader.
//!
//! Rejected: fingerprints alone, which among 100,000 articles link one in a hundred to a stranger and miss a version
//! that was cut to its first half; clusters that merge, for what was read as two stories would become one.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use telex_model::{Kind, Tagged};

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

/// Words of a text that count: a book needs not be compared whole.
const MAX_WORDS: usize = 10_000;

/// An article as far as stories are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its row.
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

    /// Forgets an article that was withdrawn.
    pub(crate) fn forget(&mut self, seq: i64) {
        for (language, list) in &mut self.languages {
            if let Some(place) = list.iter().position(|known| known.seq == seq) {
                list.remove(place);
                let place = self.order.iter().position(|l| l == language);
                place.map(|place| self.order.remove(place));
            }
        }
    }

    /// Those whose texts may be versions of that of the article in row `own`, the nearest first; of equals the newest.
    pub(crate) fn near(&self, own: i64, key: &Key) -> Vec<&Known> {
        let Some(list) = self.languages.get(&key.language) else {
            return Vec::new();
        };
        let mut nearest: Vec<(u32, &Known)> = Vec::with_capacity(LOOKED_AT + 1);
        for known in list.iter().rev() {
            let bits = (known.fingerprint ^ key.fingerprint).count_ones();
            let full = nearest.len() == LOOKED_AT && nearest.last().is_some_and(|(most, _)| *most <= bits);
            if bits > NEAR || full || known.seq == own || known.first_seen.abs_diff(key.first_seen) > SPAN {
                continue;
            }
            let place = nearest.partition_point(|(less, _)| *less <= bits);
            nearest.insert(place, (bits, known));
            nearest.truncate(LOOKED_AT);
        }
        nearest.into_iter().map(|(_, known)| known).collect()
    }
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
            || words(&article.text).take(MIN_WORDS).count() < MIN_WORDS
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
}

/// The letters of a language without its region, as a number: `de-AT` is `de`.
fn language_key(tag: &str) -> u32 {
    let primary = tag.split(['-', '_']).next().unwrap_or_default();
    primary
        .bytes()
        .take(4)
        .fold(0, |key, byte| key << 8 | u32::from(byte.to_ascii_lowercase()))
}

/// A text to compare others with.
pub(crate) struct Text(HashSet<u64>);

impl Text {
    pub(crate) fn new(text: &str) -> Self {
        let hashes: Vec<u64> = words(text).take(MAX_WORDS).collect();
        Self(hashes.windows(GROUP).map(hash).collect())
    }

    /// Tells whether one text is a version of the other.
    pub(crate) fn is_version_of(&self, other: &Text) -> bool {
        let (short, long) = if self.0.len() <= other.0.len() {
            (&self.0, &other.0)
        } else {
            (&other.0, &self.0)
        };
        let shared = short.iter().filter(|group| long.contains(group)).count();
        !short.is_empty() && shared as f64 >= SHARED * short.len() as f64
    }
}

/// Hashes of a text's words; of scripts without spaces, of their characters.
fn words(text: &str) -> impl Iterator<Item = u64> {
    let spaced = crate::text::spaced(text).into_owned();
    let all: Vec<u64> = spaced
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(MAX_WORDS)
        .map(|word| hash(word.to_lowercase()))
        .collect();
    all.into_iter()
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
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
        stories.near(0, &key).iter().map(|k| k.seq).collect()
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
    }

    #[test]
    fn looks_at_few_and_remembers_not_without_bound() {
        let mut stories = Stories::default();
        (0..10).for_each(|n| stories.remember(known(n, 0, 0)));
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
