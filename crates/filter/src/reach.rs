//! Where a selector leads, by kind alone.

use crate::ast::Part;
use crate::schema::{Kind, Unit};

/// The kind of what `part` selects inside of a value of `kind`; `None` where nothing can be.
pub(crate) fn inside(kind: Kind, part: &str) -> Option<Kind> {
    step(kind, None, part).map(|(kind, _)| kind)
}

/// The kind at the end of a path that begins at a value of `kind`.
pub(crate) fn end(kind: Kind, parts: &[Part]) -> Option<Kind> {
    measured_end(kind, parts).map(|(kind, _)| kind)
}

/// The same, without the options around it and with what its integers count.
pub(crate) fn measured_end(kind: Kind, parts: &[Part]) -> Option<(Kind, Option<Unit>)> {
    let end =
        parts.iter().try_fold((kind, None), |(kind, unit), part| step(kind, unit, &part.text));
    end.map(|(kind, unit)| (kind.required(), unit.or(kind.unit())))
}

/// One part further; elements and values keep the unit of the field that holds them.
fn step(kind: Kind, unit: Option<Unit>, part: &str) -> Option<(Kind, Option<Unit>)> {
    match kind.required() {
        Kind::Any => Some((Kind::Any, None)),
        Kind::Record(schema) => {
            schema().find_field(part).map(|(_, field)| (field.kind(), field.unit()))
        }
        Kind::Map(_, value) => Some((*value, unit)),
        Kind::List(element) => Some((*element, unit)),
        _ => None,
    }
}
