//! How far a partition is stored.

use serde::{Deserialize, Serialize};

use crate::row::Row;

/// What a sink remembers of a partition.
///
/// Offsets alone would not do: when the bus is begun anew (its file deleted, its topic made again) they start at 0,
/// and everything up to the old position would be taken for stored and lost. No message below the position can be
/// newer than all that were stored, so one that is newer belongs to another log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Offset of the next message to store.
    pub(crate) next: u64,
    /// When the newest stored message was written, in milliseconds since 1970.
    pub(crate) newest: i64,
    /// Counts how often the log was begun anew.
    pub(crate) generation: u32,
}

impl Position {
    /// Where a partition begins of which nothing is stored.
    pub(crate) const START: Position = Position {
        next: 0,
        newest: i64::MIN,
        generation: 0,
    };

    /// Moves behind a row; tells whether the row is still to be stored.
    pub(crate) fn advance(&mut self, row: &Row<'_>) -> bool {
        let written = row.timestamp.as_millisecond();
        if row.offset < self.next {
            if written <= self.newest {
                return false;
            }
            self.generation = self.generation.saturating_add(1);
            tracing::warn!(
                partition = row.partition,
                offset = row.offset,
                expected = self.next,
                "the topic was begun anew; its messages are stored from here on"
            );
        }
        self.next = row.next;
        self.newest = self.newest.max(written);
        true
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use telex_model::ArticleId;

    use super::*;
    use crate::row::Change;

    fn row(offset: u64, second: i64) -> Row<'static> {
        Row {
            partition: 0,
            offset,
            next: offset + 1,
            timestamp: Timestamp::from_second(second).unwrap_or_default(),
            change: Change::Retract(ArticleId::of_link(
                &"https://example.org/".parse().expect("a URL"),
            )),
        }
    }

    #[test]
    fn leaves_out_what_comes_again_and_takes_a_new_log() {
        let mut position = Position::START;
        // Clocks of several writers: times need not rise with the offsets.
        let first: Vec<bool> = [(0, 10), (1, 12), (4, 11)]
            .map(|(o, s)| position.advance(&row(o, s)))
            .into();
        assert_eq!(first, [true; 3], "gaps are no obstacle");
        let again: Vec<bool> = [(0, 10), (1, 12), (4, 11)]
            .map(|(o, s)| position.advance(&row(o, s)))
            .into();
        assert_eq!(again, [false; 3]);
        assert!(
            position.advance(&row(5, 9)),
            "an offset not seen yet is new, whatever its time"
        );
        assert_eq!(position.generation, 0);
        assert!(position.advance(&row(0, 20)), "a log begun anew");
        assert_eq!((position.next, position.generation), (1, 1));
        assert!(position.advance(&row(1, 20)));
        assert!(!position.advance(&row(0, 20)));
    }
}
