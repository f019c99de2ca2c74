//! Pieces of error messages that clients print: quoted names, counted lists of errors, byte counts.
//!
//! The formats follow Nomad's, because scripts match on them.

use std::fmt;

/// Returns the longest prefix of `text` of at most `max` bytes that ends between characters.
pub(crate) fn beginning(text: &str, max: usize) -> &str {
    // A character has at most four bytes, so the search ends after four steps.
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

/// A string in double quotes, with quotes and control characters escaped.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Go: strconv.Quote, as `%q` prints names in Nomad's messages.
        f.write_str("\"")?;
        for found in self.0.chars() {
            match found {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\u{7}' => f.write_str("\\a")?,
                '\u{8}' => f.write_str("\\b")?,
                '\u{b}' => f.write_str("\\v")?,
                '\u{c}' => f.write_str("\\f")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\0'..='\u{1f}' | '\u{7f}' => write!(f, "\\x{:02x}", u32::from(found))?,
                '\u{80}'..='\u{9f}' => write!(f, "\\u{:04x}", u32::from(found))?,
                _ => fmt::Write::write_char(f, found)?,
            }
        }
        f.write_str("\"")
    }
}

/// All errors of one request, in the order in which they were found.
///
/// Prints a count and a list: `2 errors occurred:`, then a line with a tab and an asterisk for each
/// error, then an empty line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiError<E> {
    errors: Vec<E>,
}

impl<E> MultiError<E> {
    /// Returns `Ok` if `errors` is empty.
    pub(crate) fn check(errors: Vec<E>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self { errors }) }
    }

    /// Returns the errors, at least one.
    pub fn errors(&self) -> &[E] {
        &self.errors
    }
}

impl<E: fmt::Display> fmt::Display for MultiError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // go-multierror: format.go, ListFormatFunc.
        match self.errors.len() {
            1 => f.write_str("1 error occurred:\n")?,
            count => writeln!(f, "{count} errors occurred:")?,
        }
        for error in &self.errors {
            writeln!(f, "\t* {error}")?;
        }
        f.write_str("\n")
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for MultiError<E> {}

/// A number of bytes in powers of 1000, as people read it: `2 B`, `1.5 kB`, `20 GB`.
pub(crate) struct HumanBytes(pub(crate) i64);

impl fmt::Display for HumanBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
        // go-humanize: bytes.go, Bytes. A negative size prints as 0.
        let bytes = u64::try_from(self.0).unwrap_or(0);
        if bytes < 10 {
            return write!(f, "{bytes} B");
        }
        let (mut scale, mut unit) = (1_u128, 0_usize);
        while unit + 1 < UNITS.len() && u128::from(bytes) >= scale * 1000 {
            scale *= 1000;
            unit += 1;
        }
        let name = UNITS.get(unit).copied().unwrap_or("B");
        // First to tenths, rounding half up; below ten units the tenth is shown.
        let tenths = (u128::from(bytes) * 10 + scale / 2) / scale;
        if tenths < 100 {
            return write!(f, "{}.{} {name}", tenths / 10, tenths % 10);
        }
        // Then to whole units, rounding half to even.
        let (whole, rest) = (tenths / 10, tenths % 10);
        let up = rest > 5 || (rest == 5 && whole % 2 == 1);
        write!(f, "{} {name}", whole + u128::from(up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_escape_control_characters_and_quotes() {
        assert_eq!(Quoted("plain").to_string(), "\"plain\"");
        assert_eq!(Quoted("a\"b\\c\nd\u{1}é").to_string(), "\"a\\\"b\\\\c\\nd\\x01é\"");
    }

    #[test]
    fn several_errors_print_as_a_counted_list() {
        let one = MultiError::check(vec!["no"]).expect_err("one error");
        assert_eq!(one.to_string(), "1 error occurred:\n\t* no\n\n");
        let two = MultiError::check(vec!["a", "b"]).expect_err("two errors");
        assert_eq!(two.to_string(), "2 errors occurred:\n\t* a\n\t* b\n\n");
        assert_eq!(MultiError::<&str>::check(Vec::new()), Ok(()));
    }

    #[test]
    fn bytes_have_one_decimal_below_ten_units() {
        let human = |bytes| HumanBytes(bytes).to_string();
        assert_eq!(human(2), "2 B");
        assert_eq!(human(0), "0 B");
        assert_eq!(human(-1), "0 B");
        assert_eq!(human(82), "82 B");
        assert_eq!(human(999), "999 B");
        assert_eq!(human(1500), "1.5 kB");
        assert_eq!(human(9_999), "10 kB");
        assert_eq!(human(10_000_000_000), "10 GB");
        assert_eq!(human(i64::MAX), "9.2 EB");
    }
}
