//! The suite on the embedded bus.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on must fail"
)]

mod conformance;

use std::sync::Arc;
use std::time::Duration;

use conformance::{Abilities, Harness};
use jiff::Timestamp;
use telex_stream::Bus;
use telex_stream::sqlite::{SqliteBus, SqliteOptions};
use tempfile::TempDir;

struct Sqlite {
    folder: TempDir,
    bus: Option<Arc<SqliteBus>>,
    /// How far the clock has been put forward.
    passed: std::sync::Mutex<Duration>,
}

impl Sqlite {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut new = Self {
            folder,
            bus: None,
            passed: std::sync::Mutex::default(),
        };
        new.restart();
        new
    }

    fn open(&self) -> &Arc<SqliteBus> {
        self.bus.as_ref().unwrap()
    }
}

impl Harness for Sqlite {
    fn bus(&self) -> Arc<dyn Bus> {
        Arc::<SqliteBus>::clone(self.open())
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            members: false,
            keeps_uncommitted: true,
        }
    }

    fn restart(&mut self) {
        if let Some(bus) = self.bus.take() {
            assert_eq!(Arc::strong_count(&bus), 1, "a case holds on to the bus");
        }
        let options = SqliteOptions::new(self.folder.path(), true);
        self.bus = Some(Arc::new(SqliteBus::open(options).unwrap()));
    }

    fn fail_next_commit(&self) -> bool {
        self.open().fail_next_commit();
        true
    }

    fn pass_time(&self, time: Duration) -> bool {
        let mut passed = self.passed.lock().unwrap();
        *passed += time;
        self.open().maintain(Timestamp::now() + *passed).unwrap();
        true
    }
}

conformance::suite!(Sqlite::new());
