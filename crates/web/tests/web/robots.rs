//! robots.txt by RFC 9309, against scripted servers.

use std::time::Duration;

use crate::support::{Reply, Server, Then, client, pass};
use telex_web::{Robots, Verdict};

const OPEN: Verdict = Verdict::Allowed { crawl_delay: None };

fn robots() -> Robots {
    Robots::new("telex", 1 << 20)
}

async fn verdict(reply: Reply, path: &str) -> Verdict {
    let server = Server::start(move |_| reply.clone()).await;
    robots().allowed(&client(), &server.url(path)).await
}

#[tokio::test]
async fn rules_of_our_group_are_obeyed() {
    let text = "User-agent: *\nDisallow: /\n\nUser-agent: Telex\nUser-agent: other\nCrawl-delay: 2.5\n\
         Disallow: /private\nAllow: /private/open$\nDisallow: /*.pdf$\n";
    let server = Server::start(move |_| Reply::new(200, "", text)).await;
    let (robots, client) = (robots(), client());
    let open = Verdict::Allowed {
        crawl_delay: Some(Duration::from_millis(2500)),
    };
    for (path, wanted) in [
        ("/", open),
        ("/news?id=7", open),
        ("/private/x", Verdict::Disallowed),
        ("/%70rivate/x", Verdict::Disallowed),
        ("/private/open", open),
        ("/private/open2", Verdict::Disallowed),
        ("/a/b.pdf", Verdict::Disallowed),
        ("/a/b.pdf?x", open),
        ("/robots.txt", open),
    ] {
        assert_eq!(robots.allowed(&client, &server.url(path)).await, wanted, "{path}");
    }
    assert_eq!(server.heads().len(), 1, "one file, one fetch");
    assert!(
        server.heads()[0].starts_with("GET /robots.txt "),
        "{:?}",
        server.heads()
    );
}

#[tokio::test]
async fn statuses_mean_what_the_rfc_says() {
    for (status, wanted) in [
        (200, OPEN),
        (204, OPEN),
        (401, OPEN),
        (403, OPEN),
        (404, OPEN),
        (410, OPEN),
        (429, Verdict::Unreachable),
        (500, Verdict::Unreachable),
        (503, Verdict::Unreachable),
    ] {
        let reply = match status {
            204 => Reply::raw("HTTP/1.1 204 X\r\n\r\n", Then::Keep),
            _ => Reply::new(status, "", ""),
        };
        assert_eq!(verdict(reply, "/a").await, wanted, "{status}");
    }
    let dead = Reply::raw("", Then::Close);
    assert_eq!(verdict(dead, "/a").await, Verdict::Unreachable);
    assert_eq!(
        verdict(Reply::redirect(302, "/robots.txt"), "/a").await,
        OPEN,
        "a redirect loop counts as absent"
    );
    let inside = Reply::redirect(302, "http://127.0.0.2/robots.txt");
    assert_eq!(verdict(inside, "/a").await, Verdict::Unreachable);
}

#[tokio::test]
async fn a_redirect_leads_to_the_rules() {
    let server = Server::start(|head| match head.split(' ').nth(1) {
        Some("/robots.txt") => Reply::redirect(301, "/elsewhere.txt"),
        _ => Reply::new(200, "", "User-agent: *\nDisallow: /x"),
    })
    .await;
    assert_eq!(
        robots().allowed(&client(), &server.url("/x")).await,
        Verdict::Disallowed
    );
    assert_eq!(robots().allowed(&client(), &server.url("/y")).await, OPEN);
}

#[tokio::test]
async fn many_askers_cause_one_fetch() {
    let server = Server::start(|_| Reply::new(200, "", "User-agent: *\nDisallow: /x")).await;
    let (robots, client) = (robots(), client());
    let url = server.url("/x");
    let askers: Vec<_> = (0..50)
        .map(|_| {
            let (robots, client, url) = (robots.clone(), client.clone(), url.clone());
            tokio::spawn(async move { robots.allowed(&client, &url).await })
        })
        .collect();
    for asker in askers {
        assert_eq!(asker.await.unwrap(), Verdict::Disallowed);
    }
    assert_eq!(server.heads().len(), 1);
}

#[tokio::test]
async fn hostile_files_are_read_up_to_the_cap() {
    let mut text = b"User-agent: *\nDisallow: /x\n".to_vec();
    while text.len() < 600 * 1024 {
        text.extend_from_slice(b"Disallow: /*a*a*a*a*a*a*a*a*b$\n");
    }
    text.extend_from_slice(b"Disallow: /beyond\n");
    let server = Server::start(move |_| Reply::new(200, "", &text)).await;
    let (robots, client) = (robots(), client());
    let long = format!("/{}", "a".repeat(2000));
    let started = std::time::Instant::now();
    assert_eq!(
        robots.allowed(&client, &server.url("/x")).await,
        Verdict::Disallowed
    );
    assert_eq!(robots.allowed(&client, &server.url("/beyond")).await, OPEN);
    assert_eq!(robots.allowed(&client, &server.url(&long)).await, OPEN);
    // Unoptimised; a matcher that backtracks would take hours.
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    let endless = Server::start(|_| {
        Reply::raw(
            "HTTP/1.1 200 X\r\n\r\nUser-agent: *\nDisallow: /\n".repeat(20_000),
            Then::Hang,
        )
    })
    .await;
    assert_eq!(
        robots.allowed(&client, &endless.url("/x")).await,
        Verdict::Disallowed
    );
}

#[tokio::test]
async fn a_file_is_renewed_after_a_day_and_kept_while_it_cannot_be() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU16, Ordering};

    let status = Arc::new(AtomicU16::new(500));
    let now = Arc::clone(&status);
    let server =
        Server::start(move |_| Reply::new(now.load(Ordering::SeqCst), "", "User-agent: *\nDisallow: /x"))
            .await;
    let (robots, client) = (robots(), client());
    let ask = async || robots.allowed(&client, &server.url("/x")).await;
    assert_eq!(ask().await, Verdict::Unreachable);
    status.store(200, Ordering::SeqCst);
    assert_eq!(ask().await, Verdict::Unreachable, "not asked again at once");
    pass(Duration::from_secs(601)).await;
    assert_eq!(ask().await, Verdict::Disallowed);

    status.store(503, Ordering::SeqCst);
    pass(Duration::from_secs(23 * 3600)).await;
    assert_eq!((ask().await, server.heads().len()), (Verdict::Disallowed, 2));
    pass(Duration::from_secs(2 * 3600)).await;
    assert_eq!(
        (ask().await, server.heads().len()),
        (Verdict::Disallowed, 3),
        "the old rules stay"
    );
    status.store(404, Ordering::SeqCst);
    pass(Duration::from_secs(601)).await;
    assert_eq!((ask().await, server.heads().len()), (OPEN, 4));
}
