//! Dead letters: what could not be processed, with its reason.

use jiff::Timestamp;
use telex_model::event::{self, Headers};
use telex_model::{MAX_MESSAGE_BYTES, Stage, Topic};

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
        let mut letter = Output {
            topic: self.topic.clone(),
            key: message.key.clone(),
            route: Route::Key,
            value: message.value.clone(),
            headers,
        };
        shrink(&mut letter);
        letter
    }
}

/// Makes a dead letter fit: with the headers just added, what was at the limit is beyond it.
fn shrink(letter: &mut Output) {
    if letter.size() <= MAX_MESSAGE_BYTES {
        return;
    }
    if let Some(value) = letter.value.as_mut().filter(|v| v.len() > MAX_DEAD_BYTES) {
        letter
            .headers
            .push((event::DEAD_TRUNCATED.to_owned(), value.len().to_string()));
        value.truncate(MAX_DEAD_BYTES);
    }
    if letter.size() > MAX_MESSAGE_BYTES {
        // Foreign headers of megabytes; ours say what it was.
        letter.headers.retain(|(n, _)| is_ours(n));
    }
    // A key of megabytes: what is left of it still leads to the same message by its origin.
    letter.key.truncate(MAX_MESSAGE_BYTES - 2 * MAX_DEAD_BYTES);
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
