//! Items to pages: the frontier, robots.txt, politeness and retries.
//!
//! The fetcher is a [`telex_stream::Source`]. An item moves into the frontier in one transaction with its offset; a
//! page and the record that says that it is done are written in another. So order of completion is free, a slow or
//! banned host holds up nobody else, and a retry waits in the frontier. The frontier also owns what is decided once:
//! which items are one article, its revision and when it was first seen.

mod body;
mod fetch;
mod fetcher;
mod frontier;

pub use body::FetchMode;
pub use fetcher::{DEAD_REASONS, DROP_REASONS, Fetcher, FetcherOptions};
