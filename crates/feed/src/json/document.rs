//! The shape of a JSON Feed, with fields that take whatever stands there.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{
    MAX_ENTRIES,
    builder::{MAX_FIELD, Names, cut},
};

/// Text, or a number taken as text (integers as ids are the most common slip); nothing for anything else.
#[derive(Debug, Default)]
pub(super) struct Text(pub(super) Option<String>);

/// Text of at most [`MAX_FIELD`] bytes.
#[derive(Debug, Default)]
pub(super) struct Short(pub(super) Option<String>);

/// Names of people: text, objects with a `name`, or lists of either.
#[derive(Debug, Default)]
struct People(Names);

/// A list of words, or one word.
#[derive(Debug, Default)]
pub(super) struct Tags(pub(super) Names);

/// Address of the first WebSub hub.
#[derive(Debug, Default)]
pub(super) struct Hubs(pub(super) Option<String>);

/// The items of a feed with their places in the list.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub(super) kept: Vec<(usize, Item)>,
    /// How many stood in the list.
    pub(super) seen: usize,
}

/// A JSON document that may be a feed.
#[derive(Debug, Default)]
pub(super) struct Document {
    version: Short,
    pub(super) title: Short,
    pub(super) home: Short,
    pub(super) own: Short,
    pub(super) language: Short,
    pub(super) hubs: Hubs,
    pub(super) authors: Names,
    pub(super) items: Option<Items>,
    /// It has a field that error messages have.
    pub(super) says_error: bool,
}

/// An item of a feed.
#[derive(Debug, Default)]
pub(super) struct Item {
    pub(super) id: Short,
    pub(super) url: Short,
    pub(super) external: Short,
    pub(super) title: Short,
    pub(super) summary: Text,
    pub(super) html: Text,
    pub(super) text: Text,
    pub(super) published: Short,
    pub(super) modified: Short,
    pub(super) language: Short,
    pub(super) authors: Names,
    pub(super) tags: Tags,
}

impl Document {
    /// Returns whether this is a feed by its version, or plainly meant to be one.
    pub(super) fn is_feed(&self) -> bool {
        let version = self
            .version
            .0
            .as_deref()
            .is_some_and(|version| version.contains("jsonfeed"));
        let meant = |item: &Item| item.id.0.is_some() || item.url.0.is_some() || item.html.0.is_some();
        match &self.items {
            Some(items) => {
                version || self.title.0.is_some() || items.kept.iter().any(|(_, item)| meant(item))
            }
            None => version,
        }
    }

    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        const SAYS_ERROR: &str = "error errors error_description message msg code status statusCode detail fault \
                                  exception reason success ok";
        match key {
            "version" => self.version = map.next_value()?,
            "title" => self.title = map.next_value()?,
            "home_page_url" => self.home = map.next_value()?,
            "feed_url" => self.own = map.next_value()?,
            "language" => self.language = map.next_value()?,
            "hubs" => self.hubs = map.next_value()?,
            "authors" | "author" => self.authors.extend(map.next_value::<People>()?.0),
            "items" => {
                // Of two lists the first counts: the second comes from damage.
                let items = map.next_value::<MaybeItems>()?.0;
                self.items = self.items.take().or(items);
            }
            _ => {
                self.says_error |= SAYS_ERROR.split(' ').any(|word| word == key);
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

impl Item {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "id" => self.id = map.next_value()?,
            "url" => self.url = map.next_value()?,
            "external_url" => self.external = map.next_value()?,
            "title" => self.title = map.next_value()?,
            "summary" => self.summary = map.next_value()?,
            "content_html" => self.html = map.next_value()?,
            "content_text" => self.text = map.next_value()?,
            "date_published" => self.published = map.next_value()?,
            "date_modified" => self.modified = map.next_value()?,
            "language" => self.language = map.next_value()?,
            "authors" | "author" => self.authors.extend(map.next_value::<People>()?.0),
            "tags" => self.tags = map.next_value()?,
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// A value that may be anything; each kind of it is offered, and what is not taken is passed over.
trait Any: Default {
    fn text(&mut self, _text: &str) {}

    fn field<'de, A: MapAccess<'de>>(&mut self, _key: &str, map: &mut A) -> Result<(), A::Error> {
        map.next_value::<IgnoredAny>().map(|_| ())
    }

    /// Takes the next element of a list; returns whether there was one.
    fn element<'de, A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        Ok(seq.next_element::<IgnoredAny>()?.is_some())
    }

    /// Notes that the value is a list, or an object.
    fn is_list(&mut self) {}
    fn is_object(&mut self) {}
}

/// Reads any value into `T`.
fn any<'de, T: Any, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(AnyVisitor(T::default()))
}

struct AnyVisitor<T>(T);

impl<'de, T: Any> Visitor<'de> for AnyVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(self.0)
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(self.0)
    }

    fn visit_i64<E>(mut self, number: i64) -> Result<T, E> {
        self.0.text(&number.to_string());
        Ok(self.0)
    }

    fn visit_u64<E>(mut self, number: u64) -> Result<T, E> {
        self.0.text(&number.to_string());
        Ok(self.0)
    }

    fn visit_f64<E>(mut self, number: f64) -> Result<T, E> {
        self.0.text(&number.to_string());
        Ok(self.0)
    }

    fn visit_str<E>(mut self, text: &str) -> Result<T, E> {
        self.0.text(text);
        Ok(self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<T, A::Error> {
        self.0.is_list();
        while self.0.element(&mut seq)? {}
        Ok(self.0)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<T, A::Error> {
        self.0.is_object();
        while let Some(key) = map.next_key::<String>()? {
            self.0.field(&key, &mut map)?;
        }
        Ok(self.0)
    }
}

/// Makes a type readable from any value.
macro_rules! read_any {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                any(deserializer)
            }
        }
    )*};
}

read_any!(Text, Short, People, Tags, Hubs, Document, MaybeItems, MaybeItem);

impl Any for Text {
    fn text(&mut self, text: &str) {
        self.0 = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    }
}

impl Any for Short {
    fn text(&mut self, text: &str) {
        self.0 = Some(cut(text.trim(), MAX_FIELD).to_owned()).filter(|text| !text.is_empty());
    }
}

impl Any for People {
    fn text(&mut self, text: &str) {
        self.0.add(text);
    }

    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match (key, map.next_value::<Short>()?.0) {
            ("name", Some(name)) => self.0 = Names::of(&name),
            ("url", Some(url)) if self.0.0.is_empty() => self.0 = Names::of(&url),
            _ => {}
        }
        Ok(())
    }

    fn element<'de, A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        let next = seq.next_element::<Self>()?;
        Ok(next.map(|person| self.0.extend(person.0)).is_some())
    }
}

impl Any for Tags {
    fn text(&mut self, text: &str) {
        self.0.add(text);
    }

    fn element<'de, A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        let next = seq.next_element::<Short>()?;
        Ok(next.map(|tag| self.0.add(&tag.0.unwrap_or_default())).is_some())
    }
}

impl Any for Hubs {
    fn element<'de, A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        let next = seq.next_element::<Self>()?;
        Ok(next
            .map(|hub| self.0 = self.0.take().filter(|known| !known.is_empty()).or(hub.0))
            .is_some())
    }

    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match (key, map.next_value::<Short>()?.0) {
            // rssCloud and others are no use to a WebSub subscriber; an empty address marks them.
            ("type", Some(kind)) if !kind.eq_ignore_ascii_case("websub") => self.0 = Some(String::new()),
            ("url", Some(url)) if self.0.is_none() => self.0 = Some(url),
            _ => {}
        }
        Ok(())
    }
}

impl Any for Document {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        Self::field(self, key, map)
    }
}

/// The value of `items`: nothing where it is no list.
#[derive(Debug, Default)]
struct MaybeItems(Option<Items>);

impl Any for MaybeItems {
    fn is_list(&mut self) {
        self.0 = Some(Items::default());
    }

    fn element<'de, A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
        let items = self.0.get_or_insert_default();
        if items.seen >= MAX_ENTRIES {
            let more = seq.next_element::<IgnoredAny>()?.is_some();
            items.seen += usize::from(more);
            return Ok(more);
        }
        let Some(item) = seq.next_element::<MaybeItem>()? else {
            return Ok(false);
        };
        items.kept.extend(item.0.map(|item| (items.seen, item)));
        items.seen += 1;
        Ok(true)
    }
}

/// One element of `items`: nothing where it is no object.
#[derive(Debug, Default)]
struct MaybeItem(Option<Item>);

impl Any for MaybeItem {
    fn is_object(&mut self) {
        self.0 = Some(Item::default());
    }

    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        self.0.get_or_insert_default().field(key, map)
    }
}
