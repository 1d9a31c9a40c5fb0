//! News that keep coming: articles published while a campaign runs.

use std::collections::BTreeMap;
use std::time::Instant;

use telex_site::Article;

use crate::world::{World, canonical};

use super::campaign::Random;

/// Newspapers that list every article in one feed: name, path of the feed, language.
const PAPERS: [(&str, &str, &str); 5] = [
    ("courier", "/rss/all.xml", "en"),
    ("golfo", "/atom", "it"),
    ("rives", "/feed.json", "fr"),
    ("sierra", "/rss/portada", "es"),
    ("ohliadach", "/feed.xml", "uk"),
];

/// An article of the campaign.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) title: String,
    pub(crate) at: Instant,
}

pub(crate) struct Newsroom<'a> {
    world: &'a World,
    feeds: Vec<(&'static str, &'static str, String)>,
    /// By canonical address.
    pub(crate) published: BTreeMap<String, Published>,
}

impl<'a> Newsroom<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        let url = |path: &str| {
            let feeds = world.site.feeds();
            feeds.iter().find(|f| f.url.ends_with(path)).unwrap().url.clone()
        };
        let feeds = PAPERS
            .iter()
            .map(|(paper, path, language)| (*paper, *language, url(path)))
            .collect();
        Self {
            world,
            feeds,
            published: BTreeMap::new(),
        }
    }

    pub(crate) fn feeds(&self) -> Vec<&str> {
        self.feeds.iter().map(|(_, _, url)| url.as_str()).collect()
    }

    /// Addresses of the articles that the world's own feeds list, by canonical form.
    pub(crate) fn expected(&self) -> Vec<String> {
        let ours = self.feeds();
        let listed = |e: &telex_site::Expected| e.feeds.iter().any(|f| ours.contains(&f.as_str()));
        let expected = self.world.site.expected();
        expected
            .iter()
            .filter(|e| listed(e))
            .map(|e| canonical(&e.url))
            .collect()
    }

    /// Publishes one to four articles; gives the feeds that list them. None is edited: a revision waits for ten minutes.
    pub(crate) fn work(&mut self, random: &mut Random) -> Vec<String> {
        let mut changed = Vec::new();
        for _ in 0..=random.below(4) {
            let (paper, language, feed) = &self.feeds[random.below(self.feeds.len())];
            let number = self.published.len();
            let title = format!("Bulletin {number}");
            let slug = format!("bulletin-{number}");
            let article = article(&title, language, number);
            let url = self.world.site.publish(paper, &slug, article).unwrap();
            let at = Instant::now();
            let published = Published { title, at };
            self.published.insert(canonical(&url), published);
            changed.push(feed.clone());
        }
        changed.sort();
        changed.dedup();
        changed
    }
}

fn article(title: &str, language: &str, number: usize) -> Article {
    let sentence = |i: usize| {
        format!(
            "In paragraph {i} of bulletin {number} the harbour office counts {} boats, {} nets and {} crates of fish.",
            number * 7 + i,
            number * 11 + 3 * i,
            number * 13 + 5 * i
        )
    };
    let body: Vec<String> = (1..=6)
        .map(|i| format!("{} {}", sentence(i), sentence(i + 10)))
        .collect();
    Article::parse(&format!(
        "title = '{title}'\nauthors = []\npublished = '2026-11-21T08:00:00Z'\nlanguage = '{language}'\n\
         section = 'Harbour'\ntags = []\nsummary = 'What bulletin {number} counts.'\nbody = '''\n{}'''",
        body.join("\n\n")
    ))
    .unwrap()
}
