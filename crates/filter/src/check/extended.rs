//! Clauses of the extended dialect to tests.
//!
//! Lists and ranges are taken apart into the clauses that they stand for, so they answer like those: `x in [a, b]`
//! is `x == a or x == b`.

use super::{Checker, Subject};
use crate::ast::{Comparison, Operand, Operator, Selector, Value};
use crate::coerce::{self, Coerce};
use crate::error::{CompileError, CompileErrorKind};
use crate::fold::Folded;
use crate::literal::{Literal, Scalar};
use crate::print::quote;
use crate::program::{Bound, Extended, Leaf, Node, Pair, Relation, Test};
use crate::quantity::Quantity;
use crate::schema::{Kind, Unit};
use crate::span::Span;
use crate::warning::WarningKind;

/// The size, duration or time that a value was written as, without quotes.
pub(super) fn bare_quantity(value: &Value) -> Option<Quantity> {
    if value.number { Quantity::read(&value.text) } else { None }
}

impl<'t> Checker<'t> {
    pub(super) fn comparison(
        &mut self,
        comparison: &'t Comparison,
        span: Span,
    ) -> Result<Node, CompileError> {
        let Comparison { selector, operator, negated, operator_span, with } = comparison;
        let (operator, operator_span) = (*operator, *operator_span);
        let node = match with {
            Operand::Field(other) => {
                return self.pair(comparison, other, span);
            }
            Operand::Count(value) => self.count(comparison, value, span)?,
            Operand::Range(low, high) => {
                let mut end = |operator, value| {
                    self.part_of(selector, span, |checker, subject| {
                        let test = checker.extended(subject, operator, value)?;
                        test.ok_or_else(|| {
                            checker.wrong_kind(Operator::Between, operator_span, subject.kind)
                        })
                    })
                };
                let low = end(Operator::GreaterEqual, low)?;
                let high = end(Operator::LessEqual, high)?;
                Node::And([low, high].into())
            }
            Operand::List(values) => {
                let mut parts = Vec::with_capacity(values.len());
                for value in values {
                    parts.push(self.part_of(selector, span, |checker, subject| {
                        let test = match operator {
                            Operator::In => checker.equal(subject, operator, value)?,
                            _ => checker.contains(subject, operator, value)?,
                        };
                        test.ok_or_else(|| {
                            checker.wrong_kind(operator, operator_span, subject.kind)
                        })
                    })?);
                }
                if parts.is_empty() {
                    // A selector is checked even where no value asks for it.
                    parts.push(self.part_of(selector, span, |_, _| Ok(Test::Nil))?);
                    // Everything contains all of nothing, but what is missing.
                    let present = Node::Not(Box::new(Node::And(parts.into())));
                    let all = operator == Operator::ContainsAll;
                    if all { present } else { Node::Or([].into()) }
                } else if operator == Operator::ContainsAll {
                    Node::And(parts.into())
                } else {
                    Node::Or(parts.into())
                }
            }
        };
        Ok(if *negated { Node::Not(Box::new(node)) } else { node })
    }

    /// One of the clauses that a comparison stands for.
    fn part_of(
        &mut self,
        selector: &'t Selector,
        span: Span,
        test: impl FnOnce(&mut Self, Subject) -> Result<Test, CompileError>,
    ) -> Result<Node, CompileError> {
        let (path, subject) = self.resolve(selector)?;
        let test = test(self, subject)?;
        Ok(Leaf { path, test, negated: false, span }.shorten())
    }

    fn count(
        &mut self,
        comparison: &'t Comparison,
        value: &Value,
        span: Span,
    ) -> Result<Node, CompileError> {
        let (path, subject) = self.resolve(&comparison.selector)?;
        if !matches!(subject.kind, Kind::List(_) | Kind::Map(..) | Kind::Any) {
            let kind = CompileErrorKind::NotCountable { kind: subject.kind.to_string().into() };
            return Err(self.error(kind, comparison.selector.span));
        }
        let number = coerce::int(&value.text).map_err(|fault| {
            let kind = Kind::Int(64).to_string().into();
            let kind = match fault {
                Coerce::Syntax => CompileErrorKind::ValueSyntax { kind },
                Coerce::Range => CompileErrorKind::ValueRange { kind },
            };
            self.error(kind, value.span).with_help("a count is a whole number")
        })?;
        let Some(relation) = Relation::of(comparison.operator) else {
            return Err(self.wrong_kind(
                comparison.operator,
                comparison.operator_span,
                Kind::Int(64),
            ));
        };
        let test = Extended::Count(relation, number).into();
        Ok(Node::Leaf(Leaf { path, test, negated: false, span }))
    }

    fn pair(
        &mut self,
        comparison: &'t Comparison,
        other: &'t Selector,
        span: Span,
    ) -> Result<Node, CompileError> {
        let (left, left_subject) = self.resolve(&comparison.selector)?;
        let (right, right_subject) = self.resolve(other)?;
        let operator = comparison.operator;
        let Some(relation) = Relation::of(operator) else {
            return Err(self.wrong_kind(operator, comparison.operator_span, left_subject.kind));
        };
        for subject in [left_subject, right_subject] {
            let kind = subject.kind;
            let fits = match kind {
                Kind::Bool => relation == Relation::Equal,
                kind => kind.is_scalar() || matches!(kind, Kind::Any),
            };
            if !fits {
                return Err(self.wrong_kind(operator, comparison.operator_span, kind));
            }
        }
        if !comparable(left_subject, right_subject) {
            let (left, right) = (left_subject.name(), right_subject.name());
            let error = self.error(CompileErrorKind::FieldKinds { left, right }, other.span);
            return Err(error.also(comparison.selector.span));
        }
        let negated = comparison.negated;
        Ok(Node::Pair(Box::new(Pair { left, right, relation, negated, span })))
    }

    /// The test of an operator that only this dialect has, against one value.
    pub(super) fn extended(
        &mut self,
        subject: Subject,
        operator: Operator,
        value: &Value,
    ) -> Result<Option<Test>, CompileError> {
        if let Some(relation) = Relation::of(operator) {
            let bound = self.bound(subject, value)?;
            return Ok(bound.map(|bound| Extended::Order(relation, bound).into()));
        }
        let text_list = matches!(subject.kind, Kind::List(element) if element.is_text() || matches!(element.required(), Kind::Any));
        let test = match operator {
            Operator::StartsWith => Extended::Prefix(value.text.clone()),
            Operator::EndsWith => Extended::Suffix(value.text.clone()),
            Operator::EqualFold => Extended::EqualFold(Folded::new(&value.text)),
            Operator::ContainsFold => Extended::ContainsFold(Folded::new(&value.text)),
            _ => return Ok(None),
        };
        let fits = subject.kind.is_text()
            || matches!(subject.kind, Kind::Any)
            || operator == Operator::ContainsFold && text_list;
        if !fits {
            return Ok(None);
        }
        if subject.kind.is_text() {
            self.refuse_quantity(subject, value)?;
        }
        Ok(Some(test.into()))
    }

    /// A value that others are ordered against, `None` when the kind has no order.
    fn bound(&mut self, subject: Subject, value: &Value) -> Result<Option<Bound>, CompileError> {
        Ok(match subject.kind {
            Kind::Any => Some(match bare_quantity(value) {
                Some(quantity) => Bound::Quantity(quantity),
                None => Bound::Literal(Box::new(Literal::new(&value.text))),
            }),
            Kind::Bool => None,
            kind if kind.is_text() => {
                self.refuse_quantity(subject, value)?;
                if self.names_field(value) {
                    self.warn(WarningKind::FieldAsText, value.span);
                }
                Some(Bound::Scalar(Scalar::Text(value.text.clone())))
            }
            _ => self.scalar(subject, value)?.map(Bound::Scalar),
        })
    }

    /// Refuses a bare size, duration or time where it would be taken as text.
    pub(super) fn refuse_quantity(
        &self,
        subject: Subject,
        value: &Value,
    ) -> Result<(), CompileError> {
        match bare_quantity(value) {
            Some(quantity) => Err(self.unit_mismatch(subject, quantity, value)),
            None => Ok(()),
        }
    }

    /// A value that is no plain number, read by the unit of the field.
    pub(super) fn measured(
        &self,
        subject: Subject,
        value: &Value,
        fault: Coerce,
    ) -> Result<Scalar, CompileError> {
        let kind = subject.kind;
        if let Some(quantity) = Quantity::read(&value.text) {
            if subject.unit == Some(quantity.unit) {
                return self.in_field(kind, quantity, value);
            }
            if value.number || subject.unit.is_some() {
                return Err(self.unit_mismatch(subject, quantity, value));
            }
        }
        let kind_name = subject.name();
        let error = match fault {
            Coerce::Syntax => CompileErrorKind::ValueSyntax { kind: kind_name },
            Coerce::Range => CompileErrorKind::ValueRange { kind: kind_name },
        };
        let error = self.error(error, value.span);
        Err(match (kind, subject.unit) {
            _ if self.names_field(value) => {
                error.with_help(format!("`@{}` is the field, in the extended dialect", value.text))
            }
            (Kind::Bool, _) => error.with_help("write `true` or `false`"),
            (_, Some(unit)) => error.with_help(format!("write it as in \"{}\"", unit.example())),
            _ => error,
        })
    }

    /// A quantity as the number that the field holds.
    ///
    /// Times beyond 64 bits are the last that there are, so that a far future can be written.
    fn in_field(
        &self,
        kind: Kind,
        quantity: Quantity,
        value: &Value,
    ) -> Result<Scalar, CompileError> {
        let sized = quantity.unit == Unit::Bytes;
        let scalar = match kind {
            Kind::Uint(_) => u64::try_from(quantity.value).ok().map(Scalar::Uint),
            _ if sized => i64::try_from(quantity.value).ok().map(Scalar::Int),
            _ => Some(Scalar::Int(quantity.saturated())),
        };
        scalar.ok_or_else(|| {
            let kind = kind.to_string().into();
            self.error(CompileErrorKind::ValueRange { kind }, value.span)
        })
    }

    fn unit_mismatch(&self, subject: Subject, quantity: Quantity, value: &Value) -> CompileError {
        let kind = CompileErrorKind::UnitMismatch { found: quantity.unit, field: subject.name() };
        let error = self.error(kind, value.span);
        match (subject.unit, subject.kind) {
            (Some(unit), _) => {
                error.with_help(format!("write a {unit} as in `{}`", unit.example()))
            }
            (None, kind) if kind.is_text() => {
                error.with_help(format!("quote this value: {}", quote(&value.text)))
            }
            (None, Kind::Bool) => error.with_help("write `true` or `false`"),
            _ => error
                .with_help(format!("the field has no unit; write the number: {}", quantity.value)),
        }
    }
}

/// Whether two fields can be compared: both numbers, of one unit if both have one, or both text, or both bools.
fn comparable(left: Subject, right: Subject) -> bool {
    if matches!(left.kind, Kind::Any) || matches!(right.kind, Kind::Any) {
        return true;
    }
    let units = match (left.unit, right.unit) {
        (Some(left), Some(right)) => left == right,
        _ => true,
    };
    let class = |kind: Kind| (kind.is_text(), matches!(kind, Kind::Bool));
    units && class(left.kind) == class(right.kind)
}
