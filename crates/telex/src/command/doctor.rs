//! `telex doctor`: looks for what is wrong with this installation, and says what mends it.

mod kafka;

use std::net::ToSocketAddrs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use telex_model::{FeedHealth, FeedState, Stage, Topic};
use telex_sink::{Articles, Query};
use telex_stream::sqlite::SqliteBus;
use telex_stream::{Bus, read_all};

use super::Context;
use crate::cli::OutputFormat;
use crate::config::BusKind;
use crate::error::CliError;
use crate::open::{self, OpenBus, OpenKind, Use};
use crate::output;

/// What one look found: fine, or wrong with what mends it.
struct Finding {
    what: &'static str,
    seen: String,
    fix: Option<String>,
}

/// Looks at everything; fails with 1 where something is wrong.
pub(crate) fn run(context: &Context) -> Result<(), CliError> {
    let mut found = vec![
        data_dir(&context.config.data_dir.0),
        disk(&context.config.data_dir.0),
        clock(),
        dns(),
        topics(context),
    ];
    match open::bus(&context.config, Use::Read) {
        Ok(open) => {
            let usable = match &open.kind {
                OpenKind::Sqlite(bus) => {
                    found.push(bus_file(bus));
                    found.push(usage(bus)?);
                    true
                }
                OpenKind::Kafka(bus) => kafka::look(context, bus, &mut found)?,
            };
            // Without topics there is nothing to look at.
            if usable {
                found.push(backlog(context, &open)?);
                found.push(feeds(context, &open)?);
                found.push(dead_letters(context, &open)?);
            }
        }
        Err(error) => found.push(match context.config.bus.kind {
            BusKind::Sqlite => wrong(
                "bus",
                error.to_string(),
                "run `telex run all --feeds FILE` once to make it",
            ),
            BusKind::Kafka => kafka::failed("broker", &error.to_string()),
        }),
    }
    found.push(sink(context));
    found.extend(postgres(context));
    let mut wrongs = 0;
    for finding in &found {
        wrongs += usize::from(finding.fix.is_some());
        match (context.output, &finding.fix) {
            (OutputFormat::Json, fix) => output::json(
                &json!({"check": finding.what, "ok": fix.is_none(), "seen": finding.seen, "fix": fix}),
            )?,
            (OutputFormat::Text, None) => {
                output::line(&format!("ok    {:13} {}", finding.what, finding.seen))?
            }
            (OutputFormat::Text, Some(fix)) => output::line(&format!(
                "FAIL  {:13} {}\n      fix: {fix}",
                finding.what, finding.seen
            ))?,
        }
    }
    if wrongs == 0 {
        Ok(())
    } else {
        Err(CliError::Findings(format!(
            "{wrongs} of {} checks failed",
            found.len()
        )))
    }
}

fn fine(what: &'static str, seen: impl Into<String>) -> Finding {
    Finding {
        what,
        seen: seen.into(),
        fix: None,
    }
}

fn wrong(what: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding {
        what,
        seen: seen.into(),
        fix: Some(fix.into()),
    }
}

fn data_dir(folder: &Path) -> Finding {
    let probe = tempfile::Builder::new()
        .prefix(".telex-doctor")
        .tempfile_in(folder);
    match probe {
        Ok(_) => fine("data_dir", format!("{} can be written", folder.display())),
        Err(error) => wrong(
            "data_dir",
            format!("{}: {error}", folder.display()),
            "make the folder, or correct its owner, or choose another --data-dir",
        ),
    }
}

/// Less is soon full, and a database that cannot grow stands.
const LEAST_FREE: u64 = 1 << 30;

fn disk(folder: &Path) -> Finding {
    match rustix::fs::statvfs(folder) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let seen = format!("{} MiB free", free >> 20);
            if free < LEAST_FREE {
                return wrong("disk", seen, "make room, or choose another --data-dir");
            }
            fine("disk", seen)
        }
        Err(error) => wrong(
            "disk",
            format!("{}: {error}", folder.display()),
            "make the folder, or choose another --data-dir",
        ),
    }
}

fn clock() -> Finding {
    // The day this was written: a clock before it makes every certificate invalid and every item come from the future.
    let built = Timestamp::from_second(1_795_305_600).unwrap_or(Timestamp::UNIX_EPOCH);
    let now = Timestamp::now();
    if now < built - SignedDuration::from_hours(24) {
        return wrong(
            "clock",
            format!("it is {now} here"),
            "set the clock (timedatectl set-ntp true)",
        );
    }
    fine("clock", now.to_string())
}

fn dns() -> Finding {
    match ("localhost", 80).to_socket_addrs().map(|found| found.count()) {
        Ok(0) => wrong(
            "dns",
            "localhost has no address",
            "check /etc/hosts and /etc/resolv.conf",
        ),
        Ok(_) => fine("dns", "names are resolved"),
        Err(error) => wrong(
            "dns",
            format!("localhost: {error}"),
            "check /etc/hosts and /etc/resolv.conf",
        ),
    }
}

fn topics(context: &Context) -> Finding {
    match open::classifier(&context.config) {
        Ok(classifier) => fine(
            "topic files",
            format!(
                "{} topics, version {}",
                classifier.topics().count(),
                classifier.version()
            ),
        ),
        Err(error) => wrong(
            "topic files",
            error.to_string(),
            "mend the lines named, or unset classifier.topics",
        ),
    }
}

fn bus_file(bus: &SqliteBus) -> Finding {
    match bus.check() {
        Ok(verdict) if verdict == "ok" => fine("bus", "the file is whole"),
        Ok(verdict) => wrong(
            "bus",
            verdict,
            "stop Telex, keep a copy, try `sqlite3 bus.sqlite .recover`, or move the file away",
        ),
        Err(error) => wrong("bus", error.to_string(), "see the message"),
    }
}

fn usage(bus: &SqliteBus) -> Result<Finding, CliError> {
    let usage = bus.usage()?;
    let seen = format!("{} MiB of {} MiB", usage.bytes >> 20, usage.max_bytes >> 20);
    if usage.bytes > usage.max_bytes / 10 * 9 {
        return Ok(wrong(
            "bus size",
            seen,
            "find the stage with the backlog below, or raise bus.max_bytes",
        ));
    }
    Ok(fine("bus size", seen))
}

fn backlog(context: &Context, open: &OpenBus) -> Result<Finding, CliError> {
    let prefix = &context.config.bus.topic_prefix;
    let mut behind = Vec::new();
    for stage in Stage::ALL {
        let topic = stage.input().name(prefix);
        let committed = open.bus.committed(&format!("{prefix}.{stage}"), &topic)?;
        let waits: u64 = open
            .bus
            .ends(&topic)?
            .iter()
            .map(|e| {
                let next = committed
                    .iter()
                    .find(|(p, _)| *p == e.partition)
                    .map_or(e.first, |(_, next)| *next);
                e.end.saturating_sub(next.max(e.first))
            })
            .sum();
        behind.push(format!("{stage} {waits}"));
    }
    // Offsets of Kafka count the ends of transactions as well.
    Ok(fine("backlog", format!("at most {}", behind.join(", "))))
}

fn feeds(context: &Context, open: &OpenBus) -> Result<Finding, CliError> {
    let mut bad: Vec<String> = Vec::new();
    let mut all = 0;
    read_all(
        open.bus.as_ref(),
        &Topic::FeedState.name(&context.config.bus.topic_prefix),
        &mut |message| {
            let state = message
                .value
                .as_ref()
                .and_then(|v| serde_json::from_slice::<FeedState>(v).ok());
            if let Some(state) = state {
                all += 1;
                if matches!(state.health, FeedHealth::Dormant | FeedHealth::Gone) {
                    bad.push(format!(
                        "{} ({})",
                        state.title.unwrap_or_else(|| state.id.to_string()),
                        state.last_error.unwrap_or_default()
                    ));
                }
            }
        },
    )?;
    if bad.is_empty() {
        return Ok(fine("feeds", format!("{all} known, none dormant or gone")));
    }
    let seen = format!(
        "{} of {all} are dormant or gone: {}",
        bad.len(),
        output::harmless(&bad.join("; "))
    );
    Ok(wrong(
        "feeds",
        seen,
        "`telex feeds list` shows their errors; `telex feeds test URL` tries one; `telex feeds remove URL` ends it",
    ))
}

/// Dead letters of a stage are counted up to here: more are as bad.
const COUNTED: usize = 1000;

/// Records of a topic; offsets tell their number on no bus, for there are gaps.
fn count(bus: &dyn Bus, topic: &str) -> Result<usize, CliError> {
    let mut n = 0;
    for ends in bus.ends(topic)? {
        let mut from = ends.first;
        while from < ends.end && n < COUNTED {
            let read = bus.read(topic, ends.partition, from, 100)?;
            let Some(last) = read.last() else { break };
            from = last.next;
            n += read.len();
        }
    }
    Ok(n.min(COUNTED))
}

fn dead_letters(context: &Context, open: &OpenBus) -> Result<Finding, CliError> {
    let mut parts = Vec::new();
    for stage in Stage::ALL {
        let topic = Topic::DeadLetters(stage).name(&context.config.bus.topic_prefix);
        match count(open.bus.as_ref(), &topic)? {
            0 => {}
            COUNTED => parts.push(format!("{stage} {COUNTED} or more")),
            n => parts.push(format!("{stage} {n}")),
        }
    }
    if parts.is_empty() {
        return Ok(fine("dead letters", "none"));
    }
    Ok(wrong(
        "dead letters",
        parts.join(", "),
        "`telex dead-letters list` says why; `telex dead-letters replay` puts them back",
    ))
}

fn sink(context: &Context) -> Finding {
    let path = open::articles_path(&context.config);
    if !context.config.sink.sqlite || !path.exists() {
        return fine("sink", "no database yet");
    }
    match Articles::open(&path).and_then(|a| a.count(&Query::default())) {
        Ok(n) => fine("sink", format!("{n} articles")),
        Err(error) => wrong("sink", error.chain(), "see the message"),
    }
}

fn postgres(context: &Context) -> Option<Finding> {
    let looked = open::postgres(&context.config)
        .transpose()?
        .and_then(|sink| Ok((sink.look()?, sink)));
    Some(match looked {
        Ok((Some(version), sink)) => fine(
            "postgres",
            format!("{} answers, its tables have version {version}", sink.target()),
        ),
        Ok((None, sink)) => fine("postgres", format!("{} answers, no tables yet", sink.target())),
        Err(error) => wrong("postgres", error.to_string(), "see the message"),
    })
}
