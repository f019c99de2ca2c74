//! The operators of the extended dialect, implemented plainly. Quantities are undecided here.

use std::cmp::Ordering;

use regex::RegexBuilder;
use serde_json::Value as Json;
use statehold_filter::ast::{Comparison, Operand, Operator, Selector, Value};

use super::{
    Answer, Fault, Found, Read, contains, equal, float, integer, is_decimal, order_decimal,
    order_whole,
};

/// Returns the text of a value.
pub(super) fn plain(value: &Value) -> Result<&str, Fault> {
    let unit = value.number && !value.text.ends_with(|last: char| last.is_ascii_digit());
    let quantity = unit || value.number && value.text.contains([':', 'h', 'm', 's', 'd', 'w']);
    if quantity { Err(Fault::Unsure) } else { Ok(&value.text) }
}

fn is_absent(found: &Found<'_>) -> bool {
    matches!(found, Found::Missing)
}

/// Evaluates a clause with one value.
pub(super) fn holds(operator: Operator, found: &Found<'_>, value: &str) -> Answer {
    if is_absent(found) {
        return Ok(false);
    }
    let order = |wanted: fn(Ordering) -> bool| Ok(order(found, value)?.is_some_and(wanted));
    match operator {
        Operator::Less => order(Ordering::is_lt),
        Operator::LessEqual => order(Ordering::is_le),
        Operator::Greater => order(Ordering::is_gt),
        Operator::GreaterEqual => order(Ordering::is_ge),
        Operator::StartsWith => Ok(text(found)?.starts_with(value)),
        Operator::EndsWith => Ok(text(found)?.ends_with(value)),
        Operator::EqualFold => Ok(lower(text(found)?) == lower(value)),
        Operator::ContainsFold => match found {
            Found::Json(Json::Array(list)) => {
                let same =
                    |item: &Json| item.as_str().is_some_and(|own| lower(own) == lower(value));
                Ok(list.iter().any(same))
            }
            found => Ok(lower(text(found)?).contains(&lower(value))),
        },
        Operator::MatchesFold => {
            let plain = |char: char| char.is_ascii_alphanumeric() || "^$.*+?()| _-".contains(char);
            let text = text(found)?;
            // Letters beyond ASCII fold by Unicode's rules.
            if !value.chars().all(plain) || value.contains("(?") || !text.is_ascii() {
                return Err(Fault::Unsure);
            }
            let regex = RegexBuilder::new(value).case_insensitive(true).build();
            Ok(regex.map_err(|_| Fault::Unsure)?.is_match(text))
        }
        _ => Err(Fault::Unsure),
    }
}

/// Evaluates a comparison with a list, a range, a number of elements or another field, which
/// `other` finds.
pub(super) fn comparison<'j>(
    comparison: &Comparison,
    found: &Found<'_>,
    other: impl FnOnce(&Selector) -> Result<Found<'j>, Fault>,
) -> Answer {
    let Comparison { operator, negated, with, .. } = comparison;
    let holds = match with {
        Operand::List(values) => listed(*operator, found, values)?,
        Operand::Range(low, high) => {
            holds(Operator::GreaterEqual, found, plain(low)?)?
                && holds(Operator::LessEqual, found, plain(high)?)?
        }
        Operand::Count(value) => counted(*operator, found, &value.text)?,
        Operand::Field(selector) => related(*operator, found, &other(selector)?)?,
        _ => return Err(Fault::Unsure),
    };
    Ok(holds != *negated)
}

fn listed(operator: Operator, found: &Found<'_>, values: &[Value]) -> Answer {
    let container = matches!(found, Found::Json(Json::Array(_) | Json::Object(_)));
    if is_absent(found) {
        return Ok(false);
    }
    let fits = if operator == Operator::In { !container } else { container || text(found).is_ok() };
    if !fits {
        return Err(Fault::NoAnswer);
    }
    for value in values {
        let holds = match operator {
            Operator::In => equal(found, plain(value)?)?,
            _ => contains(found, plain(value)?)?,
        };
        if holds == (operator != Operator::ContainsAll) {
            return Ok(holds);
        }
    }
    Ok(operator == Operator::ContainsAll)
}

/// Orders one field against another.
fn related(operator: Operator, left: &Found<'_>, right: &Found<'_>) -> Answer {
    if is_absent(left) || is_absent(right) {
        return Ok(false);
    }
    let order = match (left, right) {
        (Found::Json(Json::Bool(own)), Found::Json(Json::Bool(other))) => {
            let equal = operator == Operator::Equal;
            return if equal { Ok(own == other) } else { Err(Fault::NoAnswer) };
        }
        (left, right) => match (number(left), number(right)) {
            (Some(Number::Whole(own)), Some(Number::Whole(other))) => Some(own.cmp(&other)),
            (Some(Number::Whole(own)), Some(Number::Float(other))) => order_whole(own, other),
            (Some(Number::Float(own)), Some(Number::Whole(other))) => {
                order_whole(other, own).map(Ordering::reverse)
            }
            (Some(Number::Float(own)), Some(Number::Float(other))) => own.partial_cmp(&other),
            _ => Some(text(left)?.cmp(text(right)?)),
        },
    };
    ordered(operator, order)
}

/// Compares the number of elements with a number.
fn counted(operator: Operator, found: &Found<'_>, value: &str) -> Answer {
    let count = match found {
        found if is_absent(found) => return Ok(false),
        Found::Json(Json::Array(list)) => list.len(),
        Found::Json(Json::Object(map)) => map.len(),
        _ => return Err(Fault::NoAnswer),
    };
    let wanted = integer(value)?.ok_or(Fault::Unsure)?;
    ordered(operator, Some(i64::try_from(count).unwrap_or(i64::MAX).cmp(&wanted)))
}

fn ordered(operator: Operator, order: Option<Ordering>) -> Answer {
    let wanted: fn(Ordering) -> bool = match operator {
        Operator::Equal => Ordering::is_eq,
        Operator::Less => Ordering::is_lt,
        Operator::LessEqual => Ordering::is_le,
        Operator::Greater => Ordering::is_gt,
        Operator::GreaterEqual => Ordering::is_ge,
        _ => return Err(Fault::Unsure),
    };
    Ok(order.is_some_and(wanted))
}

#[derive(Clone, Copy)]
enum Number {
    Whole(i128),
    Float(f64),
}

fn number(found: &Found<'_>) -> Option<Number> {
    match found {
        Found::Index(index) => Some(Number::Whole(i128::try_from(*index).unwrap_or(i128::MAX))),
        Found::Json(Json::Number(number)) => {
            let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
            whole.map(Number::Whole).or_else(|| number.as_f64().map(Number::Float))
        }
        _ => None,
    }
}

/// Orders a value against a literal: strings as strings, numbers as numbers.
fn order(found: &Found<'_>, value: &str) -> Result<Option<Ordering>, Fault> {
    if let Ok(own) = text(found) {
        return Ok(Some(own.cmp(value)));
    }
    if let Found::Index(index) = found {
        let value = integer(value)?.ok_or(Fault::NoAnswer)?;
        return Ok(Some(i64::try_from(*index).unwrap_or(i64::MAX).cmp(&value)));
    }
    let own = number(found).ok_or(Fault::NoAnswer)?;
    let Read::Yes(literal) = float(value)? else { return Err(Fault::NoAnswer) };
    let exact = if is_decimal(value) { value.parse::<i128>().ok() } else { None };
    Ok(match (own, exact) {
        (Number::Whole(own), Some(exact)) => Some(own.cmp(&exact)),
        (Number::Whole(own), None) => order_decimal(own, value, literal)?,
        (Number::Float(own), _) => own.partial_cmp(&literal),
    })
}

fn text<'f>(found: &'f Found<'_>) -> Result<&'f str, Fault> {
    match found {
        Found::Key(key) => Ok(key),
        Found::Json(Json::String(text)) => Ok(text),
        _ => Err(Fault::NoAnswer),
    }
}

/// Returns each character in lower case, one for one.
fn lower(text: &str) -> String {
    text.chars().map(|char| char.to_lowercase().next().unwrap_or(char)).collect()
}
