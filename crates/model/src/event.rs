//! Headers of messages: CloudEvents 1.0 in Kafka's binary mode, W3C trace context, tags.

use jiff::Timestamp;

use crate::{ArticleId, Topic, content_hash};

/// `1.0`, the version of the CloudEvents specification.
pub const CE_SPECVERSION: &str = "ce_specversion";
/// What sort of message it is: [`Topic::event_type`].
pub const CE_TYPE: &str = "ce_type";
/// Which stage made it: `/telex/<stage>`.
pub const CE_SOURCE: &str = "ce_source";
/// Unique per source: article id, revision and, once tagged, the topics version, joined by colons.
pub const CE_ID: &str = "ce_id";
/// When the message was made, RFC 3339.
pub const CE_TIME: &str = "ce_time";
/// `application/json`.
pub const CONTENT_TYPE: &str = "content-type";
/// W3C trace context; the trace id follows from article id and revision.
pub const TRACEPARENT: &str = "traceparent";
/// Tags of an article, joined by commas; empty where it has none.
pub const TAGS: &str = "telex_tags";
/// When the article was first seen, RFC 3339: what end-to-end latency is measured from.
pub const FIRST_SEEN: &str = "telex_first_seen";
/// Why a message is a dead letter: a short word, the same as in metrics.
pub const DEAD_REASON: &str = "telex_dead_reason";
/// Why a message is a dead letter, in a sentence.
pub const DEAD_DETAIL: &str = "telex_dead_detail";
/// Topic, partition and offset that a dead letter was read from, joined by slashes.
pub const DEAD_ORIGIN: &str = "telex_dead_origin";
/// Bytes of the original value where the dead letter holds only its beginning.
pub const DEAD_TRUNCATED: &str = "telex_dead_truncated";

/// The replay that a message was put back by: a word that is its own.
pub const REPLAY: &str = "telex_replay";

/// The message is a canary, put in at that time, RFC 3339.
pub const CANARY: &str = "telex_canary";

/// A message's headers: names with UTF-8 values, in order.
pub type Headers = Vec<(String, String)>;

/// Makes the CloudEvents headers of a message.
pub fn headers(topic: &Topic, stage: &str, id: String, time: Timestamp) -> Headers {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    vec![
        pair(CE_SPECVERSION, "1.0".to_owned()),
        pair(CE_TYPE, topic.event_type().to_owned()),
        pair(CE_SOURCE, format!("/telex/{stage}")),
        pair(CE_ID, id),
        pair(CE_TIME, time.to_string()),
        pair(CONTENT_TYPE, "application/json".to_owned()),
    ]
}

/// Finds a header's value.
pub fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// Makes the trace context of one hop: the trace follows from article and revision, the span from the hop, so
/// that every hop of an article is found by its id, and a hop done again is the same span.
pub fn traceparent(article: ArticleId, revision: u32, hop: &str) -> String {
    let trace = article.as_u128() ^ u128::from(revision);
    let span = content_hash(&[&article.to_string(), &revision.to_string(), hop]).max(1);
    format!("00-{:032x}-{span:016x}-01", trace.max(1))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        reason = "a test that cannot parse its own URL must fail"
    )]
    use super::*;

    #[test]
    fn one_trace_over_all_hops() {
        let id = ArticleId::of_link(&"https://example.org/a".parse().unwrap());
        let (a, b) = (traceparent(id, 1, "poller"), traceparent(id, 1, "fetcher"));
        assert_eq!(a.get(..35), b.get(..35));
        assert_ne!(a, b);
        assert_eq!(a.len(), 55);
        assert_ne!(a.get(..35), traceparent(id, 2, "poller").get(..35));
    }
}
