//! What an index could serve: the parts of a filter that every row it matches satisfies.
//!
//! A filter is seen as operands that all must hold. Those that ask for a value, for one of several values, for an element
//! of a list, for a key of a map, for the beginning of a text or for a range are [`Conjunct`]s; a planner picks one that it has an index for
//! and asks the filter about the rows that the index gives.
//!
//! Invariant: a row that matches the filter satisfies each of its conjuncts. Invariant: a selector whose kind only a
//! row can tell (JSON) gives none, as an index has to know how its keys sort.

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

/// A condition that every row satisfies which the filter matches.
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
/// let filter = Filter::<Volume>::compile(r#"plugin == p1 and name matches "^web-[0-9]" and size != 3"#)?;
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

/// What a [`Conjunct`] asks of its selector: something that a search in an index answers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Sarg {
    /// The value is one of these, each once and in order; none at all: no row matches.
    Points(Vec<Constant>),
    /// The list has this element.
    Element(Constant),
    /// The map has this key.
    Key(Key),
    /// The text, or the UUID as hyphenated lower-case text, begins with this; never empty.
    Prefix(Box<str>),
    /// The number or text lies between these, text being ordered by its bytes; at least one end is bounded.
    Range {
        /// The lower end.
        low: Bound<Constant>,
        /// The upper end.
        high: Bound<Constant>,
    },
}

/// How much of the filter a [`Conjunct`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cover {
    /// Less than its clause: the clause has to be asked too.
    Superset,
    /// All of its clause: rows that satisfy it satisfy the clause.
    Clause,
    /// All of the filter: rows that satisfy it need not be asked.
    Filter,
}

impl Conjunct {
    /// A condition that a program states, beside a filter or without one: `selector` is one name, and
    /// `sarg` has constants of `kind`.
    ///
    /// It covers no clause of any text: whoever plans with it asks each row itself.
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

    /// The selector in canonical form, as [`Filter::selectors`](crate::Filter::selectors) gives it.
    pub fn selector(&self) -> &str {
        &self.text
    }

    /// The parts of the selector.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.selector.parts.iter().map(|part| &*part.text)
    }

    /// The kind of what is selected, without the options around it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is asked of it.
    pub fn sarg(&self) -> &Sarg {
        &self.sarg
    }

    /// How much of the filter it says.
    pub fn cover(&self) -> Cover {
        self.cover
    }

    /// Where its clause stands in the text.
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

/// The conjuncts of an expression about rows of `kind`, in order of appearance.
pub(crate) fn conjuncts(expr: &Expr, kind: Kind) -> Vec<Conjunct> {
    let mut found = Vec::new();
    let operands = collect(expr, false, kind, &mut found);
    if let ([only], 1) = (&mut found[..], operands)
        && only.cover == Cover::Clause
    {
        only.cover = Cover::Filter;
    }
    found
}

/// Adds the conjuncts of `expr`, or of its negation; counts the operands that all must hold.
fn collect(expr: &Expr, negated: bool, kind: Kind, found: &mut Vec<Conjunct>) -> usize {
    match (&expr.kind, negated) {
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

/// One operand that must hold, or whose negation must.
pub(crate) fn operand(expr: &Expr, negated: bool, kind: Kind) -> Option<Conjunct> {
    let (selector, asked) = match &expr.kind {
        ExprKind::Clause(clause) if clause.negated == negated => {
            (&clause.selector, asked(clause, kind)?)
        }
        ExprKind::Comparison(comparison) if comparison.negated == negated => {
            (&comparison.selector, compared(comparison, kind)?)
        }
        ExprKind::Or(_) | ExprKind::And(_) => {
            let mut points = Points { kind, selector: None, found: Vec::new(), at: Kind::Any };
            let all = points.gather(expr, negated);
            let asked = Asked { kind: points.at, sarg: among(points.found), exact: true };
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

/// What one clause asks, read as a search.
struct Asked {
    kind: Kind,
    sarg: Sarg,
    exact: bool,
}

/// An `or` of equalities on one selector, as far as it was read.
struct Points<'e> {
    kind: Kind,
    selector: Option<&'e Selector>,
    found: Vec<Constant>,
    /// The kind of what is selected.
    at: Kind,
}

impl<'e> Points<'e> {
    /// Takes the points of an operand in; false when it has others than equalities on the one selector.
    fn gather(&mut self, expr: &'e Expr, negated: bool) -> bool {
        match (&expr.kind, negated) {
            (ExprKind::Or(operands), false) | (ExprKind::And(operands), true) => {
                operands.iter().all(|operand| self.gather(operand, negated))
            }
            (ExprKind::Not(operand), _) => self.gather(operand, !negated),
            (ExprKind::Clause(clause), _) if clause.negated == negated => {
                if **self.selector.get_or_insert(&clause.selector) != clause.selector {
                    return false;
                }
                let Some(Asked { kind, sarg: Sarg::Points(points), exact: true }) =
                    asked(clause, self.kind)
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

/// The search that `in [..]` or `between` asks for, its negation left aside.
fn compared(comparison: &Comparison, row: Kind) -> Option<Asked> {
    let (kind, unit) = reach::measured_end(row, &comparison.selector.parts)?;
    let sarg = match &comparison.with {
        Operand::List(values) if comparison.operator == Operator::In => {
            let mut points = Vec::with_capacity(values.len());
            for value in values {
                points.extend(constant(value, kind, unit)?);
            }
            among(points)
        }
        Operand::Range(low, high) => {
            let low = Included(end(low, kind, unit)?);
            Sarg::Range { low, high: Included(end(high, kind, unit)?) }
        }
        _ => return None,
    };
    Some(Asked { kind, sarg, exact: true })
}

/// The end of a range; `None` for what has no order, or another one than an index would have.
fn end(value: &Value, kind: Kind, unit: Option<Unit>) -> Option<Constant> {
    match kind {
        Kind::Bool | Kind::Uuid | Kind::Address | Kind::Char => None,
        kind => constant(value, kind, unit)?,
    }
}

/// The search that a clause asks for, its negation left aside.
fn asked(clause: &Clause, row: Kind) -> Option<Asked> {
    let (kind, unit) = reach::measured_end(row, &clause.selector.parts)?;
    let value = clause.value.as_ref()?;
    let range = |low, high| (Sarg::Range { low, high }, true);
    let (sarg, exact) = match (clause.operator, kind) {
        (Operator::Equal, _) => (among(constant(value, kind, unit)?.into_iter().collect()), true),
        (Operator::Less, _) => range(Unbounded, Excluded(end(value, kind, unit)?)),
        (Operator::LessEqual, _) => range(Unbounded, Included(end(value, kind, unit)?)),
        (Operator::Greater, _) => range(Excluded(end(value, kind, unit)?), Unbounded),
        (Operator::GreaterEqual, _) => range(Included(end(value, kind, unit)?), Unbounded),
        (Operator::Contains, Kind::List(element)) => match constant(value, *element, unit)? {
            Some(constant) => (Sarg::Element(constant), true),
            None => (Sarg::Points(Vec::new()), true),
        },
        (Operator::Contains, Kind::Map(key, _)) => (Sarg::Key(map_key(&value.text, key)?), true),
        (Operator::StartsWith, Kind::Text | Kind::Enum(_) | Kind::Uuid)
            if !value.text.is_empty() =>
        {
            (Sarg::Prefix(value.text.clone()), true)
        }
        (Operator::Matches, Kind::Text | Kind::Enum(_) | Kind::Uuid) => {
            let found = prefix::of(&value.text)?;
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
    Some(Asked { kind, sarg, exact })
}

/// A literal in the kind of what it is compared with, `None` inside when it equals nothing of that kind.
#[expect(clippy::option_option, reason = "no kind with `==`, and no such value, differ")]
fn constant(value: &Value, kind: Kind, unit: Option<Unit>) -> Option<Option<Constant>> {
    Constant::read(&value.text, kind, unit)
}

/// Points sorted, each once.
fn among(mut points: Vec<Constant>) -> Sarg {
    points.sort_unstable_by(Constant::order);
    points.dedup();
    Sarg::Points(points)
}
