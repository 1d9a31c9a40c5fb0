//! The suite on the simulated bus, and a thousand runs with random faults.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on must fail"
)]

mod conformance;

use std::sync::Arc;
use std::time::Duration;

use conformance::{Abilities, Harness};
use telex_stream::Bus;
use telex_stream::sim::{Fault, SimBus};

struct Sim(SimBus);

impl Harness for Sim {
    fn bus(&self) -> Arc<dyn Bus> {
        Arc::new(self.0.clone())
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            members: true,
            keeps_uncommitted: true,
        }
    }

    fn restart(&mut self) {
        self.0.kill_sessions();
    }

    fn fail_next_commit(&self) -> bool {
        self.0.inject(Fault::Failed);
        true
    }

    fn pass_time(&self, time: Duration) -> bool {
        self.0.advance(time);
        true
    }
}

conformance::suite!(Sim(SimBus::default()));

/// One run with random faults: sessions that come, go and die copy everything; deterministic by its seed.
mod storm {
    use std::collections::BTreeMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use telex_stream::sim::{Faults, SimBus, SimOptions};
    use telex_stream::{Batch, Commit, Control, Event, Lag, Outcome, Session, Transaction, run_stage};

    use super::Sim;
    use crate::conformance::model::{Random, Stage, emit};
    use crate::conformance::{Case, check, copied, id_of};

    const MESSAGES: usize = 60;

    /// Steps with faults; after them the run comes to its end.
    const FAULTY: usize = 200;

    fn faults(seed: u64) -> Faults {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut share = || u16::try_from(random.below(4) * random.below(60)).unwrap();
        Faults {
            failed: share(),
            unknown_applied: share(),
            unknown_lost: share(),
            expelled: share(),
            shuffled: share(),
        }
    }

    fn bus(seed: u64) -> SimBus {
        SimBus::new(SimOptions {
            seed,
            faults: faults(seed),
        })
    }

    /// A session with what it has read and not committed.
    struct Worker {
        session: Box<dyn Session>,
        batch: Batch,
    }

    impl Worker {
        /// Takes one step; false where there was nothing to do.
        fn step(&mut self, case: &Case<'_>, random: &mut Random) -> bool {
            let event = self.session.next(Duration::ZERO).unwrap();
            match event {
                Event::Batch(batch) => {
                    self.batch.messages.extend(batch.messages);
                    // Now and then what was read waits until something else has happened.
                    if random.below(4) > 0 {
                        self.commit(case, random);
                    }
                }
                Event::Revoked { partitions, .. } => {
                    if random.below(2) == 0 {
                        self.commit(case, random);
                    }
                    self.forget(&partitions);
                }
                Event::Lost(partitions) => self.forget(&partitions),
                Event::Assigned(_) => {}
                Event::Idle if self.batch.messages.is_empty() => return false,
                Event::Idle => self.commit(case, random),
            }
            true
        }

        fn forget(&mut self, partitions: &[u32]) {
            self.batch.messages.retain(|m| !partitions.contains(&m.partition));
        }

        fn commit(&mut self, case: &Case<'_>, random: &mut Random) {
            let all = self.batch.messages.len();
            if all == 0 {
                return;
            }
            let n = 1 + random.below(all);
            let topic = |id: usize| if id % 9 == 8 { case.dead() } else { case.output() };
            let outputs = self
                .batch
                .messages
                .iter()
                .take(n)
                .map(|m| copied(&topic(id_of(m)), m))
                .collect();
            let transaction = Transaction {
                offsets: self.batch.offsets(n),
                outputs,
                ..Transaction::default()
            };
            match self.session.commit(transaction).unwrap() {
                Commit::Committed => drop(self.batch.messages.drain(..n)),
                Commit::Rewound { .. } | Commit::Fenced => self.batch.messages.clear(),
            }
        }
    }

    /// Offsets of a group never go back.
    fn grow(case: &Case<'_>, before: &mut BTreeMap<u32, u64>) {
        for (partition, next) in case.bus().committed(&case.group, &case.input()).unwrap() {
            let last = before.insert(partition, next).unwrap_or(0);
            assert!(
                last <= next,
                "partition {partition} went back from {last} to {next}"
            );
        }
    }

    fn run(seed: u64) -> Vec<usize> {
        let mut harness = Sim(bus(seed));
        let sim = harness.0.clone();
        let case = Case::copy(&mut harness, "storm");
        let mut random = Random(seed | 1);
        let mut workers: Vec<Worker> = Vec::new();
        let mut committed = BTreeMap::new();
        let mut fed = 0;
        for step in 0.. {
            assert!(step < 20_000, "it never ends");
            if fed < MESSAGES && random.below(4) == 0 {
                let more = (fed + 1 + random.below(12)).min(MESSAGES);
                case.feed(fed, more, 7);
                fed = more;
            }
            let faulty = step < FAULTY;
            if !faulty {
                sim.set_faults(Faults::default());
            }
            match random.below(30) {
                0 if faulty => drop(workers.pop()),
                1 if faulty => sim.kill_sessions(),
                2 | 3 if workers.len() < 3 => workers.push(open(&case, &mut random)),
                _ if workers.is_empty() => workers.push(open(&case, &mut random)),
                n => {
                    let index = n % workers.len();
                    workers[index].step(&case, &mut random);
                }
            }
            grow(&case, &mut committed);
            if fed == MESSAGES && !faulty && drained(&case, &mut workers, &mut random) {
                break;
            }
        }
        check::exactly_once(&case, MESSAGES);
        case.records(&case.output()).iter().map(|m| id_of(m)).collect()
    }

    fn open(case: &Case<'_>, random: &mut Random) -> Worker {
        let session = case.open(1 + random.below(20));
        Worker {
            session,
            batch: Batch::default(),
        }
    }

    fn drained(case: &Case<'_>, workers: &mut [Worker], random: &mut Random) -> bool {
        let mut busy = false;
        for worker in workers.iter_mut() {
            busy |= worker.step(case, random);
        }
        let mut lags = workers.iter_mut().flat_map(|w| w.session.lag().unwrap());
        !busy && lags.by_ref().count() == 12 && workers.iter_mut().all(|w| all_drained(&mut *w.session))
    }

    fn all_drained(session: &mut dyn Session) -> bool {
        session.lag().unwrap().iter().all(Lag::drained)
    }

    fn for_each_seed(seeds: std::ops::Range<u64>, run: impl Fn(u64) + Sync) {
        for seed in seeds {
            let result = catch_unwind(AssertUnwindSafe(|| run(seed)));
            if let Err(panic) = result {
                eprintln!("failing seed: {seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }

    #[test]
    fn a_thousand_seeds_lose_nothing() {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || for_each_seed(thread * 250..(thread + 1) * 250, |seed| drop(run(seed))));
            }
        });
    }

    #[test]
    fn a_seed_has_one_course() {
        for_each_seed(0..20, |seed| assert_eq!(run(seed), run(seed)));
    }

    /// The driver under the same faults; fewer seeds, as its backoff takes real time.
    #[test]
    fn drivers_lose_nothing() {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || for_each_seed(thread * 4..thread * 4 + 4, drive));
            }
        });
    }

    fn drive(seed: u64) {
        let mut harness = Sim(bus(seed));
        let case = Case::copy(&mut harness, "driven");
        case.feed(0, MESSAGES, 7);
        let control = Control::default();
        control.drain();
        let output = case.output();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let (session, context) = (case.open(9), case.context(&control));
                let output = &output;
                let mut seen = 0;
                scope.spawn(move || {
                    let mut stage = Stage::new(|id, message| {
                        seen += 1;
                        match (id % 9, seen % 23) {
                            (_, 22) => Outcome::Transient("away".to_owned()),
                            (8, _) => Outcome::Poison {
                                reason: "eight",
                                detail: String::new(),
                            },
                            _ => emit(output, message),
                        }
                    });
                    run_stage(session, &mut stage, context).unwrap();
                });
            }
        });
        check::exactly_once(&case, MESSAGES);
    }
}
