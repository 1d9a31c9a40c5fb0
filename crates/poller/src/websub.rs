//! WebSub (W3C Recommendation of 2018): hubs tell when feeds change.
//!
//! A hub calls any of our processes, the feed belongs to one of them. So what a hub says, once it is proved to be the
//! hub, becomes a [`FeedSignal`] on the bus, and the content that it sends is not read: a ping means "poll now", and
//! the poll does all that is done to feeds. The alternative, to take the content, would be a second way for items to
//! come in, and would let a hub speak for every site that names it.
//!
//! What a callback needs to know stands in its own address, sealed by the master secret: no process has to look up
//! which subscriptions there are.

mod callback;
mod keys;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use telex_model::{FeedRecord, FeedSignal, Said, Subscription, domain};
use telex_web::{FetchError, Request, Response, host_key};
use tokio::time::timeout;
use url::{Url, form_urlencoded};

pub use callback::{WebSubError, serve};

use crate::interval::LONGEST;
use crate::poll::Shared;
use keys::{Keys, Place};

/// The lease asked for, in seconds: ten days, as the Recommendation suggests to hubs.
const LEASE: &str = "864000";

/// Shortest and longest lease believed, in seconds: less would be renewed all the time, more outlives its hub.
const LEASES: std::ops::RangeInclusive<u32> = 300..=90 * 24 * 60 * 60;

/// A request that led to nothing is made again after this time, then after twice as long, and so on.
const RETRY: Duration = Duration::from_secs(15 * 60);

/// Longest wait between two requests, also after a refusal: hubs change their minds.
const LONGEST_RETRY: Duration = Duration::from_secs(24 * 60 * 60);

/// A hub has so long to take a request in; the items of the poll wait for it.
const HUB_TIMEOUT: Duration = Duration::from_secs(10);

/// A feed is not polled sooner after the poll before, however often its hub calls: for each item of a burst, some do.
pub(crate) const BETWEEN_PINGS: SignedDuration = SignedDuration::from_secs(2);

/// Longest address of a hub or topic, in bytes.
const MAX_URL: usize = 2048;

/// Outcomes of requests to hubs, as labels.
pub(crate) const REQUESTS: [&str; 3] = ["accepted", "refused", "failed"];

/// What a subscriber is set up with; clones share it. `Debug` does not show the secret.
#[derive(Debug, Clone)]
pub struct WebSub {
    /// Address under which hubs reach the callback, with a path of any length.
    callback: Url,
    keys: Keys,
}

impl WebSub {
    /// Prepares subscriptions: `callback` is the address under which hubs reach [`serve`], `secret` what all secrets
    /// are derived from. All pollers of an installation need the same ones.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn new(callback: &str, secret: &str) -> Result<Self, String> {
        let url = Url::parse(callback)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let callback = url.ok_or_else(|| format!("{callback:?} is no http or https address"))?;
        if secret.len() < keys::SHORTEST {
            return Err(format!(
                "the secret needs at least {} characters; openssl rand -hex 32 makes one",
                keys::SHORTEST
            ));
        }
        let keys = Keys::new(secret);
        Ok(Self { callback, keys })
    }

    /// The address that a hub calls for a feed.
    fn address(&self, record: &FeedRecord, topic: &str) -> Url {
        let home = Url::parse(&record.url)
            .map(|url| domain(&url))
            .unwrap_or_default();
        let place = Place::new(record.id, home, topic);
        let mut url = self.callback.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(self.keys.seal(&place));
        }
        url
    }

    fn form(&self, mode: &str, record: &FeedRecord, subscription: &Subscription) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("hub.callback", self.address(record, &subscription.topic).as_str())
            .append_pair("hub.mode", mode)
            .append_pair("hub.topic", &subscription.topic);
        if mode == "subscribe" {
            form.append_pair("hub.lease_seconds", LEASE)
                .append_pair("hub.secret", &self.keys.secret(record.id));
        }
        form.finish()
    }
}

/// Names of hub and topic in an answer: those of its `Link` headers before those of the feed itself.
pub(crate) fn named(response: &Response, hints: &telex_feed::Hints) -> Option<(String, String)> {
    let header = |rel| response.links(rel).into_iter().next().map(String::from);
    let hub = header("hub").or_else(|| hints.hub.clone())?;
    let topic = header("self").or_else(|| hints.self_link.clone());
    let topic = topic.unwrap_or_else(|| response.final_url.to_string());
    let fine = |text: &str| {
        let url = Url::parse(text).ok();
        text.len() <= MAX_URL && url.is_some_and(|u| matches!(u.scheme(), "http" | "https") && u.has_host())
    };
    (fine(&hub) && fine(&topic)).then_some((hub, topic))
}

/// Keeps a subscription to what an answer names, or begins one.
pub(crate) fn follow(before: Option<Subscription>, named: Option<(String, String)>) -> Option<Subscription> {
    let (hub, topic) = named?;
    let same = |s: &Subscription| s.hub == hub && s.topic == topic;
    before.filter(same).or(Some(Subscription {
        hub,
        topic,
        ..Subscription::default()
    }))
}

/// Takes in what a hub said; what is older than what is known changes nothing. Tells whether it was news.
pub(crate) fn apply(subscription: &mut Subscription, signal: &FeedSignal) -> bool {
    let at = signal.at;
    let news = |known: Option<Timestamp>| known.is_none_or(|known| known < at);
    match &signal.said {
        Said::Ping if news(subscription.pinged_at) => {
            subscription.pinged_at = Some(at);
            subscription.silent = false;
        }
        Said::Subscribed { lease_seconds } if news(subscription.decided_at) => {
            let lease = SignedDuration::from_secs(i64::from(*lease_seconds));
            subscription.decided_at = Some(at);
            subscription.lease_until = at.checked_add(lease).ok();
            subscription.renew_at = at.checked_add(lease * 3 / 4).ok();
            subscription.tries = 0;
            subscription.denied = None;
        }
        Said::Denied { reason } if news(subscription.decided_at) => {
            subscription.decided_at = Some(at);
            subscription.lease_until = None;
            subscription.renew_at = None;
            subscription.denied = Some(reason.clone());
        }
        _ => return false,
    }
    true
}

/// Tells whether a subscription holds.
fn holds(subscription: &Subscription, now: Timestamp) -> bool {
    subscription.lease_until.is_some_and(|until| until > now)
}

/// Tells whether a subscription is to be asked for now: there is none, or it is about to end.
fn is_due(subscription: &Subscription, now: Timestamp) -> bool {
    let wait = RETRY.saturating_mul(1 << subscription.tries.saturating_sub(1).min(10));
    let wait = SignedDuration::try_from(wait.min(LONGEST_RETRY)).unwrap_or_default();
    let rested = |at: Option<Timestamp>, wait| at.is_none_or(|at| now.duration_since(at) >= wait);
    if subscription.denied.is_some() {
        let day = SignedDuration::try_from(LONGEST_RETRY).unwrap_or_default();
        return rested(subscription.decided_at, day) && rested(subscription.asked_at, day);
    }
    let wanted = !holds(subscription, now) || subscription.renew_at.is_none_or(|at| at <= now);
    wanted && (subscription.tries == 0 || rested(subscription.asked_at, wait))
}

/// Notes that a poll found news; where the hub should have told of them and has not, it is not relied on.
pub(crate) fn found_news(subscription: &mut Subscription, last: Timestamp, now: Timestamp) {
    let told = subscription.pinged_at.is_some_and(|at| at > last);
    let held = holds(subscription, now) && subscription.decided_at.is_some_and(|at| at < last);
    if held && !told && !subscription.silent {
        subscription.silent = true;
        tracing::info!(
            hub = subscription.hub,
            topic = subscription.topic,
            "a hub kept news to itself: the feed is polled as if there was none"
        );
    }
}

/// Gives the rest of a feed whose hub tells of changes: long, for what the hub may miss; never past the time when the
/// subscription is to be renewed.
pub(crate) fn rest(subscription: Option<&Subscription>, own: Duration, now: Timestamp) -> Duration {
    let Some(subscription) = subscription.filter(|s| holds(s, now)) else {
        return own;
    };
    let rest = if subscription.silent {
        own
    } else {
        own.max(LONGEST)
    };
    let renewal = subscription.renew_at.map(|at| now.duration_until(at));
    match renewal.and_then(|wait| Duration::try_from(wait).ok()) {
        Some(wait) => rest.min(wait.max(crate::interval::SHORTEST)),
        None => rest,
    }
}

/// Asks the hub for a subscription, where that is due and the hub may be asked now.
pub(crate) async fn subscribe(
    record: &FeedRecord,
    subscription: &mut Subscription,
    shared: &Shared,
    now: Timestamp,
) {
    let Some(websub) = shared.websub.as_ref().filter(|_| is_due(subscription, now)) else {
        return;
    };
    let Some(asked) = ask(
        websub.form("subscribe", record, subscription),
        &subscription.hub,
        shared,
    )
    .await
    else {
        return;
    };
    subscription.asked_at = Some(now);
    subscription.tries = subscription.tries.saturating_add(1);
    if let Err(error) = asked {
        tracing::info!(
            feed = record.url,
            hub = subscription.hub,
            error,
            "a hub gave no subscription"
        );
    }
}

/// Ends a subscription, if the hub can be reached; else it ends with its lease.
pub(crate) async fn unsubscribe(record: FeedRecord, subscription: Subscription, shared: Shared) {
    let Some(websub) = shared
        .websub
        .as_ref()
        .filter(|_| holds(&subscription, Timestamp::now()))
    else {
        return;
    };
    if let Some(Err(error)) = ask(
        websub.form("unsubscribe", &record, &subscription),
        &subscription.hub,
        &shared,
    )
    .await
    {
        tracing::info!(
            feed = record.url,
            hub = subscription.hub,
            error,
            "a subscription ends with its lease"
        );
    }
}

/// Sends a request to a hub; nothing where the hub may not be asked now, for one hub serves thousands of feeds.
async fn ask(form: String, hub: &str, shared: &Shared) -> Option<Result<(), String>> {
    let url = Url::parse(hub).ok()?;
    let _permit = shared.limits.try_acquire(&host_key(&url)).ok()?;
    let mut request = Request::new(url);
    request.form = Some(form);
    let answer = timeout(HUB_TIMEOUT, shared.client.get(&request))
        .await
        .unwrap_or(Err(FetchError::Timeout));
    let (outcome, result) = match answer {
        Ok(answer) if (200..300).contains(&answer.status) => ("accepted", Ok(())),
        Ok(answer) => ("refused", Err(format!("HTTP status {}", answer.status))),
        Err(error) => ("failed", Err(error.to_string())),
    };
    shared
        .metrics
        .all()
        .websub_requests
        .with_label_values(&[outcome])
        .inc();
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use telex_model::FeedId;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + minute * 60).expect("a time")
    }

    fn new() -> Subscription {
        let named = ("https://hub.test/".to_owned(), "https://h.test/rss".to_owned());
        follow(None, Some(named)).expect("a subscription")
    }

    fn hear(subscription: &mut Subscription, minute: i64, said: Said) {
        let feed = FeedId::of(&Url::parse("https://h.test/rss").expect("a URL"));
        let at = at(minute);
        let _news = apply(subscription, &FeedSignal { feed, at, said });
    }

    fn subscribed(minute: i64, lease_minutes: u32) -> Subscription {
        let mut subscription = new();
        let lease_seconds = lease_minutes * 60;
        hear(&mut subscription, minute, Said::Subscribed { lease_seconds });
        subscription
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_hub_that_does_not_answer_is_asked_ever_more_rarely() {
        let mut subscription = new();
        let (mut asked, mut minute) = (Vec::new(), 0);
        while asked.len() < 10 {
            if is_due(&subscription, at(minute)) {
                subscription.asked_at = Some(at(minute));
                subscription.tries += 1;
                asked.push(minute);
            }
            minute += 5;
        }
        let waits: Vec<i64> = asked.windows(2).map(|w| w[1] - w[0]).collect();
        assert_eq!(waits, [15, 30, 60, 120, 240, 480, 960, 1440, 1440]);
    }

    #[test]
    fn a_lease_is_renewed_before_it_ends() {
        let mut subscription = subscribed(0, 1000);
        assert!(!is_due(&subscription, at(749)) && is_due(&subscription, at(751)));
        assert_eq!(rest(Some(&subscription), MINUTE, at(0)), LONGEST);
        assert_eq!(
            rest(Some(&subscription), MINUTE, at(700)),
            50 * MINUTE,
            "there for the renewal"
        );
        assert_eq!(
            rest(Some(&subscription), MINUTE, at(1001)),
            MINUTE,
            "polled as before when it has ended"
        );
        hear(
            &mut subscription,
            800,
            Said::Subscribed {
                lease_seconds: 60_000,
            },
        );
        assert!(!is_due(&subscription, at(1001)));
        hear(
            &mut subscription,
            700,
            Said::Denied {
                reason: "late".to_owned(),
            },
        );
        assert_eq!(subscription.denied, None, "what was said before is of no account");
    }

    #[test]
    fn a_refusal_holds_for_a_day() {
        let mut subscription = subscribed(0, 1000);
        hear(
            &mut subscription,
            5,
            Said::Denied {
                reason: "no".to_owned(),
            },
        );
        assert_eq!(rest(Some(&subscription), MINUTE, at(6)), MINUTE);
        assert!(!is_due(&subscription, at(5 + 1439)) && is_due(&subscription, at(5 + 1441)));
    }

    #[test]
    fn a_hub_that_keeps_news_to_itself_is_not_relied_on() {
        let mut subscription = subscribed(0, 10_000);
        hear(&mut subscription, 20, Said::Ping);
        found_news(&mut subscription, at(10), at(21));
        assert!(!subscription.silent, "it told");
        found_news(&mut subscription, at(21), at(60));
        assert!(subscription.silent);
        assert_eq!(rest(Some(&subscription), MINUTE, at(60)), MINUTE);
        hear(&mut subscription, 61, Said::Ping);
        assert_eq!(rest(Some(&subscription), MINUTE, at(61)), LONGEST);
        let mut young = subscribed(50, 10_000);
        found_news(&mut young, at(40), at(60));
        assert!(!young.silent, "news of the time before it was subscribed to");
    }

    #[test]
    fn another_hub_is_another_subscription() {
        let before = subscribed(0, 1000);
        let same = follow(
            Some(before.clone()),
            Some((before.hub.clone(), before.topic.clone())),
        );
        assert_eq!(same.as_ref(), Some(&before));
        let other = follow(
            same,
            Some(("https://other.test/".to_owned(), before.topic.clone())),
        );
        assert_eq!(other.as_ref().and_then(|s| s.lease_until), None);
        assert_eq!(follow(other, None), None);
    }

    #[test]
    fn settings_are_checked() {
        assert!(WebSub::new("ftp://h.test/", &"s".repeat(32)).is_err());
        assert!(WebSub::new("https://h.test/", "short").is_err());
        let websub = WebSub::new("https://h.test/push/", "hunter2hunter2hunter2").expect("fine");
        assert!(!format!("{websub:?}").contains("hunter2"));
    }
}
