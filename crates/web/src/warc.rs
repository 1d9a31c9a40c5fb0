//! Reads what crawlers kept: web archives in the WARC format, 1.0 and 1.1 (ISO 28500:2017), packed or not.
//!
//! Crawlers differ in whether they keep a body as it came over the wire or unpacked under the old headers, so chunks
//! and packing are undone where the bytes show them, whatever the headers say. Memory: one body.

use std::io::{self, BufRead, BufReader, Read};
use std::time::Duration;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use http::header::{CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::body::{self, GZIP_MAGIC};
use crate::{FetchError, Response};

/// Longest line of a record's head: the longest URLs that servers take have some 8,000 characters.
const MAX_LINE: u64 = 64 << 10;

/// Most lines of a record's head, and headers of a kept response: browsers and servers stop at 100 or so.
const MAX_FIELDS: usize = 500;

/// Empty lines that may stand between two records; the format has two.
const MAX_GAP: usize = 100;

/// Why an archive cannot be read on. What came before is whole.
#[derive(Debug, thiserror::Error)]
pub enum WarcError {
    /// It does not begin as a WARC file does.
    #[error("this is no WARC file: it does not begin with WARC/1")]
    NoWarc,
    /// It ends in the middle of a record, as when its crawler was stopped.
    #[error("the archive ends in the middle of record {0}")]
    Truncated(u64),
    /// A record is not as it should be.
    #[error("record {record} is damaged: {what}")]
    Damaged {
        /// Number of the record, from 1.
        record: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The file cannot be read.
    #[error("record {record}: {error}")]
    Io {
        /// Number of the record, from 1.
        record: u64,
        /// What the system said.
        error: io::Error,
    },
}

/// What was kept of one request.
#[derive(Debug)]
pub struct Capture {
    /// The address that was asked for, as the archive has it.
    pub url: String,
    /// When, as the archive has it: RFC 3339 in UTC.
    pub date: Option<String>,
    /// The answer with its unpacked body, cut at the limit; an error where it cannot be understood.
    pub response: Result<Response, FetchError>,
}

/// Reads an archive record by record. Gives kept answers (`response` and `resource`); records of other kinds, as
/// requests and visits that found nothing new, are passed over. Ends at the first error.
pub struct WarcReader<R> {
    input: R,
    max_body_bytes: usize,
    records: u64,
    failed: bool,
}

impl WarcReader<Box<dyn BufRead>> {
    /// Reads a file, packed with gzip or not; bodies are cut at `max_body_bytes`.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn open(file: impl Read + 'static, max_body_bytes: usize) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(1 << 16, file);
        let packed = input.fill_buf()?.starts_with(&GZIP_MAGIC);
        let input: Box<dyn BufRead> = if packed {
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(input)))
        } else {
            Box::new(input)
        };
        Ok(Self {
            input,
            max_body_bytes,
            records: 0,
            failed: false,
        })
    }
}

/// The fields of a record's head that matter here.
#[derive(Debug, Default)]
struct Head {
    kind: String,
    target: Option<String>,
    date: Option<String>,
    content_type: Option<String>,
    length: u64,
    segmented: bool,
}

impl<R: BufRead> Iterator for WarcReader<R> {
    type Item = Result<Capture, WarcError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            match self.record() {
                Ok(Some(Some(capture))) => return Some(Ok(capture)),
                Ok(Some(None)) => {}
                Ok(None) => return None,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl<R: BufRead> WarcReader<R> {
    /// Reads a record: none at the end, none within where it holds no answer.
    fn record(&mut self) -> Result<Option<Option<Capture>>, WarcError> {
        let Some(head) = self.head()? else {
            return Ok(None);
        };
        let is_response = head.kind == "response";
        let wanted = (is_response || head.kind == "resource") && !head.segmented;
        let Some(url) = head.target.filter(|url| wanted && is_web(url)) else {
            self.skip(head.length)?;
            return Ok(Some(None));
        };
        // A kept answer has its headers before its body, and may be packed there better than the limit tells.
        let keep = head.length.min(self.max_body_bytes as u64 + MAX_LINE);
        let mut block = Vec::new();
        let read = (&mut self.input).take(keep).read_to_end(&mut block);
        let read = read.map_err(|error| self.io(error))?;
        if (read as u64) < keep {
            return Err(WarcError::Truncated(self.records));
        }
        self.skip(head.length - keep)?;
        let response = match Url::parse(&url) {
            Ok(at) if is_response => response(at, &block, self.max_body_bytes),
            Ok(at) => Ok(resource(at, block.into(), head.content_type.as_deref())),
            Err(error) => Err(FetchError::Protocol(format!("the address is no URL: {error}"))),
        };
        Ok(Some(Some(Capture {
            url,
            date: head.date,
            response,
        })))
    }

    /// Reads the head of the next record; none at the end of the archive.
    fn head(&mut self) -> Result<Option<Head>, WarcError> {
        let mut first = Vec::new();
        for _ in 0..MAX_GAP {
            if !self.line(&mut first)? {
                return Ok(None);
            }
            if !first.is_empty() {
                break;
            }
        }
        if !first.starts_with(b"WARC/1.") {
            return Err(match self.records {
                0 => WarcError::NoWarc,
                _ => self.damaged("what follows the record before it is no record"),
            });
        }
        self.records += 1;
        let mut head = Head::default();
        let mut length = None;
        for _ in 0..MAX_FIELDS {
            let mut line = Vec::new();
            if !self.line(&mut line)? {
                return Err(WarcError::Truncated(self.records));
            }
            if line.is_empty() {
                head.length = length.ok_or_else(|| self.damaged("it does not say how long it is"))?;
                return Ok(Some(head));
            }
            let line = String::from_utf8_lossy(&line);
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "warc-type" => head.kind = value.to_ascii_lowercase(),
                // Early writers put the address between angle brackets.
                "warc-target-uri" => {
                    head.target = Some(value.trim_matches(['<', '>']).to_owned());
                }
                "warc-date" => head.date = Some(value.to_owned()),
                "content-type" => head.content_type = Some(value.to_owned()),
                "content-length" => length = value.parse::<u64>().ok(),
                "warc-segment-number" => head.segmented = true,
                _ => {}
            }
        }
        Err(self.damaged("its head does not end"))
    }

    /// Reads a line without its end; false at the end of the archive.
    fn line(&mut self, line: &mut Vec<u8>) -> Result<bool, WarcError> {
        line.clear();
        let read = (&mut self.input).take(MAX_LINE).read_until(b'\n', line);
        let read = read.map_err(|error| self.io(error))?;
        if read as u64 == MAX_LINE {
            return Err(match self.records {
                0 => WarcError::NoWarc,
                _ => self.damaged("a line of its head is too long"),
            });
        }
        while line.last().is_some_and(|end| matches!(end, b'\n' | b'\r')) {
            line.pop();
        }
        Ok(read > 0)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), WarcError> {
        let skipped = io::copy(&mut (&mut self.input).take(bytes), &mut io::sink());
        match skipped.map_err(|error| self.io(error))? {
            skipped if skipped < bytes => Err(WarcError::Truncated(self.records)),
            _ => Ok(()),
        }
    }

    fn io(&self, error: io::Error) -> WarcError {
        let record = self.records.max(1);
        match error.kind() {
            io::ErrorKind::UnexpectedEof => WarcError::Truncated(record),
            _ => WarcError::Io { record, error },
        }
    }

    fn damaged(&self, what: &str) -> WarcError {
        WarcError::Damaged {
            record: self.records,
            what: what.to_owned(),
        }
    }
}

fn is_web(url: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|s| s.eq_ignore_ascii_case(scheme))
    })
}

/// Understands a kept HTTP response.
fn response(url: Url, block: &[u8], limit: usize) -> Result<Response, FetchError> {
    let (status, headers, kept) = head_of(block)?;
    let chunked = headers
        .get(TRANSFER_ENCODING)
        .is_some_and(|coding| coding.as_bytes().to_ascii_lowercase().ends_with(b"chunked"));
    let joined = chunked.then(|| unchunk(kept)).flatten();
    let on_wire = kept.len() as u64;
    let body = body::unpack_kept(joined.as_deref().unwrap_or(kept), &headers, limit)?;
    Ok(kept_response(url, status, headers, body, on_wire))
}

/// Splits a kept response into status, headers and body. What is no header is passed over.
fn head_of(block: &[u8]) -> Result<(u16, HeaderMap, &[u8]), FetchError> {
    let mut rest = block;
    let status = line_of(&mut rest).and_then(|line| {
        let line = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/")?;
        line.split_ascii_whitespace().nth(1)?.parse::<u16>().ok()
    });
    let status = status.ok_or_else(|| FetchError::Protocol("it begins with no HTTP status".into()))?;
    let mut headers = HeaderMap::new();
    for _ in 0..MAX_FIELDS {
        let line = line_of(&mut rest).ok_or_else(|| FetchError::Protocol("its headers do not end".into()))?;
        if line.is_empty() {
            return Ok((status, headers, rest));
        }
        let mut parts = line.splitn(2, |b| *b == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            continue;
        };
        let name = HeaderName::from_bytes(name.trim_ascii());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.trim_ascii())) {
            headers.append(name, value);
        }
    }
    Err(FetchError::Protocol("its headers do not end".into()))
}

/// Takes a line off, without its end; none where no line ends.
fn line_of<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|b| *b == b'\n')?;
    let (line, after) = rest.split_at(end);
    *rest = after.get(1..).unwrap_or_default();
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// A body that was kept without headers.
fn resource(url: Url, body: Bytes, content_type: Option<&str>) -> Response {
    let mut headers = HeaderMap::new();
    if let Some(Ok(kind)) = content_type.map(HeaderValue::from_str) {
        headers.insert(CONTENT_TYPE, kind);
    }
    let on_wire = body.len() as u64;
    kept_response(url, 200, headers, body, on_wire)
}

fn kept_response(url: Url, status: u16, headers: HeaderMap, body: Bytes, bytes_on_wire: u64) -> Response {
    Response {
        status,
        final_url: url,
        permanent_redirect: None,
        headers,
        body,
        bytes_on_wire,
        address: None,
        elapsed: Duration::ZERO,
        hops: 0,
        downgraded: false,
    }
}

/// Joins chunks (RFC 9112, section 7.1), up to where the record was cut; none where the body has no chunks, for a
/// crawler has joined them.
fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut joined = Vec::with_capacity(rest.len());
    let mut first = true;
    loop {
        let size = line_of(&mut rest).and_then(|line| {
            let digits = line.split(|b| *b == b';').next()?.trim_ascii();
            usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        });
        let Some(size) = size else {
            return (!first).then_some(joined);
        };
        first = false;
        let (chunk, after) = rest.split_at_checked(size).unwrap_or((rest, &[]));
        joined.extend_from_slice(chunk);
        rest = after;
        if size == 0 || rest.is_empty() {
            return Some(joined);
        }
        line_of(&mut rest);
    }
}
