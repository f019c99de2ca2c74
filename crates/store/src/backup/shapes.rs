//! The shapes in a backup: for each table one line, which a restore compares with the row type before it
//! decodes a row.
//!
//! `3: 1 {id: string, size: u64}`: the version of the rows, then their shape as `rows.redb` records it for
//! that version. One line is enough, because a backup holds every row in the version of its writer's type.
//! Bytes of a row mean only what its type takes them for, so a type that changed without a new version
//! would read the backup's rows as something else.
//!
//! Invariant: no row of a declared table is read when its recorded shape is of the same version and differs.

use super::RestoreError;
use crate::schema::TableDef;
use crate::shape::{Compared, compare};

/// The longest shape that is written and read, in bytes.
pub(super) const SHAPE_LEN_MAX: u32 = 1 << 20;

/// Returns the shape of a table's rows as a backup records it; empty when it is not known.
pub(super) fn recorded(def: &TableDef) -> String {
    // The rows of a table that is kept as bytes may be of several versions, none of which has a type here.
    let Some(shape) = &def.shape else { return String::new() };
    let line = format!("{}: {}", def.version, shape.text());
    // A backup without a shape can be restored; one with a longer shape than is read can not.
    if u32::try_from(line.len()).is_ok_and(|len| len <= SHAPE_LEN_MAX) {
        line
    } else {
        String::new()
    }
}

/// Compares the shape that a backup records for a table with that of the table's row type.
///
/// # Errors
/// [`RestoreError::ShapeChanged`], and [`RestoreError::Damaged`] for a line that is no shape.
pub(super) fn check(def: &TableDef, recorded: &[u8]) -> Result<(), RestoreError> {
    // A table that is kept as bytes is not decoded. Formats before shapes, and tables that their writer
    // kept as bytes, record none.
    let Some(shape) = def.shape.as_ref().filter(|_| !recorded.is_empty()) else { return Ok(()) };
    let unreadable = || {
        let reason = format!("the shape of the table {} can't be read", def.name);
        RestoreError::damaged(&reason)
    };
    let line = std::str::from_utf8(recorded).map_err(|_| unreadable())?;
    let (version, was) = line.split_once(": ").ok_or_else(unreadable)?;
    let version: u16 = version.parse().map_err(|_| unreadable())?;
    // Rows of an earlier version are migrated, those of a later one are refused by their own version.
    if version != def.version {
        return Ok(());
    }
    let is = shape.text();
    match compare(was, &is) {
        // Shapes of other forms can't be compared: as at the open of a directory.
        Compared::Same | Compared::Older | Compared::Newer => Ok(()),
        Compared::Unreadable => Err(unreadable()),
        Compared::Differs(difference) => Err(RestoreError::ShapeChanged {
            table: def.name,
            version,
            difference: difference.into(),
            was: was.into(),
            is: is.into(),
        }),
    }
}
