//! What is derived from the master secret: the addresses that hubs call, and the secret of each feed.

use data_encoding::HEXLOWER_PERMISSIVE as HEX;
use ring::hmac::{self, Key};
use telex_model::{FeedId, short_hash};

/// Shortest master secret, in bytes. What one could type from memory can be guessed from a signature.
pub(super) const SHORTEST: usize = 16;

/// Bytes of the seal of an address: guessing one takes 2^127 calls.
const SEAL: usize = 16;

/// Derives keys from the master secret.
#[derive(Clone)]
pub(super) struct Keys(Key);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// What the address of a callback says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) feed: FeedId,
    /// Registrable domain of the feed, by which its process is found.
    pub(super) domain: String,
    /// Hash of the topic, so that a hub cannot confirm another one.
    pub(super) topic: String,
}

impl Place {
    pub(super) fn new(feed: FeedId, domain: String, topic: &str) -> Self {
        let topic = hash(topic);
        Self { feed, domain, topic }
    }

    pub(super) fn is_of(&self, topic: &str) -> bool {
        self.topic == hash(topic)
    }
}

fn hash(topic: &str) -> String {
    format!("{:016x}", short_hash(topic))
}

impl Keys {
    pub(super) fn new(secret: &str) -> Self {
        Self(Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// The secret that a hub signs its calls for a feed with.
    pub(super) fn secret(&self, feed: FeedId) -> String {
        HEX.encode(hmac::sign(&self.0, format!("secret/{feed}").as_bytes()).as_ref())
    }

    /// The parts of an address that nobody else can make.
    pub(super) fn seal(&self, place: &Place) -> [String; 4] {
        let Place { feed, domain, topic } = place;
        let seal = hmac::sign(&self.0, format!("place/{feed}/{domain}/{topic}").as_bytes());
        let seal = HEX.encode(seal.as_ref().get(..SEAL).unwrap_or_default());
        [feed.to_string(), domain.clone(), topic.clone(), seal]
    }

    /// Reads an address; nothing where the seal is not ours.
    pub(super) fn open(&self, parts: &[String; 4]) -> Option<Place> {
        let [feed, domain, topic, seal] = parts;
        let place = Place {
            feed: feed.parse().ok()?,
            domain: domain.clone(),
            topic: topic.clone(),
        };
        let [.., expected] = self.seal(&place);
        self.equal(expected.as_bytes(), seal.as_bytes()).then_some(place)
    }

    /// Begins to check a signature; nothing where it is none.
    pub(super) fn check(&self, feed: FeedId, header: &str) -> Option<Check> {
        let (method, digest) = header.trim().split_once('=')?;
        let algorithm = match method.to_ascii_lowercase().as_str() {
            // The Recommendation still allows it, and nobody can forge it without the secret.
            "sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            "sha256" => hmac::HMAC_SHA256,
            "sha384" => hmac::HMAC_SHA384,
            "sha512" => hmac::HMAC_SHA512,
            _ => return None,
        };
        let given = HEX.decode(digest.trim().as_bytes()).ok()?;
        let key = Key::new(algorithm, self.secret(feed).as_bytes());
        Some(Check {
            keys: self.clone(),
            given,
            context: hmac::Context::with_key(&key),
        })
    }

    /// Compares in a time that tells nothing: what is compared are signatures of both.
    fn equal(&self, a: &[u8], b: &[u8]) -> bool {
        hmac::verify(&self.0, b, hmac::sign(&self.0, a).as_ref()).is_ok()
    }
}

/// Checks the signature of content as it comes in.
pub(super) struct Check {
    keys: Keys,
    given: Vec<u8>,
    context: hmac::Context,
}

impl Check {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    pub(super) fn passes(self) -> bool {
        self.keys.equal(self.context.sign().as_ref(), &self.given)
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn feed() -> FeedId {
        FeedId::of(&Url::parse("https://h.test/rss").expect("a URL"))
    }

    #[test]
    fn only_our_addresses_open() {
        let keys = Keys::new("a secret of sixteen or more");
        let place = Place::new(feed(), "h.test".to_owned(), "https://h.test/rss");
        let sealed = keys.seal(&place);
        assert_eq!(keys.open(&sealed).as_ref(), Some(&place));
        assert!(place.is_of("https://h.test/rss") && !place.is_of("https://h.test/atom"));
        for part in 0..4 {
            let mut other = sealed.clone();
            let text = other.get_mut(part).expect("four");
            let first = if text.starts_with('0') { "1" } else { "0" };
            text.replace_range(..1, first);
            assert_eq!(keys.open(&other), None, "part {part}");
        }
        assert_eq!(Keys::new("another secret, as long").open(&sealed), None);
    }

    #[test]
    fn signatures_of_every_kind_are_checked() {
        let keys = Keys::new("a secret of sixteen or more");
        let sign = |algorithm, secret: &str, body: &[u8]| {
            HEX.encode(hmac::sign(&Key::new(algorithm, secret.as_bytes()), body).as_ref())
        };
        let secret = keys.secret(feed());
        let passes = |header: &str, body: &[u8]| {
            keys.check(feed(), header).is_some_and(|mut check| {
                body.chunks(3).for_each(|chunk| check.update(chunk));
                check.passes()
            })
        };
        for (name, algorithm) in [
            ("sha1", hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            ("sha256", hmac::HMAC_SHA256),
            ("SHA384", hmac::HMAC_SHA384),
            ("sha512", hmac::HMAC_SHA512),
        ] {
            let right = format!("{name}={}", sign(algorithm, &secret, b"content"));
            assert!(passes(&right, b"content"), "{name}");
            assert!(!passes(&right, b"contents"), "{name}");
            let forged = format!("{name}={}", sign(algorithm, "guess", b"content"));
            assert!(!passes(&forged, b"content"), "{name}");
        }
        let other = format!("sha1={}", sign(hmac::HMAC_SHA256, &secret, b"content"));
        assert!(!passes(&other, b"content"), "the method must be the one named");
        for nonsense in ["", "sha256", "sha256=", "sha256=zz", "md5=00", "=", "sha256=00"] {
            assert!(!passes(nonsense, b"content"), "{nonsense}");
        }
        let elsewhere = FeedId::of(&Url::parse("https://h.test/other").expect("a URL"));
        assert_ne!(keys.secret(elsewhere), secret);
    }
}
