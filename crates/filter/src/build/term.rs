//! Right sides.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use uuid::Uuid;

use super::{NOWHERE, Subject};
use crate::ast::{Selector, Value};

/// The right side of a comparison: a value, or another field.
///
/// Converted from a [`Subject`], and from every type that converts into a [`Value`]: strings,
/// numbers, bools, [`Uuid`], [`IpAddr`], [`Duration`], [`SystemTime`].
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use statehold_filter::build::field;
///
/// assert_eq!(field("Age").gt(Duration::from_secs(5_400)).to_string(), "Age > 1h30m");
/// assert_eq!(field("Size").le(field("Limit")).to_string(), "@Size <= @Limit");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Term(pub(super) Side);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Side {
    Value(Value),
    Field(Selector),
}

impl<T: Into<Value>> From<T> for Term {
    fn from(value: T) -> Self {
        Self(Side::Value(value.into()))
    }
}

impl From<Subject> for Term {
    fn from(subject: Subject) -> Self {
        Self(Side::Field(subject.0))
    }
}

macro_rules! from {
    ($($type:ty => |$value:ident| $text:expr, $number:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                Self { text: $text.into(), number: $number, span: NOWHERE }
            }
        }
    )*};
}

from! {
    &str => |value| value, false;
    &String => |value| value.as_str(), false;
    String => |value| value, false;
    Box<str> => |value| value, false;
    bool => |value| value.to_string(), false;
    char => |value| value.to_string(), false;
    Uuid => |value| value.hyphenated().to_string(), false;
    Ipv4Addr => |value| value.to_string(), false;
    Ipv6Addr => |value| value.to_string(), false;
    IpAddr => |value| value.to_string(), false;
    i8 => |value| value.to_string(), true;
    i16 => |value| value.to_string(), true;
    i32 => |value| value.to_string(), true;
    i64 => |value| value.to_string(), true;
    isize => |value| value.to_string(), true;
    u8 => |value| value.to_string(), true;
    u16 => |value| value.to_string(), true;
    u32 => |value| value.to_string(), true;
    u64 => |value| value.to_string(), true;
    usize => |value| value.to_string(), true;
    // `inf` and `NaN` have no bare form in the grammar, so they are quoted.
    f32 => |value| value.to_string(), value.is_finite();
    f64 => |value| value.to_string(), value.is_finite();
    Duration => |value| duration_text(value), true;
    SystemTime => |value| time_text(value), true;
}

/// Formats a duration in the form that the parser reads.
fn duration_text(duration: Duration) -> String {
    let (seconds, below) = (duration.as_secs(), duration.subsec_nanos());
    let mut text = String::new();
    for (count, unit) in [
        (seconds / 3_600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (below.into(), "ns"),
    ] {
        if count > 0 {
            // Writing to a string does not fail.
            let _ = write!(text, "{count}{unit}");
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Formats a time in the form that the parser reads; clamps it to the years 0 to 9999.
fn time_text(time: SystemTime) -> String {
    let nanos = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => i128::try_from(before.duration().as_nanos()).map_or(i128::MIN, |past| -past),
    };
    /// The first and the last second that RFC 3339 can express.
    const SECONDS: (i128, i128) = (-62_167_219_200, 253_402_207_200);
    const SECOND: i128 = 1_000_000_000;
    let nanos = nanos.clamp(SECONDS.0 * SECOND, SECONDS.1 * SECOND);
    Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::{Quantity, unix_nanoseconds};
    use crate::schema::Unit;

    #[test]
    fn written_quantities_are_read_as_the_same() {
        for duration in [
            Duration::ZERO,
            Duration::from_millis(1_500),
            Duration::new(90_061, 7),
            Duration::from_secs(u64::from(u32::MAX)),
        ] {
            let value = i128::try_from(duration.as_nanos()).expect("a small duration fits");
            let read = Quantity::read(&duration_text(duration));
            assert_eq!(read, Some(Quantity { unit: Unit::Nanoseconds, value }));
        }
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_767_323_045, 120_000_000);
        assert_eq!(time_text(time), "2026-01-02T03:04:05.12Z");
        let before = SystemTime::UNIX_EPOCH - Duration::from_nanos(1);
        let read = Quantity::read(&time_text(before)).map(Quantity::saturated);
        assert_eq!(read, Some(unix_nanoseconds(before)));
        let far = Duration::from_secs(400_000_000_000);
        assert_eq!(time_text(SystemTime::UNIX_EPOCH + far), "9999-12-30T22:00:00Z");
        assert_eq!(time_text(SystemTime::UNIX_EPOCH - far), "0000-01-01T00:00:00Z");
    }
}
