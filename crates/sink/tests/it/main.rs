//! The sink as its users see it: real files, a real bus.
#![allow(clippy::expect_used, reason = "a test that cannot set itself up must fail")]

mod damage;
mod json_lines;
mod pipeline;
mod search;
mod store;
mod story;
mod support;
