//! One broker for all tests of the binary, reached through a link of ours.

use std::sync::OnceLock;

use super::broker::{self, Broker};
use super::proxy::Proxy;

static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();

/// What all tests of a binary share.
pub struct Shared {
    /// Where clients find the broker.
    pub address: String,
    /// The link to it, unless the broker is somebody else's.
    pub link: Option<(Broker, Proxy)>,
}

/// Gives the shared broker. Where none can be had the tests end here.
pub fn shared() -> &'static Shared {
    log();
    let shared = SHARED.get_or_init(|| match broker::given() {
        Some(address) => Ok(Shared { address, link: None }),
        None => start_linked("shared"),
    });
    match shared {
        Ok(shared) => shared,
        Err(reason) => {
            broker::missing(reason);
            std::process::exit(0);
        }
    }
}

/// Shows what sessions and clients say where `RUST_LOG` asks for it: how a test that fails is looked into.
pub fn log() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let set = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    // Another test was first.
    drop(set);
}

/// Starts a broker that is reached through a link of ours.
pub fn start_linked(name: &str) -> Result<Shared, String> {
    let proxy = Proxy::start();
    let advertised = format!("advertised.listeners=PLAINTEXT://{}", proxy.address);
    let broker = Broker::start(name, 1, &[&advertised])?;
    proxy.leads_to(&broker.address);
    Ok(Shared {
        address: proxy.address.clone(),
        link: Some((broker, proxy)),
    })
}
