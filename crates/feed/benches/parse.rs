//! Compares this parser with bare feed-rs on an undamaged RSS feed of 450 kB and 200 items.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use telex_feed::{Input, parse};

/// RSS of 200 items with a teaser, a full text in CDATA and the usual fields.
fn rss() -> String {
    let paragraph = "The harbour board said on Monday that the ferry would be late again, because the crane at the old \
                     pier had not been moved since the storm of last week, and that nobody could say when it would be. ";
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:media=\"http://search.yahoo.com/mrss/\">\n<channel>\n\
         <title>Harbour news</title>\n<link>https://harbour.test/</link>\n<description>Ships</description>\n",
    );
    for number in 0..200 {
        let body: String = (0..8).map(|_| format!("<p>{paragraph}</p>\n")).collect();
        text.push_str(&format!(
            "<item>\n<title>Ferry number {number} late &amp; full</title>\n<link>https://harbour.test/2026/07/{number}</link>\n\
             <guid isPermaLink=\"false\">https://harbour.test/?p={number}</guid>\n<pubDate>Mon, 13 Jul 2026 10:00:00 +0000</pubDate>\n\
             <dc:creator><![CDATA[Olena]]></dc:creator>\n<category>Ferries</category>\n<category>Harbour</category>\n\
             <description>&lt;p&gt;{paragraph}&lt;/p&gt;</description>\n<content:encoded><![CDATA[{body}]]></content:encoded>\n</item>\n"
        ));
    }
    text.push_str("</channel>\n</rss>\n");
    text
}

fn compare(criterion: &mut Criterion) {
    let text = rss();
    let mut group = criterion.benchmark_group("rss_200_items");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("telex-feed", |bencher| {
        bencher.iter(|| {
            parse(&Input {
                bytes: black_box(text.as_bytes()),
                content_type: None,
                url: None,
            })
            .map(|feed| feed.entries.len())
        });
    });
    group.bench_function("feed-rs", |bencher| {
        bencher.iter(|| {
            feed_rs::parser::parse(black_box(text.as_bytes()))
                .map(|feed| feed.entries.len())
                .ok()
        });
    });
    group.finish();
}

criterion_group!(benches, compare);
criterion_main!(benches);
