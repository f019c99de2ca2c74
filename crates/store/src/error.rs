//! Errors, one enum for each operation. Every text says what to do next.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::key::{KEY_LEN_MAX, KeyBytes, printed};
use crate::page::TokenError;
use crate::table::Table;

/// Why a store could not be opened. No row and no record was changed, and of a file that was refused no byte.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another handle of this one, has the directory open.
    AlreadyOpen {
        /// The data directory.
        dir: PathBuf,
    },
    /// There is no store in the directory, and none was to be made.
    NoStore {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory or its files can't be read or written.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// The file is not a store's, or is damaged beyond what a restart repairs.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file was written by a build with a newer format.
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: u64,
        /// The newest format that this build reads.
        known: u64,
    },
    /// One of the two files is missing or empty, and the other one is a store's.
    FileMissing {
        /// The file that is missing.
        path: PathBuf,
        /// The file that is there.
        other: PathBuf,
    },
    /// The two files are of different stores, or of different courses of one store's history.
    Unpaired {
        /// The data directory.
        dir: PathBuf,
        /// How they differ.
        reason: String,
    },
    /// The type of a table's rows changed and the table's version did not. The rows in the file would be read
    /// as something else.
    #[non_exhaustive]
    ShapeChanged {
        /// The file.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// The version, which both types have.
        version: u16,
        /// Where the shapes part: a clause such as ``field 2 was `owner: string`, is `secret: string` ``.
        difference: Box<str>,
        /// The shape of the rows in the file, as [`Schema::shapes`](crate::Schema::shapes) has it.
        was: Box<str>,
        /// The shape of the row type now.
        is: Box<str>,
    },
    /// A record of the journal can't be read.
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        source: RecordError,
    },
    /// The file has rows of a table that the schema neither declares nor keeps nor drops.
    UnknownTable {
        /// The file.
        path: PathBuf,
        /// The table's name.
        name: Box<str>,
    },
    /// A row in the file can't be loaded.
    Row {
        /// The file.
        path: PathBuf,
        /// Which, and why.
        source: RowError,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyOpen { dir } => write!(
                f,
                "the data directory {} is in use by another process, or open already in this one: close \
                 that store, or choose another directory",
                dir.display()
            ),
            Self::NoStore { dir } => write!(
                f,
                "there is no store in {}: no rows.redb and no log.redb; check the name",
                dir.display()
            ),
            Self::Io { path, source } => write!(f, "can't use {}: {source}", path.display()),
            Self::Damaged { path, reason } => write!(
                f,
                "{} is not a readable store: {reason}. \
                 Restore it from a backup, or choose another directory",
                path.display()
            ),
            Self::NewerFormat { path, found, known } => write!(
                f,
                "{} has format {found}, this build knows formats up to {known}: use a newer build",
                path.display()
            ),
            Self::FileMissing { path, other } => write!(
                f,
                "{} is missing or empty, and {} beside it is a store's: put the file back, because \
                 commits may be in it alone. If there is none, restore a backup into a new directory",
                path.display(),
                other.display()
            ),
            Self::Unpaired { dir, reason } => write!(
                f,
                "rows.redb and log.redb in {} don't belong together: {reason}. Put back two files that \
                 were in one directory at the same time, or restore a backup into a new directory",
                dir.display()
            ),
            Self::ShapeChanged { path, table, version, difference, .. } => write!(
                f,
                "{}: the row type of the table {table} changed and its version is still {version}: \
                 {difference}. Raise the version and migrate, or restore the type; a field with a \
                 new name only keeps the old one with #[serde(rename = \"..\")]",
                path.display()
            ),
            Self::Record { path, source } => write!(f, "{}: {source}", path.display()),
            Self::UnknownTable { path, name } => {
                write!(f, "{}: {}", path.display(), RowError::UnknownTable { name: name.clone() })
            }
            Self::Row { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Record { source, .. } => Some(source),
            Self::Row { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why a store goes on refusing writes after [`crate::Store::reopen`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReopenError {
    /// A file can't be opened or read. A later attempt may succeed, after space was freed for example.
    Open(OpenError),
    /// The failed write is in the file as the system shows it, which doesn't prove that the disk has it.
    Unproved {
        /// The file.
        path: PathBuf,
    },
    /// Readers saw commits that never reached the disk, under [`crate::Durability::Relaxed`].
    Behind {
        /// The last commit on disk.
        durable: u64,
        /// The last commit that readers saw.
        visible: u64,
    },
    /// This thread has an open write transaction: waiting for it would never end.
    OpenTransaction,
}

impl fmt::Display for ReopenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenTransaction => f.write_str(
                "this thread has an open write transaction: drop it before reopening the store",
            ),
            Self::Open(error) => error.fmt(f),
            Self::Unproved { path } => write!(
                f,
                "a write to {} was reported as failed and yet is in the file: check the disk, then \
                 close the store and open it again",
                path.display()
            ),
            Self::Behind { durable, visible } => write!(
                f,
                "the commits {} to {visible} were visible and never reached the disk: close the store \
                 and open it again, which goes on from the commit {durable}",
                durable + 1
            ),
        }
    }
}

impl std::error::Error for ReopenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open(error) => Some(error),
            _ => None,
        }
    }
}

impl From<OpenError> for ReopenError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

/// Why a record of the journal can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// The checksum is not that of the bytes.
    Checksum,
    /// The bytes are no record.
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

/// Why a row in a file can't be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowError {
    /// Bytes that no build wrote.
    Damaged {
        /// The table.
        table: &'static str,
        /// What is wrong.
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
    /// Fields of an earlier version of the row that the table has no migration from.
    OlderVersion {
        /// The table.
        table: &'static str,
        /// The row's version.
        found: u16,
        /// The version that this build knows.
        known: u16,
    },
    /// Fields of the table's own version that are not those of the row type: the checksum is right, so
    /// these are the bytes that were written.
    Fields {
        /// The table.
        table: &'static str,
        /// The version of the row and of the table.
        version: u16,
        /// Why the bytes are not of the type.
        reason: &'static str,
    },
    /// Fields of an earlier version that are not those of the type which the migration reads.
    Migration {
        /// The table.
        table: &'static str,
        /// The row's version.
        version: u16,
        /// Why the bytes are not of the type.
        reason: &'static str,
    },
    /// A row lies under another key than [`crate::Table::key`] returns for it.
    WrongKey {
        /// The table.
        table: &'static str,
        /// The encoded key that it lies under.
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
        /// The encoded key that both get.
        key: Box<[u8]>,
    },
    /// The migration of a row returns a primary key that is longer than [`KEY_LEN_MAX`].
    KeyTooLong {
        /// The table.
        table: &'static str,
        /// The encoded key that the row has on disk.
        key: Box<[u8]>,
        /// The encoded length of the new key, in bytes.
        len: usize,
    },
    /// The migration of a row returns one that can't be written.
    Unstorable {
        /// The table.
        table: &'static str,
        /// The encoded key that the row has on disk.
        key: Box<[u8]>,
        /// Why not.
        reason: String,
    },
    /// Two rows with one key in an index that is declared unique.
    NotUnique {
        /// The table.
        table: &'static str,
        /// The index.
        index: &'static str,
        /// The encoded primary key of one of them.
        first: Box<[u8]>,
        /// The encoded primary key of the other.
        second: Box<[u8]>,
    },
    /// The journal has rows of a table that the schema doesn't have.
    UnknownTable {
        /// The table's name.
        name: Box<str>,
    },
    /// The file could not be read on.
    Unreadable {
        /// The table.
        table: &'static str,
        /// What the file layer said.
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
            Self::NotUnique { table, index, first, second } => write!(
                f,
                "table {table}: the rows at {} and {} share a key of the unique index {index}; \
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
    /// Whether one row is at fault, and not the build or the file: only such rows are left out.
    pub(crate) fn is_of_the_row(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Fields { .. }
                | Self::Migration { .. }
                | Self::WrongKey { .. }
        )
    }
}

/// An encoded key as text: printable bytes as they are, the others escaped.
struct Shown<'k>(&'k [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}
/// Why a schema can't be built: a mistake in the declaration of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaError {
    /// Two tables of one type or name: they would share rows.
    TableTwice {
        /// The table.
        table: &'static str,
    },
    /// Two indexes of one name in a table: look-ups in one would answer from the other.
    IndexTwice {
        /// The table.
        table: &'static str,
        /// The index.
        index: &'static str,
    },
    /// An index serves a selector that filters on the table's rows don't know.
    UnknownSelector {
        /// The table.
        table: &'static str,
        /// The index.
        index: &'static str,
        /// The selector.
        selector: &'static str,
        /// The selectors of the rows.
        known: Box<[&'static str]>,
    },
    /// An index serves a selector whose values its keys can't hold, so no plan would ever use it.
    UnfitKeys {
        /// The table.
        table: &'static str,
        /// The index.
        index: &'static str,
        /// The selector.
        selector: &'static str,
        /// The kind of its values.
        kind: Box<str>,
        /// The shape of the index's keys.
        shape: Box<str>,
    },
    /// Rows could be written and never read back: their `Deserialize` asks the format which kind of value comes
    /// next, and rows are stored without kinds and names.
    Unreadable {
        /// The table.
        table: &'static str,
        /// The path of the field, e.g. `spec.options[]`; empty for the row itself.
        field: Box<str>,
        /// Why it can't be read back, and the remedy.
        reason: &'static str,
    },
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TableTwice { table } => {
                write!(f, "the schema has the table {table:?} twice: remove or rename one")
            }
            Self::IndexTwice { table, index } => {
                write!(f, "the table {table:?} has the index {index:?} twice: rename one")
            }
            Self::UnknownSelector { table, index, selector, known } => write!(
                f,
                "table {table}: the index {index} serves `{selector}`, which is no selector of its \
                 rows: correct it to one of {}, or use `serves_stated` for conditions that a program \
                 states",
                known.join(", ")
            ),
            Self::UnfitKeys { table, index, selector, kind, shape } => write!(
                f,
                "table {table}: the index {index} serves `{selector}`, which is a {kind}, with keys of \
                 the shape {shape}, which hold none: change what its keys are made of, or leave \
                 `serves` out"
            ),
            Self::Unreadable { table, field, reason } if field.is_empty() => {
                write!(f, "table {table}: a row can't be read back: {reason}")
            }
            Self::Unreadable { table, field, reason } => {
                write!(f, "table {table}: the field `{field}` can't be read back: {reason}")
            }
        }
    }
}

impl std::error::Error for SchemaError {}

/// Why a write transaction could not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BeginError {
    /// An earlier durable write failed. Reads go on; [`crate::Store::reopen`] lets writes go on too.
    Poisoned,
    /// The store was opened with [`crate::Options::read_only`].
    ReadOnly,
    /// The caller's own index is not greater than the last one.
    IndexNotGreater {
        /// The index that was passed.
        given: u64,
        /// The index of the last transaction.
        last: u64,
    },
    /// The caller's own index is smaller than commits may have: that of what never changed is 1.
    IndexTooSmall {
        /// The index that was passed.
        given: u64,
        /// The least that a commit may have.
        least: u64,
    },
    /// The last index was the greatest there is: a caller chose it.
    NoIndexLeft,
    /// This thread has an open write transaction of the store: waiting for it would never end.
    Nested,
    /// Another thread has an open write transaction, and the caller waits no longer.
    Busy,
    /// The store was closed.
    Closed,
}

impl fmt::Display for BeginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poisoned => f.write_str(POISONED),
            Self::ReadOnly => f.write_str(
                "the store was opened to be read only: open it without `read_only` to write",
            ),
            Self::IndexNotGreater { given, last } => write!(
                f,
                "the index {given} is not greater than {last}, the last one: indexes only grow"
            ),
            Self::IndexTooSmall { given, least } => write!(
                f,
                "the index {given} is too small: readers are told 1 of what never changed, so commits \
                 begin at {least}; let the first entry of a log write nothing and leave it out"
            ),
            Self::NoIndexLeft => f.write_str(
                "the last index was the greatest there is, so no transaction can follow it",
            ),
            Self::Nested => f.write_str(
                "this thread has an open write transaction: commit or drop it first, or pass it on",
            ),
            Self::Busy => f.write_str(
                "another thread has an open write transaction: try again, or wait longer",
            ),
            Self::Closed => f.write_str(CLOSED),
        }
    }
}

impl std::error::Error for BeginError {}

const CLOSED: &str = "the store was closed: open it again";

const POISONED: &str = "an earlier durable write failed, so the store takes no more writes: \
                        check the disk, free space where it is full, and reopen the store";

/// Why a write was refused. The transaction is as it was before the call and stays usable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// Another row has this key in a unique index.
    NotUnique {
        /// The table.
        table: &'static str,
        /// The unique index.
        index: &'static str,
    },
    /// A primary or secondary key of the row is longer than [`KEY_LEN_MAX`].
    #[non_exhaustive]
    KeyTooLong {
        /// The table.
        table: &'static str,
        /// The secondary index; `None` for the primary key.
        index: Option<&'static str>,
        /// The encoded length, in bytes. A key of a non-unique index includes the primary key.
        len: usize,
        /// The limit, in bytes.
        len_max: usize,
    },
    /// The row can't be written: its type uses a serde attribute that a store can't keep, its own
    /// `Deserialize` refuses or changes one of its values, or it is larger than 64 MiB.
    #[non_exhaustive]
    Unstorable {
        /// The table.
        table: &'static str,
        /// The row's primary key, printed; cut if it is long.
        key: Box<str>,
        /// The reason, for people.
        reason: Box<str>,
    },
    /// [`crate::PrimaryKey::modify`] or [`crate::PrimaryKey::update`] changed the primary key of the row.
    KeyChanged {
        /// The table.
        table: &'static str,
    },
    /// The row was not as the caller expected.
    Unexpected {
        /// The table.
        table: &'static str,
        /// What the caller expected.
        expected: Expect,
        /// The modify index of the row that is there; `None` when there is none.
        found: Option<u64>,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnique { table, index } => write!(
                f,
                "table {table}: another row has this key in the unique index {index}; \
                 change the key or remove that row"
            ),
            Self::KeyTooLong { table, index, len, len_max } => {
                match index {
                    Some(index) => write!(f, "table {table}: a key of the index {index}")?,
                    None => write!(f, "table {table}: a primary key")?,
                }
                write!(
                    f,
                    " has {len} bytes, the limit is {len_max}: shorten the fields it is made of"
                )
            }
            Self::Unstorable { table, key, reason } => {
                write!(f, "table {table}: the row {key} can't be stored: {reason}")
            }
            Self::KeyChanged { table } => write!(
                f,
                "table {table}: the primary key of a row can't be modified; \
                 delete the row and insert the new one"
            ),
            Self::Unexpected { table, expected, found } => {
                write!(f, "table {table}: expected {expected}, found ")?;
                match found {
                    Some(index) => write!(f, "one modified at index {index}")?,
                    None => f.write_str("none")?,
                }
                f.write_str("; read the row again and retry")
            }
        }
    }
}

impl std::error::Error for WriteError {}

impl WriteError {
    /// The row of `T` whose primary key is encoded in `key` can't be written.
    pub(crate) fn unstorable<T: Table>(key: &KeyBytes, reason: impl Into<Box<str>>) -> Self {
        let key = printed::<T::Key>(key.as_slice());
        Self::Unstorable { table: T::NAME, key, reason: reason.into() }
    }

    /// Refuses a key that is longer than [`KEY_LEN_MAX`]; `index` is `None` for the primary key.
    pub(crate) fn check_len<T: Table>(
        index: Option<&'static str>,
        key: &KeyBytes,
    ) -> Result<(), Self> {
        let len = key.as_slice().len();
        if len > KEY_LEN_MAX {
            return Err(Self::KeyTooLong { table: T::NAME, index, len, len_max: KEY_LEN_MAX });
        }
        Ok(())
    }
}

/// What a conditional write expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No row with this primary key.
    Absent,
    /// A row that was last modified at this index.
    ModifyIndex(u64),
    /// A row with this primary key, whenever it was modified.
    Present,
}

impl Expect {
    pub(crate) fn check(self, table: &'static str, found: Option<u64>) -> Result<(), WriteError> {
        let met = match self {
            Self::Absent => found.is_none(),
            Self::Present => found.is_some(),
            Self::ModifyIndex(index) => found == Some(index),
        };
        if met { Ok(()) } else { Err(WriteError::Unexpected { table, expected: self, found }) }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no row"),
            Self::Present => f.write_str("a row"),
            Self::ModifyIndex(index) => write!(f, "a row modified at index {index}"),
        }
    }
}

/// Why a transaction did not commit. Nothing of it is visible to readers of this store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitError {
    /// The durable write of this transaction's batch failed. Whether its bytes reached the disk
    /// is unknown until [`crate::Store::reopen`] or the next open; until then the store takes no more writes.
    Storage {
        /// What the file layer said.
        reason: Arc<str>,
    },
    /// Several rows have one key in a unique index, and the transaction deferred the check to its
    /// commit ([`crate::WriteTxn::defer_unique`]). Nothing of it happened; the store takes other writes.
    NotUnique {
        /// The table.
        table: &'static str,
        /// The unique index.
        index: &'static str,
        /// The key, formatted for people.
        key: Box<str>,
    },
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnique { table, index, key } => write!(
                f,
                "table {table}: several rows have the key {key} in the unique index {index}; \
                 change all of them but one, or delete them"
            ),
            Self::Storage { reason } => write!(
                f,
                "the durable write failed: {reason}; check the disk, free space where it is full, and reopen \
                 the store"
            ),
        }
    }
}

impl std::error::Error for CommitError {}

/// Why a reader can't be parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchError {
    /// As many readers are parked as [`crate::Options::parked_max`] allows.
    TooMany {
        /// The limit.
        parked_max: usize,
    },
    /// The store was closed, so no change will come.
    Closed,
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { parked_max } => write!(
                f,
                "{parked_max} readers wait already, which is the limit (parked_max): \
                 try again later"
            ),
            Self::Closed => f.write_str(CLOSED),
        }
    }
}

impl std::error::Error for WatchError {}

/// Why a store was not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseError {
    /// This thread has an open write transaction. The store stays open.
    OpenTransaction,
    /// The last commits could not be written. The store is closed all the same.
    Commit(CommitError),
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenTransaction => f.write_str(
                "this thread has an open write transaction: commit or drop it before closing the store",
            ),
            Self::Commit(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for CloseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::OpenTransaction => None,
            Self::Commit(error) => Some(error),
        }
    }
}

/// Why a [`crate::Catalog`] has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CatalogError {
    /// The store has no table of this name.
    UnknownTable {
        /// The name that was asked for.
        name: Box<str>,
    },
    /// The string is not a primary key of the table.
    Key {
        /// The table.
        table: &'static str,
        /// The string.
        key: Box<str>,
    },
    /// The page token is of no use here.
    Token(TokenError),
    /// A row can't be written as JSON, for example one with a map whose keys are no strings.
    Row {
        /// The table.
        table: &'static str,
        /// The reason, for people.
        reason: Box<str>,
    },
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTable { name } => write!(f, "the store has no table {name:?}"),
            Self::Key { table, key } => write!(
                f,
                "table {table}: {key:?} is not a primary key; \
                 give it as JSON, a compound key as an array of its parts"
            ),
            Self::Token(error) => fmt::Display::fmt(error, f),
            Self::Row { table, reason } => {
                write!(f, "table {table}: a row can't be written as JSON: {reason}")
            }
        }
    }
}

impl std::error::Error for CatalogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Token(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a change feed can't go on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedError {
    /// The snapshot is of a store with other tables.
    OtherSchema,
    /// As many callers wait for the next commit as [`crate::Options::parked_max`] allows.
    TooMany {
        /// The limit.
        parked_max: usize,
    },
    /// The commits after the given index are not all there any more. Take a snapshot, and read on
    /// from its index.
    Compacted {
        /// The first commit that is still there.
        oldest: u64,
    },
    /// The journal can't be read.
    Storage {
        /// What the file layer said.
        reason: Box<str>,
    },
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compacted { oldest } => write!(
                f,
                "the journal begins at index {oldest}: take a snapshot and read on from its index"
            ),
            Self::Storage { reason } => write!(f, "the journal can't be read: {reason}"),
            Self::OtherSchema => f.write_str(
                "the snapshot is of a store with other tables: take one of the store that is followed",
            ),
            Self::TooMany { parked_max } => {
                fmt::Display::fmt(&WatchError::TooMany { parked_max: *parked_max }, f)
            }
        }
    }
}

impl std::error::Error for FeedError {}
