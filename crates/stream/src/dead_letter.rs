//! Dead letters: what could not be processed, with its reason.

use jiff::Timestamp;
use telex_model::event::{self, Headers};
use telex_model::{Stage, Topic};

use crate::message::{Message, Output, Route};

/// Bytes of an oversize value that its dead letter keeps.
pub const MAX_DEAD_BYTES: usize = 64 << 10;

/// Makes dead letters of one stage.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    stage: Stage,
    topic: String,
    origin: String,
}

impl DeadLetter {
    /// Prepares the dead letters of a stage; `prefix` is the first word of topic names.
    pub fn new(stage: Stage, prefix: &str) -> Self {
        Self {
            stage,
            topic: Topic::DeadLetters(stage).name(prefix),
            origin: stage.input().name(prefix),
        }
    }

    /// Wraps a message: its value as it was, its headers, and why it is here.
    pub fn make(&self, message: &Message, reason: &str, detail: &str) -> Output {
        let mut headers: Headers = message
            .headers
            .iter()
            .filter(|(n, _)| !is_ours(n))
            .cloned()
            .collect();
        let mut push = |name: &str, value: String| headers.push((name.to_owned(), value));
        push(event::CE_SPECVERSION, "1.0".to_owned());
        push(
            event::CE_TYPE,
            Topic::DeadLetters(self.stage).event_type().to_owned(),
        );
        push(event::CE_SOURCE, format!("/telex/{}", self.stage));
        push(
            event::CE_ID,
            format!("{}/{}/{}", self.origin, message.partition, message.offset),
        );
        push(event::CE_TIME, Timestamp::now().to_string());
        push(event::DEAD_REASON, reason.to_owned());
        push(event::DEAD_DETAIL, detail.chars().take(2000).collect());
        push(
            event::DEAD_ORIGIN,
            format!("{}/{}/{}", self.origin, message.partition, message.offset),
        );
        let mut value = message.value.clone();
        // Leaves room for the headers just added: a value at the very limit would otherwise not fit.
        if let Some(bytes) = value
            .as_mut()
            .filter(|b| b.len() > telex_model::MAX_MESSAGE_BYTES - MAX_DEAD_BYTES)
        {
            push(event::DEAD_TRUNCATED, bytes.len().to_string());
            bytes.truncate(MAX_DEAD_BYTES);
        }
        Output {
            topic: self.topic.clone(),
            key: message.key.clone(),
            route: Route::Key,
            value,
            headers,
        }
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with("telex_dead_")
        || [
            event::CE_SPECVERSION,
            event::CE_TYPE,
            event::CE_SOURCE,
            event::CE_ID,
            event::CE_TIME,
        ]
        .contains(&name)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use telex_model::event::header;

    use super::*;

    #[test]
    fn keeps_value_and_headers_and_says_why() {
        let message = Message {
            partition: 3,
            offset: 41,
            next: 42,
            timestamp: Timestamp::UNIX_EPOCH,
            key: Bytes::from_static(b"k"),
            value: Some(Bytes::from_static(b"{broken")),
            headers: vec![
                ("traceparent".into(), "00-1".into()),
                ("ce_type".into(), "telex.page.v1".into()),
            ],
        };
        let dead = DeadLetter::new(Stage::Cleaner, "telex").make(&message, "invalid_json", "line 1");
        assert_eq!(dead.topic, "telex.dead-letters.cleaner.v1");
        assert_eq!((dead.key, dead.value), (message.key, message.value));
        for (name, value) in [
            ("traceparent", "00-1"),
            ("ce_type", "telex.dead-letter.v1"),
            ("telex_dead_reason", "invalid_json"),
            ("telex_dead_detail", "line 1"),
            ("telex_dead_origin", "telex.pages.v1/3/41"),
        ] {
            assert_eq!(header(&dead.headers, name), Some(value), "{name}");
        }
        assert_eq!(dead.headers.iter().filter(|(n, _)| n == "ce_type").count(), 1);
    }
}
