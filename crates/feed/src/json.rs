//! Reads JSON Feed 1.0 and 1.1, also where it is sloppy or cut off.
//!
//! feed-rs reads only what is valid to the letter: an integer as `id` or a null loses the whole feed. So fields are
//! taken here from untyped JSON, each as far as it makes sense.

mod relax;

use serde_json::{Map, Value};
use url::Url;

use crate::{
    Entry, Error, Feed, Format, MAX_ENTRIES, Repair,
    builder::{MAX_FIELD, Names, cut},
    date, link,
};

type Object = Map<String, Value>;

/// Reads a JSON Feed from text that begins with `{` or `[`.
pub(crate) fn parse(text: &str, url: Option<&str>) -> Result<Feed, Error> {
    let mut repairs = Vec::new();
    let mut cut_off = false;
    let value = match serde_json::from_str::<Value>(text) {
        Ok(value) => value,
        Err(_) => {
            let relaxed = relax::relax(text);
            cut_off = relaxed.truncated;
            repairs.push(if cut_off {
                Repair::Truncated
            } else {
                Repair::InvalidJson
            });
            serde_json::from_str::<Value>(&relaxed.text).map_err(|_| Error::NotAFeed)?
        }
    };
    let Value::Object(object) = value else {
        return Err(Error::Json);
    };
    let Some(items) = items(&object) else {
        return Err(what(&object));
    };
    let base = url.and_then(|url| link::base(None, url));
    let home = string(&object, &["home_page_url"]).and_then(|home| link::absolute(base.as_ref(), &home));
    let self_link = string(&object, &["feed_url"]).and_then(|own| link::absolute(base.as_ref(), &own));
    let base = base.or_else(|| self_link.as_deref().and_then(|own| link::base(None, own)));
    let base = base.or_else(|| home.as_deref().and_then(|home| link::base(None, home)));
    let mut feed = Feed::new(Format::JsonFeed);
    feed.title = string(&object, &["title"]);
    feed.link = home;
    feed.language = string(&object, &["language"]);
    feed.hints.self_link = self_link;
    feed.hints.hub = hub(&object);
    let last = items.len();
    let feed_authors = authors(&object);
    for (index, item) in items.iter().enumerate().take(MAX_ENTRIES) {
        let Value::Object(item) = item else { continue };
        let mut entry = entry(item, base.as_ref(), &feed_authors, &mut repairs);
        entry.truncated = cut_off && index + 1 == last;
        let identified = entry.id.is_some() || entry.link.is_some();
        let says_something = entry.title.is_some() || entry.summary.is_some() || entry.content.is_some();
        if identified || says_something && !entry.truncated {
            feed.entries.push(entry);
        }
    }
    if items.len() > MAX_ENTRIES {
        repairs.push(Repair::TooManyEntries);
    }
    feed.repairs = repairs;
    Ok(feed)
}

/// Returns the items of what is a feed by its version, or plainly meant to be one.
fn items(object: &Object) -> Option<&[Value]> {
    let version = object
        .get("version")
        .and_then(Value::as_str)
        .is_some_and(|version| version.contains("jsonfeed"));
    match object.get("items") {
        Some(Value::Array(items)) => {
            let meant = |item: &Value| {
                item.get("id").is_some() || item.get("url").is_some() || item.get("content_html").is_some()
            };
            (version || object.get("title").is_some() || items.iter().any(meant)).then_some(items.as_slice())
        }
        None | Some(Value::Null) if version => Some(&[]),
        _ => None,
    }
}

/// Says what JSON is that is no feed.
fn what(object: &Object) -> Error {
    const SAYS_ERROR: &str = "error errors error_description message msg code status statusCode detail fault \
                              exception reason success ok";
    if SAYS_ERROR.split(' ').any(|key| object.contains_key(key)) {
        Error::JsonError
    } else {
        Error::Json
    }
}

fn entry(item: &Object, base: Option<&Url>, feed_authors: &Names, repairs: &mut Vec<Repair>) -> Entry {
    let address = |keys: &[&str]| string(item, keys).and_then(|given| link::absolute(base, &given));
    let mut date = |key: &str| {
        let text = string(item, &[key])?;
        let at = date::parse_date(&text);
        if at.is_none() && !repairs.contains(&Repair::UnreadableDate) {
            repairs.push(Repair::UnreadableDate);
        }
        at
    };
    let (published, updated) = (date("date_published"), date("date_modified"));
    let id = string(item, &["id"]);
    let by_id = || id.clone().filter(|id| link::is_web_address(id));
    let mut names = authors(item);
    if names.0.is_empty() {
        names = feed_authors.clone();
    }
    let mut tags = Names::default();
    for tag in item
        .get("tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        tags.add(tag);
    }
    Entry {
        title: string(item, &["title"]),
        link: address(&["url"])
            .or_else(by_id)
            .or_else(|| address(&["external_url"])),
        id,
        published,
        updated,
        summary: text(item, "summary"),
        content: text(item, "content_html")
            .or_else(|| text(item, "content_text").map(|plain| as_html(&plain))),
        authors: names.0,
        categories: tags.0,
        language: string(item, &["language"]),
        truncated: false,
    }
}

/// Returns plain text as HTML: what holds `<` or `&` must not become markup.
fn as_html(plain: &str) -> String {
    quick_xml::escape::minimal_escape(plain).into_owned()
}

/// Returns the first of the keys that holds text or a number; integers as ids are the most common slip.
fn string(object: &Object, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| match object.get(*key)? {
        Value::String(text) => Some(cut(text.trim(), MAX_FIELD).to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// Returns text of any length.
fn text(object: &Object, key: &str) -> Option<String> {
    let text = object.get(key)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Returns the names in `authors` (1.1) or `author` (1.0), which may be objects, text, or lists of either.
fn authors(object: &Object) -> Names {
    let mut names = Names::default();
    for key in ["authors", "author"] {
        let given: &[Value] = match object.get(key) {
            Some(Value::Array(list)) => list,
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        for author in given {
            match author {
                Value::String(name) => names.add(name),
                Value::Object(author) => names.add(&string(author, &["name", "url"]).unwrap_or_default()),
                _ => {}
            }
        }
    }
    names
}

fn hub(object: &Object) -> Option<String> {
    let hubs = object.get("hubs")?.as_array()?;
    let websub = |hub: &&Value| {
        hub.get("type")
            .and_then(Value::as_str)
            .is_none_or(|kind| kind.eq_ignore_ascii_case("websub"))
    };
    hubs.iter().find(websub)?.get("url")?.as_str().map(str::to_owned)
}
