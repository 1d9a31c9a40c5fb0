//! A bus: topics, groups and sessions.

use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;
use telex_model::Topic;

use crate::message::{Message, Output};
use crate::session::{Fatal, Session, SessionConfig};

/// Why something asked of a bus could not be done.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Another process runs on this bus.
    #[error("{0}")]
    InUse(String),
    /// A topic does not exist.
    #[error("there is no topic {0}; run `telex topics apply`")]
    NoTopic(String),
    /// A message is larger than the bus carries.
    #[error("a message of {size} bytes to {topic} exceeds the limit of {limit} bytes")]
    Oversize {
        /// The topic.
        topic: String,
        /// Bytes of key, value and headers.
        size: usize,
        /// What the topic takes.
        limit: usize,
    },
    /// The bus has no more room.
    #[error("{0}")]
    Full(String),
    /// Settings, rights or topics are wrong: trying again without a change cannot help.
    #[error("{what}; {hint}")]
    Config {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The bus is damaged or cannot be used.
    #[error("{what}; {hint}")]
    Unusable {
        /// What failed, and where.
        what: String,
        /// What to do.
        hint: String,
    },
}

impl From<BusError> for Fatal {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Unusable { what, hint } => Fatal::Bus { what, hint },
            BusError::Config { what, hint } => Fatal::Config { what, hint },
            BusError::NoTopic(topic) => Fatal::Bus {
                what: format!("there is no topic {topic}"),
                hint: "run `telex topics apply`".to_owned(),
            },
            other => Fatal::Bus {
                what: other.to_string(),
                hint: "see the log".to_owned(),
            },
        }
    }
}

/// First and next offset of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The partition.
    pub partition: u32,
    /// Offset of the first record kept.
    pub first: u64,
    /// Offset that the next record gets.
    pub end: u64,
}

/// Where a group is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// At the first record kept.
    Earliest,
    /// Behind the last record.
    Latest,
    /// At this offset in every partition.
    Offset(u64),
    /// At the first record written at that time or later.
    Timestamp(Timestamp),
}

/// Topics, groups and sessions on them.
pub trait Bus: Send + Sync + Debug {
    /// Makes topics that do not exist yet; `prefix` is the first word of their names.
    ///
    /// # Errors
    /// Where the bus cannot be used.
    fn create_topics(&self, prefix: &str, topics: &[Topic]) -> Result<(), BusError>;

    /// Opens a session.
    ///
    /// # Errors
    /// Where the topic does not exist or the bus cannot be used.
    fn session(&self, config: SessionConfig) -> Result<Box<dyn Session>, BusError>;

    /// Writes records that no input led to, all or none.
    ///
    /// # Errors
    /// Where a topic does not exist, a record is too large, or the bus cannot be used.
    fn append(&self, outputs: Vec<Output>) -> Result<(), BusError>;

    /// Reads committed records of a partition from an offset on, at most `limit`.
    ///
    /// # Errors
    /// Where the topic does not exist or the bus cannot be used.
    fn read(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, BusError>;

    /// Gives first and next offset of every partition of a topic.
    ///
    /// # Errors
    /// Where the topic does not exist or the bus cannot be used.
    fn ends(&self, topic: &str) -> Result<Vec<Ends>, BusError>;

    /// Gives the committed offsets of a group on a topic; partitions without a commit are left out.
    ///
    /// # Errors
    /// Where the topic does not exist or the bus cannot be used.
    fn committed(&self, group: &str, topic: &str) -> Result<Vec<(u32, u64)>, BusError>;

    /// Moves a group that is not at work.
    ///
    /// # Errors
    /// Where the topic does not exist, the group is at work, or the bus cannot be used.
    fn reset(&self, group: &str, topic: &str, to: Reset) -> Result<(), BusError>;

    /// Lists the topics that exist, by full name.
    ///
    /// # Errors
    /// Where the bus cannot be used.
    fn topics(&self) -> Result<Vec<String>, BusError>;
}

/// Reads every committed record of a topic that is kept now, partition by partition.
///
/// # Errors
/// As of [`Bus::read`].
pub fn read_all(bus: &dyn Bus, topic: &str, each: &mut dyn FnMut(Arc<Message>)) -> Result<(), BusError> {
    for ends in bus.ends(topic)? {
        let mut from = ends.first;
        while from < ends.end {
            let messages = bus.read(topic, ends.partition, from, 500)?;
            let Some(last) = messages.last() else { break };
            from = last.next;
            messages.into_iter().for_each(&mut *each);
        }
    }
    Ok(())
}
