//! Hex prefixes of UUIDs, as users copy them from a list into a lookup.

use std::fmt;

use uuid::Uuid;

use crate::key::{KeyBuf, KeyBytes, after_prefix};

/// Number of hex digits in a whole UUID.
pub const HEX_DIGITS_MAX: usize = 32;

/// Maximum number of hyphens in a UUID, and so in a prefix of one.
pub const HYPHENS_MAX: usize = 4;

/// The first digits of a UUID, of any length, hyphens optional, in upper or lower case.
///
/// An odd number of digits is a half-byte range: `a8f` means `a8f0…` to `a8ff…`. The empty prefix matches every
/// UUID.
///
/// ```
/// use statehold_store::HexPrefix;
/// let prefix: HexPrefix = "A8198D79-c".parse()?;
/// assert!(prefix.matches("a8198d79-cfdb-6593-a999-1e9adabcba2e".parse()?));
/// assert!(HexPrefix::parse_even("a8198d79-c").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HexPrefix {
    bytes: [u8; 16],
    digits: usize,
}

impl HexPrefix {
    /// Parses a prefix of even or odd length.
    ///
    /// # Errors
    /// [`HexPrefixError`] if a character is neither a hex digit nor a hyphen, or if there are more than
    /// [`HEX_DIGITS_MAX`] digits or [`HYPHENS_MAX`] hyphens.
    pub fn parse(text: &str) -> Result<Self, HexPrefixError> {
        let mut prefix = Self { bytes: [0; 16], digits: 0 };
        let mut hyphens = 0;
        for (offset, found) in text.char_indices() {
            // Hyphens may be anywhere: users cut IDs at any place.
            if found == '-' {
                hyphens += 1;
                if hyphens > HYPHENS_MAX {
                    return Err(HexPrefixError::TooManyHyphens { offset });
                }
                continue;
            }
            let digit = found
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
                .ok_or(HexPrefixError::BadDigit { found, offset })?;
            let byte = prefix
                .bytes
                .get_mut(prefix.digits / 2)
                .ok_or(HexPrefixError::TooLong { offset })?;
            // The first digit of a byte is its high half.
            *byte |= if prefix.digits.is_multiple_of(2) { digit << 4 } else { digit };
            prefix.digits += 1;
        }
        Ok(prefix)
    }

    /// Like [`HexPrefix::parse`], but rejects an odd number of digits.
    ///
    /// # Errors
    /// Those of [`HexPrefix::parse`], and [`HexPrefixError::Odd`].
    pub fn parse_even(text: &str) -> Result<Self, HexPrefixError> {
        let prefix = Self::parse(text)?;
        // go-memdb: index.go, UUIDFieldIndex.parseString, which Nomad's list endpoints search IDs with.
        if prefix.digits % 2 == 1 {
            return Err(HexPrefixError::Odd { digits: prefix.digits });
        }
        Ok(prefix)
    }

    /// Returns the number of hex digits, 0 to [`HEX_DIGITS_MAX`].
    pub fn digits(&self) -> usize {
        self.digits
    }

    /// Returns whether `id` starts with these digits.
    pub fn matches(&self, id: Uuid) -> bool {
        let (lo, hi) = self.bounds();
        let id = id.as_bytes().as_slice();
        id >= lo.as_slice() && hi.is_none_or(|hi| id < hi.as_slice())
    }

    /// Returns the encoded bounds: inclusive below, exclusive above.
    pub(crate) fn bounds(&self) -> (KeyBytes, Option<KeyBytes>) {
        let whole = &self.bytes[..self.digits / 2];
        if self.digits.is_multiple_of(2) {
            return (KeyBytes::from_slice(whole), after_prefix(whole));
        }
        // An odd digit fixes the high half of a byte: its low half ranges from 0 to F.
        let half = self.bytes[self.digits / 2];
        let mut lo = KeyBuf::default();
        lo.push(whole);
        lo.push(&[half]);
        let mut last = KeyBuf::default();
        last.push(whole);
        last.push(&[half | 0x0F]);
        (lo.finish(), after_prefix(last.as_slice()))
    }
}

impl std::str::FromStr for HexPrefix {
    type Err = HexPrefixError;

    fn from_str(text: &str) -> Result<Self, HexPrefixError> {
        Self::parse(text)
    }
}

/// Reasons why a string is not a prefix of a UUID. Offsets are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HexPrefixError {
    /// A character that is neither a hex digit nor a hyphen.
    BadDigit {
        /// The character.
        found: char,
        /// Its offset.
        offset: usize,
    },
    /// More digits than a UUID has.
    TooLong {
        /// The offset of the first excess digit.
        offset: usize,
    },
    /// More hyphens than a UUID has.
    TooManyHyphens {
        /// The offset of the first excess hyphen.
        offset: usize,
    },
    /// An odd number of digits where whole bytes are required.
    Odd {
        /// The number of digits.
        digits: usize,
    },
}

impl fmt::Display for HexPrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadDigit { found, offset } => write!(
                f,
                "invalid hex digit {found:?} at offset {offset}: use 0-9, a-f and hyphens only"
            ),
            Self::TooLong { offset } => write!(
                f,
                "too long: the digit at offset {offset} is past the {HEX_DIGITS_MAX} of a UUID"
            ),
            Self::TooManyHyphens { offset } => write!(
                f,
                "too many hyphens: the one at offset {offset} is past the {HYPHENS_MAX} of a UUID"
            ),
            Self::Odd { digits } => write!(
                f,
                "must have an even number of hexadecimal characters, got {digits}: \
                 add a digit or remove one"
            ),
        }
    }
}

impl std::error::Error for HexPrefixError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::Key as _;
    use crate::range::KeyRange;

    #[test]
    fn errors_point_at_the_character() {
        assert_eq!(
            HexPrefix::parse("a8x1"),
            Err(HexPrefixError::BadDigit { found: 'x', offset: 2 })
        );
        assert_eq!(HexPrefix::parse(&"0".repeat(33)), Err(HexPrefixError::TooLong { offset: 32 }));
        assert_eq!(HexPrefix::parse("-----"), Err(HexPrefixError::TooManyHyphens { offset: 4 }));
        assert_eq!(HexPrefix::parse_even("abc"), Err(HexPrefixError::Odd { digits: 3 }));
    }

    proptest! {
        #[test]
        fn prefix_range_holds_exactly_the_matching_ids(
            raw in prop_oneof![any::<u128>(), Just(u128::MAX), Just(0)],
            other in any::<u128>(),
            digits in 0usize..=32,
            namespace in "[ab]?",
        ) {
            let text = Uuid::from_u128(raw).simple().to_string();
            let prefix = HexPrefix::parse(&text[..digits]).unwrap();
            let span = KeyRange::<(String, Uuid)>::starting_with_hex("a", &prefix).span;
            let near = (raw & !(u128::MAX >> 64)) | (other >> 64);
            for id in [raw, other, near].map(Uuid::from_u128) {
                let mut key = KeyBuf::default();
                <(String, Uuid)>::encode((&namespace, id), &mut key);
                let key = key.as_slice();
                let inside = key >= span.lo.as_slice()
                    && span.hi.as_ref().is_none_or(|hi| key < hi.as_slice());
                prop_assert_eq!(inside, namespace == "a" && prefix.matches(id));
            }
        }

        #[test]
        fn prefix_matches_exactly_the_ids_with_its_digits(
            raw in any::<u128>(), other in any::<u128>(), digits in 0usize..=32,
        ) {
            let text = Uuid::from_u128(raw).simple().to_string();
            // Share the first half of the digits, so that near misses are common.
            let other = Uuid::from_u128((raw & !(u128::MAX >> 64)) | (other >> 64));
            let prefix = HexPrefix::parse(&text[..digits]).unwrap();
            prop_assert!(prefix.matches(Uuid::from_u128(raw)));
            prop_assert_eq!(
                prefix.matches(other),
                other.simple().to_string().starts_with(&text[..digits])
            );
        }
    }
}
