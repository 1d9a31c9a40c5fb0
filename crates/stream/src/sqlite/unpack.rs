//! Values as they lie in SQLite: compressed by Zstandard.

use std::cell::RefCell;
use std::io;

use telex_model::MAX_MESSAGE_BYTES;
use zstd::bulk::Decompressor;

thread_local! {
    /// Made once a thread: its tables cost more than a message does.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Unpacks a value into as much memory as it needs, up to [`MAX_MESSAGE_BYTES`].
///
/// # Errors
/// Where it is no frame of Zstandard, is damaged, or holds more.
pub fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let zstd = match kept {
            Some(zstd) => zstd,
            None => kept.insert(Decompressor::new()?),
        };
        zstd.decompress(bytes, plain_size(bytes))
    })
}

/// Bytes that a value decompresses to, as its frame says: room for the largest would stay with every message.
fn plain_size(bytes: &[u8]) -> usize {
    let said = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten();
    said.and_then(|size| usize::try_from(size).ok())
        .map_or(MAX_MESSAGE_BYTES, |size| size.min(MAX_MESSAGE_BYTES))
}
