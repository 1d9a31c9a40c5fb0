//! The element names that mean something to the cleaner, packed so that a name is looked up by one number.

/// Packs a name of at most eight bytes, lower-cased, into a number that `match` can search.
const fn pack(name: &[u8]) -> u64 {
    let mut packed = 0;
    let mut rest = name;
    while let [first, tail @ ..] = rest {
        packed = (packed << 8) | (first.to_ascii_lowercase() as u64);
        rest = tail;
    }
    packed
}

macro_rules! tags {
    (short: $($short:ident $short_name:literal)*; long: $($long:ident $long_name:literal)*) => {
        /// An element's name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub(crate) enum Tag {
            /// An unknown word, shown like a run of text.
            Other,
            /// A custom element (its name has a hyphen), most often a box.
            Custom,
            $(#[doc = $short_name] $short,)*
            $(#[doc = $long_name] $long,)*
        }

        impl Tag {
            /// Finds the element of a name in any case.
            #[allow(non_upper_case_globals, reason = "named after the variants: one line a name")]
            pub(crate) fn of(name: &[u8]) -> Tag {
                $(const $short: u64 = pack($short_name.as_bytes());)*
                if name.len() <= 8 {
                    match pack(name) {
                        $($short => return Tag::$short,)*
                        _ => {}
                    }
                }
                $(if name.eq_ignore_ascii_case($long_name.as_bytes()) {
                    return Tag::$long;
                })*
                if name.contains(&b'-') { Tag::Custom } else { Tag::Other }
            }

            /// Names the element in lower case; empty for those not listed.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    Tag::Other | Tag::Custom => "",
                    $(Tag::$short => $short_name,)*
                    $(Tag::$long => $long_name,)*
                }
            }
        }
    };
}

tags! {
    short:
        A "a" Abbr "abbr" Address "address" Article "article" Aside "aside" Audio "audio" B "b" Base "base"
        Body "body" Br "br" Button "button" Canvas "canvas" Caption "caption" Center "center" Cite "cite"
        Code "code" Col "col" Colgroup "colgroup" Dd "dd" Del "del" Details "details" Dialog "dialog"
        Dfn "dfn" Dir "dir" Div "div" Dl "dl" Dt "dt" Em "em" Fieldset "fieldset" Figure "figure"
        Font "font" Footer "footer" Form "form" Frame "frame" Frameset "frameset" H1 "h1" H2 "h2" H3 "h3"
        H4 "h4" H5 "h5" H6 "h6" Head "head" Header "header" Hgroup "hgroup" Hr "hr" Html "html" I "i"
        Iframe "iframe" Img "img" Input "input" Ins "ins" Label "label" Legend "legend" Li "li" Link "link"
        Main "main" Map "map" Math "math" Menu "menu" Meta "meta" Nav "nav" Noembed "noembed"
        Noframes "noframes" Noscript "noscript" Object "object" Ol "ol" Optgroup "optgroup" Option "option"
        P "p" Picture "picture" Pre "pre" Q "q" Rp "rp" Rt "rt" Ruby "ruby" S "s" Script "script"
        Search "search" Section "section" Select "select" Slot "slot" Small "small" Source "source"
        Span "span" Strike "strike" Strong "strong" Style "style" Sub "sub" Summary "summary" Sup "sup"
        Svg "svg" Table "table" Tbody "tbody" Td "td" Template "template" Textarea "textarea" Tfoot "tfoot"
        Th "th" Thead "thead" Time "time" Title "title" Tr "tr" U "u" Ul "ul" Video "video" Wbr "wbr"
        Xmp "xmp";
    long:
        Blockquote "blockquote" Figcaption "figcaption" Plaintext "plaintext"
}

impl Tag {
    /// Tells whether the element never has content, so that it is never left open.
    pub(crate) fn is_void(self) -> bool {
        matches!(
            self,
            Tag::Base
                | Tag::Br
                | Tag::Col
                | Tag::Frame
                | Tag::Hr
                | Tag::Img
                | Tag::Input
                | Tag::Link
                | Tag::Meta
                | Tag::Source
                | Tag::Wbr
        )
    }

    /// Tells whether the element begins and ends lines of text.
    pub(crate) fn is_block(self) -> bool {
        !matches!(
            self,
            Tag::A
                | Tag::Abbr
                | Tag::B
                | Tag::Button
                | Tag::Cite
                | Tag::Code
                | Tag::Del
                | Tag::Dfn
                | Tag::Em
                | Tag::Font
                | Tag::I
                | Tag::Img
                | Tag::Ins
                | Tag::Label
                | Tag::Map
                | Tag::Math
                | Tag::Picture
                | Tag::Q
                | Tag::Select
                | Tag::Svg
                | Tag::Textarea
                | Tag::Rp
                | Tag::Rt
                | Tag::Ruby
                | Tag::S
                | Tag::Slot
                | Tag::Small
                | Tag::Source
                | Tag::Span
                | Tag::Strike
                | Tag::Strong
                | Tag::Sub
                | Tag::Sup
                | Tag::Time
                | Tag::U
                | Tag::Wbr
                | Tag::Link
                | Tag::Meta
                | Tag::Base
                | Tag::Input
                | Tag::Other
        )
    }

    /// Tells whether the words inside are no part of what a reader of the page reads.
    pub(crate) fn is_unread(self) -> bool {
        matches!(
            self,
            Tag::Audio
                | Tag::Button
                | Tag::Canvas
                | Tag::Dialog
                | Tag::Frameset
                | Tag::Iframe
                | Tag::Map
                | Tag::Object
                | Tag::Option
                | Tag::Rp
                | Tag::Rt
                | Tag::Select
                | Tag::Svg
                | Tag::Template
                | Tag::Video
        )
    }

    /// Tells whether the tokenizer takes everything up to the closing tag as one run of characters.
    ///
    /// The elements of the HTML standard's raw-text and escapable states, with scripting on, and `svg`, whose
    /// content is drawing.
    pub(crate) fn is_raw(self) -> bool {
        matches!(
            self,
            Tag::Iframe
                | Tag::Noembed
                | Tag::Noframes
                | Tag::Noscript
                | Tag::Script
                | Tag::Style
                | Tag::Svg
                | Tag::Textarea
                | Tag::Title
                | Tag::Xmp
        )
    }
}

/// Tells the level of a heading element, 1 to 6.
pub(crate) fn heading_level(tag: Tag) -> Option<u8> {
    match tag {
        Tag::H1 => Some(1),
        Tag::H2 => Some(2),
        Tag::H3 => Some(3),
        Tag::H4 => Some(4),
        Tag::H5 => Some(5),
        Tag::H6 => Some(6),
        _ => None,
    }
}
