//! Writing to standard output.

use std::io::{ErrorKind, IsTerminal, Write};

use serde::Serialize;

use crate::error::CliError;

/// Writes text and a newline.
pub(crate) fn line(text: &str) -> Result<(), CliError> {
    write(format!("{text}\n").as_bytes())
}

/// Writes a value as one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value).map_err(|e| CliError::Bug(e.to_string()))?;
    line(&text)
}

/// Writes bytes.
pub(crate) fn write(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(broken)
}

/// What an error of standard output means.
pub(crate) fn broken(error: std::io::Error) -> CliError {
    match error.kind() {
        ErrorKind::BrokenPipe => CliError::BrokenPipe,
        _ => CliError::Unavailable(format!("standard output: {error}")),
    }
}

/// Tells whether a person looks at standard error.
pub(crate) fn person_watches() -> bool {
    std::io::stderr().is_terminal()
}

/// Tells whether standard output may be coloured.
pub(crate) fn colors() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Takes control characters out of foreign text, so that it cannot drive a terminal.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || is_bidi(c) { ' ' } else { c })
        .collect()
}

/// Characters that turn the order of what follows.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
