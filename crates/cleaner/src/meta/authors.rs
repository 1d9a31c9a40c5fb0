//! Finds who wrote the story.

use super::{Statements, tidy};
use crate::html::Document;

/// More names than this are a list of contributors of the site.
const MAX_AUTHORS: usize = 12;

/// Words before a name in a byline, lower case, each with its space.
const BY: [&str; 14] = [
    "written by ",
    "story by ",
    "by ",
    "von ",
    "par ",
    "por ",
    "di ",
    "door ",
    "av ",
    "af ",
    "text: ",
    "autor: ",
    "author: ",
    "od ",
];

/// Finds the names of the authors, in the page's order.
pub(crate) fn authors(document: &Document<'_>, said: &Statements, site: Option<&str>) -> Vec<String> {
    let mut names = Vec::new();
    for stated in &said.authors {
        add(&mut names, stated, site);
    }
    if names.is_empty() {
        for meta in document.metas.iter().filter(|meta| is_author_name(meta.name)) {
            add(&mut names, meta.value, site);
        }
    }
    if names.is_empty() {
        bylines(document, &mut names, site);
    }
    names
}

fn is_author_name(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "author",
        "article:author",
        "dc.creator",
        "dcterms.creator",
        "parsely-author",
        "sailthru.author",
        "byl",
        "citation_author",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Reads short blocks whose box calls itself the author's.
fn bylines(document: &Document<'_>, names: &mut Vec<String>, site: Option<&str>) {
    for block in &document.blocks {
        let text = document.block_text(block);
        if text.len() > 100 || text.len() < 4 {
            continue;
        }
        let marked = document.path(block.node).take(3).any(|(_, node)| {
            let says = |text: &str| {
                let text = text.to_ascii_lowercase();
                ["byline", "author", "autor"]
                    .iter()
                    .any(|word| text.contains(word))
            };
            node.role.eq_ignore_ascii_case("author") || says(node.class) || says(node.id)
        });
        if marked && text.split_whitespace().count() <= 8 {
            add(names, text, site);
            if !names.is_empty() {
                return;
            }
        }
    }
}

/// Adds the names of a statement: `A, B and C`, `By A`.
fn add(names: &mut Vec<String>, stated: &str, site: Option<&str>) {
    let tidied = tidy(stated);
    if tidied.contains("://") {
        return;
    }
    let lower = tidied.to_lowercase();
    let by = BY
        .iter()
        .find(|by| lower.starts_with(*by))
        .map_or(0, |by| by.len());
    let list = tidied.get(by..).unwrap_or(&tidied);
    for part in list
        .split([',', ';', '|', '/', '&', '\n'])
        .flat_map(|part| part.split(" and "))
        .flat_map(|part| part.split(" und "))
    {
        if names.len() >= MAX_AUTHORS {
            return;
        }
        let name = part
            .trim()
            .trim_matches(|c: char| !c.is_alphanumeric() && c != '.' && c != ')');
        if is_name(name)
            && site.is_none_or(|site| !site.eq_ignore_ascii_case(name))
            && !names.iter().any(|known| known.eq_ignore_ascii_case(name))
        {
            names.push(name.to_owned());
        }
    }
}

/// Tells whether a text can be a name: not an address, not a sentence.
fn is_name(text: &str) -> bool {
    let words = text.split_whitespace().count();
    (1..=6).contains(&words)
        && (2..=60).contains(&text.chars().count())
        && text.chars().any(char::is_alphabetic)
        && !text.contains('@')
        && !text.contains("www.")
        && text.chars().filter(char::is_ascii_digit).count() < 3
}

#[cfg(test)]
mod tests {
    use super::{Statements, authors};
    use crate::html::read;

    #[test]
    fn splits_lists_and_drops_addresses_and_the_site() {
        let said = Statements {
            authors: [
                "By Ada Long and Bo Ek",
                "https://bell.example/ada",
                "The Bell",
                "Ada Long",
            ]
            .map(str::to_owned)
            .to_vec(),
            ..Statements::default()
        };
        assert_eq!(authors(&read(""), &said, Some("The Bell")), ["Ada Long", "Bo Ek"]);
    }

    #[test]
    fn reads_a_byline() {
        let page = read("<div class='article-byline'>Von <a href=/x>Ada Long</a></div><p>Text</p>");
        assert_eq!(authors(&page, &Statements::default(), None), ["Ada Long"]);
    }
}
