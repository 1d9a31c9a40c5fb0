#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use proptest::prelude::*;

const CODINGS: [Coding; 6] = [
    Coding::Identity,
    Coding::Gzip,
    Coding::Deflate,
    Coding::Deflate,
    Coding::Brotli,
    Coding::Zstd,
];

/// A brotli stream of uncompressed meta-blocks (RFC 7932, section 9.2): enough of a packer for these tests.
fn brotli(plain: &[u8]) -> Vec<u8> {
    let mut bits = Bits::default();
    // WBITS: the single bit 0 means a window of 64 KiB.
    bits.push(0, 1);
    for block in plain.chunks(60_000) {
        // Not the last block; MNIBBLES 4; MLEN - 1; uncompressed; then padding to a whole byte.
        bits.push(0, 1);
        bits.push(0, 2);
        bits.push(block.len() - 1, 16);
        bits.push(1, 1);
        bits.align();
        bits.bytes.extend_from_slice(block);
    }
    // The last block, empty.
    bits.push(0b11, 2);
    bits.align();
    bits.bytes
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: usize,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: usize, width: u32) {
        self.pending |= value << self.count;
        self.count += width;
        while self.count >= 8 {
            self.bytes.push(self.pending.to_le_bytes()[0]);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    fn align(&mut self) {
        if self.count > 0 {
            self.push(0, 8 - self.count);
        }
    }
}

fn pack(index: usize, plain: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::default();
    match index {
        0 => plain.to_vec(),
        1 => gzip(plain),
        2 => {
            let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), level);
            packer.write_all(plain).unwrap();
            packer.finish().unwrap()
        }
        3 => {
            let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), level);
            packer.write_all(plain).unwrap();
            packer.finish().unwrap()
        }
        4 => brotli(plain),
        _ => zstd::encode_all(plain, 1).unwrap(),
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(plain).unwrap();
    packer.finish().unwrap()
}

fn unpack(coding: Coding, packed: &[u8], chunk: usize, limit: usize) -> Result<Vec<u8>, FetchError> {
    let mut unpacker = Unpacker::new(coding, limit, 0);
    for part in packed.chunks(chunk) {
        unpacker.push(part)?;
    }
    unpacker.finish(false)
}

#[test]
fn members_and_frames_in_a_row_are_one_body() {
    let two = [gzip(b"one "), gzip(b"two")].concat();
    assert_eq!(unpack(Coding::Gzip, &two, 7, 100).unwrap(), b"one two");
    let two = [pack(5, b"one "), pack(5, b"two")].concat();
    assert_eq!(unpack(Coding::Zstd, &two, 7, 100).unwrap(), b"one two");
}

#[test]
fn what_follows_the_end_is_ignored() {
    for (index, coding) in CODINGS.into_iter().enumerate().skip(1).take(4) {
        for junk in [&b"\n"[..], b"<!-- served by cache -->", &[0; 600]] {
            let packed = [pack(index, b"text"), junk.to_vec()].concat();
            for chunk in [1, 5, 1000] {
                let text = unpack(coding, &packed, chunk, 100);
                assert_eq!(
                    text.as_deref(),
                    Ok(&b"text"[..]),
                    "{coding:?} in chunks of {chunk}"
                );
            }
        }
    }
}

#[test]
fn lying_labels_are_seen_through() {
    assert_eq!(unpack(Coding::Gzip, b"<html>", 1, 100).unwrap(), b"<html>");
    for coding in CODINGS {
        assert_eq!(unpack(coding, b"", 1, 100).unwrap(), b"", "{coding:?}");
    }
}

#[test]
fn a_gzip_file_is_unpacked_under_the_same_limit() {
    let limit = Limit {
        bytes: 1000,
        cut: false,
    };
    assert_eq!(
        unpack_file(Bytes::from(gzip(b"<urlset>")), limit).unwrap(),
        "<urlset>"
    );
    let bomb = Bytes::from(gzip(&[0; 100_000]));
    assert_eq!(
        unpack_file(bomb.clone(), limit).unwrap_err(),
        FetchError::BodyTooLarge { limit: 1000 }
    );
    let cut = Limit { cut: true, ..limit };
    assert_eq!(unpack_file(bomb, cut).unwrap().len(), 1000);
}

#[test]
fn what_may_be_cut_comes_whole_where_it_is_short_and_to_its_wound_where_it_is_torn() {
    let text: String = (0..2000).map(|n| format!("Line {n} of robots.txt\n")).collect();
    for (index, coding) in CODINGS.into_iter().enumerate() {
        let packed = pack(index, text.as_bytes());
        for end in [packed.len(), packed.len() / 2] {
            let mut unpacker = Unpacker::new(coding, 1 << 20, 0);
            unpacker.push(&packed[..end]).unwrap();
            let got = unpacker.finish(true).unwrap();
            assert!(text.as_bytes().starts_with(&got), "{coding:?}");
            assert!(
                end < packed.len() || got.len() == text.len(),
                "{coding:?}: {}",
                got.len()
            );
        }
    }
}

#[test]
fn bombs_stop_at_the_limit_whatever_they_are_packed_with() {
    let zeros = vec![0; 8 * 1024 * 1024];
    for index in [1, 2, 3, 5] {
        let packed = pack(index, &zeros);
        assert!(packed.len() < 20_000, "{:?}: {}", CODINGS[index], packed.len());
        let mut unpacker = Unpacker::new(CODINGS[index], 100_000, packed.len());
        assert_eq!(
            unpacker.push(&packed),
            Err(FetchError::BodyTooLarge { limit: 100_000 })
        );
        let kept = unpacker.finish(true).unwrap();
        assert_eq!(kept.len(), 100_000);
        assert!(
            kept.capacity() <= 200_000,
            "{:?}: {}",
            CODINGS[index],
            kept.capacity()
        );
    }
}

#[test]
fn a_zstd_window_beyond_8_mib_is_refused() {
    let mut packer = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    packer.window_log(27).unwrap();
    packer.write_all(&[7; 100]).unwrap();
    let packed = packer.finish().unwrap();
    let error = unpack(Coding::Zstd, &packed, 1000, 1000).unwrap_err();
    assert_eq!(error.reason(), "decompression");
}

proptest! {
    #[test]
    fn chunks_of_any_size_give_the_same(
        plain in proptest::collection::vec(any::<u8>(), 0..3000),
        chunk in 1..500_usize,
        index in 0..6_usize,
    ) {
        prop_assume!(index != 3 || !is_zlib(&pack(3, &plain)[..2]));
        let packed = pack(index, &plain);
        prop_assert_eq!(unpack(CODINGS[index], &packed, chunk, 3000).unwrap(), plain);
    }

    #[test]
    fn any_bytes_end_in_a_body_or_an_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        chunk in 1..100_usize,
        index in 0..6_usize,
        whole in any::<bool>(),
        at in any::<prop::sample::Index>(),
        wrong in any::<u8>(),
    ) {
        let mut packed = if whole { pack(index, &bytes) } else { bytes };
        if !packed.is_empty() {
            let at = at.index(packed.len());
            packed[at] = wrong;
        }
        if let Ok(text) = unpack(CODINGS[index], &packed, chunk, 1000) {
            prop_assert!(text.len() <= 1000);
        }
    }
}
