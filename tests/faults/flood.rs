//! Too much at once: fifty thousand new items, all of a host that is dead.

use std::collections::BTreeSet;
use std::net::TcpListener;

use telex_site::Response;

use crate::world::{Started, World, canonical, finish, free_port, get, said, wait_for};

/// As many addresses as one sitemap may have.
const PAGES: usize = 50_000;

#[test]
fn fifty_thousand_new_items_of_a_dead_host_hold_nobody_up() {
    let world = World::new();
    // Takes connections and never answers.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = dead.local_addr().unwrap();
    let page = |n: usize| {
        format!(
            "<url><loc>http://{address}/archive/2026/a-story-of-that-day-{n}</loc><lastmod>2026-11-20</lastmod></url>"
        )
    };
    let pages: String = (0..PAGES).map(page).collect();
    let sitemap = format!(
        "<?xml version=\"1.0\"?><urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">{pages}</urlset>"
    );
    assert!(sitemap.len() > 4 << 20, "larger than any page");
    let feed = world.site.feeds()[0].url.clone();
    let (paper, _) = feed.split_once("/rss").unwrap();
    let url = format!("{paper}/sitemap-of-all.xml");
    let answer = Response::ordinary().with_header("Content-Type", "application/xml");
    world.site.script(&url, vec![answer.with_body(sitemap)]);
    let out = finish(world.telex(&["feeds", "add", &url]));
    assert!(out.status.success(), "{}", said(&out));

    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = world.telex(&["run", "all", "--feeds", "feeds.opml", "--metrics-listen", &listen]);
    command
        .env("TELEX__POLLER__INITIAL_ITEMS", PAGES.to_string())
        .env("TELEX__WEB__TIMEOUT", "10s");
    let process = Started::new(command);
    let metric = |series: &str| -> Option<f64> {
        let (_, text) = get(port, "/metrics")?;
        text.lines()
            .find_map(|l| l.strip_prefix(series)?.trim().parse().ok())
    };
    wait_for("the frontier to hold them all", || {
        metric("telex_frontier_pending") >= Some(PAGES as f64)
    });
    let live = world.site.expected().len();
    wait_for("the articles of all other hosts", || {
        world.articles(&[]).len() == live
    });
    assert!(
        metric("telex_frontier_pending") >= Some(PAGES as f64),
        "the dead host's still wait"
    );
    let urls = |urls: Vec<String>| -> BTreeSet<String> { urls.iter().map(|u| canonical(u)).collect() };
    // What each says is for other tests: a page that the busy machine is late with leaves its feed's summary.
    let stored = world.articles(&[]);
    assert_eq!(
        urls(
            stored
                .iter()
                .map(|a| a["url"].as_str().unwrap().to_owned())
                .collect()
        ),
        urls(world.site.expected().into_iter().map(|e| e.url).collect())
    );
    process.signal("TERM");
    let out = process.finish();
    assert!(out.status.success(), "{}", said(&out));
    let items = crate::world::bus(&world.data()).ends_sum("telex.items.v1");
    assert!(items >= (PAGES + live) as u64, "{items}");
}
