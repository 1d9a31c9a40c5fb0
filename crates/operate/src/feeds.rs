//! The list of feeds on the bus.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use telex_model::{FeedId, FeedRecord, FeedState, Origin, SeenItems, Topic, domain, event, to_json};
use telex_poller::list::Listed;
use telex_stream::{Bus, Output, Route, read_all};
use url::Url;

use crate::error::OperateError;

/// Characters of a wrong address that are shown.
const SHOWN: usize = 200;

/// Records appended in one transaction.
const AT_ONCE: usize = 1000;

/// What a declaration changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Declared {
    /// Feeds new on the list.
    pub added: usize,
    /// Feeds with another title, labels or origin.
    pub changed: usize,
    /// Feeds taken off the list.
    pub removed: usize,
    /// Feeds that stay as they were.
    pub unchanged: usize,
}

/// The list of feeds of an installation.
#[derive(Debug, Clone, Copy)]
pub struct Feeds<'a> {
    bus: &'a dyn Bus,
    prefix: &'a str,
}

impl<'a> Feeds<'a> {
    /// The list on that bus.
    pub fn new(bus: &'a dyn Bus, prefix: &'a str) -> Self {
        Self { bus, prefix }
    }

    /// Reads the feeds on the list; records that cannot be read are left out, the poller makes dead letters of them.
    ///
    /// # Errors
    /// Where the bus cannot be read.
    pub fn records(&self) -> Result<HashMap<FeedId, FeedRecord>, OperateError> {
        let mut out: HashMap<FeedId, FeedRecord> = HashMap::new();
        read_all(self.bus, &Topic::Feeds.name(self.prefix), &mut |message| {
            let key = std::str::from_utf8(&message.key).ok();
            let Some(id) = key.and_then(|k| k.parse::<FeedId>().ok()) else {
                return;
            };
            match message
                .value
                .as_ref()
                .map(|v| serde_json::from_slice::<FeedRecord>(v))
            {
                Some(Ok(record)) => drop(out.insert(id, record)),
                None => drop(out.remove(&id)),
                Some(Err(_)) => {}
            }
        })?;
        Ok(out)
    }

    /// Reads the feeds with what the poller remembers of them, worst first; but for the items by which it knows new
    /// ones, which are most of it and of interest to the poller alone.
    ///
    /// # Errors
    /// Where the bus cannot be read.
    pub fn list(&self) -> Result<Vec<FeedStatus>, OperateError> {
        let mut states: HashMap<FeedId, FeedState> = HashMap::new();
        read_all(self.bus, &Topic::FeedState.name(self.prefix), &mut |message| {
            let value = message.value.as_ref();
            if let Some(mut state) = value.and_then(|v| serde_json::from_slice::<FeedState>(v).ok()) {
                state.seen = SeenItems::default();
                state.sitemaps = SeenItems::default();
                states.insert(state.id, state);
            }
        })?;
        Ok(statuses(self.records()?.into_values(), states))
    }

    /// Makes the list hold what was named. With [`Origin::File`] feeds of an earlier file that are not named any more
    /// go; feeds that were added by command stay as they are.
    ///
    /// # Errors
    /// Where the bus cannot be used.
    pub fn declare(&self, listed: Vec<Listed>, origin: Origin) -> Result<Declared, OperateError> {
        let mut known = self.records()?;
        let mut done = Declared::default();
        let mut outputs = Vec::new();
        for mut record in merged(listed, origin) {
            let old = known.remove(&record.id);
            if let Some(old) = &old {
                if origin == Origin::Command {
                    // Who adds a feed again adds to what is known of it.
                    record.title = record.title.or_else(|| old.title.clone());
                    let given = std::mem::replace(&mut record.labels, old.labels.clone());
                    add_labels(&mut record.labels, given);
                }
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
                Some(old) if old == record => {
                    done.unchanged += 1;
                    continue;
                }
                Some(_) => done.changed += 1,
                None => done.added += 1,
            }
            outputs.push(self.addition(&record));
        }
        if origin == Origin::File {
            for gone in known.values().filter(|r| r.origin == Origin::File) {
                done.removed += 1;
                outputs.push(self.removal(gone));
            }
        }
        if !outputs.is_empty() {
            self.append(outputs)?;
        }
        Ok(done)
    }

    /// Changes feeds on the list, by address or id, all of them where none is named; a poller at work follows at once.
    /// Gives their number.
    ///
    /// # Errors
    /// Where one is not on the list, or the bus cannot be used.
    pub fn change(&self, wanted: &[String], change: impl Fn(&mut FeedRecord)) -> Result<usize, OperateError> {
        let mut feeds = if wanted.is_empty() {
            self.records()?.into_values().collect()
        } else {
            self.named(wanted)?
        };
        feeds.iter_mut().for_each(change);
        self.append(feeds.iter().map(|r| self.addition(r)).collect())?;
        Ok(feeds.len())
    }

    /// Asks for a poll of feeds, due or not; of all where none is named. Gives their number.
    ///
    /// # Errors
    /// As of [`Feeds::change`].
    pub fn poll(&self, wanted: &[String], now: Timestamp) -> Result<usize, OperateError> {
        self.change(wanted, |r| r.poll_requested = Some(now))
    }

    /// Takes feeds off the list; gives their number.
    ///
    /// # Errors
    /// As of [`Feeds::change`].
    pub fn remove(&self, wanted: &[String]) -> Result<usize, OperateError> {
        let named = self.named(wanted)?;
        self.append(named.iter().map(|r| self.removal(r)).collect())?;
        Ok(named.len())
    }

    fn named(&self, wanted: &[String]) -> Result<Vec<FeedRecord>, OperateError> {
        let mut known = self.records()?;
        let named = wanted.iter().map(|text| {
            let missing = || OperateError::Missing(format!("{text} is not on the list"));
            known.remove(&feed_id(text)?).ok_or_else(missing)
        });
        named.collect()
    }

    fn append(&self, mut outputs: Vec<Output>) -> Result<(), OperateError> {
        while !outputs.is_empty() {
            let rest = outputs.split_off(outputs.len().min(AT_ONCE));
            self.bus.append(outputs)?;
            outputs = rest;
        }
        Ok(())
    }

    fn addition(&self, record: &FeedRecord) -> Output {
        Output {
            value: Some(to_json(record).into()),
            ..self.removal(record)
        }
    }

    fn removal(&self, record: &FeedRecord) -> Output {
        let domain = Url::parse(&record.url).map(|u| domain(&u)).unwrap_or_default();
        Output {
            topic: Topic::Feeds.name(self.prefix),
            key: Bytes::from(record.id.to_string()),
            route: Route::By(Bytes::from(domain)),
            value: None,
            headers: event::headers(&Topic::Feeds, "cli", record.id.to_string(), Timestamp::now()),
        }
    }
}

/// Makes the records of what was named, each feed once: the first title counts, and all labels.
fn merged(listed: Vec<Listed>, origin: Origin) -> Vec<FeedRecord> {
    let mut records: Vec<FeedRecord> = Vec::with_capacity(listed.len());
    let mut places: HashMap<FeedId, usize> = HashMap::new();
    for record in listed.into_iter().map(|l| l.record(origin)) {
        let place = places.get(&record.id).and_then(|at| records.get_mut(*at));
        match place {
            Some(known) => {
                known.title = known.title.take().or(record.title);
                add_labels(&mut known.labels, record.labels);
            }
            None => {
                places.insert(record.id, records.len());
                records.push(record);
            }
        }
    }
    records
}

fn add_labels(labels: &mut Vec<String>, more: Vec<String>) {
    for label in more {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
}

/// A feed with what the poller remembers of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FeedStatus {
    /// What to poll; the values of its headers are hidden.
    pub feed: FeedRecord,
    /// What the poller remembers; absent until it was polled.
    pub state: Option<FeedState>,
}

impl FeedStatus {
    /// How it does, in a word: its health, or `paused`.
    pub fn health(&self) -> &'static str {
        match &self.state {
            _ if self.feed.paused => "paused",
            Some(state) => state.health.name(),
            None => "new",
        }
    }
}

/// Joins feeds with what the poller remembers of them, worst first: by failures in a row, then by address.
pub fn statuses(
    records: impl IntoIterator<Item = FeedRecord>,
    mut states: HashMap<FeedId, FeedState>,
) -> Vec<FeedStatus> {
    let join = |mut feed: FeedRecord| {
        feed.headers = feed.headers.hidden();
        let state = states.remove(&feed.id);
        FeedStatus { feed, state }
    };
    let mut joined: Vec<FeedStatus> = records.into_iter().map(join).collect();
    let badness = |s: &FeedStatus| s.state.as_ref().map_or(0, |state| state.failures);
    joined.sort_by(|a, b| {
        badness(b)
            .cmp(&badness(a))
            .then_with(|| a.feed.url.cmp(&b.feed.url))
    });
    joined
}

/// Gives the id of a feed, given as such or by its address.
fn feed_id(text: &str) -> Result<FeedId, OperateError> {
    text.trim().parse().or_else(|_| Ok(FeedId::of(&web_url(text)?)))
}

/// Gives an address as it may be shown: without user and password.
pub fn without_user(address: &str) -> String {
    // Most have none, and a list shows hundreds of addresses.
    if !address.contains('@') {
        return address.to_owned();
    }
    let secret = |url: &Url| !url.username().is_empty() || url.password().is_some();
    match Url::parse(address).ok().filter(secret) {
        Some(mut url) => {
            // Only fails on URLs without a host, which have no user either.
            let fine = url.set_username("").is_ok() && url.set_password(None).is_ok();
            if fine { url.to_string() } else { String::new() }
        }
        None => address.to_owned(),
    }
}

/// Takes users and passwords out of every address in a text.
pub fn without_users(text: &str) -> Cow<'_, str> {
    const BEFORE: &str = "://";
    let ends = |c: char| matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>' | '\\') || c.is_whitespace();
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(BEFORE) {
        let authority = after.split(ends).next().unwrap_or_default();
        out.push_str(before);
        out.push_str(BEFORE);
        rest = match authority.rfind('@') {
            Some(at) => after.get(at + 1..).unwrap_or_default(),
            None => after,
        };
    }
    out.push_str(rest);
    if out.len() == text.len() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(out)
    }
}

/// Reads the address of a feed.
///
/// # Errors
/// Where it is no http or https URL.
pub fn web_url(text: &str) -> Result<Url, OperateError> {
    let url = Url::parse(text.trim())
        .ok()
        .filter(|u| matches!(u.scheme(), "http" | "https") && u.has_host());
    url.ok_or_else(|| {
        let shown: String = without_users(text).chars().take(SHOWN).collect();
        OperateError::Wrong(format!("{shown:?} is no http or https URL"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(url: &str, title: Option<&str>, labels: &[&str]) -> Listed {
        Listed {
            url: Url::parse(url).expect("a URL"),
            title: title.map(str::to_owned),
            labels: labels.iter().map(|l| (*l).to_owned()).collect(),
        }
    }

    #[test]
    fn a_feed_named_twice_is_one() {
        let url = "https://news.example/feed";
        let twice = vec![
            listed(url, None, &["a"]),
            listed("https://other.example/feed", None, &[]),
            listed(url, Some("News"), &["b", "a"]),
        ];
        let records = merged(twice, Origin::Command);
        assert_eq!(records.len(), 2);
        let first = records.first().expect("a record");
        assert_eq!(
            (first.title.as_deref(), first.labels.join(" ")),
            (Some("News"), "a b".to_owned())
        );
    }

    #[test]
    fn addresses_are_shown_without_their_users() {
        let shown = without_user("https://reader:hunter2@news.example/feed?x=1#y");
        assert_eq!(shown, "https://news.example/feed?x=1#y");
        for as_it_is in ["https://news.example", "no address", "mailto:a@b.example", ""] {
            assert_eq!(without_user(as_it_is), as_it_is);
        }
        for (text, shown) in [
            (
                r#"{"a":"https://reader:hun@ter2@news.example/f","b":"http://x.example/@y"}"#,
                r#"{"a":"https://news.example/f","b":"http://x.example/@y"}"#,
            ),
            (
                "at ftp://hunter2@a.example and b@c.example",
                "at ftp://a.example and b@c.example",
            ),
            ("://", "://"),
            ("://@", "://"),
            ("", ""),
        ] {
            assert_eq!(without_users(text), shown);
        }
    }
}
