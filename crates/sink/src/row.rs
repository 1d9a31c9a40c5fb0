//! What a sink is given and what it promises.

use std::fmt::Debug;

use jiff::Timestamp;
use telex_model::{ArticleId, Tagged};

use crate::error::SinkError;

/// One message of the tagged topic, parsed.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Partition that it was read from.
    pub partition: u32,
    /// Its place in the partition.
    pub offset: u64,
    /// Offset that follows it; not always `offset + 1`.
    pub next: u64,
    /// When it was written to the bus.
    pub timestamp: Timestamp,
    /// What it says.
    pub change: Change<'a>,
}

impl Row<'_> {
    /// Of which article it is.
    pub(crate) fn id(&self) -> ArticleId {
        match self.change {
            Change::Put { article, .. } => article.id,
            Change::Retract(id) => id,
        }
    }
}

/// What a message says of an article.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// The article is now this.
    Put {
        /// The article.
        article: &'a Tagged,
        /// The message's value as it came, with fields that this program may not know.
        json: &'a str,
    },
    /// The article is withdrawn.
    Retract(ArticleId),
}

/// What a sink did with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is stored, or what it withdraws is gone.
    Stored,
    /// It had been stored with an earlier batch.
    AlreadyStored,
    /// A newer revision of the article is stored, so it was left out.
    Outdated,
}

/// A place where tagged articles are kept.
pub trait Sink: Debug + Send {
    /// Stores rows and the positions behind them, all or none, and durably; gives one fate a row, in order.
    ///
    /// `log` names the log that the offsets count in: bus and topic. Rows of a partition come in the order of
    /// their offsets; rows before the position stored for their partition are left out.
    ///
    /// # Errors
    /// Where the rows could not be stored; nothing of them is then, and the same call may be made again.
    fn store(&mut self, log: &str, rows: &[Row<'_>]) -> Result<Vec<Fate>, SinkError>;

    /// Completes what a sink keeps open for more to come, at the end of a run; what is stored stays so without it.
    ///
    /// # Errors
    /// Where that could not be done; opening the sink again does it then.
    fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}
