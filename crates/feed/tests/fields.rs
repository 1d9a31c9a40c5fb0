//! Which element of which format becomes which field.

#![allow(clippy::expect_used, reason = "tests stop at the first surprise")]

use std::time::Duration;

use telex_feed::{Entry, Feed, Format, Input, parse};

fn read(text: &str) -> Feed {
    parse(&Input {
        bytes: text.as_bytes(),
        content_type: None,
        url: Some("https://harbour.test/feeds/all.xml"),
    })
    .expect("a feed")
}

fn first(text: &str) -> Entry {
    read(text).entries.into_iter().next().expect("an entry")
}

/// An RSS item with these elements in it.
fn item(elements: &str) -> Entry {
    first(&format!(
        "<rss version='2.0'><channel><item><guid isPermaLink='false'>1</guid>{elements}</item></channel></rss>"
    ))
}

#[test]
fn hints_of_rss() {
    let feed = read(
        "<rss version='2.0' xmlns:sy='http://purl.org/rss/1.0/modules/syndication/' xmlns:atom='http://www.w3.org/2005/Atom'>\
         <channel><title>Harbour</title><link>/</link><language>uk</language><ttl>90</ttl>\
         <sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>\
         <skipHours><hour>0</hour><hour>3</hour><hour>24</hour><hour>99</hour></skipHours><skipDays><day>Sunday</day><day>Moonday</day></skipDays>\
         <atom:link rel='self' href='all.xml'/><atom:link rel='hub' href='https://hub.test/'/>\
         <itunes:new-feed-url>https://harbour.test/new.xml</itunes:new-feed-url>\
         <image><title>Logo</title><link>/logo</link></image></channel></rss>",
    );
    assert_eq!(feed.format, Format::Rss);
    assert_eq!(
        (
            feed.title.as_deref(),
            feed.link.as_deref(),
            feed.language.as_deref()
        ),
        (Some("Harbour"), Some("https://harbour.test/"), Some("uk"))
    );
    let hints = feed.hints;
    assert_eq!(hints.ttl, Some(Duration::from_secs(90 * 60)));
    assert_eq!(hints.update_period, Some(Duration::from_secs(6 * 60 * 60)));
    assert_eq!((hints.skip_hours, hints.skip_days), (0b1001, 0b100_0000));
    assert_eq!(hints.hub.as_deref(), Some("https://hub.test/"));
    assert_eq!(
        hints.self_link.as_deref(),
        Some("https://harbour.test/feeds/all.xml")
    );
    assert_eq!(
        hints.new_location.as_deref(),
        Some("https://harbour.test/new.xml")
    );
}

#[test]
fn a_redirect_document_says_where_to_go() {
    let feed = read(
        "<?xml version='1.0'?><redirect><newLocation>https://harbour.test/new.xml</newLocation></redirect>",
    );
    assert_eq!(
        (feed.entries.len(), feed.hints.new_location.as_deref()),
        (0, Some("https://harbour.test/new.xml"))
    );
}

#[test]
fn hints_of_atom_and_json() {
    let feed = read(
        "<feed xmlns='http://www.w3.org/2005/Atom' xml:lang='pl'><link rel='self' href='/a'/><link rel='hub' href='https://hub.test/'/><link href='https://harbour.test/'/></feed>",
    );
    assert_eq!(
        (feed.format, feed.language.as_deref(), feed.link.as_deref()),
        (Format::Atom, Some("pl"), Some("https://harbour.test/"))
    );
    assert_eq!(
        (feed.hints.self_link.as_deref(), feed.hints.hub.as_deref()),
        (Some("https://harbour.test/a"), Some("https://hub.test/"))
    );
    let feed = read(
        r#"{"version":"https://jsonfeed.org/version/1.1","title":"H","home_page_url":"/","feed_url":"/f.json","language":"fr",
           "hubs":[{"type":"rssCloud","url":"https://cloud.test/"},{"type":"WebSub","url":"https://hub.test/"}],
           "authors":[{"name":"Olena"}],"items":[{"id":"1","tags":["a","b"]},{"id":"2","author":{"name":"Ivan","url":"/i"}}]}"#,
    );
    assert_eq!(
        (feed.hints.self_link.as_deref(), feed.hints.hub.as_deref()),
        (Some("https://harbour.test/f.json"), Some("https://hub.test/"))
    );
    let authors: Vec<_> = feed.entries.iter().flat_map(|entry| &entry.authors).collect();
    assert_eq!(authors, ["Olena", "Ivan"]);
    assert_eq!(
        feed.entries
            .first()
            .map(|entry| entry.categories.join(","))
            .as_deref(),
        Some("a,b")
    );
}

#[test]
fn the_best_of_several_titles_and_links_counts() {
    let entry = item(
        "<media:title>Photo</media:title><dc:title>Second</dc:title><title>First</title><title>Third</title>",
    );
    assert_eq!(entry.title.as_deref(), Some("First"));
    assert_eq!(
        item("<media:title>Photo</media:title>").title.as_deref(),
        Some("Photo")
    );
    let entry =
        item("<feedburner:origLink>https://a.test/2</feedburner:origLink><link>https://a.test/1</link>");
    assert_eq!(entry.link.as_deref(), Some("https://a.test/1"));
    assert_eq!(
        item("<link/><atom:link href='../x'/>").link.as_deref(),
        Some("https://harbour.test/x")
    );
    assert_eq!(
        item("<link>\n  https://a.test/a b\n  </link>").link.as_deref(),
        Some("https://a.test/a%20b")
    );
    assert_eq!(
        item("<link>www.a.test/1</link>").link.as_deref(),
        Some("https://www.a.test/1")
    );
    assert_eq!(item("").link, None, "an identifier is no link where it says so");
    let permalink = "<rss><channel><item><guid>https://a.test/1</guid></item></channel></rss>";
    assert_eq!(first(permalink).link.as_deref(), Some("https://a.test/1"));
}

#[test]
fn summary_and_content() {
    let entry =
        item("<description>Short</description><content:encoded><![CDATA[<p>Long</p>]]></content:encoded>");
    assert_eq!(
        (entry.summary.as_deref(), entry.content.as_deref()),
        (Some("Short"), Some("<p>Long</p>"))
    );
    let entry = item("<itunes:summary>Podcast</itunes:summary><media:description>Photo</media:description>");
    assert_eq!(entry.summary.as_deref(), Some("Podcast"));
    let entry = first(
        "<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>1</id><content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>a &lt; <b title='\"'>b</b></div></content></entry></feed>",
    );
    assert_eq!(entry.content.as_deref(), Some("a &lt; <b title=\"&quot;\">b</b>"));
}

#[test]
fn authors_and_categories() {
    let entry = item(
        "<author>olena@harbour.test (Olena K.)</author><dc:creator>Ivan</dc:creator><dc:creator>Ivan</dc:creator>\
         <category>Ferries</category><category domain='x'>Piers</category><dc:subject>Storm</dc:subject>",
    );
    assert_eq!(entry.authors, ["Olena K.", "Ivan"]);
    assert_eq!(entry.categories, ["Ferries", "Piers", "Storm"]);
    let feed = read(
        "<feed xmlns='http://www.w3.org/2005/Atom'><author><name>Board</name></author><entry><id>1</id></entry>\
         <entry xml:lang='uk'><id>2</id><author>\n<name>Olena</name>\n<email>o@harbour.test</email></author><category term='ferries' label='Ferries'/></entry></feed>",
    );
    let authors: Vec<_> = feed.entries.iter().map(|entry| entry.authors.join(",")).collect();
    assert_eq!(authors, ["Board", "Olena"]);
    let second = feed.entries.get(1).expect("two");
    assert_eq!(
        (second.categories.join(",").as_str(), second.language.as_deref()),
        ("ferries", Some("uk"))
    );
}

#[test]
fn base_addresses_nest() {
    let feed = read(
        "<feed xmlns='http://www.w3.org/2005/Atom' xml:base='https://a.test/x/'><entry xml:base='y/'><id>1</id><link href='z'/></entry>\
         <entry><id>2</id><link href='z'/></entry></feed>",
    );
    let links: Vec<_> = feed
        .entries
        .iter()
        .filter_map(|entry| entry.link.as_deref())
        .collect();
    assert_eq!(links, ["https://a.test/x/y/z", "https://a.test/x/z"]);
}

#[test]
fn a_news_sitemap_has_only_its_news() {
    let feed = read(
        "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' xmlns:n='http://www.google.com/schemas/sitemap-news/0.9'>\
         <url><loc>https://harbour.test/about</loc><lastmod>2026-07-01</lastmod></url>\
         <url><loc>https://harbour.test/1</loc><n:news><n:publication><n:name>Harbour</n:name><n:language>en</n:language></n:publication>\
         <n:publication_date>2026-07-13T10:00:00Z</n:publication_date><n:title>Ferry late</n:title><n:keywords>ferry</n:keywords></n:news>\
         <image:image><image:loc>https://harbour.test/1.jpg</image:loc></image:image></url></urlset>",
    );
    assert_eq!((feed.format, feed.entries.len()), (Format::NewsSitemap, 1));
    let entry = feed.entries.first().expect("one");
    assert_eq!(
        (
            entry.link.as_deref(),
            entry.title.as_deref(),
            entry.language.as_deref()
        ),
        (Some("https://harbour.test/1"), Some("Ferry late"), Some("en"))
    );
    assert_eq!(
        entry.published.map(|date| date.at.to_string()).as_deref(),
        Some("2026-07-13T10:00:00Z")
    );
}
