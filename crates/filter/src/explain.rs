//! Explains a filter to its author: a tree that prints as an indented plan.

use std::fmt::{self, Display, Formatter};

use crate::ast::{Clause, Expr, ExprKind, Name, Names, Operator, Quantifier, Selector};
use crate::conjunct::{self, Conjunct};
use crate::reach;
use crate::schema::{KeyKind, Kind};

/// The plan of a filter, created by [`Filter::explain`](crate::Filter::explain): a tree whose
/// `Display` is indented.
///
/// # Examples
/// ```
/// use std::collections::BTreeMap;
/// use statehold_filter::{Cost, Filter, Filterable};
///
/// #[derive(Filterable)]
/// struct Volume {
///     plugin: String,
///     size: u64,
///     meta: BTreeMap<String, String>,
///     tags: Vec<String>,
/// }
///
/// let text = r#"plugin == p1
///     and (size == 3 or meta.env == prod)
///     and any tags as t { t matches "^a" }"#;
/// let plan = Filter::<Volume>::compile(text)?.explain();
/// assert_eq!(
///     plan.to_string(),
///     r#"and  [loop]
///   plugin == "p1"  (text) [field] indexable: plugin == "p1"
///   or  [look-up]
///     size == 3  (unsigned integer) [field]
///     meta.env == "prod"  (text) [look-up]
///   any tags as t  (list of text) [loop]
///     t matches "^a"  (text) [search]
/// "#
/// );
/// assert_eq!(plan.cost(), Cost::Loop);
/// assert!(plan.parts()[0].conjunct().is_some());
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    text: Box<str>,
    kind: Option<Kind>,
    cost: Cost,
    conjunct: Option<Conjunct>,
    parts: Vec<Plan>,
}

/// The approximate cost of one evaluation, cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cost {
    /// One field is compared: some nanoseconds.
    Field,
    /// A key is looked up in a map, or a field by its name: some tens of nanoseconds.
    LookUp,
    /// A string or list is scanned: grows with its length.
    Scan,
    /// A regular expression is searched for: grows with the string, by more for each byte.
    Search,
    /// A body is evaluated for each element: grows with the list and with the cost of the body.
    Loop,
}

impl Plan {
    /// Returns the clause in canonical form, `and`, `or`, `not`, or the head of a quantifier.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the kind of the selected value; `None` for connectives.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Returns the cost of the most expensive part.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Returns the condition that an index can serve here. Whether one does is decided by the
    /// store's planner.
    pub fn conjunct(&self) -> Option<&Conjunct> {
        self.conjunct.as_ref()
    }

    /// Returns the operands, or the body of a quantifier.
    pub fn parts(&self) -> &[Self] {
        &self.parts
    }

    fn write(&self, f: &mut Formatter<'_>, level: usize) -> fmt::Result {
        write!(f, "{:1$}{2} ", "", level * 2, self.text)?;
        if let Some(kind) = self.kind {
            write!(f, " ({kind})")?;
        }
        write!(f, " [{}]", self.cost)?;
        if let Some(conjunct) = &self.conjunct {
            write!(f, " indexable: {conjunct}")?;
        }
        f.write_str("\n")?;
        self.parts.iter().try_for_each(|part| part.write(f, level + 1))
    }
}

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Display for Cost {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Field => "field",
            Self::LookUp => "look-up",
            Self::Scan => "scan",
            Self::Search => "search",
            Self::Loop => "loop",
        })
    }
}

/// Returns the plan of an expression over rows of `kind`.
pub(crate) fn explain(expr: &Expr, kind: Kind) -> Plan {
    Explainer { row: kind, names: Vec::new() }.expr(expr, Some(false))
}

struct Explainer<'e> {
    row: Kind,
    /// The names bound by quantifiers with their kinds, innermost last.
    names: Vec<(&'e str, Kind)>,
}

impl<'e> Explainer<'e> {
    /// Explains an expression. `demanded` is `Some(negated)` if every matching row must satisfy it,
    /// or its negation.
    fn expr(&mut self, expr: &'e Expr, demanded: Option<bool>) -> Plan {
        let conjunct = demanded.and_then(|negated| conjunct::operand(expr, negated, self.row));
        match &expr.kind {
            ExprKind::And(operands) => {
                // Only a conjunction demands each operand; a negated one is a disjunction.
                let demanded = demanded.filter(|negated| !negated);
                self.connective("and", operands, demanded, conjunct)
            }
            ExprKind::Or(operands) => {
                // The negation of `or` demands the negation of each operand.
                let demanded = demanded.filter(|negated| *negated);
                self.connective("or", operands, demanded, conjunct)
            }
            ExprKind::Not(operand) => {
                let operands = std::slice::from_ref(&**operand);
                self.connective("not", operands, demanded.map(|negated| !negated), None)
            }
            ExprKind::Clause(clause) => {
                let kind = self.kind(&clause.selector);
                let cost = cost(clause, kind, &clause.selector);
                let text = clause.to_string().into();
                Plan { text, kind: Some(kind), cost, conjunct, parts: Vec::new() }
            }
            ExprKind::Comparison(comparison) => {
                let kind = self.kind(&comparison.selector);
                let cost = match comparison.operator {
                    Operator::In | Operator::ContainsAny | Operator::ContainsAll => Cost::Scan,
                    _ if comparison.selector.parts.len() > 1 || matches!(kind, Kind::Any) => {
                        Cost::LookUp
                    }
                    _ => Cost::Field,
                };
                let text = comparison.to_string().into();
                Plan { text, kind: Some(kind), cost, conjunct, parts: Vec::new() }
            }
            ExprKind::Quantifier(quantifier) => self.quantifier(quantifier),
        }
    }

    fn connective(
        &mut self,
        word: &str,
        operands: &'e [Expr],
        demanded: Option<bool>,
        conjunct: Option<Conjunct>,
    ) -> Plan {
        let parts: Vec<Plan> =
            operands.iter().map(|operand| self.expr(operand, demanded)).collect();
        let cost = parts.iter().map(Plan::cost).max().unwrap_or(Cost::Field);
        Plan { text: word.into(), kind: None, cost, conjunct, parts }
    }

    fn quantifier(&mut self, quantifier: &'e Quantifier) -> Plan {
        let kind = self.kind(&quantifier.selector);
        let outer = self.names.len();
        for (name, kind) in bindings(&quantifier.names, kind) {
            self.names.push((&name.text, kind));
        }
        // An element that satisfies the body is no condition on the row that an index could serve.
        let body = self.expr(&quantifier.body, None);
        self.names.truncate(outer);
        let text = quantifier.head().into();
        Plan { text, kind: Some(kind), cost: Cost::Loop, conjunct: None, parts: vec![body] }
    }

    /// Returns the kind of the selected value; that of JSON if the schema does not know it.
    fn kind(&self, selector: &Selector) -> Kind {
        let bound = selector
            .parts
            .first()
            .and_then(|first| self.names.iter().rev().find(|(name, _)| **name == *first.text));
        let (kind, parts) = match bound {
            Some((_, kind)) => (*kind, &selector.parts[1..]),
            None => (self.row, &selector.parts[..]),
        };
        reach::end(kind, parts).map_or(Kind::Any, Kind::required)
    }
}

/// Returns the names that a quantifier over `kind` binds, each with its kind.
pub(crate) fn bindings(names: &Names, kind: Kind) -> Vec<(&Name, Kind)> {
    let (key, value) = match kind.required() {
        Kind::List(element) => (Kind::Int(64), *element),
        Kind::Map(KeyKind::Uuid, value) => (Kind::Uuid, *value),
        Kind::Map(KeyKind::Address, value) => (Kind::Address, *value),
        Kind::Map(_, value) => (Kind::Text, *value),
        _ => (Kind::Any, Kind::Any),
    };
    match names {
        Names::One(name) if matches!(kind.required(), Kind::List(_)) => vec![(name, value)],
        Names::One(name) | Names::Index(name) => vec![(name, key)],
        Names::Value(name) => vec![(name, value)],
        Names::Both(index, name) => vec![(index, key), (name, value)],
    }
}

fn cost(clause: &Clause, kind: Kind, selector: &Selector) -> Cost {
    match (clause.operator, kind) {
        (Operator::Matches | Operator::MatchesFold, _) => Cost::Search,
        (Operator::Contains, Kind::Map(..)) => Cost::LookUp,
        (Operator::Contains | Operator::ContainsFold, _) => Cost::Scan,
        // Parts after the first are keys or indexes more often than fields.
        _ if selector.parts.len() > 1 || matches!(kind, Kind::Any) => Cost::LookUp,
        _ => Cost::Field,
    }
}
