//! Unreadable rows, and the caller's function that saves them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::error::RowError;

/// An unreadable row of a data directory: see [`crate::Options::salvage`].
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnreadableRow {
    /// The table's name.
    pub table: Box<str>,
    /// The encoded primary key of the row.
    pub key: Box<[u8]>,
    /// The record as it is on disk; `docs/format.md` describes it. It may hold secrets.
    pub record: Box<[u8]>,
    /// The reason why it cannot be read.
    pub reason: RowError,
}

impl UnreadableRow {
    pub(crate) fn all(table: &str, rows: &LeftOut) -> Vec<Self> {
        let mut all = Vec::with_capacity(rows.len());
        for (key, (record, reason)) in rows {
            let (key, record) = (key.clone(), record.clone());
            all.push(Self { table: table.into(), key, record, reason: reason.clone() });
        }
        all
    }
}

/// Prints the key but not the record, which may hold secrets.
impl fmt::Debug for UnreadableRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnreadableRow")
            .field("table", &self.table)
            .field("key", &self.key.escape_ascii().to_string())
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// Rows that were left out of a table, by key: the record of each, and the reason.
pub(crate) type LeftOut = BTreeMap<Box<[u8]>, (Box<[u8]>, RowError)>;

/// Saves the unreadable rows of a store before they are deleted from it.
type Save = dyn Fn(&[UnreadableRow]) -> io::Result<()> + Send + Sync;

/// The caller's function that saves unreadable rows, if any.
#[derive(Clone, Default)]
pub(crate) struct Salvage(pub(crate) Option<Arc<Save>>);

impl Salvage {
    /// Returns whether unreadable rows are collected instead of failing the open.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn save(&self, rows: &[UnreadableRow]) -> io::Result<()> {
        match &self.0 {
            // The caller may write a file in `save`, which a healthy store must not create.
            Some(save) if !rows.is_empty() => save(rows),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Salvage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Salvage").field(&self.is_on()).finish()
    }
}
