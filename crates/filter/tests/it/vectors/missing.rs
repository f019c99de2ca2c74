//! The table of missing values, implemented from the language page and independent of the
//! evaluator.

use statehold_filter::ast::{Clause, Expr, ExprKind, Names, Quantifier, Selector};
use statehold_filter::{
    Absent, Datum, Filter, Filterable, Key, KeyKind, Kind, Operator, Options, Record,
};

/// A row, and the names that enclosing quantifiers bind.
pub(crate) struct Scope<'a> {
    row: Datum<'a>,
    names: Vec<(&'a str, Datum<'a>)>,
}

/// The result of a selector.
#[derive(Clone, Copy)]
pub(crate) enum Found<'a> {
    Value(Datum<'a>),
    /// A map in the path lacks the key.
    NoKey,
    /// The path ends for another reason.
    Nothing,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(row: Datum<'a>) -> Self {
        Self { row, names: Vec::new() }
    }

    fn with(&self, names: impl IntoIterator<Item = (&'a str, Datum<'a>)>) -> Self {
        Self { row: self.row, names: self.names.iter().copied().chain(names).collect() }
    }
}

impl Filterable for Scope<'_> {
    const KIND: Kind = Kind::Any;
    fn datum(&self) -> Datum<'_> {
        Datum::Record(self)
    }
}

impl Record for Scope<'_> {
    fn field(&self, _: usize) -> Datum<'_> {
        Datum::Missing
    }
    fn named(&self, name: &str) -> Option<Datum<'_>> {
        match self.part(name) {
            Found::Value(value) => Some(value),
            _ => None,
        }
    }
}

impl<'a> Scope<'a> {
    fn part(&self, name: &str) -> Found<'a> {
        let bound = self.names.iter().rev().find(|(own, _)| *own == name);
        bound.map_or_else(|| step(self.row, name), |(_, value)| Found::Value(*value))
    }
}

/// Follows a selector through the row.
pub(crate) fn look_up<'a>(selector: &Selector, scope: &Scope<'a>) -> Found<'a> {
    let mut parts = selector.parts.iter();
    let mut found = parts.next().map_or(Found::Nothing, |part| scope.part(&part.text));
    for part in parts {
        found = match found {
            Found::Value(value) => step(value, &part.text),
            ended => return ended,
        };
    }
    found
}

fn step<'a>(value: Datum<'a>, part: &str) -> Found<'a> {
    match value {
        Datum::Record(record) => record.named(part).map_or(Found::Nothing, Found::Value),
        Datum::Map(map) => {
            let key = match map.key() {
                KeyKind::Text | KeyKind::Mixed => Some(Key::Text(part.into())),
                KeyKind::Int(_) => part.parse().ok().map(Key::Int),
                KeyKind::Uint(_) => part.parse().ok().map(Key::Uint),
                KeyKind::Bool => part.parse().ok().map(Key::Bool),
                _ => None,
            };
            let Some(key) = key else { return Found::Nothing };
            map.get(&key).map_or(Found::NoKey, Found::Value)
        }
        Datum::List(list) => {
            let index = part.parse().ok();
            index.and_then(|index| list.get(index)).map_or(Found::Nothing, Found::Value)
        }
        _ => Found::Nothing,
    }
}

/// Returns the result of a clause whose value is missing.
pub(crate) fn table(clause: &Clause) -> bool {
    matches!(clause.operator, Operator::Empty | Operator::Nil) != clause.negated
}

/// Evaluates an expression that reaches a missing key; `None` if it reaches none, or fails
/// elsewhere.
pub(crate) fn missing_answer(expr: &Expr, scope: &Scope<'_>) -> Option<bool> {
    let mut met = false;
    let answer = answer(expr, scope, &mut met);
    if met { answer } else { None }
}

/// Evaluates an expression, `None` for no result; records in `met` whether a missing key was
/// reached.
fn answer(expr: &Expr, scope: &Scope<'_>, met: &mut bool) -> Option<bool> {
    match &expr.kind {
        ExprKind::And(operands) => {
            for operand in operands {
                if !answer(operand, scope, met)? {
                    return Some(false);
                }
            }
            Some(true)
        }
        ExprKind::Or(operands) => {
            for operand in operands {
                if answer(operand, scope, met)? {
                    return Some(true);
                }
            }
            Some(false)
        }
        ExprKind::Not(operand) => answer(operand, scope, met).map(|holds| !holds),
        ExprKind::Quantifier(each) => quantified(each, scope, met),
        ExprKind::Clause(clause) => {
            if matches!(look_up(&clause.selector, scope), Found::NoKey) {
                *met = true;
                return Some(table(clause));
            }
            // Other cases compare a clause that reaches a value with the reference.
            let options = Options::new().absent(Absent::Error);
            let filter = Filter::<Scope<'_>>::compile_with(&expr.to_string(), &options).ok()?;
            filter.try_matches(scope).ok()
        }
        _ => None,
    }
}

fn quantified(each: &Quantifier, scope: &Scope<'_>, met: &mut bool) -> Option<bool> {
    let mut entries = Vec::new();
    let of_map = match look_up(&each.selector, scope) {
        Found::NoKey => {
            *met = true;
            return Some(each.all);
        }
        Found::Value(Datum::List(list)) => {
            list.any(&mut |index, value| {
                let index = i64::try_from(index).unwrap_or(i64::MAX);
                entries.push((Datum::Int(index), value));
                false
            });
            false
        }
        Found::Value(Datum::Map(map)) => {
            map.any(&mut |key, value| {
                entries.push((key, value));
                false
            });
            true
        }
        _ => return None,
    };
    for (key, value) in entries {
        let inner = match &each.names {
            Names::One(name) => {
                let named = if of_map { key } else { value };
                scope.with([(&*name.text, named)])
            }
            Names::Index(name) => scope.with([(&*name.text, key)]),
            Names::Value(name) => scope.with([(&*name.text, value)]),
            Names::Both(index, name) => scope.with([(&*index.text, key), (&*name.text, value)]),
            _ => return None,
        };
        // Elements behind a deciding one are ignored, and so are their missing keys.
        if answer(&each.body, &inner, met)? != each.all {
            return Some(!each.all);
        }
    }
    Some(each.all)
}
