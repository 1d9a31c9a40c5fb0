//! Questions to the sink's database: on threads of their own, few at once, each with a deadline.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use telex_sink::{Articles, Interrupt};
use tokio::sync::{Semaphore, oneshot};

use crate::failure::Failure;

/// Questions at once. SQLite reads in parallel; more would only take cores from the pipeline.
const AT_ONCE: usize = 4;

/// Longest wait for a turn.
const TURN: Duration = Duration::from_secs(2);

/// Longest time of a question: what takes longer on a database of any size is asked too broadly.
const QUESTION: Duration = Duration::from_secs(3);

/// Between two attempts to end a question that is over its time.
const AGAIN: Duration = Duration::from_millis(20);

/// The sink's articles.
#[derive(Debug)]
pub(crate) struct Store {
    path: Option<PathBuf>,
    idle: Mutex<Vec<Articles>>,
    room: Arc<Semaphore>,
    time: Duration,
}

impl Store {
    pub(crate) fn new(path: Option<PathBuf>) -> Arc<Self> {
        Self::with_time(path, QUESTION)
    }

    fn with_time(path: Option<PathBuf>, time: Duration) -> Arc<Self> {
        Arc::new(Self {
            path,
            idle: Mutex::default(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
            time,
        })
    }

    /// Asks a question; what is made of the answer, pages of megabytes, is best made there as well, for the threads
    /// that wait for others serve poller and fetcher too.
    pub(crate) async fn ask<T: Send + 'static, E: Into<Failure>>(
        self: &Arc<Self>,
        question: impl FnOnce(&Articles) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.room).acquire_owned()).await;
        let Ok(Ok(place)) = turn else {
            return Err(Failure::unavailable(
                "too many questions at once; try again in a moment",
            ));
        };
        let store = Arc::clone(self);
        let (sender, handle) = oneshot::channel();
        let answer = tokio::task::spawn_blocking(move || {
            let _place = place;
            store.answer(sender, question)
        });
        // A task of its own: the deadline holds also where nobody waits for the answer any more.
        let watched = tokio::spawn(within(self.time, answer, handle));
        watched.await.map_err(|e| Failure::bug(&e))?
    }

    fn answer<T, E: Into<Failure>>(
        &self,
        sender: oneshot::Sender<Interrupt>,
        question: impl FnOnce(&Articles) -> Result<T, E>,
    ) -> Result<T, Failure> {
        let Some(path) = &self.path else {
            return Err(Failure::unavailable(
                "no articles can be shown: this configuration has no SQLite sink (sink.sqlite)",
            ));
        };
        if !path.exists() {
            return Err(Failure::unavailable(format!(
                "{} is not there yet; it is made by the sink: telex run all, or telex run sink",
                path.display()
            )));
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let articles = idle.map_or_else(|| Articles::open(path), Ok)?;
        // Nobody listens any more only where the runtime ends.
        drop(sender.send(articles.interrupt()));
        let answer = question(&articles).map_err(Into::into)?;
        // After an error the connection is not used again: the file may be another one now.
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(articles);
        Ok(answer)
    }
}

type Answer<T> = tokio::task::JoinHandle<Result<T, Failure>>;

/// Waits for an answer; ends the question when its time is over.
async fn within<T>(
    time: Duration,
    mut answer: Answer<T>,
    handle: oneshot::Receiver<Interrupt>,
) -> Result<T, Failure> {
    tokio::select! {
        answer = &mut answer => return answer.map_err(|e| Failure::bug(&e))?,
        () = tokio::time::sleep(time) => {}
    }
    if let Ok(interrupt) = handle.await {
        loop {
            interrupt.interrupt();
            if tokio::time::timeout(AGAIN, &mut answer).await.is_ok() {
                break;
            }
        }
    }
    Err(Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "that takes too long; ask for less: a tag, a shorter time, rarer words",
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use telex_sink::{SinkError, SqliteOptions, SqliteSink};

    use super::*;

    #[tokio::test]
    async fn says_what_is_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, said) in [
            (None, "sink.sqlite"),
            (Some(folder.path().join("articles.sqlite")), "not there yet"),
        ] {
            let failure = Store::new(path)
                .ask(|_| Ok::<_, SinkError>(()))
                .await
                .expect_err("nothing is there");
            assert!(failure.detail.contains(said), "{}", failure.detail);
        }
        let damaged = folder.path().join("damaged.sqlite");
        std::fs::write(&damaged, vec![b'x'; 8192]).expect("written");
        let failure = Store::new(Some(damaged))
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
        let store = Store::with_time(Some(path), Duration::from_millis(50));
        let begun = Instant::now();
        let endless = |articles: &Articles| -> Result<(), SinkError> {
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
