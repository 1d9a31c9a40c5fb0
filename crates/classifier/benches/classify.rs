//! Articles a second on one core, beside a plain set of regular expressions, one alternation a topic, in Rust and in
//! Python (where there is a `python3`), all in one run: `make bench-classifier`.
//!
//! The texts are of our own writing, about 5 kB each, in four languages. The rule sets only count matches, which is
//! less than the classifier does. Rounds alternate and the best of each counts, so that a busy machine slows all alike.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark may fail loudly and prints its result"
)]

use std::hint::black_box;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use regex::Regex;
use telex_classifier::{Classifier, Document, builtin};

/// Alternating rounds, and articles of each language in one.
const ROUNDS: usize = 7;
const ARTICLES: usize = 50;

/// Reads rules and texts as JSON and prints the seconds of an article.
const PYTHON: &str = "import json, re, sys, time
rules, texts = json.load(sys.stdin)
rules = [re.compile(rule) for rule in rules]
best = 1e9
for _ in range(3):
    begin = time.process_time()
    for text in texts:
        for rule in rules:
            sum(1 for _ in rule.finditer(text))
    best = min(best, time.process_time() - begin)
print(best / len(texts))
";

const SENTENCES: [(&str, &str); 4] = [
    (
        "en",
        "The council met on Tuesday to discuss the budget, and members asked how the new line would be paid for. NATO \
            foreign ministers are to meet in Brussels next week, where Ukraine is on the agenda. ",
    ),
    (
        "de",
        "Der Stadtrat beriet am Dienstag über den Haushalt, und viele fragten, wer die neue Strecke bezahlen soll. Die \
            EU-Außenminister treffen sich nächste Woche in Brüssel und sprechen über die Ukraine. ",
    ),
    (
        "uk",
        "Міська рада у вівторок обговорила бюджет, і депутати питали, хто заплатить за нову лінію. Міністри закордонних \
            справ ЄС зустрінуться наступного тижня у Брюсселі, де йтиметься про Україну. ",
    ),
    (
        "pl",
        "Rada miasta obradowała we wtorek nad budżetem, a radni pytali, kto zapłaci za nową linię. Ministrowie spraw \
            zagranicznych państw NATO spotkają się za tydzień w Brukseli, gdzie mowa będzie o Ukrainie. ",
    ),
];

/// A rule set such as one writes first: stems and names of each topic in the languages of the texts.
const RULES: [&str; 3] = [
    r"(?i)\b(ukrain\w*|україн\w*|украин\w*|kyiv|kiev|kijów|kijow\w*|київ\w*|києв\w*|zelensk\w*|selensk\w*|зеленськ\w*|donbas\w*|донбас\w*|crimea|krim|крим\w*|kharkiv|charkiw|харків\w*|odes+a|одес\w*|bucha|mariupol|bakhmut|verkhovna rada|верховн\w+ рад\w+|euromaidan|maidan|naftogaz|poroshenko|порошенк\w*|zaluzhny\w*|kuleba|кулеб\w*)\b",
    r"(?i)\b(nato|нато|otan|navo|north atlantic treaty|північноатлантичн\w+|stoltenberg\w*|столтенберг\w*|rutte|рютте|saceur|sojusz\w* północnoatlantyck\w+|atlantic alliance|bündnisfall|article 5|artikel 5|eastern flank|ostflanke|kfor|isaf)\b",
    r"(?i)\b(eu|ue|єс|european union|europäische\w* union|європейськ\w+ союз\w*|unia europejska|unii europejskiej|borrell\w*|боррел\w*|kallas|mogherini|ashton|high representative|außenbeauftragte\w*|верховн\w+ представни\w+|sanction\w*|sanktion\w*|санкці\w*|sankcj\w*|accession|beitritt\w*|вступ\w*|akcesj\w*|von der leyen|фон дер ляєн|european commission|europäische\w* kommission|європейськ\w+ комісі\w+|komisj\w+ europejsk\w+)\b",
];

fn texts() -> Vec<(&'static str, String)> {
    let long = |sentence: &str| {
        sentence
            .chars()
            .cycle()
            .take(5_000 * sentence.chars().count() / sentence.len())
            .collect()
    };
    SENTENCES
        .iter()
        .map(|(language, sentence)| (*language, long(sentence)))
        .collect()
}

/// Seconds that one article takes.
fn seconds(texts: &[(&str, String)], work: impl Fn(&str, &str)) -> f64 {
    let begin = Instant::now();
    for _ in 0..ARTICLES {
        texts.iter().for_each(|(language, text)| work(language, text));
    }
    begin.elapsed().as_secs_f64() / (ARTICLES * texts.len()) as f64
}

fn python(texts: &[(&str, String)]) -> Option<f64> {
    let mut child = Command::new("python3")
        .args(["-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let texts: Vec<&String> = texts.iter().map(|(_, text)| text).collect();
    let input = serde_json::to_vec(&(RULES, texts)).expect("strings are JSON");
    child.stdin.take()?.write_all(&input).ok()?;
    let output = child.wait_with_output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

fn main() {
    let classifier = Classifier::new(&builtin()).expect("built-in topics");
    let rules: Vec<Regex> = RULES
        .iter()
        .map(|rule| Regex::new(rule).expect("a rule"))
        .collect();
    let texts = texts();
    let classify = |language: Option<&str>, text: &str| {
        let article = Document {
            title: "Council meets",
            text,
            language,
        };
        black_box(classifier.classify(black_box(&article)));
    };
    let mut best = [f64::MAX; 3];
    for _ in 0..ROUNDS {
        let round = [
            seconds(&texts, |language, text| classify(Some(language), text)),
            seconds(&texts, |_, text| classify(None, text)),
            seconds(&texts, |_, text| {
                for rule in &rules {
                    black_box(rule.find_iter(black_box(text)).count());
                }
            }),
        ];
        for (best, seconds) in best.iter_mut().zip(round) {
            *best = best.min(seconds);
        }
    }
    let [given, identified, regex] = best;
    let row = |name: &str, seconds: f64| {
        let rate = 1.0 / seconds;
        println!(
            "{name:36} {rate:8.0} articles/s, {:5.1} times the classifier's time",
            seconds / given
        );
    };
    row("classifier", given);
    row("classifier, language not given", identified);
    row("regular expressions (Rust regex)", regex);
    match python(&texts) {
        Some(seconds) => row("regular expressions (Python re)", seconds),
        None => println!("no python3 here, so no comparison with its regular expressions"),
    }
}
