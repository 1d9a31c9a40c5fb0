//! Processes that are killed or stopped, a broker that fails, answers that are lost.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use telex_stream::kafka::KafkaOptions;
use telex_stream::{Commit, Event};

use super::broker::End;
use super::case::{Case, PATIENCE, batch};
use super::proxy::{Link, Lost};
use super::shared;

/// Quick to notice who is gone.
fn hasty(options: &mut KafkaOptions) {
    options.session_timeout = Duration::from_secs(2);
    options.transaction_timeout = Duration::from_secs(3);
}

#[test]
fn a_lost_answer_is_found_out() {
    let Some((_, proxy)) = &shared::shared().link else {
        return;
    };
    let case = Case::with("lost", hasty);
    case.feed(0..30);
    let mut session = case.open(10);

    let first = batch(&mut *session);
    proxy.lose_commit(&case.prefix, Lost::Answer);
    let happened = case.copy(&mut *session, &first, first.messages.len());
    assert!(
        proxy.disarmed(&case.prefix),
        "it was lost, and the producer began anew"
    );
    assert_eq!(happened.unwrap(), Commit::Committed, "only the answer was lost");
    assert_eq!(
        case.records(&telex_model::Topic::Pages).len(),
        first.messages.len()
    );

    let second = batch(&mut *session);
    proxy.lose_commit(&case.prefix, Lost::Request);
    let happened = case.copy(&mut *session, &second, second.messages.len()).unwrap();
    assert!(
        proxy.disarmed(&case.prefix),
        "it was lost, and the producer began anew"
    );
    assert!(
        matches!(happened, Commit::Rewound { .. }),
        "it never arrived, and yet: {happened:?}"
    );
    assert_eq!(
        case.records(&telex_model::Topic::Pages).len(),
        first.messages.len()
    );

    case.copy_all(&mut *session);
    case.check(30);
}

#[test]
fn an_expired_transaction_is_done_again() {
    let Some((_, proxy)) = &shared::shared().link else {
        return;
    };
    // The group is as patient as ever: only the transaction is to end.
    let case = Case::with("expired", |options| {
        options.transaction_timeout = Duration::from_secs(2);
    });
    case.feed(0..30);
    let mut session = case.open(10);
    let first = batch(&mut *session);
    // By then the broker has ended the transaction by itself: it looks for such ones every half second.
    proxy.lose_commit(&case.prefix, Lost::Time(Duration::from_secs(6)));
    let happened = case.copy(&mut *session, &first, first.messages.len()).unwrap();
    assert!(proxy.disarmed(&case.prefix), "it was held back");
    assert!(
        matches!(happened, Commit::Rewound { .. }),
        "it came too late, and yet: {happened:?}"
    );
    assert_eq!(case.records(&telex_model::Topic::Pages), []);
    case.copy_all(&mut *session);
    case.check(30);
}

#[test]
fn a_link_fails_and_is_mended() {
    let own = match shared::start_linked("link") {
        Ok(own) => own,
        Err(reason) => return super::broker::missing(&reason),
    };
    let (_, proxy) = own.link.as_ref().unwrap();
    let case = Case::on(&own.address, "link", hasty);
    let mut session = case.open(10);
    let slow = Link::Slow(Duration::from_millis(200));
    for (n, link) in [Link::Cut, Link::Silent, slow].into_iter().enumerate() {
        case.feed(n * 30..n * 30 + 30);
        let part = batch(&mut *session);
        proxy.set(link);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Longer than the group and the transaction wait.
                std::thread::sleep(Duration::from_secs(4));
                proxy.set(Link::Whole);
            });
            case.copy(&mut *session, &part, part.messages.len()).unwrap();
        });
        case.copy_all(&mut *session);
        case.settle(n * 30 + 30, n * 30 + 30);
    }
    case.check(90);
}

#[test]
fn a_broker_ends_and_comes_back() {
    // A broker of its own, for others need theirs meanwhile.
    shared::log();
    let own = match shared::start_linked("restarted") {
        Ok(own) => own,
        Err(reason) => return super::broker::missing(&reason),
    };
    let (broker, _) = own.link.as_ref().unwrap();
    let case = Case::on(&own.address, "away", hasty);
    let mut session = case.open(10);
    for killed in [false, true] {
        let from = if killed { 30 } else { 0 };
        case.feed(from..from + 30);
        let part = batch(&mut *session);
        let copied = 5.min(part.messages.len());
        case.copy(&mut *session, &part, copied).unwrap();
        session.rewind().unwrap();
        case.settle(from + 30, from + copied);
        broker.end(
            1,
            if killed {
                End::WithoutNotice
            } else {
                End::InGoodOrder
            },
        );
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            session.next(Duration::from_millis(200)).unwrap();
            session.lag().unwrap();
        }
        broker.restart();
        session.rewind().unwrap();
        case.copy_all(&mut *session);
        case.check(from + 30);
    }
}

/// A stage in a process of its own: copies until it is killed.
#[test]
#[ignore = "run by the tests of killed and stopped processes"]
fn stage_process() {
    let (Ok(address), Ok(prefix)) = (
        std::env::var("TELEX_TEST_BROKER"),
        std::env::var("TELEX_TEST_PREFIX"),
    ) else {
        return;
    };
    let case = Case::join(&address, &prefix, hasty);
    let mut session = case.open(7);
    loop {
        if let Event::Batch(batch) = session.next(Duration::from_millis(100)).unwrap() {
            std::thread::sleep(Duration::from_millis(20));
            drop(case.copy(&mut *session, &batch, batch.messages.len()).unwrap());
        }
    }
}

struct Process(Child);

impl Process {
    fn start(address: &str, case: &Case) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "faults::stage_process", "--ignored", "--nocapture"])
            .env("TELEX_TEST_BROKER", address)
            .env("TELEX_TEST_PREFIX", &case.prefix)
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.0.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal("-9");
        self.0.wait().unwrap();
    }
}

#[test]
fn processes_die_and_freeze_and_nothing_is_lost_or_doubled() {
    let address = &shared::shared().address;
    let case = Case::on(address, "kill", hasty);
    let rounds = 6;
    let written = |case: &Case| case.records(&telex_model::Topic::Pages).len();
    let steady = Process::start(address, &case);
    for round in 0..rounds {
        case.feed(round * 100..(round + 1) * 100);
        let process = Process::start(address, &case);
        let (before, until) = (written(&case), Instant::now() + PATIENCE);
        while written(&case) < before + 20 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        if round % 3 == 2 {
            // Wakes up as a zombie.
            process.signal("-STOP");
            std::thread::sleep(Duration::from_secs(5));
            process.signal("-CONT");
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    drop(steady);
    case.copy_all(&mut *case.open(100));
    case.check(rounds * 100);
}
