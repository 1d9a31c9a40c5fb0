//! Questions to the sink's database: on threads of their own, few at once, each with a deadline.
//!
//! A question is answered or ended, whichever comes first, and never both: what ends it on PostgreSQL arrives some time
//! later, so whoever is to be ended is not asked anything else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use telex_sink::{Database, Interrupt, Reader};
use tokio::sync::{Semaphore, oneshot};

use crate::failure::Failure;

/// Questions at once, and connections to PostgreSQL. SQLite reads in parallel; more would only take cores from the
/// pipeline.
const AT_ONCE: usize = 4;

/// Longest wait for a turn.
const TURN: Duration = Duration::from_secs(2);

/// Longest time of a question: what takes longer on a database of any size is asked too broadly.
const QUESTION: Duration = Duration::from_secs(3);

/// Between two attempts to end a question that is over its time.
const AGAIN: Duration = Duration::from_millis(20);

/// The sink's articles.
pub(crate) struct Store {
    database: Option<Database>,
    idle: Mutex<Vec<Box<dyn Reader>>>,
    room: Arc<Semaphore>,
    time: Duration,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.database).finish()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A connection to PostgreSQL says goodbye, which blocks.
        let idle = std::mem::take(self.idle.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !idle.is_empty() {
            std::thread::spawn(move || drop(idle));
        }
    }
}

/// What a question that is being answered is known by.
struct Asked {
    interrupt: oneshot::Sender<Interrupt>,
    /// It is answered, or to be ended: whoever says so first.
    over: Arc<AtomicBool>,
}

impl Store {
    pub(crate) fn new(database: Option<Database>) -> Arc<Self> {
        Self::with_time(database, QUESTION)
    }

    fn with_time(database: Option<Database>, time: Duration) -> Arc<Self> {
        Arc::new(Self {
            database,
            idle: Mutex::default(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
            time,
        })
    }

    /// Asks a question; what is made of the answer, pages of megabytes, is best made there as well, for the threads
    /// that wait for others serve poller and fetcher too.
    pub(crate) async fn ask<T: Send + 'static, E: Into<Failure>>(
        self: &Arc<Self>,
        question: impl FnOnce(&mut dyn Reader) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.room).acquire_owned()).await;
        let Ok(Ok(place)) = turn else {
            return Err(Failure::unavailable(
                "too many questions at once; try again in a moment",
            ));
        };
        let store = Arc::clone(self);
        let (interrupt, handle) = oneshot::channel();
        let over = Arc::new(AtomicBool::new(false));
        let asked = Asked {
            interrupt,
            over: Arc::clone(&over),
        };
        let answer = tokio::task::spawn_blocking(move || {
            let _place = place;
            store.answer(asked, question)
        });
        // A task of its own: the deadline holds also where nobody waits for the answer any more.
        let watched = tokio::spawn(within(self.time, answer, handle, over));
        watched.await.map_err(|e| Failure::bug(&e))?
    }

    fn answer<T, E: Into<Failure>>(
        &self,
        asked: Asked,
        question: impl FnOnce(&mut dyn Reader) -> Result<T, E>,
    ) -> Result<T, Failure> {
        let mut reader = self.reader()?;
        // Nobody listens any more only where the runtime ends.
        drop(asked.interrupt.send(reader.interrupt()));
        let answer = question(&mut *reader).map_err(Into::into)?;
        // After an error the connection is not used again: the database may be another one now.
        if !asked.over.swap(true, Ordering::SeqCst) {
            self.idle().push(reader);
        }
        Ok(answer)
    }

    /// Gives a reader that can be asked.
    fn reader(&self) -> Result<Box<dyn Reader>, Failure> {
        let Some(database) = &self.database else {
            return Err(Failure::unavailable(
                "no articles can be shown: this configuration has neither a SQLite sink (sink.sqlite) nor PostgreSQL (sink.postgres.url)",
            ));
        };
        if let Database::Sqlite(path) = database
            && !path.exists()
        {
            return Err(Failure::unavailable(format!(
                "{} is not there yet; it is made by the sink: telex run all, or telex run sink",
                path.display()
            )));
        }
        let idle = self.idle().pop();
        if let Some(mut reader) = idle {
            if reader.is_alive() {
                return Ok(reader);
            }
            // The others are as old.
            let old = std::mem::take(&mut *self.idle());
            drop(old);
        }
        Ok(database.open()?)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Box<dyn Reader>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Answer<T> = tokio::task::JoinHandle<Result<T, Failure>>;

/// Waits for an answer; has the question ended when its time is over.
async fn within<T: Send + 'static>(
    time: Duration,
    mut answer: Answer<T>,
    mut handle: oneshot::Receiver<Interrupt>,
    over: Arc<AtomicBool>,
) -> Result<T, Failure> {
    if let Ok(answer) = tokio::time::timeout(time, &mut answer).await {
        return answer.map_err(|e| Failure::bug(&e))?;
    }
    if over.swap(true, Ordering::SeqCst) {
        return answer.await.map_err(|e| Failure::bug(&e))?;
    }
    let asked = handle.try_recv();
    let said = match asked {
        Ok(_) => "that takes too long; ask for less: a tag, a shorter time, rarer words",
        Err(_) => "the database does not answer in time; try again in a moment",
    };
    // Nobody waits for a connection that is slow to end; a thread of its own, so that the question ends also where the
    // runtime does, which would wait for it.
    let end = move || {
        let Ok(interrupt) = asked.or_else(|_| handle.blocking_recv()) else {
            return;
        };
        while !answer.is_finished() {
            interrupt.interrupt();
            std::thread::sleep(AGAIN);
        }
    };
    if let Err(error) = std::thread::Builder::new().spawn(end) {
        tracing::warn!(%error, "a question that takes too long cannot be ended");
    }
    Err(Failure::unavailable(said))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use telex_sink::{SinkError, SqliteOptions, SqliteSink};

    use super::*;

    #[tokio::test]
    async fn says_what_is_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        for (database, said) in [
            (None, "sink.sqlite"),
            (
                Some(Database::Sqlite(folder.path().join("articles.sqlite"))),
                "not there yet",
            ),
        ] {
            let failure = Store::new(database)
                .ask(|_| Ok::<_, SinkError>(()))
                .await
                .expect_err("nothing is there");
            assert!(failure.detail.contains(said), "{}", failure.detail);
        }
        let damaged = folder.path().join("damaged.sqlite");
        std::fs::write(&damaged, vec![b'x'; 8192]).expect("written");
        let failure = Store::new(Some(Database::Sqlite(damaged)))
            .ask(|_| Ok::<_, SinkError>(()))
            .await
            .expect_err("damaged");
        assert!(failure.detail.contains("damaged"), "{}", failure.detail);
    }

    #[tokio::test]
    async fn ends_what_takes_too_long_and_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("articles.sqlite");
        drop(SqliteSink::open(&path, &SqliteOptions::default()).expect("a sink"));
        let store = Store::with_time(Some(Database::Sqlite(path)), Duration::from_millis(50));
        let begun = Instant::now();
        let endless = |articles: &mut dyn Reader| -> Result<(), SinkError> {
            loop {
                articles.count(&telex_sink::Query::default())?;
            }
        };
        let failure = store.ask(endless).await.expect_err("ended");
        assert!(failure.detail.contains("too long"), "{}", failure.detail);
        assert!(begun.elapsed() < Duration::from_secs(60));
        let n = store
            .ask(|articles| articles.count(&telex_sink::Query::default()))
            .await;
        assert_eq!(n.expect("answered"), 0);
    }
}
