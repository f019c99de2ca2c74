//! Evaluates the tests of the extended dialect.
//!
//! Tests of lists `[..]` are in [`lists`].
//!
//! Invariant: a missing or null value fails each test, so its negation holds.

mod lists;

use std::cmp::Ordering;

use uuid::Uuid;

use super::{AddressText, EvalResult, Evaluation, Halt, Scope, is_absent};
use crate::coerce::CoerceError;
use crate::datum::Datum;
use crate::decimal::Decimal;
use crate::int128::{Int128, JsonInteger};
use crate::literal::{Literal, Scalar};
use crate::program::{Bound, Extended, Leaf, Pair, Relation};
use crate::quantity::Quantity;
use crate::span::Span;
use crate::steps::{QUANTITY_STEPS, steps_of};

/// The steps of a case-insensitive search, as a multiple of those of a comparison.
const FOLDED_FACTOR: usize = 12;

impl<'a> Evaluation<'a> {
    pub(super) fn extended(&self, test: &Extended, leaf: &Leaf, datum: &Datum<'a>) -> EvalResult {
        if is_absent(datum) {
            return Ok(false);
        }
        self.spend_format(datum, 1, leaf.span)?;
        let answer = match test {
            Extended::Order(relation, bound) => self.ordered(datum, *relation, bound, leaf.span)?,
            Extended::Between(low, high) => {
                match self.ordered(datum, Relation::GreaterEqual, low, leaf.span)? {
                    Some(true) => self.ordered(datum, Relation::LessEqual, high, leaf.span)?,
                    // Below the lower end, or without order: the upper end cannot change that.
                    outside => outside,
                }
            }
            Extended::In(listed) => self.among(listed, datum, leaf.span)?,
            Extended::ContainsAny(listed) => self.contains_any(listed, datum, leaf.span)?,
            Extended::ContainsAll(listed) => self.contains_all(listed, datum, leaf.span)?,
            Extended::Prefix(prefix) => with_text(datum, |text| text.starts_with(&**prefix)),
            Extended::Suffix(suffix) => with_text(datum, |text| text.ends_with(&**suffix)),
            Extended::EqualFold(own) => with_text(datum, |text| own.equals(text)),
            Extended::ContainsFold(own) => match datum {
                Datum::List(list) => {
                    self.spend_list(*list, FOLDED_FACTOR, own.bytes(), leaf.span)?;
                    Some(list.any(&mut |_, element| {
                        with_text(&element, |text| own.equals(text)) == Some(true)
                    }))
                }
                other => {
                    self.spend_search(other, FOLDED_FACTOR, leaf.span)?;
                    with_text(other, |text| own.is_within(text))
                }
            },
            Extended::Count(relation, number) => {
                let count = match datum {
                    Datum::List(list) => Some(list.len()),
                    Datum::Map(map) => Some(map.len()),
                    _ => None,
                };
                count.map(|count| {
                    let count = i64::try_from(count).unwrap_or(i64::MAX);
                    relation.holds(Some(count.cmp(number)))
                })
            }
        };
        match answer {
            Some(answer) => Ok(answer),
            None if !leaf.path.dynamic => Ok(false),
            // Only JSON: the checker rejects the operator for any other kind.
            None => self.wrong_kind(test.operator(), leaf.span),
        }
    }

    /// Compares a value with a bound; `None` if it has no order or is of another kind.
    fn ordered(
        &self,
        datum: &Datum<'a>,
        relation: Relation,
        bound: &Bound,
        span: Span,
    ) -> Result<Option<bool>, Halt> {
        let order = match bound {
            Bound::Scalar(scalar) => return Ok(Some(relation.holds(order_of(datum, scalar)))),
            Bound::Literal(literal) => order_of_any(datum, literal),
            Bound::Quantity(quantity) => {
                let measured = self.measured(datum, span)?;
                measured.map(|measured| measured.order(*quantity))
            }
        };
        order.map(|order| self.or_halt(order, span).map(|order| relation.holds(order))).transpose()
    }

    /// Reads a value for comparison with quantities; `None` if it is neither a number nor a string.
    fn measured<'d>(&self, datum: &Datum<'d>, span: Span) -> Result<Option<Measured<'d>>, Halt> {
        if let Some(number) = Number::of(datum) {
            return Ok(Some(Measured::Number(number)));
        }
        if let Datum::Text(text) = datum {
            self.spend(QUANTITY_STEPS.saturating_add(steps_of(text.len())), span)?;
        }
        Ok(with_text(datum, |text| Measured::Text(Quantity::read(text))))
    }

    pub(super) fn pair(&self, pair: &Pair, scope: Option<&Scope<'_, 'a>>) -> EvalResult {
        let holds = self.find(&pair.left, scope, pair.span, |left| {
            self.find(&pair.right, scope, pair.span, |right| self.related(pair, left, right))
        })?;
        Ok(holds != pair.negated)
    }

    fn related(&self, pair: &Pair, left: &Datum<'a>, right: &Datum<'a>) -> EvalResult {
        if is_absent(left) || is_absent(right) {
            return Ok(false);
        }
        let relation = pair.relation;
        let holds = match (left, right) {
            (Datum::Bool(left), Datum::Bool(right)) => {
                // Bools have equality but no order.
                (relation == Relation::Equal).then_some(left == right)
            }
            _ => {
                if let (Some(left), Some(right)) = (Number::of(left), Number::of(right)) {
                    self.spend(steps_of(left.len().min(right.len())), pair.span)?;
                    Some(relation.holds(left.order(right)))
                } else {
                    self.spend_format(left, 1, pair.span)?;
                    self.spend_format(right, 1, pair.span)?;
                    // The shorter string bounds the comparison.
                    if let (Datum::Text(own), Datum::Text(other)) = (left, right) {
                        self.spend(steps_of(own.len().min(other.len())), pair.span)?;
                    }
                    // A UUID or address is compared in its text form, also with another kind of
                    // text.
                    with_text(left, |left| {
                        with_text(right, |right| relation.holds(Some(left.cmp(right))))
                    })
                    .flatten()
                }
            }
        };
        match holds {
            Some(holds) => Ok(holds),
            None if !pair.left.dynamic && !pair.right.dynamic => Ok(false),
            None => self.wrong_kind(relation.operator(), pair.span),
        }
    }
}

/// Compares a value with a literal of its kind.
fn order_of(datum: &Datum<'_>, scalar: &Scalar) -> Option<Ordering> {
    match scalar {
        Scalar::Text(own) => with_text(datum, |text| text.cmp(own)),
        number => number.order(datum),
    }
}

/// Compares a value with a literal, strings as strings and numbers as numbers.
fn order_of_any(
    datum: &Datum<'_>,
    literal: &Literal,
) -> Option<Result<Option<Ordering>, CoerceError>> {
    with_text(datum, |text| Ok(Some(text.cmp(literal.text())))).or_else(|| literal.order(*datum))
}

/// A value that is compared with quantities; its string is read once for all of them.
#[derive(Clone, Copy)]
enum Measured<'a> {
    Number(Number<'a>),
    /// `None` for a string that is not a quantity.
    Text(Option<Quantity>),
}

impl Measured<'_> {
    /// Compares with a quantity: a number counts its smallest unit, a string MUST have the same
    /// unit.
    fn order(self, quantity: Quantity) -> Result<Option<Ordering>, CoerceError> {
        match self {
            Self::Number(number) => Ok(number.order(Number::Integer(quantity.value))),
            Self::Text(Some(own)) if own.unit == quantity.unit => {
                Ok(Some(own.value.cmp(&quantity.value)))
            }
            Self::Text(_) => Err(CoerceError::Syntax),
        }
    }
}

/// Calls `ask` with a value that is a string or has a string form; `None` for other kinds.
fn with_text<T>(datum: &Datum<'_>, ask: impl FnOnce(&str) -> T) -> Option<T> {
    match datum {
        Datum::Text(text) => Some(ask(text)),
        Datum::Char(char) => Some(ask(char.encode_utf8(&mut [0; 4]))),
        Datum::Ipv4(value) => Some(ask(AddressText::new(value).text())),
        Datum::Ipv6(value) => Some(ask(AddressText::new(value).text())),
        Datum::Uuid(uuid) => Some(ask(uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()))),
        _ => None,
    }
}

/// A number of any kind.
#[derive(Clone, Copy)]
enum Number<'a> {
    Integer(i128),
    Int128(Int128),
    Decimal(&'a Decimal),
    Float(f64),
}

impl<'a> Number<'a> {
    fn of(datum: &Datum<'a>) -> Option<Self> {
        Some(match datum {
            Datum::Int(value) | Datum::JsonInteger(JsonInteger::Int(value)) => {
                Self::Integer((*value).into())
            }
            Datum::Uint(value) | Datum::JsonInteger(JsonInteger::Uint(value)) => {
                Self::Integer((*value).into())
            }
            Datum::Int128(value) => Self::Int128(*value),
            Datum::Decimal(value) => Self::Decimal(value),
            Datum::Float(value) => Self::Float(*value),
            Datum::Float32(value) => Self::Float((*value).into()),
            _ => return None,
        })
    }

    /// Compares exactly, except for a decimal with a float: the decimal is rounded as a literal is.
    fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(own), Self::Integer(other)) => Some(own.cmp(&other)),
            (Self::Float(own), Self::Float(other)) => own.partial_cmp(&other),
            (Self::Decimal(own), Self::Decimal(other)) => Some(own.cmp(other)),
            (Self::Decimal(own), Self::Float(other)) => own.float().partial_cmp(&other),
            (Self::Float(own), Self::Decimal(other)) => own.partial_cmp(&other.float()),
            (own, other) => match (own.to_int128(), other.to_int128()) {
                (Some(own), Some(other)) => Some(own.cmp(&other)),
                (Some(own), None) => other.order_int128(own).map(Ordering::reverse),
                (None, Some(other)) => own.order_int128(other),
                // The pairs without an integer are handled above.
                (None, None) => None,
            },
        }
    }

    /// Compares with an integer; `None` if this is an integer too.
    fn order_int128(self, other: Int128) -> Option<Ordering> {
        match self {
            Self::Decimal(own) => Some(own.cmp_int128(other)),
            Self::Float(own) => other.cmp_float(own).map(Ordering::reverse),
            Self::Integer(_) | Self::Int128(_) => None,
        }
    }

    /// Returns the number as an integer of 128 bits, if its kind is one.
    fn to_int128(self) -> Option<Int128> {
        match self {
            Self::Integer(value) => Some(value.into()),
            Self::Int128(value) => Some(value),
            Self::Decimal(_) | Self::Float(_) => None,
        }
    }

    /// Returns the maximum number of bytes that a comparison reads.
    fn len(self) -> usize {
        if let Self::Decimal(value) = self { value.len() } else { 0 }
    }
}
