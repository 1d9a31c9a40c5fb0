//! What `telex doctor` looks at on Kafka.

use std::net::ToSocketAddrs;

use jiff::SignedDuration;
use telex_model::Topic;
use telex_stream::kafka::{KafkaBus, TopicPlan};

use super::{Finding, fine, wrong};
use crate::command::Context;
use crate::error::CliError;
use crate::open;

/// Looks at brokers, topics and rights; tells whether the topics can be read.
pub(super) fn look(context: &Context, bus: &KafkaBus, found: &mut Vec<Finding>) -> Result<bool, CliError> {
    let config = &context.config.bus;
    found.push(addresses(config.brokers.as_deref().unwrap_or_default()));
    found.push(match (bus.brokers(), bus.cluster_id()) {
        (Ok(n), Ok(id)) => fine("broker", format!("{n} in the cluster {id}")),
        (Err(error), _) | (_, Err(error)) => failed("broker", &error.to_string()),
    });
    let mut topics = Topic::fixed();
    if let Ok(classifier) = open::classifier(&context.config) {
        topics.extend(open::tag_topics(&classifier)?.into_iter().map(|(_, t)| t));
    }
    let plans = match bus.plan(&config.topic_prefix, &topics) {
        Ok(plans) => plans,
        Err(error) => {
            found.push(failed("topics", &error.to_string()));
            return Ok(false);
        }
    };
    let missing = plans.iter().filter(|p| !p.exists).count();
    found.push(existing(&plans, missing));
    found.push(settings(&plans));
    found.extend(advice(&plans));
    if missing > 0 {
        return Ok(false);
    }
    let names: Vec<String> = plans.into_iter().map(|p| p.name).collect();
    match bus.rehearse(&names) {
        Ok(ahead) => {
            found.extend(ahead.map(clocks));
            found.push(fine(
                "rights",
                "all topics can be read and written in a transaction",
            ));
            let library = telex_stream::kafka::library_version();
            let seen =
                format!("librdkafka {library}; the brokers fence transactions by group (2.5 or newer)");
            found.push(fine("versions", seen));
        }
        Err(error) => found.push(failed("rights", &error.to_string())),
    }
    Ok(true)
}

/// Clocks further apart make the ages of lag and articles wrong by as much as alerts wait for.
const APART: SignedDuration = SignedDuration::from_secs(5);

/// Judges how far the brokers' clock is ahead of this one.
fn clocks(ahead: SignedDuration) -> Finding {
    let apart = ahead.abs();
    if apart <= APART {
        let seconds = APART.as_secs();
        return fine(
            "clocks",
            format!("the brokers' clock and this one agree within {seconds} s"),
        );
    }
    let which = if ahead.is_positive() { "ahead of" } else { "behind" };
    wrong(
        "clocks",
        format!("the brokers' clock is {} s {which} this one", apart.as_secs()),
        "set the clock that is wrong, there or here (timedatectl set-ntp true)",
    )
}

/// A failure whose text says what to do after its last semicolon, as all of the bus do.
pub(super) fn failed(what: &'static str, text: &str) -> Finding {
    match text.rsplit_once("; ") {
        Some((seen, fix)) => wrong(what, seen, fix),
        None => wrong(what, text, "see the message"),
    }
}

fn addresses(brokers: &str) -> Finding {
    let all: Vec<&str> = brokers.split(',').map(str::trim).collect();
    let unknown = all.iter().find_map(|address| {
        let named = if address.contains(':') {
            (*address).to_owned()
        } else {
            format!("{address}:9092")
        };
        named.to_socket_addrs().err().map(|e| format!("{address}: {e}"))
    });
    match unknown {
        None => fine("broker names", format!("{} are resolved", all.len())),
        Some(seen) => wrong(
            "broker names",
            seen,
            "correct --brokers, or add the name to the DNS",
        ),
    }
}

fn existing(plans: &[TopicPlan], missing: usize) -> Finding {
    let problems: Vec<&str> = plans
        .iter()
        .flat_map(|p| &p.problems)
        .map(String::as_str)
        .collect();
    if let Some(first) = problems.first() {
        return failed("topics", first);
    }
    if missing > 0 {
        let names: Vec<&str> = plans
            .iter()
            .filter(|p| !p.exists)
            .map(|p| p.name.as_str())
            .collect();
        let seen = format!("{missing} of {} are missing: {}", plans.len(), names.join(", "));
        return wrong("topics", seen, "run `telex topics apply`");
    }
    fine("topics", format!("{} with the partitions they need", plans.len()))
}

fn settings(plans: &[TopicPlan]) -> Finding {
    let changes: Vec<String> = plans
        .iter()
        .filter(|p| p.exists)
        .flat_map(|plan| {
            let change = |c: &telex_stream::kafka::SettingChange| {
                let from = c.from.as_deref().unwrap_or("not set");
                format!("{} of {} is {from}, not {}", c.setting, plan.name, c.to)
            };
            plan.changes.iter().map(change).collect::<Vec<_>>()
        })
        .collect();
    if changes.is_empty() {
        return fine(
            "topic table",
            "size caps, retention and compaction are as they should be",
        );
    }
    wrong("topic table", changes.join(", "), "run `telex topics apply`")
}

fn advice(plans: &[TopicPlan]) -> Option<Finding> {
    let all: Vec<&str> = plans.iter().flat_map(|p| &p.advice).map(String::as_str).collect();
    let first = all.first()?;
    let mut finding = failed("copies", first);
    if all.len() > 1 {
        finding.seen = format!("{} (and {} more)", finding.seen, all.len() - 1);
    }
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_disagree_are_told_apart() {
        let seen = |seconds| clocks(SignedDuration::from_secs(seconds));
        for agreed in [-5, 0, 5] {
            assert_eq!(seen(agreed).fix, None, "{agreed}");
        }
        assert!(
            seen(-6).fix.is_some() && seen(-6).seen.contains("6 s behind"),
            "{}",
            seen(-6).seen
        );
        assert!(
            seen(8).fix.is_some() && seen(8).seen.contains("8 s ahead of"),
            "{}",
            seen(8).seen
        );
    }
}
