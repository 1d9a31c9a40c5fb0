//! What is new in a feed's answer: pure.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use telex_cleaner::fragment_text;
use telex_feed::{Confidence, Date, Entry, Feed, Page};
use telex_model::{
    ArticleId, DateConfidence, FeedId, Item, SeenItems, Source, canonical_url, content_hash, domain,
    short_hash,
};
use url::Url;

/// Items of earlier answers are remembered beyond the answer itself, for feeds that drop and show them again.
const REMEMBERED: usize = 100;

/// Fewer items that say what earlier ones said are taken for what they are: a daily notice, a correction.
const RENAMED_AT_LEAST: usize = 3;

/// Items of an index of sitemaps are remembered so far back, for a poll reads only those that changed.
const REMEMBERED_OF_INDEX: usize = 20_000;

/// Which items of a feed are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRules {
    /// Newest items taken from a feed seen for the first time; of the pages of a sitemap, that say nothing but where
    /// they are, at each poll.
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

/// An answer, as far as its items go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) feed: &'a Feed,
    /// Where the feed is a sitemap without news: its pages.
    pub(crate) pages: &'a [Page],
    /// It is an index of sitemaps, read in part.
    pub(crate) partial: bool,
    /// The feed was never read before.
    pub(crate) first: bool,
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
    /// New and changed pages of a sitemap beyond what is taken at once.
    pub(crate) left_out: u64,
}

/// Compares an answer with what was seen.
pub(crate) fn news(
    reading: Reading<'_>,
    origin: &Origin<'_>,
    seen: &SeenItems,
    rules: &ItemRules,
    now: Timestamp,
) -> News {
    let entries = candidates(reading, origin);
    let known: HashSet<u64> = entries.iter().map(|c| c.name).collect();
    let skip = if reading.first {
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
    let touched = all_touched(&entries, &before);
    let mut taken = Vec::new();
    for (i, candidate) in entries.iter().enumerate() {
        let state = before.get(&SeenItems::cut(candidate.name));
        let content = SeenItems::cut(candidate.hash);
        let is_known = state == Some(&content)
            || renamed.contains(&content)
            || touched && state.is_some() && candidate.is_page();
        out.new += usize::from(state.is_none() && !is_known);
        out.seen.insert(candidate.name, candidate.hash);
        if i >= skip && !is_known && !candidate.is_too_old(rules, now) {
            taken.push(candidate);
        }
    }
    // Who adds thousands of pages at once has found an archive, not news.
    let beyond = taken
        .iter()
        .filter(|c| c.is_page())
        .count()
        .saturating_sub(rules.initial_items);
    out.left_out = beyond as u64;
    let mut pages = 0;
    taken.retain(|c| {
        pages += usize::from(c.is_page());
        !c.is_page() || pages > beyond
    });
    out.items
        .extend(taken.iter().filter_map(|c| c.item(reading.feed, origin, now)));
    let kept = if reading.partial {
        REMEMBERED_OF_INDEX
    } else {
        REMEMBERED
    };
    out.seen.keep_last(kept.max(entries.len()));
    out
}

/// Everything that an answer lists, each name once; oldest first, so that order per feed follows time. Without dates
/// the feed's own order, newest on top.
fn candidates<'a>(reading: Reading<'a>, origin: &Origin<'_>) -> Vec<Candidate<'a>> {
    let mut known = HashSet::new();
    let whole = reading.feed.entries.iter().filter(|e| !e.truncated);
    let mut out: Vec<Candidate<'a>> = whole
        .map(|entry| Candidate::of(entry, origin))
        .chain(reading.pages.iter().filter_map(Candidate::of_page))
        .filter(|c| known.insert(c.name))
        .collect();
    out.reverse();
    out.sort_by_key(Candidate::date);
    out
}

/// Tells whether a sitemap gave most of its pages another date: it was made anew, its pages were not.
fn all_touched(entries: &[Candidate<'_>], before: &HashMap<u64, u64>) -> bool {
    let states = entries.iter().filter(|c| c.is_page()).filter_map(|c| {
        let state = before.get(&SeenItems::cut(c.name))?;
        Some(*state != SeenItems::cut(c.hash))
    });
    let (mut known, mut changed) = (0, 0);
    for state in states {
        known += 1;
        changed += usize::from(state);
    }
    changed >= RENAMED_AT_LEAST && changed * 2 > known
}

/// Adds pages to what was seen, as if they had been.
pub(crate) fn seen_with(seen: &SeenItems, pages: &[Page]) -> SeenItems {
    let mut out = seen.clone();
    for page in pages.iter().filter_map(Candidate::of_page) {
        out.insert(page.name, page.hash);
    }
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

/// What a feed lists, before it is known whether it is new. Small, for a sitemap lists up to 50,000.
#[derive(Debug, Clone, Copy)]
struct Candidate<'a> {
    what: What<'a>,
    /// Hash of the item's name within its feed: guid, else canonical link, else what it says.
    name: u64,
    /// Hash of what it says.
    hash: u64,
}

#[derive(Debug, Clone, Copy)]
enum What<'a> {
    Entry(&'a Entry),
    Page(&'a Page),
}

impl<'a> Candidate<'a> {
    fn of(entry: &'a Entry, origin: &Origin<'_>) -> Self {
        let text = |html: &Option<String>| html.as_deref().map(plain).unwrap_or_default();
        let hash = content_hash(&[&text(&entry.title), &text(&entry.summary), &text(&entry.content)]);
        let name = match guid(entry) {
            Some(id) => short_hash(id.trim()),
            None => link_of(entry, origin).map_or(hash, |link| short_hash(&canonical_url(&link))),
        };
        let what = What::Entry(entry);
        Self { what, name, hash }
    }

    /// A page says only where it is and when it was last changed.
    fn of_page(page: &'a Page) -> Option<Self> {
        let link = Url::parse(&page.url).ok().filter(is_web)?;
        let name = short_hash(&canonical_url(&link));
        let date = page.changed.map(|date| date.at.to_string()).unwrap_or_default();
        let hash = content_hash(&[&format!("{name:016x}"), &date]);
        let what = What::Page(page);
        Some(Self { what, name, hash })
    }

    fn is_page(&self) -> bool {
        matches!(self.what, What::Page(_))
    }

    fn date(&self) -> Option<Timestamp> {
        match self.what {
            What::Entry(entry) => entry.published.or(entry.updated),
            What::Page(page) => page.changed,
        }
        .map(|date| date.at)
    }

    fn is_too_old(&self, rules: &ItemRules, now: Timestamp) -> bool {
        let newest = match self.what {
            What::Entry(entry) => entry.updated.iter().chain(&entry.published).map(|d| d.at).max(),
            What::Page(page) => page.changed.map(|d| d.at),
        };
        let (Some(age), Some(newest)) = (rules.max_age, newest) else {
            return false;
        };
        SignedDuration::try_from(age).is_ok_and(|age| now.duration_since(newest) > age)
    }

    /// Makes the item; none where it has neither link nor words.
    fn item(&self, feed: &Feed, origin: &Origin<'_>, now: Timestamp) -> Option<Item> {
        match self.what {
            What::Entry(entry) => item(entry, self.hash, feed, origin, now),
            What::Page(page) => {
                let entry = Entry {
                    link: Some(page.url.clone()),
                    updated: page.changed,
                    ..Entry::default()
                };
                item(&entry, self.hash, feed, origin, now)
            }
        }
    }
}

fn guid(entry: &Entry) -> Option<&str> {
    entry.id.as_deref().filter(|id| !id.trim().is_empty())
}

fn is_web(link: &Url) -> bool {
    matches!(link.scheme(), "http" | "https") && link.has_host()
}

fn link_of(entry: &Entry, origin: &Origin<'_>) -> Option<Url> {
    let link = entry.link.as_deref()?;
    let url = match Url::parse(origin.feed_url) {
        Ok(base) => base.join(link).ok(),
        Err(_) => Url::parse(link).ok(),
    };
    url.filter(is_web)
}

fn item(entry: &Entry, hash: u64, feed: &Feed, origin: &Origin<'_>, now: Timestamp) -> Option<Item> {
    let link = link_of(entry, origin);
    let title = plain(entry.title.as_deref().unwrap_or_default());
    let says_something = !title.is_empty() || entry.summary.is_some() || entry.content.is_some();
    if link.is_none() && !says_something {
        return None;
    }
    let id = match &link {
        Some(link) => ArticleId::of_link(link),
        None => ArticleId::of_item(origin.feed_id, guid(entry).unwrap_or(&format!("{hash:016x}"))),
    };
    let domain = match (&link, Url::parse(origin.feed_url)) {
        (Some(link), _) => domain(link),
        (None, Ok(feed)) => domain(&feed),
        (None, Err(_)) => String::new(),
    };
    let past = |date: &Option<Date>| date.as_ref().map(|d| d.at.min(now));
    Some(Item {
        id,
        feed_id: origin.feed_id,
        url: link.as_ref().map(ToString::to_string),
        guid: entry.id.clone(),
        title,
        summary: entry.summary.clone(),
        content: entry.content.clone(),
        authors: entry.authors.clone(),
        published: past(&entry.published),
        published_confidence: entry.published.as_ref().map(|d| confidence(d, now)),
        updated: past(&entry.updated),
        language: entry.language.clone().or_else(|| feed.language.clone()),
        polled_at: now,
        item_hash: hash,
        source: Source {
            feed_url: origin.feed_url.to_owned(),
            site_name: feed.title.as_deref().map(plain).filter(|t| !t.is_empty()),
            domain,
            labels: origin.labels.to_vec(),
        },
        page: None,
    })
}

fn confidence(date: &Date, now: Timestamp) -> DateConfidence {
    match date.confidence {
        // Clamped.
        _ if date.at > now => DateConfidence::Guessed,
        Confidence::Exact => DateConfidence::Exact,
        Confidence::AssumedZone => DateConfidence::AssumedZone,
        Confidence::DateOnly => DateConfidence::DateOnly,
        Confidence::Guessed => DateConfidence::Guessed,
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
        let reading = Reading {
            feed: &feed(items),
            pages: &[],
            partial: false,
            first: seen.is_empty(),
        };
        news(reading, &origin, seen, rules, NOW.parse().expect("a time"))
    }

    const NOW: &str = "2026-07-31T00:00:00Z";

    /// Looks at a sitemap: number of each page, and the day of July when it was changed.
    fn look_at_pages(pages: &[(u32, u32)], seen: &SeenItems, rules: &ItemRules) -> News {
        let page = |(n, day): &(u32, u32)| Page {
            url: format!("https://h.test/a/{n}"),
            changed: telex_feed::parse_date(&format!("2026-07-{day:02}")),
        };
        let pages: Vec<Page> = pages.iter().map(page).collect();
        let url = Url::parse("https://h.test/sitemap.xml").expect("a URL");
        let origin = Origin {
            feed_id: FeedId::of(&url),
            feed_url: url.as_str(),
            labels: &[],
        };
        let reading = Reading {
            feed: &feed(""),
            pages: &pages,
            partial: false,
            first: seen.is_empty(),
        };
        news(reading, &origin, seen, rules, NOW.parse().expect("a time"))
    }

    fn pages(news: &News) -> Vec<&str> {
        news.items
            .iter()
            .filter_map(|item| item.url.as_deref()?.rsplit('/').next())
            .collect()
    }

    #[test]
    fn pages_of_a_sitemap_come_once_and_again_when_they_change() {
        let rules = ItemRules {
            initial_items: 2,
            max_age: None,
        };
        let first = look_at_pages(&[(1, 1), (2, 3), (3, 2), (4, 0)], &SeenItems::default(), &rules);
        assert_eq!(
            (pages(&first), first.left_out),
            (vec!["3", "2"], 0),
            "the newest, oldest first"
        );
        let now: Timestamp = NOW.parse().expect("a time");
        assert_eq!(
            first.items[0].updated,
            telex_feed::parse_date("2026-07-02").map(|d| d.at)
        );
        assert!(
            first
                .items
                .iter()
                .all(|i| i.title.is_empty() && i.polled_at == now)
        );
        let later = look_at_pages(&[(1, 1), (2, 9), (3, 2), (4, 0), (5, 8)], &first.seen, &rules);
        assert_eq!((pages(&later), later.new), (vec!["5", "2"], 1));
        assert_ne!(later.items[1].item_hash, first.items[1].item_hash, "a revision");
        assert_eq!(later.items[1].id, first.items[1].id, "of the same article");
    }

    #[test]
    fn a_sitemap_does_not_flood() {
        let rules = ItemRules {
            initial_items: 5,
            max_age: None,
        };
        let few: Vec<(u32, u32)> = (0..10).map(|n| (n, 1)).collect();
        let first = look_at_pages(&few, &SeenItems::default(), &rules);
        let anew: Vec<(u32, u32)> = (0..10).map(|n| (n, 2)).chain([(10, 2)]).collect();
        let made_anew = look_at_pages(&anew, &first.seen, &rules);
        assert_eq!(pages(&made_anew), ["10"], "new dates for all are no news");
        let archive: Vec<(u32, u32)> = anew
            .iter()
            .copied()
            .chain((100..200).map(|n| (n, 1 + n % 20)))
            .collect();
        let found = look_at_pages(&archive, &made_anew.seen, &rules);
        assert_eq!((found.items.len(), found.left_out), (5, 95));
        assert!(
            found
                .items
                .iter()
                .all(|i| i.updated >= telex_feed::parse_date("2026-07-20").map(|d| d.at))
        );
        assert_eq!(look_at_pages(&archive, &found.seen, &rules).items.len(), 0);
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
        assert_eq!(found.items[0].published_confidence, Some(DateConfidence::Guessed));
    }
}
