//! Reads dates in whatever form feeds have them, and says how sure the reading is.
//!
//! A table of formats, the usual way, reads what its author thought of. Here a date is cut into words and numbers,
//! and what each is follows from its neighbours: a number before a colon is an hour, a name of a month in any of some
//! twenty languages is a month, what is left are day and year. So broken RFC 822, ISO 8601 with spaces, American and
//! localised forms all go the same way.

mod clock;
mod lex;
mod month;
mod zone;

use jiff::{
    Timestamp, ToSpan,
    civil::{self, ISOWeekDate, Weekday},
    tz::{Offset, TimeZone},
};

use clock::{Time, TimeAt, clear, clock_at, loose_at, offset_at, over_space, sign, word};
use lex::{Item, Lexed, Number};
use zone::Zone;

/// An instant read from a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Date {
    /// The instant.
    pub at: Timestamp,
    /// How sure it is.
    pub confidence: Confidence,
}

/// How sure the reading of a date is, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Day, time and zone are given and mean one instant.
    Exact,
    /// The time has no zone, or one that nobody knows: taken as UTC. Wrong by up to 14 hours.
    AssumedZone,
    /// Only the day is given: midnight UTC.
    DateOnly,
    /// Something was put right or could be read in another way: `03/04/2026`, the 31st of June, an ambiguous zone name.
    Guessed,
}

/// Longest text that can be a date, in bytes.
const MAX_LENGTH: usize = 128;

/// Reads a date.
///
/// Returns nothing where the text holds no date, or one before the year 1970 or after 2199: feeds that say so mean
/// "unknown". Future dates are returned as they are, for what is future only the caller knows.
///
/// ```
/// use telex_feed::{Confidence, parse_date};
///
/// let date = parse_date("13 июля 2026, 10:00 MSK").unwrap();
/// assert_eq!(date.at.to_string(), "2026-07-13T07:00:00Z");
/// assert_eq!(date.confidence, Confidence::Exact);
/// ```
#[must_use]
pub fn parse_date(text: &str) -> Option<Date> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_LENGTH {
        return None;
    }
    let date = epoch(text).or_else(|| written(text))?;
    let year = date.at.to_zoned(jiff::tz::TimeZone::UTC).year();
    ((1970..2200).contains(&year) && date.at.as_second() > 0).then_some(date)
}

/// Reads seconds, milliseconds or microseconds since 1970.
fn epoch(text: &str) -> Option<Date> {
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => whole,
        _ => text,
    };
    let number: i64 = whole
        .parse()
        .ok()
        .filter(|_| whole.bytes().all(|byte| byte.is_ascii_digit()))?;
    let at = match whole.len() {
        9 | 10 => Timestamp::from_second(number),
        13 => Timestamp::from_millisecond(number),
        16 => Timestamp::from_microsecond(number),
        _ => return None,
    };
    Some(Date {
        at: at.ok()?,
        confidence: Confidence::Exact,
    })
}

fn written(text: &str) -> Option<Date> {
    let mut items = lex::lex(text);
    let mut reading = Reading::default();
    reading.take_time(&mut items);
    reading.take_words(&mut items);
    reading.take_date(&items)?;
    reading.instant()
}

/// What has been understood of a date.
#[derive(Debug, Default)]
struct Reading {
    date: Option<civil::Date>,
    month: Option<u32>,
    time: Option<Time>,
    zone: Option<Zone>,
    guessed: bool,
    /// An ISO week date: the word `w` stood before a number.
    week: bool,
}

impl Reading {
    /// Finds the time of day and what follows it: fraction, half of the day, zone.
    fn take_time(&mut self, items: &mut Lexed) {
        // Numbers around a colon are surer than a number before `h`, `am` or a dot.
        let find = |read: fn(&Lexed, usize) -> TimeAt| {
            (0..items.len()).find_map(|at| read(items, at).map(|(time, end)| (at, time, end)))
        };
        let Some((from, time, mut at)) = find(clock_at).or_else(|| find(loose_at)) else {
            return;
        };
        let Some(mut time) = time else {
            self.guessed = true;
            return clear(items, from, at);
        };
        let half = |items: &Lexed, at| match word(items, at) {
            Some("am") => Some(false),
            Some("pm") => Some(true),
            _ => None,
        };
        // Korean, Chinese and Japanese name the half of the day first.
        let before = from.checked_sub(2).and_then(|at| half(items, at));
        let after = half(items, over_space(items, at));
        if after.is_some() {
            at = over_space(items, at) + 1;
        }
        match after.or(before) {
            Some(true) if time.hour < 12 => time.hour += 12,
            Some(false) if time.hour == 12 => time.hour = 0,
            _ => {}
        }
        self.time = Some(time);
        if matches!(
            word(items, over_space(items, at)),
            Some("uhr" | "h" | "hrs" | "hours" | "ч" | "год")
        ) {
            at = over_space(items, at) + 1;
        }
        let end = self.take_zone(items, at);
        clear(items, from, end);
    }

    /// Reads the zone at `at`, right after the time; returns where it ends.
    fn take_zone(&mut self, items: &Lexed, at: usize) -> usize {
        let mut next = over_space(items, at);
        if matches!(sign(items, next), Some('(' | ',')) {
            next = over_space(items, next + 1);
        }
        let named = word(items, next).and_then(zone::zone);
        let after_name = if named.is_some() { next + 1 } else { next };
        let shift = offset_at(items, over_space(items, after_name), named.is_some());
        match (named, shift) {
            (Some(named), Some((minutes, end))) => {
                self.zone = Some(named.shifted(minutes));
                end
            }
            (Some(named), None) => {
                self.zone = Some(named);
                after_name
            }
            (None, Some((minutes, end))) => {
                self.zone = Some(Zone::Offset(minutes));
                end
            }
            (None, None) => at,
        }
    }

    /// Finds the month by name, and a zone that does not stand right after the time.
    fn take_words(&mut self, items: &mut Lexed) {
        for at in 0..items.len() {
            let Some(word) = word(items, at) else { continue };
            // The last one counts: an abbreviated weekday before it may look like a month (`mar. 14 juil.`).
            if let Some(month) = month::month(word) {
                self.month = Some(month);
            } else if self.zone.is_none() && self.time.is_some() && word.len() > 1 {
                self.zone = zone::zone(word);
            }
            self.week |= word == "w";
        }
    }

    /// Finds day, month and year among what is left.
    fn take_date(&mut self, items: &Lexed) -> Option<()> {
        let numbers: Vec<Number> = items
            .iter()
            .flatten()
            .filter_map(|item| match item {
                Item::Number(number) => Some(*number),
                _ => None,
            })
            .collect();
        let (year, month, day) = match (self.month, numbers.as_slice()) {
            (Some(month), numbers) => self.with_month(month, numbers)?,
            (None, [whole, rest @ ..]) if matches!(whole.digits, 8 | 12 | 14) => {
                self.compact(*whole, rest)?
            }
            (None, [year, week, rest @ ..]) if self.week && year.digits == 4 => {
                return self.week_date(*year, *week, rest.first());
            }
            (None, [year, day]) if year.digits == 4 && day.digits == 3 => {
                return self.day_of_year(*year, *day);
            }
            (None, [first, second, third, ..]) => self.three(*first, *second, *third)?,
            (None, [year, month]) if year.digits == 4 && month.digits <= 2 => {
                self.guessed = true;
                (year.value, month.value, 1)
            }
            (None, [year]) if year.digits == 4 && self.time.is_none() => {
                self.guessed = true;
                (year.value, 1, 1)
            }
            _ => return None,
        };
        self.date = Some(self.civil(year, month, day)?);
        Some(())
    }

    fn with_month(&mut self, month: u32, numbers: &[Number]) -> Option<(u64, u64, u64)> {
        let month = u64::from(month);
        let year = numbers
            .iter()
            .position(|number| number.digits == 4)
            .or_else(|| numbers.iter().position(|number| number.value > 31));
        let short = numbers
            .iter()
            .enumerate()
            .filter(|(at, number)| Some(*at) != year && number.digits <= 2);
        let mut short = short.map(|(_, number)| number.value);
        let first = short.next();
        Some(match (year.and_then(|at| numbers.get(at)), first, short.next()) {
            (Some(year), Some(day), _) => (full_year(*year), month, day),
            (Some(year), None, _) => {
                self.guessed = true;
                (full_year(*year), month, 1)
            }
            (None, Some(day), Some(year)) => (
                full_year(Number {
                    value: year,
                    digits: 2,
                    before: ' ',
                }),
                month,
                day,
            ),
            _ => return None,
        })
    }

    /// Reads `20260713`, `202607131000` and `20260713100000`.
    fn compact(&mut self, whole: Number, rest: &[Number]) -> Option<(u64, u64, u64)> {
        let (date, time) = match whole.digits {
            8 => (whole.value, None),
            12 => (whole.value / 10_000, Some((whole.value % 10_000) * 100)),
            _ => (whole.value / 1_000_000, Some(whole.value % 1_000_000)),
        };
        let time = time.or_else(|| match rest.first() {
            Some(time) if time.digits == 6 => Some(time.value),
            Some(time) if time.digits == 4 => Some(time.value * 100),
            _ => None,
        });
        if let (None, Some(time)) = (self.time, time) {
            self.time = Time::new(time / 10_000, time / 100 % 100, time % 100);
        }
        Some((date / 10_000, date / 100 % 100, date % 100))
    }

    fn three(&mut self, first: Number, second: Number, third: Number) -> Option<(u64, u64, u64)> {
        if first.digits == 4 || first.value > 31 {
            let year = full_year(first);
            return Some(if second.value > 12 {
                self.guessed = true;
                (year, third.value, second.value)
            } else {
                (year, second.value, third.value)
            });
        }
        let year = full_year(third);
        let open = first.value <= 12 && second.value <= 12 && first.value != second.value;
        let short_iso = third.digits == 2 && third.value <= 31 && second.before == '-' && second.value <= 12;
        if short_iso {
            self.guessed = true;
            return Some((full_year(first), second.value, third.value));
        }
        // With slashes Americans write the month first, others the day; with dots and dashes the day comes first.
        let month_first = second.value > 12 || open && second.before == '/';
        self.guessed |= open && second.before != '.';
        Some(if month_first {
            (year, first.value, second.value)
        } else {
            (year, second.value, first.value)
        })
    }

    fn week_date(&mut self, year: Number, week: Number, day: Option<&Number>) -> Option<()> {
        let weekday =
            Weekday::from_monday_one_offset(day.map_or(Some(1), |day| i8::try_from(day.value).ok())?).ok()?;
        let date = ISOWeekDate::new(
            i16::try_from(year.value).ok()?,
            i8::try_from(week.value).ok()?,
            weekday,
        )
        .ok()?;
        self.date = Some(date.date());
        Some(())
    }

    fn day_of_year(&mut self, year: Number, day: Number) -> Option<()> {
        let first = civil::Date::new(i16::try_from(year.value).ok()?, 1, 1).ok()?;
        let day = i64::try_from(day.value)
            .ok()
            .filter(|day| (1..=366).contains(day))?;
        self.date = Some(first.checked_add((day - 1).days()).ok()?);
        Some(())
    }

    /// Returns the date; a day beyond the month's end is its last day.
    fn civil(&mut self, year: u64, month: u64, day: u64) -> Option<civil::Date> {
        let first = civil::Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, 1).ok()?;
        let day = i8::try_from(day).ok().filter(|day| (1..=31).contains(day))?;
        let last = first.days_in_month();
        self.guessed |= day > last;
        civil::Date::new(first.year(), first.month(), day.min(last)).ok()
    }

    fn instant(self) -> Option<Date> {
        let mut date = self.date?;
        let mut time = self.time.unwrap_or(Time {
            hour: 0,
            minute: 0,
            second: 0,
            nanosecond: 0,
        });
        if time.hour == 24 {
            time.hour = 0;
            date = date.tomorrow().ok()?;
        }
        let at = date.at(time.hour, time.minute, time.second, time.nanosecond);
        let offset = |minutes: i32| Offset::from_seconds(minutes * 60).ok().map(TimeZone::fixed);
        let (zone, sure) = match self.zone {
            Some(Zone::Offset(minutes)) => (offset(minutes)?, Confidence::Exact),
            Some(Zone::Ambiguous(minutes)) => (offset(minutes)?, Confidence::Guessed),
            Some(Zone::Region(zone)) => (zone, Confidence::Exact),
            None => (TimeZone::UTC, Confidence::AssumedZone),
        };
        let confidence = match (self.guessed, self.time) {
            (true, _) => Confidence::Guessed,
            (false, None) => Confidence::DateOnly,
            (false, Some(_)) => sure,
        };
        Some(Date {
            at: zone.to_ambiguous_timestamp(at).compatible().ok()?,
            confidence,
        })
    }
}

/// Returns the year of two or four digits (RFC 2822, 4.3).
fn full_year(year: Number) -> u64 {
    match (year.digits, year.value) {
        (..=2, value @ 0..=49) => 2000 + value,
        (..=2, value) => 1900 + value,
        (3, value) => 1900 + value,
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests;
