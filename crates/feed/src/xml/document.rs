//! What is known of the feed as a whole, and how fields become its values.

use std::time::Duration;

use url::Url;

use crate::{
    Feed, Format, Hints, MAX_ENTRIES, Repair,
    builder::{EntryBuilder, MAX_FIELD, Names, Ranked, cut},
    date, link,
    names::{Meaning, Vocabulary, lower, split},
    reference::References,
    token::{Damage, Tag},
};

use super::{
    Walker,
    capture::Capture,
    scope::{Scope, Scopes},
};

/// The feed under construction.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) format: Option<Format>,
    /// Local name of the first element, in lower case.
    pub(super) first_element: Option<String>,
    title: Ranked<String>,
    link: Ranked<String>,
    language: Ranked<String>,
    authors: Names,
    hints: Hints,
    period: Option<Duration>,
    frequency: Option<u32>,
    entries: Vec<EntryBuilder>,
    repairs: Vec<Repair>,
    pub(super) leading_junk: bool,
    pub(super) mismatched: bool,
    pub(super) too_deep: bool,
    pub(super) root_ended: bool,
    missing_root: bool,
    html_seen: bool,
}

impl Document {
    /// Notes the format that an element shows; returns whether it is the root of a feed, or an entry without one.
    pub(super) fn root(&mut self, tag: Tag<'_>, local: &str, vocabulary: Vocabulary) -> bool {
        if self.first_element.is_none() {
            self.first_element = Some(local.chars().take(64).collect());
        } else {
            self.leading_junk = true;
        }
        self.html_seen |= matches!(local, "html" | "head" | "body");
        let draft = tag.attributes().any(|(name, value)| {
            name == "version" && value.trim().starts_with("0.")
                || name.starts_with("xmlns")
                    && ["purl.org/atom", "purl.org/echo", "purl.org/pie"]
                        .iter()
                        .any(|old| value.contains(old))
        });
        let upper = tag.name.bytes().any(|byte| byte.is_ascii_uppercase());
        let format = match local {
            "rss" => Format::Rss,
            "feed" if draft => Format::AtomDraft,
            "feed" if !self.html_seen || vocabulary == Vocabulary::Atom => Format::Atom,
            "rdf" if vocabulary == Vocabulary::Rdf || split(tag.name).0.is_empty() => Format::Rdf,
            "channel" if self.html_seen => return false,
            "channel" if upper => Format::Cdf,
            "channel" | "redirect" => Format::Rss,
            "urlset" => Format::NewsSitemap,
            "item" | "entry" if !self.html_seen => {
                self.missing_root = true;
                if local == "item" {
                    Format::Rss
                } else {
                    Format::Atom
                }
            }
            _ => return false,
        };
        self.format = Some(format);
        true
    }

    /// Takes what the root element's attributes say.
    pub(super) fn root_attribute(&mut self, name: &str, value: &str, base: Option<&Url>) {
        match lower(name).as_ref() {
            "xml:lang" => self.language.offer(1, cut(value.trim(), 64).to_owned()),
            "href" => {
                if let Some(link) = link::absolute(base, value) {
                    self.link.offer(0, link);
                }
            }
            _ => {}
        }
    }

    /// Returns the meaning of a name that means something else in this format.
    pub(super) fn in_format(&self, meaning: Meaning, local: &str) -> Meaning {
        let sitemap = self.format == Some(Format::NewsSitemap);
        match local {
            "url" | "loc" if !sitemap => Meaning::Group,
            "a" if self.format != Some(Format::Cdf) => Meaning::Group,
            _ => meaning,
        }
    }

    /// Adds an entry.
    pub(super) fn entry(&mut self, entry: EntryBuilder) {
        if self.format == Some(Format::NewsSitemap) && !entry.news {
            return;
        }
        self.entries.push(entry);
        if self.is_full() {
            self.repair(Repair::TooManyEntries);
        }
    }

    /// Returns whether there are as many entries as are taken.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MAX_ENTRIES
    }

    fn repair(&mut self, repair: Repair) {
        if !self.repairs.contains(&repair) {
            self.repairs.push(repair);
        }
    }

    /// Lists what was wrong with the document.
    pub(super) fn note(
        &mut self,
        damage: &Damage,
        references: &References<'_>,
        scopes: &Scopes<'_>,
        unfinished: bool,
    ) {
        let found = [
            (self.leading_junk, Repair::LeadingJunk),
            (self.missing_root, Repair::MissingRoot),
            (references.dangling, Repair::BareAmpersand),
            (damage.bare_lt, Repair::BareLessThan),
            (damage.unclosed_markup, Repair::UnclosedMarkup),
            (self.mismatched, Repair::MismatchedTags),
            (
                !self.is_full() && (damage.truncated || unfinished || !self.root_ended && !self.missing_root),
                Repair::Truncated,
            ),
            (scopes.undeclared, Repair::UndeclaredPrefix),
            (self.too_deep, Repair::TooDeep),
        ];
        for (_, repair) in found.into_iter().filter(|(found, _)| *found) {
            self.repair(repair);
        }
    }

    /// Returns the feed, where this is one.
    pub(super) fn build(self) -> Option<Feed> {
        let mut feed = Feed::empty(self.format?);
        let atom = matches!(feed.format, Format::Atom | Format::AtomDraft);
        let authors = if atom {
            self.authors.inherited()
        } else {
            Vec::new()
        };
        feed.entries = self
            .entries
            .into_iter()
            .filter_map(|entry| entry.build(&authors))
            .collect();
        feed.title = self.title.take();
        feed.link = self.link.take();
        feed.language = self.language.take();
        feed.hints = self.hints;
        feed.hints.update_period = self
            .period
            .map(|period| period / self.frequency.unwrap_or(1).max(1));
        feed.repairs = self.repairs;
        let nothing = feed.entries.is_empty();
        let sitemap = feed.format == Format::NewsSitemap;
        // Without a root, or in a page of HTML, only entries make a feed.
        (!(nothing && (self.missing_root || self.html_seen || sitemap))).then_some(feed)
    }
}

impl<'a> Walker<'a> {
    /// Puts a finished field where it belongs.
    pub(super) fn take_field(&mut self, capture: Capture<'a>, base: Option<&Url>) {
        let meaning = capture.meaning;
        if capture.cut {
            self.document.repair(Repair::FieldTooLong);
        }
        if let Meaning::Author(_) | Meaning::Contributor = meaning {
            let person = capture.into_person();
            return self.take_person(meaning, &person);
        }
        let local = capture.local.clone();
        let term = capture.scope.term.clone();
        let not_permalink = capture.scope.not_permalink;
        let mut text = capture.into_text();
        if meaning == Meaning::Category {
            return self.offer_category(Some(term.as_deref().unwrap_or(&text)));
        }
        if text.is_empty() {
            return;
        }
        if text.len() > MAX_FIELD && !matches!(meaning, Meaning::Summary(_) | Meaning::Content(_)) {
            text = cut(&text, MAX_FIELD).to_owned();
            self.document.repair(Repair::FieldTooLong);
        }
        match &mut self.entry {
            Some(_) => self.take_entry_field(meaning, &local, text, base, not_permalink),
            None => self.take_feed_field(meaning, text, base),
        }
    }

    fn take_entry_field(
        &mut self,
        meaning: Meaning,
        local: &str,
        text: String,
        base: Option<&Url>,
        not_permalink: bool,
    ) {
        let Some(entry) = &mut self.entry else { return };
        match meaning {
            Meaning::Title(rank) => entry.title.offer(rank, text),
            Meaning::Link => entry.link.offer(0, link::absolute(base, &text).unwrap_or(text)),
            Meaning::LinkText(rank) => entry
                .link
                .offer(rank, link::absolute(base, &text).unwrap_or(text)),
            Meaning::Id(rank) => {
                if !not_permalink && link::is_web_address(&text) {
                    entry.link.offer(3, text.clone());
                }
                entry.id.offer(rank, text);
            }
            Meaning::Published(rank) | Meaning::Updated(rank) => match date::parse_date(&text) {
                Some(at) if matches!(meaning, Meaning::Published(_)) => entry.published.replace(rank, at),
                Some(at) => entry.updated.replace(rank, at),
                None => self.document.repair(Repair::UnreadableDate),
            },
            Meaning::Summary(rank) => entry.summary(rank, local, text),
            Meaning::Content(rank) => entry.content.offer(rank, text),
            Meaning::Language => entry.language.offer(0, cut(&text, 64).to_owned()),
            _ => {}
        }
    }

    fn take_feed_field(&mut self, meaning: Meaning, text: String, base: Option<&Url>) {
        let document = &mut self.document;
        match meaning {
            Meaning::Title(rank) => document.title.offer(rank, text),
            Meaning::Link => document
                .link
                .offer(0, link::absolute(base, &text).unwrap_or(text)),
            Meaning::Language => document.language.offer(0, cut(&text, 64).to_owned()),
            Meaning::Ttl => {
                document.hints.ttl = text
                    .parse::<u32>()
                    .ok()
                    .map(|minutes| Duration::from_secs(60 * u64::from(minutes)))
            }
            Meaning::UpdatePeriod => document.period = period(&text),
            Meaning::UpdateFrequency => document.frequency = text.parse().ok(),
            // 24 is what some write for midnight.
            Meaning::SkipHour => {
                document.hints.skip_hours |= text
                    .parse::<u32>()
                    .ok()
                    .filter(|hour| *hour <= 24)
                    .map_or(0, |hour| 1 << (hour % 24));
            }
            Meaning::SkipDay => {
                const DAYS: [&str; 7] = [
                    "monday",
                    "tuesday",
                    "wednesday",
                    "thursday",
                    "friday",
                    "saturday",
                    "sunday",
                ];
                let day = DAYS.iter().position(|day| text.eq_ignore_ascii_case(day));
                document.hints.skip_days |= day.map_or(0, |day| 1 << day);
            }
            Meaning::NewLocation => document.hints.new_location = link::absolute(base, &text),
            _ => {}
        }
    }

    fn take_person(&mut self, meaning: Meaning, person: &str) {
        let Some(entry) = &mut self.entry else {
            if meaning == Meaning::Author(0) {
                self.document.authors.add(person);
            }
            return;
        };
        match meaning {
            Meaning::Author(0 | 1) => entry.authors.add(person),
            // Podcasts name the author a second time.
            Meaning::Author(_) if entry.authors.0.is_empty() => entry.authors.add(person),
            _ => {}
        }
    }

    /// Takes a category.
    pub(super) fn offer_category(&mut self, category: Option<&str>) {
        if let (Some(entry), Some(category)) = (&mut self.entry, category) {
            entry.categories.add(category);
        }
    }

    /// Takes a link that is an attribute.
    pub(super) fn offer_link(&mut self, scope: &Scope) {
        let href = scope
            .href
            .as_deref()
            .and_then(|href| link::absolute(self.scopes.base(), href));
        let Some(href) = href else { return };
        let rel = scope
            .rel
            .as_deref()
            .map_or("alternate", str::trim)
            .to_ascii_lowercase();
        let page = scope
            .media_type
            .as_deref()
            .is_none_or(|media_type| media_type.contains("html"));
        let rank = if page { 0 } else { 1 };
        match (rel.as_str(), &mut self.entry) {
            ("alternate" | "", Some(entry)) => entry.link.offer(rank, href),
            ("alternate" | "", None) => self.document.link.offer(rank, href),
            ("hub", None) => self.document.hints.hub = self.document.hints.hub.take().or(Some(href)),
            ("self", None) => {
                self.document.hints.self_link = self.document.hints.self_link.take().or(Some(href))
            }
            _ => {}
        }
    }
}

/// Returns the length of an `sy:updatePeriod`.
fn period(text: &str) -> Option<Duration> {
    const DAY: u64 = 24 * 60 * 60;
    Some(Duration::from_secs(match text.to_ascii_lowercase().as_str() {
        "hourly" => 60 * 60,
        "daily" => DAY,
        "weekly" => 7 * DAY,
        "monthly" => 30 * DAY,
        "yearly" => 365 * DAY,
        _ => return None,
    }))
}
