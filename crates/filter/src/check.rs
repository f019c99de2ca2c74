//! Compiles a syntax tree to a program and reports every error that does not need a row.
//!
//! [`resolve`] turns selectors into slots, [`clause`] turns clauses into tests. Where the schema
//! ends (JSON), parts and literals stay open until a row is evaluated.

mod clause;
mod extended;
mod near;
pub(crate) mod operators;
mod resolve;

pub(crate) use self::resolve::map_key;
use crate::ast::{Expr, ExprKind, Name, Names, Quantifier};
use crate::budget::{known_steps, literal_steps};
use crate::error::{CompileError, CompileErrorKind};
use crate::limits::Limits;
use crate::program::{Each, Node};
use crate::schema::{KeyKind, Kind, Unit};
use crate::span::Span;
use crate::warning::{Warning, WarningKind};

/// The result of checking an expression.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) root: Node,
    pub(crate) selectors: Vec<Box<str>>,
    pub(crate) warnings: Vec<Warning>,
}

/// Checks `expr` against rows of `kind`.
pub(crate) fn check(
    text: &str,
    expr: &Expr,
    kind: Kind,
    limits: &Limits,
) -> Result<Checked, CompileError> {
    let mut checker = Checker {
        text,
        kind,
        pattern_max: limits.pattern,
        pattern_left: limits.pattern,
        names: Vec::new(),
        depth: 0,
        dynamic: false,
        selectors: Vec::new(),
        warnings: Vec::new(),
    };
    let root = checker.expr(expr)?;
    let (steps, max) = (known_steps(&root), limits.row_steps);
    if steps > max {
        let error = checker.error(CompileErrorKind::TooCostly { steps, max }, expr.span);
        return Err(error.with_help("nest fewer `any` and `all` over arrays"));
    }
    Ok(Checked { root, selectors: deduplicated(checker.selectors), warnings: checker.warnings })
}

/// Removes repeated texts, keeping the first of each in order.
fn deduplicated(texts: Vec<Box<str>>) -> Vec<Box<str>> {
    let mut numbered: Vec<(usize, Box<str>)> = texts.into_iter().enumerate().collect();
    // Stable, so that the first of equal texts stays first.
    numbered.sort_by(|(_, one), (_, other)| one.cmp(other));
    numbered.dedup_by(|(_, one), (_, other)| one == other);
    numbered.sort_unstable_by_key(|(at, _)| *at);
    numbered.into_iter().map(|(_, text)| text).collect()
}

struct Checker<'t> {
    text: &'t str,
    kind: Kind,
    pattern_max: usize,
    /// The part of `pattern_max` that is left for further patterns.
    pattern_left: usize,
    /// The names in scope, innermost last.
    names: Vec<BoundName<'t>>,
    /// The number of quantifiers around the current node.
    depth: usize,
    /// Whether a clause so far depends on the kinds found in a row.
    dynamic: bool,
    selectors: Vec<Box<str>>,
    warnings: Vec<Warning>,
}

/// A name bound by a quantifier.
struct BoundName<'t> {
    name: &'t str,
    role: Role,
    kind: Kind,
    unit: Option<Unit>,
    /// The number of quantifiers around the one that bound it.
    depth: usize,
}

/// The value at the end of a selector.
#[derive(Clone, Copy)]
struct SelectedValue {
    /// Without the options around it.
    kind: Kind,
    unit: Option<Unit>,
    /// The number of elements, where the schema knows it.
    elements: Option<usize>,
}

impl SelectedValue {
    /// The elements of a list.
    fn element(self, kind: Kind) -> Self {
        let kind = kind.required();
        Self { kind, unit: self.unit.or(kind.unit()), elements: None }
    }

    /// Returns the name of the kind for messages.
    fn name(self) -> Box<str> {
        match self.unit {
            Some(unit) if self.kind.is_scalar() => unit.to_string().into(),
            _ => self.kind.to_string().into(),
        }
    }
}

/// The meaning of a quantifier's name.
#[derive(Clone, Copy)]
enum Role {
    Key,
    Value,
    /// The element of a list or the key of a map: only a row decides which.
    Either,
}

impl<'t> Checker<'t> {
    fn expr(&mut self, expr: &'t Expr) -> Result<Node, CompileError> {
        match &expr.kind {
            ExprKind::And(operands) => Ok(Node::all(self.exprs(operands)?)),
            ExprKind::Or(operands) => Ok(Node::any(self.exprs(operands)?)),
            // Two negations cancel, so their depth costs a row nothing.
            ExprKind::Not(operand) => Ok(match self.expr(operand)? {
                Node::Not(inner) => *inner,
                other => Node::Not(Box::new(other)),
            }),
            ExprKind::Clause(clause) => Ok(self.clause(clause, expr.span)?.specialize()),
            ExprKind::Comparison(comparison) => self.comparison(comparison, expr.span),
            ExprKind::Quantifier(quantifier) => {
                Ok(Node::Each(Box::new(self.quantifier(quantifier, expr.span)?)))
            }
        }
    }

    fn exprs(&mut self, operands: &'t [Expr]) -> Result<Vec<Node>, CompileError> {
        operands.iter().map(|operand| self.expr(operand)).collect()
    }

    fn quantifier(&mut self, quantifier: &'t Quantifier, span: Span) -> Result<Each, CompileError> {
        let (path, SelectedValue { kind, unit, elements }) = self.resolve(&quantifier.selector)?;
        let (key, value) = match kind {
            // go-bexpr: evaluate.go, evaluateCollectionExpression, iterates over lists and over
            // maps with string keys; keys of UUIDs and addresses are strings there.
            Kind::List(element) => (Kind::Int(64), *element),
            Kind::Map(KeyKind::Text, value) => (Kind::Text, *value),
            Kind::Map(KeyKind::Uuid, value) => (Kind::Uuid, *value),
            Kind::Map(KeyKind::Address, value) => (Kind::Address, *value),
            Kind::Any => (Kind::Any, Kind::Any),
            other => {
                let kind = CompileErrorKind::NotACollection { kind: other.to_string().into() };
                return Err(self.error(kind, quantifier.selector.span));
            }
        };
        // One name is the element of a list but the key of a map, as in go-bexpr.
        let one = match kind {
            Kind::List(_) => (Role::Value, value),
            Kind::Any => (Role::Either, Kind::Any),
            _ => (Role::Key, key),
        };
        // The names end with the body, so that a later clause cannot see them.
        let outer = self.names.len();
        match &quantifier.names {
            Names::One(name) => self.bind(name, one.0, one.1, unit),
            Names::Index(name) => self.bind(name, Role::Key, key, unit),
            Names::Value(name) => self.bind(name, Role::Value, value, unit),
            // go-bexpr refuses this too, but only when it evaluates a collection that is not empty.
            Names::Both(index, name) if index.text == name.text => {
                let error = self.error(CompileErrorKind::NameTwice, name.span).also(index.span);
                return Err(error.with_help("give the element another name than the index"));
            }
            Names::Both(index, name) => {
                self.bind(index, Role::Key, key, unit);
                self.bind(name, Role::Value, value, unit);
            }
        }
        // Restored below: only the body decides whether the quantifier can fail.
        let dynamic_before = std::mem::replace(&mut self.dynamic, false);
        self.depth += 1;
        let body = self.expr(&quantifier.body)?;
        self.depth -= 1;
        self.names.truncate(outer);
        let fallible = self.dynamic;
        self.dynamic |= dynamic_before;
        let elements = elements.map(|elements| elements as u64);
        let element_steps = 1 + literal_steps(&body);
        Ok(Each { path, all: quantifier.all, body, fallible, elements, element_steps, span })
    }

    fn bind(&mut self, name: &'t Name, role: Role, kind: Kind, unit: Option<Unit>) {
        // An index or key counts nothing, even where the elements have a unit.
        let unit = if matches!(role, Role::Key) { None } else { unit };
        self.names.push(BoundName { name: &name.text, role, kind, unit, depth: self.depth });
    }

    fn warn(&mut self, kind: WarningKind, span: Span) {
        self.warnings.push(Warning { kind, span });
    }

    fn error(&self, kind: CompileErrorKind, span: Span) -> CompileError {
        CompileError::new(kind, self.text, span)
    }
}
