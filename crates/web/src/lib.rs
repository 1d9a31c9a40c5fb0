//! The guarded HTTP client that poller and fetcher share.
//!
//! Every URL that comes in here was written by a stranger. So each fetch is bounded in time, bytes, redirects and
//! connections, reaches only vetted addresses ([`AddressGuard`]), keeps credentials to the origin they were given for,
//! and is polite: [`HostLimits`] says when a host may be asked, [`Robots`] what may be asked of it.
//!
//! Built on hyper and hyper-util rather than reqwest. The guard needs the place where connections are made: there the
//! name is resolved, the addresses are judged and one of them is connected to, for names, IP literals, redirects and the
//! egress proxy alike, while reqwest lets literals past its resolver hook. Bytes on the wire have to be counted before
//! unpacking, which reqwest hides, and errors have to keep their kind, which it turns into text. What reqwest adds beyond
//! that (redirects, decompression, timeouts) is the very thing to be done differently here. TLS is rustls with ring:
//! half the build time of aws-lc, and no C tool chain beyond a compiler.
//!
//! | file | holds |
//! |---|---|
//! | `client`, `options`, `request`, `chain`, `response` | one fetch with its redirects, under all limits |
//! | `guard`, `resolve`, `connect`, `proxy` | from a URL to a connection to a vetted address |
//! | `addresses`, `limits` | concurrency per address; rate and concurrency per host |
//! | `body`, `charset` | from the wire to bytes; from bytes to text |
//! | `freshness` | what servers say about time, as pure functions |
//! | `robots` | robots.txt |
//! | `warc` | what crawlers kept in web archives |
//!
//! Cost of a fetch on one core of a busy two-core machine, server excluded (`cargo bench -p telex-web`): a 304 over a
//! kept connection 33 us, over 4,000 hosts 103 us, a page of 180 kB 90 us plain and 250 us packed.
//!
//! | promise | shown by |
//! |---|---|
//! | only vetted addresses, on every hop, whatever names do | `tests/web/guard.rs`, `redirects.rs`, `guard` |
//! | credentials keep to their origin | `tests/web/redirects.rs` |
//! | time, bytes, bombs, connections are bounded | `tests/web/client.rs`, `guard.rs`, `body` |
//! | TLS is checked, HTTP/2 spoken, the proxy never told a name | `tests/web/tls.rs` |
//! | rate, concurrency, Retry-After, crawl delay per host | `limits`, `tests/web/redirects.rs` |
//! | robots.txt by RFC 9309 | `tests/web/robots.rs` |
//! | web archives are read as crawlers write them | `tests/web/warc.rs` |

mod addresses;
mod body;
mod chain;
mod charset;
mod client;
mod connect;
mod error;
pub mod freshness;
mod guard;
mod limits;
mod options;
mod proxy;
mod request;
mod resolve;
mod response;
mod robots;
mod warc;

pub use charset::{charset_of, decode_html};
pub use client::Client;
pub use error::{Class, FetchError, status_class};
pub use freshness::Freshness;
pub use guard::AddressGuard;
pub use http::{HeaderMap, header};
pub use limits::{HostLimits, HostLimitsOptions, Permit, Wait, host_key};
pub use options::{ClientOptions, ClientStats};
pub use proxy::EgressProxy;
pub use request::{ACCEPT_FEED, ACCEPT_PAGE, Request};
pub use resolve::{Resolve, Resolving, SystemResolver};
pub use response::Response;
pub use robots::{Politeness, Robots, Verdict};
pub use warc::{Capture, WarcError, WarcReader};
