//! What attributes put in force for the elements inside: namespaces and base addresses.

use url::Url;

use crate::{
    link,
    names::{Vocabulary, lower},
    reference::References,
    token::Tag,
};

/// Most namespace declarations in force at once; beyond, prefixes mean what they usually mean.
const MAX_BINDINGS: usize = 256;

/// A namespace declaration.
#[derive(Debug)]
struct Binding<'a> {
    depth: usize,
    prefix: &'a str,
    vocabulary: Vocabulary,
}

/// The declarations in force.
#[derive(Debug)]
pub(super) struct Scopes<'a> {
    bindings: Vec<Binding<'a>>,
    bases: Vec<(usize, Option<Url>)>,
    /// Vocabulary of names without a prefix.
    default: Vocabulary,
    /// The root's prefix, which stands for the feed format whatever it is bound to.
    root_prefix: &'a str,
    pub(super) undeclared: bool,
}

impl<'a> Scopes<'a> {
    pub(super) fn new(base: Option<Url>) -> Self {
        Self {
            bindings: Vec::new(),
            bases: vec![(0, base)],
            default: Vocabulary::Core,
            root_prefix: "",
            undeclared: false,
        }
    }

    /// Puts the declarations of a start tag in force for what is `depth` deep. Base addresses within a field belong to
    /// the HTML of that field.
    pub(super) fn enter(
        &mut self,
        depth: usize,
        tag: Tag<'a>,
        in_field: bool,
        references: &mut References<'a>,
    ) {
        for (name, value) in tag.attributes() {
            if name == "xml:base" && !in_field {
                let value = references.resolve(value);
                if self.bases.len() < MAX_BINDINGS
                    && let Some(base) = link::base(self.base(), &value)
                {
                    self.bases.push((depth, Some(base)));
                }
                continue;
            }
            let prefix = match name.strip_prefix("xmlns") {
                Some("") => "",
                Some(prefix) => match prefix.strip_prefix(':') {
                    Some(prefix) => prefix,
                    None => continue,
                },
                None => continue,
            };
            if self.bindings.len() >= MAX_BINDINGS {
                return;
            }
            // An unknown default namespace on a feed is a variant spelling of the format's own; within a field it is
            // somebody else's markup.
            let unknown = match prefix {
                "" if in_field => Vocabulary::Other,
                "" => Vocabulary::Core,
                _ => Vocabulary::of_prefix(&lower(prefix)),
            };
            let known = Vocabulary::of_address(value);
            // A feed whose own elements claim to be XHTML or Media RSS is still a feed.
            let own = prefix.is_empty() && !in_field && is_structure(&lower(tag.name));
            let vocabulary = known
                .filter(|known| !own || *known == Vocabulary::Atom)
                .unwrap_or(unknown);
            self.bindings.push(Binding {
                depth,
                prefix,
                vocabulary,
            });
            if prefix.is_empty() {
                self.default = vocabulary;
            }
        }
    }

    /// Ends what was in force for elements deeper than `depth`.
    pub(super) fn leave(&mut self, depth: usize) {
        while self.bases.len() > 1 && self.bases.last().is_some_and(|(of, _)| *of > depth) {
            self.bases.pop();
        }
        let before = self.bindings.len();
        while self.bindings.last().is_some_and(|binding| binding.depth > depth) {
            self.bindings.pop();
        }
        if self.bindings.len() != before {
            let default = self
                .bindings
                .iter()
                .rev()
                .find(|binding| binding.prefix.is_empty());
            self.default = default.map_or(Vocabulary::Core, |binding| binding.vocabulary);
        }
    }

    /// Makes the root's prefix stand for the feed format, unless it is known to stand for another.
    pub(super) fn adopt(&mut self, prefix: &'a str) {
        if !prefix.is_empty() && self.lookup(prefix).is_none_or(|known| known == Vocabulary::Other) {
            self.root_prefix = prefix;
        }
    }

    /// Returns what names with this prefix belong to.
    pub(super) fn vocabulary(&mut self, prefix: &str) -> Vocabulary {
        if prefix.is_empty() {
            return self.default;
        }
        if prefix == self.root_prefix {
            return Vocabulary::Core;
        }
        if let Some(known) = self.lookup(prefix) {
            return known;
        }
        self.undeclared |= prefix != "xml";
        Vocabulary::of_prefix(&lower(prefix))
    }

    fn lookup(&self, prefix: &str) -> Option<Vocabulary> {
        self.bindings
            .iter()
            .rev()
            .find(|binding| binding.prefix == prefix)
            .map(|binding| binding.vocabulary)
    }

    /// Returns the base of relative links.
    pub(super) fn base(&self) -> Option<&Url> {
        self.bases.last().and_then(|(_, base)| base.as_ref())
    }
}

/// Returns whether the name is one that only the feed format itself has.
fn is_structure(name: &str) -> bool {
    matches!(
        name,
        "rss" | "feed" | "rdf" | "channel" | "item" | "entry" | "urlset" | "url"
    )
}

/// What the attributes of a field say about it.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) href: Option<String>,
    pub(super) rel: Option<String>,
    pub(super) media_type: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) term: Option<String>,
    pub(super) not_permalink: bool,
}

impl Scope {
    /// Reads the attributes of a tag.
    pub(super) fn of<'a>(tag: Tag<'a>, references: &mut References<'a>) -> Self {
        let mut scope = Self::default();
        if !tag.has_attributes() {
            return scope;
        }
        for (name, value) in tag.attributes() {
            let target = match lower(name).as_ref() {
                "href" | "url" | "rdf:resource" => &mut scope.href,
                "rel" => &mut scope.rel,
                "type" => &mut scope.media_type,
                "mode" => &mut scope.mode,
                "term" => &mut scope.term,
                "label" if scope.term.is_none() => &mut scope.term,
                "ispermalink" => {
                    scope.not_permalink = value.trim().eq_ignore_ascii_case("false");
                    continue;
                }
                _ => continue,
            };
            *target = Some(references.resolve(value)).filter(|value| !value.trim().is_empty());
        }
        scope
    }
}
