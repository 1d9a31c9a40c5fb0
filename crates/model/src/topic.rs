//! The topic table: every topic, how it is kept and how its records are spread over partitions.
//!
//! One table for all buses: `telex topics apply` makes it true on Kafka, the embedded bus takes it as it is.

use std::fmt;
use std::time::Duration;

/// Partitions of every topic. Frozen for keyed topics: another number would move every domain to another owner.
pub const PARTITIONS: u32 = 12;

/// Largest message, key and headers included: 8 MiB on every bus, so that a message that one accepts passes all.
/// A page of 4 MiB fits with all its JSON escapes but in pathological cases, which become dead letters.
pub const MAX_MESSAGE_BYTES: usize = 8 << 20;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The stages of the pipeline in the order of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Feeds to items.
    Poller,
    /// Items to pages.
    Fetcher,
    /// Pages to articles.
    Cleaner,
    /// Articles to tagged articles.
    Classifier,
    /// Tagged articles to where they are read.
    Sink,
}

impl Stage {
    /// All stages in the order of the flow.
    pub const ALL: [Stage; 5] = [
        Stage::Poller,
        Stage::Fetcher,
        Stage::Cleaner,
        Stage::Classifier,
        Stage::Sink,
    ];

    /// Name in commands, metrics, groups and topics.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Poller => "poller",
            Stage::Fetcher => "fetcher",
            Stage::Cleaner => "cleaner",
            Stage::Classifier => "classifier",
            Stage::Sink => "sink",
        }
    }

    /// The topic that the stage reads.
    pub fn input(self) -> Topic {
        match self {
            Stage::Poller => Topic::Feeds,
            Stage::Fetcher => Topic::Items,
            Stage::Cleaner => Topic::Pages,
            Stage::Classifier => Topic::Articles,
            Stage::Sink => Topic::Tagged,
        }
    }

    /// The topic that holds what the stage remembers.
    pub fn state(self) -> Option<Topic> {
        match self {
            Stage::Poller => Some(Topic::FeedState),
            Stage::Fetcher => Some(Topic::Frontier),
            Stage::Cleaner | Stage::Classifier | Stage::Sink => None,
        }
    }

    /// Tells whether the stage's memory is its input as well.
    pub fn restores_input(self) -> bool {
        self == Stage::Poller
    }

    /// The topics that the stage writes its results to, but for those of tags, state and dead letters.
    pub fn outputs(self) -> Vec<Topic> {
        match self {
            Stage::Poller => vec![Topic::Items],
            Stage::Fetcher => vec![Topic::Pages],
            Stage::Cleaner => vec![Topic::Articles],
            Stage::Classifier => vec![Topic::Tagged, Topic::Canary],
            Stage::Sink => Vec::new(),
        }
    }

    /// All topics that the stage reads or writes, but for those of tags.
    pub fn topics(self) -> Vec<Topic> {
        let mut all = vec![self.input()];
        all.extend(self.state());
        all.extend(self.outputs());
        if self == Stage::Sink {
            all.push(Topic::Canary);
        }
        all.push(Topic::DeadLetters(self));
        all
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A topic of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// What to poll.
    Feeds,
    /// What the poller remembers, co-partitioned with [`Topic::Feeds`].
    FeedState,
    /// New and changed feed items.
    Items,
    /// What the fetcher knows, co-partitioned with [`Topic::Items`].
    Frontier,
    /// Items with their pages.
    Pages,
    /// Clean articles.
    Articles,
    /// All articles with their tags.
    Tagged,
    /// The articles of one tag.
    TaggedWith(String),
    /// Canaries at the end of their way.
    Canary,
    /// What a stage could not process.
    DeadLetters(Stage),
}

/// A name that cannot be part of a topic's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name for a tag: lower-case letters, digits and hyphens, at most 64, a letter first")]
pub struct InvalidTagError(String);

/// How a topic is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// Only the newest record of each key is kept.
    Compact,
    /// Records are kept for this long.
    Delete(Duration),
}

/// How a topic is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Number of partitions.
    pub partitions: u32,
    /// How long records are kept.
    pub cleanup: Cleanup,
    /// Largest message in bytes.
    pub max_message_bytes: usize,
}

impl Topic {
    /// All topics that do not depend on the topic files.
    pub fn fixed() -> Vec<Topic> {
        let mut all = vec![
            Topic::Feeds,
            Topic::FeedState,
            Topic::Items,
            Topic::Frontier,
            Topic::Pages,
            Topic::Articles,
            Topic::Tagged,
            Topic::Canary,
        ];
        all.extend(Stage::ALL.map(Topic::DeadLetters));
        all
    }

    /// The topic of one tag.
    ///
    /// # Errors
    /// Where the name could not stand in a topic's name.
    pub fn tagged_with(tag: &str) -> Result<Topic, InvalidTagError> {
        let fine = tag.len() <= 64
            && tag.starts_with(|c: char| c.is_ascii_lowercase())
            && tag
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fine {
            Ok(Topic::TaggedWith(tag.to_owned()))
        } else {
            Err(InvalidTagError(tag.chars().take(80).collect()))
        }
    }

    /// Name on the bus; `prefix` is `telex` unless several installations share a broker.
    pub fn name(&self, prefix: &str) -> String {
        match self {
            Topic::Feeds => format!("{prefix}.feeds.v1"),
            Topic::FeedState => format!("{prefix}.feed-state.v1"),
            Topic::Items => format!("{prefix}.items.v1"),
            Topic::Frontier => format!("{prefix}.frontier.v1"),
            Topic::Pages => format!("{prefix}.pages.v1"),
            Topic::Articles => format!("{prefix}.articles.v1"),
            Topic::Tagged => format!("{prefix}.tagged.v1"),
            Topic::TaggedWith(tag) => format!("{prefix}.tagged.{tag}.v1"),
            Topic::Canary => format!("{prefix}.canary.v1"),
            Topic::DeadLetters(stage) => format!("{prefix}.dead-letters.{stage}.v1"),
        }
    }

    /// How the topic is made.
    pub fn spec(&self) -> TopicSpec {
        let cleanup = match self {
            Topic::Feeds | Topic::FeedState | Topic::Frontier => Cleanup::Compact,
            Topic::Pages | Topic::Canary => Cleanup::Delete(DAY),
            Topic::Items | Topic::Articles => Cleanup::Delete(7 * DAY),
            Topic::Tagged | Topic::TaggedWith(_) | Topic::DeadLetters(_) => Cleanup::Delete(30 * DAY),
        };
        TopicSpec {
            partitions: PARTITIONS,
            cleanup,
            max_message_bytes: MAX_MESSAGE_BYTES,
        }
    }

    /// CloudEvents type of its messages; the schema version is its last part.
    pub fn event_type(&self) -> &'static str {
        match self {
            Topic::Feeds => "telex.feed.v1",
            Topic::FeedState => "telex.feed-state.v1",
            Topic::Items => "telex.item.v1",
            Topic::Frontier => "telex.frontier.v1",
            Topic::Pages => "telex.page.v1",
            Topic::Articles => "telex.article.v1",
            Topic::Tagged | Topic::TaggedWith(_) => "telex.tagged.v1",
            Topic::Canary => "telex.canary.v1",
            Topic::DeadLetters(_) => "telex.dead-letter.v1",
        }
    }
}

/// Gives the partition of a partition key, as Kafka's Java client does.
pub fn partition_for(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// Hashes as `org.apache.kafka.common.utils.Utils.murmur2` does: MurmurHash2, 32 bits, seed 0x9747b28c.
pub fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len() & 0xffff_ffff).unwrap_or(u32::MAX);
    let mut h = 0x9747_b28c ^ length;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    for (i, byte) in tail.iter().enumerate().rev() {
        h ^= u32::from(*byte) << (8 * i);
    }
    if !tail.is_empty() {
        h = h.wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expectations of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_is_the_java_clients() {
        let cases: [(&str, i32); 7] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
            ("", 275_646_681),
        ];
        for (text, hash) in cases {
            assert_eq!(murmur2(text.as_bytes()), hash.cast_unsigned(), "{text}");
        }
    }

    #[test]
    fn tags_that_can_be_topics() {
        assert_eq!(
            Topic::tagged_with("eu-diplomacy").map(|t| t.name("telex")),
            Ok("telex.tagged.eu-diplomacy.v1".into())
        );
        for bad in ["", "EU", "a/b", "1a", "ünion", &"a".repeat(65)] {
            assert!(Topic::tagged_with(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_differ() {
        let mut names: Vec<String> = Topic::fixed().iter().map(|t| t.name("telex")).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Topic::fixed().len());
    }
}
