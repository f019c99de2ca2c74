//! Syntax tree to program: every error that does not need a row is found here.
//!
//! Selectors are resolved to slots by [`resolve`], clauses get their test by [`clause`]. Where the schema ends (JSON), parts and
//! literals stay open until a row is seen.

mod clause;
mod near;
mod resolve;

pub(crate) use self::clause::{can_be_empty, can_match};
pub(crate) use self::resolve::map_key;
use crate::ast::{Expr, ExprKind, Name, Names, Quantifier};
use crate::error::{CompileError, CompileErrorKind};
use crate::limits::Limits;
use crate::program::{Each, Node};
use crate::schema::{KeyKind, Kind};
use crate::span::Span;
use crate::warning::{Warning, WarningKind};

/// What checking an expression gives.
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
        names: Vec::new(),
        depth: 0,
        dynamic: false,
        selectors: Vec::new(),
        warnings: Vec::new(),
    };
    let root = checker.expr(expr)?;
    Ok(Checked { root, selectors: checker.selectors, warnings: checker.warnings })
}

struct Checker<'t> {
    text: &'t str,
    kind: Kind,
    pattern_max: usize,
    /// The names in scope, innermost last.
    names: Vec<Bound<'t>>,
    /// How many quantifiers are around.
    depth: usize,
    /// Whether anything so far is only decided by a row.
    dynamic: bool,
    selectors: Vec<Box<str>>,
    warnings: Vec<Warning>,
}

/// A name that a quantifier gave.
struct Bound<'t> {
    name: &'t str,
    role: Role,
    kind: Kind,
    /// The number of quantifiers around the one that gave it.
    depth: usize,
}

/// What a quantifier's name stands for.
#[derive(Clone, Copy)]
enum Role {
    Key,
    Value,
    /// The element if it is a list, the key if it is a map: only the row can tell.
    Either,
}

impl<'t> Checker<'t> {
    fn expr(&mut self, expr: &'t Expr) -> Result<Node, CompileError> {
        match &expr.kind {
            ExprKind::And(operands) => Ok(Node::all(self.exprs(operands)?)),
            ExprKind::Or(operands) => Ok(Node::any(self.exprs(operands)?)),
            ExprKind::Not(operand) => Ok(Node::Not(Box::new(self.expr(operand)?))),
            ExprKind::Clause(clause) => Ok(self.clause(clause, expr.span)?.shorten()),
            ExprKind::Quantifier(quantifier) => {
                Ok(Node::Each(Box::new(self.quantifier(quantifier, expr.span)?)))
            }
        }
    }

    fn exprs(&mut self, operands: &'t [Expr]) -> Result<Vec<Node>, CompileError> {
        operands.iter().map(|operand| self.expr(operand)).collect()
    }

    fn quantifier(&mut self, quantifier: &'t Quantifier, span: Span) -> Result<Each, CompileError> {
        let (path, kind) = self.resolve(&quantifier.selector)?;
        let kind = kind.required();
        let (key, value) = match kind {
            Kind::List(element) => (Kind::Int(64), *element),
            Kind::Map(KeyKind::Text, value) => (Kind::Text, *value),
            Kind::Map(KeyKind::Uuid, value) => (Kind::Uuid, *value),
            Kind::Any => (Kind::Any, Kind::Any),
            other => {
                let kind = CompileErrorKind::NotACollection { kind: other.to_string().into() };
                return Err(self.error(kind, quantifier.selector.span));
            }
        };
        let one = match kind {
            Kind::List(_) => (Role::Value, value),
            Kind::Any => (Role::Either, Kind::Any),
            _ => (Role::Key, key),
        };
        let outer = self.names.len();
        match &quantifier.names {
            Names::One(name) => self.bind(name, one.0, one.1),
            Names::Index(name) => self.bind(name, Role::Key, key),
            Names::Value(name) => self.bind(name, Role::Value, value),
            Names::Both(index, name) if index.text == name.text => {
                let error = self.error(CompileErrorKind::NameTwice, name.span).also(index.span);
                return Err(error.with_help("give the element another name than the index"));
            }
            Names::Both(index, name) => {
                self.bind(index, Role::Key, key);
                self.bind(name, Role::Value, value);
            }
        }
        let dynamic_before = std::mem::replace(&mut self.dynamic, false);
        self.depth += 1;
        let body = self.expr(&quantifier.body)?;
        self.depth -= 1;
        self.names.truncate(outer);
        let fallible = self.dynamic;
        self.dynamic |= dynamic_before;
        Ok(Each { path, all: quantifier.all, body, fallible, span })
    }

    fn bind(&mut self, name: &'t Name, role: Role, kind: Kind) {
        self.names.push(Bound { name: &name.text, role, kind, depth: self.depth });
    }

    fn warn(&mut self, kind: WarningKind, span: Span) {
        self.warnings.push(Warning { kind, span });
    }

    fn error(&self, kind: CompileErrorKind, span: Span) -> CompileError {
        CompileError::new(kind, self.text, span)
    }
}
