//! Resolves selectors to paths.

use super::{Checker, Role, SelectedValue, near};
use crate::ast::{Part, Selector};
use crate::coerce;
use crate::error::{CompileError, CompileErrorKind};
use crate::literal::{Literal, fits_int, fits_uint};
use crate::program::{Base, Path, Step};
use crate::schema::{Key, KeyKind, Kind, Schema, Unit};

impl<'t> Checker<'t> {
    /// Returns the path of a selector and the kind at its end.
    pub(super) fn resolve(
        &mut self,
        selector: &'t Selector,
    ) -> Result<(Path, SelectedValue), CompileError> {
        let bound = selector
            // Innermost first: a name shadows outer names and fields, as in go-bexpr.
            .parts
            .first()
            .and_then(|first| self.names.iter().rev().find(|bound| *bound.name == *first.text));
        let (base, mut kind, mut unit, parts) = match bound {
            None => (Base::Row, self.kind, None, &selector.parts[..]),
            Some(bound) => {
                let up = self.depth - 1 - bound.depth;
                let base = match bound.role {
                    Role::Key => Base::Key(up),
                    Role::Value => Base::Value(up),
                    Role::Either => Base::ValueOrKey(up),
                };
                let parts = &selector.parts[1..];
                // A key that is known to be a scalar has no fields; a key of JSON may be an
                // element.
                let key = matches!(bound.role, Role::Key) && !matches!(bound.kind, Kind::Any);
                if let (true, Some(part)) = (key, parts.first()) {
                    return Err(self.error(CompileErrorKind::NameHasNoFields, part.span));
                }
                (base, bound.kind, bound.unit, parts)
            }
        };
        let mut steps = Vec::with_capacity(parts.len());
        for part in parts {
            kind = self.part(part, kind, &mut unit, &mut steps)?;
        }
        let dynamic = matches!(kind.required(), Kind::Any);
        self.dynamic |= dynamic;
        // Paths from a quantifier's name are inside a selector that is listed already.
        if matches!(base, Base::Row) {
            self.selectors.push(selector.to_string().into());
        }
        let elements = kind.elements();
        let kind = kind.required();
        let subject = SelectedValue { kind, unit: unit.or(kind.unit()), elements };
        Ok((Path { base, steps: steps.into(), dynamic }, subject))
    }

    /// Appends the steps of one part. Returns the kind it leads to and updates the unit if a field
    /// has its own.
    fn part(
        &self,
        part: &Part,
        from: Kind,
        unit: &mut Option<Unit>,
        steps: &mut Vec<Step>,
    ) -> Result<Kind, CompileError> {
        match from.required() {
            Kind::Any => {
                steps.push(Step::Part(Box::new(Literal::new(&part.text))));
                Ok(Kind::Any)
            }
            Kind::Record(schema) => {
                let schema = schema();
                let Some((slots, field)) = schema.find_field(&part.text) else {
                    return Err(self.unknown(part, schema));
                };
                steps.extend(slots.into_iter().map(Step::Field));
                *unit = field.unit();
                Ok(field.kind())
            }
            Kind::Map(key, value) => {
                let Some(key) = map_key(&part.text, key) else {
                    return Err(self.error(CompileErrorKind::BadMapKey, part.span));
                };
                steps.push(Step::Key(key));
                Ok(*value)
            }
            Kind::List(element) => {
                let index = coerce::index(&part.text).and_then(|index| usize::try_from(index).ok());
                let Some(index) = index else {
                    let error = self.error(CompileErrorKind::BadListIndex, part.span);
                    return Err(error.with_help("test all elements with `any .. as x { .. }`"));
                };
                steps.push(Step::Index(index));
                Ok(*element)
            }
            other => {
                let kind = CompileErrorKind::NothingInside { kind: other.to_string().into() };
                Err(self.error(kind, part.span))
            }
        }
    }

    fn unknown(&self, part: &Part, schema: &Schema) -> CompileError {
        /// Maximum number of names in a help line.
        const LISTED: usize = 12;
        // Both the suggestion and the list below name fields of flattened structs too.
        let names = schema.names();
        let near = near::nearest(&part.text, &names);
        let kind = CompileErrorKind::UnknownSelector {
            name: part.text.clone(),
            near: near.map(Into::into),
        };
        let error = self.error(kind, part.span);
        match near {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None if names.is_empty() => error,
            None => {
                let more = if names.len() > LISTED { ", .." } else { "" };
                let listed = names[..names.len().min(LISTED)].join(", ");
                error.with_help(format!("{} has {listed}{more}", schema.name()))
            }
        }
    }
}

/// Reads a part as a key of a kind; `None` if it cannot be one.
pub(crate) fn map_key(text: &str, kind: KeyKind) -> Option<Key> {
    // pointerstructure: pointer.go, coerce, decodes keys weakly with mapstructure, to which an
    // empty string is zero.
    let or_zero = if text.is_empty() { "0" } else { text };
    match kind {
        KeyKind::Text | KeyKind::Mixed | KeyKind::Uuid | KeyKind::Address => {
            Some(Key::Text(text.into()))
        }
        KeyKind::Int(bits) => {
            coerce::int(or_zero).ok().filter(|value| fits_int(*value, bits)).map(Key::Int)
        }
        KeyKind::Uint(bits) => {
            coerce::uint(or_zero).ok().filter(|value| fits_uint(*value, bits)).map(Key::Uint)
        }
        KeyKind::Bool => coerce::bool(or_zero).ok().map(Key::Bool),
        KeyKind::Float => coerce::float(or_zero).ok().map(Key::Float),
    }
}
