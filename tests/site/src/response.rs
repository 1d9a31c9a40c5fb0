//! Answers that a test prescribes.

use std::time::Duration;

/// An answer that stands in for the site's own, once.
///
/// Begins as [`Response::ordinary`], [`Response::status`] or [`Response::redirect`]; the other functions add to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// None leaves the site's own status and body.
    pub(crate) replaced: Option<(u16, Vec<u8>)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) delay: Duration,
    pub(crate) truncated_after: Option<usize>,
    pub(crate) bad_gzip: bool,
}

impl Response {
    /// Gives what the site itself would answer.
    pub fn ordinary() -> Self {
        Self {
            replaced: None,
            headers: Vec::new(),
            delay: Duration::ZERO,
            truncated_after: None,
            bad_gzip: false,
        }
    }

    /// Gives this status with an empty body.
    pub fn status(status: u16) -> Self {
        Self {
            replaced: Some((status, Vec::new())),
            ..Self::ordinary()
        }
    }

    /// Gives a 302 to any address, also a private one.
    pub fn redirect(to: impl Into<String>) -> Self {
        Self::status(302).with_header("location", to)
    }

    /// Adds a header; one that the site sets itself is replaced. Names and values that HTTP forbids are left out.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body, with status 200 where none was given.
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        let status = self.replaced.map_or(200, |(status, _)| status);
        self.replaced = Some((status, body.into()));
        self
    }

    /// Waits before the first byte.
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Announces the whole length and breaks the connection after `bytes` of the body.
    pub fn truncated_after(mut self, bytes: usize) -> Self {
        self.truncated_after = Some(bytes);
        self
    }

    /// Announces gzip and sends bytes that begin like it and are not.
    pub fn with_bad_gzip(mut self) -> Self {
        self.bad_gzip = true;
        self
    }
}
