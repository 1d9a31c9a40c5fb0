//! Nothing but vetted addresses is reached, whatever names say and however often they change their mind.

use std::time::Duration;

use crate::support::{Reply, Server, Then, client, names, options, pass};
use telex_web::{Class, Client, ClientOptions, FetchError, Request};
use url::Url;

fn parse(url: &str) -> Request {
    Request::new(Url::parse(url).unwrap())
}

#[tokio::test]
async fn a_name_for_a_forbidden_address_is_refused() {
    let table = names(&[
        ("inside.test", &[&["127.0.0.2", "10.0.0.1"]]),
        ("metadata.test", &[&["169.254.169.254"]]),
        ("mapped.test", &[&["::ffff:127.0.0.1"]]),
        ("nowhere.test", &[&[]]),
    ]);
    let client = Client::with_resolver(options(), table).unwrap();
    let error = client.get(&parse("http://inside.test/")).await.unwrap_err();
    let address = "127.0.0.2".parse().unwrap();
    assert_eq!(
        error,
        FetchError::ForbiddenAddress {
            host: "inside.test".to_owned(),
            address,
            kind: "loopback"
        }
    );
    assert_eq!(error.class(), Class::Blocked);
    for host in ["metadata.test", "mapped.test"] {
        let error = client.get(&parse(&format!("https://{host}/"))).await.unwrap_err();
        assert_eq!(error.reason(), "forbidden_address", "{host}");
    }
    for host in ["nowhere.test", "unknown.test"] {
        let error = client.get(&parse(&format!("http://{host}/"))).await.unwrap_err();
        assert_eq!(
            (error.reason(), error.class()),
            ("dns", Class::Transient),
            "{host}"
        );
    }
}

#[tokio::test]
async fn of_several_addresses_only_vetted_ones_are_tried() {
    // The first would answer as well, were it asked: it is the same server.
    let server = Server::start(|_| Reply::new(200, "", "x")).await;
    let table = names(&[("mixed.test", &[&["10.255.255.1", "127.0.0.1"]])]);
    let client = Client::with_resolver(options(), table).unwrap();
    let response = client
        .get(&Request::new(server.named("mixed.test", "/")))
        .await
        .unwrap();
    assert_eq!(response.address, Some("127.0.0.1".parse().unwrap()));
}

#[tokio::test]
async fn an_address_that_does_not_answer_gives_way_to_the_next() {
    let server = Server::start(|_| Reply::new(200, "", "x")).await;
    let allow_addresses = vec!["127.0.0.0/8".parse().unwrap()];
    let table = names(&[("twice.test", &[&["127.0.0.9", "127.0.0.1"]])]);
    let client = Client::with_resolver(
        ClientOptions {
            allow_addresses,
            ..options()
        },
        table,
    )
    .unwrap();
    let response = client
        .get(&Request::new(server.named("twice.test", "/")))
        .await
        .unwrap();
    assert_eq!(response.address, Some("127.0.0.1".parse().unwrap()));
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let server = Server::start(|_| Reply {
        then: Then::Close,
        ..Reply::new(200, "", "x")
    })
    .await;
    let table = names(&[("rebind.test", &[&["127.0.0.1"], &["127.0.0.2"]])]);
    let client = Client::with_resolver(options(), table.clone()).unwrap();
    let request = Request::new(server.named("rebind.test", "/"));
    // Each fetch needs a new connection; all go to the address that was vetted.
    for _ in 0..5 {
        assert_eq!(
            client.get(&request).await.unwrap().address,
            Some("127.0.0.1".parse().unwrap())
        );
    }
    assert_eq!(*table.lookups.lock().unwrap(), 1);
}

#[tokio::test]
async fn answers_are_kept_for_a_minute_and_vetted_again() {
    let server = Server::start(|_| Reply {
        then: Then::Close,
        ..Reply::new(200, "", "x")
    })
    .await;
    let table = names(&[("rebind.test", &[&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.1"]])]);
    let client = Client::with_resolver(options(), table.clone()).unwrap();
    let request = Request::new(server.named("rebind.test", "/"));
    assert!(client.get(&request).await.is_ok());
    pass(Duration::from_secs(61)).await;
    assert_eq!(
        client.get(&request).await.unwrap_err().reason(),
        "forbidden_address"
    );
    assert_eq!(
        client.get(&request).await.unwrap_err().reason(),
        "forbidden_address"
    );
    assert_eq!(*table.lookups.lock().unwrap(), 2, "failures are remembered too");
    pass(Duration::from_secs(11)).await;
    assert!(client.get(&request).await.is_ok());
}

#[tokio::test]
async fn a_redirect_to_a_name_inside_is_refused() {
    let server = Server::start(|_| Reply::redirect(302, "http://inside.test/")).await;
    let table = names(&[("inside.test", &[&["192.168.1.1"]])]);
    let client = Client::with_resolver(options(), table).unwrap();
    let error = client.get(&Request::new(server.url("/"))).await.unwrap_err();
    assert_eq!(error.reason(), "forbidden_address");
}

#[tokio::test]
async fn other_schemes_are_refused() {
    for url in [
        "ftp://example.com/",
        "file:///etc/passwd",
        "data:text/plain,x",
        "gopher://127.0.0.1:70/",
    ] {
        assert_eq!(
            client().get(&parse(url)).await.unwrap_err().reason(),
            "unsupported_url",
            "{url}"
        );
    }
}

#[tokio::test]
async fn one_address_takes_only_so_many_requests_whatever_the_host() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let server = Server::start(|_| Reply::raw("HTTP/1.1 200 X\r\n\r\n", Then::Hang)).await;
    let rows: Vec<String> = (0..20).map(|number| format!("host{number}.test")).collect();
    let answers: &[&[&str]] = &[&["127.0.0.1"]];
    let table: Vec<(&str, &[&[&str]])> = rows.iter().map(|host| (host.as_str(), answers)).collect();
    let total_timeout = Duration::from_millis(400);
    let settings = ClientOptions {
        per_address_concurrency: 3,
        total_timeout,
        ..options()
    };
    let client = Client::with_resolver(settings, names(&table)).unwrap();
    let timeouts = Arc::new(AtomicUsize::new(0));
    let fetches: Vec<_> = rows
        .iter()
        .map(|host| {
            let (client, timeouts) = (client.clone(), Arc::clone(&timeouts));
            let request = Request::new(server.named(host, "/"));
            tokio::spawn(async move {
                if client.get(&request).await.unwrap_err() == FetchError::Timeout {
                    timeouts.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(client.stats().busy_addresses, 1);
    for fetch in fetches {
        fetch.await.unwrap();
    }
    assert_eq!(timeouts.load(Ordering::Relaxed), 20);
    assert_eq!(client.stats().busy_addresses, 0);
    let reached = server.heads().len();
    // A place that a fetch gives up by its timeout goes to one that is about to time out as well.
    assert!((3..=6).contains(&reached), "{reached}");
}

#[tokio::test]
async fn connections_are_bounded() {
    let server = Server::start(|_| Reply::raw("HTTP/1.1 200 X\r\n\r\n", Then::Hang)).await;
    let connect_timeout = Duration::from_millis(100);
    let total_timeout = Duration::from_millis(700);
    let settings = ClientOptions {
        max_connections: 2,
        connect_timeout,
        total_timeout,
        ..options()
    };
    let client = Client::new(settings).unwrap();
    let fetches: Vec<_> = (0..4)
        .map(|_| {
            let (client, request) = (client.clone(), Request::new(server.url("/")));
            tokio::spawn(async move { client.get(&request).await.unwrap_err().reason() })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(client.stats().open_connections, 2);
    let mut reasons = Vec::new();
    for fetch in fetches {
        reasons.push(fetch.await.unwrap());
    }
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        ["no_connection_slot", "no_connection_slot", "timeout", "timeout"]
    );
}
