//! What is read from the bus to be shown, each kept for a while: however many look, the pipeline pays once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use telex_model::{FeedState, Stage};
use telex_operate::{
    DeadLetters, FeedStatus, Feeds, LetterFilter, OperateError, Survey, without_user, without_users,
};
use telex_stream::Bus;
use telex_telemetry::Metrics;
use tokio::sync::{Mutex, Semaphore};

use crate::failure::Failure;

/// What was read is as good as new for so long.
const FRESH: Duration = Duration::from_secs(2);

/// Reading again may take this part of the time, at most: a hundredth of one core for each of the two that are read.
const SHARE: u32 = 100;

/// Dead letters that are listed: the newest.
pub(crate) const LETTERS: usize = 1000;

/// Threads that block for the console: the runtime has some for all, and names of hosts are looked up there.
static THREADS: Semaphore = Semaphore::const_new(4);

/// What was read, be it an error: read again when it is old.
#[derive(Debug)]
struct Kept<T> {
    value: Result<Arc<T>, Failure>,
    until: Instant,
    /// Changes that were known when it was read.
    changes: u64,
}

/// A place for what is kept. Who waits for it does so without a thread.
type Place<T> = Arc<Mutex<Option<Kept<T>>>>;

/// What is kept of the bus.
#[derive(Debug)]
pub(crate) struct Looks {
    bus: Arc<dyn Bus>,
    prefix: String,
    feeds: Place<Vec<FeedStatus>>,
    letters: Place<Survey>,
    /// Counts what was changed here.
    changes: AtomicU64,
}

impl Looks {
    pub(crate) fn new(bus: Arc<dyn Bus>, prefix: &str) -> Arc<Self> {
        Arc::new(Self {
            bus,
            prefix: prefix.to_owned(),
            feeds: Place::default(),
            letters: Place::default(),
            changes: AtomicU64::new(0),
        })
    }

    /// Reads the feeds, worst first.
    pub(crate) async fn feeds(self: &Arc<Self>) -> Result<Arc<Vec<FeedStatus>>, Failure> {
        let looks = Arc::clone(self);
        kept(&self.feeds, &self.changes, move || {
            let mut feeds = Feeds::new(looks.bus.as_ref(), &looks.prefix).list()?;
            for feed in &mut feeds {
                feed.feed.url = without_user(&feed.feed.url);
                feed.state.iter_mut().for_each(hide);
            }
            Ok(feeds)
        })
        .await
    }

    /// Reads the newest dead letters, the newest first, and counts all.
    pub(crate) async fn letters(self: &Arc<Self>) -> Result<Arc<Survey>, Failure> {
        let looks = Arc::clone(self);
        kept(&self.letters, &self.changes, move || {
            let filter = LetterFilter {
                limit: LETTERS,
                ..LetterFilter::default()
            };
            let mut survey = DeadLetters::new(looks.bus.as_ref(), &looks.prefix).survey(&filter)?;
            survey.newest.reverse();
            Ok(survey)
        })
        .await
    }

    /// Has everything read again: something was changed.
    pub(crate) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }
}

/// Takes users and passwords out of the addresses that a poller remembers.
fn hide(state: &mut FeedState) {
    let moved = state.moved_to.iter_mut();
    let moving = state.moving.iter_mut().map(|m| &mut m.to);
    let push = state.push.iter_mut().flat_map(|p| [&mut p.hub, &mut p.topic]);
    for address in moved.chain(moving).chain(push) {
        *address = without_user(address);
    }
    if let Some(error) = &mut state.last_error {
        *error = without_users(error).into_owned();
    }
}

/// Runs what blocks on a thread of its own, few at once; who waits for a turn does so without one.
pub(crate) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OperateError> + Send + 'static,
) -> Result<T, Failure> {
    let turn = THREADS.acquire().await.map_err(|e| Failure::bug(&e))?;
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    done.await.map_err(|e| Failure::bug(&e))?.map_err(Failure::from)
}

/// Gives what is kept; reads it again where it is old, or where something was changed since. Who comes meanwhile waits.
async fn kept<T: Send + Sync + 'static>(
    place: &Place<T>,
    changes: &AtomicU64,
    read: impl FnOnce() -> Result<T, OperateError> + Send + 'static,
) -> Result<Arc<T>, Failure> {
    let mut place = Arc::clone(place).lock_owned().await;
    let changes = changes.load(Ordering::Acquire);
    if let Some(kept) = place.as_ref()
        && kept.changes == changes
        && Instant::now() < kept.until
    {
        return kept.value.clone();
    }
    // The place stays taken while it is read, also where nobody waits for it any more.
    let done = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        let value = read().map(Arc::new).map_err(Failure::from);
        *place = Some(Kept {
            value: value.clone(),
            until: Instant::now() + FRESH.max(begun.elapsed() * SHARE),
            changes,
        });
        value
    });
    done.await.map_err(|e| Failure::bug(&e))?
}

/// What a stage had done at one time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) messages_in: u64,
    /// None where only the bus is seen.
    pub(crate) messages_out: Option<u64>,
    pub(crate) dropped: Option<u64>,
    pub(crate) dead: Option<u64>,
    pub(crate) waiting: u64,
    pub(crate) lag_seconds: Option<f64>,
    pub(crate) limit_wait: Option<f64>,
    pub(crate) held: bool,
}

/// What all stages had done at one time.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    pub(crate) at: Timestamp,
    pub(crate) stages: [Count; Stage::ALL.len()],
}

/// Counts from the metrics of this process.
pub(crate) fn of_metrics(metrics: &Arc<Metrics>) -> Counts {
    let stages = Stage::ALL.map(|stage| {
        let m = metrics.stage(stage, &[], &[]);
        let (dropped, dead) = m.losses();
        let frontier = if stage == Stage::Fetcher {
            metrics.frontier_pending.get()
        } else {
            0
        };
        Count {
            messages_in: m.messages_in.get(),
            messages_out: Some(m.messages_out.get()),
            dropped: Some(dropped),
            dead: Some(dead),
            waiting: u64::try_from(m.lag.get() + frontier).unwrap_or_default(),
            lag_seconds: Some(m.lag_seconds.get()),
            limit_wait: Some(m.limit_wait.get()),
            held: m.breaker.get() != 0,
        }
    });
    Counts {
        at: Timestamp::now(),
        stages,
    }
}

/// Counts from what groups have committed: what each stage has read, and what waits for it.
pub(crate) fn of_bus(bus: &dyn Bus, prefix: &str) -> Result<Counts, OperateError> {
    let mut stages = [Count::default(); Stage::ALL.len()];
    for (count, stage) in stages.iter_mut().zip(Stage::ALL) {
        let topic = stage.input().name(prefix);
        let committed = bus.committed(&format!("{prefix}.{stage}"), &topic)?;
        for ends in bus.ends(&topic)? {
            let at = committed.iter().find(|(p, _)| *p == ends.partition);
            let at = at.map_or(ends.first, |(_, at)| *at).clamp(ends.first, ends.end);
            count.messages_in += at;
            count.waiting += ends.end - at;
        }
    }
    Ok(Counts {
        at: Timestamp::now(),
        stages,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn who_waits_for_a_reading_takes_no_thread() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let place = Place::<u32>::default();
        let changes = Arc::new(AtomicU64::new(0));
        let (go, gone) = mpsc::channel::<()>();
        let gone = Arc::new(std::sync::Mutex::new(gone));
        let ask = || {
            let (place, changes, gone) = (Arc::clone(&place), Arc::clone(&changes), Arc::clone(&gone));
            runtime.spawn(async move {
                let read = move || {
                    let _ended = gone.lock().map(|gone| gone.recv());
                    Ok(7)
                };
                kept(&place, &changes, read).await
            })
        };
        let asked: Vec<_> = (0..20).map(|_| ask()).collect();
        runtime.block_on(async {
            let free = tokio::time::timeout(Duration::from_secs(60), async {
                while place.try_lock().is_ok() {
                    tokio::task::yield_now().await;
                }
                tokio::task::spawn_blocking(|| ()).await
            });
            assert!(free.await.is_ok(), "a thread is free");
            drop(go);
            for one in asked {
                let value = one.await.expect("no panic").expect("read");
                assert_eq!(*value, 7);
            }
        });
    }

    #[tokio::test]
    async fn errors_are_kept_and_changes_have_it_read_again() {
        let place = Place::<u32>::default();
        let changes = AtomicU64::new(0);
        let failed = kept(&place, &changes, || Err(OperateError::Missing("gone".to_owned()))).await;
        assert!(failed.is_err());
        let again = kept(&place, &changes, || Ok(1)).await;
        assert_eq!(again.expect_err("kept").detail, "gone");
        changes.fetch_add(1, Ordering::AcqRel);
        let read = kept(&place, &changes, || Ok(2)).await;
        assert_eq!(*read.expect("read again"), 2);
        assert_eq!(*kept(&place, &changes, || Ok(3)).await.expect("kept"), 2);
    }
}
