//! What a page consists of: boxes, blocks of text, statements of its head.

use super::tag::Tag;

/// An element that boxes or marks text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'a> {
    /// Its name.
    pub(crate) tag: Tag,
    /// Index of the element around it; the root is its own parent.
    pub(crate) parent: u32,
    /// Number of elements around it.
    pub(crate) depth: u16,
    /// Whether it begins and ends lines.
    pub(crate) is_block: bool,
    /// Value of `class`.
    pub(crate) class: &'a str,
    /// Value of `id`.
    pub(crate) id: &'a str,
    /// Value of `itemprop`, or of `role` where that is missing.
    pub(crate) role: &'a str,
}

/// A run of text between two borders of boxes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Block {
    /// First byte in [`Document::text`].
    pub(crate) start: u32,
    /// Byte after the last one in [`Document::text`].
    pub(crate) end: u32,
    /// The innermost element around all of it.
    pub(crate) node: u32,
    /// Bytes inside links.
    pub(crate) link_bytes: u32,
    /// Number of links.
    pub(crate) links: u16,
    /// Bytes in bold type.
    pub(crate) strong_bytes: u32,
    /// Bytes in italics.
    pub(crate) em_bytes: u32,
    /// Single line breaks inside.
    pub(crate) breaks: u16,
    /// Whether an element that hides itself is around it.
    pub(crate) hidden: bool,
}

impl Block {
    /// Tells whether the block is a link and next to nothing else.
    pub(crate) fn is_link(&self) -> bool {
        u64::from(self.link_bytes) * 10 >= u64::from(self.end - self.start) * 9
    }
}

/// A statement of a page about itself outside of JSON-LD.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Property<'a> {
    /// Name as written (`og:title`, `datePublished`); `time` for the element of that name.
    pub(crate) name: &'a str,
    /// Value, references not decoded.
    pub(crate) value: &'a str,
}

/// A page in flat arrays; what it borrows is the HTML.
#[derive(Debug, Default)]
pub(crate) struct Document<'a> {
    /// The text of all blocks, each followed by a newline.
    pub(crate) text: String,
    /// Blocks in page order.
    pub(crate) blocks: Vec<Block>,
    /// Elements in page order; parents come before their children.
    pub(crate) nodes: Vec<Node<'a>>,
    /// The page's `title`, references not decoded.
    pub(crate) title: Option<&'a str>,
    /// Statements of `meta` elements.
    pub(crate) metas: Vec<Property<'a>>,
    /// Statements in the body: `itemprop` with an attribute for a value, `time`.
    pub(crate) properties: Vec<Property<'a>>,
    /// Contents of scripts of type `application/ld+json`.
    pub(crate) json_ld: Vec<&'a str>,
    /// Contents of all other scripts.
    pub(crate) scripts: Vec<&'a str>,
    /// Target of `link rel=canonical`.
    pub(crate) canonical: Option<&'a str>,
    /// Value of `lang` on the root.
    pub(crate) language: Option<&'a str>,
}

impl<'a> Document<'a> {
    /// The text of a block.
    pub(crate) fn block_text(&self, block: &Block) -> &str {
        self.text
            .get(block.start as usize..block.end as usize)
            .unwrap_or_default()
    }

    /// The element at an index.
    pub(crate) fn node(&self, index: u32) -> Option<&Node<'a>> {
        self.nodes.get(index as usize)
    }

    /// The elements around and including one, innermost first.
    pub(crate) fn path(&self, index: u32) -> impl Iterator<Item = (u32, &Node<'a>)> {
        let mut next = Some(index);
        std::iter::from_fn(move || {
            let here = next?;
            let node = self.node(here)?;
            next = (node.parent != here).then_some(node.parent);
            Some((here, node))
        })
    }

    /// The value of the first `meta` of one of the names that is not empty, the earlier names preferred.
    pub(crate) fn meta(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| {
            let mut found = self
                .metas
                .iter()
                .filter(|meta| meta.name.eq_ignore_ascii_case(name));
            found
                .find(|meta| !meta.value.trim().is_empty())
                .map(|meta| meta.value)
        })
    }
}
