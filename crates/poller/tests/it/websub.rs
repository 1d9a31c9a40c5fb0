//! A scripted hub over real HTTP.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use telex_model::{FeedRecord, Subscription};
use telex_poller::websub::{self, WebSub};
use telex_web::{Client, Request};
use url::{Url, form_urlencoded};

use crate::server::{Asked, Reply, Server};
use crate::support::{Installation, PREFIX, Working, rss, wait_for};

/// A feed, its hub and a subscriber.
struct Scene {
    installation: Installation,
    server: Server,
    record: FeedRecord,
    /// Number of the feed's newest item.
    newest: Arc<AtomicU32>,
}

type Form = HashMap<String, String>;

impl Scene {
    /// A site with a feed at `/rss` that names this hub, and the hub at `/hub`.
    fn new(hub: &'static str) -> Self {
        let mut installation = Installation::new();
        let newest = Arc::new(AtomicU32::new(1));
        let at = Arc::clone(&newest);
        let script = move |asked: &Asked| match asked.path.as_str() {
            "/rss" => {
                let links =
                    format!("<atom:link rel='hub' href='{hub}'/><atom:link rel='self' href='/topic'/>");
                let feed = rss(&[(at.load(Ordering::Relaxed), "News"), (0, "Old")]);
                Reply::ok(feed.replace("<channel>", &format!("<channel>{links}")))
            }
            "/hub" => Reply::status(202),
            // Asks back before it answers.
            "/quick" => {
                let form: Form = form_urlencoded::parse(asked.body.as_bytes())
                    .into_owned()
                    .collect();
                let answer = tokio::task::block_in_place(|| verify_by_hand(&form));
                Reply::status(if answer.contains("challenged") { 202 } else { 400 })
            }
            _ => Reply::status(404),
        };
        let server = installation.runtime.block_on(Server::start(script));
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let websub = WebSub::new(
            &format!("http://{free}/push/"),
            "a secret of the whole installation",
        )
        .unwrap();
        let bus = Arc::new(installation.bus.clone());
        let metrics = Arc::clone(&installation.metrics);
        let serving = websub::serve(free, websub.clone(), bus, PREFIX, metrics);
        installation.runtime.block_on(serving).unwrap();
        installation.websub = Some(websub);
        let record = installation.add(&server.url("/rss"));
        Self {
            installation,
            server,
            record,
            newest,
        }
    }

    /// What the hub was asked, one form a request.
    fn forms(&self) -> Vec<Form> {
        let posts = self.server.asked().into_iter().filter(|a| a.method == "POST");
        posts
            .map(|a| form_urlencoded::parse(a.body.as_bytes()).into_owned().collect())
            .collect()
    }

    /// Waits for the n-th request to the hub.
    fn form(&self, n: usize) -> Form {
        wait_for("a request to the hub", || self.forms().len() > n);
        self.forms().remove(n)
    }

    /// Calls an address of the callback: status and body.
    fn call(&self, url: &str, content: Option<(&str, Option<String>)>) -> (u16, String) {
        let mut request = Request::new(Url::parse(url).unwrap());
        if let Some((body, signature)) = content {
            request.form = Some(body.to_owned());
            request
                .headers
                .extend(signature.map(|s| ("X-Hub-Signature".to_owned(), s)));
        }
        let client = Client::new(self.installation.client.clone()).unwrap();
        let answer = self.installation.runtime.block_on(client.get(&request)).unwrap();
        (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
    }

    /// Calls as a hub that wants to know whether it was asked.
    fn ask(&self, form: &Form, mode: &str, topic: &str) -> (u16, String) {
        let mut url = Url::parse(&form["hub.callback"]).unwrap();
        url.query_pairs_mut()
            .append_pair("hub.mode", mode)
            .append_pair("hub.topic", topic)
            .append_pair("hub.challenge", "c&<h>")
            .append_pair("hub.lease_seconds", "864000");
        self.call(url.as_str(), None)
    }

    fn confirm(&self, form: &Form) {
        let answer = self.ask(form, "subscribe", &form["hub.topic"]);
        assert_eq!(answer, (200, "c&<h>".to_owned()));
    }

    fn ping(&self, form: &Form) -> u16 {
        let key = hmac::Key::new(hmac::HMAC_SHA256, form["hub.secret"].as_bytes());
        let signature = data_encoding::HEXLOWER.encode(hmac::sign(&key, b"content").as_ref());
        let content = ("content", Some(format!("sha256={signature}")));
        self.call(&form["hub.callback"], Some(content)).0
    }

    fn publish(&self) {
        self.newest.fetch_add(1, Ordering::Relaxed);
    }

    fn polls(&self) -> usize {
        self.server.asked().iter().filter(|a| a.path == "/rss").count()
    }

    fn push(&self) -> Option<Subscription> {
        self.installation.state(self.record.id)?.push
    }

    fn counted(&self, name: &str, outcome: &str) -> u64 {
        let series = format!("telex_websub_{name}_total{{outcome=\"{outcome}\"}} ");
        let text = self.installation.metrics.render();
        let count = text.lines().find_map(|line| line.strip_prefix(&series));
        count.map_or(0, |n| n.parse().unwrap())
    }

    /// A subscription that the hub has agreed to and spoken on.
    fn subscribed(&self, working: &Working) -> Form {
        let form = self.form(0);
        self.confirm(&form);
        self.publish();
        assert_eq!(self.ping(&form), 202);
        wait_for("the poll that the hub asked for", || working.polled() == 2);
        wait_for("its state", || self.push().is_some_and(|p| p.pinged_at.is_some()));
        form
    }
}

/// Asks the callback whether a subscription is wanted, without a client.
fn verify_by_hand(form: &Form) -> String {
    use std::io::{Read, Write};
    let url = Url::parse(&form["hub.callback"]).unwrap();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", url.port().unwrap())).unwrap();
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("hub.mode", "subscribe")
        .append_pair("hub.topic", &form["hub.topic"])
        .append_pair("hub.challenge", "challenged")
        .append_pair("hub.lease_seconds", "864000")
        .finish();
    let path = url.path();
    write!(
        stream,
        "GET {path}?{query} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_hub_that_asks_back_at_once_is_understood() {
    let scene = Scene::new("/quick");
    let _working = scene.installation.start(false);
    wait_for("the lease", || {
        scene.push().is_some_and(|p| p.lease_until.is_some())
    });
    assert_eq!(scene.counted("requests", "accepted"), 1);
}

#[test]
fn a_ping_between_stop_and_start_counts_as_told() {
    let scene = Scene::new("/hub");
    let working = scene.installation.start(false);
    let form = scene.subscribed(&working);
    scene.publish();
    assert_eq!(scene.ping(&form), 202);
    // Taken in, but so soon after a poll that it has to wait.
    let read = || {
        scene
            .installation
            .metrics
            .render()
            .contains("telex_messages_in_total{stage=\"poller\"} 4")
    };
    wait_for("the ping to be read", read);
    working.stop();
    assert_eq!(scene.polls(), 2);
    let again = scene.installation.start(false);
    wait_for("the poll", || again.polled() == 1);
    wait_for("its items", || scene.installation.items().len() == 4);
    let state = scene.installation.state(scene.record.id).unwrap();
    assert!(
        state.next_poll > Timestamp::now() + SignedDuration::from_hours(3),
        "the hub is still relied on"
    );
}

#[test]
fn a_hub_that_has_proved_itself_makes_the_feed_be_polled() {
    let scene = Scene::new("/hub");
    let working = scene.installation.start(false);
    let form = scene.form(0);
    assert_eq!(form["hub.mode"], "subscribe");
    assert_eq!(form["hub.topic"], scene.server.url("/topic").as_str());
    assert_eq!(
        (form["hub.secret"].len(), form["hub.lease_seconds"].as_str()),
        (64, "864000")
    );
    scene.subscribed(&working);
    assert_eq!(scene.installation.items().len(), 3);
    let state = scene.installation.state(scene.record.id).unwrap();
    let push = state.push.unwrap();
    assert!(push.lease_until.unwrap() > Timestamp::now() + SignedDuration::from_hours(9 * 24));
    assert!(
        state.next_poll > Timestamp::now() + SignedDuration::from_hours(3),
        "the hub is relied on"
    );
    assert_eq!(scene.forms().len(), 1, "it was asked once");
    assert_eq!(scene.counted("requests", "accepted"), 1);
}

#[test]
fn whoever_is_not_the_hub_is_not_heard() {
    let scene = Scene::new("/hub");
    let working = scene.installation.start(false);
    let form = scene.form(0);
    assert_eq!(
        scene.ask(&form, "subscribe", "http://other.test/").0,
        404,
        "not what was asked for"
    );
    let mut forged = form.clone();
    let sealed = form["hub.callback"].clone();
    forged.insert(
        "hub.callback".to_owned(),
        format!("{}0", sealed.trim_end_matches(|c| c != '/')),
    );
    assert_eq!(scene.ask(&forged, "subscribe", &form["hub.topic"]).0, 404);
    assert_eq!(scene.ping(&forged), 404);
    assert_eq!(
        scene
            .call(
                &scene.server.url("/").as_str().replace(
                    &scene.server.address.port().to_string(),
                    &Url::parse(&sealed).unwrap().port().unwrap().to_string()
                ),
                None
            )
            .0,
        404
    );
    assert_eq!(scene.ask(&form, "publish", &form["hub.topic"]).0, 400);
    assert_eq!(
        scene.ask(&form, "unsubscribe", &form["hub.topic"]).0,
        404,
        "it is still on the list"
    );
    scene.confirm(&form);
    let mut guess = form.clone();
    guess.insert("hub.secret".to_owned(), "guess".to_owned());
    // Nobody learns from the answer whether a guess was right.
    assert_eq!(scene.ping(&guess), 202);
    assert_eq!(scene.call(&sealed, Some(("content", None))).0, 202);
    assert_eq!(
        scene
            .call(
                &sealed,
                Some((&"x".repeat((10 << 20) + 1), Some("sha256=00".to_owned())))
            )
            .0,
        413
    );
    std::thread::sleep(std::time::Duration::from_millis(2600));
    assert_eq!(
        (scene.polls(), working.polled()),
        (1, 1),
        "none of them made it poll"
    );
    let counted = |outcome| scene.counted("callbacks", outcome);
    assert_eq!(
        (counted("bad_signature"), counted("unsigned"), counted("unknown")),
        (1, 1, 4)
    );
    assert_eq!((counted("verified"), counted("ping")), (1, 0));
}

#[test]
fn a_subscription_survives_a_restart() {
    let scene = Scene::new("/hub");
    let working = scene.installation.start(false);
    let form = scene.subscribed(&working);
    working.stop();
    let before = scene.push();
    let again = scene.installation.start(false);
    // While nobody polls the feed the hub is heard as well.
    scene.publish();
    assert_eq!(scene.ping(&form), 202);
    wait_for("the poll", || again.polled() == 1);
    wait_for("its items", || scene.installation.items().len() == 4);
    let lease = |push: Option<Subscription>| push.and_then(|p| p.lease_until);
    assert_eq!(lease(scene.push()), lease(before));
    assert_eq!(scene.forms().len(), 1, "it still holds");
}

#[test]
fn a_ping_that_came_while_no_poller_ran_is_not_lost() {
    let scene = Scene::new("/hub");
    let working = scene.installation.start(false);
    let form = scene.subscribed(&working);
    working.stop();
    scene.publish();
    assert_eq!(scene.ping(&form), 202);
    wait_for("the ping to be on the bus", || {
        use telex_stream::Bus;
        let ends = scene.installation.bus.ends("telex.feeds.v1").unwrap();
        ends.iter().map(|e| e.end).sum::<u64>() >= 4
    });
    let again = scene.installation.start(false);
    wait_for("the poll", || again.polled() == 1);
}

#[test]
fn a_hub_that_refuses_is_left_alone_and_the_feed_polled_as_before() {
    let scene = Scene::new("/hub");
    let working = scene.installation.start(false);
    let form = scene.subscribed(&working);
    assert_eq!(
        scene.ask(&form, "denied", &form["hub.topic"]),
        (200, String::new())
    );
    wait_for("its state", || scene.push().is_some_and(|p| p.denied.is_some()));
    let state = scene.installation.state(scene.record.id).unwrap();
    assert!(
        state.next_poll < Timestamp::now() + SignedDuration::from_hours(1),
        "{}",
        state.next_poll
    );
    assert_eq!(scene.forms().len(), 1);
}

#[test]
fn who_leaves_the_list_is_unsubscribed() {
    let scene = Scene::new("/hub");
    let working = scene.installation.start(false);
    let form = scene.subscribed(&working);
    scene.installation.remove(&scene.record);
    let ended = scene.form(1);
    assert_eq!(ended["hub.mode"], "unsubscribe");
    assert_eq!(ended["hub.callback"], form["hub.callback"]);
    assert_eq!(
        scene.ask(&ended, "unsubscribe", &ended["hub.topic"]),
        (200, "c&<h>".to_owned())
    );
    assert_eq!(scene.ping(&form), 202);
    std::thread::sleep(std::time::Duration::from_millis(2600));
    assert_eq!(working.polled(), 2, "its pings lead to nothing");
}

#[test]
fn a_hub_inside_the_network_is_not_asked() {
    let scene = Scene::new("http://10.1.2.3/hub");
    let working = scene.installation.start(false);
    wait_for("the poll", || working.polled() == 1);
    assert_eq!(scene.counted("requests", "failed"), 1);
    wait_for("its items", || scene.installation.items().len() == 2);
    assert_eq!(scene.push().map(|p| p.tries), Some(1));
}
