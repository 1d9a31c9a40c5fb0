//! Asks a running pipeline over HTTP what it serves beside its work: metrics and health.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for a process; health checks of containers have a few seconds.
const WITHIN: Duration = Duration::from_secs(2);

/// Longest answer that is read; a process has some 100 kB of metrics to tell.
const MAX_ANSWER: u64 = 4 << 20;

/// What a process answered.
pub(super) struct Answer {
    /// First line, as `HTTP/1.1 200 OK`.
    pub(super) status: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn is_fine(&self) -> bool {
        self.status.split_whitespace().nth(1) == Some("200")
    }
}

/// Asks once, waiting at most two seconds for each part of the answer.
pub(super) fn ask(address: SocketAddr, path: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, WITHIN)?;
    stream.set_read_timeout(Some(WITHIN))?;
    stream.set_write_timeout(Some(WITHIN))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok(Answer {
        status: head.lines().next().unwrap_or("no answer").to_owned(),
        body: body.to_owned(),
    })
}
