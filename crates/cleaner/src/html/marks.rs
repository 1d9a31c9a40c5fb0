//! Reads the attributes that mean something to the cleaner.

use super::tag::Tag;
use super::token::Attributes;

/// Text inside stands in a link.
pub(super) const LINK: u8 = 1;
/// Text inside is bold.
pub(super) const STRONG: u8 = 2;
/// Text inside is in italics.
pub(super) const EM: u8 = 4;
/// Text inside is hidden by its own attributes.
pub(super) const HIDDEN: u8 = 8;
/// Text inside is not read.
pub(super) const UNREAD: u8 = 16;
/// Line breaks inside are shown.
pub(super) const PRE: u8 = 32;

/// Bytes of a `class`, `id` or `itemprop` that are kept. Names are looked at again for every block they stand around.
const MAX_NAME_BYTES: usize = 512;

/// What the attributes of an element say.
#[derive(Default)]
pub(super) struct Marks<'a> {
    pub(super) class: &'a str,
    pub(super) id: &'a str,
    pub(super) itemprop: &'a str,
    pub(super) role: &'a str,
    pub(super) content: Option<&'a str>,
    pub(super) datetime: Option<&'a str>,
    pub(super) hidden: bool,
    pub(super) link: bool,
}

impl<'a> Marks<'a> {
    /// Reads the attributes of a tag.
    pub(super) fn of(attributes: Attributes<'a>) -> Self {
        let mut marks = Self::default();
        for (name, value) in attributes {
            if !matches!(name.len(), 2 | 4..=8) {
                continue;
            }
            if !marks.take(name, value) && name.bytes().any(|b| b.is_ascii_uppercase()) {
                marks.take(&name.to_ascii_lowercase(), value);
            }
        }
        marks
    }

    /// Takes an attribute by its name in lower case; tells whether it is one that means something.
    fn take(&mut self, name: &str, value: &'a str) -> bool {
        match name {
            "class" if self.class.is_empty() => self.class = clip(value),
            "id" if self.id.is_empty() => self.id = clip(value),
            "role" => self.role = clip(value),
            "itemprop" => self.itemprop = clip(value),
            "content" => self.content = Some(value),
            "datetime" => self.datetime = Some(value),
            "href" => self.link = true,
            "hidden" => self.hidden = true,
            "style" => self.hidden |= hides(value),
            _ => return false,
        }
        true
    }

    /// What the element says of the text inside it.
    pub(super) fn flags(&self, tag: Tag) -> u8 {
        let flags = match tag {
            Tag::A if self.link => LINK,
            Tag::B | Tag::Strong => STRONG,
            Tag::Em | Tag::I => EM,
            Tag::Pre => PRE,
            _ if tag.is_unread() => UNREAD,
            _ => 0,
        };
        if self.hidden { flags | HIDDEN } else { flags }
    }
}

/// Cuts a name that no person would write.
fn clip(value: &str) -> &str {
    value
        .get(..value.floor_char_boundary(MAX_NAME_BYTES))
        .unwrap_or_default()
}

/// Tells whether a style hides the element.
fn hides(style: &str) -> bool {
    let mut letters = String::with_capacity(style.len().min(256));
    letters.extend(
        style
            .chars()
            .filter(|c| !c.is_whitespace())
            .take(256)
            .map(|c| c.to_ascii_lowercase()),
    );
    letters.contains("display:none") || letters.contains("visibility:hidden")
}
