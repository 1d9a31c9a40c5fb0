//! News come, faults are made, all is judged.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use telex_model::Stage;
use telex_stream::Bus;

use crate::world::{DEADLINE, World, canonical, rows, said};

use super::judge::{Verdict, judge};
use super::newsroom::Newsroom;

/// Numbers from a seed (SplitMix64: Steele, Lea and Flood, 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }
}

/// How many faults a campaign makes: few, or what `TELEX_FAULTS` says.
pub(crate) fn faults(few: usize) -> usize {
    setting("TELEX_FAULTS").unwrap_or(few)
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
    )
}

/// An installation that a campaign is about.
pub(crate) struct Installation<'a> {
    pub(crate) world: &'a World,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) prefix: String,
    /// Runs the binary against it.
    pub(crate) telex: &'a dyn Fn(&[&str]) -> Output,
    /// What a read-committed consumer sees in the topic of tagged articles.
    pub(crate) tagged: &'a dyn Fn() -> Vec<Value>,
}

impl Installation<'_> {
    fn run(&self, args: &[&str]) {
        let out = (self.telex)(args);
        assert!(out.status.success(), "{args:?}: {}", said(&out));
    }
}

/// Exit code where something that is needed is not there.
const UNAVAILABLE: i32 = 69;

/// Runs a campaign: as many rounds as there are faults, in the order that the seed gives.
pub(crate) fn run<F: Copy + std::fmt::Debug>(
    name: &str,
    on: &Installation<'_>,
    mut faults: Vec<F>,
    fault: &mut dyn FnMut(F, &mut Random),
) {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let seed = setting("TELEX_FAULTS_SEED").unwrap_or(now);
    // Past the test harness, which shows nothing of tests that pass, and before anything can hang.
    say(&format!("{name}: seed {seed}"));
    let mut random = Random::new(seed);
    for i in (1..faults.len()).rev() {
        faults.swap(i, random.below(i + 1));
    }
    let begin = Instant::now();
    let watch = Watch::start(Arc::clone(&on.bus), on.prefix.clone());
    let mut newsroom = Newsroom::new(on.world);
    on.run(&[&["feeds", "add"], newsroom.feeds().as_slice()].concat());
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for which in faults {
        let changed = newsroom.work(&mut random);
        let changed: Vec<&str> = changed.iter().map(String::as_str).collect();
        on.run(&[&["feeds", "poll"], changed.as_slice()].concat());
        // The moment is what is random about a fault; most of the work is done within this time.
        std::thread::sleep(Duration::from_millis(random.below(500) as u64));
        fault(which, &mut random);
        *made.entry(format!("{which:?}")).or_default() += 1;
    }
    // A poll that found a fault is not made good before the feed is due again.
    on.run(&[&["feeds", "poll"], newsroom.feeds().as_slice()].concat());
    let in_sink = || match (on.telex)(&["articles", "--jsonl"]) {
        // Whoever was killed before its sink made the database, or brought it up to date, does it when it is started.
        out if out.status.code() == Some(UNAVAILABLE) => Vec::new(),
        out => rows(&out),
    };
    let judged = || judge(&newsroom, &(on.tagged)(), &in_sink());
    let letters = || rows(&(on.telex)(&["dead-letters", "list", "--output", "json"]));
    let deadline = Instant::now() + DEADLINE;
    // Whoever is killed over and over at the same message has to suspect it: what is not in the topic is set aside.
    let (verdict, aside) = settled(deadline, &|| (judged(), letters()));
    assert!(
        verdict.is_clean_but_for(aside.len()),
        "seed {seed}: {verdict:#?}\n{aside:#?}"
    );
    if !aside.is_empty() {
        on.run(&["dead-letters", "replay"]);
    }
    let (verdict, _) = settled(deadline, &|| (judged(), Vec::new()));
    let (reports, went_back) = watch.end();
    assert!(
        verdict.is_clean() && went_back.is_empty(),
        "seed {seed}: {verdict:#?}\n{went_back:#?}"
    );
    let made: Vec<String> = made
        .iter()
        .map(|(what, times)| format!("{times} x {what}"))
        .collect();
    say(&format!(
        "{name}: {} in {} s; {} articles in, {} out, {} revisions; 0 lost, 0 doubled, 0 out of order; \
         {} suspected and put back; slowest from published to tagged {:.1} s; offsets looked at {reports} times, none went back",
        made.join(", "),
        begin.elapsed().as_secs(),
        newsroom.expected().len(),
        verdict.articles,
        verdict.revisions,
        aside.len(),
        slowest(&newsroom, on).as_secs_f64(),
    ));
}

/// Looks until nothing is wrong but for what was set aside, or it is too late.
fn settled(deadline: Instant, look: &dyn Fn() -> (Verdict, Vec<Value>)) -> (Verdict, Vec<Value>) {
    loop {
        let (verdict, aside) = look();
        if verdict.is_clean_but_for(aside.len()) || Instant::now() >= deadline {
            return (verdict, aside);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn say(text: &str) {
    std::io::stderr()
        .write_all(format!("{text}\n").as_bytes())
        .unwrap();
}

/// The longest time from an article's publication until it was tagged.
fn slowest(newsroom: &Newsroom<'_>, on: &Installation<'_>) -> Duration {
    let mut first: BTreeMap<String, jiff::Timestamp> = BTreeMap::new();
    telex_stream::read_all(
        on.bus.as_ref(),
        &format!("{}.tagged.v1", on.prefix),
        &mut |message| {
            let value: Value = serde_json::from_slice(message.value.as_ref().unwrap()).unwrap();
            let url = canonical(value["url"].as_str().unwrap());
            first.entry(url).or_insert(message.timestamp);
        },
    )
    .unwrap();
    let now = (Instant::now(), jiff::Timestamp::now());
    let since = |at: Instant| now.1 - jiff::SignedDuration::try_from(now.0 - at).unwrap();
    let taken = newsroom
        .published
        .iter()
        .map(|(url, p)| first[url].duration_since(since(p.at)));
    taken.max().unwrap_or_default().try_into().unwrap_or_default()
}

/// Looks all the time whether an offset that a stage has committed goes back.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(usize, Vec<String>)>,
}

impl Watch {
    fn start(bus: Arc<dyn Bus>, prefix: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let look = move || {
            let mut before: BTreeMap<(Stage, u32), u64> = BTreeMap::new();
            let (mut reports, mut back) = (0, Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                for stage in Stage::ALL {
                    // Brokers that are away do not answer; nothing is known then.
                    let group = format!("{prefix}.{stage}");
                    let found = bus
                        .committed(&group, &stage.input().name(&prefix))
                        .unwrap_or_default();
                    reports += usize::from(!found.is_empty());
                    for (partition, offset) in found {
                        let last = before.insert((stage, partition), offset);
                        if last.is_some_and(|last| last > offset) {
                            back.push(format!("{stage} {partition}: {last:?} and then {offset}"));
                        }
                    }
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            (reports, back)
        };
        Self {
            stop,
            thread: std::thread::spawn(look),
        }
    }

    fn end(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
