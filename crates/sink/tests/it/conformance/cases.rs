//! The cases.

use std::collections::BTreeMap;

use telex_model::{ArticleId, Tagged};
use telex_sink::{Fate, Sink};

use super::{Batch, Entry, Place};
use crate::support::{Said, article, put, tag};

use Fate::{AlreadyStored, Outdated, Stored};

/// The articles that a reader finds: of those messages that are there, the last of each.
fn current(place: &dyn Place) -> BTreeMap<ArticleId, Tagged> {
    let mut found = BTreeMap::new();
    for entry in place.stored() {
        let id = entry.id();
        let before = match entry {
            Entry::Article(article) => found.insert(id, *article),
            Entry::Withdrawn(_) => found.remove(&id),
        };
        assert!(
            before.is_none() || place.keeps_every_message(),
            "{id} is there twice"
        );
    }
    found
}

#[track_caller]
fn holds(place: &dyn Place, articles: &[&Tagged]) {
    let wanted: BTreeMap<ArticleId, Tagged> = articles.iter().map(|a| (a.id, (*a).clone())).collect();
    let found = current(place);
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        wanted.keys().collect::<Vec<_>>()
    );
    assert_eq!(found, wanted);
}

/// The article's next revision.
fn revised(article: &Tagged, revision: u32, text: &str) -> Tagged {
    Tagged {
        revision,
        text: text.to_owned(),
        ..article.clone()
    }
}

/// What a sink answers to a revision that is no news.
fn outdated(place: &dyn Place) -> Fate {
    if place.keeps_every_message() {
        Stored
    } else {
        Outdated
    }
}

pub(crate) fn each_message_is_stored_once_over_restarts(place: &dyn Place) {
    let (mut a, b) = (article(1), article(2));
    a.tags = vec![tag("nato", 0.9), tag("ukraine", 0.25)];
    let batch = Batch::new(0, vec![put(&a), put(&b)]);
    let mut sink = place.open();
    assert_eq!(batch.store(&mut *sink), [Stored; 2]);
    assert_eq!(batch.store(&mut *sink), [AlreadyStored; 2]);
    drop(sink);
    assert_eq!(batch.store(&mut *place.open()), [AlreadyStored; 2]);
    assert_eq!(place.stored().len(), 2);
    holds(place, &[&a, &b]);
}

pub(crate) fn a_batch_that_overlaps_is_stored_from_where_it_is_new(place: &dyn Place) {
    let [a, b, c] = [1, 2, 3].map(article);
    let mut sink = place.open();
    Batch::new(0, vec![put(&a), Said::Retract(a.id)]).store(&mut *sink);
    let longer = Batch::new(0, vec![put(&a), Said::Retract(a.id), put(&b)]);
    assert_eq!(longer.store(&mut *sink), [AlreadyStored, AlreadyStored, Stored]);
    // From the middle, and with a gap: offsets of a topic have some.
    assert_eq!(
        Batch::new(2, vec![put(&b), put(&c)]).store(&mut *sink),
        [AlreadyStored, Stored]
    );
    assert_eq!(Batch::new(9, vec![put(&a)]).store(&mut *sink), [Stored]);
    assert_eq!(Batch::new(5, vec![put(&a)]).store(&mut *sink), [AlreadyStored]);
    holds(place, &[&a, &b, &c]);
}

pub(crate) fn partitions_and_logs_have_positions_of_their_own(place: &dyn Place) {
    let [a, b, c, d] = [1, 2, 3, 4].map(article);
    let first = Batch::new(0, vec![put(&a)]);
    let second = Batch::new(0, vec![put(&b)]).partition(7);
    let elsewhere = Batch::new(0, vec![put(&c)]).log("kafka-x/telex.tagged.v1");
    let mut sink = place.open();
    for batch in [&first, &second, &elsewhere] {
        assert_eq!(batch.store(&mut *sink), [Stored]);
    }
    drop(sink);
    let mut sink = place.open();
    for batch in [&first, &second, &elsewhere] {
        assert_eq!(batch.store(&mut *sink), [AlreadyStored]);
    }
    let further = Batch::new(1, vec![put(&d)]).partition(7);
    assert_eq!(further.store(&mut *sink), [Stored]);
    holds(place, &[&a, &b, &c, &d]);
}

pub(crate) fn a_log_begun_anew_loses_nothing(place: &dyn Place) {
    let third = revised(&article(1), 3, "Once more.");
    let (a, b) = (article(1), article(7));
    let mut sink = place.open();
    Batch::new(0, vec![put(&article(5)), put(&article(6)), put(&third)]).store(&mut *sink);
    let batch = Batch::new(0, vec![put(&a), put(&b)]).begun_anew();
    assert_eq!(
        batch.store(&mut *sink),
        [Stored; 2],
        "offsets and revisions count from the beginning again"
    );
    assert_eq!(batch.store(&mut *place_again(place, sink)), [AlreadyStored; 2]);
    holds(place, &[&article(5), &article(6), &a, &b]);
}

fn place_again(place: &dyn Place, sink: Box<dyn Sink>) -> Box<dyn Sink> {
    drop(sink);
    place.open()
}

pub(crate) fn an_outdated_revision_does_not_take_the_place_of_a_newer_one(place: &dyn Place) {
    let a = article(1);
    let second = revised(&a, 2, "A correction was printed.");
    let retagged = Tagged {
        tags: vec![tag("ukraine", 0.7)],
        topics_version: "0b".to_owned(),
        ..second.clone()
    };
    let mut sink = place.open();
    let batch = Batch::new(0, vec![put(&a), put(&second)]);
    assert_eq!(batch.store(&mut *sink), [Stored; 2]);
    assert_eq!(Batch::new(2, vec![put(&a)]).store(&mut *sink), [outdated(place)]);
    assert_eq!(
        Batch::new(3, vec![put(&retagged), put(&a)]).store(&mut *sink),
        [Stored, outdated(place)],
        "the same revision, tagged anew, is news"
    );
    if !place.keeps_every_message() {
        holds(place, &[&retagged]);
    }
}

pub(crate) fn what_is_withdrawn_is_gone_and_may_come_back(place: &dyn Place) {
    let mut a = article(1);
    a.tags = vec![tag("nato", 0.8)];
    let b = article(2);
    let mut sink = place.open();
    Batch::new(0, vec![put(&a), put(&b)]).store(&mut *sink);
    let gone = Batch::new(2, vec![Said::Retract(a.id), Said::Retract(article(9).id)]);
    assert_eq!(gone.store(&mut *sink), [Stored; 2]);
    holds(place, &[&b]);
    assert_eq!(Batch::new(4, vec![put(&a)]).store(&mut *sink), [Stored]);
    holds(place, &[&a, &b]);
}

pub(crate) fn one_batch_may_hold_an_article_many_times(place: &dyn Place) {
    let (a, b, c) = (article(1), article(2), article(3));
    let second = revised(&a, 2, "The second.");
    let again = revised(&b, 1, "Come back.");
    let said = vec![
        put(&a),
        put(&second),
        put(&b),
        Said::Retract(b.id),
        put(&again),
        put(&c),
        Said::Retract(c.id),
    ];
    let mut sink = place.open();
    assert_eq!(Batch::new(0, said.clone()).store(&mut *sink), [Stored; 7]);
    holds(place, &[&second, &again]);
    let fates = Batch::new(7, vec![put(&a), put(&c), Said::Retract(second.id)]).store(&mut *sink);
    assert_eq!(fates, [outdated(place), Stored, Stored]);
    holds(place, &[&again, &c]);
}

pub(crate) fn hostile_text_comes_back_as_it_was(place: &dyn Place) {
    let texts = [
        "a\0b",
        "\0",
        "\\u0000 \\0 \\\\N \\.",
        "\u{1}\u{8}\u{b}\u{1f}\u{7f}\u{85}\u{2028}\u{feff}\u{fffe}\u{10ffff}",
        "'; DROP TABLE article; -- $1 ?1 %s {} \t\r\n\"",
        "\u{202e}\u{200d}\u{e000}👩‍👩‍👧 北京 ขอบคุณ",
        "",
    ];
    let mut wanted = Vec::new();
    let mut said = Vec::new();
    for (n, text) in (0..).zip(texts) {
        let mut given = article(n);
        given.title = text.to_owned();
        given.text = text.repeat(3);
        given.authors = vec![text.to_owned(), "{\"a\",NULL}".to_owned()];
        given.language = Some(text.to_owned());
        given.url = text.to_owned();
        given.lead_image = Some(text.to_owned());
        given.source.domain = text.to_owned();
        given.source.feed_url = text.to_owned();
        given.tags = vec![tag(text, 0.5), tag(text, 0.75)];
        said.push(put(&given));
        let mut back = given;
        back.title = place.text(text);
        back.text = place.text(&back.text);
        back.authors.iter_mut().for_each(|a| *a = place.text(a));
        back.language = Some(place.text(text));
        back.url = place.text(text);
        back.lead_image = Some(place.text(text));
        back.source.domain = place.text(text);
        back.source.feed_url = place.text(text);
        back.tags.iter_mut().for_each(|t| t.topic = place.text(text));
        wanted.push(back);
    }
    // The ends of time.
    for (n, time) in (100..).zip([jiff::Timestamp::MIN, jiff::Timestamp::MAX]) {
        let mut given = article(n);
        given.published = Some(time);
        given.modified = Some(time);
        said.push(put(&given));
        wanted.push(given);
    }
    let fates = Batch::new(0, said).store(&mut *place.open());
    assert!(fates.iter().all(|f| *f == Stored));
    holds(place, &wanted.iter().collect::<Vec<_>>());
}

pub(crate) fn huge_articles_are_stored(place: &dyn Place) {
    let mut one_word = article(1);
    one_word.text = "a".repeat(3 << 20);
    // Each word another one, of letters that take four bytes: what a full-text index likes least.
    let mut words = article(2);
    let letter = |n: u32| char::from_u32(0x10400 + n % 40).unwrap_or('x');
    words.text = (0..200_000_u32)
        .flat_map(|n| {
            [
                letter(n),
                letter(n / 40),
                letter(n / 1600),
                letter(n / 64_000),
                ' ',
            ]
        })
        .collect();
    words.title = words.text.chars().take(100_000).collect();
    let batch = Batch::new(0, vec![put(&one_word), put(&words), put(&article(3))]);
    assert_eq!(batch.store(&mut *place.open()), [Stored; 3]);
    holds(place, &[&one_word, &words, &article(3)]);
}

pub(crate) fn an_empty_batch_does_nothing(place: &dyn Place) {
    let mut sink = place.open();
    let nothing = Batch::new(0, Vec::new());
    assert_eq!(nothing.store(&mut *sink), []);
    holds(place, &[]);
    let batch = Batch::new(0, vec![put(&article(1))]);
    assert_eq!(batch.store(&mut *sink), [Stored]);
    assert_eq!(nothing.store(&mut *place_again(place, sink)), []);
    holds(place, &[&article(1)]);
}

pub(crate) fn a_store_that_fails_changes_nothing(place: &dyn Place) {
    let a = article(1);
    let newer = revised(&a, 2, "Corrected.");
    let mut sink = place.open();
    Batch::new(0, vec![put(&a)]).store(&mut *sink);
    place.break_down();
    let batch = Batch::new(
        1,
        vec![put(&article(2)), put(&newer), Said::Retract(a.id), put(&newer)],
    );
    batch.try_store(&mut *sink).expect_err("it fails");
    batch.try_store(&mut *sink).expect_err("it fails again");
    let mut sink = if place.keeps_every_message() {
        // What was appended in vain is cut off when the sink opens, or at the next store.
        place.mend();
        place_again(place, sink)
    } else {
        holds(place, &[&a]);
        place.mend();
        sink
    };
    holds(place, &[&a]);
    assert_eq!(
        batch.store(&mut *sink),
        [Stored; 4],
        "once mended, the same batch goes through"
    );
    assert_eq!(batch.store(&mut *sink), [AlreadyStored; 4]);
    holds(place, &[&article(2), &newer]);
}

/// Pseudo-random numbers of xorshift64.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Random articles, revisions and retractions in two partitions, in batches that repeat and restart at random, must end
/// in the state that storing each message once would have made.
pub(crate) fn any_history_ends_in_the_same_state(place: &dyn Place) {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut logs: [Vec<Said>; 2] = [Vec::new(), Vec::new()];
    let mut revisions: BTreeMap<u32, u32> = BTreeMap::new();
    for _ in 0..200 {
        let n = numbers.below(24) as u32;
        let said = if numbers.below(5) == 0 {
            Said::Retract(article(n).id)
        } else {
            let revision = revisions.entry(n).or_default();
            *revision += 1;
            put(&revised(&article(n), *revision, &format!("Text {revision}.")))
        };
        // All messages of an article are in one partition.
        logs[(n % 2) as usize].push(said);
    }
    let mut sink = place.open();
    let mut next = [0_usize; 2];
    while next.iter().zip(&logs).any(|(next, log)| *next < log.len()) {
        let partition = numbers.below(2) as usize;
        let (log, next) = (&logs[partition], &mut next[partition]);
        let from = next.saturating_sub(numbers.below(8) as usize);
        let to = (*next + numbers.below(9) as usize).min(log.len());
        let batch = Batch::new(from as u64, log[from..to].to_vec()).partition(partition as u32);
        let fates = batch.store(&mut *sink);
        let fresh = fates.iter().filter(|f| **f != AlreadyStored).count();
        assert_eq!(fresh, to - *next);
        *next = to;
        if numbers.below(6) == 0 {
            sink = place_again(place, sink);
        }
    }
    let mut wanted = BTreeMap::new();
    for said in logs.iter().flatten() {
        match said {
            Said::Put(article) => wanted.insert(article.id, article.clone()),
            Said::Retract(id) => wanted.remove(id),
        };
    }
    holds(place, &wanted.values().map(AsRef::as_ref).collect::<Vec<_>>());
    if place.keeps_every_message() {
        assert_eq!(place.stored().len(), 200);
    }
}
