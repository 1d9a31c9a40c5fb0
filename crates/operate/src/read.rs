//! Reading topics as far as is wanted.

use std::sync::Arc;

use telex_model::Topic;
use telex_stream::{Bus, BusError, Message};

/// Bytes that are to be read at once, as far as the last records tell how large the next will be.
const BYTES: usize = 16 << 20;

/// Records read first, before it is known how large they are.
const FIRST: usize = 8;

/// Reads the committed records of a topic that are kept now, partition by partition, at most `at_once` at a time and
/// fewer where they are large, until `each` says that it has had enough; tells whether it had.
///
/// # Errors
/// As of [`Bus::read`].
pub fn read_until(
    bus: &dyn Bus,
    topic: &str,
    at_once: usize,
    each: &mut dyn FnMut(Arc<Message>) -> bool,
) -> Result<bool, BusError> {
    for ends in bus.ends(topic)? {
        let (mut from, mut number) = (ends.first, FIRST.min(at_once));
        while from < ends.end {
            let messages = bus.read(topic, ends.partition, from, number)?;
            let Some(last) = messages.last() else { break };
            from = last.next;
            let largest = messages.iter().map(|m| m.size()).max().unwrap_or(1);
            number = (BYTES / largest.max(1)).min(2 * number).clamp(1, at_once);
            if messages.into_iter().any(&mut *each) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Lists the tags that have a topic on the bus, with their topics.
///
/// # Errors
/// Where the bus cannot be used.
pub fn tags_on_bus(bus: &dyn Bus, prefix: &str) -> Result<Vec<(String, Topic)>, BusError> {
    let tag = |name: &String| {
        let tag = name
            .strip_prefix(prefix)?
            .strip_prefix(".tagged.")?
            .strip_suffix(".v1")?;
        Some((tag.to_owned(), Topic::tagged_with(tag).ok()?))
    };
    Ok(bus.topics()?.iter().filter_map(tag).collect())
}
