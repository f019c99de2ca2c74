//! Extracts conditions that an index can serve: each is satisfied by every row that the filter
//! matches.
//!
//! A filter is read as operands that must all hold. An operand that requires a value, one of
//! several values, an element of a list, a key of a map, a prefix of a string or a range is a
//! [`Conjunct`]; a planner picks one that it has an index for and evaluates the filter on the rows
//! that the index returns.
//!
//! Invariant: a row that matches the filter satisfies each of its conjuncts. Invariant: a selector
//! whose kind only a row knows (JSON) has no conjunct, because an index MUST know how its keys
//! sort.

mod constant;
mod prefix;

use std::fmt::{self, Display, Formatter};
use std::ops::Bound::{self, Excluded, Included, Unbounded};

pub use self::constant::Constant;
use crate::ast::{Clause, Comparison, Expr, ExprKind, Operand, Operator, Part, Selector, Value};
use crate::check::map_key;
use crate::print::quote;
use crate::reach;
use crate::schema::{Key, Kind, Unit};
use crate::span::Span;

/// A condition that every row matched by the filter satisfies.
///
/// # Examples
/// ```
/// use statehold_filter::{Constant, Cover, Filter, Filterable, Sarg};
///
/// #[derive(Filterable)]
/// struct Volume {
///     plugin: String,
///     name: String,
///     size: u64,
/// }
///
/// let text = r#"plugin == p1 and name matches "^web-[0-9]" and size != 3"#;
/// let filter = Filter::<Volume>::compile(text)?;
/// let conjuncts = filter.conjuncts();
/// assert_eq!(conjuncts[0].selector(), "plugin");
/// assert_eq!(conjuncts[0].sarg(), &Sarg::Points(vec![Constant::Text("p1".into())]));
/// assert_eq!(conjuncts[0].cover(), Cover::Clause);
/// assert_eq!(conjuncts[1].to_string(), r#"name starts with "web-""#);
/// assert_eq!(conjuncts[1].cover(), Cover::Superset);
/// assert_eq!(conjuncts.len(), 2);
/// # Ok::<(), statehold_filter::CompileError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Conjunct {
    selector: Selector,
    text: Box<str>,
    kind: Kind,
    sarg: Sarg,
    cover: Cover,
    span: Span,
}

/// The search argument of a [`Conjunct`]: a condition that an index can look up.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Sarg {
    /// The value is one of these, sorted and without duplicates; if empty, no row matches.
    Points(Vec<Constant>),
    /// The list has this element.
    Element(Constant),
    /// The map has this key.
    Key(Key),
    /// The string, or the UUID as a hyphenated lower-case string, begins with this; never empty.
    Prefix(Box<str>),
    /// The number or string lies between these, strings ordered by their bytes; at least one end is
    /// bounded.
    Range {
        /// The lower end.
        low: Bound<Constant>,
        /// The upper end.
        high: Bound<Constant>,
    },
}

/// The share of the filter that a [`Conjunct`] covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cover {
    /// Less than its clause: the planner MUST evaluate the clause too.
    Superset,
    /// Its whole clause: rows that satisfy it satisfy the clause.
    Clause,
    /// The whole filter: rows that satisfy it need no evaluation.
    Filter,
}

impl Conjunct {
    /// Creates a condition stated by a program, beside a filter or without one: `selector` is a
    /// single name, and the constants of `sarg` are of `kind`.
    ///
    /// It covers no clause of a filter, so the planner MUST check each row itself.
    ///
    /// # Examples
    /// ```
    /// use statehold_filter::{Conjunct, Constant, Kind, Sarg};
    ///
    /// let sarg = Sarg::Points(vec![Constant::Text("p1".into())]);
    /// let conjunct = Conjunct::new("plugin", Kind::Text, sarg);
    /// assert_eq!(conjunct.to_string(), r#"plugin == "p1""#);
    /// ```
    pub fn new(selector: &str, kind: Kind, sarg: Sarg) -> Self {
        let span = Span::default();
        let part = Part { text: selector.into(), span };
        Self {
            selector: Selector { parts: vec![part], span },
            text: selector.into(),
            kind,
            sarg,
            cover: Cover::Superset,
            span,
        }
    }

    /// Returns the selector in canonical form, as [`Filter::selectors`](crate::Filter::selectors)
    /// does.
    pub fn selector(&self) -> &str {
        &self.text
    }

    /// Returns the parts of the selector.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.selector.parts.iter().map(|part| &*part.text)
    }

    /// Returns the kind of the selected value, without the options around it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the search argument.
    pub fn sarg(&self) -> &Sarg {
        &self.sarg
    }

    /// Returns the share of the filter that it covers.
    pub fn cover(&self) -> Cover {
        self.cover
    }

    /// Returns the source range of its clause.
    pub fn span(&self) -> Span {
        self.span
    }
}

impl Display for Conjunct {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match &self.sarg {
            Sarg::Points(points) => match &points[..] {
                [point] => write!(f, " == {point}"),
                points => {
                    f.write_str(" in [")?;
                    for (index, point) in points.iter().enumerate() {
                        let comma = if index > 0 { ", " } else { "" };
                        write!(f, "{comma}{point}")?;
                    }
                    f.write_str("]")
                }
            },
            Sarg::Element(element) => write!(f, " contains {element}"),
            Sarg::Key(Key::Text(key)) => write!(f, " contains {}", quote(key)),
            Sarg::Key(Key::Int(key)) => write!(f, " contains {key}"),
            Sarg::Key(Key::Uint(key)) => write!(f, " contains {key}"),
            Sarg::Key(Key::Bool(key)) => write!(f, " contains {key}"),
            Sarg::Key(Key::Float(key)) => write!(f, " contains {key}"),
            Sarg::Prefix(prefix) => write!(f, " starts with {}", quote(prefix)),
            Sarg::Range { low: Included(low), high: Included(high) } => {
                write!(f, " between {low} and {high}")
            }
            // A range with an open or exclusive end prints as comparisons.
            Sarg::Range { low, high } => {
                let mut and = "";
                for (end, exclusive, inclusive) in [(low, ">", ">="), (high, "<", "<=")] {
                    match end {
                        Excluded(end) => write!(f, "{and} {exclusive} {end}")?,
                        Included(end) => write!(f, "{and} {inclusive} {end}")?,
                        Unbounded => continue,
                    }
                    and = " and";
                }
                Ok(())
            }
        }
    }
}

/// Returns the conjuncts of an expression over rows of `kind`, in order of appearance.
pub(crate) fn conjuncts(expr: &Expr, kind: Kind) -> Vec<Conjunct> {
    let mut found = Vec::new();
    let operands = collect(expr, false, kind, &mut found);
    // A single operand that is covered exactly is the filter itself.
    if let ([only], 1) = (&mut found[..], operands)
        && only.cover == Cover::Clause
    {
        only.cover = Cover::Filter;
    }
    found
}

/// Appends the conjuncts of `expr`, or of its negation, and returns the number of operands that
/// must all hold.
fn collect(expr: &Expr, negated: bool, kind: Kind, found: &mut Vec<Conjunct>) -> usize {
    match (&expr.kind, negated) {
        // De Morgan: the negation of `or` requires the negation of each operand.
        (ExprKind::And(operands), false) | (ExprKind::Or(operands), true) => {
            operands.iter().map(|operand| collect(operand, negated, kind, found)).sum()
        }
        (ExprKind::Not(operand), _) => collect(operand, !negated, kind, found),
        _ => {
            found.extend(operand(expr, negated, kind));
            1
        }
    }
}

/// Returns the conjunct of one operand that must hold, or whose negation must.
pub(crate) fn operand(expr: &Expr, negated: bool, kind: Kind) -> Option<Conjunct> {
    let (selector, asked) = match &expr.kind {
        ExprKind::Clause(clause) if clause.negated == negated => {
            (&clause.selector, read_clause(clause, kind)?)
        }
        ExprKind::Comparison(comparison) if comparison.negated == negated => {
            (&comparison.selector, read_comparison(comparison, kind)?)
        }
        // An `or` of equalities on one selector is a list of points.
        ExprKind::Or(_) | ExprKind::And(_) => {
            let mut points =
                EqualityReader { kind, selector: None, found: Vec::new(), at: Kind::Any };
            let all = points.gather(expr, negated);
            let asked =
                ClauseSearch { kind: points.at, sarg: point_list(points.found), exact: true };
            (points.selector.filter(|_| all)?, asked)
        }
        _ => return None,
    };
    Some(Conjunct {
        selector: selector.clone(),
        text: selector.to_string().into(),
        kind: asked.kind,
        sarg: asked.sarg,
        cover: if asked.exact { Cover::Clause } else { Cover::Superset },
        span: expr.span,
    })
}

/// A clause read as a search.
struct ClauseSearch {
    kind: Kind,
    sarg: Sarg,
    exact: bool,
}

/// An `or` of equalities on one selector, while it is read.
struct EqualityReader<'e> {
    kind: Kind,
    selector: Option<&'e Selector>,
    found: Vec<Constant>,
    /// The kind of the selected value.
    at: Kind,
}

impl<'e> EqualityReader<'e> {
    /// Adds the points of an operand; returns false if it is not made of equalities on the one
    /// selector.
    fn gather(&mut self, expr: &'e Expr, negated: bool) -> bool {
        match (&expr.kind, negated) {
            (ExprKind::Or(operands), false) | (ExprKind::And(operands), true) => {
                operands.iter().all(|operand| self.gather(operand, negated))
            }
            (ExprKind::Not(operand), _) => self.gather(operand, !negated),
            (ExprKind::Clause(clause), _) if clause.negated == negated => {
                // The first equality decides the selector of all.
                if **self.selector.get_or_insert(&clause.selector) != clause.selector {
                    return false;
                }
                let Some(ClauseSearch { kind, sarg: Sarg::Points(points), exact: true }) =
                    read_clause(clause, self.kind)
                else {
                    return false;
                };
                self.at = kind;
                self.found.extend(points);
                true
            }
            _ => false,
        }
    }
}

/// Reads `in [..]` or `between` as a search, ignoring its negation.
fn read_comparison(comparison: &Comparison, row: Kind) -> Option<ClauseSearch> {
    let (kind, unit) = reach::measured_end(row, &comparison.selector.parts)?;
    let sarg = match &comparison.with {
        Operand::List(values) if comparison.operator == Operator::In => {
            let mut points = Vec::with_capacity(values.len());
            for value in values {
                points.extend(constant(value, kind, unit)?);
            }
            point_list(points)
        }
        Operand::Range(low, high) => {
            let low = Included(end(low, kind, unit)?);
            Sarg::Range { low, high: Included(end(high, kind, unit)?) }
        }
        _ => return None,
    };
    Some(ClauseSearch { kind, sarg, exact: true })
}

/// Reads the end of a range; `None` for kinds without order, or whose order differs from that of an
/// index.
fn end(value: &Value, kind: Kind, unit: Option<Unit>) -> Option<Constant> {
    match kind {
        Kind::Bool | Kind::Uuid | Kind::Address | Kind::Char => None,
        kind => constant(value, kind, unit)?,
    }
}

/// Reads a clause as a search, ignoring its negation.
fn read_clause(clause: &Clause, row: Kind) -> Option<ClauseSearch> {
    let (kind, unit) = reach::measured_end(row, &clause.selector.parts)?;
    let value = clause.value.as_ref()?;
    let range = |low, high| (Sarg::Range { low, high }, true);
    let (sarg, exact) = match (clause.operator, kind) {
        (Operator::Equal, _) => (point_list(constant(value, kind, unit)?.into_iter().collect()), true),
        (Operator::Less, _) => range(Unbounded, Excluded(end(value, kind, unit)?)),
        (Operator::LessEqual, _) => range(Unbounded, Included(end(value, kind, unit)?)),
        (Operator::Greater, _) => range(Excluded(end(value, kind, unit)?), Unbounded),
        (Operator::GreaterEqual, _) => range(Included(end(value, kind, unit)?), Unbounded),
        (Operator::Contains, Kind::List(element)) => match constant(value, *element, unit)? {
            Some(constant) => (Sarg::Element(constant), true),
            // The element equals no value of its kind, so no row matches.
            None => (Sarg::Points(Vec::new()), true),
        },
        (Operator::Contains, Kind::Map(key, _)) => (Sarg::Key(map_key(&value.text, key)?), true),
        (Operator::StartsWith, Kind::Text | Kind::Enum(_) | Kind::Uuid)
            // Every string begins with the empty one: such a prefix narrows nothing.
            if !value.text.is_empty() =>
        {
            (Sarg::Prefix(value.text.clone()), true)
        }
        (Operator::Matches, Kind::Text | Kind::Enum(_) | Kind::Uuid) => {
            let found = prefix::of(&value.text)?;
            // A whole UUID stays a prefix, because its text is not a constant of the UUID kind.
            if found.whole && !matches!(kind, Kind::Uuid) {
                (Sarg::Points(vec![Constant::Text(found.text.into())]), true)
            } else if found.text.is_empty() {
                return None;
            } else {
                (Sarg::Prefix(found.text.into()), found.exact)
            }
        }
        _ => return None,
    };
    Some(ClauseSearch { kind, sarg, exact })
}

/// Reads a literal in the kind of its field; `Some(None)` if it equals no value of that kind.
#[expect(clippy::option_option, reason = "no kind with `==`, and no such value, differ")]
fn constant(value: &Value, kind: Kind, unit: Option<Unit>) -> Option<Option<Constant>> {
    Constant::read(&value.text, kind, unit)
}

/// Sorts the points and removes duplicates.
fn point_list(mut points: Vec<Constant>) -> Sarg {
    points.sort_unstable_by(Constant::order);
    points.dedup();
    Sarg::Points(points)
}
