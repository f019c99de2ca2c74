//! Parsing of the IDs of nodes and allocations.

use std::fmt;

use uuid::Uuid;

/// Why a string is not the ID of a node or of an allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdError {
    /// Not 36 characters long.
    Length,
    /// More than four hyphens.
    Hyphens {
        /// The number of hyphens.
        found: usize,
    },
    /// An odd number of characters besides the hyphens.
    Odd,
    /// A character that is neither a hexadecimal digit nor a hyphen.
    Digit {
        /// The first such character.
        found: char,
    },
    /// Hyphens at other positions than after the digits 8, 12, 16 and 20.
    Layout,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // go-memdb: index.go, UUIDFieldIndex.parseString: the messages that Nomad prints for an
            // ID prefix.
            Self::Length => f.write_str("UUID must be 36 characters"),
            Self::Hyphens { found } => {
                write!(f, "UUID should have maximum of 4 \"-\"; got {found}")
            }
            Self::Odd => f.write_str("Input (without hyphens) must be even length"),
            Self::Digit { found } => write!(
                f,
                "Invalid UUID: encoding/hex: invalid byte: U+{:04X} '{found}'",
                u32::from(*found)
            ),
            Self::Layout => {
                f.write_str("Invalid UUID: hyphens belong after the digits 8, 12, 16 and 20")
            }
        }
    }
}

impl std::error::Error for IdError {}

/// Parses a complete ID: 36 characters, hexadecimal in either case, hyphens in their positions.
///
/// # Examples
/// ```
/// use statehold_nomad::{IdError, parse_id};
///
/// let id = parse_id("A8198d79-cfdb-6593-a999-1e9adabcba2e").unwrap();
/// assert_eq!(id.to_string(), "a8198d79-cfdb-6593-a999-1e9adabcba2e");
/// assert_eq!(parse_id("a8198d79"), Err(IdError::Length));
/// ```
pub fn parse_id(text: &str) -> Result<Uuid, IdError> {
    if text.len() != 36 {
        return Err(IdError::Length);
    }
    let found = text.bytes().filter(|byte| *byte == b'-').count();
    if found > 4 {
        return Err(IdError::Hyphens { found });
    }
    if (36 - found) % 2 == 1 {
        return Err(IdError::Odd);
    }
    if let Some(found) = text.chars().find(|found| *found != '-' && !found.is_ascii_hexdigit()) {
        return Err(IdError::Digit { found });
    }
    Uuid::try_parse(text).map_err(|_| IdError::Layout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_documented_message() {
        let text = |id: &str| parse_id(id).map_err(|error| error.to_string()).unwrap_err();
        assert_eq!(text(""), "UUID must be 36 characters");
        assert_eq!(
            text("a8198d7--cfdb-6593-a999-1e9adabcba2e"),
            "UUID should have maximum of 4 \"-\"; got 5"
        );
        assert_eq!(
            text("a8198d79acfdb-6593-a999-1e9adabcba2e"),
            "Input (without hyphens) must be even length"
        );
        assert_eq!(
            text("g8198d79-cfdb-6593-a999-1e9adabcba2e"),
            "Invalid UUID: encoding/hex: invalid byte: U+0067 'g'"
        );
        assert_eq!(
            text("a8198d79cf-db-6593-a999-1e9adabcba2e"),
            "Invalid UUID: hyphens belong after the digits 8, 12, 16 and 20"
        );
        assert_eq!(
            text("a8198d79acfdba6593aa999a1e9adabcba2e"),
            "Invalid UUID: hyphens belong after the digits 8, 12, 16 and 20"
        );
    }
}
