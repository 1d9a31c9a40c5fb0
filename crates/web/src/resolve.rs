//! From a host to the addresses that may be connected to.
//!
//! The operating system's resolver is used rather than a DNS library: it follows `/etc/hosts` and what the operator set
//! up, and costs no dependency. It hides the time to live, so answers are kept for a minute; what is kept are the
//! addresses that passed the guard, and connections go to nothing else, so a name that changes its mind between check
//! and use (DNS rebinding) gains nothing.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::time::Instant;

use crate::{AddressGuard, FetchError};

/// Long enough that a burst of pages of one host asks once, short enough to follow a host that moves.
const FOUND_TTL: Duration = Duration::from_secs(60);

/// Short, for a name server that fails often recovers at once; long enough to spare it a storm of retries.
const FAILED_TTL: Duration = Duration::from_secs(10);

/// The future of a name look-up.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Finds the addresses of a host name. Judging them is not its job.
pub trait Resolve: Send + Sync + 'static {
    /// Looks up all addresses of `host`, in the order in which they should be tried.
    ///
    /// The caller may drop the future at any time.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

/// Asks the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            Ok(tokio::net::lookup_host((host, 0))
                .await?
                .map(|found| found.ip())
                .collect())
        })
    }
}

#[derive(Clone)]
struct Answer {
    addresses: Result<Arc<[IpAddr]>, FetchError>,
    expires: Instant,
}

/// Resolves hosts, vets the answers and remembers them.
pub(crate) struct Vetted {
    resolver: Arc<dyn Resolve>,
    guard: AddressGuard,
    cache: Cache<String, Answer>,
    timeout: Duration,
}

impl Vetted {
    pub(crate) fn new(
        resolver: Arc<dyn Resolve>,
        guard: AddressGuard,
        hosts: u64,
        timeout: Duration,
    ) -> Self {
        Self {
            resolver,
            guard,
            cache: Cache::new(hosts),
            timeout,
        }
    }

    /// Number of hosts remembered; approximate, for a metric.
    pub(crate) fn len(&self) -> u64 {
        self.cache.entry_count()
    }

    /// Returns at least one address of `host` (a name, or an IP literal with or without brackets) that may be reached.
    ///
    /// Look-ups of one host at the same time become one. IPv4 comes first: where IPv6 is broken it fails by silence.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Arc<[IpAddr]>, FetchError> {
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return self.vet(host, vec![address]);
        }
        if let Some(answer) = self.cache.get(host).await
            && answer.expires > Instant::now()
        {
            return answer.addresses;
        }
        let entry = self.cache.entry_by_ref(host);
        let answer = entry
            .or_insert_with_if(self.look_up(host), |old| old.expires <= Instant::now())
            .await;
        answer.into_value().addresses
    }

    async fn look_up(&self, host: &str) -> Answer {
        let addresses = match tokio::time::timeout(self.timeout, self.resolver.resolve(host)).await {
            Ok(Ok(found)) => self.vet(host, found),
            Ok(Err(error)) => Err(dns_error(host, error.to_string())),
            Err(_) => Err(dns_error(host, "no answer in time".to_owned())),
        };
        let ttl = if addresses.is_ok() { FOUND_TTL } else { FAILED_TTL };
        Answer {
            addresses,
            expires: Instant::now() + ttl,
        }
    }

    fn vet(&self, host: &str, mut found: Vec<IpAddr>) -> Result<Arc<[IpAddr]>, FetchError> {
        let mut refused = None;
        found.retain(|address| match self.guard.check(*address) {
            Ok(()) => true,
            Err(kind) => {
                refused.get_or_insert((*address, kind));
                false
            }
        });
        match (found.is_empty(), refused) {
            (false, _) => {
                found.sort_by_key(IpAddr::is_ipv6);
                Ok(found.into())
            }
            (true, Some((address, kind))) => Err(FetchError::ForbiddenAddress {
                host: host.to_owned(),
                address,
                kind,
            }),
            (true, None) => Err(dns_error(host, "no address".to_owned())),
        }
    }
}

fn dns_error(host: &str, message: String) -> FetchError {
    FetchError::Dns {
        host: host.to_owned(),
        message,
    }
}
