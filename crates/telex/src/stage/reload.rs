//! The classifier's stage with topic files that are read again when they change.
//!
//! Looked at between batches, by name, size and time of change: a watcher of the file system was rejected, for it
//! misses changes on network file systems and mounted configuration maps, and a look costs microseconds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use telex_classifier::Classifier;
use telex_model::Topic;
use telex_stream::{BatchStage, Bus, Message, Outcome, TransformStage};
use telex_telemetry::Metrics;

use super::ClassifierStage;
use crate::error::CliError;
use crate::open;

/// Time between two looks at the folder: short for a person who waits, long beside a batch.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The classifier's stage and the topic files that it goes by.
pub(crate) struct Reloading {
    stage: TransformStage<ClassifierStage>,
    watch: Option<Watch>,
}

/// The folder of the user's topic files.
struct Watch {
    folder: PathBuf,
    seen: Vec<Stamp>,
    looked: Instant,
    bus: Arc<dyn Bus>,
    prefix: String,
    metrics: Arc<Metrics>,
}

/// What tells a file from the same file changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp {
    path: PathBuf,
    modified: Option<SystemTime>,
    length: u64,
}

impl Reloading {
    /// `folder` holds the user's topic files; the built-in ones alone never change.
    pub(crate) fn new(
        stage: ClassifierStage,
        folder: Option<&Path>,
        bus: Arc<dyn Bus>,
        prefix: &str,
        metrics: Arc<Metrics>,
    ) -> Self {
        let watch = folder.map(|folder| Watch {
            folder: folder.to_owned(),
            seen: stamps(folder),
            looked: Instant::now(),
            bus,
            prefix: prefix.to_owned(),
            metrics,
        });
        Self {
            stage: TransformStage(stage),
            watch,
        }
    }
}

impl BatchStage for Reloading {
    fn process(&mut self, messages: &[Arc<Message>]) -> Vec<Outcome> {
        if let Some((classifier, topics)) = self.watch.as_mut().and_then(Watch::changed) {
            self.stage.0.replace(classifier, topics);
        }
        self.stage.process(messages)
    }
}

impl Watch {
    /// Returns the new set where the files have changed and are right.
    fn changed(&mut self) -> Option<(Classifier, Vec<(String, Topic)>)> {
        if self.looked.elapsed() < LOOK_EVERY {
            return None;
        }
        self.looked = Instant::now();
        self.look()
    }

    /// Looks at the folder, whenever that was done last.
    fn look(&mut self) -> Option<(Classifier, Vec<(String, Topic)>)> {
        let stamps = stamps(&self.folder);
        if stamps == self.seen {
            return None;
        }
        let loaded = self.load();
        self.metrics.topic_files_broken.set(i64::from(loaded.is_err()));
        // A bus that cannot make topics now is asked again at the next look; broken files wait for their next change.
        if !matches!(loaded, Err(CliError::Unavailable(_))) {
            self.seen = stamps;
        }
        match loaded {
            Ok((classifier, topics)) => {
                tracing::info!(
                    version = classifier.version(),
                    "topic files have changed and are in use"
                );
                Some((classifier, topics))
            }
            Err(error) => {
                tracing::error!(%error, "topic files have changed and are wrong; those before stay in use");
                None
            }
        }
    }

    fn load(&self) -> Result<(Classifier, Vec<(String, Topic)>), CliError> {
        let files = open::topic_files(Some(&self.folder))?;
        let classifier = open::compiled(Classifier::new(&files))?;
        let topics = open::tag_topics(&classifier)?;
        let of_tags: Vec<Topic> = topics.iter().map(|(_, topic)| topic.clone()).collect();
        self.bus.create_topics(&self.prefix, &of_tags)?;
        Ok((classifier, topics))
    }
}

/// Stamps of the topic files of a folder; none where it cannot be read, which differs from any that it held.
fn stamps(folder: &Path) -> Vec<Stamp> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut stamps: Vec<Stamp> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            // By path, so that a link (as in mounted configuration) is followed.
            let about = std::fs::metadata(&path).ok();
            Stamp {
                modified: about.as_ref().and_then(|about| about.modified().ok()),
                length: about.map_or(0, |about| about.len()),
                path,
            }
        })
        .collect();
    stamps.sort();
    stamps
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail loudly")]

    use telex_stream::sqlite::{SqliteBus, SqliteOptions};

    use super::*;

    const TOPIC: &str =
        "[topic]\nname = \"mine\"\n[[signal]]\nname = \"all\"\nrole = \"core\"\nconcepts = [\"moldova\"]\n";

    fn watch(folder: &Path, bus: &Arc<dyn Bus>) -> Watch {
        Watch {
            folder: folder.to_owned(),
            seen: stamps(folder),
            looked: Instant::now(),
            bus: Arc::clone(bus),
            prefix: "telex".to_owned(),
            metrics: Metrics::new(),
        }
    }

    #[test]
    fn changed_files_are_taken_up_and_broken_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        let data = tempfile::tempdir().unwrap();
        let bus: Arc<dyn Bus> = Arc::new(SqliteBus::open(SqliteOptions::new(data.path(), true)).unwrap());
        let mut watch = watch(folder.path(), &bus);
        assert!(watch.look().is_none(), "nothing has changed");

        std::fs::write(&file, "[topic]\nname = \n").unwrap();
        assert!(watch.look().is_none());
        assert_eq!(watch.metrics.topic_files_broken.get(), 1);

        std::fs::write(&file, TOPIC).unwrap();
        let (with_mine, topics) = watch.look().expect("the files are right");
        assert_eq!(watch.metrics.topic_files_broken.get(), 0);
        assert!(topics.iter().any(|(tag, _)| tag == "mine"));
        assert!(bus.topics().unwrap().contains(&"telex.tagged.mine.v1".to_owned()));
        assert!(watch.look().is_none(), "nothing has changed since");

        std::fs::remove_file(&file).unwrap();
        let (without, _) = watch.look().expect("the file is gone");
        assert_ne!(with_mine.version(), without.version());
    }

    #[test]
    fn tags_of_topics_that_are_gone_can_still_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine.toml"), TOPIC).unwrap();
        let load = |folder: Option<&Path>| {
            let classifier = Classifier::new(&open::topic_files(folder).unwrap()).unwrap();
            let topics = open::tag_topics(&classifier).unwrap();
            (classifier, topics)
        };
        let (classifier, topics) = load(Some(folder.path()));
        let mut stage = ClassifierStage::new("telex", Arc::new(classifier), topics, Metrics::new());
        let (classifier, topics) = load(None);
        let version = classifier.version().to_owned();
        stage.replace(classifier, topics);
        assert_eq!(stage.version(), version);
        assert!(stage.tags().any(|tag| tag == "mine"));
    }
}
