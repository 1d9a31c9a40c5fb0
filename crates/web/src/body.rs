//! Reads a body: counts it on the wire, unpacks it as it comes, stops at the limit.
//!
//! Unpacking is driven by what arrives and writes into a sink that refuses more than the limit, so a bomb costs the
//! limit and one window, never its size. Windows: gzip 32 KiB, brotli at most 16 MiB, zstd at most 8 MiB (RFC 9659).
//! The decoders are used directly rather than through an async adapter: a chunk is unpacked in far less time than it
//! took to arrive, and both the bytes before and after are counted.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

use crate::FetchError;

/// What the client says it can unpack, in the order of `Accept-Encoding`.
pub(crate) const ACCEPT_ENCODING: &str = "gzip, deflate, br, zstd";

/// RFC 9659 limits the window of zstd as a content coding to 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Text packs to a quarter or better, so this much is reserved at once for each packed byte.
const EXPECTED_RATIO: usize = 4;

pub(crate) const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// How much of a body is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// Bytes, on the wire and unpacked alike.
    pub(crate) bytes: usize,
    /// Whether a longer body is cut there rather than refused.
    pub(crate) cut: bool,
}

/// A body that was read whole, or up to the limit.
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) on_wire: u64,
}

/// Reads and unpacks a body.
///
/// A body that is itself a gzip file (`sitemap.xml.gz`) is unpacked as well, under the same limit.
pub(crate) async fn read(body: &mut Incoming, headers: &HeaderMap, limit: Limit) -> Result<Body, FetchError> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if !limit.cut && announced.is_some_and(|length| length > limit.bytes) {
        return Err(FetchError::BodyTooLarge { limit: limit.bytes });
    }
    let mut unpacker = Unpacker::new(coding(headers)?, limit.bytes, announced.unwrap_or(0));
    let mut on_wire = 0_u64;
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(|error| body_error(&error))?.into_data() else {
            continue;
        };
        let first = on_wire == 0;
        on_wire += chunk.len() as u64;
        if first && unpacker.coding == Coding::Identity && body.is_end_stream() && chunk.len() <= limit.bytes
        {
            return Ok(Body {
                bytes: unpack_file(chunk, limit)?,
                on_wire,
            });
        }
        let full = on_wire > limit.bytes as u64;
        match unpacker.push(&chunk) {
            Err(FetchError::BodyTooLarge { .. }) if limit.cut => break,
            outcome => outcome?,
        }
        if full && limit.cut {
            break;
        }
        if full {
            return Err(FetchError::BodyTooLarge { limit: limit.bytes });
        }
        if unpacker.done {
            break;
        }
    }
    let bytes = unpack_file(unpacker.finish(limit.cut)?.into(), limit)?;
    Ok(Body { bytes, on_wire })
}

fn body_error(error: &hyper::Error) -> FetchError {
    if error.is_parse() {
        FetchError::Protocol(error.to_string())
    } else {
        FetchError::BodyTruncated(error.to_string())
    }
}

/// Unpacks a body that was kept whole, cut at `limit` bytes. A page that stands there unpacked, whatever its headers
/// say, stays as it is.
pub(crate) fn unpack_kept(kept: &[u8], headers: &HeaderMap, limit: usize) -> Result<Bytes, FetchError> {
    let unpacked = coding(headers).and_then(|coding| {
        let mut unpacker = Unpacker::new(coding, limit, kept.len());
        match unpacker.push(kept) {
            Err(FetchError::BodyTooLarge { .. }) => {}
            outcome => outcome?,
        }
        unpacker.finish(true)
    });
    match unpacked {
        Err(_) if kept.trim_ascii_start().starts_with(b"<") => {
            Ok(Bytes::copy_from_slice(kept.get(..limit).unwrap_or(kept)))
        }
        unpacked => unpacked.map(Bytes::from),
    }
}

fn unpack_file(bytes: Bytes, limit: Limit) -> Result<Bytes, FetchError> {
    if !bytes.starts_with(&GZIP_MAGIC) {
        return Ok(bytes);
    }
    let mut unpacker = Unpacker::new(Coding::Gzip, limit.bytes, bytes.len());
    match unpacker.push(&bytes) {
        Err(FetchError::BodyTooLarge { .. }) if limit.cut => {}
        outcome => outcome?,
    }
    Ok(unpacker.finish(limit.cut)?.into())
}

/// A content coding (RFC 9110, section 8.4.1) that we can undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

fn coding(headers: &HeaderMap) -> Result<Coding, FetchError> {
    let Some(value) = headers.get(CONTENT_ENCODING) else {
        return Ok(Coding::Identity);
    };
    let name = String::from_utf8_lossy(value.as_bytes())
        .trim()
        .to_ascii_lowercase();
    match name.as_str() {
        "gzip" | "x-gzip" => Ok(Coding::Gzip),
        "deflate" => Ok(Coding::Deflate),
        "br" => Ok(Coding::Brotli),
        "zstd" => Ok(Coding::Zstd),
        // Servers put charsets and "none" here; the bytes are then as they are.
        "" | "identity" | "none" | "utf-8" | "binary" => Ok(Coding::Identity),
        _ => Err(FetchError::UnsupportedEncoding(name.chars().take(40).collect())),
    }
}

/// Unpacks chunks as they come.
pub(crate) struct Unpacker {
    coding: Coding,
    /// What came before the decoder could be picked: at most one byte.
    head: Vec<u8>,
    decoder: Option<Decoder>,
    limit: usize,
    reserve: usize,
    done: bool,
}

enum Decoder {
    Plain(Sink),
    Gzip(Box<MultiGzDecoder<Sink>>),
    Zlib(ZlibDecoder<Sink>),
    Deflate(DeflateDecoder<Sink>),
    Brotli(Box<DecompressorWriter<Sink>>),
    Zstd(zstd::stream::write::Decoder<'static, Sink>),
}

impl Unpacker {
    /// Makes an unpacker that gives at most `limit` bytes; `announced` is the packed length, if known, else 0.
    pub(crate) fn new(coding: Coding, limit: usize, announced: usize) -> Self {
        let ratio = if coding == Coding::Identity {
            1
        } else {
            EXPECTED_RATIO
        };
        let reserve = announced.saturating_mul(ratio).min(limit);
        Self {
            coding,
            head: Vec::new(),
            decoder: None,
            limit,
            reserve,
            done: false,
        }
    }

    /// Unpacks one more chunk. What follows the end of the packed stream is ignored, as browsers do.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        if self.decoder.is_none() {
            let start: Vec<u8> = self.head.iter().chain(chunk).copied().take(2).collect();
            if start.len() < 2 {
                self.head = start;
                return Ok(());
            }
            self.decoder = Some(self.pick(&start)?);
            let head = std::mem::take(&mut self.head);
            self.unpack(&head)?;
        }
        self.unpack(chunk)
    }

    /// Returns what was unpacked. With `cut`, an unfinished stream is fine.
    pub(crate) fn finish(mut self, cut: bool) -> Result<Vec<u8>, FetchError> {
        // Zero or one byte is no packed stream, whatever the header says: many servers label empty bodies.
        let Some(decoder) = &mut self.decoder else {
            return Ok(self.head);
        };
        if !self.done {
            // Also with `cut`: decoders hold their last window back until then.
            let end = decoder.end();
            if !cut {
                end.map_err(|error| FetchError::BodyTruncated(error.to_string()))?;
            }
        }
        let sink = decoder.sink();
        if sink.full && !cut {
            return Err(FetchError::BodyTooLarge { limit: self.limit });
        }
        Ok(std::mem::take(&mut sink.bytes))
    }

    /// Picks the decoder by the label and the first two bytes: labels lie.
    fn pick(&self, start: &[u8]) -> Result<Decoder, FetchError> {
        let sink = Sink {
            bytes: Vec::with_capacity(self.reserve),
            limit: self.limit,
            full: false,
        };
        Ok(match self.coding {
            Coding::Gzip if GZIP_MAGIC.starts_with(start) => {
                Decoder::Gzip(Box::new(MultiGzDecoder::new(sink)))
            }
            Coding::Deflate if is_zlib(start) => Decoder::Zlib(ZlibDecoder::new(sink)),
            Coding::Deflate => Decoder::Deflate(DeflateDecoder::new(sink)),
            Coding::Brotli => Decoder::Brotli(Box::new(DecompressorWriter::new(sink, 16 * 1024))),
            Coding::Zstd => {
                let mut raw = zstd::stream::raw::Decoder::new().map_err(|error| unpack_error(&error))?;
                let window = zstd::stream::raw::DParameter::WindowLogMax(ZSTD_WINDOW_LOG);
                raw.set_parameter(window).map_err(|error| unpack_error(&error))?;
                Decoder::Zstd(zstd::stream::write::Decoder::with_decoder(sink, raw))
            }
            Coding::Identity | Coding::Gzip => Decoder::Plain(sink),
        })
    }

    fn unpack(&mut self, mut chunk: &[u8]) -> Result<(), FetchError> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(());
        };
        while !chunk.is_empty() && !self.done {
            match decoder.write(chunk) {
                Ok(0) => self.done = true,
                Ok(taken) => chunk = chunk.get(taken..).unwrap_or_default(),
                Err(_) if decoder.sink().full => return Err(FetchError::BodyTooLarge { limit: self.limit }),
                // Rubbish behind a whole gzip member, not a broken one: the header of the next does not parse.
                Err(error) if decoder.is_junk_after_gzip(&error) => self.done = true,
                Err(error) => return Err(unpack_error(&error)),
            }
        }
        Ok(())
    }
}

impl Decoder {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sink) => sink.write(chunk),
            Self::Gzip(decoder) => decoder.write(chunk),
            Self::Zlib(decoder) => decoder.write(chunk),
            Self::Deflate(decoder) => decoder.write(chunk),
            Self::Brotli(decoder) => decoder.write(chunk),
            Self::Zstd(decoder) => decoder.write(chunk),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            // Less than a header behind a whole member is junk as well.
            Self::Gzip(decoder) if decoder.header().is_none() && !decoder.get_ref().bytes.is_empty() => {
                Ok(())
            }
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Zlib(decoder) => decoder.try_finish(),
            Self::Deflate(decoder) => decoder.try_finish(),
            Self::Brotli(decoder) => decoder.close(),
            Self::Zstd(decoder) => decoder.do_finish(),
        }
    }

    fn sink(&mut self) -> &mut Sink {
        match self {
            Self::Plain(sink) => sink,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }

    fn is_junk_after_gzip(&mut self, error: &io::Error) -> bool {
        matches!(self, Self::Gzip(_))
            && error.kind() == io::ErrorKind::InvalidInput
            && !self.sink().bytes.is_empty()
            && error.to_string().contains("header")
    }
}

/// Tells zlib (RFC 1950) from the raw deflate that some servers send instead.
fn is_zlib(start: &[u8]) -> bool {
    match start {
        [method, flags] => method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0,
        _ => false,
    }
}

fn unpack_error(error: &io::Error) -> FetchError {
    FetchError::Decompression(error.to_string())
}

/// Gathers bytes up to a limit, and remembers that there were more.
struct Sink {
    bytes: Vec<u8>,
    limit: usize,
    full: bool,
}

impl Write for Sink {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        let room = self.limit - self.bytes.len();
        if chunk.len() > room {
            self.bytes
                .extend_from_slice(chunk.get(..room).unwrap_or_default());
            self.full = true;
            return Err(io::Error::other("longer than the limit"));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
