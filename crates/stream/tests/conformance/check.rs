//! The checker: every input id once in outputs or dead letters, in order per key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use telex_stream::Message;

use super::{Case, id_of};

/// Checks that each id below `count` is in the output or among the dead letters, once, and that the output keeps
/// the order of ids per key.
pub fn exactly_once(case: &Case<'_>, count: usize) {
    let (outputs, dead) = (case.records(&case.output()), case.records(&case.dead()));
    ids_once(outputs.iter().chain(&dead), count);
    in_order(&outputs);
    in_order(&dead);
}

/// Checks that each id below `count` is there, once.
pub fn ids_once<'a>(messages: impl IntoIterator<Item = &'a Arc<Message>>, count: usize) {
    let mut seen = BTreeSet::new();
    for message in messages {
        assert!(seen.insert(id_of(message)), "id {} came twice", id_of(message));
    }
    let missing: Vec<usize> = (0..count).filter(|id| !seen.contains(id)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    assert_eq!(seen.len(), count, "ids that nobody wrote");
}

/// Checks that the ids of every key ascend, and that offsets do in every partition.
pub fn in_order(messages: &[Arc<Message>]) {
    let mut last: BTreeMap<&[u8], usize> = BTreeMap::new();
    let mut next: BTreeMap<u32, u64> = BTreeMap::new();
    for message in messages {
        let id = id_of(message);
        let before = last.insert(&message.key, id);
        assert!(
            before.is_none_or(|b| b < id),
            "id {id} came after {before:?} of the same key"
        );
        let expected = next.insert(message.partition, message.next).unwrap_or(0);
        assert!(message.offset >= expected, "offsets only grow");
        assert!(message.next > message.offset, "next is after the message");
    }
}
