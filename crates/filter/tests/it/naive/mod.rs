//! The documented meaning of an expression over JSON, implemented plainly: one function for each
//! rule, no program, no caching.
//!
//! Written from the documentation and independent of the evaluator, to be compared with it. Where
//! agreement would need a second reader of numbers or translator of patterns, it returns that it is
//! undecided.

mod extended;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value as Json;
use statehold_filter::ast::{Clause, Expr, ExprKind, Names, Operator, Quantifier, Selector};

/// The reason why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Evaluation must fail.
    NoAnswer,
    /// Undecided: the row may match.
    Unsure,
}

type Answer = Result<bool, Fault>;

/// The value of a selector.
#[derive(Clone, Debug)]
enum Found<'j> {
    Missing,
    Json(&'j Json),
    /// An index bound by a quantifier.
    Index(usize),
    /// A key bound by a quantifier.
    Key(&'j str),
}

#[derive(Clone, Debug)]
enum Bound<'j> {
    Value(&'j Json),
    Index(usize),
    Key(&'j str),
}

/// The names in scope; an inner one shadows an outer one.
type Scope<'j> = BTreeMap<String, Bound<'j>>;

/// Evaluates `expr` for `row`.
///
/// # Errors
/// [`Fault`] if evaluation must fail, or is undecided here.
pub(crate) fn evaluate(expr: &Expr, row: &Json) -> Answer {
    eval(expr, row, &Scope::new())
}

fn eval<'j>(expr: &Expr, row: &'j Json, scope: &Scope<'j>) -> Answer {
    match &expr.kind {
        ExprKind::And(operands) => {
            for operand in operands {
                if !eval(operand, row, scope)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        ExprKind::Or(operands) => {
            for operand in operands {
                if eval(operand, row, scope)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        ExprKind::Not(operand) => Ok(!eval(operand, row, scope)?),
        ExprKind::Clause(clause) => clause_holds(clause, row, scope),
        ExprKind::Comparison(comparison) => {
            let found = find(&comparison.selector, row, scope)?;
            extended::comparison(comparison, &found, |other| find(other, row, scope))
        }
        ExprKind::Quantifier(quantifier) => quantified(quantifier, row, scope),
        // A form added later.
        _ => Err(Fault::Unsure),
    }
}

fn clause_holds<'j>(clause: &Clause, row: &'j Json, scope: &Scope<'j>) -> Answer {
    let found = find(&clause.selector, row, scope)?;
    let value = clause.value.as_ref().map_or(Ok(""), extended::plain)?;
    let holds = match clause.operator {
        Operator::Equal => equal(&found, value)?,
        Operator::Contains => contains(&found, value)?,
        Operator::Matches => matches(&found, value)?,
        Operator::Empty => empty(&found)?,
        Operator::Nil => matches!(found, Found::Missing),
        operator => extended::holds(operator, &found, value)?,
    };
    Ok(holds != clause.negated)
}

/// Follows a selector: an absent key, and every value behind an absent one, is missing.
fn find<'j>(selector: &Selector, row: &'j Json, scope: &Scope<'j>) -> Result<Found<'j>, Fault> {
    let mut parts = selector.parts.iter();
    let first = selector.parts.first().map_or("", |part| &*part.text);
    let mut at = match scope.get(first) {
        None => row,
        Some(bound) => {
            parts.next();
            match bound {
                Bound::Value(value) => *value,
                // An index or key has no fields.
                _ if parts.len() > 0 => return Err(Fault::NoAnswer),
                Bound::Index(index) => return Ok(Found::Index(*index)),
                Bound::Key(key) => return Ok(Found::Key(key)),
            }
        }
    };
    for part in parts {
        at = match at {
            Json::Null => return Ok(Found::Missing),
            Json::Object(map) => match map.get(&*part.text) {
                Some(value) => value,
                None => return Ok(Found::Missing),
            },
            Json::Array(list) => {
                let text = if part.text.is_empty() { "0" } else { &*part.text };
                let index = integer(text)?.ok_or(Fault::NoAnswer)?;
                let index = usize::try_from(index).map_err(|_| Fault::NoAnswer)?;
                list.get(index).ok_or(Fault::NoAnswer)?
            }
            _ => return Err(Fault::NoAnswer),
        };
    }
    // A null is a missing value.
    Ok(if at.is_null() { Found::Missing } else { Found::Json(at) })
}

fn equal(found: &Found<'_>, value: &str) -> Answer {
    match found {
        Found::Missing => Ok(false),
        Found::Key(key) => Ok(*key == value),
        Found::Index(index) => {
            let value = integer(value)?.ok_or(Fault::NoAnswer)?;
            Ok(usize::try_from(value) == Ok(*index))
        }
        Found::Json(json) => match scalar_equal(json, value)? {
            Some(Comparison::Is(answer)) => Ok(answer),
            Some(_) | None => Err(Fault::NoAnswer),
        },
    }
}

/// The result of comparing a scalar with a literal.
enum Comparison {
    Is(bool),
    /// The literal is not written like such a value.
    NotSuch,
    /// The literal is a number that is too large.
    TooLarge,
}

/// `None` if the value is not a scalar.
fn scalar_equal(json: &Json, value: &str) -> Result<Option<Comparison>, Fault> {
    Ok(Some(match json {
        Json::String(text) => Comparison::Is(text == value),
        Json::Bool(own) => match value {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Comparison::Is(*own),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Comparison::Is(!*own),
            _ => Comparison::NotSuch,
        },
        Json::Number(number) => match float(value)? {
            Read::No => Comparison::NotSuch,
            Read::TooLarge => Comparison::TooLarge,
            Read::Yes(literal) => {
                let whole =
                    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
                let exact = if is_decimal(value) { value.parse::<i128>().ok() } else { None };
                Comparison::Is(match (whole, exact) {
                    (Some(whole), Some(exact)) => whole == exact,
                    (Some(whole), None) => {
                        order_decimal(whole, value, literal)? == Some(Ordering::Equal)
                    }
                    _ => number.as_f64() == Some(literal),
                })
            }
        },
        Json::Null | Json::Array(_) | Json::Object(_) => return Ok(None),
    }))
}

fn contains(found: &Found<'_>, value: &str) -> Answer {
    match found {
        Found::Missing => Ok(false),
        Found::Key(key) => Ok(key.contains(value)),
        Found::Json(Json::String(text)) => Ok(text.contains(value)),
        Found::Json(Json::Object(map)) => Ok(map.contains_key(value)),
        Found::Json(Json::Array(list)) => {
            for element in list.iter().filter(|element| !element.is_null()) {
                match scalar_equal(element, value)? {
                    Some(Comparison::Is(true)) => return Ok(true),
                    Some(Comparison::Is(false) | Comparison::NotSuch) => {}
                    Some(Comparison::TooLarge) | None => return Err(Fault::NoAnswer),
                }
            }
            Ok(false)
        }
        Found::Index(_) | Found::Json(_) => Err(Fault::NoAnswer),
    }
}

fn matches(found: &Found<'_>, pattern: &str) -> Answer {
    let text = match found {
        Found::Missing => return Ok(false),
        Found::Key(key) => key,
        Found::Json(Json::String(text)) => text.as_str(),
        Found::Index(_) | Found::Json(_) => return Err(Fault::NoAnswer),
    };
    // Patterns with the same meaning in every dialect.
    let plain = |char: char| char.is_ascii_alphanumeric() || "^$.*+?()| _-".contains(char);
    if !pattern.chars().all(plain) || pattern.contains("(?") {
        return Err(Fault::Unsure);
    }
    let regex = Regex::new(pattern).map_err(|_| Fault::Unsure)?;
    Ok(regex.is_match(text))
}

fn empty(found: &Found<'_>) -> Answer {
    match found {
        Found::Missing => Ok(true),
        Found::Key(key) => Ok(key.is_empty()),
        Found::Json(Json::String(text)) => Ok(text.is_empty()),
        Found::Json(Json::Array(list)) => Ok(list.is_empty()),
        Found::Json(Json::Object(map)) => Ok(map.is_empty()),
        Found::Index(_) | Found::Json(_) => Err(Fault::NoAnswer),
    }
}

fn quantified<'j>(quantifier: &Quantifier, row: &'j Json, scope: &Scope<'j>) -> Answer {
    let entries: Vec<(Bound<'j>, &'j Json, bool)> = match find(&quantifier.selector, row, scope)? {
        Found::Missing => Vec::new(),
        Found::Json(Json::Array(list)) => {
            list.iter().enumerate().map(|(at, value)| (Bound::Index(at), value, false)).collect()
        }
        Found::Json(Json::Object(map)) => {
            let sorted: BTreeMap<&str, &Json> =
                map.iter().map(|(key, value)| (key.as_str(), value)).collect();
            sorted.into_iter().map(|(key, value)| (Bound::Key(key), value, true)).collect()
        }
        _ => return Err(Fault::NoAnswer),
    };
    for (key, value, of_map) in entries {
        let mut scope = scope.clone();
        let mut bind = |name: &str, bound| scope.insert(name.to_owned(), bound);
        match &quantifier.names {
            Names::One(name) if of_map => {
                bind(&name.text, key);
            }
            Names::One(name) | Names::Value(name) => {
                bind(&name.text, Bound::Value(value));
            }
            Names::Index(name) => {
                bind(&name.text, key);
            }
            Names::Both(index, name) => {
                bind(&index.text, key);
                bind(&name.text, Bound::Value(value));
            }
            _ => return Err(Fault::Unsure),
        }
        if eval(&quantifier.body, row, &scope)? != quantifier.all {
            return Ok(!quantifier.all);
        }
    }
    Ok(quantifier.all)
}

/// Reads a string as a number.
enum Read {
    Yes(f64),
    No,
    TooLarge,
}

/// Digits that a float keeps of any decimal; more would need a second reader of decimals.
const FLOAT_DIGITS: usize = 15;

/// Orders an integer against a float within the range of both.
#[expect(clippy::cast_possible_truncation, reason = "cut on purpose")]
fn order_whole(own: i128, other: f64) -> Option<Ordering> {
    let cut = other.trunc();
    match own.cmp(&(cut as i128)) {
        Ordering::Equal if other.is_finite() => cut.partial_cmp(&other),
        _ if other.is_nan() => None,
        order => Some(order),
    }
}

/// Orders an integer against a literal that is not a plain integer and was read as `float`.
fn order_decimal(own: i128, literal: &str, float: f64) -> Result<Option<Ordering>, Fault> {
    if literal.len() > FLOAT_DIGITS { Err(Fault::Unsure) } else { Ok(order_whole(own, float)) }
}

/// Matches digits with an optional minus.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads a decimal integer; other notations are undecided here.
fn integer(text: &str) -> Result<Option<i64>, Fault> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.contains('_') || digits.len() > 1 && digits.starts_with('0') {
        return Err(Fault::Unsure);
    }
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    Ok(text.parse().ok())
}

/// Reads a decimal number; other notations are undecided here.
fn float(text: &str) -> Result<Read, Fault> {
    if text.contains(['_', 'x', 'X', 'p', 'P']) {
        return Err(Fault::Unsure);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text).to_ascii_lowercase();
    if unsigned == "nan" && unsigned.len() < text.len() {
        return Ok(Read::No);
    }
    let number: f64 = match text.parse() {
        Ok(number) => number,
        Err(_) => return Ok(Read::No),
    };
    let infinite = matches!(&*unsigned, "inf" | "infinity");
    Ok(if number.is_infinite() && !infinite { Read::TooLarge } else { Read::Yes(number) })
}
