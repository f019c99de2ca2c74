//! What a row has under the name of a column: what plain filters and orders look at.

use std::cmp::Ordering;

use statehold_store::folded;
use uuid::Uuid;

use crate::Pairs;

/// The value of a row's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column<'r> {
    /// Nothing.
    Null,
    /// A text, compared whatever the case of its letters.
    Text(&'r str),
    /// A number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// An ID.
    Id(Uuid),
    /// A time in unix nanoseconds, compared in seconds by filters.
    Time(i64),
    /// Keys with values.
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

    /// The order of two values of one column: nothing first, texts whatever their case.
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
            // One column has one kind; pairs have no order.
            _ => Ordering::Equal,
        }
    }
}

/// The order of two strings whatever the case of their letters: that of the indexes of names, whose keys
/// are [`folded`].
fn folded_order(own: &str, other: &str) -> Ordering {
    if own.is_ascii() && other.is_ascii() {
        // Most names are: no copy of them is needed.
        let lower = |byte: u8| byte.to_ascii_lowercase();
        return own.bytes().map(lower).cmp(other.bytes().map(lower));
    }
    folded(own).cmp(&folded(other))
}

/// Returns whether `own` in lower case is `folded`, which is.
pub(super) fn is_folded_as(own: &str, lower: &str) -> bool {
    if own.is_ascii() {
        return own.eq_ignore_ascii_case(lower);
    }
    folded(own) == *lower
}

/// Returns whether `own` in lower case has `part`, which is in lower case, somewhere.
pub(super) fn has_folded(own: &str, part: &str) -> bool {
    if own.is_ascii() {
        let (own, part) = (own.as_bytes(), part.as_bytes());
        // There are no windows of no width, and nothing is everywhere.
        return part.is_empty()
            || own.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    }
    folded(own).contains(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_and_other_letters_are_compared_alike() {
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
