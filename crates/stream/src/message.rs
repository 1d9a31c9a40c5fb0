//! What travels on a bus.

use bytes::Bytes;
use jiff::Timestamp;
use telex_model::event::Headers;
use telex_model::partition_for;

/// A record read from a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Partition that it was read from.
    pub partition: u32,
    /// Its place in the partition.
    pub offset: u64,
    /// Offset to commit once it is processed. Opaque: not always `offset + 1`.
    pub next: u64,
    /// When it was written.
    pub timestamp: Timestamp,
    /// Its key.
    pub key: Bytes,
    /// Its value; none is a retraction.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Headers,
}

/// How the partition of a record is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Route {
    /// By the hash of its key.
    #[default]
    Key,
    /// By the hash of these bytes, as with items, which are spread by domain.
    By(Bytes),
    /// This one: for records that go back to where they were.
    Partition(u32),
}

/// A record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Full name of the topic.
    pub topic: String,
    /// Its key.
    pub key: Bytes,
    /// How its partition is found.
    pub route: Route,
    /// Its value; none is a retraction.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Headers,
}

impl Message {
    /// Bytes of key, value and headers, the measure of all limits.
    pub fn size(&self) -> usize {
        size(&self.key, self.value.as_ref(), &self.headers)
    }
}

impl Output {
    /// Bytes of key, value and headers, the measure of all limits.
    pub fn size(&self) -> usize {
        size(&self.key, self.value.as_ref(), &self.headers)
    }

    /// Finds the partition of a topic of so many.
    pub fn partition(&self, partitions: u32) -> u32 {
        match &self.route {
            Route::Key => partition_for(&self.key, partitions),
            Route::By(key) => partition_for(key, partitions),
            Route::Partition(partition) => *partition % partitions.max(1),
        }
    }
}

fn size(key: &Bytes, value: Option<&Bytes>, headers: &Headers) -> usize {
    key.len() + value.map_or(0, Bytes::len) + headers.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>()
}
