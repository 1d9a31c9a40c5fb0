//! What the client sends, what it reads, where it stops.

use std::io::Write;
use std::time::Duration;

use crate::support::{Reply, Server, Then, client, options};
use telex_web::{Class, Client, ClientOptions, FetchError, Request};
use url::Url;

async fn get(client: &Client, url: Url) -> Result<telex_web::Response, FetchError> {
    client.get(&Request::new(url)).await
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(body).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn a_page_comes_with_its_headers() {
    let server = Server::start(|_| {
        let headers = "ETag: W/\"7\"\r\nLast-Modified: Sun, 22 Nov 2026 10:00:00 GMT\r\nContent-Type: text/html; charset=x\r\n\
             Content-Language: uk, en\r\nRetry-After: 7\r\nLink: </hub>; rel=hub\r\nCache-Control: max-age=60\r\n";
        Reply::new(200, headers, "hello")
    })
    .await;
    let response = get(&client(), server.url("/a?b=c#d")).await.unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH;
    assert_eq!(response.status, 200);
    assert_eq!(&response.body[..], b"hello");
    assert_eq!(response.bytes_on_wire, 5);
    assert_eq!(response.address, Some(server.address.ip()));
    assert_eq!(response.final_url, server.url("/a?b=c"));
    assert_eq!(response.permanent_redirect, None);
    assert_eq!(response.etag(), Some("W/\"7\""));
    assert_eq!(response.last_modified(), Some("Sun, 22 Nov 2026 10:00:00 GMT"));
    assert_eq!(response.content_type(), Some("text/html; charset=x"));
    assert_eq!(response.content_language(), Some("uk"));
    assert_eq!(response.retry_after(now), Some(Duration::from_secs(7)));
    assert_eq!(
        response.freshness(now),
        telex_web::Freshness::Fresh(Duration::from_secs(60))
    );
    assert_eq!(response.links("hub"), [server.url("/hub")]);
    assert!(
        server.heads()[0].starts_with("GET /a?b=c HTTP/1.1\r\n"),
        "{:?}",
        server.heads()
    );
}

#[tokio::test]
async fn a_conditional_get_sends_its_validators_and_takes_304() {
    let server = Server::start(|_| Reply::raw("HTTP/1.1 304 X\r\nETag: \"8\"\r\n\r\n", Then::Keep)).await;
    let mut request = Request::new(server.url("/feed"));
    request.if_none_match = Some("\"7\"".to_owned());
    request.if_modified_since = Some("Sun, 22 Nov 2026 10:00:00 GMT".to_owned());
    request.accept = telex_web::ACCEPT_FEED.into();
    let client = client();
    for _ in 0..3 {
        let response = client.get(&request).await.unwrap();
        assert_eq!(
            (response.status, response.body.len(), response.etag()),
            (304, 0, Some("\"8\""))
        );
    }
    let head = server.heads()[0].to_ascii_lowercase();
    for line in [
        "if-none-match: \"7\"\r\n",
        "if-modified-since: sun, 22 nov 2026 10:00:00 gmt\r\n",
        "accept-encoding: gzip, deflate, br, zstd\r\n",
        "user-agent: telex/",
        "accept: application/atom+xml",
    ] {
        assert!(head.contains(line), "{line} is not in {head}");
    }
    assert_eq!(
        *server.connections.lock().unwrap(),
        1,
        "the connection was not used again"
    );
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced() {
    let server = Server::start(|_| Reply {
        then: Then::Close,
        ..Reply::new(200, "", "x")
    })
    .await;
    let client = client();
    for _ in 0..20 {
        get(&client, server.url("/")).await.unwrap();
    }
}

#[tokio::test]
async fn a_kept_connection_that_dies_with_the_request_is_replaced_once() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(
        move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            1 => Reply::raw("", Then::Close),
            _ => Reply::new(200, "", "x"),
        },
    )
    .await;
    let client = client();
    get(&client, server.url("/1")).await.unwrap();
    get(&client, server.url("/2")).await.unwrap();
    assert_eq!(server.heads().len(), 3);
}

#[tokio::test]
async fn connections_beyond_the_kept_ones_are_closed() {
    let server = Server::start(|_| Reply::new(200, "", "x")).await;
    let client = Client::new(ClientOptions {
        max_kept_connections: 0,
        ..options()
    })
    .unwrap();
    get(&client, server.url("/1")).await.unwrap();
    get(&client, server.url("/2")).await.unwrap();
    // The first fetch saw no open connection yet.
    let closing = |head: &String| head.to_ascii_lowercase().contains("connection: close\r\n");
    assert_eq!(
        server.heads().iter().map(closing).collect::<Vec<_>>(),
        [false, true]
    );
}

#[tokio::test]
async fn every_coding_is_unpacked() {
    let text = "All the news that fits. ".repeat(4000);
    let mut brotli_free = Vec::new();
    let mut zlib = flate2::write::ZlibEncoder::new(&mut brotli_free, flate2::Compression::fast());
    zlib.write_all(text.as_bytes()).unwrap();
    zlib.finish().unwrap();
    let bodies = [
        ("gzip", gzip(text.as_bytes())),
        ("deflate", brotli_free),
        ("zstd", zstd::encode_all(text.as_bytes(), 3).unwrap()),
        ("identity", text.clone().into_bytes()),
    ];
    for (coding, body) in bodies {
        let length = body.len() as u64;
        let headers = format!("Content-Encoding: {coding}\r\n");
        let server = Server::start(move |_| Reply::new(200, &headers, &body)).await;
        let response = get(&client(), server.url("/")).await.unwrap();
        assert!(
            response.body == text.as_bytes(),
            "{coding}: {} bytes",
            response.body.len()
        );
        assert_eq!(response.bytes_on_wire, length, "{coding}");
    }
}

#[tokio::test]
async fn an_unknown_coding_is_refused() {
    let server = Server::start(|_| Reply::new(200, "Content-Encoding: pack200\r\n", "x")).await;
    let error = get(&client(), server.url("/")).await.unwrap_err();
    assert_eq!(error, FetchError::UnsupportedEncoding("pack200".to_owned()));
}

#[tokio::test]
async fn a_bomb_stops_at_the_limit() {
    let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
    assert!(bomb.len() < 100_000);
    let server = Server::start(move |_| Reply::new(200, "Content-Encoding: gzip\r\n", &bomb)).await;
    let error = get(&client(), server.url("/")).await.unwrap_err();
    assert_eq!(
        error,
        FetchError::BodyTooLarge {
            limit: 4 * 1024 * 1024
        }
    );
    assert_eq!(error.class(), Class::Permanent);
}

#[tokio::test]
async fn a_body_longer_than_the_limit_is_refused_announced_or_not() {
    let client = Client::new(ClientOptions {
        max_body_bytes: 1000,
        ..options()
    })
    .unwrap();
    let announced =
        Server::start(|_| Reply::raw("HTTP/1.1 200 X\r\nContent-Length: 1001\r\n\r\n", Then::Hang)).await;
    let endless =
        Server::start(|_| Reply::raw("HTTP/1.1 200 X\r\n\r\n", Then::Drip(Duration::from_micros(1)))).await;
    for server in [announced, endless] {
        let error = get(&client, server.url("/")).await.unwrap_err();
        assert_eq!(error, FetchError::BodyTooLarge { limit: 1000 });
    }
    let fitting = Server::start(|_| Reply::new(200, "", vec![b'x'; 1000])).await;
    assert_eq!(get(&client, fitting.url("/")).await.unwrap().body.len(), 1000);
}

#[tokio::test]
async fn a_body_is_cut_where_the_request_says_so() {
    let packed = gzip(&vec![b'x'; 100_000]);
    for (coding, body) in [("identity", vec![b'x'; 100_000]), ("gzip", packed)] {
        let headers = format!("Content-Encoding: {coding}\r\n");
        let server = Server::start(move |_| Reply::new(200, &headers, &body)).await;
        let mut request = Request::new(server.url("/"));
        request.cut_at = Some(700);
        assert_eq!(client().get(&request).await.unwrap().body.len(), 700, "{coding}");
    }
}

#[tokio::test]
async fn a_truncated_body_is_an_error_not_a_short_body() {
    let packed = gzip(&[7; 5000]);
    let half = packed[..packed.len() / 2].to_vec();
    let scripts = [
        Reply::raw("HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\n12345", Then::Close),
        Reply::raw(
            "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
            Then::Close,
        ),
        Reply::new(200, "Content-Encoding: gzip\r\n", half),
    ];
    for reply in scripts {
        let server = Server::start(move |_| reply.clone()).await;
        let error = get(&client(), server.url("/")).await.unwrap_err();
        assert_eq!(
            (error.reason(), error.class()),
            ("body_truncated", Class::Transient),
            "{error}"
        );
    }
}

#[tokio::test]
async fn rubbish_and_silence_are_told_apart() {
    let rubbish = Server::start(|_| Reply::raw("SSH-2.0-OpenSSH_9.9\r\n\r\n", Then::Close)).await;
    assert_eq!(
        get(&client(), rubbish.url("/")).await.unwrap_err().reason(),
        "protocol"
    );
    let silent = Server::start(|_| Reply::raw("", Then::Close)).await;
    assert_eq!(
        get(&client(), silent.url("/")).await.unwrap_err().reason(),
        "protocol"
    );
    let endless_head = Server::start(|_| {
        let mut head = b"HTTP/1.1 200 X\r\nX: ".to_vec();
        head.resize(1024 * 1024, b'x');
        Reply::raw(head, Then::Hang)
    })
    .await;
    assert_eq!(
        get(&client(), endless_head.url("/")).await.unwrap_err().reason(),
        "protocol"
    );
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap()
    };
    assert_eq!(get(&client(), nobody).await.unwrap_err().reason(), "connect");
}

#[tokio::test]
async fn a_slow_drip_ends_with_the_total_timeout() {
    let total_timeout = Duration::from_millis(300);
    let client = Client::new(ClientOptions {
        total_timeout,
        ..options()
    })
    .unwrap();
    let pause = Duration::from_millis(20);
    let dripping_body = Server::start(move |_| Reply::raw("HTTP/1.1 200 X\r\n\r\n", Then::Drip(pause))).await;
    let dripping_head = Server::start(move |_| Reply::raw("HTTP/1.1 200 X\r\nA: ", Then::Drip(pause))).await;
    for server in [dripping_body, dripping_head] {
        let started = std::time::Instant::now();
        assert_eq!(
            get(&client, server.url("/")).await.unwrap_err(),
            FetchError::Timeout
        );
        assert!(started.elapsed() >= total_timeout);
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
    }
}

#[tokio::test]
async fn a_form_is_posted() {
    let server = Server::start(|_| Reply {
        then: Then::Close,
        ..Reply::new(202, "", "")
    })
    .await;
    let mut request = Request::new(server.url("/hub"));
    request.form = Some("hub.mode=subscribe".to_owned());
    assert_eq!(client().get(&request).await.unwrap().status, 202);
    let head = server.heads()[0].to_ascii_lowercase();
    assert!(head.starts_with("post /hub http/1.1\r\n"), "{head}");
    assert!(
        head.contains("content-type: application/x-www-form-urlencoded\r\n"),
        "{head}"
    );
    assert!(head.contains("content-length: 18\r\n"), "{head}");
}

#[tokio::test]
async fn the_clients_own_headers_cannot_be_overridden() {
    for name in [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "Accept-Encoding",
        "bad name",
        "",
    ] {
        let mut request = Request::new(Url::parse("http://127.0.0.1:9/").unwrap());
        request.headers.push((name.to_owned(), "x".to_owned()));
        assert_eq!(
            client().get(&request).await.unwrap_err(),
            FetchError::InvalidHeader(name.to_owned()),
            "{name}"
        );
    }
    let mut request = Request::new(Url::parse("http://127.0.0.1:9/").unwrap());
    request
        .headers
        .push(("x-key".to_owned(), "a\r\nHost: b".to_owned()));
    assert_eq!(
        client().get(&request).await.unwrap_err().reason(),
        "invalid_header"
    );
}
