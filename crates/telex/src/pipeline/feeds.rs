//! The list of feeds on the bus.

use std::collections::HashMap;

use bytes::Bytes;
use jiff::Timestamp;
use telex_model::{FeedId, FeedRecord, Origin, Topic, domain, event, to_json};
use telex_poller::list::Listed;
use telex_stream::{Bus, Output, Route, read_all};
use url::Url;

use crate::error::CliError;

/// What a declaration changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Declared {
    pub(crate) added: usize,
    pub(crate) changed: usize,
    pub(crate) removed: usize,
    pub(crate) unchanged: usize,
}

/// The feeds on the list; records that cannot be read are left out, the poller makes dead letters of them.
pub(crate) fn records(bus: &dyn Bus, prefix: &str) -> Result<HashMap<FeedId, FeedRecord>, CliError> {
    let mut out: HashMap<FeedId, FeedRecord> = HashMap::new();
    read_all(bus, &Topic::Feeds.name(prefix), &mut |message| {
        let id = std::str::from_utf8(&message.key)
            .ok()
            .and_then(|k| k.parse::<FeedId>().ok());
        match (
            id,
            message
                .value
                .as_ref()
                .map(|v| serde_json::from_slice::<FeedRecord>(v)),
        ) {
            (Some(id), Some(Ok(record))) => drop(out.insert(id, record)),
            (Some(id), None) => drop(out.remove(&id)),
            _ => {}
        }
    })?;
    Ok(out)
}

/// Makes the list hold what was named. With [`Origin::File`] feeds of an earlier file that are not named any more go;
/// feeds that were added by command stay as they are.
pub(crate) fn declare(
    bus: &dyn Bus,
    prefix: &str,
    listed: Vec<Listed>,
    origin: Origin,
) -> Result<Declared, CliError> {
    let mut known = records(bus, prefix)?;
    let mut done = Declared::default();
    let mut outputs = Vec::new();
    for listed in listed {
        let mut record = listed.record(origin);
        let old = known.remove(&record.id);
        if let Some(old) = &old {
            // What was set by hand stays, and so does who put it there first by command.
            record.paused = old.paused;
            record.interval_seconds = old.interval_seconds;
            record.headers = old.headers.clone();
            record.poll_requested = old.poll_requested;
            if old.origin == Origin::Command {
                record.origin = Origin::Command;
            }
        }
        match old {
            Some(old) if old == record => done.unchanged += 1,
            Some(_) => done.changed += 1,
            None => done.added += 1,
        }
        outputs.push(addition(&record, prefix));
    }
    if origin == Origin::File {
        for gone in known.values().filter(|r| r.origin == Origin::File) {
            done.removed += 1;
            outputs.push(removal(gone, prefix));
        }
    }
    if done.added + done.changed + done.removed > 0 {
        append(bus, outputs)?;
    }
    Ok(done)
}

/// Asks for a poll of every feed on the list; gives their number.
pub(crate) fn poll_now(bus: &dyn Bus, prefix: &str) -> Result<usize, CliError> {
    let now = Timestamp::now();
    let asked = |record: FeedRecord| FeedRecord {
        poll_requested: Some(now),
        ..record
    };
    let outputs: Vec<Output> = records(bus, prefix)?
        .into_values()
        .map(|r| addition(&asked(r), prefix))
        .collect();
    let n = outputs.len();
    append(bus, outputs)?;
    Ok(n)
}

/// Appends in pieces that the bus takes in one transaction each.
pub(crate) fn append(bus: &dyn Bus, mut outputs: Vec<Output>) -> Result<(), CliError> {
    while !outputs.is_empty() {
        let rest = outputs.split_off(outputs.len().min(1000));
        bus.append(outputs)?;
        outputs = rest;
    }
    Ok(())
}

/// What puts a feed on the list, or in place of what was there.
pub(crate) fn addition(record: &FeedRecord, prefix: &str) -> Output {
    Output {
        value: Some(to_json(record).into()),
        ..removal(record, prefix)
    }
}

/// What takes a feed off the list.
pub(crate) fn removal(record: &FeedRecord, prefix: &str) -> Output {
    let domain = Url::parse(&record.url).map(|u| domain(&u)).unwrap_or_default();
    Output {
        topic: Topic::Feeds.name(prefix),
        key: Bytes::from(record.id.to_string()),
        route: Route::By(Bytes::from(domain)),
        value: None,
        headers: event::headers(&Topic::Feeds, "cli", record.id.to_string(), Timestamp::now()),
    }
}
