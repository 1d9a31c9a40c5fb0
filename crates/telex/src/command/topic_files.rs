//! `telex topics train|test|diff`: what authors of topic files work with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use telex_classifier::{Change, Classifier, Counts, Document, Fared, Label, TopicReport, Trained};
use telex_sink::{Articles, Order, Query};

use super::Context;
use super::labelled::{ArticleRow, Labelled, read_rows};
use crate::cli::{DiffArgs, LabelledArgs, OutputFormat, TrainArgs};
use crate::error::CliError;
use crate::open;
use crate::output::{self, harmless};

/// Name that stands for the topic files of the program.
const BUILT_IN: &str = "built-in";

/// Learns weights, shows the cross-validation by source, and writes the weights where asked to.
pub(crate) fn train(context: &Context, args: &TrainArgs) -> Result<(), CliError> {
    let files = open::topic_files(context.config.classifier.topics.as_deref())?;
    let classifier = open::compiled(Classifier::without_weights(&files))?;
    let topics: Vec<&str> = classifier.topics().collect();
    let labelled = Labelled::read(&args.labelled, &topics)?;
    let examples = labelled.examples();
    let sources: BTreeSet<&str> = examples.iter().map(|example| example.source).collect();
    if sources.len() < 2 {
        return Err(CliError::Findings(
            "all articles are from one source; cross-validation needs two (give the rows a `source`)"
                .to_owned(),
        ));
    }
    let from = args.from.as_deref().unwrap_or_default();
    let trained = telex_classifier::train(&classifier, &examples, from);
    if trained.reports.is_empty() {
        return Err(CliError::Findings(
            "no topic has labels of both kinds, so nothing can be learned".to_owned(),
        ));
    }
    if let Some(path) = &args.write {
        std::fs::write(path, &trained.weights.text)
            .map_err(|e| CliError::Unavailable(format!("{}: {e}", path.display())))?;
    }
    if context.output == OutputFormat::Json {
        output::json(&json!({
            "topics_version": classifier.version(),
            "examples": examples.len(),
            "sources": sources.len(),
            "topics": trained.reports.iter().map(report_json).collect::<Vec<Value>>(),
            "macro_f1": macro_json(trained.reports.iter().map(|report| report.fared)),
        }))?;
    } else {
        output::line(&format!(
            "{} articles of {} sources; every answer was given without that source's labels",
            examples.len(),
            sources.len()
        ))?;
        show_fared(
            trained
                .reports
                .iter()
                .map(|report| (report.topic.as_str(), report.fared)),
        )?;
        show_languages(&trained)?;
        show_calibration(&trained.reports)?;
    }
    if args.labelled.mistakes {
        for report in &trained.reports {
            for (example, score, tagged) in &report.scores {
                if let Some(label) = examples.get(*example).and_then(|e| e.labels.get(&report.topic)) {
                    mistake(
                        context,
                        &labelled,
                        (*example, &report.topic, *label, *score, *tagged),
                    )?;
                }
            }
        }
    }
    Ok(())
}

/// Compares the answers with labels; clear mistakes are findings.
pub(crate) fn test(context: &Context, args: &LabelledArgs) -> Result<(), CliError> {
    let classifier = open::classifier(&context.config)?;
    let topics: Vec<&str> = classifier.topics().collect();
    let labelled = Labelled::read(args, &topics)?;
    let mut tested = telex_classifier::test(&classifier, &labelled.examples());
    tested.retain(|topic| topic.labels > 0);
    if context.output == OutputFormat::Json {
        let rows = tested
            .iter()
            .map(|topic| json!({"topic": topic.topic, "all": counts_json(topic.fared.all), "clear": counts_json(topic.fared.clear)}));
        output::json(&json!({
            "topics_version": classifier.version(),
            "topics": rows.collect::<Vec<Value>>(),
            "macro_f1": macro_json(tested.iter().map(|topic| topic.fared)),
        }))?;
    } else {
        show_fared(tested.iter().map(|topic| (topic.topic.as_str(), topic.fared)))?;
    }
    let mut clear = 0;
    for topic in &tested {
        for found in &topic.mistakes {
            clear += usize::from(!found.label.borderline);
            if args.mistakes {
                let row = (
                    found.example,
                    topic.topic.as_str(),
                    found.label,
                    found.score,
                    !found.label.positive,
                );
                mistake(context, &labelled, row)?;
            }
        }
    }
    if clear > 0 {
        return Err(CliError::Findings(format!(
            "{clear} answers differ from a clear label"
        )));
    }
    Ok(())
}

/// Shows what tags a change of topic files would add, take away or move.
pub(crate) fn diff(context: &Context, args: &DiffArgs) -> Result<(), CliError> {
    let load = |folder: &Path| {
        let folder = (folder != Path::new(BUILT_IN)).then_some(folder);
        open::compiled(Classifier::new(&open::topic_files(folder)?))
    };
    let mut changed = Changed {
        context,
        old: load(&args.old)?,
        new: load(&args.new)?,
        articles: 0,
        topics: BTreeMap::new(),
    };
    if let Some(path) = &args.articles {
        for row in read_rows::<ArticleRow>(path)? {
            changed.article(&row.id, &row.document())?;
        }
    } else {
        let query = Query {
            order: Order::OldestFirst,
            ..Query::default()
        };
        for stored in Articles::open(&open::articles_path(&context.config))?.query(&query) {
            let article = stored?
                .parse()
                .map_err(|e| CliError::Bug(format!("a stored article: {e}")))?;
            let document = Document {
                title: &article.title,
                text: &article.text,
                language: article.language.as_deref(),
            };
            changed.article(&article.id.to_string(), &document)?;
        }
    }
    changed.summary()
}

/// What a change of topic files changes, counted.
struct Changed<'a> {
    context: &'a Context,
    old: Classifier,
    new: Classifier,
    articles: usize,
    /// Added, removed and moved, by topic.
    topics: BTreeMap<String, [usize; 3]>,
}

impl Changed<'_> {
    fn article(&mut self, id: &str, document: &Document<'_>) -> Result<(), CliError> {
        self.articles += 1;
        for change in telex_classifier::diff(&self.old, &self.new, document) {
            let (kind, topic, before, after) = match &change {
                Change::Added(tag) => (0, &tag.topic, None, Some(tag.score)),
                Change::Removed(tag) => (1, &tag.topic, Some(tag.score), None),
                Change::Moved { before, after } => (2, &after.topic, Some(before.score), Some(after.score)),
            };
            if let Some(count) = self.topics.entry(topic.clone()).or_default().get_mut(kind) {
                *count += 1;
            }
            if self.context.output == OutputFormat::Json {
                output::json(
                    &json!({"id": id, "title": document.title, "topic": topic, "before": before, "after": after}),
                )?;
            } else {
                let score = |score: Option<f64>| score.map_or("-".to_owned(), |score| format!("{score:.2}"));
                let sign = ["+", "-", "~"].get(kind).copied().unwrap_or_default();
                let (before, after) = (score(before), score(after));
                output::line(&format!(
                    "{sign} {topic:16} {before:>4} -> {after:4}  {}  [{}]",
                    harmless(document.title),
                    harmless(id)
                ))?;
            }
        }
        Ok(())
    }

    fn summary(&self) -> Result<(), CliError> {
        if self.context.output == OutputFormat::Json {
            let rows = self.topics.iter().map(|(topic, [added, removed, moved])| {
                json!({"topic": topic, "added": added, "removed": removed, "moved": moved})
            });
            return output::json(&json!({
                "articles": self.articles,
                "old": self.old.version(),
                "new": self.new.version(),
                "topics": rows.collect::<Vec<Value>>(),
            }));
        }
        output::line(&format!(
            "{} articles, topic files {} -> {}",
            self.articles,
            self.old.version(),
            self.new.version()
        ))?;
        self.topics
            .iter()
            .try_for_each(|(topic, [added, removed, moved])| {
                output::line(&format!(
                    "{topic:16} {added} added, {removed} removed, {moved} moved"
                ))
            })
    }
}

fn mistake(
    context: &Context,
    labelled: &Labelled,
    (example, topic, label, score, tagged): (usize, &str, Label, f64, bool),
) -> Result<(), CliError> {
    if label.positive == tagged {
        return Ok(());
    }
    let (id, title) = labelled.name(example);
    if context.output == OutputFormat::Json {
        return output::json(&json!({
            "id": id, "title": title, "topic": topic, "label": label.positive, "borderline": label.borderline, "score": score,
        }));
    }
    let kind = if label.positive { "missed" } else { "wrong" };
    let borderline = if label.borderline { "borderline" } else { "" };
    output::line(&format!(
        "{kind:6} {topic:16} {score:.2} {borderline:10} {}  [{}]",
        harmless(title),
        harmless(id)
    ))
}

fn show_fared<'a>(rows: impl Iterator<Item = (&'a str, Fared)>) -> Result<(), CliError> {
    let rows: Vec<(&str, Fared)> = rows.collect();
    output::line("topic             all: P     R     F1    n    clear: P     R     F1    n")?;
    for (topic, fared) in &rows {
        let side = |counts: &Counts| {
            format!(
                "{:.3} {:.3} {:.3} {:4}",
                counts.precision(),
                counts.recall(),
                counts.f1(),
                counts.right + counts.missed
            )
        };
        output::line(&format!(
            "{topic:16}   {}          {}",
            side(&fared.all),
            side(&fared.clear)
        ))?;
    }
    let (all, clear) = macro_f1(rows.iter().map(|(_, fared)| *fared));
    output::line(&format!("macro F1 {all:.3} on all, {clear:.3} on clear labels"))
}

/// One line a language, F1 of each topic with the number of its articles.
fn show_languages(trained: &Trained) -> Result<(), CliError> {
    let names: BTreeSet<&String> = trained
        .reports
        .iter()
        .flat_map(|report| report.languages.keys())
        .collect();
    output::line("language  F1 on all labels (positives), all topics together and each")?;
    for name in names {
        let of = |report: &TopicReport| report.languages.get(name).copied().unwrap_or_default();
        let mut together = Fared::default();
        trained
            .reports
            .iter()
            .for_each(|report| together.merge(of(report)));
        let cell = |counts: Counts| match counts.right + counts.missed {
            0 => format!("      -  ({:2} wrong)", counts.wrong),
            positives => format!("  {:.3} ({positives:3})     ", counts.f1()),
        };
        let cells: String = trained
            .reports
            .iter()
            .map(|report| cell(of(report).all))
            .collect();
        output::line(&format!("{name:8}{}|{cells}", cell(together.all)))?;
    }
    Ok(())
}

/// What scores claim and what was true, in tenths of the score.
fn show_calibration(reports: &[TopicReport]) -> Result<(), CliError> {
    output::line("calibration: mean score / share about the topic (articles), by tenths of the score")?;
    reports.iter().try_for_each(|report| {
        let bins: Vec<String> = report
            .calibration
            .iter()
            .map(|(score, share, number)| format!("{score:.2}/{share:.2} ({number})"))
            .collect();
        let error = calibration_error(&report.calibration);
        output::line(&format!(
            "{:16} error {error:.3}: {}",
            report.topic,
            bins.join("  ")
        ))
    })
}

/// Mean distance of score and share, weighted by articles.
fn calibration_error(bins: &[(f64, f64, usize)]) -> f64 {
    let total: usize = bins.iter().map(|(.., number)| number).sum();
    let off: f64 = bins
        .iter()
        .map(|(score, share, number)| (score - share).abs() * *number as f64)
        .sum();
    off / total.max(1) as f64
}

fn report_json(report: &TopicReport) -> Value {
    let languages: BTreeMap<&String, Value> = report
        .languages
        .iter()
        .map(|(name, fared)| {
            (
                name,
                json!({"all": counts_json(fared.all), "clear": counts_json(fared.clear)}),
            )
        })
        .collect();
    let calibration = report
        .calibration
        .iter()
        .map(|(score, share, number)| json!({"score": score, "share": share, "articles": number}));
    json!({
        "topic": report.topic,
        "all": counts_json(report.fared.all),
        "clear": counts_json(report.fared.clear),
        "languages": languages,
        "calibration": calibration.collect::<Vec<Value>>(),
        "calibration_error": calibration_error(&report.calibration),
    })
}

fn counts_json(counts: Counts) -> Value {
    json!({
        "precision": counts.precision(), "recall": counts.recall(), "f1": counts.f1(),
        "right": counts.right, "wrong": counts.wrong, "missed": counts.missed,
    })
}

fn macro_json(rows: impl Iterator<Item = Fared>) -> Value {
    let (all, clear) = macro_f1(rows);
    json!({"all": all, "clear": clear})
}

/// Mean F1 of the topics, on all and on clear labels.
fn macro_f1(rows: impl Iterator<Item = Fared>) -> (f64, f64) {
    let (mut all, mut clear, mut number) = (0.0, 0.0, 0.0_f64);
    for fared in rows {
        all += fared.all.f1();
        clear += fared.clear.f1();
        number += 1.0;
    }
    (all / number.max(1.0), clear / number.max(1.0))
}
