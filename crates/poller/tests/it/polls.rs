//! Feeds added, polled and removed while a poller is at work.

use telex_model::FeedHealth;

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
