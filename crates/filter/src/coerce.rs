//! Converts literals and path parts to numbers and bools, by the rules of Go's `strconv`.
//!
//! Invariant: a text that is not a number of the requested kind is [`CoerceError::Syntax`]; a
//! number too large for 64 bits is [`CoerceError::Range`]. Lists of mixed kinds skip the first and
//! fail on the second.

use std::borrow::Cow;

use uuid::Uuid;

use crate::decimal::Decimal;
use crate::int128::Int128;

/// The reason why a text is not a value of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CoerceError {
    /// Not written like one.
    Syntax,
    /// Written like one, but too large.
    Range,
}

/// Reads `1 t T TRUE true True` and `0 f F FALSE false False`.
pub(crate) fn bool(text: &str) -> Result<bool, CoerceError> {
    // Go: strconv.ParseBool accepts these spellings only.
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(CoerceError::Syntax),
    }
}

/// Reads a signed integer of 64 bits, with base prefixes and digit separators.
pub(crate) fn int(text: &str) -> Result<i64, CoerceError> {
    // go-bexpr: coerce.go, CoerceInt64, which is strconv.ParseInt with base 0.
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = uint(digits)?;
    if negative {
        0i64.checked_sub_unsigned(magnitude).ok_or(CoerceError::Range)
    } else {
        i64::try_from(magnitude).map_err(|_| CoerceError::Range)
    }
}

/// Reads an unsigned integer of 64 bits, with base prefixes and digit separators, without a sign.
pub(crate) fn uint(text: &str) -> Result<u64, CoerceError> {
    unsigned(text, |value: u64, base, digit| {
        value.checked_mul(base.into())?.checked_add(digit.into())
    })
}

/// Reads an integer of 128 bits in the same notation, with a sign if `signed`.
pub(crate) fn int128(text: &str, signed: bool) -> Result<Int128, CoerceError> {
    let magnitude = |digits| {
        unsigned(digits, |value: u128, base, digit| {
            value.checked_mul(base.into())?.checked_add(digit.into())
        })
    };
    if !signed {
        return magnitude(text).map(Int128::from);
    }
    let value = match text.strip_prefix('-') {
        Some(digits) => 0i128.checked_sub_unsigned(magnitude(digits)?),
        None => i128::try_from(magnitude(text.strip_prefix('+').unwrap_or(text))?).ok(),
    };
    value.map(Int128::from).ok_or(CoerceError::Range)
}

/// Reads a UUID in its canonical form, hyphenated and lower-case; any other form equals no value.
pub(crate) fn canonical_uuid(text: &str) -> Option<Uuid> {
    // `try_parse` accepts braces, URNs and upper case too.
    let uuid = Uuid::try_parse(text).ok()?;
    let mut buffer = Uuid::encode_buffer();
    (uuid.hyphenated().encode_lower(&mut buffer) == text).then_some(uuid)
}

/// Reads digits; `push` appends a digit to a number and returns `None` on overflow.
fn unsigned<T: From<u8>>(
    text: &str,
    push: impl Fn(T, u32, u32) -> Option<T>,
) -> Result<T, CoerceError> {
    let bytes = text.as_bytes();
    let (base, digits): (u32, &[u8]) = match bytes {
        [] => return Err(CoerceError::Syntax),
        // A prefix without digits is octal: `0x` fails below at its `x`, as in Go.
        [b'0', b'x' | b'X', rest @ ..] if !rest.is_empty() => (16, rest),
        [b'0', b'o' | b'O', rest @ ..] if !rest.is_empty() => (8, rest),
        [b'0', b'b' | b'B', rest @ ..] if !rest.is_empty() => (2, rest),
        [b'0', rest @ ..] => (8, rest),
        _ => (10, bytes),
    };
    let mut value = T::from(0);
    let mut separated = false;
    for &byte in digits {
        if byte == b'_' {
            separated = true;
            continue;
        }
        // Overflow is reported at the first digit too many, even if a later character is no digit.
        let digit = char::from(byte).to_digit(base).ok_or(CoerceError::Syntax)?;
        value = push(value, base, digit).ok_or(CoerceError::Range)?;
    }
    if separated && !separators_between_digits(bytes) {
        return Err(CoerceError::Syntax);
    }
    Ok(value)
}

/// Returns whether each `_` stands between digits; a base prefix counts as one.
fn separators_between_digits(number: &[u8]) -> bool {
    let (mut after_digit, digits) = match number {
        // Go: strconv.underscoreOK, by which `0x_1` is a number and `_1` is not.
        [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', rest @ ..] => (true, rest),
        _ => (false, number),
    };
    for &byte in digits {
        match byte {
            b'_' if !after_digit => return false,
            b'_' => after_digit = false,
            _ => after_digit = true,
        }
    }
    after_digit
}

/// Reads a 64-bit float: decimal, `inf`, `nan`, or hexadecimal with a `p` exponent.
pub(crate) fn float(text: &str) -> Result<f64, CoerceError> {
    let text = &*without_separators(text)?;
    match shape(text)? {
        Shape::Word => text.parse().map_err(|_| CoerceError::Syntax),
        Shape::Decimal => finite(text.parse().map_err(|_| CoerceError::Syntax)?),
        Shape::Hex { negative, mantissa, exponent } => {
            let magnitude = finite(hex_float(mantissa, exponent)?)?;
            Ok(if negative { -magnitude } else { magnitude })
        }
    }
}

/// Reads the exact value of a float written in decimal digits.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    Decimal::read(&without_separators(text).ok()?)
}

/// Reads a 32-bit float; a decimal is rounded once, a hexadecimal one to 64 bits first.
pub(crate) fn float32(text: &str) -> Result<f32, CoerceError> {
    let text = &*without_separators(text)?;
    let value = match shape(text)? {
        Shape::Word => return text.parse().map_err(|_| CoerceError::Syntax),
        Shape::Decimal => text.parse::<f32>().map_err(|_| CoerceError::Syntax)?,
        #[expect(clippy::cast_possible_truncation, reason = "rounding to 32 bits is the purpose")]
        Shape::Hex { .. } => float(text)? as f32,
    };
    if value.is_infinite() { Err(CoerceError::Range) } else { Ok(value) }
}

/// Removes the `_` of a number; each MUST stand between digits.
fn without_separators(text: &str) -> Result<Cow<'_, str>, CoerceError> {
    if !text.contains('_') {
        return Ok(Cow::Borrowed(text));
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let hex = unsigned.starts_with("0x") || unsigned.starts_with("0X");
    let digit = |byte: &u8| if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
    let bytes = unsigned.as_bytes();
    let between = |at: usize| {
        let after_prefix = hex && at == 2;
        let before = at > 0 && (after_prefix || digit(&bytes[at - 1]));
        before && bytes.get(at + 1).is_some_and(digit)
    };
    let separators = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    if separators.map(|(at, _)| at).all(between) {
        Ok(Cow::Owned(text.replace('_', "")))
    } else {
        Err(CoerceError::Syntax)
    }
}

fn finite(value: f64) -> Result<f64, CoerceError> {
    if value.is_infinite() { Err(CoerceError::Range) } else { Ok(value) }
}

enum Shape<'t> {
    Word,
    Decimal,
    Hex { negative: bool, mantissa: &'t str, exponent: &'t str },
}

fn shape(text: &str) -> Result<Shape<'_>, CoerceError> {
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if ["inf", "infinity", "nan"].iter().any(|word| rest.eq_ignore_ascii_case(word)) {
        // Go has no signed NaN.
        let signed_nan = rest.len() != text.len() && rest.eq_ignore_ascii_case("nan");
        return if signed_nan { Err(CoerceError::Syntax) } else { Ok(Shape::Word) };
    }
    // Go: strconv.ParseFloat requires the `p` of a hexadecimal float, so `0x3` is not one.
    if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let at = hex.find(['p', 'P']).ok_or(CoerceError::Syntax)?;
        return Ok(Shape::Hex { negative, mantissa: &hex[..at], exponent: &hex[at + 1..] });
    }
    if rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        Ok(Shape::Decimal)
    } else {
        Err(CoerceError::Syntax)
    }
}

/// Returns `mantissa * 2^exponent`; the mantissa is hexadecimal with an optional dot.
fn hex_float(mantissa: &str, exponent: &str) -> Result<f64, CoerceError> {
    let (digits_seen, mut value, mut scale) = {
        let (mut seen, mut value, mut scale) = (false, 0u64, 0i32);
        let mut after_dot = false;
        for byte in mantissa.bytes() {
            if byte == b'.' && !after_dot {
                after_dot = true;
                continue;
            }
            let digit = char::from(byte).to_digit(16).ok_or(CoerceError::Syntax)?;
            seen = true;
            // Four more bits fit without losing the highest ones.
            if value >> 58 == 0 {
                value = value << 4 | u64::from(digit);
                scale -= if after_dot { 4 } else { 0 };
            } else {
                // Rounding depends only on whether a later digit is not zero.
                value |= u64::from(digit != 0);
                scale = scale.saturating_add(if after_dot { 0 } else { 4 });
            }
        }
        (seen, value, scale)
    };
    let well_formed =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if !digits_seen || !well_formed(unsigned) {
        return Err(CoerceError::Syntax);
    }
    if value == 0 {
        return Ok(0.0);
    }
    // Exponents far beyond the range of a float are all alike, and clamping keeps the sums in an
    // `i32`.
    let bound = if exponent.starts_with('-') { -10_000 } else { 10_000 };
    scale = scale.saturating_add(exponent.parse::<i32>().unwrap_or(bound).clamp(-10_000, 10_000));
    // Keeps at most 62 significant bits: a `u64` is rounded once, to nearest even, when it is
    // converted.
    while scale < -1_074 - 62 && value != 0 {
        value = value >> 1 | value & 1;
        scale += 1;
        if value == 1 {
            return Ok(0.0);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "this is the one rounding")]
    let rounded = value as f64;
    // A power below 2^-1022 would be rounded itself, so the scale is applied in two factors.
    Ok(if scale < -1_000 {
        rounded * 2f64.powi(-1_000) * 2f64.powi(scale + 1_000)
    } else if scale > 1_000 {
        rounded * 2f64.powi(1_000) * 2f64.powi((scale - 1_000).min(1_023))
    } else {
        rounded * 2f64.powi(scale)
    })
}

/// Reads a key of an integer map or the index of a list: like [`int`], but the empty text is 0.
pub(crate) fn index(text: &str) -> Option<i64> {
    // pointerstructure: get.go, getSlice, which decodes weakly: an empty string is zero.
    if text.is_empty() { Some(0) } else { int(text).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_accept_prefixes_signs_and_separators() {
        for (text, value) in
            [("0", 0), ("-0x2A", -42), ("0b11", 3), ("0o17", 15), ("017", 15), ("1_000", 1000)]
        {
            assert_eq!(int(text), Ok(value), "{text}");
        }
        for text in ["", "-", "0x", "1__0", "_1", "1_", "08", "1.0", "1e3", " 1"] {
            assert_eq!(int(text), Err(CoerceError::Syntax), "{text}");
        }
        assert_eq!(int("9223372036854775808"), Err(CoerceError::Range));
        assert_eq!(int("-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(uint("+1"), Err(CoerceError::Syntax));
        assert_eq!(uint("18446744073709551616"), Err(CoerceError::Range));
    }

    #[test]
    fn floats_follow_the_rules_of_go() {
        for (text, value) in [
            ("1e3", 1000.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("0x1p-2", 0.25),
            ("0x1.8p1", 3.0),
            ("+1", 1.0),
        ] {
            assert_eq!(float(text), Ok(value), "{text}");
        }
        assert_eq!(float("-Inf"), Ok(f64::NEG_INFINITY));
        assert!(float("NaN").is_ok_and(f64::is_nan));
        for text in
            ["", "0x3", "1__0", "1_.5", "_1", "1e", ".", "+", "nan(1)", "infinit", "+nan", "0xp1"]
        {
            assert_eq!(float(text), Err(CoerceError::Syntax), "{text}");
        }
        assert_eq!(float("1e400"), Err(CoerceError::Range));
        assert_eq!(float("1e-400"), Ok(0.0));
        assert_eq!(float32("3.5e38"), Err(CoerceError::Range));
        assert_eq!(float("0x1p-1074"), Ok(5e-324));
        assert_eq!(float("0x1p5000"), Err(CoerceError::Range));
    }
}
