//! Evaluates `in [..]`, `contains any [..]` and `contains all [..]`.
//!
//! Over data with a schema the value is looked up in the list. Without one the values of the list
//! are tested in order, because one that does not fit fails the row, unless no value of the list
//! can conflict with the data.

use super::super::{EvalResult, Evaluation, Halt, contains_text, is_absent};
use crate::ast::Operator;
use crate::budget::scalar_bytes;
use crate::coerce::CoerceError;
use crate::datum::{Datum, List};
use crate::error::EvalErrorKind;
use crate::program::{Listed, ListedValue, OpenList};
use crate::schema::Kind;
use crate::span::Span;
use crate::steps::{OPEN_PER_STEP, SUBSTRING_FACTOR, look_up_steps};

/// `None` if the value is of a kind without the test.
type ListedResult = Result<Option<bool>, Halt>;

impl<'a> Evaluation<'a> {
    pub(super) fn among(&self, listed: &Listed, datum: &Datum<'a>, span: Span) -> ListedResult {
        match listed {
            Listed::One(values) => Ok(Some(values.contain(datum))),
            Listed::Open(open) => match datum {
                Datum::List(_) | Datum::Map(_) | Datum::Record(_) | Datum::Opaque => Ok(None),
                datum => {
                    self.spend(open.literals.len() as u64 / OPEN_PER_STEP, span)?;
                    self.is_one_of(open, datum, span).map(Some)
                }
            },
            _ => Ok(None),
        }
    }

    pub(super) fn contains_any(
        &self,
        listed: &Listed,
        datum: &Datum<'a>,
        span: Span,
    ) -> ListedResult {
        Ok(Some(match (listed, datum) {
            (Listed::One(values), Datum::List(list)) => {
                self.spend_look_ups(*list, values.len(), values.longest(), span)?;
                list.any(&mut |_, element| values.contain(&element))
            }
            (Listed::Parts(parts), _) => {
                self.spend(parts.len() as u64, span)?;
                self.spend_search(datum, parts.len().saturating_mul(SUBSTRING_FACTOR), span)?;
                parts.iter().any(|part| contains_text(datum, part))
            }
            (Listed::Keys(keys), Datum::Map(map)) => {
                self.spend(keys.len() as u64, span)?;
                keys.iter().any(|key| map.get(key).is_some())
            }
            (Listed::Open(open), Datum::List(list))
                if self
                    .spend_look_ups(*list, open.literals.len(), open.longest().len(), span)
                    .is_ok()
                    && open.can_look_up_all(*list) =>
            {
                list.any(&mut |_, element| open.look_up(&element) == Some(true))
            }
            // An element needs the literals one by one, or steps ran out: in order, the first value
            // that is found or that fails decides.
            (Listed::Open(open), _) if can_contain(datum) => {
                self.spend(open.literals.len() as u64, span)?;
                for wanted in &open.literals {
                    if self.contains_wanted(wanted, datum, span)? {
                        return Ok(Some(true));
                    }
                }
                false
            }
            _ => return Ok(None),
        }))
    }

    pub(super) fn contains_all(
        &self,
        listed: &Listed,
        datum: &Datum<'a>,
        span: Span,
    ) -> ListedResult {
        Ok(Some(match (listed, datum) {
            (Listed::Each(values), Datum::List(list)) => {
                self.spend(values.len() as u64, span)?;
                let bytes = values.iter().map(scalar_bytes).sum();
                self.spend_list(*list, values.len(), bytes, span)?;
                values.iter().all(|own| list.any(&mut |_, element| own.equals(&element)))
            }
            (Listed::Parts(parts), _) => {
                self.spend(parts.len() as u64, span)?;
                self.spend_search(datum, parts.len().saturating_mul(SUBSTRING_FACTOR), span)?;
                parts.iter().all(|part| contains_text(datum, part))
            }
            (Listed::Keys(keys), Datum::Map(map)) => {
                self.spend(keys.len() as u64, span)?;
                keys.iter().all(|key| map.get(key).is_some())
            }
            (Listed::Open(open), _) if can_contain(datum) => {
                self.spend(open.literals.len() as u64, span)?;
                for wanted in &open.literals {
                    if !self.contains_wanted(wanted, datum, span)? {
                        return Ok(Some(false));
                    }
                }
                true
            }
            _ => return Ok(None),
        }))
    }

    /// Takes the steps of looking up each element of a list among `values` of at most `longest`
    /// bytes.
    fn spend_look_ups(
        &self,
        list: &dyn List,
        values: usize,
        longest: usize,
        span: Span,
    ) -> Result<(), Halt> {
        let each = look_up_steps(values, longest);
        self.spend((list.len() as u64).saturating_mul(each), span)
    }

    fn is_one_of(&self, open: &OpenList, datum: &Datum<'a>, span: Span) -> EvalResult {
        if let Some(found) = open.look_up(datum) {
            return Ok(found);
        }
        // The string of the value is read once, for the first quantity.
        let mut measured = None;
        for wanted in &open.literals {
            let equal = match wanted {
                ListedValue::Literal(literal) => self.dynamic_equal(literal, *datum, span)?,
                ListedValue::Quantity(quantity) => {
                    let own = match measured {
                        Some(own) => own,
                        None => *measured.insert(self.measured(datum, span)?),
                    };
                    let Some(own) = own else { return self.wrong_kind(Operator::In, span) };
                    self.or_halt(own.order(*quantity), span)?.is_some_and(|order| order.is_eq())
                }
            };
            if equal {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tests whether a value contains one of the list; quantities are compared with elements of
    /// lists only.
    fn contains_wanted(&self, wanted: &ListedValue, datum: &Datum<'a>, span: Span) -> EvalResult {
        let quantity = match (wanted, datum) {
            (ListedValue::Literal(literal), _) => {
                return self.dynamic_contains(literal, *datum, span);
            }
            (ListedValue::Quantity(quantity), Datum::List(_)) => *quantity,
            (ListedValue::Quantity(_), _) => return self.wrong_kind(Operator::Contains, span),
        };
        // Unreachable: the match above returns for anything but a list.
        let Datum::List(list) = *datum else { return Ok(false) };
        let mut answer = Ok(false);
        list.any(&mut |_, element| {
            let measured = match self.spend(1, span).and_then(|()| self.measured(&element, span)) {
                Ok(measured) => measured,
                Err(halt) => {
                    answer = Err(halt);
                    return true;
                }
            };
            answer = match measured.map(|measured| measured.order(quantity)) {
                Some(Ok(order)) => Ok(order.is_some_and(|order| order.is_eq())),
                // Like a number: a string that is not such a quantity is ignored.
                Some(Err(CoerceError::Syntax)) => Ok(false),
                Some(Err(CoerceError::Range)) => self.halt(EvalErrorKind::ValueRange, span),
                None if is_absent(&element) => Ok(false),
                None => self.wrong_kind(Operator::Contains, span),
            };
            !matches!(answer, Ok(false))
        });
        answer
    }
}

impl OpenList {
    /// Returns whether every element can be looked up, so that no value of the list can conflict
    /// with it.
    fn can_look_up_all(&self, list: &dyn List) -> bool {
        let mixed = matches!(list.element().required(), Kind::Any);
        mixed && !list.any(&mut |_, element| !is_absent(&element) && !self.can_look_up(&element))
    }
}

/// Returns whether `contains` applies to a value.
fn can_contain(datum: &Datum<'_>) -> bool {
    matches!(
        datum,
        Datum::Text(_)
            | Datum::Uuid(_)
            | Datum::Char(_)
            | Datum::Ipv4(_)
            | Datum::Ipv6(_)
            | Datum::List(_)
            | Datum::Map(_)
    )
}
