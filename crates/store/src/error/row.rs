//! Errors of unreadable rows and journal records.

use std::fmt;

use crate::key::KEY_LEN_MAX;

/// Reasons why a record of the journal cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// The checksum does not match the bytes.
    Checksum,
    /// The bytes are not a record.
    Unreadable,
    /// A record format that this build doesn't know.
    UnknownFormat {
        /// The record's format.
        found: u8,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum => f.write_str(
                "a journal record's checksum does not match; restore the store from a backup",
            ),
            Self::Unreadable => {
                f.write_str("a journal record can't be read; restore the store from a backup")
            }
            Self::UnknownFormat { found } => {
                write!(f, "a journal record has the unknown format {found}; use a newer build")
            }
        }
    }
}

impl std::error::Error for RecordError {}

/// Reasons why a row in a file cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowError {
    /// Bytes that no build wrote.
    Damaged {
        /// The table.
        table: &'static str,
        /// The reason.
        reason: &'static str,
    },
    /// A record format that this build doesn't know.
    UnknownFormat {
        /// The table.
        table: &'static str,
        /// The record's format.
        found: u8,
    },
    /// Fields of a version of the row that is newer than this build.
    NewerVersion {
        /// The table.
        table: &'static str,
        /// The row's version.
        found: u16,
        /// The version that this build knows.
        known: u16,
    },
    /// Fields of an earlier version of the row, from which the table has no migration.
    OlderVersion {
        /// The table.
        table: &'static str,
        /// The row's version.
        found: u16,
        /// The version that this build knows.
        known: u16,
    },
    /// Fields of the table's current version that do not decode as the row type. The checksum matches, so these
    /// are the bytes that were written.
    Fields {
        /// The table.
        table: &'static str,
        /// The version of the row and of the table.
        version: u16,
        /// The reason why the bytes do not decode as the type.
        reason: &'static str,
    },
    /// Fields of an earlier version that do not decode as the type that the migration reads.
    Migration {
        /// The table.
        table: &'static str,
        /// The row's version.
        version: u16,
        /// The reason why the bytes do not decode as the type.
        reason: &'static str,
    },
    /// The type that a migration reads has another shape than the rows of the version.
    #[non_exhaustive]
    MigrationShape {
        /// The table.
        table: &'static str,
        /// The rows' version.
        version: u16,
        /// The first difference: a clause such as ``field 2 was `owner: string`, is `secret: string` ``.
        difference: Box<str>,
        /// The shape of the rows, in the form of [`Schema::shapes`](crate::Schema::shapes).
        was: Box<str>,
        /// The shape of the type that the migration reads.
        is: Box<str>,
    },
    /// A row is stored under another key than [`crate::Table::key`] returns for it.
    WrongKey {
        /// The table.
        table: &'static str,
        /// The encoded key under which it is stored.
        key: Box<[u8]>,
    },
    /// The migrations of two rows return the same primary key.
    SameKey {
        /// The table.
        table: &'static str,
        /// The encoded key that one of them has on disk.
        first: Box<[u8]>,
        /// The encoded key that the other has on disk.
        second: Box<[u8]>,
        /// The encoded key of both after the migration.
        key: Box<[u8]>,
    },
    /// The migration of a row returns a primary key longer than [`KEY_LEN_MAX`].
    KeyTooLong {
        /// The table.
        table: &'static str,
        /// The encoded key that the row has on disk.
        key: Box<[u8]>,
        /// The encoded length of the new key, in bytes.
        len: usize,
    },
    /// The migration of a row returns a row that cannot be stored.
    Unstorable {
        /// The table.
        table: &'static str,
        /// The encoded key that the row has on disk.
        key: Box<[u8]>,
        /// The reason.
        reason: String,
    },
    /// Two rows have one key in an index that is declared unique.
    NotUnique {
        /// The table.
        table: &'static str,
        /// The index.
        index: &'static str,
        /// The encoded primary key of one of them.
        first: Box<[u8]>,
        /// The encoded primary key of the other.
        second: Box<[u8]>,
        /// The key of the index, printed; cut if it is long.
        key: Box<str>,
    },
    /// The journal has rows of a table that the schema doesn't have.
    UnknownTable {
        /// The table's name.
        name: Box<str>,
    },
    /// The file could not be read to its end.
    Unreadable {
        /// The table.
        table: &'static str,
        /// The error of the file layer.
        reason: String,
    },
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { table, reason } => {
                write!(
                    f,
                    "table {table}: {reason}; restore the store from a backup, or salvage the rest of it"
                )
            }
            Self::UnknownFormat { table, found } => {
                write!(f, "table {table}: unknown record format {found}; use a newer build")
            }
            Self::NewerVersion { table, found, known } => write!(
                f,
                "table {table}: rows of version {found}, this build knows version {known}; \
                 use the build that wrote them"
            ),
            Self::OlderVersion { table, found, known } => write!(
                f,
                "table {table}: rows of version {found}, which this build of version {known} has \
                 no migration from: give the table a `migrate` that reads version {found}, or open \
                 the store once with a build that migrates it"
            ),
            Self::Fields { table, version, reason } => write!(
                f,
                "table {table}: a row of version {version} is not of the row type: {reason}. When the \
                 type changed, raise the table's version and migrate from version {version}; the build \
                 that wrote the row reads it"
            ),
            Self::Migration { table, version, reason } => write!(
                f,
                "table {table}: a row of version {version} is not of the type that its migration \
                 reads: {reason}. Declare a struct with the fields of version {version} in their \
                 order, read that, and build the new row from it; `#[serde(default)]` does not fill \
                 in missing fields"
            ),
            Self::MigrationShape { table, version, difference, was, is } => write!(
                f,
                "table {table}: the migration reads rows of version {version} as another type than they \
                 are of: {difference}. Declare a struct with the fields of version {version} in their \
                 order, read that, and build the new row from it; a field with a new name only keeps the \
                 old one with #[serde(rename = \"..\")]. The rows are {was}, the type that is read is {is}"
            ),
            Self::WrongKey { table, key } => write!(
                f,
                "table {table}: the row at {} lies under a key that is not its own. When the key \
                 fields changed, raise the table's version and migrate; otherwise the file was \
                 changed: restore the store from a backup, or salvage the rest of it",
                Shown(key)
            ),
            Self::SameKey { table, first, second, key } => write!(
                f,
                "table {table}: the rows at {} and {} both migrate to the key {}; nothing was \
                 changed: let the migration return different keys, or drop one of the rows",
                Shown(first),
                Shown(second),
                Shown(key)
            ),
            Self::KeyTooLong { table, key, len } => write!(
                f,
                "table {table}: the row at {} migrates to a key of {len} bytes, which is longer than \
                 KEY_LEN_MAX, {KEY_LEN_MAX}; nothing was changed: let the migration return a \
                 shorter key",
                Shown(key)
            ),
            Self::Unstorable { table, key, reason } => write!(
                f,
                "table {table}: the row at {} migrates to one that can't be stored: {reason}; nothing \
                 was changed: let the migration return another row",
                Shown(key)
            ),
            Self::NotUnique { table, index, first, second, key } => write!(
                f,
                "table {table}: the rows at {} and {} share the key {key} of the unique index {index}; \
                 let the table's migration give one of them another key or drop it, or declare the \
                 index non-unique",
                Shown(first),
                Shown(second)
            ),
            Self::UnknownTable { name } => write!(
                f,
                "there are rows of the table {name:?}, which the schema lacks: use a build that has \
                 it, or let the schema say what becomes of them: keep({name:?}) or \
                 drop_table({name:?})"
            ),
            Self::Unreadable { table, reason } => {
                write!(f, "table {table}: {reason}; check the disk, then open the store again")
            }
        }
    }
}

impl std::error::Error for RowError {}

impl RowError {
    /// Returns whether the row itself is at fault, not the build or the file: only such rows are left out.
    pub(crate) fn is_of_the_row(&self) -> bool {
        // A newer version or format is the fault of the build: leaving such rows out would delete good data.
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Fields { .. }
                | Self::Migration { .. }
                | Self::WrongKey { .. }
        )
    }
}

/// Displays an encoded key: printable bytes as they are, the others escaped.
struct Shown<'k>(&'k [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}
