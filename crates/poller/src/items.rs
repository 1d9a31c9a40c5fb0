//! What is new in a feed's answer: pure.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use telex_cleaner::fragment_text;
use telex_feed::{Entry, Feed};
use telex_model::{
    ArticleId, FeedId, Item, SeenItems, Source, canonical_url, content_hash, domain, short_hash,
};
use url::Url;

/// Items of earlier answers are remembered beyond the answer itself, for feeds that drop and show them again.
const REMEMBERED: usize = 100;

/// Fewer items that say what earlier ones said are taken for what they are: a daily notice, a correction.
const RENAMED_AT_LEAST: usize = 3;

/// Which items of a feed are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRules {
    /// Newest items taken from a feed seen for the first time.
    pub initial_items: usize,
    /// Items published earlier than this are not taken.
    pub max_age: Option<Duration>,
}

impl Default for ItemRules {
    fn default() -> Self {
        Self {
            initial_items: 100,
            max_age: None,
        }
    }
}

/// Where a feed's items come from.
#[derive(Debug, Clone)]
pub(crate) struct Origin<'a> {
    pub(crate) feed_id: FeedId,
    pub(crate) feed_url: &'a str,
    pub(crate) labels: &'a [String],
}

/// What an answer holds.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// New and changed items, oldest first.
    pub(crate) items: Vec<Item>,
    /// What to remember.
    pub(crate) seen: SeenItems,
    /// New items among them.
    pub(crate) new: usize,
}

/// Compares an answer with what was seen; `first` says that the feed was never read before.
pub(crate) fn news(
    feed: &Feed,
    origin: &Origin<'_>,
    seen: &SeenItems,
    first: bool,
    rules: &ItemRules,
    now: Timestamp,
) -> News {
    let mut known = HashSet::new();
    let mut entries: Vec<Candidate<'_>> = feed
        .entries
        .iter()
        .filter(|e| !e.truncated)
        .map(|e| Candidate::of(e, origin))
        .filter(|c| known.insert(c.name))
        .collect();
    // Oldest first, so that order per feed follows time; without dates the feed's own order, newest on top.
    entries.reverse();
    entries.sort_by_key(|c| {
        c.entry
            .published
            .as_ref()
            .or(c.entry.updated.as_ref())
            .map(|d| d.at)
    });
    let skip = if first {
        entries.len().saturating_sub(rules.initial_items)
    } else {
        0
    };
    let mut out = News {
        seen: remembered(seen, &known),
        ..News::default()
    };
    let before: HashMap<u64, u64> = seen.iter().collect();
    let renamed = renamed(&entries, &before, &known);
    for (i, candidate) in entries.iter().enumerate() {
        let state = before.get(&SeenItems::cut(candidate.name));
        let content = SeenItems::cut(candidate.hash);
        let is_known = state == Some(&content) || renamed.contains(&content);
        out.new += usize::from(state.is_none() && !is_known);
        out.seen.insert(candidate.name, candidate.hash);
        if i >= skip && !is_known && !too_old(candidate.entry, rules, now) {
            out.items.extend(candidate.item(feed, origin, now));
        }
    }
    out.seen.keep_last(REMEMBERED.max(entries.len()));
    out
}

/// What items say that have got another guid, where many have at once: a new program or a moved site, not news.
fn renamed(entries: &[Candidate<'_>], before: &HashMap<u64, u64>, known: &HashSet<u64>) -> HashSet<u64> {
    let now: HashSet<u64> = known.iter().map(|n| SeenItems::cut(*n)).collect();
    let gone: HashSet<u64> = before
        .iter()
        .filter(|(name, _)| !now.contains(name))
        .map(|(_, content)| *content)
        .collect();
    let new: Vec<u64> = entries
        .iter()
        .filter(|c| !before.contains_key(&SeenItems::cut(c.name)))
        .map(|c| SeenItems::cut(c.hash))
        .collect();
    let renamed: HashSet<u64> = new
        .iter()
        .copied()
        .filter(|content| gone.contains(content))
        .collect();
    if renamed.len() < RENAMED_AT_LEAST || renamed.len() * 2 < new.len() {
        return HashSet::new();
    }
    renamed
}

/// What was seen before and does not stand in the answer.
fn remembered(seen: &SeenItems, now: &HashSet<u64>) -> SeenItems {
    let now: HashSet<u64> = now.iter().map(|n| SeenItems::cut(*n)).collect();
    let mut out = SeenItems::default();
    seen.iter()
        .filter(|(name, _)| !now.contains(name))
        .for_each(|(name, hash)| out.insert(name, hash));
    out
}

fn too_old(entry: &Entry, rules: &ItemRules, now: Timestamp) -> bool {
    let newest = entry.updated.iter().chain(&entry.published).map(|d| d.at).max();
    let (Some(age), Some(newest)) = (rules.max_age, newest) else {
        return false;
    };
    SignedDuration::try_from(age).is_ok_and(|age| now.duration_since(newest) > age)
}

struct Candidate<'a> {
    entry: &'a Entry,
    link: Option<Url>,
    title: String,
    /// Hash of the item's name within its feed: guid, else canonical link, else what it says.
    name: u64,
    /// Hash of what it says.
    hash: u64,
}

impl<'a> Candidate<'a> {
    fn of(entry: &'a Entry, origin: &Origin<'_>) -> Self {
        let base = Url::parse(origin.feed_url).ok();
        let link = entry.link.as_deref().and_then(|l| match &base {
            Some(base) => base.join(l).ok(),
            None => Url::parse(l).ok(),
        });
        let link = link.filter(|l| matches!(l.scheme(), "http" | "https") && l.has_host());
        let title = plain(entry.title.as_deref().unwrap_or_default());
        let text = |html: &Option<String>| html.as_deref().map(plain).unwrap_or_default();
        let hash = content_hash(&[&title, &text(&entry.summary), &text(&entry.content)]);
        let id = entry.id.as_deref().filter(|id| !id.trim().is_empty());
        let name = match (id, &link) {
            (Some(id), _) => short_hash(id.trim()),
            (None, Some(link)) => short_hash(&canonical_url(link)),
            (None, None) => hash,
        };
        Self {
            entry,
            link,
            title,
            name,
            hash,
        }
    }

    /// Makes the item; none where it has neither link nor words.
    fn item(&self, feed: &Feed, origin: &Origin<'_>, now: Timestamp) -> Option<Item> {
        let entry = self.entry;
        let says_something = !self.title.is_empty() || entry.summary.is_some() || entry.content.is_some();
        if self.link.is_none() && !says_something {
            return None;
        }
        let id = match &self.link {
            Some(link) => ArticleId::of_link(link),
            None => {
                let id = entry.id.as_deref().filter(|id| !id.trim().is_empty());
                ArticleId::of_item(origin.feed_id, id.unwrap_or(&format!("{:016x}", self.hash)))
            }
        };
        let domain = match (&self.link, Url::parse(origin.feed_url)) {
            (Some(link), _) => domain(link),
            (None, Ok(feed)) => domain(&feed),
            (None, Err(_)) => String::new(),
        };
        let past = |date: &Option<telex_feed::Date>| date.as_ref().map(|d| d.at.min(now));
        Some(Item {
            id,
            feed_id: origin.feed_id,
            url: self.link.as_ref().map(ToString::to_string),
            guid: entry.id.clone(),
            title: self.title.clone(),
            summary: entry.summary.clone(),
            content: entry.content.clone(),
            authors: entry.authors.clone(),
            published: past(&entry.published),
            updated: past(&entry.updated),
            language: entry.language.clone().or_else(|| feed.language.clone()),
            polled_at: now,
            item_hash: self.hash,
            source: Source {
                feed_url: origin.feed_url.to_owned(),
                site_name: feed.title.as_deref().map(plain).filter(|t| !t.is_empty()),
                domain,
                labels: origin.labels.to_vec(),
            },
        })
    }
}

/// The words of a piece of HTML in one line.
fn plain(html: &str) -> String {
    let text = if html.contains(['<', '&']) {
        fragment_text(html)
    } else {
        html.to_owned()
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use telex_feed::{Input, parse};

    use super::*;

    fn feed(items: &str) -> Feed {
        let xml = format!(
            "<rss version=\"2.0\"><channel><title>Harbour News</title><link>https://h.test/</link>{items}</channel></rss>"
        );
        parse(&Input {
            bytes: xml.as_bytes(),
            content_type: None,
            url: Some("https://h.test/rss"),
        })
        .expect("a feed")
    }

    fn item(n: u32, title: &str) -> String {
        format!(
            "<item><title>{title}</title><link>/a/{n}</link><guid isPermaLink=\"false\">g{n}</guid><pubDate>Wed, 0{n} Feb 2022 10:00:00 GMT</pubDate></item>"
        )
    }

    fn look(items: &str, seen: &SeenItems, rules: &ItemRules) -> News {
        let feed_id = FeedId::of(&Url::parse("https://h.test/rss").expect("a URL"));
        let origin = Origin {
            feed_id,
            feed_url: "https://h.test/rss",
            labels: &["harbour".to_owned()],
        };
        news(
            &feed(items),
            &origin,
            seen,
            seen.is_empty(),
            rules,
            "2026-07-01T00:00:00Z".parse().expect("a time"),
        )
    }

    fn titles(news: &News) -> Vec<&str> {
        news.items.iter().map(|i| i.title.as_str()).collect()
    }

    #[test]
    fn new_and_changed_items_come_once() {
        let rules = ItemRules::default();
        let first = look(&(item(2, "Two") + &item(1, "One")), &SeenItems::default(), &rules);
        assert_eq!(titles(&first), ["One", "Two"], "oldest first");
        assert_eq!(first.items[0].url.as_deref(), Some("https://h.test/a/1"));
        assert_eq!(first.items[0].source.domain, "h.test");
        let same = look(&(item(2, "Two ") + &item(1, "One")), &first.seen, &rules);
        assert_eq!((same.items.len(), same.new), (0, 0));
        let later = look(
            &(item(3, "Three") + &item(2, "Two, corrected")),
            &same.seen,
            &rules,
        );
        assert_eq!(titles(&later), ["Two, corrected", "Three"]);
        assert_eq!(later.new, 1);
        let back = look(&item(1, "One"), &later.seen, &rules);
        assert_eq!(
            back.items.len(),
            0,
            "an item that left the feed and comes back is not new"
        );
    }

    #[test]
    fn the_first_import_does_not_flood() {
        let rules = ItemRules {
            initial_items: 1,
            max_age: None,
        };
        let all = item(2, "Two") + &item(1, "One");
        let first = look(&all, &SeenItems::default(), &rules);
        assert_eq!(titles(&first), ["Two"]);
        assert_eq!(
            look(&all, &first.seen, &rules).items.len(),
            0,
            "what was left out stays out"
        );
        let young = ItemRules {
            max_age: Some(Duration::from_secs(3600)),
            ..ItemRules::default()
        };
        assert_eq!(look(&all, &SeenItems::default(), &young).items.len(), 0);
    }

    #[test]
    fn items_without_guid_or_link_keep_their_identity() {
        let rules = ItemRules::default();
        let bare = "<item><title>Fog &amp;amp; &lt;b&gt;ferries&lt;/b&gt;</title></item>";
        let first = look(bare, &SeenItems::default(), &rules);
        assert_eq!(titles(&first), ["Fog & ferries"]);
        assert_eq!(
            look(bare, &SeenItems::default(), &rules).items[0].id,
            first.items[0].id
        );
        assert_eq!(look(bare, &first.seen, &rules).items.len(), 0);
        assert_eq!(
            look("<item><guid>x</guid></item>", &SeenItems::default(), &rules)
                .items
                .len(),
            0
        );
    }

    #[test]
    fn a_change_of_all_guids_is_no_news() {
        let rules = ItemRules::default();
        let titles_of = ["One", "Two", "Three", "Four", "Five"];
        let with_guids = |prefix: &str| -> String {
            let item = |(n, t): (usize, &&str)| {
                format!("<item><title>{t}</title><link>/{prefix}/{n}</link><guid>{prefix}{n}</guid></item>")
            };
            titles_of.iter().enumerate().map(item).collect()
        };
        let first = look(&with_guids("old"), &SeenItems::default(), &rules);
        let news = "<item><title>Six</title><link>/6</link><guid>six</guid></item>";
        let moved = look(&(with_guids("new") + news), &first.seen, &rules);
        assert_eq!((titles(&moved), moved.new), (vec!["Six"], 1));
        let after = look(&(with_guids("new") + news), &moved.seen, &rules);
        assert_eq!((after.items.len(), after.new), (0, 0));
        // One notice that says what an earlier one said is a new one.
        let notice = |n: u32| format!("<item><title>Tides today</title><guid>t{n}</guid></item>");
        let today = look(&notice(1), &SeenItems::default(), &rules);
        assert_eq!(look(&notice(2), &today.seen, &rules).items.len(), 1);
    }

    #[test]
    fn future_dates_are_clamped() {
        let future =
            "<item><title>T</title><link>/x</link><pubDate>Wed, 01 Jan 2098 10:00:00 GMT</pubDate></item>";
        let found = look(future, &SeenItems::default(), &ItemRules::default());
        assert_eq!(found.items[0].published, Some(found.items[0].polled_at));
    }
}
