//! `telex topics`: the topic table.

use serde_json::json;
use telex_model::{Cleanup, Topic, TopicSpec};
use telex_stream::kafka::{KafkaBus, SettingChange, TopicPlan};

use super::Context;
use crate::cli::{OutputFormat, TopicsCommand};
use crate::error::CliError;
use crate::open::{self, OpenBus, OpenKind, Use};
use crate::output;

/// Shows or makes the topics.
pub(crate) fn run(context: &Context, command: &TopicsCommand) -> Result<(), CliError> {
    let classifier = open::classifier(&context.config)?;
    let mut topics = Topic::fixed();
    topics.extend(open::tag_topics(&classifier)?.into_iter().map(|(_, t)| t));
    let open = open::bus(&context.config, Use::Beside)?;
    let apply = matches!(command, TopicsCommand::Apply);
    match &open.kind {
        OpenKind::Sqlite(_) => on_sqlite(context, &open, &topics, apply),
        OpenKind::Kafka(bus) => on_kafka(context, bus, &topics, apply),
    }
}

fn on_sqlite(context: &Context, open: &OpenBus, topics: &[Topic], apply: bool) -> Result<(), CliError> {
    let prefix = &context.config.bus.topic_prefix;
    let there = open.bus.topics()?;
    if apply {
        open.bus.create_topics(prefix, topics)?;
    }
    for topic in topics {
        let name = topic.name(prefix);
        let plan = TopicPlan {
            exists: there.contains(&name),
            name,
            partitions: topic.spec().partitions,
            copies: 1,
            changes: Vec::new(),
            problems: Vec::new(),
            advice: Vec::new(),
        };
        show(context, &topic.spec(), &plan, apply)?;
    }
    Ok(())
}

fn on_kafka(context: &Context, bus: &KafkaBus, topics: &[Topic], apply: bool) -> Result<(), CliError> {
    let prefix = &context.config.bus.topic_prefix;
    let plans = bus.plan(prefix, topics)?;
    if apply {
        bus.apply(prefix, topics, &plans)?;
    }
    for (topic, plan) in topics.iter().zip(&plans) {
        show(context, &topic.spec(), plan, apply)?;
    }
    let problems: Vec<&str> = plans
        .iter()
        .flat_map(|p| &p.problems)
        .map(String::as_str)
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(CliError::Config(problems.join("\n")))
    }
}

/// Prints what becomes, or became, of a topic.
fn show(context: &Context, spec: &TopicSpec, plan: &TopicPlan, applied: bool) -> Result<(), CliError> {
    let kept = match spec.cleanup {
        Cleanup::Compact => "newest of each key".to_owned(),
        Cleanup::Delete(time) => format!("{} h", time.as_secs() / 3600),
    };
    let changes = plan.exists && !plan.changes.is_empty();
    let state = match (plan.exists, changes, applied) {
        (false, _, false) => "to be made",
        (false, _, true) => "made",
        (true, true, false) => "to be changed",
        (true, true, true) => "changed",
        (true, false, _) => "exists",
    };
    if context.output == OutputFormat::Json {
        let change = |c: &SettingChange| json!({"setting": c.setting, "from": c.from, "to": c.to});
        return output::json(&json!({
            "topic": plan.name, "partitions": plan.partitions, "copies": plan.copies, "kept": kept,
            "max_message_bytes": spec.max_message_bytes, "state": state,
            "changes": plan.changes.iter().map(change).collect::<Vec<_>>(),
            "problems": plan.problems, "advice": plan.advice,
        }));
    }
    output::line(&format!(
        "{:36} {:3} partitions  {} copies  kept: {kept:20} {state}",
        plan.name, plan.partitions, plan.copies
    ))?;
    for change in plan.changes.iter().filter(|_| plan.exists) {
        let from = change.from.as_deref().unwrap_or("not set");
        output::line(&format!("    {}: {from} -> {}", change.setting, change.to))?;
    }
    let said = plan.problems.iter().map(|p| ("problem", p));
    let said = said.chain(plan.advice.iter().map(|a| ("advice", a)));
    for (word, text) in said {
        output::line(&format!("    {word}: {text}"))?;
    }
    Ok(())
}
