//! WebSub: what hubs say of feeds, and what is remembered of a subscription.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::FeedId;

/// What a hub said of a feed: stands in `telex.feeds.v1` beside the feed's record, under a key of its own, so that
/// whichever process was called can tell the one that polls the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FeedSignal {
    /// The feed.
    pub feed: FeedId,
    /// When the hub said it.
    pub at: Timestamp,
    /// What it said.
    pub said: Said,
}

/// What a hub says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Said {
    /// The feed has changed: it is to be polled now.
    Ping,
    /// The subscription holds for so long.
    Subscribed {
        /// Seconds from then on.
        lease_seconds: u32,
    },
    /// There is no subscription, or none any more.
    Denied {
        /// The reason that it gave.
        #[serde(default)]
        reason: String,
    },
}

impl FeedSignal {
    /// Key of its record: the last ping and the last decision on the subscription are kept, beside the feed's record.
    pub fn key(&self) -> String {
        let [ping, decision] = Self::keys(self.feed);
        match self.said {
            Said::Ping => ping,
            Said::Subscribed { .. } | Said::Denied { .. } => decision,
        }
    }

    /// Keys of all signals of a feed.
    pub fn keys(feed: FeedId) -> [String; 2] {
        [format!("{feed}/ping"), format!("{feed}/push")]
    }

    /// Tells whether a record of `telex.feeds.v1` is a signal, by its key.
    pub fn is_key(key: &[u8]) -> bool {
        key.contains(&b'/')
    }
}

/// A subscription to a feed's changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subscription {
    /// The hub.
    pub hub: String,
    /// The address under which the hub knows the feed.
    pub topic: String,
    /// When it was last asked for.
    #[serde(default)]
    pub asked_at: Option<Timestamp>,
    /// Requests since the hub last agreed.
    #[serde(default)]
    pub tries: u32,
    /// When the hub last agreed or refused.
    #[serde(default)]
    pub decided_at: Option<Timestamp>,
    /// Until when it holds.
    #[serde(default)]
    pub lease_until: Option<Timestamp>,
    /// When it is to be renewed.
    #[serde(default)]
    pub renew_at: Option<Timestamp>,
    /// Why the hub refused it.
    #[serde(default)]
    pub denied: Option<String>,
    /// When the hub last said that the feed has changed.
    #[serde(default)]
    pub pinged_at: Option<Timestamp>,
    /// A poll found news that the hub had not told of: it is not relied on until it tells of some again.
    #[serde(default)]
    pub silent: bool,
}
