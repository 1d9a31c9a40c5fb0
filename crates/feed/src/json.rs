//! Reads JSON Feed 1.0 and 1.1, also where it is sloppy or cut off.
//!
//! feed-rs reads only what is valid to the letter: an integer as `id` or a null loses the whole feed. So each field is
//! taken as far as it makes sense, and what is not needed is passed over without being kept: a tree of untyped JSON
//! takes seventy times the size of the text where the text is hostile.

mod document;
mod relax;

use url::Url;

use crate::{Entry, Error, Feed, Format, MAX_ENTRIES, Repair, builder::Names, date, link};

use document::{Document, Item};

/// Reads a JSON Feed from text that begins with `{` or `[`.
pub(crate) fn parse(text: &str, url: Option<&str>) -> Result<Feed, Error> {
    let mut repairs = Vec::new();
    let mut cut_off = false;
    let document = match serde_json::from_str::<Document>(text) {
        Ok(document) => document,
        // A list, whole or not, is no feed.
        Err(_) if text.starts_with('[') => return Err(Error::Json),
        Err(_) => {
            let relaxed = relax::relax(text);
            cut_off = relaxed.within_item;
            repairs.push(if relaxed.truncated {
                Repair::Truncated
            } else {
                Repair::InvalidJson
            });
            serde_json::from_str::<Document>(&relaxed.text).map_err(|_| Error::NotAFeed)?
        }
    };
    if !document.is_feed() {
        return Err(if document.says_error {
            Error::JsonError
        } else {
            Error::Json
        });
    }
    let mut feed = Feed::empty(Format::JsonFeed);
    let base = url.and_then(|url| link::base(None, url));
    feed.link = document
        .home
        .0
        .and_then(|home| link::absolute(base.as_ref(), &home));
    feed.hints.self_link = document.own.0.and_then(|own| link::absolute(base.as_ref(), &own));
    let named = [feed.hints.self_link.as_deref(), feed.link.as_deref()];
    let base = base.or_else(|| {
        named
            .into_iter()
            .flatten()
            .find_map(|named| link::base(None, named))
    });
    feed.title = document.title.0;
    feed.language = document.language.0;
    feed.hints.hub = document.hubs.0.filter(|hub| !hub.is_empty());
    let items = document.items.unwrap_or_default();
    let last = items.seen;
    for (place, item) in items.kept {
        let truncated = cut_off && place + 1 == last;
        feed.entries.extend(entry(
            item,
            base.as_ref(),
            &document.authors,
            truncated,
            &mut repairs,
        ));
    }
    if last > MAX_ENTRIES {
        repairs.push(Repair::TooManyEntries);
    }
    feed.repairs = repairs;
    Ok(feed)
}

fn entry(
    item: Item,
    base: Option<&Url>,
    feed_authors: &Names,
    truncated: bool,
    repairs: &mut Vec<Repair>,
) -> Option<Entry> {
    let mut date = |text: Option<String>| {
        let text = text?;
        let at = date::parse_date(&text);
        if at.is_none() && !repairs.contains(&Repair::UnreadableDate) {
            repairs.push(Repair::UnreadableDate);
        }
        at
    };
    let (published, updated) = (date(item.published.0), date(item.modified.0));
    let address = |given: Option<String>| given.and_then(|given| link::absolute(base, &given));
    let by_id = item.id.0.clone().filter(|id| link::is_web_address(id));
    let entry = Entry {
        title: item.title.0,
        link: address(item.url.0).or(by_id).or_else(|| address(item.external.0)),
        id: item.id.0,
        published,
        updated,
        summary: item.summary.0,
        content: item.html.0.or_else(|| item.text.0.map(|plain| as_html(&plain))),
        authors: if item.authors.0.is_empty() {
            feed_authors.inherited()
        } else {
            item.authors.0
        },
        categories: item.tags.0.0,
        language: item.language.0,
        truncated,
    };
    let identified = entry.id.is_some() || entry.link.is_some();
    let says_something = entry.title.is_some() || entry.summary.is_some() || entry.content.is_some();
    (identified || says_something && !truncated).then_some(entry)
}

/// Returns plain text as HTML: what holds `<` or `&` must not become markup.
fn as_html(plain: &str) -> String {
    quick_xml::escape::minimal_escape(plain).into_owned()
}
