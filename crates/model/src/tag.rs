//! What the cleaner and the classifier say of an article.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tells what a page turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One story with its text.
    #[default]
    Article,
    /// A page that lists stories: a front page, a section, a search result.
    Listing,
    /// The free beginning of a story that is sold.
    Paywall,
    /// A page that asks for consent instead of showing the story.
    Consent,
    /// A page that says that there is no page, or a challenge for robots.
    Error,
    /// No page: the feed's own summary stands in for it.
    Summary,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Article,
        Self::Listing,
        Self::Paywall,
        Self::Consent,
        Self::Error,
        Self::Summary,
    ];

    /// The kind's name in messages and labels.
    ///
    /// ```
    /// assert_eq!(telex_model::Kind::Paywall.name(), "paywall");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Article => "article",
            Self::Listing => "listing",
            Self::Paywall => "paywall",
            Self::Consent => "consent",
            Self::Error => "error",
            Self::Summary => "summary",
        }
    }
}

/// One tag of an article, with the words that speak for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tag {
    /// Name of the topic, as in `telex.tagged.<topic>.v1`.
    pub topic: String,
    /// How sure the classifier is, 0 to 1.
    pub score: f64,
    /// The words that speak for the tag, heaviest first, at most 20.
    pub evidence: Vec<Evidence>,
}

/// One place in the article that speaks for a tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What the words stand for: a concept's id.
    pub term: String,
    /// The part of the article that holds the words.
    #[serde(rename = "where")]
    pub place: Where,
    /// First code point of the words, counted from 0 in that part.
    pub start: usize,
    /// Code point after the last one of the words.
    pub end: usize,
    /// What the words add to the score, in the classifier's own scale; negative speaks against the tag.
    pub weight: f64,
}

/// A part of an article.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Where {
    /// The headline.
    Title,
    /// The body.
    Text,
}

/// A named thing that an article speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Concept {
    /// Stable id, as in the topic files.
    pub id: String,
    /// What sort of thing it is.
    pub kind: ConceptKind,
    /// Its name in English.
    pub name: String,
    /// How often the article names it, title and text together.
    pub count: u32,
}

/// The sorts of things that topic files name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConceptKind {
    /// A state.
    Country,
    /// A town, a region, a river.
    Place,
    /// An alliance, a ministry, a company, a court.
    Institution,
    /// A person, most often in office.
    Person,
    /// A war, a summit, a vote.
    Event,
    /// A treaty, a resolution, a plan.
    Document,
    /// A means of policy: sanctions, a mission, a fund.
    Instrument,
    /// A word that belongs to a topic and is none of the above.
    Theme,
}
