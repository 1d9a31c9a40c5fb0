//! Stories, which are those of the SQLite sink that stores one message after the other.

use std::collections::BTreeMap;

use telex_model::{ArticleId, Kind, Tagged};
use telex_sink::Fate;

use super::cases::Numbers;
use super::places::Sqlite;
use super::{Batch, Place};
use crate::support::{Said, article, put};

/// Sentences of a report, in words that no other report has.
fn sentences(report: u32) -> Vec<String> {
    let word = |n: u32| -> String {
        let mut rest = (report * 1_000 + n).wrapping_mul(2_654_435_761) >> 8;
        let mut word = String::new();
        while rest > 0 {
            let syllable = ["ka", "to", "mi", "re", "ni", "sol", "an", "ve"];
            word.push_str(syllable[(rest % 8) as usize]);
            rest /= 8;
        }
        word
    };
    (0..9)
        .map(|s| (0..12).map(|n| word(s * 12 + n)).collect::<Vec<_>>().join(" ") + ".")
        .collect()
}

/// An article with a text and its fingerprint.
fn with_text(n: u32, text: String) -> Tagged {
    with_text_of(&article(n), text)
}

fn with_text_of(article: &Tagged, text: String) -> Tagged {
    Tagged {
        fingerprint: telex_cleaner::fingerprint(&text),
        text,
        ..article.clone()
    }
}

/// A version of a report: whole, or with a sentence left out or put in.
fn version(numbers: &mut Numbers, n: u32) -> Tagged {
    let mut text = sentences(numbers.below(5) as u32);
    match numbers.below(3) {
        0 => drop(text.remove(numbers.below(9) as usize)),
        1 => text.push(format!("Reporting by desk {}.", numbers.below(3))),
        _ => {}
    }
    with_text(n, text.join("\n"))
}

/// Messages in one partition: versions, revisions that may be of another report, what is not compared, what is
/// withdrawn.
pub(crate) fn history() -> Vec<Said> {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let mut revisions: BTreeMap<u32, u32> = BTreeMap::new();
    let mut said = Vec::new();
    for _ in 0..160 {
        let n = numbers.below(40) as u32;
        if numbers.below(7) == 0 {
            said.push(Said::Retract(article(n).id));
            continue;
        }
        let revision = revisions.entry(n).or_default();
        // Now and then one that is outdated.
        *revision = (*revision + 1)
            .saturating_sub(2 * u32::from(numbers.below(9) == 0))
            .max(1);
        let mut a = match numbers.below(8) {
            0 => with_text(n, "Read the whole story with a subscription.".to_owned()),
            1 => Tagged {
                kind: Kind::Paywall,
                ..version(&mut numbers, n)
            },
            _ => version(&mut numbers, n),
        };
        a.revision = *revision;
        said.push(put(&a));
    }
    said
}

/// The stories that the SQLite sink gives to messages that come one by one.
fn told_one_by_one(history: &[Said]) -> BTreeMap<ArticleId, ArticleId> {
    let place = Sqlite::new().expect("a place");
    let mut sink = place.open();
    for (offset, said) in (0..).zip(history) {
        Batch::new(offset, vec![said.clone()]).store(&mut *sink);
    }
    let stories = place.stories().expect("stories");
    let mut sizes: BTreeMap<ArticleId, usize> = BTreeMap::new();
    stories
        .values()
        .for_each(|story| *sizes.entry(*story).or_default() += 1);
    assert!(sizes.values().filter(|n| **n > 2).count() > 3, "{sizes:?}");
    stories
}

pub(crate) fn stories_are_the_same_in_any_batches(place: &dyn Place) {
    let history = history();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut sink = place.open();
    let mut next = 0;
    while next < history.len() {
        let from = next - (numbers.below(4) as usize).min(next);
        let to = (next + numbers.below(20) as usize).min(history.len());
        let batch = Batch::new(from as u64, history[from..to].to_vec());
        batch.store(&mut *sink);
        next = to;
        if numbers.below(5) == 0 {
            drop(sink);
            sink = place.open();
        }
    }
    assert_eq!(place.stories().expect("stories"), told_one_by_one(&history));
}

pub(crate) fn stories_are_the_same_in_one_batch(place: &dyn Place) {
    let history = history();
    Batch::new(0, history.clone()).store(&mut *place.open());
    assert_eq!(place.stories().expect("stories"), told_one_by_one(&history));
}

pub(crate) fn a_story_is_that_of_the_text_it_was_stored_with(place: &dyn Place) {
    let text = |report| sentences(report).join("\n");
    let [a, b, c] = [1, 2, 3].map(|n| with_text(n, text(0)));
    let revised = |of: &Tagged, text: String| Tagged {
        revision: 2,
        ..with_text_of(of, text)
    };
    let mut sink = place.open();
    let mut offset = 0;
    let mut store = |said: Vec<Said>| {
        let count = said.len() as u64;
        let fates = Batch::new(offset, said).store(&mut *sink);
        assert!(fates.iter().all(|f| *f == Fate::Stored));
        offset += count;
        place.stories().expect("stories")
    };
    let told = store(vec![put(&a), put(&b)]);
    assert_eq!(told[&b.id], a.id);
    let told = store(vec![put(&revised(&b, text(1))), put(&c)]);
    assert_eq!(
        (told[&b.id], told[&c.id]),
        (a.id, a.id),
        "what a reader saw together stays so"
    );
    let told = store(vec![put(&revised(&c, "Gone.".to_owned()))]);
    assert_eq!(told[&c.id], a.id, "also where nothing is left to compare");
    let told = store(vec![Said::Retract(a.id)]);
    assert_eq!(told.len(), 2);
    assert_eq!(told[&b.id], a.id, "the story outlives its first article");
    let fifth = with_text(5, text(1));
    let told = store(vec![put(&fifth)]);
    assert_eq!(told[&fifth.id], a.id);
}
