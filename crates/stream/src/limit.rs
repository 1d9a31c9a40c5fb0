//! Rate limits of a stage.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};

use crate::control::Control;

/// What a stage may process per second; none is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateLimit {
    /// Messages per second, per process.
    pub messages_per_second: Option<NonZeroU32>,
    /// Bytes of values per second, per process.
    pub bytes_per_second: Option<NonZeroU32>,
}

/// The limiters of a stage. Each lets one second's worth through at once.
#[derive(Debug)]
pub struct Limits {
    messages: Option<Bucket>,
    bytes: Option<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    limiter: DefaultDirectRateLimiter,
    burst: NonZeroU32,
}

impl Limits {
    /// Makes the limiters of a stage.
    pub fn new(limit: RateLimit) -> Self {
        let bucket = |burst| Bucket {
            limiter: DefaultDirectRateLimiter::direct(Quota::per_second(burst)),
            burst,
        };
        Self {
            messages: limit.messages_per_second.map(bucket),
            bytes: limit.bytes_per_second.map(bucket),
        }
    }

    /// How many of these messages, given by their sizes, pass at once: a second's worth, but at least the first.
    pub(crate) fn pass_at_once(&self, sizes: impl Iterator<Item = usize>) -> usize {
        let burst = |bucket: &Option<Bucket>| {
            let burst = bucket.as_ref().and_then(|b| usize::try_from(b.burst.get()).ok());
            burst.unwrap_or(usize::MAX)
        };
        let (most, most_bytes) = (burst(&self.messages), burst(&self.bytes));
        let mut bytes = 0usize;
        let fits = |(n, size): &(usize, usize)| {
            bytes = bytes.saturating_add(*size);
            *n == 0 || bytes <= most_bytes
        };
        sizes.enumerate().take(most).take_while(fits).count()
    }

    /// Waits until so much may be processed, or the stage is told to stop; gives the time waited.
    pub fn wait(&self, messages: usize, bytes: usize, control: &Control) -> Duration {
        let begin = Instant::now();
        for (bucket, amount) in [(&self.messages, messages), (&self.bytes, bytes)] {
            if let Some(bucket) = bucket {
                bucket.wait(amount, control);
            }
        }
        begin.elapsed()
    }
}

impl Bucket {
    fn wait(&self, amount: usize, control: &Control) {
        let clock = DefaultClock::default();
        let mut left = u32::try_from(amount).unwrap_or(u32::MAX);
        while let Some(part) = NonZeroU32::new(left.min(self.burst.get())) {
            match self.limiter.check_n(part) {
                Ok(Ok(())) => left -= part.get(),
                Ok(Err(not_until)) => {
                    if !control.wait(not_until.wait_time_from(clock.now())) {
                        return;
                    }
                }
                // `part` never exceeds the burst.
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_back_what_exceeds_the_rate() {
        let limits = Limits::new(RateLimit {
            messages_per_second: NonZeroU32::new(50),
            bytes_per_second: None,
        });
        let control = Control::default();
        assert!(
            limits.wait(50, 0, &control) < Duration::from_millis(100),
            "the first second's worth passes"
        );
        assert!(
            limits.wait(10, 0, &control) >= Duration::from_millis(150),
            "10 more take 200 ms"
        );
        control.stop();
        assert!(
            limits.wait(5000, 0, &control) < Duration::from_millis(100),
            "nobody waits when stopping"
        );
    }
}
