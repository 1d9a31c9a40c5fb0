//! How often and how many at once a host may be asked, shared by poller and fetcher in one process.
//!
//! A host is `host:port`. Per host there is one instant, the theoretical arrival time of the generic cell rate
//! algorithm, beside a count of requests in flight and an instant until which the host is closed. A rate-limiter crate
//! (governor) was rejected: its limiters cannot change their rate when robots.txt or a 429 asks for it, do not follow
//! tokio's clock, and cost more code to adapt than the two lines of arithmetic they save.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use url::Url;

/// Sweeps look at every host, so they happen at most this often.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Fewer hosts than this are never worth a sweep.
const SWEEP_FLOOR: usize = 1024;

/// What a host may be asked to bear.
#[derive(Clone, Copy, Debug)]
pub struct HostLimitsOptions {
    /// Least time between the starts of two requests to a host; zero for no limit.
    pub min_interval: Duration,
    /// Requests that may start at once after a pause, before `min_interval` tells. A crawl delay allows no burst.
    pub burst: u32,
    /// Requests in flight per host.
    pub concurrency: u32,
    /// Hosts remembered at once.
    pub max_hosts: usize,
    /// The longest crawl delay that is obeyed.
    pub max_crawl_delay: Duration,
    /// The longest time for which a host can be closed.
    pub max_closed: Duration,
}

impl Default for HostLimitsOptions {
    fn default() -> Self {
        Self {
            min_interval: Duration::from_secs(1),
            burst: 4,
            concurrency: 4,
            // About 200 bytes each.
            max_hosts: 65_536,
            // Longer delays would hold one page of a host for hours; the sites that ask for them mean search engines.
            max_crawl_delay: Duration::from_secs(60),
            max_closed: crate::freshness::MAX_RETRY_AFTER,
        }
    }
}

/// Why a host cannot be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not before this instant.
    At(Instant),
    /// As many requests as allowed are in flight; one of them must end first.
    Busy,
}

/// The limits of all hosts; clones share them.
#[derive(Clone)]
pub struct HostLimits {
    shared: Arc<Shared>,
}

struct Shared {
    options: HostLimitsOptions,
    table: Mutex<Table>,
}

struct Table {
    hosts: HashMap<Arc<str>, Host>,
    sweep_at: usize,
    swept: Instant,
    in_flight: usize,
}

struct Host {
    /// When the next request would come if requests came at exactly the allowed rate.
    expected: Instant,
    crawl_delay: Duration,
    closed_until: Instant,
    in_flight: u32,
    /// Woken when a request ends; present while somebody waits for that.
    freed: Option<Arc<Notify>>,
}

impl Host {
    fn is_idle(&self, now: Instant) -> bool {
        let awaited = self
            .freed
            .as_ref()
            .is_some_and(|freed| Arc::strong_count(freed) > 1);
        self.in_flight == 0 && self.expected <= now && self.closed_until <= now && !awaited
    }
}

/// The right to one request to a host; ends when dropped.
pub struct Permit {
    shared: Arc<Shared>,
    host: Arc<str>,
    waited: Duration,
}

impl Permit {
    /// The host that may be asked, as `host:port`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// How long [`HostLimits::acquire`] waited for it; for a metric.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut table = self.shared.lock();
        table.in_flight = table.in_flight.saturating_sub(1);
        if let Some(host) = table.hosts.get_mut(&self.host) {
            host.in_flight = host.in_flight.saturating_sub(1);
            if let Some(freed) = &host.freed {
                // All of them: one alone might be dropped while it waits for time, and the place be lost.
                freed.notify_waiters();
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the key of a URL's host for [`HostLimits`]: `host:port`, with the scheme's port where none is given.
#[must_use]
pub fn host_key(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or(0)
    )
}

impl HostLimits {
    /// Makes limits that no host has used yet.
    #[must_use]
    pub fn new(options: HostLimitsOptions) -> Self {
        let table = Table {
            hosts: HashMap::new(),
            sweep_at: SWEEP_FLOOR,
            swept: Instant::now(),
            in_flight: 0,
        };
        Self {
            shared: Arc::new(Shared {
                options,
                table: Mutex::new(table),
            }),
        }
    }

    /// Takes the right to one request now, or tells when to ask again.
    ///
    /// # Errors
    /// [`Wait`], and nothing is taken. Where the table is full of hosts in use, a new host waits a second.
    pub fn try_acquire(&self, host: &str) -> Result<Permit, Wait> {
        let now = Instant::now();
        let options = &self.shared.options;
        let mut table = self.shared.lock();
        let Some((key, state)) = table.host(host, now, options.max_hosts) else {
            return Err(Wait::At(now + SWEEP_PAUSE));
        };
        if state.closed_until > now {
            return Err(Wait::At(state.closed_until));
        }
        if state.in_flight >= options.concurrency.max(1) {
            return Err(Wait::Busy);
        }
        let interval = options.min_interval.max(state.crawl_delay);
        let burst = if state.crawl_delay > options.min_interval {
            1
        } else {
            options.burst.max(1)
        };
        let tolerance = interval.saturating_mul(burst - 1);
        if state.expected > now + tolerance {
            return Err(Wait::At(state.expected - tolerance));
        }
        state.expected = state.expected.max(now) + interval;
        state.in_flight += 1;
        table.in_flight += 1;
        Ok(Permit {
            shared: Arc::clone(&self.shared),
            host: key,
            waited: Duration::ZERO,
        })
    }

    /// Waits for the right to one request. Dropping the future takes nothing.
    ///
    /// Not fair: all who wait for a host compete, so this is for few waiters; schedulers use [`HostLimits::try_acquire`].
    pub async fn acquire(&self, host: &str) -> Permit {
        let started = Instant::now();
        loop {
            let freed = match self.try_acquire(host) {
                Ok(mut permit) => {
                    permit.waited = started.elapsed();
                    return permit;
                }
                Err(Wait::At(at)) => {
                    sleep_until(at).await;
                    continue;
                }
                Err(Wait::Busy) => self.freed(host),
            };
            // Listening starts before the second look, so a request that ends in between is not missed.
            if let Some(freed) = freed {
                let ended = freed.notified();
                if self.is_busy(host) {
                    ended.await;
                }
            }
        }
    }

    /// Obeys a crawl delay of robots.txt from the next request on, clamped; zero takes it back.
    ///
    /// Forgotten with the host when that was idle for a while, so it is to be said with every verdict of robots.txt.
    pub fn set_crawl_delay(&self, host: &str, delay: Duration) {
        let options = &self.shared.options;
        if let Some((_, state)) = self.shared.lock().host(host, Instant::now(), options.max_hosts) {
            state.crawl_delay = delay.min(options.max_crawl_delay);
        }
    }

    /// Closes a host for some time, clamped; a longer closure stays.
    pub fn retry_after(&self, host: &str, wait: Duration) {
        let now = Instant::now();
        let options = &self.shared.options;
        if let Some((_, state)) = self.shared.lock().host(host, now, options.max_hosts) {
            state.closed_until = state.closed_until.max(now + wait.min(options.max_closed));
        }
    }

    /// Tells until when a host asked to be left alone, if it did.
    #[must_use]
    pub fn closed_until(&self, host: &str) -> Option<Instant> {
        let table = self.shared.lock();
        let until = table.hosts.get(host)?.closed_until;
        (until > Instant::now()).then_some(until)
    }

    /// Number of hosts remembered; never more than `max_hosts`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.lock().hosts.len()
    }

    /// Whether no host is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of permits that are out.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.lock().in_flight
    }

    fn freed(&self, host: &str) -> Option<Arc<Notify>> {
        let mut table = self.shared.lock();
        let state = table.hosts.get_mut(host)?;
        Some(Arc::clone(state.freed.get_or_insert_default()))
    }

    fn is_busy(&self, host: &str) -> bool {
        let concurrency = self.shared.options.concurrency.max(1);
        self.shared
            .lock()
            .hosts
            .get(host)
            .is_some_and(|state| state.in_flight >= concurrency)
    }
}

impl Table {
    /// Returns a host's state, made where there is none; `None` where the table is full of hosts in use.
    fn host(&mut self, host: &str, now: Instant, max_hosts: usize) -> Option<(Arc<str>, &mut Host)> {
        let known = self.hosts.get_key_value(host).map(|(key, _)| Arc::clone(key));
        let key = match known {
            Some(key) => key,
            None => {
                self.make_room(now, max_hosts);
                if self.hosts.len() >= max_hosts.max(1) {
                    return None;
                }
                Arc::from(host)
            }
        };
        let state = self.hosts.entry(Arc::clone(&key)).or_insert_with(|| Host {
            expected: now,
            crawl_delay: Duration::ZERO,
            closed_until: now,
            in_flight: 0,
            freed: None,
        });
        Some((key, state))
    }

    /// Forgets idle hosts when there are twice as many as were in use at the last sweep.
    fn make_room(&mut self, now: Instant, max_hosts: usize) {
        let due = self.hosts.len() >= self.sweep_at.min(max_hosts);
        if due && now >= self.swept + SWEEP_PAUSE {
            self.hosts.retain(|_, host| !host.is_idle(now));
            self.swept = now;
            self.sweep_at = (self.hosts.len() * 2).max(SWEEP_FLOOR);
        }
    }
}

#[cfg(test)]
mod tests;
