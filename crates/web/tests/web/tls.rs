//! TLS, HTTP/2 and the egress proxy.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::support::{Names, Reply, Server, names, options};
use telex_web::{Client, ClientOptions, EgressProxy, Request};

/// An HTTPS server for `secure.test` that answers with the HTTP version it was asked in, or redirects to the query.
struct Secure {
    address: SocketAddr,
    certificate: Vec<u8>,
    connections: Arc<Mutex<usize>>,
}

async fn secure(protocols: &[&[u8]]) -> Secure {
    let signed = rcgen::generate_simple_self_signed(["secure.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
    let certificate = signed.cert.der().to_vec();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(Mutex::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            *count.lock().unwrap() += 1;
            tokio::spawn(serve(acceptor.clone(), tcp));
        }
    });
    Secure {
        address,
        certificate,
        connections,
    }
}

async fn serve(acceptor: TlsAcceptor, tcp: TcpStream) {
    let Ok(tls) = acceptor.accept(tcp).await else {
        return;
    };
    let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
    let answer = hyper::service::service_fn(async |request: hyper::Request<hyper::body::Incoming>| {
        let text = format!("{:?} {}", request.version(), request.uri().path());
        let mut answer = hyper::Response::new(Full::new(Bytes::from(text)));
        if let Some(target) = request.uri().query() {
            *answer.status_mut() = hyper::StatusCode::MOVED_PERMANENTLY;
            answer.headers_mut().insert("location", target.parse().unwrap());
        }
        Ok::<_, Infallible>(answer)
    });
    let io = TokioIo::new(tls);
    // A client that hangs up is no concern of the server.
    if http2 {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(io, answer)
            .await
            .ok();
    } else {
        hyper::server::conn::http1::Builder::new()
            .serve_connection(io, answer)
            .await
            .ok();
    }
}

fn resolver() -> Arc<Names> {
    names(&[
        ("secure.test", &[&["127.0.0.1"]]),
        ("other.test", &[&["127.0.0.1"]]),
    ])
}

fn trusting(server: &Secure) -> ClientOptions {
    ClientOptions {
        extra_roots: vec![server.certificate.clone()],
        ..options()
    }
}

fn url(server: &Secure, host: &str) -> Url {
    Url::parse(&format!("https://{host}:{}/a", server.address.port())).unwrap()
}

#[tokio::test]
async fn http2_is_spoken_where_offered_over_one_connection() {
    for (protocols, wanted) in [
        (&[b"h2".as_slice(), b"http/1.1"][..], "HTTP/2.0 /a"),
        (&[b"http/1.1"], "HTTP/1.1 /a"),
        (&[], "HTTP/1.1 /a"),
    ] {
        let server = secure(protocols).await;
        let client = Client::with_resolver(trusting(&server), resolver()).unwrap();
        for _ in 0..3 {
            let response = client
                .get(&Request::new(url(&server, "secure.test")))
                .await
                .unwrap();
            assert_eq!(response.body, wanted);
            assert_eq!(response.address, Some(server.address.ip()));
        }
        assert_eq!(*server.connections.lock().unwrap(), 1, "{wanted}");
    }
}

#[tokio::test]
async fn certificates_are_checked() {
    let server = secure(&[b"h2"]).await;
    let trusting = Client::with_resolver(trusting(&server), resolver()).unwrap();
    let error = trusting
        .get(&Request::new(url(&server, "other.test")))
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "tls", "a wrong name: {error}");
    let strict = Client::with_resolver(options(), resolver()).unwrap();
    let error = strict
        .get(&Request::new(url(&server, "secure.test")))
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "tls", "an unknown issuer: {error}");
}

#[tokio::test]
async fn a_downgrade_is_told_and_is_no_permanent_move() {
    let server = secure(&[b"http/1.1"]).await;
    let plain = Server::start(|_| Reply::new(200, "", "plain")).await;
    let target = url(&server, "secure.test").to_string();
    let redirecting = Server::start(move |_| Reply::redirect(301, &target)).await;
    let client = Client::with_resolver(trusting(&server), resolver()).unwrap();
    let response = client.get(&Request::new(redirecting.url("/"))).await.unwrap();
    assert!(!response.downgraded, "http to https is none");
    assert_eq!(response.permanent_redirect, Some(url(&server, "secure.test")));

    let mut down = url(&server, "secure.test");
    down.set_query(Some(plain.url("/x").as_str()));
    let response = client.get(&Request::new(down)).await.unwrap();
    assert_eq!((response.downgraded, response.final_url), (true, plain.url("/x")));
    assert_eq!(response.permanent_redirect, None);
}

/// A proxy that notes what it is asked for, and tunnels.
async fn proxy(status: &'static str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let notes = Arc::clone(&notes);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let target = head.split(' ').nth(1).unwrap().to_owned();
                notes.lock().unwrap().push(head);
                client
                    .write_all(format!("HTTP/1.1 {status} X\r\nVia: p\r\n\r\n").as_bytes())
                    .await
                    .unwrap();
                let mut server = TcpStream::connect(target).await.unwrap();
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn the_egress_proxy_sees_vetted_addresses_never_names() {
    let (address, asked) = proxy("200").await;
    let server = secure(&[b"h2"]).await;
    let plain = Server::start(|_| Reply::new(200, "", "plain")).await;
    let through = Url::parse(&format!("http://user:p%40ss@{address}")).unwrap();
    let settings = ClientOptions {
        egress_proxy: Some(EgressProxy::new(&through).unwrap()),
        ..trusting(&server)
    };
    assert!(!format!("{settings:?}").contains("p@ss") && !format!("{settings:?}").contains("dXNlcjpwQHNz"));
    let client = Client::with_resolver(settings, resolver()).unwrap();
    let response = client
        .get(&Request::new(url(&server, "secure.test")))
        .await
        .unwrap();
    assert_eq!(response.body, "HTTP/2.0 /a");
    assert_eq!(
        client
            .get(&Request::new(plain.named("other.test", "/")))
            .await
            .unwrap()
            .body,
        "plain"
    );
    let inside = Request::new(Url::parse("http://127.0.0.2/").unwrap());
    assert_eq!(
        client.get(&inside).await.unwrap_err().reason(),
        "forbidden_address"
    );
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2, "{asked:?}");
    for (head, target) in asked.iter().zip([server.address, plain.address]) {
        assert!(
            head.starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")),
            "{head}"
        );
        assert!(
            head.contains("Proxy-Authorization: Basic dXNlcjpwQHNz\r\n"),
            "{head}"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    let (address, _) = proxy("407").await;
    let through = Url::parse(&format!("http://{address}")).unwrap();
    let settings = ClientOptions {
        egress_proxy: Some(EgressProxy::new(&through).unwrap()),
        ..options()
    };
    let client = Client::new(settings).unwrap();
    let error = client
        .get(&Request::new(Url::parse("http://127.0.0.1:9/").unwrap()))
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "proxy", "{error}");
    assert!(EgressProxy::new(&Url::parse("socks5://127.0.0.1:1080").unwrap()).is_err());
}
