//! Sitemaps as feeds: which sitemaps of an index are read, and what is known of them.
//!
//! A news sitemap is a feed like any other. A plain one lists pages by address and date, and an index lists further
//! sitemaps, thousands of them on old sites. So a poll reads a few of an index, those that changed and the newest
//! first, and remembers of each what it said; the others have their turn at later polls.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use telex_feed::{Entry, Page, Sitemap};
use telex_model::{SeenItems, domain, short_hash};
use telex_web::host_key;
use tokio::time::timeout;
use url::Url;

use crate::poll::{Failure, Shared, Task, ask, parsed, sitemap_of};

/// Sitemaps of an index that one poll reads: sites publish into one or a few at a time.
const READ_AT_ONCE: usize = 10;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Longest wait for the host before a sitemap of an index is left to the next poll.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Sitemaps of an index that are remembered. One a day for five years.
const REMEMBERED: usize = 2_000;

/// What a sitemap that is polled lists.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// News.
    pub(crate) entries: Vec<Entry>,
    /// Pages.
    pub(crate) pages: Vec<Page>,
    /// Pages that were there before their sitemap was read for the first time.
    pub(crate) old: Vec<Page>,
    /// What to remember of the sitemaps of an index; none where this is no index.
    pub(crate) sitemaps: Option<SeenItems>,
    /// Some sitemaps change unannounced, or wait for a later poll: the index is to be read whole again.
    pub(crate) more: bool,
}

/// Reads what a sitemap without news lists, directly or through others.
pub(crate) async fn read(found: Sitemap, task: &mut Task, shared: &Shared) -> Result<Listed, Failure> {
    let index = match found {
        Sitemap::Pages(pages) => {
            return Ok(Listed {
                pages,
                ..Listed::default()
            });
        }
        Sitemap::Index(index) => index,
    };
    let known = &task.state.sitemaps;
    let plan = plan(index, known, task.address());
    // Many sitemaps date to the day.
    let since = task.state.succeeded_at.and_then(|at| at.checked_sub(DAY).ok());
    let mut listed = Listed {
        more: plan.more,
        ..Listed::default()
    };
    // Each request has a permit of its own, lest this poll wait for itself.
    task.permit = None;
    let mut read = Vec::new();
    let mut first_failure = None;
    for child in plan.read {
        match read_one(&child.page, shared).await {
            Ok(One::News(entries)) => listed.entries.extend(entries),
            Ok(One::Pages(pages)) if child.unread => {
                let since = since.unwrap_or(Timestamp::MIN);
                let newer = |page: &Page| page.changed.is_some_and(|date| date.at > since);
                let (new, old) = pages.into_iter().partition(newer);
                listed.pages.extend::<Vec<Page>>(new);
                listed.old.extend::<Vec<Page>>(old);
            }
            Ok(One::Pages(pages)) => listed.pages.extend(pages),
            Err(failure) => {
                tracing::info!(
                    sitemap = child.page.url,
                    error = failure.detail,
                    "a sitemap of an index could not be read"
                );
                first_failure.get_or_insert(failure);
                listed.more = true;
                continue;
            }
        }
        read.push(mark(&child.page, true));
    }
    if let Some(failure) = first_failure.filter(|_| read.is_empty()) {
        return Err(failure);
    }
    listed.sitemaps = Some(remember(&plan.rest, &read));
    Ok(listed)
}

enum One {
    News(Vec<Entry>),
    Pages(Vec<Page>),
}

async fn read_one(page: &Page, shared: &Shared) -> Result<One, Failure> {
    let url = Url::parse(&page.url).map_err(|_| Failure::permanent("invalid_url", &page.url))?;
    let _permit = timeout(LONGEST_WAIT, shared.limits.acquire(&host_key(&url)))
        .await
        .map_err(|_| Failure::transient("host_closed", "the host asked to be left alone"))?;
    let response = ask(url, None, shared).await?;
    match parsed(&response) {
        Ok(feed) => Ok(One::News(feed.entries)),
        Err(telex_feed::Error::Sitemap) => match sitemap_of(&response)? {
            Sitemap::Pages(pages) => Ok(One::Pages(pages)),
            // The protocol forbids it, and it could lead round in circles.
            Sitemap::Index(_) => Err(Failure::permanent("sitemap", "an index within an index")),
        },
        Err(error) => Err(Failure::of(&error)),
    }
}

/// A sitemap of an index that is to be read.
#[derive(Debug)]
struct Child {
    page: Page,
    /// It was there when the index was first read, and has not been read since.
    unread: bool,
}

/// A sitemap of an index, with its place among those remembered and what is remembered of it.
struct Known {
    page: Page,
    before: Option<(usize, u64)>,
}

/// What to do with the sitemaps of an index.
#[derive(Debug)]
struct Plan {
    /// To be read now, in this order.
    read: Vec<Child>,
    /// What is known of the others, those read longest ago first.
    rest: Vec<(u64, u64)>,
    /// Some of the others have changed, or do not say whether they have.
    more: bool,
}

/// Decides which sitemaps of an index are read: those that changed, the newest first; then, of those without a date,
/// those never read and those read longest ago. Only those of the index's own site.
fn plan(index: Vec<Page>, known: &SeenItems, address: &str) -> Plan {
    let before: HashMap<u64, (usize, u64)> = known
        .iter()
        .enumerate()
        .map(|(place, (name, content))| (name, (place, content)))
        .collect();
    let site = Url::parse(address).map(|url| domain(&url)).unwrap_or_default();
    let mut once = HashSet::new();
    let mut children: Vec<Known> = index
        .into_iter()
        .filter(|page| Url::parse(&page.url).is_ok_and(|url| domain(&url) == site))
        .filter(|page| once.insert(name(page)))
        .map(|page| Known {
            before: before.get(&name(&page)).copied(),
            page,
        })
        .collect();
    children.sort_by_key(|child| {
        let date = child.page.changed.map(|date| std::cmp::Reverse(date.at));
        (date.is_none(), date, child.before.map(|(place, _)| place))
    });
    children.truncate(REMEMBERED);
    let mut plan = Plan {
        read: Vec::new(),
        rest: Vec::new(),
        more: false,
    };
    let mut rest = Vec::new();
    for Known { page, before: known } in children {
        let dated = page.changed.is_some();
        let unchanged = known.is_some_and(|(_, content)| content | 1 == mark(&page, true).1);
        let kept = known.map(|(place, content)| (place, (name(&page), content)));
        plan.more |= !dated;
        if dated && unchanged {
            rest.extend(kept);
        } else if plan.read.len() < READ_AT_ONCE {
            let unread = known.is_some_and(|(_, content)| content & 1 == 0);
            plan.read.push(Child { page, unread });
        } else if before.is_empty() {
            // The index is read for the first time: what is older than the newest few is no news.
            rest.push((0, mark(&page, false)));
        } else {
            plan.more = true;
            rest.extend(kept);
        }
    }
    rest.sort_by_key(|(place, _)| *place);
    plan.rest = rest.into_iter().map(|(_, mark)| mark).collect();
    plan
}

fn name(page: &Page) -> u64 {
    SeenItems::cut(short_hash(&page.url))
}

/// What is remembered of a sitemap: its name, and its date with whether it was read in the last bit.
fn mark(page: &Page, read: bool) -> (u64, u64) {
    let date = page.changed.map_or(0, |date| short_hash(&date.at.to_string()));
    (name(page), SeenItems::cut(date) & !1 | u64::from(read))
}

fn remember(rest: &[(u64, u64)], read: &[(u64, u64)]) -> SeenItems {
    let mut out = SeenItems::default();
    rest.iter()
        .chain(read)
        .for_each(|(name, content)| out.insert(*name, *content));
    out
}

#[cfg(test)]
mod tests {
    use telex_feed::{Input, sitemap};

    use super::*;

    const INDEX: &str = "https://www.h.test/sitemap.xml";

    /// An index of sitemaps: name and day of July, 0 for none.
    fn index(sitemaps: &[(&str, u32)]) -> Vec<Page> {
        let one = |(name, day): &(&str, u32)| match day {
            0 => format!("<sitemap><loc>https://h.test/{name}</loc></sitemap>"),
            _ => format!(
                "<sitemap><loc>https://h.test/{name}</loc><lastmod>2026-07-{day:02}</lastmod></sitemap>"
            ),
        };
        let text = format!("<sitemapindex>{}", sitemaps.iter().map(one).collect::<String>());
        let input = Input {
            bytes: text.as_bytes(),
            content_type: None,
            url: Some(INDEX),
        };
        match sitemap(&input) {
            Ok(Sitemap::Index(pages)) => pages,
            other => panic!("{other:?}"),
        }
    }

    /// Names of the sitemaps that a poll reads, those that are old with a mark; and what is known after it.
    fn poll(sitemaps: &[(&str, u32)], known: &SeenItems) -> (Vec<String>, SeenItems, bool) {
        let plan = plan(index(sitemaps), known, INDEX);
        let shown = |c: &Child| {
            let name = c.page.url.rsplit('/').next().unwrap_or_default();
            format!("{name}{}", if c.unread { "?" } else { "" })
        };
        let read: Vec<(u64, u64)> = plan.read.iter().map(|c| mark(&c.page, true)).collect();
        let names = plan.read.iter().map(shown).collect();
        (names, remember(&plan.rest, &read), plan.more)
    }

    #[test]
    fn the_changed_ones_are_read_newest_first() {
        let (read, known, more) = poll(&[("a", 1), ("b", 3), ("c", 2), ("b", 3)], &SeenItems::default());
        assert_eq!((read, more), (vec!["b".into(), "c".into(), "a".into()], false));
        let (read, known, more) = poll(&[("a", 1), ("b", 4), ("c", 2), ("d", 5)], &known);
        assert_eq!((read, more), (vec!["d".into(), "b".into()], false));
        let (read, ..) = poll(&[("a", 1), ("b", 4), ("c", 2), ("d", 5)], &known);
        assert!(read.is_empty());
    }

    #[test]
    fn what_an_index_held_at_first_is_old_when_it_is_read_later() {
        let names: Vec<String> = (1..=12).map(|n| format!("s{n}")).collect();
        let mut many: Vec<(&str, u32)> = names.iter().map(String::as_str).zip(1..=12).collect();
        let (read, known, more) = poll(&many, &SeenItems::default());
        assert_eq!((read.len(), more), (10, false));
        assert_eq!(read.first().map(String::as_str), Some("s12"));
        many[0].1 = 20;
        many.push(("s13", 21));
        assert_eq!(poll(&many, &known).0, ["s13", "s1?"]);
    }

    #[test]
    fn those_without_a_date_take_turns() {
        let names: Vec<String> = (0..25).map(|n| format!("s{n}")).collect();
        let many: Vec<(&str, u32)> = names.iter().map(|n| (n.as_str(), 0)).collect();
        let (first, known, more) = poll(&many, &SeenItems::default());
        assert!(more);
        let (second, known, _) = poll(&many, &known);
        let (third, known, _) = poll(&many, &known);
        let turns: Vec<&str> = [&first, &second, &third]
            .into_iter()
            .flatten()
            .map(|n| n.trim_end_matches('?'))
            .collect();
        assert_eq!(
            turns.iter().take(25).collect::<HashSet<_>>().len(),
            25,
            "{turns:?}"
        );
        assert!(second.iter().all(|n| n.ends_with('?')) && first.iter().all(|n| !n.ends_with('?')));
        assert_eq!(known.len(), 25);
        let mut with_new = many.clone();
        with_new.push(("new", 0));
        assert_eq!(poll(&with_new, &known).0.first().map(String::as_str), Some("new"));
    }

    #[test]
    fn other_sites_are_left_alone_and_the_number_is_bounded() {
        let abroad = vec![Page {
            url: "https://other.test/s.xml".to_owned(),
            changed: None,
        }];
        assert!(plan(abroad, &SeenItems::default(), INDEX).read.is_empty());
        let names: Vec<String> = (0..3000).map(|n| format!("s{n}")).collect();
        let many: Vec<(&str, u32)> = names.iter().map(|n| (n.as_str(), 1)).collect();
        assert_eq!(poll(&many, &SeenItems::default()).1.len(), REMEMBERED);
    }
}
