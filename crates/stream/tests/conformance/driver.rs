//! Cases on [`run_stage`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use telex_model::event::header;
use telex_model::{MAX_MESSAGE_BYTES, partition_for};
use telex_stream::{
    Control, DriverError, MAX_DEAD_BYTES, Message, Outcome, Output, Summary, Transform, TransformStage,
    run_stage,
};

use super::model::{self, Random, emit};
use super::{Case, Harness, check, id_of, numbered};

/// Drains the input with a rule.
fn drain(
    case: &Case<'_>,
    batch: usize,
    rule: impl FnMut(usize, &Message) -> Outcome + Send,
) -> Result<Summary, DriverError> {
    let control = Control::default();
    control.drain();
    let mut stage = model::Stage::new(rule);
    let session = case.open(batch);
    let context = case.context(&control);
    case.in_time(&control, move || run_stage(session, &mut stage, context))
}

pub fn drains_and_counts(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "drain");
    case.feed(0, 300, 13);
    let output = case.output();
    let rule = |id: usize, message: &Message| match id % 10 {
        7 => Outcome::Drop("seven"),
        8 => Outcome::Poison {
            reason: "eight",
            detail: String::new(),
        },
        _ => emit(&output, message),
    };
    let summary = drain(&case, 50, rule).unwrap();
    let expected = Summary {
        messages_in: 300,
        messages_out: 240,
        dropped: 30,
        dead_letters: 30,
    };
    assert_eq!(summary, expected);
    assert_eq!(case.records(&case.output()).len(), 240);
    // There is nothing left, and that is noticed.
    assert_eq!(drain(&case, 50, rule).unwrap(), Summary::default());
    assert_eq!(case.records(&case.dead()).len(), 30);
}

pub fn finishes_what_was_begun_on_stop(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "stop");
    case.feed(0, 200, 13);
    let (output, control) = (case.output(), Control::default());
    let mut seen = 0;
    let stop = control.clone();
    let mut stage = model::Stage::new(|_, message: &Message| {
        seen += 1;
        if seen == 3 {
            stop.stop();
        }
        emit(&output, message)
    });
    let (session, context) = (case.open(20), case.context(&control));
    let summary = case
        .in_time(&control, || run_stage(session, &mut stage, context))
        .unwrap();
    drop(stage);
    assert_eq!(
        summary.messages_in as usize, seen,
        "all that was begun is committed"
    );
    assert!(seen < 200, "and nothing else is begun");
    assert_eq!(case.records(&case.output()).len(), seen);
    drain(&case, 50, |_, m| emit(&case.output(), m)).unwrap();
    check::exactly_once(&case, 200);
}

pub fn goes_on_after_failed_commits(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "failing");
    case.feed(0, 120, 13);
    let output = case.output();
    let mut calls = 0;
    let mut able = true;
    {
        let harness = &*case.harness;
        let control = Control::default();
        control.drain();
        let mut failing = Failing {
            calls: &mut calls,
            able: &mut able,
            output: &output,
            harness,
        };
        let (session, context) = (case.open(30), case.context(&control));
        let summary = run_stage(session, &mut failing, context).unwrap();
        assert_eq!(summary.messages_in, 120, "what was rewound is not counted");
    }
    assert!(!able || calls > 120, "something was done again: {calls}");
    check::exactly_once(&case, 120);
}

struct Failing<'a> {
    calls: &'a mut usize,
    able: &'a mut bool,
    output: &'a str,
    harness: &'a dyn Harness,
}

impl telex_stream::BatchStage for Failing<'_> {
    fn process(&mut self, messages: &[std::sync::Arc<Message>]) -> Vec<Outcome> {
        if *self.calls < 60 {
            *self.able = self.harness.fail_next_commit();
        }
        *self.calls += messages.len();
        messages.iter().map(|m| emit(self.output, m)).collect()
    }
}

pub fn retries_what_is_transient(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "transient");
    case.feed(0, 60, 7);
    let output = case.output();
    let mut refused = 0;
    let summary = drain(&case, 20, |id, message| {
        if id % 25 == 11 && refused < 3 {
            refused += 1;
            return Outcome::Transient("the database is away".to_owned());
        }
        emit(&output, message)
    });
    assert_eq!((summary.unwrap().messages_in, refused), (60, 3));
    assert_eq!(case.records(&case.dead()), []);
    check::exactly_once(&case, 60);
}

pub fn never_blames_a_message_for_restarts(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "blame");
    case.feed(0, 10, 1);
    let output = case.output();
    for _ in 0..6 {
        // Somebody stops the process again and again, because a database that the stage needs is away.
        let control = Control::default();
        let stop = control.clone();
        let mut stage = model::Stage::new(move |_, _: &Message| {
            stop.stop();
            Outcome::Transient("the database is away".to_owned())
        });
        let (session, context) = (case.open(5), case.context(&control));
        case.in_time(&control, || run_stage(session, &mut stage, context))
            .unwrap();
        case.harness.restart();
    }
    let summary = drain(&case, 5, |_, m| emit(&output, m)).unwrap();
    assert_eq!((summary.messages_out, summary.dead_letters), (10, 0));
    check::exactly_once(&case, 10);
}

struct Panics(String);

impl Transform for Panics {
    fn process(&self, message: &Message) -> Outcome {
        let id = id_of(message);
        assert!(id % 20 != 5, "id {id} is not for me");
        emit(&self.0, message)
    }
}

pub fn makes_dead_letters(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "panics");
    case.feed(0, 100, 13);
    let control = Control::default();
    control.drain();
    let mut stage = TransformStage(Panics(case.output()));
    let (session, context) = (case.open(30), case.context(&control));
    let summary = case
        .in_time(&control, || run_stage(session, &mut stage, context))
        .unwrap();
    assert_eq!((summary.messages_in, summary.dead_letters), (100, 5));
    check::exactly_once(&case, 100);
    let inputs = case.records(&case.input());
    for letter in case.records(&case.dead()) {
        let id = id_of(&letter);
        let origin = inputs.iter().find(|m| id_of(m) == id).unwrap();
        let place = format!("{}/{}/{}", case.input(), origin.partition, origin.offset);
        assert_eq!(header(&letter.headers, "telex_dead_reason"), Some("panic"));
        let detail = header(&letter.headers, "telex_dead_detail").unwrap();
        assert!(detail.contains(&format!("id {id} is not for me")), "{detail}");
        assert_eq!(header(&letter.headers, "telex_dead_origin"), Some(place.as_str()));
        assert_eq!(letter.key, origin.key);
    }
}

pub fn turns_oversize_into_dead_letters(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "large");
    case.feed(0, 3, 1);
    // At the very limit, by value and by headers: the dead letter has headers of its own to fit in.
    let empty = numbered(&case.input(), 3, 1);
    let room = MAX_MESSAGE_BYTES - empty.size();
    let by_value = Output {
        value: Some(Bytes::from(vec![b'3'; room + 1])),
        ..empty.clone()
    };
    let mut by_header = empty.clone();
    by_header.headers.push(("x".to_owned(), "h".repeat(room - 1)));
    case.bus().append(vec![by_value, by_header]).unwrap();
    let output = case.output();
    struct Large(String);
    impl telex_stream::BatchStage for Large {
        fn process(&mut self, messages: &[std::sync::Arc<Message>]) -> Vec<Outcome> {
            let large = |m: &Message| {
                let mut output = super::copied(&self.0, m);
                output
                    .headers
                    .push(("more".to_owned(), "m".repeat(MAX_MESSAGE_BYTES)));
                Outcome::Emit(vec![super::copied(&self.0, m), output])
            };
            messages
                .iter()
                .map(|m| {
                    if m.size() < 1000 && id_of(m) != 1 {
                        emit(&self.0, m)
                    } else {
                        large(m)
                    }
                })
                .collect()
        }
    }
    let control = Control::default();
    control.drain();
    let (session, context) = (case.open(30), case.context(&control));
    let summary = case
        .in_time(&control, || run_stage(session, &mut Large(output), context))
        .unwrap();
    let expected = Summary {
        messages_in: 5,
        messages_out: 2,
        dropped: 0,
        dead_letters: 3,
    };
    assert_eq!(summary, expected);
    assert_eq!(
        case.records(&case.output()).len(),
        2,
        "nothing of a poisoned message goes out"
    );
    let dead = case.records(&case.dead());
    assert_eq!(dead.len(), 3);
    for letter in &dead {
        assert_eq!(header(&letter.headers, "telex_dead_reason"), Some("oversize"));
        assert!(letter.size() <= MAX_MESSAGE_BYTES);
        assert!(header(&letter.headers, "telex_dead_origin").is_some());
    }
    assert_eq!(
        dead[0].value.as_ref().map(Bytes::len),
        Some(1),
        "what fits is whole"
    );
    assert_eq!(dead[1].value.as_ref().map(Bytes::len), Some(MAX_DEAD_BYTES));
    assert_eq!(
        header(&dead[1].headers, "telex_dead_truncated"),
        Some((room + 1).to_string().as_str())
    );
}

/// Runs a driver whose stage may panic, which is the end of the process as far as the bus can see.
fn run_or_die(
    case: &mut Case<'_>,
    batch: usize,
    rule: impl FnMut(usize, &Message) -> Outcome + Send,
) -> bool {
    let died = catch_unwind(AssertUnwindSafe(|| drain(case, batch, rule))).map(|r| r.unwrap());
    case.harness.restart();
    died.is_err()
}

pub fn finds_the_message_that_kills(harness: &mut dyn Harness) {
    let mut case = Case::copy(harness, "killer");
    // Over several partitions, so that the killer shares its batches with others.
    case.feed(0, 60, 4);
    let output = case.output();
    let mut deaths = 0;
    // In the last of these partitions: others come before it in a batch.
    let last = (0..4).max_by_key(|k| partition_for(format!("key-{k}").as_bytes(), 12));
    let killer = 36 + last.unwrap();
    let kill = |id: usize, message: &Message| {
        if id == killer {
            std::panic::panic_any("simulated death");
        }
        emit(&output, message)
    };
    while run_or_die(&mut case, 50, kill) {
        deaths += 1;
        // Three make a suspect and two more a culprit. A death where batches ended between the killer and what came
        // before it, as a bus may have it, counts only from the next assignment on.
        assert!(deaths < 16, "the killer is not found");
        if deaths == 3 {
            // Messages of partitions that nobody suspects, beside those that are suspects by now.
            case.feed(60, 120, 30);
        }
    }
    check::exactly_once(&case, 120);
    let dead = case.records(&case.dead());
    assert_eq!(dead.iter().map(|m| id_of(m)).collect::<Vec<_>>(), [killer]);
    assert_eq!(
        header(&dead[0].headers, "telex_dead_reason"),
        Some("killed_process")
    );
    assert!(deaths >= 5, "fewer may have other reasons: {deaths}");
    // After that, all is as before.
    case.feed(120, 130, 30);
    assert!(!run_or_die(&mut case, 50, kill));
    check::exactly_once(&case, 130);
}

pub fn holds_when_all_is_poison(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "breaker");
    case.feed(0, 600, 13);
    let poison = |_: usize, _: &Message| Outcome::Poison {
        reason: "ours",
        detail: String::new(),
    };
    match drain(&case, 50, poison) {
        Err(DriverError::Breaker {
            stage,
            dead,
            seen,
            reason,
        }) => {
            assert_eq!((stage, reason.as_str()), ("cleaner", "ours"));
            assert_eq!((dead, seen), (100, 100));
        }
        other => panic!("{other:?}"),
    }
    let before = case.records(&case.dead()).len();
    assert_eq!(before, 100);

    // A stage that runs on is held, and can be stopped.
    let control = Control::default();
    let context = case.context(&control);
    let breaker = context.metrics.breaker.clone();
    let session = case.open(50);
    let patience = case.harness.patience();
    std::thread::scope(|scope| {
        let running = scope.spawn(move || run_stage(session, &mut model::Stage::new(poison), context));
        let until = Instant::now() + patience;
        while breaker.get() == 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let tripped = breaker.get();
        std::thread::sleep(Duration::from_millis(100));
        control.stop();
        running.join().unwrap().unwrap();
        assert_eq!(tripped, 1);
    });
    assert_eq!(case.records(&case.dead()).len(), before + 100, "held");
    // Once the fault is mended, nothing is lost.
    drain(&case, 50, |_, m| emit(&case.output(), m)).unwrap();
    check::exactly_once(&case, 600);
}

pub fn survives_crashes(harness: &mut dyn Harness) {
    let rounds = harness.rounds();
    let mut case = Case::copy(harness, "crashes");
    let count = 20 * rounds;
    case.feed(0, count, 17);
    let output = case.output();
    let random = std::sync::Mutex::new(Random(99));
    for _ in 0..rounds {
        let alive = AtomicUsize::new(0);
        run_or_die(&mut case, 10, |id, message| {
            let mut random = random.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            alive.fetch_add(1, Ordering::Relaxed);
            if random.below(30) == 0 {
                std::panic::panic_any("simulated death");
            }
            if id % 11 == 10 {
                return Outcome::Poison {
                    reason: "ten",
                    detail: String::new(),
                };
            }
            emit(&output, message)
        });
    }
    assert!(!run_or_die(&mut case, 50, |_, m| emit(&output, m)));
    check::exactly_once(&case, count);
}

pub fn shares_work(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "share");
    if !case.harness.abilities().members {
        return;
    }
    case.feed(0, 1000, 40);
    let output = case.output();
    let done = AtomicUsize::new(0);
    let controls: Vec<Control> = (0..3).map(|_| Control::default()).collect();
    std::thread::scope(|scope| {
        for (i, control) in controls.iter().enumerate() {
            // They come one after the other, so that partitions change hands while there is work.
            let (session, context) = (case.open(7), case.context(control));
            let (output, done) = (&output, &done);
            scope.spawn(move || {
                let mut stage = model::Stage::new(|_, m: &Message| {
                    std::thread::sleep(Duration::from_micros(300));
                    done.fetch_add(1, Ordering::Relaxed);
                    emit(output, m)
                });
                run_stage(session, &mut stage, context).unwrap();
            });
            let until = Instant::now() + case.harness.patience();
            while done.load(Ordering::Relaxed) < 150 * (i + 1) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        // The first leaves in the middle, the others drain.
        controls[0].stop();
        controls[1].drain();
        controls[2].drain();
    });
    check::exactly_once(&case, 1000);
    check::in_order(&case.records(&case.output()));
    assert_eq!(case.records(&case.dead()), []);
}

pub fn gives_up_where_it_cannot_get_on(harness: &mut dyn Harness) {
    let case = Case::copy(harness, "stuck");
    case.feed(0, 40, 7);
    let control = Control::default();
    control.drain();
    let mut stage = model::Stage::new(|_, _| Outcome::Transient("the database is away".to_owned()));
    let mut context = case.context(&control);
    context.patience = Duration::from_millis(250);
    let session = case.open(20);
    let result = case.in_time(&control, || run_stage(session, &mut stage, context));
    match result {
        Err(error @ DriverError::Stuck { .. }) => {
            assert!(error.to_string().contains("the database is away"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let output = case.output();
    drain(&case, 20, |_, m| emit(&output, m)).unwrap();
    check::exactly_once(&case, 40);
}
