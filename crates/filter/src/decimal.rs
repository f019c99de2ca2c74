//! Decimal numbers of any length, compared by value.
//!
//! Invariant: two numbers are equal exactly if they have the same sign, the same position of the
//! point and the same digits, because neither the first nor the last digit is a zero. Comparing
//! allocates nothing and reads the shorter one.

use std::cmp::Ordering;
use std::fmt;

use crate::int128::Int128;

/// Exponents are clamped to this: strings are far too short for their digits to cancel a larger
/// one.
const EXPONENT_MAX: i64 = 1 << 60;
/// Digits of the largest integer of 128 bits.
const WIDE_DIGITS: i64 = 39;

/// A JSON number that is not an integer of 128 bits: one with a fraction, or a larger one.
///
/// Keeps every digit and is compared exactly. [`Json`](crate::Json) holds such numbers.
///
/// # Examples
/// ```
/// use statehold_filter::{Filter, Json};
///
/// let row: Json = r#"{"ratio": 0.30000000000000004}"#.parse().unwrap();
/// assert!(Filter::<Json>::compile("ratio == 0.30000000000000004")?.matches(&row));
/// // As floats these two would be equal.
/// assert!(!Filter::<Json>::compile("ratio == 0.300000000000000041")?.matches(&row));
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// The number of digits before the point; negative if zeros follow it. The minimum for zero.
    point: i64,
    /// Without zeros at either end, so zero has none.
    digits: Box<[u8]>,
    floor: Floor,
    /// The bits of the nearest float; infinite beyond the range of floats.
    float: u64,
}

/// The largest integer that is not above a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Floor {
    /// The number itself.
    At(Int128),
    /// The number lies between this integer and the next one.
    Below(Int128),
    /// The integer has more than 128 bits.
    Beyond,
}

impl Decimal {
    /// Reads digits with an optional sign, point and exponent; `None` for other strings.
    ///
    /// Cost: linear in the length.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] | rest => (false, rest),
        };
        let mantissa_end = unsigned.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (mantissa, exponent) = match mantissa_end {
            Some(end) => (unsigned.get(..end)?, exponent(unsigned.get(end + 1..)?)?),
            None => (unsigned, 0),
        };
        let point = mantissa.iter().position(|byte| *byte == b'.').unwrap_or(mantissa.len());
        let (whole, fraction) = mantissa.split_at(point);
        let fraction = fraction.get(1..).unwrap_or_default();
        let digits = || whole.iter().chain(fraction).copied();
        if digits().next().is_none() || !digits().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let zeros = digits().take_while(|byte| *byte == b'0').count();
        let mut significant: Vec<u8> = digits().skip(zeros).collect();
        // Equal numbers must have equal digits.
        while significant.last() == Some(&b'0') {
            significant.pop();
        }
        let point = if significant.is_empty() {
            i64::MIN
        } else {
            exponent + i64::try_from(whole.len()).ok()? - i64::try_from(zeros).ok()?
        };
        // Zero is not negative, so that -0 equals 0.
        let negative = negative && !significant.is_empty();
        let floor = floor(negative, point, &significant);
        let float: f64 = text.parse().ok()?;
        // Zero has no sign here, because `==` ignores it.
        let float = (float + 0.0).to_bits();
        Some(Self { negative, point, digits: significant.into(), floor, float })
    }

    /// Returns the number as an integer, if it is one of at most 128 bits.
    pub(crate) fn to_integer(&self) -> Option<Int128> {
        match self.floor {
            Floor::At(whole) => Some(whole),
            Floor::Below(_) | Floor::Beyond => None,
        }
    }

    /// Returns the nearest float.
    pub(crate) fn float(&self) -> f64 {
        f64::from_bits(self.float)
    }

    /// Compares with an integer.
    pub(crate) fn cmp_int128(&self, other: Int128) -> Ordering {
        match self.floor {
            Floor::At(whole) => whole.cmp(&other),
            // A fraction above an integer sorts before the next one.
            Floor::Below(whole) => whole.cmp(&other).then(Ordering::Greater),
            Floor::Beyond if self.negative => Ordering::Less,
            Floor::Beyond => Ordering::Greater,
        }
    }

    /// Returns the maximum number of bytes that a comparison reads.
    pub(crate) fn len(&self) -> usize {
        self.digits.len()
    }
}

/// Reads the number behind an `e`, clamped to [`EXPONENT_MAX`].
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Clamps at each digit, so that no length of exponent overflows.
    let magnitude = digits.iter().fold(0_i64, |sum, digit| {
        sum.saturating_mul(10).saturating_add((digit - b'0').into()).min(EXPONENT_MAX)
    });
    Some(if negative { -magnitude } else { magnitude })
}

fn floor(negative: bool, point: i64, digits: &[u8]) -> Floor {
    // Answered by length alone: a huge exponent MUST NOT cost a loop over its zeros.
    if point > WIDE_DIGITS {
        return Floor::Beyond;
    }
    // A negative position has no digits before the point.
    let before = usize::try_from(point).unwrap_or(0);
    let magnitude = (0..before).try_fold(0_u128, |sum, at| {
        let digit = digits.get(at).map_or(0, |digit| digit - b'0');
        sum.checked_mul(10)?.checked_add(digit.into())
    });
    let fraction = digits.len() > before;
    let whole = magnitude.and_then(|magnitude| {
        if negative {
            // The integer below a negative fraction is one further from zero.
            0_i128.checked_sub_unsigned(magnitude.checked_add(fraction.into())?).map(Int128::from)
        } else {
            Some(i128::try_from(magnitude).map_or_else(|_| Int128::from(magnitude), Int128::from))
        }
    });
    match whole {
        Some(whole) if fraction => Floor::Below(whole),
        Some(whole) => Floor::At(whole),
        None => Floor::Beyond,
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without leading zeros the position of the point decides first, then the digits in order.
        let size = || self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
        match (self.negative, other.negative) {
            (false, false) => size(),
            (true, true) => size().reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Prints a JSON number of equal value, normalised: `0.15e3`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = str::from_utf8(&self.digits).unwrap_or_default();
        let sign = if self.negative { "-" } else { "" };
        if digits.is_empty() {
            f.write_str("0")
        } else {
            write!(f, "{sign}0.{digits}e{}", self.point)
        }
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Decimal {
        Decimal::read(text).unwrap_or_else(|| panic!("{text}"))
    }

    /// Numbers in ascending order, each with other notations of it.
    const ASCENDING: &[&[&str]] = &[
        &["-1e99999999999999999999"],
        &["-1e400"],
        &["-170141183460469231731687303715884105729", "-170141183460469231731687303715884105729.0"],
        &["-170141183460469231731687303715884105728"],
        &["-1.5", "-15e-1", "-0.15e1"],
        &["-1", "-1.0"],
        &["-0.5", "-.5"],
        &["-1e-400"],
        &["0", "-0", "0.0", "0e9", "-0e-99999999999999999999"],
        &["1e-99999999999999999999"],
        &["1e-400"],
        &["0.1", "00.1", "1e-1", "0.10"],
        &["0.1000000000000000055511151231257827"],
        &["1", "+1", "1.", "10e-1"],
        &["1.5"],
        &["99.999"],
        &["100", "1e2", "1E+2", "0.001e5"],
        &["9007199254740992", "9007199254740992.0"],
        &["9007199254740992.5"],
        &["9007199254740993"],
        &["340282366920938463463374607431768211455"],
        &["340282366920938463463374607431768211455.5"],
        &["340282366920938463463374607431768211456"],
        &["1e400"],
        &["1e99999999999999999999"],
    ];

    #[test]
    fn decimals_are_ordered_by_value() {
        for (at, own) in ASCENDING.iter().enumerate() {
            for (place, other) in ASCENDING.iter().enumerate() {
                for (own, other) in own.iter().flat_map(|own| other.iter().map(move |o| (own, o))) {
                    let (own, other) = (read(own), read(other));
                    assert_eq!(own.cmp(&other), at.cmp(&place), "{own} {other}");
                    if let Some(whole) = other.to_integer() {
                        assert_eq!(own.cmp_int128(whole), at.cmp(&place), "{own} {whole}");
                    }
                }
            }
        }
    }

    #[test]
    fn other_strings_are_rejected() {
        for text in ["", "-", ".", "e1", "1e", "1e+", "1.2.3", "0x1", "1_0", "inf", "1e1.5", "--1"]
        {
            assert!(Decimal::read(text).is_none(), "{text}");
        }
    }
}
