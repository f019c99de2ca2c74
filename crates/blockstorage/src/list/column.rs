//! What a row has under the name of a column: what plain filters and orders look at.

use std::cmp::Ordering;

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
            (Self::Text(own), Self::Text(other)) => folded(own).cmp(folded(other)),
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

/// The characters of a text in lower case.
pub(crate) fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}
