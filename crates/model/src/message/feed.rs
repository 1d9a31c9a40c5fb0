//! Feeds: what to poll, and what the poller remembers.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Subscription;
use crate::FeedId;

/// A feed to poll: value of `telex.feeds.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeedRecord {
    /// Id of the feed, also the record's key.
    pub id: FeedId,
    /// Its address.
    pub url: String,
    /// Its name, as OPML or a user gave it.
    #[serde(default)]
    pub title: Option<String>,
    /// OPML folders and labels of users; every item carries them.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Who put it there.
    pub origin: Origin,
    /// Not polled while true.
    #[serde(default)]
    pub paused: bool,
    /// Fixed seconds between polls; adapts to the feed where absent.
    #[serde(default)]
    pub interval_seconds: Option<u32>,
    /// Sent with every request for it, to its own origin only.
    #[serde(default, skip_serializing_if = "RequestHeaders::is_empty")]
    pub headers: RequestHeaders,
    /// A poll asked for by hand: the feed is due at once if it was polled before this time.
    #[serde(default)]
    pub poll_requested: Option<Timestamp>,
}

/// Request headers by name, such as `Cookie` or an API key. `Debug` shows their names alone.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RequestHeaders(pub BTreeMap<String, String>);

impl RequestHeaders {
    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same names with stars for values.
    #[must_use]
    pub fn hidden(&self) -> Self {
        Self(
            self.0
                .keys()
                .map(|name| (name.clone(), "***".to_owned()))
                .collect(),
        )
    }
}

impl fmt::Debug for RequestHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Who put a feed on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The file of `--feeds`: goes when it leaves the file.
    File,
    /// A command or the API: stays until removed.
    Command,
}

/// How a feed does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FeedHealth {
    /// Not polled yet.
    #[default]
    New,
    /// The last poll gave a feed, or said that nothing changed.
    Healthy,
    /// The last polls failed; it is tried again, more rarely each time.
    Failing,
    /// It failed for so long that it is tried once a day only.
    Dormant,
    /// The server says that it is gone for good (410).
    Gone,
}

impl FeedHealth {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::New, Self::Healthy, Self::Failing, Self::Dormant, Self::Gone];

    /// Its word in JSON, metrics and listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Healthy => "healthy",
            Self::Failing => "failing",
            Self::Dormant => "dormant",
            Self::Gone => "gone",
        }
    }
}

/// What the poller remembers of a feed: value of `telex.feed-state.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeedState {
    /// Id of the feed, also the record's key.
    pub id: FeedId,
    /// ETag of the last answer whose items were published.
    #[serde(default)]
    pub etag: Option<String>,
    /// Last-Modified of that answer.
    #[serde(default)]
    pub last_modified: Option<String>,
    /// When it was last asked for.
    #[serde(default)]
    pub polled_at: Option<Timestamp>,
    /// The request of a user (`poll_requested` of the feed's record) that the last poll served. Which one it was, not
    /// whether it was earlier: clocks differ, and are set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_served: Option<Timestamp>,
    /// The call of its hub that the last poll served, by its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_served: Option<Timestamp>,
    /// When it last gave an answer that could be used.
    #[serde(default)]
    pub succeeded_at: Option<Timestamp>,
    /// When it is due.
    pub next_poll: Timestamp,
    /// Seconds between polls, as adapted so far.
    pub interval_seconds: u32,
    /// How it does.
    #[serde(default)]
    pub health: FeedHealth,
    /// Failures since the last success.
    #[serde(default)]
    pub failures: u32,
    /// The last failure in words.
    #[serde(default)]
    pub last_error: Option<String>,
    /// Title that the feed gives itself.
    #[serde(default)]
    pub title: Option<String>,
    /// Where it is asked for: the address to which it has moved for good. The list keeps its own.
    #[serde(default)]
    pub moved_to: Option<String>,
    /// An address to which it says it has moved, not trusted yet.
    #[serde(default)]
    pub moving: Option<Moving>,
    /// Answers "not modified" since the last whole answer.
    #[serde(default)]
    pub unmodified: u32,
    /// What the publisher asks of pollers.
    #[serde(default)]
    pub asked: Asked,
    /// New items a day, averaged over about a week.
    #[serde(default)]
    pub items_per_day: Option<f32>,
    /// Items that came and went between two polls, estimated, since the feed is known.
    #[serde(default)]
    pub missed: u64,
    /// Items of the last answer, to tell new and changed ones.
    #[serde(default)]
    pub seen: SeenItems,
    /// Where the feed is an index of sitemaps: the sitemaps, by address and date.
    #[serde(default, skip_serializing_if = "SeenItems::is_empty")]
    pub sitemaps: SeenItems,
    /// The subscription to its changes, where it names a hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<Subscription>,
}

/// A permanent redirect seen by a feed's last polls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moving {
    /// Where it leads.
    pub to: String,
    /// Polls in a row that were led there.
    pub polls: u32,
}

/// What a publisher asks of those who poll a feed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// Least seconds between two polls: `ttl`, `sy:updatePeriod`.
    #[serde(default)]
    pub rest_seconds: u32,
    /// Hours (GMT) in which not to poll: bit n is hour n.
    #[serde(default)]
    pub skip_hours: u32,
    /// Days (GMT) on which not to poll: bit n is day n, Monday 0.
    #[serde(default)]
    pub skip_days: u8,
}

/// The items of a feed's last answer: a 48-bit hash of each item's name and of what it says.
///
/// On the wire 12 bytes an item in base64, so 16 bytes an item. Two of 1,000 names fall together once in 500
/// million feeds (n^2 / 2^49).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct SeenItems(Vec<(u64, u64)>);

const LOW_48: u64 = (1 << 48) - 1;

impl SeenItems {
    /// Remembers an item by the hash of its name and of its content.
    pub fn insert(&mut self, name: u64, content: u64) {
        self.0.push((name & LOW_48, content & LOW_48));
    }

    /// Cuts a hash to the bits that are remembered.
    pub fn cut(hash: u64) -> u64 {
        hash & LOW_48
    }

    /// Number of items remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps the last `n` items remembered.
    pub fn keep_last(&mut self, n: usize) {
        self.0.drain(..self.0.len().saturating_sub(n));
    }

    /// Goes through the hashes, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }
}

impl From<SeenItems> for String {
    fn from(seen: SeenItems) -> String {
        let bytes: Vec<u8> = seen
            .0
            .iter()
            .flat_map(|(name, hash)| [name, hash])
            .flat_map(|n| n.to_be_bytes().into_iter().skip(2))
            .collect();
        data_encoding::BASE64.encode(&bytes)
    }
}

impl TryFrom<String> for SeenItems {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = data_encoding::BASE64
            .decode(text.as_bytes())
            .map_err(|e| format!("hashes of seen items: {e}"))?;
        let number = |b: &[u8]| b.iter().fold(0, |n, b| (n << 8) | u64::from(*b));
        let (records, rest) = bytes.as_chunks::<12>();
        if !rest.is_empty() {
            return Err(format!(
                "hashes of seen items: {} bytes are no multiple of 12",
                bytes.len()
            ));
        }
        Ok(Self(
            records
                .iter()
                .map(|r| r.split_at(6))
                .map(|(n, h)| (number(n), number(h)))
                .collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        reason = "a test that cannot write its own value must fail"
    )]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn seen_items_survive_their_text(items: Vec<(u64, u64)>) {
            let mut seen = SeenItems::default();
            items.iter().for_each(|(n, h)| seen.insert(*n, *h));
            let text = serde_json::to_string(&seen).unwrap();
            prop_assert!(text.len() <= 2 + 16 * items.len());
            prop_assert_eq!(serde_json::from_str::<SeenItems>(&text).unwrap(), seen);
        }
    }

    #[test]
    fn seen_items_of_a_wrong_length_are_refused() {
        assert!(serde_json::from_str::<SeenItems>("\"AAAA\"").is_err());
    }
}
