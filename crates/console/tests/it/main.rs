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
mod postgres;
mod reading;
mod support;
mod writing;

#[allow(dead_code, reason = "these tests use a part of it")]
#[path = "../../../sink/tests/server/mod.rs"]
mod server;
