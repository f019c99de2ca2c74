//! Resolves selectors to kinds, without values.

use crate::ast::Part;
use crate::schema::{Kind, Unit};

/// Returns the kind of the value that `part` selects in a value of `kind`; `None` if it has neither
/// fields nor elements.
pub(crate) fn inside(kind: Kind, part: &str) -> Option<Kind> {
    step(kind, None, part).map(|(kind, _)| kind)
}

/// Returns the kind at the end of a path from a value of `kind`.
pub(crate) fn end(kind: Kind, parts: &[Part]) -> Option<Kind> {
    measured_end(kind, parts).map(|(kind, _)| kind)
}

/// Like [`end`], but without the options around the kind, and with the unit of its integers.
pub(crate) fn measured_end(kind: Kind, parts: &[Part]) -> Option<(Kind, Option<Unit>)> {
    let end =
        parts.iter().try_fold((kind, None), |(kind, unit), part| step(kind, unit, &part.text));
    end.map(|(kind, unit)| (kind.required(), unit.or(kind.unit())))
}

/// Takes one step; elements and values keep the unit of the field that contains them.
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
