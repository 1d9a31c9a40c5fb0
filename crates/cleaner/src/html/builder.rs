//! Fills a [`Document`] from tokens.
//!
//! Keeps a stack of open elements like the tree construction of the HTML standard, with its implied end tags
//! for paragraphs, list items and cells, but without the adoption agency and foster parenting: they move nodes
//! about in a tree, while text stays where it was written. Work per token is bounded by [`MAX_DEPTH`].

use super::marks::{EM, HIDDEN, LINK, Marks, PRE, STRONG, UNREAD};
use super::page::{Block, Document, Node, Property};
use super::space::{leading_space, run_length};
use super::tag::{Tag, heading_level};
use super::token::{Attributes, Token, Tokenizer, decode};

/// Deeper elements are taken as part of the one above. Browsers do the same from 512 on.
const MAX_DEPTH: usize = 512;
/// Blocks and elements beyond these are not read. The longest real page measured had 9,000 blocks; an array of
/// this size keeps memory in proportion for pages of nothing but tags.
const MAX_BLOCKS: usize = 65_536;
const MAX_NODES: usize = 262_144;
/// `meta` elements, and properties in the body, beyond this number are not read.
const MAX_PROPERTIES: usize = 1_024;

/// Reads a page.
pub(crate) fn read(html: &str) -> Document<'_> {
    let mut builder = Builder::new(html.len());
    for token in Tokenizer::new(html) {
        if builder.document.blocks.len() >= MAX_BLOCKS {
            break;
        }
        match token {
            Token::Text(text) => builder.text(text),
            Token::Open(tag, attributes) => builder.open(tag, attributes),
            Token::Close(tag) => builder.close(tag),
            Token::Raw(tag, attributes, content) => builder.raw(tag, attributes, content),
        }
    }
    builder.flush();
    builder.document
}

/// An element that is not closed yet.
#[derive(Clone, Copy)]
struct Open {
    tag: Tag,
    node: u32,
    flags: u8,
}

struct Builder<'a> {
    document: Document<'a>,
    stack: Vec<Open>,
    /// Opened beyond the depth that is kept.
    overflow: usize,
    /// The block being written; `start == end` while it is empty.
    block: Block,
    /// White space seen since the last word.
    space: bool,
    /// Line breaks seen since the last word.
    breaks: u8,
    /// Node of the last link counted, so that a link is counted once.
    in_link: bool,
}

impl<'a> Builder<'a> {
    fn new(bytes: usize) -> Self {
        let root = Node {
            tag: Tag::Body,
            parent: 0,
            depth: 0,
            is_block: true,
            class: "",
            id: "",
            role: "",
        };
        // Room for what a usual page of this size has.
        let mut document = Document {
            text: String::with_capacity(bytes / 8),
            nodes: Vec::with_capacity(bytes / 128 + 1),
            blocks: Vec::with_capacity(bytes / 512),
            ..Document::default()
        };
        document.nodes.push(root);
        Self {
            document,
            stack: vec![Open {
                tag: Tag::Body,
                node: 0,
                flags: 0,
            }],
            overflow: 0,
            block: Block::default(),
            space: false,
            breaks: 0,
            in_link: false,
        }
    }

    fn top(&self) -> Open {
        self.stack.last().copied().unwrap_or(Open {
            tag: Tag::Body,
            node: 0,
            flags: 0,
        })
    }

    /// Adds characters to the block, white space folded.
    fn text(&mut self, raw: &str) {
        let Open { node, flags, .. } = self.top();
        if flags & UNREAD != 0 {
            return;
        }
        let text = decode(raw);
        let mut rest: &str = &text;
        let before = self.document.text.len();
        loop {
            let (blank, tail) = rest
                .split_at_checked(leading_space(rest.as_bytes()))
                .unwrap_or_default();
            self.space |= !blank.is_empty();
            if flags & PRE != 0 && blank.contains('\n') {
                self.breaks = self.breaks.max(1);
            }
            let (run, tail) = tail
                .split_at_checked(run_length(tail.as_bytes()))
                .unwrap_or_default();
            if run.is_empty() {
                break;
            }
            self.separate(node);
            self.document.text.push_str(run);
            rest = tail;
        }
        let added = u32::try_from(self.document.text.len() - before).unwrap_or(u32::MAX);
        if added > 0 {
            self.count(added, flags);
        }
    }

    /// Writes the space or line break that is due and widens the block's element to hold this one.
    fn separate(&mut self, node: u32) {
        let text = &mut self.document.text;
        if self.block.end == 0 {
            self.block.start = u32::try_from(text.len()).unwrap_or(u32::MAX);
            self.block.node = node;
            self.block.end = u32::MAX;
        } else {
            if self.breaks > 0 {
                text.push('\n');
                self.block.breaks = self.block.breaks.saturating_add(1);
            } else if self.space {
                text.push(' ');
            }
            if node != self.block.node {
                self.block.node = self.common(self.block.node, node);
            }
        }
        self.space = false;
        self.breaks = 0;
    }

    /// Finds the innermost element around both.
    fn common(&self, mut left: u32, mut right: u32) -> u32 {
        while left != right {
            let (Some(l), Some(r)) = (self.document.node(left), self.document.node(right)) else {
                return 0;
            };
            if l.depth >= r.depth {
                left = l.parent;
            }
            if r.depth >= l.depth {
                right = r.parent;
            }
        }
        left
    }

    fn count(&mut self, added: u32, flags: u8) {
        let block = &mut self.block;
        if flags & LINK != 0 {
            block.link_bytes += added;
            if !self.in_link {
                block.links = block.links.saturating_add(1);
                self.in_link = true;
            }
        }
        if flags & STRONG != 0 {
            block.strong_bytes += added;
        }
        if flags & EM != 0 {
            block.em_bytes += added;
        }
        block.hidden |= flags & HIDDEN != 0;
    }

    /// Ends the block.
    fn flush(&mut self) {
        self.space = false;
        self.breaks = 0;
        self.in_link = false;
        if self.block.end != 0 {
            let mut block = std::mem::take(&mut self.block);
            block.end = u32::try_from(self.document.text.len()).unwrap_or(u32::MAX);
            self.document.text.push('\n');
            self.document.blocks.push(block);
        }
    }

    fn line_break(&mut self) {
        if self.breaks > 0 {
            self.flush();
        } else {
            self.breaks = 1;
        }
    }

    fn open(&mut self, tag: Tag, attributes: Attributes<'a>) {
        match tag {
            Tag::Br => return self.line_break(),
            Tag::Hr => return self.flush(),
            Tag::Meta | Tag::Link | Tag::Base => return self.head(tag, attributes),
            Tag::Html => {
                self.document.language = self.document.language.or_else(|| attributes.get("lang"));
                return;
            }
            Tag::Head | Tag::Body => return self.flush(),
            Tag::Img | Tag::Input | Tag::Source | Tag::Wbr | Tag::Col | Tag::Frame => return,
            _ => {}
        }
        if tag.is_block() {
            self.flush();
            self.imply_ends(tag);
        } else if tag == Tag::A {
            self.in_link = false;
            self.close_inline(Tag::A);
        }
        if self.stack.len() >= MAX_DEPTH {
            self.overflow += 1;
            return;
        }
        let marks = Marks::of(attributes);
        self.property(tag, &marks);
        let parent = self.top();
        let node = self.node(tag, &marks, parent.node);
        let flags = parent.flags | marks.flags(tag);
        self.stack.push(Open { tag, node, flags });
    }

    /// Makes an element, or takes its parent for inline elements that say nothing.
    fn node(&mut self, tag: Tag, marks: &Marks<'a>, parent: u32) -> u32 {
        let is_block = tag.is_block();
        let silent = marks.class.is_empty() && marks.id.is_empty() && marks.itemprop.is_empty();
        if (!is_block && silent && !marks.hidden) || self.document.nodes.len() >= MAX_NODES {
            return parent;
        }
        let depth = self.document.node(parent).map_or(0, |node| node.depth) + 1;
        let index = u32::try_from(self.document.nodes.len()).unwrap_or(u32::MAX);
        let role = if marks.itemprop.is_empty() {
            marks.role
        } else {
            marks.itemprop
        };
        let (class, id) = (marks.class, marks.id);
        self.document.nodes.push(Node {
            tag,
            parent,
            depth,
            is_block,
            class,
            id,
            role,
        });
        index
    }

    fn property(&mut self, tag: Tag, marks: &Marks<'a>) {
        let (name, value) = match (tag, marks.itemprop) {
            (Tag::Time, _) => ("time", marks.datetime.or(marks.content).unwrap_or_default()),
            (_, name) if !name.is_empty() => (name, marks.content.unwrap_or_default()),
            _ => return,
        };
        if self.document.properties.len() < MAX_PROPERTIES {
            self.document.properties.push(Property { name, value });
        }
    }

    /// Reads `meta` and `link`, wherever they stand.
    fn head(&mut self, tag: Tag, attributes: Attributes<'a>) {
        if tag == Tag::Link {
            if attributes
                .get("rel")
                .is_some_and(|rel| rel.trim().eq_ignore_ascii_case("canonical"))
            {
                self.document.canonical = self.document.canonical.or_else(|| attributes.get("href"));
            }
            return;
        }
        let Some(value) = attributes.get("content") else {
            return;
        };
        for (key, name) in attributes {
            let names = ["property", "name", "itemprop", "http-equiv"];
            if names.iter().any(|known| key.eq_ignore_ascii_case(known))
                && self.document.metas.len() < MAX_PROPERTIES
            {
                self.document.metas.push(Property { name, value });
            }
        }
    }

    fn raw(&mut self, tag: Tag, attributes: Attributes<'a>, content: &'a str) {
        match tag {
            Tag::Title => self.document.title = self.document.title.or(Some(content)),
            Tag::Script => {
                let kind = attributes.get("type").unwrap_or_default().trim();
                if kind
                    .get(..19)
                    .is_some_and(|start| start.eq_ignore_ascii_case("application/ld+json"))
                {
                    self.document.json_ld.push(content);
                } else {
                    self.document.scripts.push(content);
                }
            }
            Tag::Xmp => {
                self.flush();
                self.text(content);
                self.flush();
            }
            _ => {}
        }
    }

    /// Closes what the standard says an opening tag ends.
    fn imply_ends(&mut self, tag: Tag) {
        match tag {
            Tag::Li => self.close_up_to(&[Tag::Li], &[Tag::Ul, Tag::Ol, Tag::Menu, Tag::Div, Tag::Section]),
            Tag::Dd | Tag::Dt => self.close_up_to(&[Tag::Dd, Tag::Dt], &[Tag::Dl]),
            Tag::Td | Tag::Th => self.close_up_to(&[Tag::Td, Tag::Th], &[Tag::Tr]),
            Tag::Tr => self.close_up_to(&[Tag::Tr], &[Tag::Tbody, Tag::Thead, Tag::Tfoot]),
            Tag::Tbody | Tag::Thead | Tag::Tfoot => {
                self.close_up_to(&[Tag::Tbody, Tag::Thead, Tag::Tfoot], &[]);
            }
            Tag::Option => self.close_up_to(&[Tag::Option], &[Tag::Select]),
            Tag::Custom => return,
            _ => {}
        }
        let innermost = self.stack.iter().rposition(|open| open.tag.is_block());
        if let Some(index) = innermost.filter(|&index| self.tag_at(index) == Tag::P) {
            self.stack.truncate(index);
        }
    }

    fn tag_at(&self, index: usize) -> Tag {
        self.stack.get(index).map_or(Tag::Other, |open| open.tag)
    }

    /// Closes the innermost element of these, unless a border (or a table) lies between.
    fn close_up_to(&mut self, tags: &[Tag], borders: &[Tag]) {
        for index in (1..self.stack.len()).rev() {
            let tag = self.tag_at(index);
            if tags.contains(&tag) {
                return self.stack.truncate(index);
            }
            if tag == Tag::Table || borders.contains(&tag) {
                return;
            }
        }
    }

    fn close_inline(&mut self, tag: Tag) {
        for index in (1..self.stack.len()).rev() {
            let open = self.tag_at(index);
            if open == tag {
                return self.stack.truncate(index);
            }
            if open.is_block() {
                return;
            }
        }
    }

    fn close(&mut self, tag: Tag) {
        if self.overflow > 0 && !tag.is_void() {
            self.overflow -= 1;
            if tag.is_block() {
                self.flush();
            }
            return;
        }
        match tag {
            Tag::Br => return self.line_break(),
            // What follows is still shown in the body.
            Tag::Html | Tag::Head | Tag::Body => return self.flush(),
            _ => {}
        }
        if !tag.is_block() {
            if tag == Tag::A {
                self.in_link = false;
            }
            return self.close_inline(tag);
        }
        self.flush();
        let of_table = matches!(tag, Tag::Table | Tag::Tbody | Tag::Thead | Tag::Tfoot | Tag::Tr);
        for index in (1..self.stack.len()).rev() {
            let open = self.tag_at(index);
            if open == tag || (heading_level(open).is_some() && heading_level(tag).is_some()) {
                return self.stack.truncate(index);
            }
            if !of_table && matches!(open, Tag::Td | Tag::Th | Tag::Table | Tag::Template) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    fn check(html: &str, expect: &expect_test::Expect) {
        let document = read(html);
        let lines = document.blocks.iter().map(|block| {
            let tag = document.node(block.node).map_or("", |node| node.tag.name());
            format!(
                "{tag}: {:?} links {}/{}",
                document.block_text(block),
                block.links,
                block.link_bytes
            )
        });
        expect.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn inline_elements_do_not_split_words_and_blocks_do() {
        check(
            "<p>W<b>or</b>d <i>two</i>&nbsp;&amp; three<div>next<span>ed</span></div>last</p>",
            &expect_test::expect![[r#"
                p: "Word two & three" links 0/0
                div: "nexted" links 0/0
                body: "last" links 0/0"#]],
        );
    }

    #[test]
    fn two_line_breaks_end_a_paragraph() {
        check(
            "<div>one<br>two<br/> <br>three</div>",
            &expect_test::expect![[r#"
                div: "one\ntwo" links 0/0
                div: "three" links 0/0"#]],
        );
    }

    #[test]
    fn counts_links_and_implies_ends() {
        check(
            "<ul><li><a href=/a>one</a> <a href=/b>two</a><li>three</ul><p>a<p>b<table><tr><td>c<td>d<tr><td>e</table>f",
            &expect_test::expect![[r#"
                li: "one two" links 2/7
                li: "three" links 0/0
                p: "a" links 0/0
                p: "b" links 0/0
                td: "c" links 0/0
                td: "d" links 0/0
                td: "e" links 0/0
                body: "f" links 0/0"#]],
        );
    }

    #[test]
    fn leaves_out_what_is_not_read() {
        check(
            "<p>a<button>share</button><script>x()</script>b<select><option>c</select><svg><text>d</text></svg></p>",
            &expect_test::expect![[r#"p: "ab" links 0/0"#]],
        );
    }

    #[test]
    fn survives_depth() {
        let html = format!("{}x{}", "<div>".repeat(100_000), "</div>".repeat(100_000));
        let document = read(&html);
        assert_eq!(document.text, "x\n");
        assert!(document.nodes.len() <= 512, "{} elements", document.nodes.len());
    }
}
