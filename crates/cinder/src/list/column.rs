//! Column values, which filters and orders compare.

use std::cmp::Ordering;

use statehold_store::folded;
use uuid::Uuid;

use crate::Pairs;

/// The value of a row's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column<'r> {
    /// No value.
    Null,
    /// A string, compared without regard to case.
    Text(&'r str),
    /// A number.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// An ID.
    Id(Uuid),
    /// A time in Unix nanoseconds; filters compare whole seconds.
    Time(i64),
    /// Key/value pairs.
    Pairs(&'r Pairs),
}

impl<'r> Column<'r> {
    pub(crate) fn text(value: Option<&'r str>) -> Self {
        value.map_or(Self::Null, Self::Text)
    }

    pub(crate) fn id(value: Option<Uuid>) -> Self {
        value.map_or(Self::Null, Self::Id)
    }

    pub(crate) fn time(value: Option<i64>) -> Self {
        value.map_or(Self::Null, Self::Time)
    }

    /// Compares two values of one column: nulls sort first, strings without regard to case.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            (Self::Text(own), Self::Text(other)) => folded_order(own, other),
            (Self::Int(own), Self::Int(other)) | (Self::Time(own), Self::Time(other)) => {
                own.cmp(other)
            }
            (Self::Bool(own), Self::Bool(other)) => own.cmp(other),
            (Self::Id(own), Self::Id(other)) => own.cmp(other),
            // All values of a column have one kind, and pairs have no order.
            _ => Ordering::Equal,
        }
    }
}

/// Compares two strings without regard to case, as the indexes of names do, whose keys are
/// [`folded`].
fn folded_order(own: &str, other: &str) -> Ordering {
    if own.is_ascii() && other.is_ascii() {
        // Most names are ASCII, and need no copy.
        let lower = |byte: u8| byte.to_ascii_lowercase();
        return own.bytes().map(lower).cmp(other.bytes().map(lower));
    }
    folded(own).cmp(&folded(other))
}

/// Returns whether `own` in lower case equals `lower`.
pub(super) fn is_folded_as(own: &str, lower: &str) -> bool {
    if own.is_ascii() {
        return own.eq_ignore_ascii_case(lower);
    }
    folded(own) == *lower
}

/// Returns whether `own` in lower case contains `part`, which is in lower case.
pub(super) fn has_folded(own: &str, part: &str) -> bool {
    if own.is_ascii() {
        let (own, part) = (own.as_bytes(), part.as_bytes());
        // The empty string is part of each.
        let Some((first, rest)) = part.split_first() else { return true };
        // Most windows differ in their first byte, which costs less than a comparison of two
        // slices.
        return own.windows(part.len()).any(|window| {
            window[0].to_ascii_lowercase() == *first && window[1..].eq_ignore_ascii_case(rest)
        });
    }
    folded(own).contains(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_fast_paths_agree_with_case_folding() {
        let texts =
            ["", "a", "A", "B", "b1", "Ä", "ä", "ß", "Σ", "ς", "ΟΔΟΣ", "z", "Ab", "aB", "_"];
        for own in texts {
            for other in texts {
                let (lower, part) = (folded(own), folded(other));
                assert_eq!(folded_order(own, other), lower.cmp(&part), "{own} {other}");
                assert_eq!(is_folded_as(own, &part), lower == part, "{own} {other}");
                assert_eq!(has_folded(own, &part), lower.contains(&part), "{own} {other}");
            }
        }
    }
}
