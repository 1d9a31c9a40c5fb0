//! How the client behaves, and what it holds.

use std::time::Duration;

use ipnet::IpNet;

use crate::proxy::EgressProxy;

/// How a [`crate::Client`] behaves.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// `User-Agent`; should say how to reach the operator.
    pub user_agent: String,
    /// Networks that may be reached although the guard would refuse them.
    pub allow_addresses: Vec<IpNet>,
    /// Limit for resolving, connecting and the TLS handshake together.
    pub connect_timeout: Duration,
    /// Limit for the whole fetch: redirects, waiting for places and body included.
    pub total_timeout: Duration,
    /// Longest body in bytes, on the wire and unpacked.
    pub max_body_bytes: usize,
    /// Redirects that are followed.
    pub max_redirects: u8,
    /// Requests in flight per resolved address.
    pub per_address_concurrency: usize,
    /// Connections open at once, idle ones included. Each is a file descriptor.
    pub max_connections: usize,
    /// While more connections than this are open, each is closed after its request instead of kept (HTTP/1.1), so that
    /// a round over thousands of hosts does not end with all connections idle and none to be had.
    pub max_kept_connections: usize,
    /// Idle connections kept per host.
    pub max_idle_per_host: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Hosts whose addresses are remembered.
    pub max_resolved_hosts: u64,
    /// Certificate authorities beside Mozilla's, in DER form.
    pub extra_roots: Vec<Vec<u8>>,
    /// Proxy for everything that goes out.
    pub egress_proxy: Option<EgressProxy>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            user_agent: concat!("telex/", env!("CARGO_PKG_VERSION")).to_owned(),
            allow_addresses: Vec::new(),
            // Three retransmissions of a lost SYN.
            connect_timeout: Duration::from_secs(10),
            // The slowest honest feeds take 10 to 20 s; a drip gets no longer than this.
            total_timeout: Duration::from_secs(30),
            max_body_bytes: 4 * 1024 * 1024,
            // As many as Go's client; browsers follow 20, but honest chains have 2 or 3.
            max_redirects: 10,
            per_address_concurrency: 32,
            max_connections: 4096,
            // About 20 kB each.
            max_kept_connections: 1024,
            max_idle_per_host: 4,
            // Politeness asks a host every second or so: kept that long and a little more, and not until the next poll.
            idle_timeout: Duration::from_secs(5),
            max_resolved_hosts: 16_384,
            extra_roots: Vec::new(),
            egress_proxy: None,
        }
    }
}

/// Sizes of what the client holds, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientStats {
    /// Connections open now, idle ones included.
    pub open_connections: usize,
    /// The most there can be.
    pub max_connections: usize,
    /// Addresses with requests in flight.
    pub busy_addresses: usize,
    /// Hosts whose addresses are remembered; approximate.
    pub resolved_hosts: u64,
}
