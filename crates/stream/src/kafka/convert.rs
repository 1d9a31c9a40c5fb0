//! Between Kafka's records and ours.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use jiff::Timestamp;
use rdkafka::Message as _;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders};
use telex_model::event::{Headers, header};

use crate::message::{Message, Output, Route};

/// Header of the records that [`Session::restore`](crate::Session::restore) writes; its value is the nonce.
const FENCE_HEADER: &str = "telex_fence";

/// Key of fences: one for all, so that compaction keeps the last of a partition only.
const FENCE_KEY: &[u8] = b"telex-fence";

/// Copies a record out of the client's memory: nothing of the client's is kept, or closing it would wait for it.
pub(super) fn message(record: &BorrowedMessage<'_>) -> Message {
    let offset = unsigned(record.offset());
    Message {
        partition: u32::try_from(record.partition()).unwrap_or_default(),
        offset,
        next: offset + 1,
        timestamp: record
            .timestamp()
            .to_millis()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH),
        key: record.key().map(Bytes::copy_from_slice).unwrap_or_default(),
        value: record.payload().map(Bytes::copy_from_slice),
        headers: headers(record),
    }
}

/// Makes a fence with a nonce.
pub(super) fn fence_record(topic: &str, partition: u32, nonce: &str) -> Output {
    Output {
        topic: topic.to_owned(),
        key: Bytes::from_static(FENCE_KEY),
        route: Route::Partition(partition),
        value: None,
        headers: vec![(FENCE_HEADER.to_owned(), nonce.to_owned())],
    }
}

/// Tells whether a record is a fence, which is nobody's input.
pub(super) fn fence(message: &Message) -> Option<&str> {
    if message.value.is_some() {
        return None;
    }
    header(&message.headers, FENCE_HEADER)
}

/// Makes the client's headers.
pub(super) fn to_headers(headers: &Headers) -> OwnedHeaders {
    headers.iter().fold(
        OwnedHeaders::new_with_capacity(headers.len()),
        |made, (key, value)| {
            made.insert(Header {
                key,
                value: Some(value.as_bytes()),
            })
        },
    )
}

pub(super) fn unsigned(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or_default()
}

pub(super) fn signed(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

pub(super) fn partition_id(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

fn headers(record: &BorrowedMessage<'_>) -> Headers {
    let Some(found) = record.headers() else {
        return Headers::new();
    };
    let read = || -> Headers {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        found
            .iter()
            .map(|h| (h.key.to_owned(), h.value.map(text).unwrap_or_default()))
            .collect()
    };
    // The client panics over a name that is not UTF-8; anybody may write one.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_default()
}
