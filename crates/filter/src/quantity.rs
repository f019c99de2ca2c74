//! Sizes, durations and times: `10GiB`, `1h30m`, `2026-01-02T03:04:05Z`.
//!
//! A quantity is an integer of its unit's smallest step: bytes, nanoseconds, nanoseconds since
//! 1970. Finer fractions are
//! truncated.
//!
//! Invariant: reading is linear and never overflows: a number too large for an `i128` is not a
//! quantity.

use std::time::{Duration, SystemTime};

use jiff::civil::{DateTime, Time, date};
use jiff::fmt::temporal::Pieces;

use crate::schema::Unit;

/// A literal with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quantity {
    pub(crate) unit: Unit,
    /// In bytes, nanoseconds, or nanoseconds since 1970.
    pub(crate) value: i128,
}

/// Maximum number of digits before and after the point of one number.
const DIGITS_MAX: usize = 20;

const SIZES: [(&str, i128); 14] = [
    ("B", 1),
    // Decimal prefixes of SI, and binary ones of IEC below; both spellings of kilobyte are common.
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("EB", 1_000_000_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
    ("EiB", 1 << 60),
];

const DURATIONS: [(&str, i128); 10] = [
    ("ns", 1),
    // The micro sign and the Greek letter: Go's time.ParseDuration accepts both.
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

impl Quantity {
    /// Reads a size, duration or time; `None` for a plain number.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let value = |unit| move |value| Self { unit, value };
        // No string has more than one of the three forms.
        size(text)
            .map(value(Unit::Bytes))
            .or_else(|| duration(text).map(value(Unit::Nanoseconds)))
            .or_else(|| time(text).map(value(Unit::UnixNanoseconds)))
    }

    /// Returns the value clamped to 64 bits.
    pub(crate) fn saturated(self) -> i64 {
        saturate(self.value)
    }
}

fn saturate(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// Returns a duration in nanoseconds, at most 292 years.
pub(crate) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Returns a time in nanoseconds since 1970, clamped to the years 1677 to 2262.
pub(crate) fn unix_nanoseconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => nanoseconds(after),
        Err(before) => nanoseconds(before.duration()).saturating_neg(),
    }
}

fn size(text: &str) -> Option<i128> {
    let (number, unit) = number(text)?;
    let (_, factor) = SIZES.iter().find(|(name, _)| *name == unit)?;
    number.times(*factor)
}

/// Reads numbers with units in any order, as in `1h30m`.
fn duration(text: &str) -> Option<i128> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut sum = 0i128;
    loop {
        let (number, after) = number(rest)?;
        let end = after.find(|char: char| char.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let (_, factor) = DURATIONS.iter().find(|(name, _)| *name == unit)?;
        sum = sum.checked_add(number.times(*factor)?)?;
        if next.is_empty() {
            return Some(if negative { -sum } else { sum });
        }
        rest = next;
    }
}

/// Reads a time of RFC 3339, with `Z` or an offset.
fn time(text: &str) -> Option<i128> {
    let bytes = text.as_bytes();
    // jiff accepts more than RFC 3339: dates without time, times without seconds, zones in
    // brackets.
    let shaped = bytes.len() >= 20
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && (bytes[4], bytes[7]) == (b'-', b'-')
        && matches!(bytes[10], b'T' | b't')
        && (bytes[13], bytes[16]) == (b':', b':')
        && !bytes.contains(&b'[');
    if !shaped {
        return None;
    }
    // Not as a `jiff::Timestamp`, whose range ends two hours before the year 9999 does.
    let pieces = Pieces::parse(text).ok()?;
    let local = DateTime::from_parts(pieces.date(), pieces.time()?);
    let offset = pieces.to_numeric_offset()?;
    let since_1970 = local.duration_since(date(1970, 1, 1).to_datetime(Time::midnight()));
    let second = 1_000_000_000;
    Some(since_1970.as_nanos() - i128::from(offset.seconds()) * second)
}

/// Digits with at most one point, and digits on both sides of it.
struct DecimalDigits<'t> {
    whole: &'t str,
    fraction: &'t str,
}

impl DecimalDigits<'_> {
    /// Returns the product, truncated to an integer.
    fn times(&self, factor: i128) -> Option<i128> {
        let whole: i128 = self.whole.parse().ok()?;
        let mut sum = whole.checked_mul(factor)?;
        if !self.fraction.is_empty() {
            let fraction: i128 = self.fraction.parse().ok()?;
            let scale = 10i128.checked_pow(u32::try_from(self.fraction.len()).ok()?)?;
            // A fraction has few enough digits for the largest factor: the product is exact or no
            // quantity.
            sum = sum.checked_add(fraction.checked_mul(factor)? / scale)?;
        }
        Some(sum)
    }
}

/// Reads the number at the beginning of `text`, and returns it with the rest.
fn number(text: &str) -> Option<(DecimalDigits<'_>, &str)> {
    let (whole, rest) = digits(text)?;
    match rest.strip_prefix('.') {
        None => Some((DecimalDigits { whole, fraction: "" }, rest)),
        Some(rest) => {
            let (fraction, rest) = digits(rest)?;
            Some((DecimalDigits { whole, fraction }, rest))
        }
    }
}

fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    (1..=DIGITS_MAX).contains(&end).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_distinguished_by_unit() {
        for (text, unit, value) in [
            ("10GiB", Unit::Bytes, 10 << 30),
            ("500MB", Unit::Bytes, 500_000_000),
            ("1.5KiB", Unit::Bytes, 1_536),
            ("0.0001kB", Unit::Bytes, 0),
            ("7B", Unit::Bytes, 7),
            ("1h30m", Unit::Nanoseconds, 5_400_000_000_000),
            ("-1.5s", Unit::Nanoseconds, -1_500_000_000),
            ("2us1ns", Unit::Nanoseconds, 2_001),
            ("3\u{b5}s", Unit::Nanoseconds, 3_000),
            ("1w1d", Unit::Nanoseconds, 691_200_000_000_000),
            ("1970-01-01T00:00:01Z", Unit::UnixNanoseconds, 1_000_000_000),
            ("1970-01-01T01:00:00.5+01:00", Unit::UnixNanoseconds, 500_000_000),
            ("1969-12-31T23:59:59Z", Unit::UnixNanoseconds, -1_000_000_000),
        ] {
            assert_eq!(Quantity::read(text), Some(Quantity { unit, value }), "{text}");
        }
    }

    #[test]
    fn other_strings_are_not_quantities() {
        for text in [
            "",
            "10",
            "GiB",
            "10gib",
            "10 GiB",
            "-1GiB",
            ".5s",
            "5.s",
            "1h30",
            "1x",
            "--1s",
            "123456789012345678901s",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2026-01-02 03:04:05Z",
            "2026-01-02T030405.00Z",
            "2026-13-02T03:04:05Z",
            "2026-01-02T03:04:05Z[UTC]",
        ] {
            assert_eq!(Quantity::read(text), None, "{text}");
        }
    }

    #[test]
    fn durations_and_times_saturate_at_64_bits() {
        assert_eq!(nanoseconds(Duration::MAX), i64::MAX);
        let late = Quantity::read("9999-12-31T00:00:00Z").map(Quantity::saturated);
        assert_eq!(late, Some(i64::MAX));
        let early = Quantity::read("0001-01-01T00:00:00Z").map(Quantity::saturated);
        assert_eq!(early, Some(i64::MIN));
    }
}
