//! Reads a message's value as its topic has it.

use serde::de::DeserializeOwned;
use telex_model::{Topic, event};

use crate::driver::Outcome;
use crate::message::Message;

/// Reads the JSON of a message from that topic.
///
/// # Errors
/// What is to become of a message that has none: a retraction is dropped (`retraction`); another type or version
/// (`wrong_type`) and broken JSON (`invalid_json`) are poison.
pub fn read_value<T: DeserializeOwned>(message: &Message, topic: &Topic) -> Result<T, Outcome> {
    let Some(value) = &message.value else {
        return Err(Outcome::Drop("retraction"));
    };
    if let Some(kind) = event::header(&message.headers, event::CE_TYPE)
        && kind != topic.event_type()
    {
        let detail = format!(
            "the message is a {kind}, this stage reads {}; run the same version of all stages",
            topic.event_type()
        );
        return Err(Outcome::Poison {
            reason: "wrong_type",
            detail,
        });
    }
    serde_json::from_slice(value).map_err(|e| Outcome::Poison {
        reason: "invalid_json",
        detail: e.to_string(),
    })
}
