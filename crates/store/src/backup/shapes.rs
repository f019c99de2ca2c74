//! The shapes in a backup: lines for each table, which a restore compares with the row type before it decodes a
//! row.
//!
//! `3: 1 {id: string, size: u64}`: a version of the rows, then their shape as `rows.redb` records it for that
//! version. A table with a row type has one line, because a backup holds every row in the version of its
//! writer's type; a table that is kept as bytes has a line for each version known to its writer. The bytes of a
//! row have no type information, so a type that changed without a new version would decode the backup's rows
//! wrongly.
//!
//! Invariant: no row of a declared table is decoded if its recorded shape has the same version and differs.

use super::RestoreError;
use crate::erased_table::ErasedTable;
use crate::schema::TableDef;
use crate::shape::{Compared, Versions, compare};

/// Maximum length of a table's shapes that are written and read, in bytes.
pub(super) const SHAPE_LEN_MAX: u32 = 1 << 20;

/// Returns the shapes of a table's rows in the form of a backup; empty if none is known.
pub(super) fn recorded(def: &TableDef, table: &dyn ErasedTable) -> String {
    let lines = match &def.shape {
        Some(shape) => format!("{}: {}", def.version, shape.latest().text()),
        None => table.kept_shapes().map(Versions::lines).unwrap_or_default(),
    };
    // A backup without a shape can be restored; one with a shape beyond the limit cannot.
    if u32::try_from(lines.len()).is_ok_and(|len| len <= SHAPE_LEN_MAX) {
        lines
    } else {
        String::new()
    }
}

/// Compares the shape that a backup records for a table with that of the table's row type. Returns all recorded
/// shapes.
///
/// # Errors
/// [`RestoreError::ShapeChanged`], and [`RestoreError::Damaged`] for lines that are not shapes.
pub(super) fn check(def: &TableDef, recorded: &[u8]) -> Result<Versions, RestoreError> {
    let lines = std::str::from_utf8(recorded).map_err(|_| unreadable(def))?;
    // Formats before shapes record none.
    let versions = Versions::from_lines(lines).ok_or_else(|| unreadable(def))?;
    compare_with(def, &versions)?;
    Ok(versions)
}

/// Compares the shape that a backup has for the current version of a table with its row type.
///
/// # Errors
/// Those of [`check`].
pub(super) fn compare_with(def: &TableDef, versions: &Versions) -> Result<(), RestoreError> {
    // A table that is kept as bytes is not decoded. Rows of an earlier version are migrated, and rows of a
    // later one are rejected by their own version.
    let (Some(shape), Some(was)) = (&def.shape, versions.get(def.version)) else { return Ok(()) };
    let is = shape.latest().text();
    match compare(was, &is) {
        // Shapes of other forms cannot be compared, as at the open of a directory.
        Compared::Same | Compared::Learned(_) | Compared::Older | Compared::Newer => Ok(()),
        Compared::Unreadable => Err(unreadable(def)),
        Compared::Differs(difference) => Err(RestoreError::ShapeChanged {
            table: def.name,
            version: def.version,
            difference: difference.into(),
            was: was.into(),
            is: is.into(),
        }),
    }
}

fn unreadable(def: &TableDef) -> RestoreError {
    RestoreError::damaged(&format!("the shape of the table {} can't be read", def.name))
}

/// Compares a backup's shapes of a table that is kept as bytes with those recorded in the store. Returns the
/// missing ones.
///
/// # Errors
/// [`RestoreError::KeptShapeChanged`].
pub(super) fn lacking(
    table: &'static str,
    known: &Versions,
    arriving: &Versions,
) -> Result<Versions, RestoreError> {
    if let Some(found) = known.conflicting(arriving) {
        return Err(RestoreError::KeptShapeChanged {
            table,
            version: found.version,
            difference: found.difference.into(),
            was: (*found.was).into(),
            is: (*found.is).into(),
        });
    }
    let mut lacking = Versions::default();
    for (version, text) in arriving.iter().filter(|(version, _)| known.get(*version).is_none()) {
        lacking.insert(version, text);
    }
    Ok(lacking)
}
