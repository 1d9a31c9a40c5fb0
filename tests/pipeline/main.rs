//! The whole pipeline from outside: the real binary, real HTTP, a real bus on disk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod bad_input;
mod bench;
mod broker;
mod canary;
mod cluster;
mod console;
mod documents;
mod import;
mod kafka;
mod kafka_refusals;
mod operate;
mod postgres;
mod proxy;
mod top;
mod topics;
mod whole;
mod world;

#[path = "../../crates/sink/tests/server/mod.rs"]
mod postgres_server;

#[path = "../../crates/sink/tests/disk/mod.rs"]
mod small_disk;

#[path = "../faults/mod.rs"]
mod faults;
