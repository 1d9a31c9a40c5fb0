//! What stands where: newspapers with their articles, changing while the site runs.

use std::{collections::BTreeMap, io};

use jiff::{SignedDuration, Timestamp};

use crate::{
    article::{Article, PageBehaviour},
    content,
    feed::Special,
    paper::{FeedSpec, Paper, Words},
};

/// How old the newest article is when dates are moved to the present.
const NEWEST_AGE: SignedDuration = SignedDuration::from_mins(10);

/// An article that the pipeline must deliver exactly once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Address of its page; feeds may append tracking parameters to it.
    pub url: String,
    /// The headline.
    pub title: String,
    /// Names of the authors.
    pub authors: Vec<String>,
    /// When it was published.
    pub published: Timestamp,
    /// ISO 639-1 code of its language.
    pub language: String,
    /// The topics that it must be tagged with, sorted.
    pub tags: Vec<String>,
    /// The text that must arrive: of the article, or the feed's summary alone.
    pub paragraphs: Vec<String>,
    /// Where the text must come from when pages are fetched only as needed.
    pub delivery: Delivery,
    /// Whether the first request for the page fails, so that it arrives only after a retry.
    pub retried: bool,
    /// Addresses of the feeds that list it.
    pub feeds: Vec<String>,
    /// What makes it hard.
    pub trap: Option<String>,
}

/// Where an article's text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// The article's page.
    Page,
    /// The feed, which carries the whole text.
    FeedText,
    /// The feed's summary, since the page never shows the text.
    Summary,
}

/// Why an article could not be published or edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// No newspaper has this name.
    #[error("no newspaper is called {0}")]
    UnknownPaper(String),
    /// The newspaper has an article of this slug.
    #[error("{0} stands there already")]
    Taken(String),
    /// No article stands at this address.
    #[error("no article stands at {0}")]
    UnknownUrl(String),
}

/// A published article.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) paper: usize,
    pub(crate) slug: String,
    pub(crate) article: Article,
    /// When it last changed, for Last-Modified.
    pub(crate) changed: Timestamp,
}

/// All newspapers with their articles.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) papers: Vec<Paper>,
    pub(crate) words: BTreeMap<String, Words>,
    stories: Vec<Story>,
    /// Scheme, address and port of each newspaper.
    origins: Vec<String>,
}

impl World {
    /// Reads the built-in content; `now` moves all dates so that the newest article is ten minutes old then.
    pub(crate) fn new(now: Option<Timestamp>) -> io::Result<Self> {
        let papers = content::papers()?;
        let mut stories = Vec::new();
        for (index, paper) in papers.iter().enumerate() {
            for (slug, article) in content::articles(&paper.id)? {
                let changed = article.modified.unwrap_or(article.published);
                stories.push(Story {
                    paper: index,
                    slug,
                    article,
                    changed,
                });
            }
        }
        let mut world = Self {
            papers,
            words: content::words()?,
            stories,
            origins: Vec::new(),
        };
        if let Some(now) = now {
            world.move_dates(now);
        }
        Ok(world)
    }

    pub(crate) fn set_port(&mut self, port: u16) {
        self.origins = self
            .papers
            .iter()
            .map(|paper| format!("http://127.0.0.{}:{port}", paper.address))
            .collect();
    }

    fn move_dates(&mut self, now: Timestamp) {
        let Some(newest) = self.stories.iter().map(|story| story.changed).max() else {
            return;
        };
        let shift = now.duration_since(newest) - NEWEST_AGE;
        let shift = SignedDuration::from_secs(shift.as_secs());
        for story in &mut self.stories {
            story.changed += shift;
            story.article.published += shift;
            if let Some(modified) = &mut story.article.modified {
                *modified += shift;
            }
        }
    }

    pub(crate) fn origin(&self, paper: usize) -> &str {
        self.origins.get(paper).map_or("", String::as_str)
    }

    /// Returns the path of a story's page.
    pub(crate) fn path(&self, story: &Story) -> String {
        self.papers.get(story.paper).map_or_else(String::new, |paper| {
            paper.article_path.replace("{slug}", &story.slug)
        })
    }

    /// Returns the address of a story as feeds give it, without tracking parameters.
    pub(crate) fn url(&self, story: &Story) -> String {
        let path = self.path(story);
        let moved = if story.article.page == PageBehaviour::Moved {
            "/go"
        } else {
            ""
        };
        format!("{}{moved}{path}", self.origin(story.paper))
    }

    /// Returns the words for a language, English where there are none.
    pub(crate) fn words_of(&self, language: &str) -> Option<&Words> {
        self.words.get(language).or_else(|| self.words.get("en"))
    }

    /// Returns a newspaper's stories, newest first.
    pub(crate) fn stories_of(&self, paper: usize) -> Vec<&Story> {
        let mut found: Vec<&Story> = self.stories.iter().filter(|story| story.paper == paper).collect();
        found.sort_by(|a, b| {
            b.article
                .published
                .cmp(&a.article.published)
                .then(a.slug.cmp(&b.slug))
        });
        found
    }

    /// Returns the stories that a feed lists, newest first.
    pub(crate) fn stories_in(&self, paper: usize, feed: &FeedSpec) -> Vec<&Story> {
        let mut found = self.stories_of(paper);
        found.retain(|story| feed.lists(&story.article));
        found
    }

    pub(crate) fn story_at(&self, paper: usize, path: &str) -> Option<&Story> {
        self.stories
            .iter()
            .find(|story| story.paper == paper && self.path(story) == path)
    }

    pub(crate) fn publish(
        &mut self,
        paper: &str,
        slug: &str,
        article: Article,
        now: Timestamp,
    ) -> Result<String, PublishError> {
        let index = self
            .papers
            .iter()
            .position(|each| each.id == paper)
            .ok_or_else(|| PublishError::UnknownPaper(paper.to_owned()))?;
        let story = Story {
            paper: index,
            slug: slug.to_owned(),
            article,
            changed: now,
        };
        let url = self.url(&story);
        if self
            .stories
            .iter()
            .any(|each| each.paper == index && each.slug == slug)
        {
            return Err(PublishError::Taken(url));
        }
        self.stories.push(story);
        Ok(url)
    }

    pub(crate) fn edit(
        &mut self,
        url: &str,
        change: impl FnOnce(&mut Article),
        now: Timestamp,
    ) -> Result<(), PublishError> {
        let index = self
            .stories
            .iter()
            .position(|story| self.url(story) == url)
            .ok_or_else(|| PublishError::UnknownUrl(url.to_owned()))?;
        if let Some(story) = self.stories.get_mut(index) {
            change(&mut story.article);
            story.article.modified = Some(now);
            story.changed = now;
        }
        Ok(())
    }

    /// Returns what must come out of the pipeline, by newspaper, newest first.
    pub(crate) fn expected(&self) -> Vec<Expected> {
        let mut out = Vec::new();
        for (index, paper) in self.papers.iter().enumerate() {
            for story in self.stories_of(index) {
                let feeds: Vec<&FeedSpec> = paper
                    .feeds
                    .iter()
                    .filter(|feed| feed.lists(&story.article))
                    .collect();
                if !feeds.is_empty() {
                    out.push(self.expect(story, &feeds));
                }
            }
        }
        out
    }

    fn expect(&self, story: &Story, feeds: &[&FeedSpec]) -> Expected {
        let article = &story.article;
        let delivery = if feeds.iter().any(|feed| feed.special == Special::FullText) {
            Delivery::FeedText
        } else if article.page.shows_text() {
            Delivery::Page
        } else {
            Delivery::Summary
        };
        let paragraphs = match delivery {
            Delivery::Summary => vec![article.summary.clone()],
            Delivery::Page | Delivery::FeedText => article.paragraphs(),
        };
        let origin = self.origin(story.paper);
        Expected {
            url: self.url(story),
            title: article.title.clone(),
            authors: article.authors.clone(),
            published: article.published,
            language: article.language.clone(),
            tags: article.tags.clone(),
            paragraphs,
            delivery,
            retried: delivery == Delivery::Page && article.page == PageBehaviour::Flaky,
            feeds: feeds
                .iter()
                .map(|feed| format!("{origin}{}", feed.path))
                .collect(),
            trap: article.trap.clone(),
        }
    }
}

impl FeedSpec {
    fn lists(&self, article: &Article) -> bool {
        self.language
            .as_ref()
            .is_none_or(|language| *language == article.language)
            && (self.sections.is_empty() || self.sections.contains(&article.section))
    }
}
