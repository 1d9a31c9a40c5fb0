//! The console from outside: real sockets, a real database, a real bus.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod events;
mod feeds_out;
mod hostile;
mod openapi;
mod reading;
mod support;
mod writing;
