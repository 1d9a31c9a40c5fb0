//! Sitemaps as feeds.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use telex_model::FeedHealth;

use crate::server::{Asked, Reply, Server};
use crate::support::{Installation, names};

/// A site whose files can be changed while it is polled; whoever has the current ETag gets 304.
#[derive(Clone, Default)]
struct Files(Arc<Mutex<HashMap<String, Vec<u8>>>>);

impl Files {
    fn put(&self, path: &str, body: impl Into<Vec<u8>>) {
        self.0.lock().unwrap().insert(path.to_owned(), body.into());
    }

    fn remove(&self, path: &str) {
        self.0.lock().unwrap().remove(path);
    }

    fn start(&self, installation: &Installation) -> Server {
        let files = Arc::clone(&self.0);
        installation.runtime.block_on(Server::start(move |asked: &Asked| {
            let Some(body) = files.lock().unwrap().get(&asked.path).cloned() else {
                return Reply::status(404);
            };
            let etag = format!(
                "\"{}-{}\"",
                body.len(),
                body.iter().map(|b| u64::from(*b)).sum::<u64>()
            );
            if asked.head.contains(&etag) {
                return Reply::status(304);
            }
            Reply::ok(body).with(&format!("ETag: {etag}"))
        }))
    }
}

/// A sitemap of pages: number and day of July.
fn pages(pages: &[(u32, u32)]) -> String {
    let one =
        |(n, day): &(u32, u32)| format!("<url><loc>/a/{n}</loc><lastmod>2026-07-{day:02}</lastmod></url>");
    format!("<urlset>{}</urlset>", pages.iter().map(one).collect::<String>())
}

fn index(sitemaps: &[(&str, u32)]) -> String {
    let one = |(path, day): &(&str, u32)| {
        format!("<sitemap><loc>{path}</loc><lastmod>2026-07-{day:02}</lastmod></sitemap>")
    };
    format!(
        "<sitemapindex>{}</sitemapindex>",
        sitemaps.iter().map(one).collect::<String>()
    )
}

fn news(items: &[(u32, &str)]) -> String {
    let one = |(n, title): &(u32, &str)| {
        format!(
            "<url><loc>/n/{n}</loc><news:news><news:publication_date>2026-07-{n:02}</news:publication_date><news:title>{title}</news:title></news:news></url>"
        )
    };
    format!(
        "<urlset xmlns:news='http://www.google.com/schemas/sitemap-news/0.9'>{}</urlset>",
        items.iter().map(one).collect::<String>()
    )
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

#[test]
fn a_news_sitemap_is_a_feed() {
    let installation = Installation::new();
    let files = Files::default();
    let server = files.start(&installation);
    files.put("/news.xml.gz", gzipped(&news(&[(1, "Ferry late"), (2, "Storm")])));
    let feed = installation.add(&server.url("/news.xml.gz"));
    let items = installation.once();
    assert_eq!(names(&items), ["1", "2"]);
    assert_eq!(items[0].title, "Ferry late");
    assert!(installation.once().is_empty(), "not modified");
    files.put(
        "/news.xml.gz",
        gzipped(&news(&[(2, "Storm passes"), (3, "Pier")])),
    );
    assert_eq!(names(&installation.once()), ["2", "3"]);
    assert_eq!(installation.state(feed.id).unwrap().health, FeedHealth::Healthy);
}

#[test]
fn a_sitemap_of_pages_brings_what_is_new_and_what_changed() {
    let mut installation = Installation::new();
    installation.rules.initial_items = 3;
    let files = Files::default();
    let server = files.start(&installation);
    let many: Vec<(u32, u32)> = (0..200).map(|n| (n, 1 + n % 28)).collect();
    files.put("/sitemap.xml", pages(&many));
    installation.add(&server.url("/sitemap.xml"));
    assert_eq!(installation.once().len(), 3);
    assert!(installation.once().is_empty());
    let mut later = many.clone();
    later[7].1 = 29;
    later.push((500, 30));
    files.put("/sitemap.xml", pages(&later));
    let items = installation.once();
    assert_eq!(names(&items), ["7", "500"]);
    assert_eq!(items[0].url, Some(server.url("/a/7").to_string()));
}

#[test]
fn an_index_is_followed_to_what_changed() {
    let installation = Installation::new();
    let files = Files::default();
    let server = files.start(&installation);
    files.put(
        "/index.xml",
        index(&[
            ("/old.xml", 1),
            ("/july.xml.gz", 2),
            ("/news.xml", 3),
            ("/gone.xml", 3),
        ]),
    );
    files.put("/old.xml", pages(&[(1, 1), (2, 1)]));
    files.put("/july.xml.gz", gzipped(&pages(&[(3, 2)])));
    files.put("/news.xml", news(&[(3, "Pier")]));
    let feed = installation.add(&server.url("/index.xml"));
    let mut found = installation.once();
    found.sort_by(|a, b| a.url.cmp(&b.url));
    assert_eq!(
        names(&found),
        ["1", "2", "3", "3"],
        "one that cannot be read costs the others nothing"
    );
    server.paths();
    files.put(
        "/index.xml",
        index(&[("/old.xml", 1), ("/july.xml.gz", 4), ("/news.xml", 3)]),
    );
    files.remove("/gone.xml");
    files.put("/july.xml.gz", gzipped(&pages(&[(3, 2), (4, 4)])));
    assert_eq!(names(&installation.once()), ["4"]);
    assert_eq!(
        server.paths(),
        ["/index.xml", "/july.xml.gz"],
        "only what changed is asked for"
    );
    assert!(installation.once().is_empty());
    assert_eq!(server.paths(), ["/index.xml"]);
    let state = installation.state(feed.id).unwrap();
    assert_eq!((state.health, state.missed), (FeedHealth::Healthy, 0));
    assert!(
        state.etag.is_some(),
        "an index that says when its sitemaps change may be not modified"
    );
}

#[test]
fn the_archive_of_an_index_is_no_news() {
    let installation = Installation::new();
    let files = Files::default();
    let server = files.start(&installation);
    let paths: Vec<String> = (1..=12).map(|n| format!("/s{n}.xml")).collect();
    let mut all: Vec<(&str, u32)> = paths.iter().map(String::as_str).zip(1..=12).collect();
    for (path, n) in &all {
        files.put(path, pages(&[(*n, *n)]));
    }
    files.put("/index.xml", index(&all));
    installation.add(&server.url("/index.xml"));
    assert_eq!(installation.once().len(), 10, "the oldest two are left alone");
    let today = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let fresh = format!("<url><loc>/a/new</loc><lastmod>{today}</lastmod></url></urlset>");
    files.put("/s1.xml", pages(&[(1, 1), (100, 1)]).replace("</urlset>", &fresh));
    all[0].1 = 30;
    files.put("/index.xml", index(&all));
    assert_eq!(names(&installation.once()), ["new"]);
    files.put("/s1.xml", pages(&[(1, 1), (100, 2), (101, 2)]));
    all[0].1 = 31;
    files.put("/index.xml", index(&all));
    let mut found = installation.once();
    found.sort_by(|a, b| a.url.cmp(&b.url));
    assert_eq!(names(&found), ["100", "101"], "it is known by now");
}

#[test]
fn an_index_of_nothing_that_can_be_read_has_failed() {
    let installation = Installation::new();
    let files = Files::default();
    let server = files.start(&installation);
    files.put("/index.xml", index(&[("/index.xml", 1), ("/none.xml", 1)]));
    let feed = installation.add(&server.url("/index.xml"));
    assert!(installation.once().is_empty());
    let state = installation.state(feed.id).unwrap();
    assert_eq!(state.health, FeedHealth::Failing);
    assert_eq!(state.last_error.as_deref(), Some("an index within an index"));
}

#[test]
fn a_host_that_takes_one_request_at_a_time_is_no_deadlock() {
    let mut installation = Installation::new();
    installation.limits.concurrency = 1;
    let files = Files::default();
    let server = files.start(&installation);
    files.put("/index.xml", index(&[("/a.xml", 1), ("/b.xml", 1)]));
    files.put("/a.xml", pages(&[(1, 1)]));
    files.put("/b.xml", pages(&[(2, 1)]));
    installation.add(&server.url("/index.xml"));
    assert_eq!(installation.once().len(), 2);
}
