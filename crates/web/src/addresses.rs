//! A cap on requests in flight per IP address.
//!
//! Thousands of hosts share the addresses of a few hosting companies; limits per host alone would let all of them be
//! asked at once. There is no rate here, only concurrency: a content network takes any rate.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts requests per address; addresses without requests cost nothing.
#[derive(Clone)]
pub(crate) struct AddressLimits {
    entries: Arc<Mutex<HashMap<IpAddr, Arc<Semaphore>>>>,
    concurrency: usize,
}

/// A place among the requests to one address; free again when dropped.
pub(crate) struct AddressPermit {
    permit: Option<OwnedSemaphorePermit>,
    address: IpAddr,
    limits: AddressLimits,
}

impl AddressLimits {
    pub(crate) fn new(concurrency: usize) -> Self {
        Self {
            entries: Arc::default(),
            concurrency: concurrency.max(1),
        }
    }

    /// Waits for a place. Fair: first come, first served.
    pub(crate) async fn acquire(&self, address: IpAddr) -> AddressPermit {
        // Made before waiting, so that a caller who gives up cleans up as well.
        let mut place = AddressPermit {
            permit: None,
            address,
            limits: self.clone(),
        };
        let semaphore = Arc::clone(
            self.lock()
                .entry(address)
                .or_insert_with(|| Arc::new(Semaphore::new(self.concurrency))),
        );
        // The semaphore is never closed.
        place.permit = semaphore.acquire_owned().await.ok();
        place
    }

    /// Number of addresses with requests in flight or waiting.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Arc<Semaphore>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut entries = self.limits.lock();
        // Permits and waiters hold a reference each, so one reference means nobody is left.
        if entries
            .get(&self.address)
            .is_some_and(|semaphore| Arc::strong_count(semaphore) == 1)
        {
            entries.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn an_address_takes_so_many_at_once_and_is_forgotten_after() {
        let limits = AddressLimits::new(2);
        let (one, other) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::BROADCAST));
        let first = limits.acquire(one).await;
        let second = limits.acquire(one).await;
        let waiting = timeout(Duration::from_secs(1), limits.acquire(one)).await;
        assert!(waiting.is_err(), "a third request got in");
        drop(limits.acquire(other).await);
        assert_eq!(limits.len(), 1);
        drop(first);
        let third = timeout(Duration::from_secs(1), limits.acquire(one)).await;
        assert!(third.is_ok());
        drop((second, third));
        assert_eq!(limits.len(), 0);
    }
}
