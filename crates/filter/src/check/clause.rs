//! Clauses to tests.

use regex::bytes::Regex;

use super::Checker;
use super::resolve::map_key;
use crate::ast::{Clause, Operator, Value};
use crate::coerce::Coerce;
use crate::error::{CompileError, CompileErrorKind};
use crate::literal::{Literal, Scalar, fits_int, fits_uint};
use crate::parse::string::source_offset;
use crate::pattern::{self, Fault};
use crate::program::{Leaf, Test};
use crate::schema::Kind;
use crate::span::Span;
use crate::warning::WarningKind;

impl<'t> Checker<'t> {
    pub(super) fn clause(&mut self, clause: &'t Clause, span: Span) -> Result<Leaf, CompileError> {
        let (path, kind) = self.resolve(&clause.selector)?;
        let kind = kind.required();
        let test = match (clause.operator, &clause.value) {
            (Operator::Nil, _) => Some(Test::Nil),
            (Operator::Empty, _) => can_be_empty(kind).then_some(Test::Empty),
            (_, None) => None,
            (Operator::Equal, Some(value)) => self.equal(kind, value)?,
            (Operator::Contains, Some(value)) => self.contains(kind, value)?,
            (Operator::Matches, Some(value)) => {
                // A bad pattern is reported whatever it is asked of.
                let regex = self.regex(value)?;
                can_match(kind).then(|| Test::Matches(Box::new(regex)))
            }
        };
        let Some(test) = test else { return Err(self.wrong_kind(clause, kind)) };
        Ok(Leaf { path, test, negated: clause.negated, span })
    }

    fn wrong_kind(&self, clause: &Clause, kind: Kind) -> CompileError {
        let operator = clause.operator;
        let error = CompileErrorKind::OperatorKind { operator, kind: kind.to_string().into() };
        let error = self.error(error, clause.operator_span);
        let help = match (operator, kind) {
            (Operator::Equal, Kind::List(element)) if element.is_scalar() => {
                "ask for an element with `contains`"
            }
            (_, Kind::List(_)) => "ask about the elements with `any .. as x { .. }`",
            (_, Kind::Map(..)) => "select a key as in `a.key`, or use `any .. as k, v { .. }`",
            (_, Kind::Record(_)) => "select one of its fields as in `a.field`",
            (Operator::Empty | Operator::Contains | Operator::Matches, kind)
                if kind.is_scalar() =>
            {
                "compare with `==` or `!=`"
            }
            _ => return error,
        };
        error.with_help(help)
    }

    fn equal(&mut self, kind: Kind, value: &Value) -> Result<Option<Test>, CompileError> {
        if matches!(kind, Kind::Any) {
            return Ok(Some(Test::Dynamic(Operator::Equal, Box::new(Literal::new(&value.text)))));
        }
        Ok(self.scalar(kind, value)?.map(Test::Equal))
    }

    fn contains(&mut self, kind: Kind, value: &Value) -> Result<Option<Test>, CompileError> {
        let dynamic =
            || Some(Test::Dynamic(Operator::Contains, Box::new(Literal::new(&value.text))));
        Ok(match kind {
            Kind::Any => dynamic(),
            Kind::Text | Kind::Enum(_) | Kind::Uuid | Kind::Char => {
                Some(Test::Substring(value.text.clone()))
            }
            Kind::List(element) if matches!(element.required(), Kind::Any) => {
                self.dynamic = true;
                dynamic()
            }
            Kind::List(element) => self.scalar(*element, value)?.map(Test::Element),
            Kind::Map(key, _) => match map_key(&value.text, key) {
                Some(key) => Some(Test::HasKey(key)),
                None => return Err(self.error(CompileErrorKind::BadMapKey, value.span)),
            },
            _ => None,
        })
    }

    /// A literal of the field's kind, `None` when that has no `==`.
    fn scalar(&mut self, kind: Kind, value: &Value) -> Result<Option<Scalar>, CompileError> {
        let kind = kind.required();
        let scalar = match Scalar::read(&value.text, kind) {
            None => return Ok(None),
            Some(Ok(scalar)) => scalar,
            Some(Err(fault)) => {
                let kind_name = kind.to_string().into();
                let error = match fault {
                    Coerce::Syntax => CompileErrorKind::ValueSyntax { kind: kind_name },
                    Coerce::Range => CompileErrorKind::ValueRange { kind: kind_name },
                };
                let error = self.error(error, value.span);
                return Err(match kind {
                    Kind::Bool => error.with_help("write `true` or `false`"),
                    _ => error,
                });
            }
        };
        match (&scalar, kind) {
            (Scalar::Int(number), Kind::Int(bits)) if !fits_int(*number, bits) => {
                self.warn(WarningKind::OutOfRange { bits }, value.span);
            }
            (Scalar::Uint(number), Kind::Uint(bits)) if !fits_uint(*number, bits) => {
                self.warn(WarningKind::OutOfRange { bits }, value.span);
            }
            (Scalar::Text(text), Kind::Enum(names)) if !names.contains(&&**text) => {
                self.warn(WarningKind::NeverEqual, value.span);
            }
            (Scalar::Never, _) => self.warn(WarningKind::NeverEqual, value.span),
            _ => {}
        }
        let bare = value.span.len() == value.text.len() && !value.number;
        let is_field = |text| self.kind.schema().is_some_and(|schema| schema.find(text).is_some());
        if bare && is_field(&value.text) {
            self.warn(WarningKind::FieldAsText, value.span);
        }
        Ok(Some(scalar))
    }

    fn regex(&self, value: &Value) -> Result<Regex, CompileError> {
        pattern::compile(&value.text, self.pattern_max).map_err(|fault| match fault {
            Fault::TooLarge => {
                let kind = CompileErrorKind::PatternTooLarge { max: self.pattern_max };
                self.error(kind, value.span).with_help("use smaller counts or classes")
            }
            Fault::Syntax { start, end, reason, help } => {
                let kind = CompileErrorKind::Pattern { reason: reason.into() };
                let error = self.error(kind, self.inside(value, start, end));
                match help {
                    Some(help) => error.with_help(help),
                    None => error,
                }
            }
        })
    }

    /// The place in the expression of a part of a value.
    fn inside(&self, value: &Value, start: usize, end: usize) -> Span {
        let source = value.span.text(self.text);
        let at = value.span.start();
        if source.starts_with(['"', '`']) {
            Span::new(at + source_offset(source, start), at + source_offset(source, end))
        } else if source.len() == value.text.len() {
            Span::new(at + start, at + end)
        } else {
            value.span
        }
    }
}

pub(crate) fn can_be_empty(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Text
            | Kind::Enum(_)
            | Kind::Uuid
            | Kind::Char
            | Kind::List(_)
            | Kind::Map(..)
            | Kind::Any
    )
}

pub(crate) fn can_match(kind: Kind) -> bool {
    match kind {
        Kind::Text | Kind::Enum(_) | Kind::Uuid | Kind::Char | Kind::Any => true,
        Kind::List(element) => matches!(element.required(), Kind::Uint(8)),
        _ => false,
    }
}
