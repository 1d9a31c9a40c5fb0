//! Finds times of day and offsets from UTC among the pieces of a date.

use super::lex::{Item, Lexed, Number};

/// A time of day; 24:00:00 is midnight of the next day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time {
    pub(super) hour: i8,
    pub(super) minute: i8,
    pub(super) second: i8,
    pub(super) nanosecond: i32,
}

/// A time found, none where there is no such time in a day, and where it ends.
pub(super) type TimeAt = Option<(Option<Time>, usize)>;

impl Time {
    /// Returns the time, where there is such a one in a day.
    pub(super) fn new(hour: u64, minute: u64, second: u64) -> Option<Self> {
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

/// Returns the number at `at`.
pub(super) fn number(items: &Lexed, at: usize) -> Option<Number> {
    match items.get(at)? {
        Some(Item::Number(number)) => Some(*number),
        _ => None,
    }
}

/// Returns the sign at `at`.
pub(super) fn sign(items: &Lexed, at: usize) -> Option<char> {
    match items.get(at)? {
        Some(Item::Sign(sign)) => Some(*sign),
        _ => None,
    }
}

/// Returns the word at `at`.
pub(super) fn word(items: &Lexed, at: usize) -> Option<&str> {
    match items.get(at)? {
        Some(Item::Word(word)) => Some(word),
        _ => None,
    }
}

/// Returns the place of the next item that is no space.
pub(super) fn over_space(items: &Lexed, at: usize) -> usize {
    at + usize::from(items.get(at) == Some(&Some(Item::Space)))
}

/// Takes what has been understood out of the items.
pub(super) fn clear(items: &mut Lexed, from: usize, to: usize) {
    for item in items.iter_mut().take(to).skip(from) {
        *item = None;
    }
}

/// Reads `10:00` or `10:00:00.5` at `at`; returns where it ends, with no time where there is none such in a day.
pub(super) fn clock_at(items: &Lexed, at: usize) -> TimeAt {
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
pub(super) fn loose_at(items: &Lexed, at: usize) -> TimeAt {
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
pub(super) fn offset_at(items: &Lexed, at: usize, named: bool) -> Option<(i32, usize)> {
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
