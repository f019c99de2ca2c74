//! Integers of 128 bits, and those of untyped JSON.
//!
//! An [`Int128`] is stored as two halves, because a `u128` would enlarge every datum by its
//! alignment; it orders `i128` and `u128` values by value.

use std::cmp::Ordering;
use std::fmt;

/// An integer of 128 bits, converted from an `i128` or a `u128`.
///
/// Compared exactly by value, with or without a sign.
///
/// # Examples
/// ```
/// use statehold_filter::{Filter, Filterable, Int128};
///
/// #[derive(Filterable)]
/// struct Account {
///     balance: i128,
///     serial: u128,
/// }
///
/// let text = "balance == -1 and serial == 340282366920938463463374607431768211455";
/// let filter = Filter::<Account>::compile(text)?;
/// assert!(filter.matches(&Account { balance: -1, serial: u128::MAX }));
/// assert!(Int128::from(u128::MAX) > Int128::from(i128::MAX));
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Int128(Sign);

/// The halves, high one first. Signed are negative numbers and numbers of a signed type.
#[derive(Clone, Copy)]
enum Sign {
    Int([u64; 2]),
    Uint([u64; 2]),
    /// Of untyped JSON: negative.
    JsonInt([u64; 2]),
    /// Of untyped JSON: not negative.
    JsonUint([u64; 2]),
}

#[expect(clippy::cast_possible_truncation, reason = "each half is kept")]
const fn halves(bits: u128) -> [u64; 2] {
    [(bits >> 64) as u64, bits as u64]
}

const fn joined(halves: [u64; 2]) -> u128 {
    (halves[0] as u128) << 64 | halves[1] as u128
}

impl From<i128> for Int128 {
    #[inline]
    fn from(value: i128) -> Self {
        Self(Sign::Int(halves(value.cast_unsigned())))
    }
}

impl From<u128> for Int128 {
    #[inline]
    fn from(value: u128) -> Self {
        Self(Sign::Uint(halves(value)))
    }
}

impl Int128 {
    /// Marks an integer of untyped JSON: literals are read as numbers, as for [`JsonInteger`].
    pub(crate) fn of_json(self) -> Self {
        Self(match self.0 {
            Sign::Int(own) => Sign::JsonInt(own),
            Sign::Uint(own) => Sign::JsonUint(own),
            json => json,
        })
    }

    /// Returns whether it is an integer of untyped JSON.
    pub(crate) fn is_json(self) -> bool {
        matches!(self.0, Sign::JsonInt(_) | Sign::JsonUint(_))
    }

    /// Reads decimal digits with an optional minus; `None` for other strings and beyond 128 bits.
    pub(crate) fn read(digits: &str) -> Option<Self> {
        let unsigned = digits.strip_prefix('-').unwrap_or(digits);
        if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits
            .parse::<i128>()
            .map(Self::from)
            .or_else(|_| digits.parse::<u128>().map(Self::from))
            .ok()
    }

    /// Returns the value if it fits an `i128`.
    pub(crate) fn int(self) -> Option<i128> {
        match self.0 {
            Sign::Int(own) | Sign::JsonInt(own) => Some(joined(own).cast_signed()),
            Sign::Uint(own) | Sign::JsonUint(own) => i128::try_from(joined(own)).ok(),
        }
    }

    /// Returns the value if it fits 64 bits.
    pub(crate) fn to_json_integer(self) -> Option<JsonInteger> {
        // A value beyond `i128` exceeds 64 bits.
        let value = self.int()?;
        i64::try_from(value)
            .map(JsonInteger::Int)
            .or_else(|_| u64::try_from(value).map(JsonInteger::Uint))
            .ok()
    }

    fn halves(self) -> [u64; 2] {
        let (Sign::Int(own) | Sign::Uint(own) | Sign::JsonInt(own) | Sign::JsonUint(own)) = self.0;
        own
    }

    /// Returns whether its type is signed.
    pub(crate) fn is_signed(self) -> bool {
        matches!(self.0, Sign::Int(_) | Sign::JsonInt(_))
    }

    /// Compares with a float exactly; `None` for NaN.
    #[expect(clippy::cast_precision_loss, reason = "the ends of the range are powers of two")]
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    #[expect(clippy::cast_sign_loss, reason = "only a float that is not below zero is cast so")]
    pub(crate) fn cmp_float(self, float: f64) -> Option<Ordering> {
        if float.is_nan() {
            return None;
        }
        let floor = float.floor();
        // `u128::MAX` rounds up to 2^128, so every integer is below it.
        if floor >= u128::MAX as f64 {
            return Some(Ordering::Less);
        }
        if floor < i128::MIN as f64 {
            return Some(Ordering::Greater);
        }
        let below = if floor < 0.0 { Self::from(floor as i128) } else { Self::from(floor as u128) };
        let order = self.cmp(&below);
        // A fraction above an integer sorts before the next one.
        Some(if float > floor { order.then(Ordering::Less) } else { order })
    }
}

impl Ord for Int128 {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.int(), other.int()) {
            (Some(own), Some(other)) => own.cmp(&other),
            // A value that exceeds `i128` is larger than any that fits.
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (None, None) => self.halves().cmp(&other.halves()),
        }
    }
}

impl PartialOrd for Int128 {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Int128 {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Int128 {}

impl fmt::Display for Int128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Sign::Int(own) | Sign::JsonInt(own) => joined(own).cast_signed().fmt(f),
            Sign::Uint(own) | Sign::JsonUint(own) => joined(own).fmt(f),
        }
    }
}

impl fmt::Debug for Int128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An integer of untyped JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonInteger {
    /// Fits an `i64`.
    Int(i64),
    /// Larger than any `i64`.
    Uint(u64),
}

impl JsonInteger {
    pub(crate) fn to_int128(self) -> Int128 {
        match self {
            Self::Int(value) => i128::from(value).into(),
            Self::Uint(value) => u128::from(value).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datum::Datum;

    #[test]
    fn int128_is_ordered_by_value_with_and_without_sign() {
        let ascending = [
            Int128::from(i128::MIN),
            Int128::from(-1_i128),
            Int128::from(0_u128),
            Int128::from(1_i128),
            Int128::from(i128::MAX),
            Int128::from(u128::MAX - 1),
            Int128::from(u128::MAX),
        ];
        assert!(ascending.is_sorted_by(|one, other| one < other));
        assert_eq!(Int128::from(7_i128), Int128::from(7_u128));
        assert_eq!(Int128::from(i128::MIN).to_string(), i128::MIN.to_string());
    }

    #[test]
    fn int128_and_floats_are_ordered_by_value() {
        let above = 2_f64.powi(128);
        for (own, float, order) in [
            (Int128::from(9_007_199_254_740_993_i128), 9_007_199_254_740_992.0, Ordering::Greater),
            (Int128::from(9_007_199_254_740_991_i128), 9_007_199_254_740_992.0, Ordering::Less),
            (Int128::from(9_007_199_254_740_992_i128), 9_007_199_254_740_992.0, Ordering::Equal),
            (Int128::from(1_i128), 1.5, Ordering::Less),
            (Int128::from(2_i128), 1.5, Ordering::Greater),
            (Int128::from(-1_i128), -1.5, Ordering::Greater),
            (Int128::from(-2_i128), -1.5, Ordering::Less),
            (Int128::from(0_u128), -0.0, Ordering::Equal),
            (Int128::from(u128::MAX), above, Ordering::Less),
            (Int128::from(u128::MAX), above * 0.999, Ordering::Greater),
            (Int128::from(i128::MIN), -(above / 2.0), Ordering::Equal),
            (Int128::from(i128::MIN), -above, Ordering::Greater),
            (Int128::from(u128::MAX), f64::INFINITY, Ordering::Less),
            (Int128::from(i128::MIN), f64::NEG_INFINITY, Ordering::Greater),
        ] {
            assert_eq!(own.cmp_float(float), Some(order), "{own} {float}");
        }
        assert_eq!(Int128::from(0_u128).cmp_float(f64::NAN), None);
    }

    #[test]
    fn int128_does_not_enlarge_a_datum() {
        assert_eq!(size_of::<Datum<'_>>(), 24);
    }
}
