//! Time zones by name.

use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A time zone of a date.
#[derive(Debug, Clone)]
pub(super) enum Zone {
    /// Minutes east of Greenwich.
    Offset(i32),
    /// The same, for a name that means other zones elsewhere.
    Ambiguous(i32),
    /// A zone of the IANA database.
    Region(TimeZone),
}

/// Abbreviations and their minutes east of Greenwich. RFC 822 defines the American ones; the rest is usage.
const NAMES: [(&str, i32); 61] = [
    ("utc", 0),
    ("gmt", 0),
    ("ut", 0),
    ("z", 0),
    ("wet", 0),
    ("uct", 0),
    ("zulu", 0),
    ("гмт", 0),
    ("west", 60),
    ("bst", 60),
    ("cet", 60),
    ("mez", 60),
    ("met", 60),
    ("wat", 60),
    ("cest", 120),
    ("mesz", 120),
    ("mest", 120),
    ("eet", 120),
    ("cat", 120),
    ("sast", 120),
    ("eest", 180),
    ("msk", 180),
    ("мск", 180),
    ("trt", 180),
    ("eat", 180),
    ("idt", 180),
    ("fet", 180),
    ("msd", 240),
    ("samt", 240),
    ("gst", 240),
    ("get", 240),
    ("amt", 240),
    ("azt", 240),
    ("pkt", 300),
    ("yekt", 300),
    ("uzt", 300),
    ("irst", 210),
    ("aft", 270),
    ("npt", 345),
    ("omst", 360),
    ("krat", 420),
    ("wib", 420),
    ("ict", 420),
    ("irkt", 480),
    ("hkt", 480),
    ("sgt", 480),
    ("myt", 480),
    ("awst", 480),
    ("pht", 480),
    ("jst", 540),
    ("kst", 540),
    ("vlat", 600),
    ("aest", 600),
    ("aedt", 660),
    ("acst", 570),
    ("acdt", 630),
    ("nzst", 720),
    ("nzdt", 780),
    ("brt", -180),
    ("art", -180),
    ("nst", -210),
];

/// Abbreviations of North America, whose daylight time RFC 822 names apart.
const AMERICAN: [(&str, i32); 14] = [
    ("est", -300),
    ("edt", -240),
    ("cst", -360),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
    ("akst", -540),
    ("akdt", -480),
    ("hst", -600),
    ("ast", -240),
    ("adt", -180),
    ("ndt", -150),
];

/// Returns the zone that a word in lower case names.
pub(super) fn zone(word: &str) -> Option<Zone> {
    if word.contains('/') {
        static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
        let database = DATABASE.get_or_init(TimeZoneDatabase::bundled);
        return database.get(word).ok().map(Zone::Region);
    }
    // India, Ireland or Israel: India has the most feeds.
    if word == "ist" {
        return Some(Zone::Ambiguous(330));
    }
    let find = |table: &[(&str, i32)]| {
        table
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, minutes)| *minutes)
    };
    find(&NAMES)
        .or_else(|| find(&AMERICAN))
        .map(|minutes| match word {
            "cst" | "ast" | "amt" | "gst" | "get" | "art" | "met" => Zone::Ambiguous(minutes),
            _ => Zone::Offset(minutes),
        })
}

impl Zone {
    /// Returns the zone shifted by an offset that follows its name: `GMT+3`.
    pub(super) fn shifted(self, minutes: i32) -> Self {
        match self {
            Self::Offset(0) => Self::Offset(minutes),
            // `EST-0500` says the same twice.
            other => other,
        }
    }
}
