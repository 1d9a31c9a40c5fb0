//! The poller on a simulated bus, against scripted servers over real HTTP on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod polls;
mod promises;
mod server;
mod sitemaps;
mod support;
mod websub;
