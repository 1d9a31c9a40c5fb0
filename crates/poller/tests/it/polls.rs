//! Feeds added, polled and removed while a poller is at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::SignedDuration;
use telex_model::FeedHealth;
use telex_stream::sim::Fault;

use crate::server::{Reply, Server};
use crate::support::{Installation, names, rss, wait_for};

#[test]
fn feeds_come_and_go_while_running() {
    let installation = Installation::new();
    let script = |_: &_| Reply::ok(rss(&[(2, "Two"), (1, "One")]));
    let server = installation.runtime.block_on(Server::start(script));
    let working = installation.start(false);
    let record = installation.add(&server.url("/rss"));
    wait_for("the feed's items", || installation.items().len() == 2);
    assert_eq!(names(&installation.items()), ["1", "2"]);
    let asked = server.asked().remove(0);
    assert_eq!((asked.method.as_str(), asked.body.as_str()), ("GET", ""));
    assert!(asked.head.contains("user-agent: telex/"), "{}", asked.head);
    let state = installation.state(record.id).unwrap();
    assert_eq!(state.health, FeedHealth::Healthy);
    assert!(state.next_poll > state.polled_at.unwrap());

    let mut asked_for = record.clone();
    asked_for.poll_requested = Some(jiff::Timestamp::now());
    installation.put(&asked_for);
    wait_for("the poll asked for", || working.polled() == 2);
    installation.remove(&record);
    wait_for("the state to go", || {
        use telex_stream::Bus;
        let ends = installation.bus.ends("telex.feed-state.v1").unwrap();
        ends.iter().map(|e| e.end - e.first).sum::<u64>() >= 2
    });
    working.stop();
    assert_eq!(installation.items().len(), 2);
}

#[test]
fn every_status_has_its_rule() {
    let installation = Installation::new();
    let script = |asked: &crate::server::Asked| {
        let status = asked.path.trim_start_matches('/').parse().unwrap();
        Reply::status(status)
    };
    let server = installation.runtime.block_on(Server::start(script));
    let statuses = [400, 401, 403, 404, 410, 451, 500, 502];
    let records: Vec<_> = statuses
        .iter()
        .map(|status| installation.add(&server.url(&format!("/{status}"))))
        .collect();
    assert!(installation.once().is_empty());
    let quarter = SignedDuration::from_mins(15);
    for (status, record) in statuses.iter().zip(&records) {
        let state = installation.state(record.id).unwrap();
        assert_eq!(state.last_error, Some(format!("HTTP status {status}")));
        let rest = state.next_poll.duration_since(state.polled_at.unwrap());
        if *status == 410 {
            assert_eq!(state.health, FeedHealth::Gone);
            assert!(rest > quarter * 80, "{rest}: it may come back");
        } else {
            assert_eq!(state.health, FeedHealth::Failing, "{status}");
            assert!(
                rest > quarter * 8 / 10 && rest < quarter * 12 / 10,
                "{status}: {rest}"
            );
        }
    }
}

#[test]
fn a_host_that_says_when_to_come_back_is_left_alone() {
    let installation = Installation::new();
    let script = |_: &_| Reply::status(429).with("Retry-After: 7200");
    let server = installation.runtime.block_on(Server::start(script));
    let mut limited = installation;
    limited.limits.concurrency = 1;
    let records: Vec<_> = (0..3)
        .map(|n| limited.add(&server.url(&format!("/{n}"))))
        .collect();
    assert!(limited.once().is_empty(), "and it does not wait two hours for it");
    assert_eq!(server.asked().len(), 1, "one answer speaks for the host");
    let asked = records.iter().find_map(|r| limited.state(r.id)).unwrap();
    let rest = asked.next_poll.duration_since(asked.polled_at.unwrap());
    assert!(rest > SignedDuration::from_mins(100), "{rest}");
}

#[test]
fn headers_of_a_feed_go_to_its_own_origin_and_no_further() {
    let installation = Installation::new();
    let other = installation
        .runtime
        .block_on(Server::start(|_| Reply::ok(rss(&[(1, "One")]))));
    let elsewhere = format!("Location: {}", other.url("/feed"));
    let server = installation
        .runtime
        .block_on(Server::start(move |_| Reply::status(302).with(&elsewhere)));
    let mut record = installation.add(&server.url("/feed"));
    record.headers.0.insert("x-key".to_owned(), "hunter2".to_owned());
    installation.put(&record);
    assert_eq!(installation.once().len(), 1);
    assert!(
        server.asked()[0].head.to_lowercase().contains("x-key: hunter2"),
        "{:?}",
        server.asked()
    );
    assert!(!other.asked()[0].head.contains("hunter2"), "{:?}", other.asked());
    assert!(!format!("{record:?}").contains("hunter2"), "logs do not show it");
}

#[test]
fn what_was_not_committed_is_asked_for_again() {
    let installation = Installation::new();
    let script = |asked: &crate::server::Asked| {
        if asked.head.contains("if-none-match") {
            return Reply::status(304);
        }
        Reply::ok(rss(&[(1, "One")])).with("ETag: \"1\"")
    };
    let server = installation.runtime.block_on(Server::start(script));
    installation.add(&server.url("/rss"));
    // The commit that takes the record in is the first one; the next would write the items.
    let working = installation.start(false);
    installation.bus.inject(Fault::Failed);
    installation.bus.inject(Fault::Failed);
    wait_for("the items", || installation.items().len() == 1);
    working.stop();
    let conditional = |asked: &crate::server::Asked| asked.head.contains("if-none-match");
    let asked = server.asked();
    let first = asked.iter().position(conditional).unwrap_or(asked.len());
    assert!(first >= 1 && installation.once().is_empty());
    assert_eq!(installation.items().len(), 1, "once, whatever failed");
    assert!(
        conditional(server.asked().last().unwrap()),
        "what was published is named"
    );
}

#[test]
fn a_feed_that_leads_inside_the_network_is_refused() {
    let installation = Installation::new();
    let script = |_: &_| Reply::status(302).with("Location: http://169.254.169.254/latest");
    let server = installation.runtime.block_on(Server::start(script));
    let leads = installation.add(&server.url("/rss"));
    let stands = installation.add(&"http://10.0.0.1/rss".parse().unwrap());
    assert!(installation.once().is_empty());
    for record in [leads, stands] {
        let error = installation.state(record.id).unwrap().last_error.unwrap();
        assert!(
            error.contains("169.254.169.254") || error.contains("10.0.0.1"),
            "{error}"
        );
    }
}

#[test]
fn a_feed_that_becomes_empty_is_noticed_and_brings_nothing_twice() {
    let installation = Installation::new();
    let empty = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&empty);
    let script = move |_: &_| match now.load(Ordering::Relaxed) {
        true => Reply::ok(rss(&[])),
        false => Reply::ok(rss(&[(1, "One"), (2, "Two")])),
    };
    let server = installation.runtime.block_on(Server::start(script));
    installation.add(&server.url("/rss"));
    assert_eq!(installation.once().len(), 2);
    empty.store(true, Ordering::Relaxed);
    assert!(installation.once().is_empty());
    let text = installation.metrics.render();
    assert!(text.contains("telex_polls_total{outcome=\"empty\"} 1"), "{text}");
    empty.store(false, Ordering::Relaxed);
    assert!(installation.once().is_empty(), "they are remembered");
}
