//! Compiles clauses to tests.

use super::resolve::map_key;
use super::{Checker, SelectedValue, operators};
use crate::ast::{Clause, Operator, Value};
use crate::error::{CompileError, CompileErrorKind};
use crate::literal::{Literal, Scalar, fits_int, fits_uint};
use crate::parse::string::source_offset;
use crate::pattern::{self, Pattern, PatternError};
use crate::print::quote;
use crate::program::{Bound, Extended, Leaf, Listed, OpenList, Relation, Test};
use crate::schema::{Key, KeyKind, Kind};
use crate::span::Span;
use crate::warning::WarningKind;

impl<'t> Checker<'t> {
    pub(super) fn clause(&mut self, clause: &'t Clause, span: Span) -> Result<Leaf, CompileError> {
        let (path, subject) = self.resolve(&clause.selector)?;
        let applies = operators::applies(clause.operator, subject.kind);
        let test = match (clause.operator, &clause.value) {
            (Operator::Matches | Operator::MatchesFold, Some(value)) => {
                // A bad pattern is reported even if the operator does not apply to the kind.
                let pattern = self.pattern(value, clause.operator == Operator::MatchesFold)?;
                if applies {
                    self.refuse_quantity(subject, value)?;
                }
                applies.then(|| Test::Matches(Box::new(pattern)))
            }
            _ if !applies => None,
            (Operator::Nil, _) => Some(Test::Nil),
            (Operator::Empty, _) => Some(Test::Empty),
            (_, None) => None,
            (Operator::Equal, Some(value)) => self.equal(subject, value)?,
            (Operator::Contains, Some(value)) => self.contains(subject, value)?,
            (operator, Some(value)) => self.extended(subject, operator, value)?,
        };
        let Some(test) = test else {
            return Err(self.wrong_kind(clause.operator, clause.operator_span, subject.kind));
        };
        Ok(Leaf { path, test, negated: clause.negated, span })
    }

    pub(super) fn wrong_kind(&self, operator: Operator, span: Span, kind: Kind) -> CompileError {
        let error = CompileErrorKind::OperatorKind { operator, kind: kind.to_string().into() };
        let error = self.error(error, span);
        let help = match (operator, kind) {
            (Operator::Equal, Kind::List(element)) if element.is_scalar() => {
                "test an element with `contains`"
            }
            (Operator::In, Kind::List(element)) if element.is_scalar() => {
                "test elements with `contains any [..]`"
            }
            (_, Kind::List(_)) => "test the elements with `any .. as x { .. }`",
            (_, Kind::Map(..)) => "select a key as in `a.key`, or use `any .. as k, v { .. }`",
            (_, Kind::Record(_)) => "select one of its fields as in `a.field`",
            (Operator::Equal, _) => return error,
            (_, kind) if kind.is_scalar() => "compare with `==` or `!=`",
            _ => return error,
        };
        error.with_help(help)
    }

    fn equal(
        &mut self,
        subject: SelectedValue,
        value: &Value,
    ) -> Result<Option<Test>, CompileError> {
        // The kind is known only at evaluation; a quantity is ordered by its value, so that `1h`
        // equals `60m`.
        if matches!(subject.kind, Kind::Any) {
            return Ok(Some(match value.quantity() {
                Some(quantity) => {
                    Extended::Order(Relation::Equal, Bound::Quantity(quantity)).into()
                }
                None => Test::Dynamic(Operator::Equal, Box::new(Literal::new(&value.text))),
            }));
        }
        Ok(self.scalar(subject, value)?.map(Test::Equal))
    }

    fn contains(
        &mut self,
        subject: SelectedValue,
        value: &Value,
    ) -> Result<Option<Test>, CompileError> {
        let dynamic = || {
            Some(match value.quantity() {
                // A list of one value, because only lists of open values compare quantities.
                Some(_) => {
                    let one = OpenList::new(std::slice::from_ref(value));
                    Extended::ContainsAny(Listed::Open(one)).into()
                }
                None => Test::Dynamic(Operator::Contains, Box::new(Literal::new(&value.text))),
            })
        };
        Ok(match subject.kind {
            Kind::Any => dynamic(),
            kind if kind.is_text() => {
                self.refuse_quantity(subject, value)?;
                Some(Test::Substring(value.text.clone()))
            }
            // JSON elements differ in kind, so evaluation can fail where the field itself is known.
            Kind::List(element) if matches!(element.required(), Kind::Any) => {
                self.dynamic = true;
                dynamic()
            }
            Kind::List(element) => {
                self.scalar(subject.element(*element), value)?.map(Test::Element)
            }
            Kind::Map(key, _) => Some(Test::HasKey(self.key(key, value)?)),
            _ => None,
        })
    }

    /// Reads a value as a key of a map.
    pub(super) fn key(&self, kind: KeyKind, value: &Value) -> Result<Key, CompileError> {
        if value.quantity().is_none()
            && let Some(key) = map_key(&value.text, kind)
        {
            return Ok(key);
        }
        let error = self.error(CompileErrorKind::BadMapKey, value.span);
        Err(match (kind, value.number) {
            // A bare number is a likely mistake for a string key, and quoting is the fix.
            (KeyKind::Text | KeyKind::Mixed, true) => {
                error.with_help(format!("quote this value: {}", quote(&value.text)))
            }
            _ => error,
        })
    }

    /// Reads a literal of the field's kind; `None` if the kind has no `==`.
    pub(super) fn scalar(
        &mut self,
        subject: SelectedValue,
        value: &Value,
    ) -> Result<Option<Scalar>, CompileError> {
        let kind = subject.kind;
        let scalar = match Scalar::read(&value.text, kind) {
            None => return Ok(None),
            Some(Ok(scalar)) => {
                self.refuse_quantity(subject, value)?;
                scalar
            }
            Some(Err(fault)) => self.scalar_with_unit(subject, value, fault)?,
        };
        match (&scalar, kind) {
            // A warning and not an error: go-bexpr accepts it and finds no equal value.
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
        if self.names_field(value) {
            self.warn(WarningKind::FieldAsText, value.span);
        }
        Ok(Some(scalar))
    }

    /// Returns whether a value is a bare word that also names a field: the client may have meant
    /// the field.
    pub(super) fn names_field(&self, value: &Value) -> bool {
        // Equal lengths mean that the value has neither quotes nor escapes.
        let bare = value.span.len() == value.text.len() && !value.number;
        bare && self.kind.schema().is_some_and(|schema| schema.find(&value.text).is_some())
    }

    /// Compiles a pattern; all patterns of an expression share one limit.
    fn pattern(&mut self, value: &Value, fold: bool) -> Result<Pattern, CompileError> {
        let compiled = pattern::compile(&value.text, self.pattern_left, fold);
        let (compiled, taken) = compiled.map_err(|fault| match fault {
            PatternError::TooLarge => {
                let kind = CompileErrorKind::PatternTooLarge { max: self.pattern_max };
                self.error(kind, value.span).with_help("use smaller counts or classes")
            }
            PatternError::Syntax { start, end, reason, help } => {
                let kind = CompileErrorKind::Pattern { reason: reason.into() };
                let error = self.error(kind, self.inside(value, start, end));
                match help {
                    Some(help) => error.with_help(help),
                    None => error,
                }
            }
        })?;
        self.pattern_left = self.pattern_left.saturating_sub(taken);
        Ok(compiled)
    }

    /// Returns the source range of a part of a value.
    fn inside(&self, value: &Value, start: usize, end: usize) -> Span {
        let source = value.span.text(self.text);
        let at = value.span.start();
        if source.starts_with(['"', '`']) {
            Span::new(at + source_offset(source, start), at + source_offset(source, end))
        // A word with brackets differs from its source: its parts have no exact position.
        } else if source.len() == value.text.len() {
            Span::new(at + start, at + end)
        } else {
            value.span
        }
    }
}
