//! Reads dates in whatever form feeds have them, and says how sure the reading is.
//!
//! A table of formats, the usual way, reads what its author thought of. Here a date is cut into words and numbers,
//! and what each is follows from its neighbours: a number before a colon is an hour, a name of a month in any of some
//! twenty languages is a month, what is left are day and year. So broken RFC 822, ISO 8601 with spaces, American and
//! localised forms all go the same way.

mod lex;
mod month;
mod zone;

use jiff::{
    Timestamp, ToSpan,
    civil::{self, ISOWeekDate, Weekday},
    tz::{Offset, TimeZone},
};

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

/// A time of day; 24:00:00 is midnight of the next day.
#[derive(Debug, Clone, Copy)]
struct Time {
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
}

/// A time found, none where there is no such time in a day, and where it ends.
type TimeAt = Option<(Option<Time>, usize)>;

impl Time {
    fn new(hour: u64, minute: u64, second: u64) -> Option<Self> {
        // Leap seconds have no instant of their own.
        let (hour, minute, second) = (
            i8::try_from(hour).ok()?,
            i8::try_from(minute).ok()?,
            i8::try_from(second.min(59)).ok()?,
        );
        let valid = hour < 24 && minute < 60 || hour == 24 && minute == 0 && second == 0;
        valid.then_some(Self {
            hour,
            minute,
            second,
            nanosecond: 0,
        })
    }
}

fn number(items: &Lexed, at: usize) -> Option<Number> {
    match items.get(at)? {
        Some(Item::Number(number)) => Some(*number),
        _ => None,
    }
}

fn sign(items: &Lexed, at: usize) -> Option<char> {
    match items.get(at)? {
        Some(Item::Sign(sign)) => Some(*sign),
        _ => None,
    }
}

fn word(items: &Lexed, at: usize) -> Option<&str> {
    match items.get(at)? {
        Some(Item::Word(word)) => Some(word),
        _ => None,
    }
}

/// Returns the place of the next item that is no space.
fn over_space(items: &Lexed, at: usize) -> usize {
    at + usize::from(items.get(at) == Some(&Some(Item::Space)))
}

/// Takes what has been understood out of the items.
fn clear(items: &mut Lexed, from: usize, to: usize) {
    for item in items.iter_mut().take(to).skip(from) {
        *item = None;
    }
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

/// Reads `10:00` or `10:00:00.5` at `at`; returns where it ends, with no time where there is none such in a day.
fn clock_at(items: &Lexed, at: usize) -> TimeAt {
    let colon = |at| sign(items, at) == Some(':');
    let short = |at| number(items, at).filter(|number| number.digits <= 2);
    let hour = short(at).filter(|_| colon(at + 1))?;
    let next = over_space(items, at + 2);
    let Some(minute) = short(next) else {
        // What is left of the Chinese `10:` without minutes.
        return Some((Time::new(hour.value, 0, 0), at + 2));
    };
    let end = next + 1;
    let next = over_space(items, end + 1);
    let Some(second) = short(next).filter(|_| colon(end)) else {
        return Some((
            Time::new(hour.value, minute.value, 0),
            end + usize::from(colon(end)),
        ));
    };
    let mut time = Time::new(hour.value, minute.value, second.value);
    let end = next + 1;
    let fraction = number(items, end + 1).filter(|_| matches!(sign(items, end), Some('.' | ',')));
    let Some(fraction) = fraction.filter(|fraction| fraction.digits <= 9) else {
        return Some((time, end));
    };
    if let Some(time) = &mut time {
        let scale = 10_u64.pow(9 - u32::try_from(fraction.digits).ok()?);
        time.nanosecond = i32::try_from(fraction.value * scale).ok()?;
    }
    Some((time, end + 2))
}

/// Reads a time without a colon at `at`: `T10`, `T1000`, `10h30`, `10.30 Uhr`, `10 am`, `10.00.00`, and `10.30` after
/// a year; returns where it ends.
fn loose_at(items: &Lexed, at: usize) -> TimeAt {
    let hour = number(items, at)?;
    let pair = |at| number(items, at).filter(|number| number.digits == 2);
    let dot = |at| sign(items, at) == Some('.');
    let year = |at: Option<usize>| {
        at.and_then(|at| number(items, at))
            .is_some_and(|year| year.digits == 4)
    };
    if at > 0 && word(items, at - 1) == Some("t") {
        let value = hour.value;
        return match hour.digits {
            6 => Some((Time::new(value / 10_000, value / 100 % 100, value % 100), at + 1)),
            4 => Some((Time::new(value / 100, value % 100, 0), at + 1)),
            2 => Some((Time::new(value, 0, 0), at + 1)),
            _ => None,
        };
    }
    if hour.digits > 2 {
        return None;
    }
    let unit = over_space(items, at + 1);
    match word(items, unit) {
        Some("h" | "ч") => {
            let next = over_space(items, unit + 1);
            let minute = pair(next);
            let end = if minute.is_some() { next + 1 } else { unit + 1 };
            return Some((
                Time::new(hour.value, minute.map_or(0, |minute| minute.value), 0),
                end,
            ));
        }
        Some("am" | "pm") => return Some((Time::new(hour.value, 0, 0), at + 1)),
        _ => {}
    }
    let minute = pair(at + 2).filter(|_| dot(at + 1))?;
    let after_year =
        year(at.checked_sub(2)) && at.checked_sub(1).is_some_and(|at| over_space(items, at) > at);
    if let Some(second) = pair(at + 4).filter(|_| dot(at + 3) && after_year) {
        return Some((Time::new(hour.value, minute.value, second.value), at + 5));
    }
    let named = matches!(word(items, over_space(items, at + 3)), Some("uhr" | "h"));
    (named || after_year).then(|| (Time::new(hour.value, minute.value, 0), at + 3))
}

/// Reads `+0300`, `-05:00`, `+3` at `at` as minutes; returns where it ends.
fn offset_at(items: &Lexed, at: usize, named: bool) -> Option<(i32, usize)> {
    let east = match sign(items, at)? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let first = number(items, at + 1)?;
    let (hours, minutes, end) = match first.digits {
        4 => (first.value / 100, first.value % 100, at + 2),
        6 => (first.value / 10_000, first.value / 100 % 100, at + 2),
        1 | 2 => match (sign(items, at + 2), number(items, at + 3)) {
            (Some(':'), Some(minutes)) => (first.value, minutes.value, at + 4),
            // `10:00 -13.07.2026`
            (Some('.' | '/' | '-'), Some(_)) if !named => return None,
            _ => (first.value, 0, at + 2),
        },
        _ => return None,
    };
    // Beyond these lies no zone (Kiribati is +14), so it is something else.
    (hours <= 14 && minutes < 60).then_some(())?;
    Some((east * i32::try_from(hours * 60 + minutes).ok()?, end))
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
