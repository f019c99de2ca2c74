//! Where a selector leads, by kind alone.

use crate::ast::Part;
use crate::schema::Kind;

/// The kind of what `part` selects inside of a value of `kind`; `None` where nothing can be.
pub(crate) fn inside(kind: Kind, part: &str) -> Option<Kind> {
    match kind.required() {
        Kind::Any => Some(Kind::Any),
        Kind::Record(schema) => schema().find(part).map(|(_, kind)| kind),
        Kind::Map(_, value) => Some(*value),
        Kind::List(element) => Some(*element),
        _ => None,
    }
}

/// The kind at the end of a path that begins at a value of `kind`.
pub(crate) fn end(kind: Kind, parts: &[Part]) -> Option<Kind> {
    parts.iter().try_fold(kind, |kind, part| inside(kind, &part.text))
}
