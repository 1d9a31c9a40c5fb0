//! Sitemaps without news: lists of pages, and lists of such lists.

#![allow(clippy::expect_used, reason = "tests stop at the first surprise")]

use telex_feed::{Error, Input, MAX_SITEMAP_ENTRIES, Page, Sitemap, sitemap};

fn read(text: &str) -> Result<Sitemap, Error> {
    sitemap(&Input {
        bytes: text.as_bytes(),
        content_type: None,
        url: Some("https://harbour.test/sitemap.xml"),
    })
}

fn shown(pages: &[Page]) -> Vec<String> {
    let date = |page: &Page| page.changed.map_or("-".to_owned(), |date| date.at.to_string());
    pages
        .iter()
        .map(|page| format!("{} {}", page.url, date(page)))
        .collect()
}

#[test]
fn pages_have_addresses_and_dates() {
    let found = read(
        "<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' xmlns:image='i'>\
         <url><loc> https://harbour.test/a?x=1&amp;y=2 </loc><lastmod>2026-07-13</lastmod>\
         <image:image><image:loc>https://harbour.test/a.jpg</image:loc></image:image></url>\
         <url><loc><![CDATA[/b]]></loc><changefreq>daily</changefreq></url><url><lastmod>2026-07-13</lastmod></url>\
         <url><loc>mailto:c@harbour.test</loc></url></urlset>",
    );
    let Ok(Sitemap::Pages(pages)) = found else {
        panic!("{found:?}")
    };
    assert_eq!(
        shown(&pages),
        [
            "https://harbour.test/a?x=1&y=2 2026-07-13T00:00:00Z",
            "https://harbour.test/b -"
        ]
    );
}

#[test]
fn an_index_lists_sitemaps() {
    let found = read(
        "<s:sitemapindex xmlns:s='http://www.sitemaps.org/schemas/sitemap/0.9'><s:sitemap><s:loc>https://harbour.test/1.xml.gz</s:loc>\
         <s:lastmod>2026-07-13T10:00:00+02:00</s:lastmod></s:sitemap><s:sitemap><s:loc>2.xml</s:loc></s:sitemap></s:sitemapindex>",
    );
    let Ok(Sitemap::Index(sitemaps)) = found else {
        panic!("{found:?}")
    };
    assert_eq!(
        shown(&sitemaps),
        [
            "https://harbour.test/1.xml.gz 2026-07-13T08:00:00Z",
            "https://harbour.test/2.xml -"
        ]
    );
}

#[test]
fn a_cut_anywhere_costs_no_page_before_it_and_makes_none_up() {
    let whole: String = (0..5)
        .map(|n| format!("<url><loc>https://harbour.test/{n}0</loc><lastmod>2026-07-1{n}</lastmod></url>"))
        .collect();
    let whole = format!("<urlset>{whole}</urlset>");
    let all = ["00", "10", "20", "30", "40"].map(|n| format!("https://harbour.test/{n}"));
    for end in "<urlset>".len()..whole.len() {
        let cut = whole.get(..end).expect("ASCII");
        let found = read(cut);
        let Ok(Sitemap::Pages(pages)) = found else {
            panic!("{cut}: {found:?}")
        };
        let ended = cut.matches("</loc>").count();
        let urls: Vec<String> = pages.into_iter().map(|page| page.url).collect();
        assert_eq!(urls, all.get(..ended).expect("five"), "{cut}");
    }
}

#[test]
fn what_is_no_sitemap_is_called_by_its_name() {
    assert_eq!(read("<html><body>Not found</body></html>"), Err(Error::Html));
    assert_eq!(read(" "), Err(Error::Empty));
    assert_eq!(read("PK\u{3}\u{4}"), Err(Error::Binary));
    assert_eq!(read("<rss><channel/></rss>"), Err(Error::Xml));
}

#[test]
fn their_number_and_length_are_bounded() {
    let many = "<url><loc>/a</loc></url>".repeat(MAX_SITEMAP_ENTRIES + 10);
    let Ok(Sitemap::Pages(pages)) = read(&format!("<urlset>{many}")) else {
        panic!("no pages")
    };
    assert_eq!(pages.len(), MAX_SITEMAP_ENTRIES);
    let long = format!(
        "<urlset><url><loc>/{}</loc></url><url><loc>/b</loc></url>",
        "a".repeat(1 << 20)
    );
    let Ok(Sitemap::Pages(pages)) = read(&long) else {
        panic!("no pages")
    };
    assert_eq!(shown(&pages), ["https://harbour.test/b -"]);
    for evil in ["<loc>", "<url>", "</url>", "<![CDATA[", "<url><loc>&a;"] {
        let text = format!("<urlset>{}", evil.repeat(200_000));
        assert!(matches!(read(&text), Ok(Sitemap::Pages(_))), "{evil}");
    }
}
