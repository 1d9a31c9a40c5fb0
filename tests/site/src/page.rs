//! Pages: the article amid everything that a newspaper puts around it.

use jiff::tz::TimeZone;
use minijinja::{AutoEscape, Environment, value::Serde};
use serde::Serialize;
use serde_json::json;

use crate::{
    article::Block,
    content,
    feed::escape,
    paper::{Paper, Words},
    world::{Story, World},
};

/// Stories in the box of related articles.
const RELATED: usize = 4;
/// Stories in the box of most read articles.
const MOST_READ: usize = 8;

/// The templates, compiled.
#[derive(Debug)]
pub(crate) struct Renderer(Environment<'static>);

impl Renderer {
    /// Compiles the built-in templates.
    pub(crate) fn new() -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        // The default writes `&#x2f;` for each slash of a link, which no newspaper does.
        environment.set_formatter(|out, state, value| match (state.auto_escape(), value.as_str()) {
            (AutoEscape::Html, Some(text)) if !value.is_safe() => {
                out.write_str(&escape(text)).map_err(Into::into)
            }
            _ => minijinja::escape_formatter(out, state, value),
        });
        for (name, source) in content::templates() {
            environment.add_template(name, source)?;
        }
        Ok(Self(environment))
    }

    pub(crate) fn render(&self, template: &str, view: &impl Serialize) -> Result<String, minijinja::Error> {
        self.0.get_template(template)?.render(Serde(view))
    }

    /// Renders a page of a newspaper: an article, its front page or a message.
    pub(crate) fn page(
        &self,
        world: &World,
        paper: usize,
        content: Content<'_>,
    ) -> Result<String, minijinja::Error> {
        let Some((newspaper, view)) = View::new(world, paper, content) else {
            return Err(minijinja::ErrorKind::TemplateNotFound.into());
        };
        self.render(&newspaper.template, &view)
    }
}

/// What a page shows in its middle.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    /// An article.
    Article(&'a Story),
    /// The list of all articles.
    Front,
    /// The answer to a wrong address.
    NotFound,
    /// The question whether readers may be followed, instead of the story.
    Consent(&'a Story),
}

#[derive(Serialize)]
struct View<'a> {
    kind: &'static str,
    language: &'a str,
    paper: PaperView<'a>,
    words: &'a Words,
    title: &'a str,
    message: &'a str,
    article: Option<ArticleView<'a>>,
    recent: Vec<Link<'a>>,
    related: Vec<Link<'a>>,
    most_read: Vec<Link<'a>>,
    json_ld: String,
    state: String,
}

#[derive(Serialize)]
struct PaperView<'a> {
    name: &'a str,
    tagline: &'a str,
    charset: &'a str,
    origin: &'a str,
    footer: &'a [String],
    feed: &'a str,
}

#[derive(Serialize)]
struct ArticleView<'a> {
    title: &'a str,
    authors: &'a [String],
    section: &'a str,
    summary: &'a str,
    published: String,
    published_words: String,
    modified: Option<String>,
    modified_words: Option<String>,
    url: String,
    slug: &'a str,
    blocks: &'a [Block],
}

#[derive(Clone, Serialize)]
struct Link<'a> {
    title: &'a str,
    href: String,
    section: &'a str,
    teaser: &'a str,
    time: String,
}

impl<'a> View<'a> {
    fn new(world: &'a World, paper: usize, content: Content<'a>) -> Option<(&'a Paper, Self)> {
        let newspaper = world.papers.get(paper)?;
        let story = match content {
            Content::Article(story) | Content::Consent(story) => Some(story),
            Content::Front | Content::NotFound => None,
        };
        let language = story.map_or(newspaper.language.as_str(), |story| {
            story.article.language.as_str()
        });
        let words = world.words_of(language)?;
        let recent = recent(world, paper, words, story);
        let related = turned(&recent, story, RELATED);
        let most_read = turned(&related_last(&recent), story, MOST_READ);
        let (kind, message) = match content {
            Content::Article(_) => ("article", ""),
            Content::Front => ("front", newspaper.tagline.as_str()),
            Content::NotFound => ("message", words.not_found.as_str()),
            Content::Consent(_) => ("message", words.cookie_text.as_str()),
        };
        let title = match content {
            Content::Article(story) => story.article.title.as_str(),
            Content::Front => newspaper.name.as_str(),
            Content::NotFound => words.not_found.as_str(),
            Content::Consent(_) => words.cookie_title.as_str(),
        };
        let article = match content {
            Content::Article(story) => Some(article_view(world, story, words)),
            _ => None,
        };
        let json_ld = article
            .as_ref()
            .map(|article| json_ld(newspaper, article))
            .unwrap_or_default();
        let state = script_json(&json!({
            "navigation": words.navigation, "stream": recent, "slots": words.adverts,
            "consent": words.cookie_text, "labels": words.imprint,
        }));
        let paper = PaperView {
            name: &newspaper.name,
            tagline: &newspaper.tagline,
            charset: &newspaper.charset,
            origin: world.origin(paper),
            footer: &newspaper.footer,
            feed: newspaper.feeds.first().map_or("", |feed| feed.path.as_str()),
        };
        let view = Self {
            kind,
            language,
            paper,
            words,
            title,
            message,
            article,
            recent,
            related,
            most_read,
            json_ld,
            state,
        };
        Some((newspaper, view))
    }
}

fn article_view<'a>(world: &World, story: &'a Story, words: &Words) -> ArticleView<'a> {
    let article = &story.article;
    let written = |at: jiff::Timestamp| {
        at.to_zoned(TimeZone::UTC)
            .strftime(&words.date_format)
            .to_string()
    };
    ArticleView {
        title: &article.title,
        authors: &article.authors,
        section: &article.section,
        summary: &article.summary,
        published: article.published.to_string(),
        published_words: written(article.published),
        modified: article.modified.map(|at| at.to_string()),
        modified_words: article.modified.map(written),
        url: format!("{}{}", world.origin(story.paper), world.path(story)),
        slug: &story.slug,
        blocks: &article.body,
    }
}

/// Returns links to the newspaper's other stories, then to stories that do not exist.
fn recent<'a>(world: &'a World, paper: usize, words: &'a Words, shown: Option<&Story>) -> Vec<Link<'a>> {
    let real = world
        .stories_of(paper)
        .into_iter()
        .filter(|story| shown.is_none_or(|shown| shown.slug != story.slug))
        .map(|story| Link {
            title: &story.article.title,
            href: world.path(story),
            section: &story.article.section,
            teaser: &story.article.summary,
            time: story.article.published.strftime("%H:%M").to_string(),
        });
    let sections = words.navigation.iter().cycle();
    let made_up = words
        .headlines
        .iter()
        .zip(sections)
        .enumerate()
        .map(|(number, (title, section))| Link {
            title,
            href: format!("/archive/{number}"),
            section: &section.name,
            teaser: section.entries.first().map_or("", String::as_str),
            time: format!("{:02}:{:02}", 23 - number % 18, (number * 37) % 60),
        });
    real.chain(made_up).collect()
}

/// Takes some links, beginning at a place that depends on the story shown.
fn turned<'a>(links: &[Link<'a>], shown: Option<&Story>, count: usize) -> Vec<Link<'a>> {
    let start = shown.map_or(0, |story| story.slug.bytes().map(usize::from).sum::<usize>());
    links
        .iter()
        .cycle()
        .skip(start % links.len().max(1))
        .take(count.min(links.len()))
        .cloned()
        .collect()
}

fn related_last<'a>(links: &[Link<'a>]) -> Vec<Link<'a>> {
    links.iter().rev().cloned().collect()
}

fn json_ld(paper: &Paper, article: &ArticleView<'_>) -> String {
    let authors: Vec<_> = article
        .authors
        .iter()
        .map(|name| json!({ "@type": "Person", "name": name }))
        .collect();
    script_json(&json!({
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": article.title,
        "description": article.summary,
        "datePublished": article.published,
        "dateModified": article.modified.as_ref().unwrap_or(&article.published),
        "author": authors,
        "articleSection": article.section,
        "mainEntityOfPage": article.url,
        "publisher": { "@type": "NewsMediaOrganization", "name": paper.name },
    }))
}

/// Writes JSON so that it cannot end the script element around it.
fn script_json(value: &serde_json::Value) -> String {
    value.to_string().replace("</", "<\\/")
}
