//! Compiles clauses of the extended dialect to tests.
//!
//! A selector is resolved once however many values it is compared with; a range is two tests of one
//! value.

use super::{Checker, SelectedValue, operators};
use crate::ast::{Comparison, Operand, Operator, Selector, Value};
use crate::coerce::{self, CoerceError};
use crate::error::{CompileError, CompileErrorKind};
use crate::fold::Folded;
use crate::literal::{Literal, Scalar};
use crate::print::quote;
use crate::program::{
    Bound, Extended, Leaf, Listed, Node, OpenList, Pair, Path, Relation, Test, Values,
};
use crate::quantity::Quantity;
use crate::schema::{Kind, Unit};
use crate::span::Span;
use crate::warning::WarningKind;

/// A resolved left side: its path, its kind, and the test, if the kind has the operator.
type ResolvedTest = (Path, SelectedValue, Option<Extended>);

impl<'t> Checker<'t> {
    pub(super) fn comparison(
        &mut self,
        comparison: &'t Comparison,
        span: Span,
    ) -> Result<Node, CompileError> {
        let Comparison { selector, operator, negated, operator_span, with } = comparison;
        let (operator, negated) = (*operator, *negated);
        let test = match with {
            Operand::Field(other) => return self.pair(comparison, other, span),
            Operand::Count(value) => return self.count(comparison, value, span),
            Operand::Range(low, high) => self.range_test(selector, low, high),
            Operand::List(values) => self.list_test(selector, operator, values),
        };
        let (path, subject, test) = test?;
        let Some(test) = test.filter(|_| operators::applies(operator, subject.kind)) else {
            return Err(self.wrong_kind(operator, *operator_span, subject.kind));
        };
        let leaf = Leaf { path, test: test.into(), negated: false, span };
        Ok(leaf.specialize().negate_if(negated))
    }

    /// Compiles `between`.
    fn range_test(
        &mut self,
        selector: &'t Selector,
        low: &Value,
        high: &Value,
    ) -> Result<ResolvedTest, CompileError> {
        let (path, subject) = self.resolve(selector)?;
        let (low, high) = (self.bound(subject, low)?, self.bound(subject, high)?);
        let range = low.zip(high).map(|(low, high)| Extended::Between(low, high));
        Ok((path, subject, range))
    }

    /// Compiles `in [..]` and `contains any|all [..]`.
    fn list_test(
        &mut self,
        selector: &'t Selector,
        operator: Operator,
        values: &[Value],
    ) -> Result<ResolvedTest, CompileError> {
        let (path, subject) = self.resolve(selector)?;
        let test = match operator {
            Operator::In => self.in_list(subject, values)?.map(Extended::In),
            Operator::ContainsAny => {
                self.contains_list(subject, false, values)?.map(Extended::ContainsAny)
            }
            _ => self.contains_list(subject, true, values)?.map(Extended::ContainsAll),
        };
        Ok((path, subject, test))
    }

    /// Compiles the values of `in [..]`.
    fn in_list(
        &mut self,
        subject: SelectedValue,
        values: &[Value],
    ) -> Result<Option<Listed>, CompileError> {
        match subject.kind {
            Kind::Any => Ok(Some(Listed::Open(OpenList::new(values)))),
            kind if !kind.is_scalar() => Ok(None),
            _ => Ok(Some(Listed::One(Values::new(self.scalars(subject, values)?)))),
        }
    }

    /// Compiles the values of `contains any [..]` or, with `all`, of `contains all [..]`.
    fn contains_list(
        &mut self,
        subject: SelectedValue,
        all: bool,
        values: &[Value],
    ) -> Result<Option<Listed>, CompileError> {
        Ok(match subject.kind {
            Kind::Any => Some(Listed::Open(OpenList::new(values))),
            kind if kind.is_text() => {
                values.iter().try_for_each(|value| self.refuse_quantity(subject, value))?;
                Some(Listed::Parts(values.iter().map(|value| value.text.clone()).collect()))
            }
            Kind::List(element) if matches!(element.required(), Kind::Any) => {
                self.dynamic = true;
                Some(Listed::Open(OpenList::new(values)))
            }
            Kind::List(element) if element.is_scalar() => {
                let scalars = self.scalars(subject.element(*element), values)?;
                // `any` looks each element up among the values; `all` must find each value in the
                // list.
                Some(if all {
                    Listed::Each(scalars.into())
                } else {
                    Listed::One(Values::new(scalars))
                })
            }
            Kind::Map(key, _) => {
                let keys: Result<_, _> = values.iter().map(|value| self.key(key, value)).collect();
                Some(Listed::Keys(keys?))
            }
            _ => None,
        })
    }

    fn scalars(
        &mut self,
        subject: SelectedValue,
        values: &[Value],
    ) -> Result<Vec<Scalar>, CompileError> {
        let mut scalars = Vec::with_capacity(values.len());
        for value in values {
            scalars.extend(self.scalar(subject, value)?);
        }
        Ok(scalars)
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
                CoerceError::Syntax => CompileErrorKind::ValueSyntax { kind },
                CoerceError::Range => CompileErrorKind::ValueRange { kind },
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
        Ok(Node::Leaf(Leaf { path, test, negated: comparison.negated, span }))
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
            // `false` and `true` have no order that a client would expect.
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

    /// Compiles a test against one value by an operator that only this dialect has.
    pub(super) fn extended(
        &mut self,
        subject: SelectedValue,
        operator: Operator,
        value: &Value,
    ) -> Result<Option<Test>, CompileError> {
        if let Some(relation) = Relation::of(operator) {
            let bound = self.bound(subject, value)?;
            return Ok(bound.map(|bound| Extended::Order(relation, bound).into()));
        }
        let test = match operator {
            Operator::StartsWith => Extended::Prefix(value.text.clone()),
            Operator::EndsWith => Extended::Suffix(value.text.clone()),
            Operator::EqualFold => Extended::EqualFold(Folded::new(&value.text)),
            Operator::ContainsFold => Extended::ContainsFold(Folded::new(&value.text)),
            _ => return Ok(None),
        };
        self.refuse_quantity(subject, value)?;
        Ok(Some(test.into()))
    }

    /// Reads a value that others are ordered against; `None` if the kind has no order.
    fn bound(
        &mut self,
        subject: SelectedValue,
        value: &Value,
    ) -> Result<Option<Bound>, CompileError> {
        Ok(match subject.kind {
            Kind::Any => Some(match value.quantity() {
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

    /// Rejects a bare size, duration or time where it would be read as a string.
    pub(super) fn refuse_quantity(
        &self,
        subject: SelectedValue,
        value: &Value,
    ) -> Result<(), CompileError> {
        match value.quantity() {
            Some(quantity) => Err(self.unit_mismatch(subject, quantity, value)),
            None => Ok(()),
        }
    }

    /// Reads a value that is not a plain number by the unit of the field.
    pub(super) fn scalar_with_unit(
        &self,
        subject: SelectedValue,
        value: &Value,
        fault: CoerceError,
    ) -> Result<Scalar, CompileError> {
        let kind = subject.kind;
        if let Some(quantity) = Quantity::read(&value.text) {
            if subject.unit == Some(quantity.unit) {
                return self.scalar_of_quantity(kind, quantity, value);
            }
            // Without a unit on either side a quoted string is a wrong number, not a wrong unit.
            if value.number || subject.unit.is_some() {
                return Err(self.unit_mismatch(subject, quantity, value));
            }
        }
        let kind_name = subject.name();
        let error = match fault {
            CoerceError::Syntax => CompileErrorKind::ValueSyntax { kind: kind_name },
            CoerceError::Range => CompileErrorKind::ValueRange { kind: kind_name },
        };
        let error = self.error(error, value.span);
        Err(match (kind, subject.unit) {
            // The most helpful line first: a client that wrote a name of a field wants that field.
            _ if self.names_field(value) => {
                error.with_help(format!("`@{}` is the field, in the extended dialect", value.text))
            }
            (Kind::Bool, _) => error.with_help("write `true` or `false`"),
            (_, Some(_)) if fault == CoerceError::Range => {
                error.with_help("the field has at most 64 bits")
            }
            (_, Some(unit)) => error.with_help(format!("write it as in \"{}\"", unit.example())),
            (kind, None) => match (kind.number_help(), fault) {
                (Some((example, _)), CoerceError::Syntax) => {
                    error.with_help(format!("write {example}"))
                }
                (Some((_, most)), CoerceError::Range) => {
                    error.with_help(format!("the field has at most {most}"))
                }
                (None, _) => error,
            },
        })
    }

    fn scalar_of_quantity(
        &self,
        kind: Kind,
        quantity: Quantity,
        value: &Value,
    ) -> Result<Scalar, CompileError> {
        Scalar::of_quantity(quantity, kind).ok_or_else(|| {
            let negative = quantity.value < 0;
            let kind = kind.to_string().into();
            if negative {
                let error = self.error(CompileErrorKind::ValueSyntax { kind }, value.span);
                return error.with_help("the field cannot be negative");
            }
            let error = self.error(CompileErrorKind::ValueRange { kind }, value.span);
            error.with_help("the field has at most 64 bits")
        })
    }

    fn unit_mismatch(
        &self,
        subject: SelectedValue,
        quantity: Quantity,
        value: &Value,
    ) -> CompileError {
        // For a kind that is no scalar, only operators on strings reject a quantity.
        let text = !subject.kind.is_scalar();
        let field = if text { Kind::Text.to_string().into() } else { subject.name() };
        let kind = CompileErrorKind::UnitMismatch { found: quantity.unit, field };
        let error = self.error(kind, value.span);
        match (subject.unit, subject.kind) {
            (_, kind) if text || kind.is_text() => {
                error.with_help(format!("quote this value: {}", quote(&value.text)))
            }
            (Some(unit), _) => {
                error.with_help(format!("write a {unit} as in `{}`", unit.example()))
            }
            (None, Kind::Bool) => error.with_help("write `true` or `false`"),
            // Only sizes have an obvious number: a field without a unit may count seconds, and a
            // float counts nothing.
            (None, Kind::Int(_) | Kind::Uint(_)) if quantity.unit == Unit::Bytes => error
                .with_help(format!("the field has no unit; write the number: {}", quantity.value)),
            (None, kind) => match kind.number_help() {
                Some((example, _)) => {
                    error.with_help(format!("the field has no unit; write {example}"))
                }
                None => error,
            },
        }
    }
}

/// Returns whether two fields are comparable: both numbers, with one unit if both have one, both
/// strings, or both bools.
fn comparable(left: SelectedValue, right: SelectedValue) -> bool {
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
