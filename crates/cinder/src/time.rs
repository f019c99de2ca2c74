//! Times: Unix nanoseconds in rows, `YYYY-MM-DDTHH:MM:SS.ffffff` in UTC in bodies.
//!
//! Stored times are shown and compared in whole seconds, like the reference's; only the response to
//! a create shows microseconds.

const NS: i64 = 1_000_000_000;
const SECONDS_A_DAY: i64 = 86_400;
// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAY: i64 = 719_468;

/// Formats the time of a stored row, in whole seconds.
///
/// ```
/// use statehold_cinder::timestamp;
/// assert_eq!(timestamp(1_795_224_837_605_101_000), "2026-11-21T01:33:57.000000");
/// ```
pub fn timestamp(ns: i64) -> String {
    format(ns.div_euclid(NS), 0)
}

/// Formats the time of a row that is being created, with microseconds.
pub(crate) fn timestamp_exact(ns: i64) -> String {
    format(ns.div_euclid(NS), ns.rem_euclid(NS) / 1000)
}

/// Returns the whole seconds of a time.
pub(crate) fn seconds(ns: i64) -> i64 {
    ns.div_euclid(NS)
}

fn format(seconds: i64, micros: i64) -> String {
    let (days, within) = (seconds.div_euclid(SECONDS_A_DAY), seconds.rem_euclid(SECONDS_A_DAY));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (within / 3600, within / 60 % 60, within % 60);
    let mut text = String::with_capacity(26);
    // Avoids `write!`, which took an eighth of the time of a detailed page.
    for (value, width, end) in [
        (year, 4, "-"),
        (month, 2, "-"),
        (day, 2, "T"),
        (hour, 2, ":"),
        (minute, 2, ":"),
        (second, 2, "."),
        (micros, 6, ""),
    ] {
        push_digits(&mut text, value, width);
        text.push_str(end);
    }
    text
}

/// Appends the last `width` digits of a non-negative number.
fn push_digits(text: &mut String, value: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = u32::try_from(value / 10_i64.pow(place) % 10).unwrap_or_default();
        text.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

/// Returns the year, month and day of a number of days since 1970.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // The algorithm of days_from_civil and civil_from_days: years start in March, so that a leap
    // day is the last day of its year.
    let days = days + EPOCH_DAY;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Returns the number of days from 1970 to a date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAY
}

/// Parses an ISO 8601 date or date-time to Unix seconds, in UTC unless it has an offset. Fractions
/// of seconds are dropped.
pub(crate) fn parse_seconds(text: &str) -> Option<i64> {
    let (date, clock) = match text.split_once(['T', ' ']) {
        Some((date, clock)) => (date, Some(clock)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let (year, month) = (parse_number(year, 0, 9999)?, parse_number(month, 1, 12)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let midnight = days_from_civil(year, month, parse_number(day, 1, last)?) * SECONDS_A_DAY;
    let Some(clock) = clock else { return Some(midnight) };
    let (clock, offset) = match clock.find(['Z', '+', '-']) {
        Some(at) => (clock.get(..at)?, parse_offset(clock.get(at..)?)?),
        None => (clock, 0),
    };
    let mut parts = clock.split(':');
    let hour = parse_number(parts.next()?, 0, 23)?;
    let minute = parts.next().map_or(Some(0), |text| parse_number(text, 0, 59))?;
    let second = match parts.next() {
        Some(text) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            let digits = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
            parse_number(whole, 0, 59).filter(|_| digits)?
        }
        None => 0,
    };
    let over = parts.next().is_some();
    (!over).then_some(midnight + hour * 3600 + minute * 60 + second - offset)
}

/// Returns the offset of `Z`, `+HH:MM`, `+HHMM` or `+HH` from UTC, in seconds.
fn parse_offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let rest = text.get(1..)?;
    let digits: String = rest.chars().filter(|&c| c != ':').collect();
    let minutes = digits.get(2..).filter(|text| !text.is_empty()).unwrap_or("00");
    let (hours, minutes) = (parse_number(digits.get(..2)?, 0, 23)?, parse_number(minutes, 0, 59)?);
    Some(sign * (hours * 3600 + minutes * 60))
}

fn parse_number(text: &str, min: i64, max: i64) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && (min..=max).contains(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_round_trip() {
        for seconds in [0, 951_782_400, 951_868_799, 1_795_224_837, -1, 4_102_444_800] {
            let text = timestamp(seconds * NS);
            assert_eq!(parse_seconds(&text), Some(seconds), "{text}");
        }
        assert_eq!(timestamp_exact(1_795_224_837_605_101_000), "2026-11-21T01:33:57.605101");
    }

    #[test]
    fn dates_and_offsets_are_parsed_and_nonsense_is_rejected() {
        let noon = parse_seconds("2020-02-29T12:00:00").unwrap();
        assert_eq!(parse_seconds("2020-02-29 14:00:00+02:00"), Some(noon));
        assert_eq!(parse_seconds("2020-02-29T12:00Z"), Some(noon));
        assert_eq!(parse_seconds("2020-02-29"), Some(noon - 12 * 3600));
        for text in [
            "",
            "bad",
            "2020",
            "2021-02-29",
            "2020-13-01",
            "2020-01-01T25:00",
            "2020-01-01T1:2:3:4",
        ] {
            assert_eq!(parse_seconds(text), None, "{text}");
        }
    }
}
