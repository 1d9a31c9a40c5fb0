//! Lists of feeds: OPML in and out, and plain lists of URLs.
//!
//! Reading is tolerant, for readers export whatever they have: bare `&`, `xmlurl` in any case, missing `<head>`, end
//! tags that do not match. What is no list at all is an error.

use std::collections::HashMap;
use std::fmt::Write as _;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use telex_model::{FeedId, FeedRecord, Origin, RequestHeaders};
use url::Url;

/// Outlines nested deeper than this are read as if they stood at this depth.
const MAX_DEPTH: usize = 32;

/// Why text is no list of feeds.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Neither OPML nor URLs.
    #[error("no feed found: the file is neither OPML with xmlUrl attributes nor a list of URLs")]
    Empty,
    /// A line that is no URL.
    #[error("line {line}: {text:?} is no http or https URL")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
}

/// A feed as a list names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its address.
    pub url: Url,
    /// Its name.
    pub title: Option<String>,
    /// The folders that it stands in, outermost first, each once.
    pub labels: Vec<String>,
}

impl Listed {
    /// Makes the record of the feed.
    pub fn record(self, origin: Origin) -> FeedRecord {
        FeedRecord {
            id: FeedId::of(&self.url),
            url: self.url.to_string(),
            title: self.title,
            labels: self.labels,
            origin,
            paused: false,
            interval_seconds: None,
            headers: RequestHeaders::default(),
            poll_requested: None,
        }
    }
}

/// Reads OPML, or one URL a line (`#` begins a comment). A feed named twice is one feed with the labels of both.
///
/// # Errors
/// Where there is no feed in it, or a line is no URL.
pub fn parse(text: &str) -> Result<Vec<Listed>, ListError> {
    let text = text.trim_start_matches('\u{feff}');
    let found = if text.trim_start().starts_with('<') {
        parse_opml(text)
    } else {
        parse_lines(text)?
    };
    if found.is_empty() && !text.trim_start().to_ascii_lowercase().contains("<opml") && !is_blank(text) {
        return Err(ListError::Empty);
    }
    Ok(merge(found))
}

fn is_blank(text: &str) -> bool {
    text.lines()
        .all(|l| l.trim().is_empty() || l.trim_start().starts_with('#'))
}

fn merge(found: Vec<Listed>) -> Vec<Listed> {
    let mut places: HashMap<FeedId, usize> = HashMap::new();
    let mut out: Vec<Listed> = Vec::new();
    for feed in found {
        match places.get(&FeedId::of(&feed.url)).and_then(|i| out.get_mut(*i)) {
            Some(known) => {
                known.title = known.title.take().or(feed.title);
                let new: Vec<String> = feed
                    .labels
                    .into_iter()
                    .filter(|l| !known.labels.contains(l))
                    .collect();
                known.labels.extend(new);
            }
            None => {
                places.insert(FeedId::of(&feed.url), out.len());
                out.push(feed);
            }
        }
    }
    out
}

fn web_url(text: &str) -> Option<Url> {
    let text = text.trim();
    // Some exports write the pseudo scheme of old feed readers.
    let text = text
        .strip_prefix("feed:")
        .map_or(text.to_owned(), |rest| match rest.strip_prefix("//") {
            Some(rest) => format!("http://{rest}"),
            None => rest.to_owned(),
        });
    Url::parse(&text)
        .ok()
        .filter(|u| matches!(u.scheme(), "http" | "https") && u.has_host())
}

fn parse_lines(text: &str) -> Result<Vec<Listed>, ListError> {
    let mut out = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let url = web_url(line).ok_or_else(|| ListError::Line {
            line: i + 1,
            text: line.chars().take(200).collect(),
        })?;
        out.push(Listed {
            url,
            title: None,
            labels: Vec::new(),
        });
    }
    Ok(out)
}

fn parse_opml(text: &str) -> Vec<Listed> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut folders: Vec<Option<String>> = Vec::new();
    let mut out = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) if is_outline(tag.name().as_ref()) => {
                let folder = outline(&tag, &folders, &mut out);
                if folders.len() < MAX_DEPTH {
                    folders.push(folder);
                }
            }
            Ok(Event::Empty(tag)) if is_outline(tag.name().as_ref()) => {
                outline(&tag, &folders, &mut out);
            }
            Ok(Event::End(tag)) if is_outline(tag.name().as_ref()) => {
                folders.pop();
            }
            // What was read before the damage counts.
            Ok(Event::Eof) | Err(_) => return out,
            Ok(_) => {}
        }
    }
}

fn is_outline(name: &str) -> bool {
    name.eq_ignore_ascii_case("outline")
}

/// Takes in an outline; gives its name, if it is a folder.
fn outline(tag: &BytesStart<'_>, folders: &[Option<String>], out: &mut Vec<Listed>) -> Option<String> {
    let mut values: HashMap<String, String> = HashMap::new();
    for attribute in tag.html_attributes().with_checks(false).flatten() {
        let name = attribute.key.local_name().as_ref().to_ascii_lowercase();
        let raw = &attribute.value;
        let value = quick_xml::escape::unescape(raw).map_or_else(|_| raw.to_string(), |v| v.into_owned());
        values.insert(name, value.trim().to_owned());
    }
    let mut take = |name: &str| values.remove(name).filter(|v| !v.is_empty());
    let url = take("xmlurl").or_else(|| take("url"));
    let name = take("title").or_else(|| take("text"));
    let Some(url) = url.as_deref().and_then(web_url) else {
        return name;
    };
    let mut labels: Vec<String> = folders.iter().flatten().cloned().collect();
    labels.dedup();
    out.push(Listed {
        url,
        title: name,
        labels,
    });
    None
}

/// Writes feeds as OPML 2.0, in one folder for each list of labels.
pub fn to_opml(feeds: &[FeedRecord]) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<opml version=\"2.0\">\n<head><title>Telex</title></head>\n<body>\n",
    );
    let mut sorted: Vec<&FeedRecord> = feeds.iter().collect();
    sorted.sort_by(|a, b| (&a.labels, &a.url).cmp(&(&b.labels, &b.url)));
    for group in sorted.chunk_by(|a, b| a.labels == b.labels) {
        let labels = group.first().map(|f| f.labels.as_slice()).unwrap_or_default();
        for label in labels {
            // Writing to a string cannot fail.
            let _ok = writeln!(out, "<outline text=\"{}\">", escape(label));
        }
        for feed in group {
            let title = escape(feed.title.as_deref().unwrap_or(&feed.url));
            let _ok = writeln!(
                out,
                "<outline type=\"rss\" text=\"{title}\" xmlUrl=\"{}\"/>",
                escape(&feed.url)
            );
        }
        out.push_str(&"</outline>\n".repeat(labels.len()));
    }
    out.push_str("</body>\n</opml>\n");
    out
}

fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).replace(['\n', '\r', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn urls(text: &str) -> Vec<String> {
        parse(text)
            .expect("a list")
            .iter()
            .map(|l| format!("{} {}", l.url, l.labels.join("/")))
            .collect()
    }

    #[test]
    fn lists_of_urls() {
        assert_eq!(
            urls("# mine\nhttps://a.test/rss\n\n  https://b.test/?a=1&b=2\n"),
            ["https://a.test/rss ", "https://b.test/?a=1&b=2 "]
        );
        assert!(matches!(
            parse("https://a.test/\nnonsense"),
            Err(ListError::Line { line: 2, .. })
        ));
        assert!(parse("").expect("nothing is a list").is_empty());
    }

    #[test]
    fn opml_as_readers_export_it() {
        let text = "<opml version='1.0'><body><outline text='News'><outline text='A &amp; B'>
            <outline XMLURL='https://a.test/?x=1&y=2' title=\"Tom's\"/></outline>
            <outline type=rss xmlurl=\"https://b.test/rss\" text='B'></outline></outline>
            <outline xmlUrl='feed://c.test/rss'/><outline xmlUrl='https://b.test/rss' text='again'/></body>";
        assert_eq!(
            urls(text),
            [
                "https://a.test/?x=1&y=2 News/A & B",
                "https://b.test/rss News",
                "http://c.test/rss "
            ]
        );
        assert!(parse("<html><body>no feeds</body></html>").is_err());
        assert!(
            parse("<opml><body></body></opml>")
                .expect("an empty list")
                .is_empty()
        );
    }

    #[test]
    fn what_is_written_can_be_read() {
        let text = "<opml><body><outline text='N &lt; \"M\"'><outline xmlUrl='https://a.test/?x=1&amp;y=2' text='A'/></outline><outline xmlUrl='https://b.test/'/></body></opml>";
        let feeds: Vec<FeedRecord> = parse(text)
            .expect("a list")
            .into_iter()
            .map(|l| l.record(Origin::File))
            .collect();
        let again: Vec<FeedRecord> = parse(&to_opml(&feeds))
            .expect("our own")
            .into_iter()
            .map(|l| l.record(Origin::File))
            .collect();
        let key = |f: &FeedRecord| (f.url.clone(), f.labels.clone());
        let (mut a, mut b): (Vec<_>, Vec<_>) =
            (feeds.iter().map(key).collect(), again.iter().map(key).collect());
        a.sort();
        b.sort();
        assert_eq!(a, b);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(<opml>|<outline|xmlUrl=|'|\"|https://a.b/|&|>|</outline>|\\PC){0,60}") {
            let _read = parse(&text);
        }
    }
}
