//! Cases on [`run_source`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use telex_model::{Stage, Topic};
use telex_stream::{Control, DriverError, FinishedWork, Message, Outcome, Source, Summary, run_source};

use super::model::Fetcher;
use super::{Case, Harness, check, id_of, newest, numbered};

/// A case that takes items in, keeps a frontier and writes pages.
fn fetching<'h>(harness: &'h mut dyn Harness, name: &str) -> Case<'h> {
    let topics = [
        Topic::Items,
        Topic::Frontier,
        Topic::Pages,
        Topic::DeadLetters(Stage::Fetcher),
    ];
    Case::new(harness, name, &topics)
}

/// Appends items; every key comes once.
fn feed(case: &Case<'_>, from: usize, to: usize) {
    let input = case.topic(&Topic::Items);
    case.bus()
        .append((from..to).map(|id| numbered(&input, id, usize::MAX)).collect())
        .unwrap();
}

fn fetcher(case: &Case<'_>, seed: u64, crash_in: usize) -> Fetcher {
    Fetcher::new(
        case.topic(&Topic::Frontier),
        case.topic(&Topic::Pages),
        seed,
        crash_in,
    )
}

fn run(case: &Case<'_>, control: &Control, fetcher: &mut Fetcher) -> Result<Summary, DriverError> {
    let session = case
        .bus()
        .session(case.config(&case.topic(&Topic::Items), 20))
        .unwrap();
    run_source(session, fetcher, case.context_of(Stage::Fetcher, control))
}

fn drain(case: &Case<'_>, seed: u64, crash_in: usize) -> Summary {
    let control = Control::default();
    control.drain();
    let mut fetcher = fetcher(case, seed, crash_in);
    case.in_time(&control, || run(case, &control, &mut fetcher))
        .unwrap()
}

/// Every item is a page or a dead letter, once, and is done.
fn check(case: &Case<'_>, count: usize) {
    let pages = case.records(&case.topic(&Topic::Pages));
    let dead = case.records(&case.topic(&Topic::DeadLetters(Stage::Fetcher)));
    check::ids_once(pages.iter().chain(&dead), count);
    // What it calls poison, and what it panics over.
    assert!(dead.iter().all(|m| id_of(m) % 10 == 9 || id_of(m) % 50 == 48));
    let state: Vec<Message> = case
        .records(&case.topic(&Topic::Frontier))
        .iter()
        .map(|m| Message::clone(m))
        .collect();
    let state = newest(&state);
    assert_eq!(state.len(), pages.len());
    assert!(state.values().all(|v| v == "done"), "{state:?}");
}

pub fn works_off_its_input(harness: &mut dyn Harness) {
    let case = fetching(harness, "source");
    feed(&case, 0, 100);
    let summary = drain(&case, 1, 0);
    assert_eq!((summary.messages_in, summary.dead_letters), (100, 12));
    check(&case, 100);
    // The same items again are known.
    feed(&case, 0, 50);
    let again = drain(&case, 2, 0);
    assert_eq!(
        (again.messages_in, again.dropped, again.dead_letters),
        (50, 44, 6)
    );
    assert_eq!(case.records(&case.topic(&Topic::Pages)).len(), 88);
}

pub fn restores_after_failed_commits(harness: &mut dyn Harness) {
    let case = fetching(harness, "source-fail");
    feed(&case, 0, 120);
    let control = Control::default();
    control.drain();
    let mut failing = Failing {
        inner: fetcher(&case, 3, 0),
        harness: case.harness,
        left: 4,
        forgotten: 0,
    };
    let session = case
        .harness
        .bus()
        .session(case.config(&case.topic(&Topic::Items), 20))
        .unwrap();
    let summary = run_source(session, &mut failing, case.context_of(Stage::Fetcher, &control)).unwrap();
    let (able, forgotten) = (failing.left < 4, failing.forgotten);
    assert_eq!(summary.messages_in, 120, "what was rewound is not counted");
    assert!(
        !able || forgotten >= 4,
        "its state was ahead of the bus: {forgotten}"
    );
    check(&case, 120);
}

/// Has a commit fail now and then.
struct Failing<'a> {
    inner: Fetcher,
    harness: &'a dyn Harness,
    left: usize,
    forgotten: usize,
}

impl Source for Failing<'_> {
    fn restored_from(&self) -> Vec<String> {
        self.inner.restored_from()
    }
    fn restore(&mut self, topic: &str, message: &Message) {
        self.inner.restore(topic, message);
    }
    fn assigned(&mut self, partition: u32) {
        self.inner.assigned(partition);
    }
    fn revoked(&mut self, partitions: &[u32]) {
        self.forgotten += 1;
        self.inner.revoked(partitions);
    }
    fn ingest(&mut self, message: &Message) -> Outcome {
        self.inner.ingest(message)
    }
    fn start(&mut self, now: Instant) -> Option<Instant> {
        self.inner.start(now)
    }
    fn finished(&mut self) -> Vec<FinishedWork> {
        let finished = self.inner.finished();
        // As often as it was forgotten, so that no two fall on one commit.
        if !finished.is_empty() && self.left > 0 && self.forgotten == 4 - self.left {
            self.left -= usize::from(self.harness.fail_next_commit());
        }
        finished
    }
    fn idle(&self) -> bool {
        self.inner.idle()
    }
}

pub fn survives_crashes(harness: &mut dyn Harness) {
    let rounds = harness.rounds();
    let case = fetching(harness, "source-crash");
    let count = 15 * rounds;
    feed(&case, 0, count);
    for round in 0..rounds {
        let seed = 1 + 77 * round as u64;
        drop(catch_unwind(AssertUnwindSafe(|| drain(&case, seed, 25))));
        case.harness.restart();
    }
    drain(&case, 5, 0);
    check(&case, count);
}

pub fn shares_work(harness: &mut dyn Harness) {
    let case = fetching(harness, "source-share");
    if !case.harness.abilities().members {
        return;
    }
    feed(&case, 0, 600);
    let controls: Vec<Control> = (0..3).map(|_| Control::default()).collect();
    let pages = case.topic(&Topic::Pages);
    std::thread::scope(|scope| {
        for (i, control) in controls.iter().enumerate() {
            // They come one after the other, so that partitions change hands while there is work.
            let input = case.topic(&Topic::Items);
            let session = case.bus().session(case.config(&input, 20)).unwrap();
            let context = case.context_of(Stage::Fetcher, control);
            let mut fetcher = fetcher(&case, i as u64 + 11, 0);
            scope.spawn(move || run_source(session, &mut fetcher, context).unwrap());
            let until = Instant::now() + case.harness.patience();
            while case.records(&pages).len() < 50 * (i + 1) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        // The first leaves in the middle, the others drain.
        controls[0].stop();
        controls[1].drain();
        controls[2].drain();
    });
    check(&case, 600);
}

pub fn holds_no_more_than_it_can(harness: &mut dyn Harness) {
    let case = fetching(harness, "source-full");
    feed(&case, 0, 300);
    let control = Control::default();
    control.drain();
    let mut source = Watched {
        inner: fetcher(&case, 7, 0),
        most: 0,
    };
    source.inner.most_waiting = 10;
    let session = case
        .bus()
        .session(case.config(&case.topic(&Topic::Items), 20))
        .unwrap();
    run_source(session, &mut source, case.context_of(Stage::Fetcher, &control)).unwrap();
    assert!(source.most < 10 + 20, "at most a batch more: {}", source.most);
    check(&case, 300);
}

/// Notes how much it holds.
struct Watched {
    inner: Fetcher,
    most: usize,
}

impl Source for Watched {
    fn restored_from(&self) -> Vec<String> {
        self.inner.restored_from()
    }
    fn restore(&mut self, topic: &str, message: &Message) {
        self.inner.restore(topic, message);
    }
    fn assigned(&mut self, partition: u32) {
        self.inner.assigned(partition);
    }
    fn revoked(&mut self, partitions: &[u32]) {
        self.inner.revoked(partitions);
    }
    fn ingest(&mut self, message: &Message) -> Outcome {
        let outcome = self.inner.ingest(message);
        self.most = self.most.max(self.inner.waiting());
        outcome
    }
    fn start(&mut self, now: Instant) -> Option<Instant> {
        self.inner.start(now)
    }
    fn finished(&mut self) -> Vec<FinishedWork> {
        self.inner.finished()
    }
    fn idle(&self) -> bool {
        self.inner.idle()
    }
    fn full(&self) -> bool {
        self.inner.full()
    }
}

/// Takes in, and never has anything due.
#[derive(Default)]
struct Hoarder(usize);

impl Source for Hoarder {
    fn restored_from(&self) -> Vec<String> {
        Vec::new()
    }
    fn restore(&mut self, _topic: &str, _message: &Message) {}
    fn assigned(&mut self, _partition: u32) {}
    fn revoked(&mut self, _partitions: &[u32]) {}
    fn ingest(&mut self, _message: &Message) -> Outcome {
        self.0 += 1;
        Outcome::Emit(Vec::new())
    }
    fn start(&mut self, _now: Instant) -> Option<Instant> {
        None
    }
    fn finished(&mut self) -> Vec<FinishedWork> {
        Vec::new()
    }
    fn idle(&self) -> bool {
        true
    }
    fn full(&self) -> bool {
        self.0 >= 30
    }
}

pub fn leaves_to_the_next_run_what_it_cannot_hold(harness: &mut dyn Harness) {
    let case = fetching(harness, "source-hoard");
    feed(&case, 0, 200);
    let control = Control::default();
    control.drain();
    let mut taken = 0;
    for _ in 0..20 {
        let mut source = Hoarder::default();
        let session = case
            .bus()
            .session(case.config(&case.topic(&Topic::Items), 20))
            .unwrap();
        let context = case.context_of(Stage::Fetcher, &control);
        let summary = case
            .in_time(&control, || run_source(session, &mut source, context))
            .unwrap();
        assert!(source.0 < 50, "{}", source.0);
        taken += summary.messages_in;
        if summary.messages_in == 0 {
            break;
        }
    }
    assert_eq!(taken, 200, "each run goes on where the last one ended");
}
