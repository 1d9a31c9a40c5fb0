//! Ids and hashes: BLAKE3, cut to 128 bits for ids and 64 bits for change detection.
//!
//! Every hash starts with a word that says what is hashed, so that a feed and an article of one URL differ.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::canonical::canonical_url;

/// Text that is not the hexadecimal form of an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id has 32 hexadecimal digits, not {0:?}")]
pub struct ParseIdError(String);

macro_rules! id {
    ($name:ident, $what:literal) => {
        #[doc = concat!("Identifies ", $what, ": 128 bits, written as 32 hexadecimal digits.")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(u128);

        impl $name {
            /// Gives the id as a number.
            pub fn as_u128(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let fine = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
                let number = fine.then(|| u128::from_str_radix(text, 16).ok()).flatten();
                number
                    .map(Self)
                    .ok_or_else(|| ParseIdError(text.chars().take(64).collect()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, ParseIdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

id!(ArticleId, "an article, in whatever feeds it stands");
id!(FeedId, "a feed by its canonical address");

impl ArticleId {
    /// Makes the id of the article that a link leads to.
    pub fn of_link(link: &Url) -> Self {
        Self(hash128(&["article", &canonical_url(link)]))
    }

    /// Makes the id of an item without a link: its name within its feed.
    pub fn of_item(feed: FeedId, name: &str) -> Self {
        Self(hash128(&["item", &feed.to_string(), name]))
    }
}

impl FeedId {
    /// The feed that canaries are of; no address has it.
    pub const CANARY: Self = Self(0);

    /// Makes the id of the feed at an address.
    pub fn of(url: &Url) -> Self {
        Self(hash128(&["feed", &canonical_url(url)]))
    }
}

/// Hashes what readers see of an item, white space folded: equal hashes, equal revision.
pub fn content_hash(parts: &[&str]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        for word in part.split_whitespace() {
            hasher.update(word.as_bytes());
            hasher.update(b" ");
        }
        hasher.update(&[0]);
    }
    first_u64(&hasher)
}

/// Hashes text to 64 bits.
pub fn short_hash(text: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(text.as_bytes());
    first_u64(&hasher)
}

/// Writes 64-bit hashes as 16 hexadecimal digits: JSON numbers are exact to 53 bits only.
pub(crate) mod hex64 {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(hash: &u64, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&format_args!("{hash:016x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
        let text = String::deserialize(input)?;
        u64::from_str_radix(&text, 16).map_err(|e| de::Error::custom(format_args!("hash {text:?}: {e}")))
    }
}

fn first_u64(hasher: &blake3::Hasher) -> u64 {
    hasher
        .finalize()
        .as_bytes()
        .iter()
        .take(8)
        .fold(0, |n, b| (n << 8) | u64::from(*b))
}

fn hash128(parts: &[&str]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    hasher
        .finalize()
        .as_bytes()
        .iter()
        .take(16)
        .fold(0, |n, b| (n << 8) | u128::from(*b))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        reason = "a test that cannot parse its own URL must fail"
    )]
    use super::*;

    #[test]
    fn ids_survive_their_text() {
        let id = ArticleId::of_link(&"https://example.org/a".parse().unwrap());
        assert_eq!(id.to_string().parse::<ArticleId>().unwrap(), id);
        assert_eq!(
            serde_json::from_str::<ArticleId>(&serde_json::to_string(&id).unwrap()).unwrap(),
            id
        );
        assert!("12".parse::<ArticleId>().is_err());
        assert!("+0000000000000000000000000000001".parse::<ArticleId>().is_err());
    }

    /// Ids are stored for ever: a change of the hash would make every article new.
    #[test]
    fn ids_never_change() {
        let url: Url = "https://example.org/a".parse().unwrap();
        assert_eq!(
            ArticleId::of_link(&url).to_string(),
            "72b55187e3df08bafde8c1b64802133f"
        );
        assert_eq!(FeedId::of(&url).to_string(), "6d95f119c7f3d841c1d2af0c3003afc6");
        assert_eq!(
            ArticleId::of_item(FeedId::of(&url), "7").to_string(),
            "2318af1b700046fc683a2099684e58c3"
        );
        assert_eq!(
            format!("{:016x}", content_hash(&["a  b", "c"])),
            "4cd210e090549b45"
        );
    }

    #[test]
    fn white_space_is_no_change() {
        assert_eq!(content_hash(&["a\n b", ""]), content_hash(&[" a b ", ""]));
        assert_ne!(content_hash(&["a", "b"]), content_hash(&["a b", ""]));
    }
}
