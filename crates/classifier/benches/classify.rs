//! Articles a second, beside a plain set of regular expressions, one alternation a topic.
//!
//! `cargo bench -p telex-classifier`. The texts are of our own writing, about 5 kB each, in four languages; the
//! rule set only counts matches, which is less than the classifier does.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark may fail loudly; criterion makes undocumented items"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use regex::Regex;
use telex_classifier::{Classifier, Document, builtin};

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

fn classify(bench: &mut Criterion) {
    let classifier = Classifier::new(&builtin()).expect("built-in topics");
    let rules: Vec<Regex> = RULES
        .iter()
        .map(|rule| Regex::new(rule).expect("a rule"))
        .collect();
    let texts = texts();
    let mut group = bench.benchmark_group("articles of 5 kB");
    group.throughput(Throughput::Elements(texts.len() as u64));
    group.bench_function("classifier", |bencher| {
        bencher.iter(|| {
            for (language, text) in &texts {
                let article = Document {
                    title: "Council meets",
                    text,
                    language: Some(language),
                };
                black_box(classifier.classify(black_box(&article)));
            }
        });
    });
    group.bench_function("classifier, language not given", |bencher| {
        bencher.iter(|| {
            for (_, text) in &texts {
                let article = Document {
                    title: "Council meets",
                    text,
                    language: None,
                };
                black_box(classifier.classify(black_box(&article)));
            }
        });
    });
    group.bench_function("regular expressions", |bencher| {
        bencher.iter(|| {
            for (_, text) in &texts {
                for rule in &rules {
                    black_box(rule.find_iter(black_box(text)).count());
                }
            }
        });
    });
    group.finish();
}

criterion_group!(benches, classify);
criterion_main!(benches);
