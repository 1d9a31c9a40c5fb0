//! Black-box tests of the news site: what it holds and how it answers, over real sockets.
#![allow(clippy::expect_used, reason = "a test that cannot go on should say where")]

mod client;
mod content;
mod serving;
