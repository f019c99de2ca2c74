//! The values of a list `[..]`, in the form that their test needs.

use super::Values;
use crate::ast::Value;
use crate::datum::Datum;
use crate::int128::Int128;
use crate::literal::{Literal, Scalar};
use crate::quantity::Quantity;
use crate::schema::Key;

/// The values of `in [..]`, `contains any [..]` and `contains all [..]`.
#[derive(Debug)]
pub(crate) enum Listed {
    /// At least one must be equal.
    One(Values),
    /// Each must be an element of a list.
    Each(Box<[Scalar]>),
    /// Substrings.
    Parts(Box<[Box<str>]>),
    /// Keys of a map.
    Keys(Box<[Key]>),
    /// For values whose kind is known only at evaluation.
    Open(OpenList),
}

/// Literals for values whose kind is known only at evaluation, in source order.
#[derive(Debug)]
pub(crate) struct OpenList {
    pub(crate) literals: Box<[ListedValue]>,
    /// The positions of the literals, ordered by their text; empty if one is a quantity.
    by_text: Box<[u32]>,
    /// The literals in ascending order, if each is an integer.
    integers: Box<[Int128]>,
    /// The position of the longest literal.
    longest: usize,
}

/// A value of a list.
#[derive(Debug)]
pub(crate) enum ListedValue {
    Literal(Literal),
    /// With a unit and without quotes.
    Quantity(Quantity),
}

impl ListedValue {
    pub(crate) fn new(value: &Value) -> Self {
        match value.quantity() {
            Some(quantity) => Self::Quantity(quantity),
            None => Self::Literal(Literal::new(&value.text)),
        }
    }

    /// Returns the string that values are compared with; empty for a quantity, which is a number.
    fn text(&self) -> &str {
        self.literal().map_or("", Literal::text)
    }

    fn literal(&self) -> Option<&Literal> {
        match self {
            Self::Literal(literal) => Some(literal),
            Self::Quantity(_) => None,
        }
    }
}

impl OpenList {
    pub(crate) fn new(values: &[Value]) -> Self {
        let literals: Box<[ListedValue]> = values.iter().map(ListedValue::new).collect();
        let text = |at: &u32| literals.get(*at as usize)?.literal().map(Literal::text);
        // A quantity fails on a string without its unit, which a look-up by text would skip.
        let plain = literals.iter().all(|wanted| wanted.literal().is_some());
        let places = u32::try_from(literals.len()).ok().filter(|_| plain).unwrap_or(0);
        let mut by_text: Vec<u32> = (0..places).collect();
        by_text.sort_unstable_by(|one, other| text(one).cmp(&text(other)));
        let integers: Option<Vec<Int128>> =
            literals.iter().map(|wanted| wanted.literal()?.integer()).collect();
        let mut integers = integers.unwrap_or_default();
        integers.sort_unstable();
        let length = |at: &usize| literals.get(*at).map_or(0, |wanted| wanted.text().len());
        let longest = (0..literals.len()).max_by_key(length).unwrap_or(0);
        Self { literals, by_text: by_text.into(), integers: integers.into(), longest }
    }

    /// Returns the longest literal, which a look-up may compare; empty if there is none.
    pub(crate) fn longest(&self) -> &str {
        self.literals.get(self.longest).map_or("", ListedValue::text)
    }

    /// Returns the bytes of the tables for look-ups.
    pub(crate) fn look_ups_bytes(&self) -> usize {
        size_of_val(&*self.by_text) + size_of_val(&*self.integers)
    }

    /// Returns whether [`look_up`](Self::look_up) has a result for `datum`.
    pub(crate) fn can_look_up(&self, datum: &Datum<'_>) -> bool {
        match datum {
            Datum::Text(_) => !self.by_text.is_empty(),
            Datum::JsonInteger(_) => !self.integers.is_empty(),
            Datum::Int128(wide) => wide.is_json() && !self.integers.is_empty(),
            _ => false,
        }
    }

    /// Returns whether `datum` is one of the literals; `None` if it cannot be looked up, or one of
    /// them may conflict with it.
    pub(crate) fn look_up(&self, datum: &Datum<'_>) -> Option<bool> {
        match datum {
            Datum::Text(text) if !self.by_text.is_empty() => {
                let own = |at: &u32| {
                    let literal = self.literals.get(*at as usize).and_then(ListedValue::literal);
                    literal.map_or("", Literal::text)
                };
                Some(self.by_text.binary_search_by(|at| own(at).cmp(text)).is_ok())
            }
            Datum::JsonInteger(integer) if !self.integers.is_empty() => {
                Some(self.integers.binary_search(&integer.to_int128()).is_ok())
            }
            Datum::Int128(wide) if wide.is_json() && !self.integers.is_empty() => {
                Some(self.integers.binary_search(wide).is_ok())
            }
            _ => None,
        }
    }
}
