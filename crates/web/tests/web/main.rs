//! The client, its guard and its manners, against real sockets on loopback.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod client;
mod guard;
mod redirects;
mod robots;
mod support;
mod tls;
mod warc;
