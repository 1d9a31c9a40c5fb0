//! Reads the JSON-LD of a page for what it says of the article.

use serde_json::Value;

/// Objects visited on a page at most: real pages have fewer than 2,000.
const MAX_OBJECTS: usize = 20_000;

/// Types of schema.org whose objects describe a story; names that end in one of these count too.
const STORY_TYPES: [&str; 6] = [
    "Article",
    "BlogPosting",
    "Posting",
    "Report",
    "LiveBlogPosting",
    "Recipe",
];

/// Parts of the names of types that news sites use.
const NEWS_TYPES: [&str; 3] = ["News", "LiveBlog", "Report"];

/// What JSON-LD says of the article; everything may be wrong.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Statements {
    /// `headline`, else `name`.
    pub(crate) headline: Option<String>,
    /// `articleBody`, without the markup that it may hold.
    pub(crate) body: Option<String>,
    /// `description`, most often the story's lead.
    pub(crate) description: Option<String>,
    /// `datePublished`.
    pub(crate) published: Option<String>,
    /// `dateModified`.
    pub(crate) modified: Option<String>,
    /// Names of `author`.
    pub(crate) authors: Vec<String>,
    /// Name of `publisher`.
    pub(crate) publisher: Option<String>,
    /// `image`.
    pub(crate) image: Option<String>,
    /// `inLanguage`.
    pub(crate) language: Option<String>,
    /// Whether an object of a story's type was found.
    pub(crate) is_story: bool,
    /// Whether that type was one of news.
    pub(crate) is_news: bool,
    /// Whether an object said `isAccessibleForFree: false`.
    pub(crate) is_sold: bool,
}

/// Reads all scripts; the first story found is taken.
pub(crate) fn statements(scripts: &[&str]) -> Statements {
    let mut found = Statements::default();
    let mut budget = MAX_OBJECTS;
    for script in scripts.iter().filter(|script| says_something(script)) {
        if let Some(value) = parse(script) {
            visit(&value, &mut found, &mut budget);
        }
    }
    found.body = found.body.as_deref().map(crate::fragment_text);
    found
}

/// Tells whether a script may hold what is read here; breadcrumbs and the like need not be parsed.
fn says_something(script: &str) -> bool {
    ["rticle", "osting", "eport", "WebPage", "WebSite", "Recipe"]
        .iter()
        .any(|word| memchr::memmem::find(script.as_bytes(), word.as_bytes()).is_some())
}

/// Parses a script as pages have it: in comments, with a semicolon, with raw line breaks inside strings.
fn parse(script: &str) -> Option<Value> {
    let start = script.find(['{', '['])?;
    let end = script.rfind(['}', ']'])?;
    let json = script.get(start..=end)?;
    if let Ok(value) = serde_json::from_str(json) {
        return Some(value);
    }
    let spaced: String = json
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    serde_json::from_str(&spaced).ok()
}

/// Looks through a value for stories. serde_json bounds the depth at 128.
fn visit(value: &Value, found: &mut Statements, budget: &mut usize) {
    match value {
        Value::Array(items) => {
            for item in items {
                visit(item, found, budget);
            }
        }
        Value::Object(object) if *budget > 0 => {
            *budget -= 1;
            let kind = object.get("@type");
            if is_story(kind) {
                take_story(value, found);
                found.is_news |= names(kind).any(|name| NEWS_TYPES.iter().any(|news| name.contains(news)));
            } else if is_type(kind, &["WebPage", "WebSite", "Organization"]) {
                take_page(value, kind, found);
            }
            for key in [
                "@graph",
                "mainEntity",
                "mainEntityOfPage",
                "hasPart",
                "itemListElement",
                "item",
            ] {
                if let Some(inner) = object.get(key) {
                    visit(inner, found, budget);
                }
            }
        }
        _ => {}
    }
}

fn names(kind: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, many) = match kind {
        Some(Value::String(name)) => (Some(name.as_str()), None),
        Some(Value::Array(list)) => (None, Some(list)),
        _ => (None, None),
    };
    one.into_iter()
        .chain(many.into_iter().flatten().filter_map(Value::as_str))
}

fn is_story(kind: Option<&Value>) -> bool {
    names(kind).any(|name| STORY_TYPES.iter().any(|story| name.ends_with(story)))
}

fn is_type(kind: Option<&Value>, types: &[&str]) -> bool {
    names(kind).any(|name| types.contains(&name))
}

fn take_story(value: &Value, found: &mut Statements) {
    // The first story is the page's; later ones are most often teasers. A later one may still bring the text.
    let body = text(value.get("articleBody"));
    if body.as_ref().map_or(0, String::len) > found.body.as_ref().map_or(0, String::len) {
        found.body = body;
    }
    found.is_sold |= matches!(value.get("isAccessibleForFree"), Some(Value::Bool(false)))
        || value
            .get("isAccessibleForFree")
            .and_then(Value::as_str)
            .is_some_and(|v| v.eq_ignore_ascii_case("false"));
    if found.is_story {
        return;
    }
    found.is_story = true;
    found.headline = text(value.get("headline"))
        .or_else(|| text(value.get("name")))
        .or(found.headline.take());
    found.description = text(value.get("description"));
    found.published = text(value.get("datePublished"))
        .or_else(|| text(value.get("dateCreated")))
        .or(found.published.take());
    found.modified = text(value.get("dateModified")).or(found.modified.take());
    people(
        value.get("author").or_else(|| value.get("creator")),
        &mut found.authors,
        0,
    );
    found.publisher = name(value.get("publisher")).or(found.publisher.take());
    found.image = address(value.get("image")).or(found.image.take());
    found.language = text(value.get("inLanguage")).or(found.language.take());
}

/// Takes dates of the page itself, which blogs state there and not on the article.
fn take_page(value: &Value, kind: Option<&Value>, found: &mut Statements) {
    if is_type(kind, &["WebPage"]) {
        found.published = found
            .published
            .take()
            .or_else(|| text(value.get("datePublished")));
        found.modified = found.modified.take().or_else(|| text(value.get("dateModified")));
    } else if is_type(kind, &["WebSite"]) {
        found.publisher = found.publisher.take().or_else(|| text(value.get("name")));
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Array(items) => text(items.first()),
        Value::Object(object) => text(object.get("@value")),
        _ => None,
    }
}

fn name(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Object(object) => text(object.get("name")),
        Value::Array(items) => name(items.first()),
        other => text(Some(other)),
    }
}

fn address(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Object(object) => text(object.get("url")).or_else(|| text(object.get("@id"))),
        Value::Array(items) => address(items.first()),
        other => text(Some(other)),
    }
}

fn people(value: Option<&Value>, into: &mut Vec<String>, depth: u8) {
    match value {
        Some(Value::String(name)) => into.push(name.clone()),
        Some(Value::Object(object)) => match object.get("name") {
            Some(Value::String(name)) => into.push(name.clone()),
            inner if depth < 3 => people(inner, into, depth + 1),
            _ => {}
        },
        Some(Value::Array(items)) if depth < 3 => {
            for item in items.iter().take(50) {
                people(Some(item), into, depth + 1);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn reads_a_story_in_a_graph() {
        let script = r#"{"@graph":[{"@type":"WebSite","name":"The Bell"},{"@type":["NewsArticle"],"headline":"Ferry
            found","datePublished":"2026-03-01T10:00:00Z","author":[{"@type":"Person","name":"Ada Long"},"Bo Ek"],
            "publisher":{"name":"The Bell"},"image":[{"url":"https://bell.example/a.jpg"}],"isAccessibleForFree":"False"}]}"#;
        let found = statements(&[script]);
        assert_eq!(found.authors, ["Ada Long", "Bo Ek"]);
        assert_eq!(found.published.as_deref(), Some("2026-03-01T10:00:00Z"));
        assert_eq!(found.image.as_deref(), Some("https://bell.example/a.jpg"));
        assert_eq!(found.publisher.as_deref(), Some("The Bell"));
        assert!(found.is_story && found.is_sold);
        assert!(
            found.headline.is_some_and(|line| line.starts_with("Ferry")),
            "a raw line break in a string is mended"
        );
    }

    #[test]
    fn survives_what_is_no_json() {
        assert_eq!(
            statements(&["", "{", "]{", "{\"a\":}", &"[".repeat(100_000)]),
            super::Statements::default()
        );
    }
}
