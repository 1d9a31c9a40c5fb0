//! Makes valid feeds of random content, and knows where each item of them ends.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use proptest::prelude::*;

/// What one item says.
#[derive(Debug, Clone)]
pub struct Story {
    pub number: usize,
    pub title: String,
    pub body: String,
    /// Seconds since 1970.
    pub published: i64,
}

/// A way to write a feed.
#[derive(Debug, Clone, Copy)]
pub enum Style {
    Rss,
    RssEscaped,
    Atom,
    Rdf,
    Json,
}

/// A feed in bytes, with the offset behind the end of each item.
#[derive(Debug)]
pub struct Written {
    pub bytes: Vec<u8>,
    pub ends: Vec<usize>,
}

/// Any way to write a feed.
pub fn style() -> impl Strategy<Value = Style> {
    prop_oneof![
        Just(Style::Rss),
        Just(Style::RssEscaped),
        Just(Style::Atom),
        Just(Style::Rdf),
        Just(Style::Json)
    ]
}

/// One to seven stories in several scripts, with what must be escaped.
pub fn stories() -> impl Strategy<Value = Vec<Story>> {
    let word = prop_oneof![
        "[a-z]{2,8}",
        "[а-я]{2,8}",
        Just("café".to_owned()),
        Just("日本".to_owned()),
        Just("R&D".to_owned()),
        Just("5 < 6".to_owned()),
        Just("«так»".to_owned()),
        Just("\"q\"".to_owned()),
        Just("😀".to_owned()),
    ];
    let text = |words| prop::collection::vec(word.clone(), words).prop_map(|words| words.join(" "));
    let story = (text(1..6), text(3..40), 1_000_000_000_i64..1_900_000_000);
    prop::collection::vec(story, 1..8).prop_map(|stories| {
        let story = |(number, (title, body, published))| Story {
            number,
            title,
            body,
            published,
        };
        stories.into_iter().enumerate().map(story).collect()
    })
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn date(seconds: i64, form: &str) -> String {
    jiff::Timestamp::from_second(seconds)
        .map(|at| at.strftime(form).to_string())
        .unwrap_or_default()
}

/// Writes the stories as a valid feed.
pub fn write(style: Style, stories: &[Story]) -> Written {
    let (head, tail) = match style {
        Style::Rss | Style::RssEscaped => (
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\">\
             <channel><title>Harbour</title><link>https://harbour.test/</link><description>Ships</description>\n",
            "</channel></rss>\n",
        ),
        Style::Atom => (
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Harbour</title>\
             <id>urn:harbour</id><updated>2026-07-13T10:00:00Z</updated><link href=\"https://harbour.test/\"/>\n",
            "</feed>\n",
        ),
        Style::Rdf => (
            "<?xml version=\"1.0\"?>\n<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://purl.org/rss/1.0/\" \
             xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel rdf:about=\"https://harbour.test/\"><title>Harbour</title>\
             <link>https://harbour.test/</link><description>Ships</description></channel>\n",
            "</rdf:RDF>\n",
        ),
        Style::Json => (
            "{\"version\": \"https://jsonfeed.org/version/1.1\", \"title\": \"Harbour\", \"items\": [\n",
            "]}\n",
        ),
    };
    let mut text = head.to_owned();
    let mut ends = Vec::new();
    for (index, story) in stories.iter().enumerate() {
        if index > 0 && matches!(style, Style::Json) {
            text.push_str(",\n");
        }
        text.push_str(&item(style, story));
        ends.push(text.len());
    }
    text.push_str(tail);
    Written {
        bytes: text.into_bytes(),
        ends,
    }
}

fn item(style: Style, story: &Story) -> String {
    let Story {
        number,
        title,
        body,
        published,
    } = story;
    let html = format!("<p>{}</p><p><a href=\"/{number}\">more</a></p>", escape(body));
    match style {
        Style::Rss => format!(
            "<item><title><![CDATA[{title}]]></title><link>https://harbour.test/{number}</link><guid>urn:{number}</guid><pubDate>{}</pubDate>\
             <description>{}</description><content:encoded><![CDATA[{html}]]></content:encoded></item>\n",
            date(*published, "%a, %d %b %Y %H:%M:%S GMT"),
            escape(body),
        ),
        Style::RssEscaped => format!(
            "<item>\n  <title>{}</title>\n  <link>https://harbour.test/{number}</link>\n  <guid isPermaLink=\"false\">urn:{number}</guid>\n\
             <pubDate>{}</pubDate>\n  <description>{}</description>\n</item>\n",
            escape(title),
            date(*published, "%a, %d %b %Y %H:%M:%S +0000"),
            escape(&html),
        ),
        Style::Atom => format!(
            "<entry><title>{}</title><link rel=\"alternate\" href=\"https://harbour.test/{number}\"/><id>urn:{number}</id>\
             <published>{}</published><updated>{}</updated><content type=\"html\">{}</content></entry>\n",
            escape(title),
            date(*published, "%Y-%m-%dT%H:%M:%SZ"),
            date(*published, "%Y-%m-%dT%H:%M:%SZ"),
            escape(&html),
        ),
        Style::Rdf => format!(
            "<item rdf:about=\"https://harbour.test/{number}\"><title>{}</title><link>https://harbour.test/{number}</link>\
             <description>{}</description><dc:date>{}</dc:date></item>\n",
            escape(title),
            escape(body),
            date(*published, "%Y-%m-%dT%H:%M:%SZ"),
        ),
        Style::Json => serde_json::json!({
            "id": format!("urn:{number}"), "url": format!("https://harbour.test/{number}"), "title": title,
            "content_html": html, "date_published": date(*published, "%Y-%m-%dT%H:%M:%SZ"),
        })
        .to_string(),
    }
}
