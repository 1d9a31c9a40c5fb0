//! What every sink promises, tested on every sink: one set of cases, one small adapter a sink.

mod cases;
mod places;
pub(crate) mod stories;

use std::collections::BTreeMap;

use telex_model::{ArticleId, Tagged};
use telex_sink::{Fate, Row, Sink, SinkError};

use crate::support::{LOG, Said, minute, rows};
use jiff::{SignedDuration, Timestamp};

/// Where a sink writes to, as the cases see it.
pub(crate) trait Place {
    /// Opens the sink.
    fn open(&self) -> Box<dyn Sink>;

    /// What is there: one entry a stored message, in the order of their storing where the sink keeps every message.
    fn stored(&self) -> Vec<Entry>;

    /// Tells whether the sink keeps every message, or of each article the latest.
    fn keeps_every_message(&self) -> bool;

    /// Of the stored articles that have a story the one that it began with; none where the sink gives no stories.
    fn stories(&self) -> Option<BTreeMap<ArticleId, ArticleId>> {
        None
    }

    /// Text as it is read back.
    fn text(&self, given: &str) -> String {
        given.to_owned()
    }

    /// Has stores fail at their very end, as on a full disk.
    fn break_down(&self);

    /// Has stores succeed again.
    fn mend(&self);
}

/// A stored message: an article, or that it was withdrawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    Article(Box<Tagged>),
    Withdrawn(ArticleId),
}

impl Entry {
    fn id(&self) -> ArticleId {
        match self {
            Entry::Article(article) => article.id,
            Entry::Withdrawn(id) => *id,
        }
    }
}

/// A batch of messages, as the bus would give it.
#[derive(Clone)]
struct Batch {
    log: &'static str,
    partition: u32,
    /// Offset of the first message.
    offset: u64,
    /// When the log was begun; each message is written in the second of its offset.
    begun: Timestamp,
    said: Vec<Said>,
}

impl Batch {
    fn new(offset: u64, said: Vec<Said>) -> Self {
        Self {
            log: LOG,
            partition: 0,
            offset,
            begun: minute(0),
            said,
        }
    }

    fn partition(self, partition: u32) -> Self {
        Self { partition, ..self }
    }

    fn log(self, log: &'static str) -> Self {
        Self { log, ..self }
    }

    /// The same in a log that was begun anew.
    fn begun_anew(self) -> Self {
        Self {
            begun: self.begun + SignedDuration::from_hours(10),
            ..self
        }
    }

    fn try_store(&self, sink: &mut dyn Sink) -> Result<Vec<Fate>, SinkError> {
        rows(
            self.partition,
            self.offset,
            self.begun,
            &self.said,
            |rows: &[Row<'_>]| sink.store(self.log, rows),
        )
    }

    fn store(&self, sink: &mut dyn Sink) -> Vec<Fate> {
        self.try_store(sink).expect("stored")
    }
}

/// Runs every case on one kind of place; where the place cannot be had, the case says so itself.
macro_rules! suite {
    ($sink:ident, $place:path) => {
        mod $sink {
            suite!(@ $place, cases:
                each_message_is_stored_once_over_restarts,
                a_batch_that_overlaps_is_stored_from_where_it_is_new,
                partitions_and_logs_have_positions_of_their_own,
                a_log_begun_anew_loses_nothing,
                an_outdated_revision_does_not_take_the_place_of_a_newer_one,
                what_is_withdrawn_is_gone_and_may_come_back,
                one_batch_may_hold_an_article_many_times,
                hostile_text_comes_back_as_it_was,
                huge_articles_are_stored,
                an_empty_batch_does_nothing,
                a_store_that_fails_changes_nothing,
                any_history_ends_in_the_same_state
            );
        }
    };
    (@ $place:path, $cases:ident: $($case:ident),*) => {
        $(
            #[test]
            fn $case() {
                if let Some(place) = $place() {
                    crate::conformance::$cases::$case(&place);
                }
            }
        )*
    };
}

suite!(sqlite, crate::conformance::places::Sqlite::new);
suite!(json_lines, crate::conformance::places::Lines::new);
suite!(json_lines_rotated, crate::conformance::places::Lines::rotated);
suite!(parquet, crate::conformance::places::Parquet::new);
suite!(postgres, crate::conformance::places::Postgres::new);

macro_rules! stories {
    ($sink:ident, $place:path) => {
        mod $sink {
            suite!(@ $place, stories:
                a_story_is_that_of_the_text_it_was_stored_with,
                stories_are_the_same_in_any_batches,
                stories_are_the_same_in_one_batch
            );
        }
    };
}

stories!(stories_sqlite, crate::conformance::places::Sqlite::new);
stories!(stories_postgres, crate::conformance::places::Postgres::new);
