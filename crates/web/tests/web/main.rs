//! The client, its guard and its manners, against real sockets on loopback.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod client;
mod redirects;
mod support;
