//! The sink as its users see it: real files, a real bus.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set itself up must fail"
)]

mod conformance;
mod copy;
mod damage;
mod disk;
mod filters;
mod json_lines;
mod parquet;
mod pipeline;
mod postgres;
mod retention;
mod search;
mod store;
mod story;
mod support;

#[path = "../disk/mod.rs"]
mod small_disk;

#[path = "../server/mod.rs"]
mod server;
