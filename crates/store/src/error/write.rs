//! Errors of write transactions before their commit.

use std::fmt;

use crate::key::{KEY_LEN_MAX, KeyBytes, printed};
use crate::table::{IndexDef, Table};

/// Reasons why a write transaction could not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BeginError {
    /// An earlier durable write failed. Reads still work; [`crate::Store::reopen`] enables writes again.
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
    /// The caller's own index is smaller than that of any commit: 1 is the index of data that never changed.
    IndexTooSmall {
        /// The index that was passed.
        given: u64,
        /// The lowest index that a commit may have.
        least: u64,
    },
    /// The last index, chosen by a caller, was the highest possible one.
    NoIndexLeft,
    /// This thread has an open write transaction of the store, for which the call would wait forever.
    Nested,
    /// Another thread has an open write transaction, and the deadline passed.
    Busy,
    /// The store is closed.
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
                "the index {given} is too small: 1 is the index of unchanged data, so commits \
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

pub(super) const CLOSED: &str = "the store was closed: open it again";

const POISONED: &str = "an earlier durable write failed, so the store takes no more writes: \
                        check the disk, free space where it is full, and reopen the store";

/// Reasons why a write was rejected. The transaction is as it was before the call and stays usable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// Another row has this key in a unique index.
    NotUnique {
        /// The table.
        table: &'static str,
        /// The unique index.
        index: &'static str,
        /// The key, printed; cut if it is long.
        key: Box<str>,
        /// The fields that the key is made of; empty if the index does not declare them.
        fields: &'static [&'static str],
    },
    /// A primary or secondary key of the row is longer than [`KEY_LEN_MAX`].
    #[non_exhaustive]
    KeyTooLong {
        /// The table.
        table: &'static str,
        /// The secondary index; `None` for the primary key.
        index: Option<&'static str>,
        /// The key, printed and cut.
        key: Box<str>,
        /// The fields of the key; empty if the table or the index does not declare them.
        fields: &'static [&'static str],
        /// The encoded length, in bytes. A key of a non-unique index includes the primary key.
        len: usize,
        /// The limit, in bytes.
        len_max: usize,
    },
    /// The row cannot be stored: its type uses a serde attribute that the encoding cannot represent, its own
    /// `Deserialize` rejects or changes one of its values, or it is larger than 64 MiB.
    #[non_exhaustive]
    Unstorable {
        /// The table.
        table: &'static str,
        /// The row's primary key, printed; cut if it is long.
        key: Box<str>,
        /// The reason, for display.
        reason: Box<str>,
    },
    /// [`crate::PrimaryKey::modify`] or [`crate::PrimaryKey::update`] changed the primary key of the row.
    KeyChanged {
        /// The table.
        table: &'static str,
        /// The primary key of the row, printed; cut if it is long.
        from: Box<str>,
        /// The new key, printed; cut if it is long.
        to: Box<str>,
    },
    /// The row was not as the caller expected.
    Unexpected {
        /// The table.
        table: &'static str,
        /// The primary key, printed; cut if it is long.
        key: Box<str>,
        /// The caller's expectation.
        expected: Expect,
        /// The modify index of the current row; `None` if there is no row.
        found: Option<u64>,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnique { table, index, key, fields } => write!(
                f,
                "table {table}: another row has the key {key} in the unique index {index}; \
                 change {} or remove that row",
                Fields(fields)
            ),
            Self::KeyTooLong { table, index, key, fields, len, len_max } => {
                match index {
                    Some(index) => write!(f, "table {table}: the key {key} of the index {index}")?,
                    None => write!(f, "table {table}: the primary key {key}")?,
                }
                write!(f, " has {len} bytes, the limit is {len_max}: shorten {}", Fields(fields))
            }
            Self::Unstorable { table, key, reason } => {
                write!(f, "table {table}: the row {key} can't be stored: {reason}")
            }
            Self::KeyChanged { table, from, to } => write!(
                f,
                "table {table}: the primary key of the row {from} can't be modified to {to}; \
                 delete the row and insert the new one"
            ),
            Self::Unexpected { table, key, expected, found } => {
                write!(f, "table {table}: expected {expected} at {key}, found ")?;
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
    /// Creates the error for a row of `T` whose primary key is encoded in `key`.
    pub(crate) fn unstorable<T: Table>(key: &KeyBytes, reason: impl Into<Box<str>>) -> Self {
        let key = printed::<T::Key>(key.as_slice());
        Self::Unstorable { table: T::NAME, key, reason: reason.into() }
    }

    /// Rejects a primary key longer than [`KEY_LEN_MAX`].
    pub(crate) fn check_primary<T: Table>(key: &KeyBytes) -> Result<(), Self> {
        let len = key.as_slice().len();
        if len <= KEY_LEN_MAX {
            return Ok(());
        }
        Err(Self::KeyTooLong {
            table: T::NAME,
            index: None,
            key: printed::<T::Key>(key.as_slice()),
            fields: T::KEY_FIELDS,
            len,
            len_max: KEY_LEN_MAX,
        })
    }

    /// Rejects a tree key of a secondary index longer than [`KEY_LEN_MAX`].
    pub(crate) fn check_secondary<T: Table>(
        index: &IndexDef<T::Row>,
        key: &KeyBytes,
        primary: &KeyBytes,
    ) -> Result<(), Self> {
        let len = key.as_slice().len();
        if len <= KEY_LEN_MAX {
            return Ok(());
        }
        Err(Self::KeyTooLong {
            table: T::NAME,
            index: Some(index.name),
            key: index.printed(key, primary),
            fields: index.fields,
            len,
            len_max: KEY_LEN_MAX,
        })
    }
}

/// Displays the fields of a key as part of a sentence.
pub(super) struct Fields(pub(super) &'static [&'static str]);

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Hand-written tables and indexes may not declare their fields.
        let Some((last, before)) = self.0.split_last() else {
            return f.write_str("the fields it is made of");
        };
        for (at, field) in before.iter().enumerate() {
            write!(f, "{}`{field}`", if at == 0 { "" } else { ", " })?;
        }
        write!(f, "{}`{last}`", if before.is_empty() { "" } else { " or " })
    }
}

/// The state that a conditional write expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No row with this primary key.
    Absent,
    /// A row that was last modified at this index.
    ModifyIndex(u64),
    /// A row with this primary key, with any modify index.
    Present,
}

impl Expect {
    /// Checks the modify index found at the primary key `key`.
    pub(crate) fn check<T: Table>(
        self,
        key: &KeyBytes,
        found: Option<u64>,
    ) -> Result<(), WriteError> {
        let met = match self {
            Self::Absent => found.is_none(),
            Self::Present => found.is_some(),
            Self::ModifyIndex(index) => found == Some(index),
        };
        if met {
            return Ok(());
        }
        let key = printed::<T::Key>(key.as_slice());
        Err(WriteError::Unexpected { table: T::NAME, key, expected: self, found })
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
