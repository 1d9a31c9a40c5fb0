//! What stands before every route: who may ask, how much, and what browsers may do with the answer.
//!
//! - The `Host` of a request is an IP address, `localhost` or a name that was configured. A page elsewhere whose name
//!   was made to point here (DNS rebinding) has another one.
//! - Addresses and bodies are bounded, and every answer has a time limit; streams end by themselves.
//! - Pages may load and send to nothing but this server, run no script but its own, and stand in no frame.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::failure::Failure;

/// Longest address of a request in bytes.
const MAX_ADDRESS: usize = 8 << 10;

/// Longest body of a request in bytes: a form or a list of feeds.
pub(crate) const MAX_BODY: usize = 64 << 10;

/// Longest time of an answer that is no stream.
const ANSWER: Duration = Duration::from_secs(30);

/// End of the addresses that put letters back, which takes its time.
const REPLAY: &str = "/dead-letters/replay";

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: with it browsers say that a form of ours comes from nowhere (`Origin: null`).
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Marks an answer that says itself what is wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told;

/// Lets through what may pass, and finishes the answer.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let signed_in = app.keys.signed_in(request.headers());
    app.eyes.look();
    let answer = match check(&app, &request) {
        // Who is told to try again would put all back twice.
        Ok(()) if path.ends_with(REPLAY) => next.run(request).await,
        Ok(()) => tokio::time::timeout(ANSWER, next.run(request))
            .await
            .unwrap_or_else(|_| Failure::unavailable("no answer in time; try again").into_response()),
        Err(failure) => failure.into_response(),
    };
    let failure = answer.extensions().get::<Arc<Failure>>().cloned();
    let failure = failure.or_else(|| {
        // Refused before it came to us, as for an address that is no UTF-8.
        let status = answer.status();
        let refused = status.is_client_error() || status.is_server_error();
        let told = answer.extensions().get::<Told>().is_some();
        (refused && !told).then(|| Arc::new(Failure::new(status, "the request cannot be read")))
    });
    let mut answer = match failure {
        Some(failure) => {
            let mut told = app.failed(&path, signed_in, &failure);
            told.headers_mut().extend(
                answer
                    .headers()
                    .get(header::ALLOW)
                    .cloned()
                    .map(|v| (header::ALLOW, v)),
            );
            told
        }
        None => answer,
    };
    for (name, value) in HEADERS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let cached = HeaderValue::from_static("no-store");
    answer
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(cached);
    answer
}

fn check(app: &App, request: &Request) -> Result<(), Failure> {
    let address = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    if address > MAX_ADDRESS {
        let detail = format!("the address is longer than {MAX_ADDRESS} bytes");
        return Err(Failure::new(StatusCode::URI_TOO_LONG, detail));
    }
    let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok());
    if request.headers().get_all(header::HOST).iter().count() > 1 || !host.is_some_and(|h| app.is_ours(h)) {
        let shown: String = host.unwrap_or("none").chars().take(80).collect();
        let detail = format!(
            "this console is not {shown:?}; if it is to be reached by that name, add it to console.hosts"
        );
        return Err(Failure::new(StatusCode::MISDIRECTED_REQUEST, detail));
    }
    let said = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
    let elsewhere = matches!(said("sec-fetch-site"), Some("cross-site" | "same-site"));
    if elsewhere && said("sec-fetch-mode") != Some("navigate") {
        // Links from anywhere may lead here, but no page may load what is here.
        return Err(Failure::forbidden("this was asked for by a page of another site"));
    }
    Ok(())
}

/// Tells whether a `Host` names this server: an IP address, `localhost`, or one of these names.
pub(crate) fn is_ours(host: &str, names: &[String]) -> bool {
    let name = name(host);
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Gives the name in a host, without its port.
fn name(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Refuses what a page of another site sends. Browsers say where a request comes from; programs say nothing. A proxy may
/// drop `Sec-Fetch-Site` and put its own `Host`, so pages of the configured names are ours as well.
pub(crate) fn same_origin(headers: &HeaderMap, names: &[String]) -> Result<(), Failure> {
    let text = |name: &HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    let elsewhere = || Failure::forbidden("this was sent by a page of another site; nothing was changed");
    match headers.get("sec-fetch-site").map(|v| v.to_str()) {
        // No page can say this of itself.
        Some(Ok("same-origin")) => return Ok(()),
        None | Some(Ok("none")) => {}
        Some(_) => return Err(elsewhere()),
    }
    let Some(origin) = text(&header::ORIGIN) else {
        return Ok(());
    };
    let host = origin.split_once("://").map(|(_, host)| host);
    let named = |host: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name(host)));
    if host.is_some_and(|host| Some(host) == text(&header::HOST) || named(host)) {
        Ok(())
    } else {
        Err(elsewhere())
    }
}

/// Tells whether the browser speaks TLS, to a proxy before us.
pub(crate) fn is_https(headers: &HeaderMap) -> bool {
    let proxied = headers.get("x-forwarded-proto").and_then(|v| v.to_str().ok());
    // Of several proxies the first names its own.
    let first = proxied.and_then(|p| p.split(',').next()).map(str::trim);
    first.is_some_and(|p| p.eq_ignore_ascii_case("https"))
}

/// Reads a body as text.
pub(crate) async fn body(body: Body) -> Result<String, Failure> {
    let read = axum::body::to_bytes(body, MAX_BODY).await;
    let bytes = read.map_err(|_| {
        let detail = format!("the body is longer than {MAX_BODY} bytes, or broke off");
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    })?;
    String::from_utf8(bytes.into()).map_err(|_| Failure::bad("the body is no UTF-8"))
}

/// Reads a body of JSON. Forms of other sites cannot send that type unasked.
pub(crate) async fn json<T: DeserializeOwned>(headers: &HeaderMap, sent: Body) -> Result<T, Failure> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let kind = kind.and_then(|k| k.split(';').next()).map(str::trim);
    if kind != Some("application/json") {
        let detail = "send JSON, with Content-Type: application/json";
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    serde_json::from_str(&body(sent).await?).map_err(|e| Failure::bad(format!("the body: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_proxy_says_whether_it_speaks_tls() {
        for (said, https) in [
            ("https", true),
            ("HTTPS, http", true),
            ("http, https", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-proto", HeaderValue::from_static(said));
            assert_eq!(is_https(&headers), https, "{said}");
        }
        assert!(!is_https(&HeaderMap::new()));
    }

    #[test]
    fn knows_its_names() {
        let names = ["desk.example.org".to_owned()];
        for fine in [
            "localhost",
            "LOCALHOST:8430",
            "127.0.0.1:8430",
            "10.1.2.3",
            "[::1]:8430",
            "[::1]",
            "Desk.Example.org",
            "desk.example.org:443",
        ] {
            assert!(is_ours(fine, &names), "{fine}");
        }
        for strange in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8430",
            "[evil]",
        ] {
            assert!(!is_ours(strange, &names), "{strange}");
        }
    }

    #[test]
    fn other_sites_change_nothing() {
        let sent = |origin: Option<&'static str>, site: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("localhost:8430"));
            let named = [
                (header::ORIGIN, origin),
                (HeaderName::from_static("sec-fetch-site"), site),
            ];
            for (name, value) in named {
                headers.extend(value.map(|v| (name, HeaderValue::from_static(v))));
            }
            same_origin(&headers, &["desk.example.org".to_owned()]).is_ok()
        };
        assert!(sent(None, None));
        assert!(sent(Some("http://localhost:8430"), Some("same-origin")));
        assert!(sent(None, Some("none")));
        assert!(sent(Some("null"), Some("same-origin")));
        assert!(sent(Some("https://desk.example.org"), None));
        assert!(sent(Some("https://Desk.Example.org:8443"), None));
        for (origin, site) in [
            (Some("http://localhost:8431"), None),
            (Some("http://evil.example"), None),
            (Some("null"), None),
            (Some("https://desk.example.org.evil.example"), None),
            (Some("https://desk.example.org"), Some("cross-site")),
            (None, Some("cross-site")),
            (None, Some("same-site")),
        ] {
            assert!(!sent(origin, site), "{origin:?} {site:?}");
        }
    }
}
