//! The shapes in a backup: lines for each table, which a restore compares with the row type before it
//! decodes a row.
//!
//! `3: 1 {id: string, size: u64}`: a version of the rows, then their shape as `rows.redb` records it for
//! that version. A table with a row type has one line, because a backup holds every row in the version of
//! its writer's type; one that is kept as bytes has a line for each version that its writer knew of.
//! Bytes of a row mean only what its type takes them for, so a type that changed without a new version
//! would read the backup's rows as something else.
//!
//! Invariant: no row of a declared table is read when its recorded shape is of the same version and differs.

use super::RestoreError;
use crate::erased_table::ErasedTable;
use crate::schema::TableDef;
use crate::shape::{Compared, Versions, compare};

/// The longest shapes of a table that are written and read, in bytes.
pub(super) const SHAPE_LEN_MAX: u32 = 1 << 20;

/// Returns the shapes of a table's rows as a backup records them; empty when none is known.
pub(super) fn recorded(def: &TableDef, table: &dyn ErasedTable) -> String {
    let lines = match &def.shape {
        Some(shape) => format!("{}: {}", def.version, shape.latest().text()),
        None => table.kept_shapes().map(Versions::lines).unwrap_or_default(),
    };
    // A backup without a shape can be restored; one with a longer shape than is read can not.
    if u32::try_from(lines.len()).is_ok_and(|len| len <= SHAPE_LEN_MAX) {
        lines
    } else {
        String::new()
    }
}

/// Compares the shape that a backup records for a table with that of the table's row type; returns
/// all of them.
///
/// # Errors
/// [`RestoreError::ShapeChanged`], and [`RestoreError::Damaged`] for lines that are no shapes.
pub(super) fn check(def: &TableDef, recorded: &[u8]) -> Result<Versions, RestoreError> {
    let lines = std::str::from_utf8(recorded).map_err(|_| unreadable(def))?;
    // Formats before shapes record none.
    let versions = Versions::from_lines(lines).ok_or_else(|| unreadable(def))?;
    compare_with(def, &versions)?;
    Ok(versions)
}

/// Compares the shape that a backup has for the version of a table's row type with that type.
///
/// # Errors
/// As [`check`].
pub(super) fn compare_with(def: &TableDef, versions: &Versions) -> Result<(), RestoreError> {
    // A table that is kept as bytes is not decoded. Rows of an earlier version are migrated, those of a
    // later one are refused by their own version.
    let (Some(shape), Some(was)) = (&def.shape, versions.get(def.version)) else { return Ok(()) };
    let is = shape.latest().text();
    match compare(was, &is) {
        // Shapes of other forms can't be compared: as at the open of a directory.
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

/// Compares a backup's shapes of a table that is kept as bytes with those that the store has recorded;
/// returns the ones that it lacks.
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
