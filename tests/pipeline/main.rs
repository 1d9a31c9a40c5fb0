//! The whole pipeline from outside: the real binary, real HTTP, a real bus on disk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bad_input;
mod documents;
mod faults;
mod operate;
mod whole;
mod world;
