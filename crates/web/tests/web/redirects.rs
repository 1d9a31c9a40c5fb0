//! Redirects: what is followed, what is remembered, what is no longer sent.

use crate::support::{Reply, Server, Then, client, names, options};
use telex_web::{Client, FetchError, HostLimits, HostLimitsOptions, Politeness, Request, Robots, host_key};
use url::Url;

fn path(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn hops_are_followed_and_counted() {
    let server = Server::start(|head| match path(head) {
        "/a" => Reply::redirect(301, "b?x=1#fragment"),
        "/b?x=1" => Reply::redirect(308, "//127.0.0.1:PORT/c".replace("PORT", port(head)).as_str()),
        "/c" => Reply::new(200, "", "end"),
        _ => Reply::new(404, "", ""),
    })
    .await;
    let response = client().get(&Request::new(server.url("/a"))).await.unwrap();
    assert_eq!(
        (response.status, response.hops, &response.body[..]),
        (200, 2, &b"end"[..])
    );
    assert_eq!(response.final_url, server.url("/c"));
    assert_eq!(response.permanent_redirect, Some(server.url("/c")));
    assert_eq!(
        *server.connections.lock().unwrap(),
        1,
        "short redirects must not cost a connection"
    );
}

/// The server's own port, as its client names it.
fn port(head: &str) -> &str {
    let host = head
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("host: "));
    host.and_then(|line| line.rsplit(':').next()).unwrap_or_default()
}

#[tokio::test]
async fn one_temporary_hop_makes_the_move_temporary() {
    for status in [302, 303, 307] {
        let server = Server::start(move |head| match path(head) {
            "/a" => Reply::redirect(301, "/b"),
            "/b" => Reply::redirect(status, "/c"),
            _ => Reply::new(200, "", ""),
        })
        .await;
        let response = client().get(&Request::new(server.url("/a"))).await.unwrap();
        assert_eq!(
            (response.hops, response.permanent_redirect),
            (2, None),
            "{status}"
        );
    }
}

#[tokio::test]
async fn loops_and_long_chains_end() {
    let server = Server::start(|head| match path(head) {
        "/self" => Reply::redirect(302, "/self#again"),
        "/a" => Reply::redirect(302, "/b"),
        "/b" => Reply::redirect(302, "/a"),
        path => Reply::redirect(302, &format!("{path}x")),
    })
    .await;
    let fetch = async |path| client().get(&Request::new(server.url(path))).await.unwrap_err();
    assert_eq!(
        fetch("/self").await,
        FetchError::RedirectLoop(server.url("/self").to_string())
    );
    assert_eq!(
        fetch("/a").await,
        FetchError::RedirectLoop(server.url("/a").to_string())
    );
    assert_eq!(fetch("/x").await, FetchError::TooManyRedirects { limit: 10 });
}

#[tokio::test]
async fn targets_that_are_none_are_refused() {
    for (location, reason) in [
        ("", "bad_redirect"),
        ("http://[", "bad_redirect"),
        ("ftp://example.com/", "unsupported_url"),
        ("file:///etc/passwd", "unsupported_url"),
        ("data:text/plain,x", "unsupported_url"),
        ("http://127.0.0.2/", "forbidden_address"),
        ("http://0x7f.0.0.2/", "forbidden_address"),
        ("http://[::ffff:127.0.0.1]/", "forbidden_address"),
        ("http://169.254.169.254/latest/meta-data/", "forbidden_address"),
    ] {
        let server = Server::start(move |_| Reply::redirect(302, location)).await;
        let error = client().get(&Request::new(server.url("/"))).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{location}: {error}");
    }
    let server = Server::start(|_| Reply::new(302, "", "")).await;
    let error = client().get(&Request::new(server.url("/"))).await.unwrap_err();
    assert_eq!(error, FetchError::BadRedirect);
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    let other = Server::start(|_| Reply::new(200, "", "other")).await;
    let to_other = other.url("/next").to_string();
    let server = Server::start(move |head| match path(head) {
        "/same" => Reply::redirect(302, "/end"),
        "/other" => Reply::redirect(302, &to_other),
        _ => Reply::new(200, "", "end"),
    })
    .await;
    let mut url = server.url("/same");
    url.set_username("reader").unwrap();
    url.set_password(Some("p@ss")).unwrap();
    let mut request = Request::new(url.clone());
    request
        .headers
        .push(("Cookie".to_owned(), "session=1".to_owned()));
    request.headers.push(("X-Api-Key".to_owned(), "k".to_owned()));
    request.if_none_match = Some("\"v\"".to_owned());
    client().get(&request).await.unwrap();
    request.url.set_path("/other");
    let response = client().get(&request).await.unwrap();
    assert_eq!(response.final_url.as_str(), other.url("/next").as_str());

    let own = server.heads();
    assert_eq!(own.len(), 3);
    for head in own {
        let head = head.to_ascii_lowercase();
        assert!(
            head.contains("authorization: basic cmvhzgvyonbac3m=\r\n"),
            "{head}"
        );
        assert!(
            head.contains("cookie: session=1\r\n") && head.contains("x-api-key: k\r\n"),
            "{head}"
        );
    }
    let foreign = other.heads()[0].to_ascii_lowercase();
    for name in ["authorization", "cookie", "x-api-key"] {
        assert!(!foreign.contains(name), "{foreign}");
    }
    assert!(
        foreign.contains("if-none-match: \"v\""),
        "validators belong to where the chain ends: {foreign}"
    );
}

#[tokio::test]
async fn credentials_that_a_redirect_brings_are_not_used() {
    let server = Server::start(|head| match path(head) {
        "/a" => Reply::redirect(302, &format!("http://evil:pw@127.0.0.1:{}/b", port(head))),
        _ => Reply::new(200, "", ""),
    })
    .await;
    let response = client().get(&Request::new(server.url("/a"))).await.unwrap();
    assert_eq!(response.final_url, server.url("/b"));
    assert!(!server.heads()[1].to_ascii_lowercase().contains("authorization"));
}

#[tokio::test]
async fn a_form_is_not_sent_to_strangers() {
    let other = Server::start(|_| Reply::new(202, "", "")).await;
    let target = other.url("/").to_string();
    let server = Server::start(move |head| match path(head) {
        "/see-other" => Reply {
            then: Then::Close,
            ..Reply::redirect(303, "/x")
        },
        _ => Reply {
            then: Then::Close,
            ..Reply::redirect(307, &target)
        },
    })
    .await;
    for start in ["/see-other", "/elsewhere"] {
        let mut request = Request::new(server.url(start));
        request.form = Some("hub.secret=s".to_owned());
        assert_eq!(client().get(&request).await.unwrap_err(), FetchError::BadRedirect);
    }
    assert!(other.heads().is_empty());
}

#[tokio::test]
async fn a_polite_fetch_asks_the_hosts_on_the_way() {
    let server = Server::start(|head| match path(head) {
        "/robots.txt" => Reply::new(200, "", "User-agent: *\nDisallow: /secret\nCrawl-delay: 3\n"),
        "/to-secret" => Reply::redirect(302, &format!("http://b.test:{}/secret", port(head))),
        "/to-open" => Reply::redirect(302, &format!("http://b.test:{}/open", port(head))),
        _ => Reply::new(200, "", "page"),
    })
    .await;
    let table = names(&[("a.test", &[&["127.0.0.1"]]), ("b.test", &[&["127.0.0.1"]])]);
    let client = Client::with_resolver(options(), table).unwrap();
    let limits = HostLimits::new(HostLimitsOptions::default());
    let robots = Robots::new("telex", 1 << 20);
    let politeness = Politeness {
        limits: &limits,
        robots: Some(&robots),
    };

    let secret = Request::new(server.named("a.test", "/to-secret"));
    let error = client.get_politely(&secret, &politeness).await.unwrap_err();
    assert_eq!(
        error,
        FetchError::RobotsDisallowed(server.named("b.test", "/secret").to_string())
    );
    assert!(
        !server.heads().iter().any(|head| path(head) == "/secret"),
        "it was fetched all the same"
    );

    let open = Request::new(server.named("a.test", "/to-open"));
    assert_eq!(
        client.get_politely(&open, &politeness).await.unwrap().body,
        "page"
    );
    let host = host_key(&server.named("b.test", "/"));
    assert!(
        limits.try_acquire(&host).is_err(),
        "the hop must count, with the crawl delay"
    );
    assert_eq!(limits.in_flight(), 0);
}

#[tokio::test]
async fn the_same_url_in_odd_spellings_is_the_same_guarded_address() {
    for url in [
        "http://0x7f.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://[::1]/",
    ] {
        let client = Client::new(telex_web::ClientOptions::default()).unwrap();
        let error = client
            .get(&Request::new(Url::parse(url).unwrap()))
            .await
            .unwrap_err();
        assert_eq!(error.reason(), "forbidden_address", "{url}: {error}");
    }
}
