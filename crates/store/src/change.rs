//! Changes to the durable rows of a store, and the context in which rows are loaded or replayed.

use crate::key::KeyBytes;
use crate::salvage::UnreadableRow;

/// What one write did to the durable rows. No `Debug`: rows may hold secrets.
pub(crate) struct Change {
    pub(crate) table: usize,
    pub(crate) key: KeyBytes,
    /// The stamped row, or `None` when it was deleted.
    pub(crate) row: Option<Vec<u8>>,
}

impl Change {
    /// Bytes of the key and the row.
    pub(crate) fn bytes(&self) -> u64 {
        (self.key.as_slice().len() + self.row.as_ref().map_or(0, Vec::len)) as u64
    }
}

/// What an open has to write: rows that were moved, dropped or left out.
#[derive(Default)]
pub(crate) struct OpenChanges {
    /// In an order in which they can be applied one after the other.
    pub(crate) changes: Vec<Change>,
    /// Rows that were left out, which `changes` deletes.
    pub(crate) unreadable: Vec<UnreadableRow>,
}

/// What holds for rows that are loaded or replayed.
#[derive(Clone, Copy)]
pub(crate) struct LoadContext {
    /// The index of the last commit that changed the table.
    pub(crate) last_index: u64,
    /// No row may be stamped with a later index.
    pub(crate) stamped_max: u64,
    /// Whether rows that can't be read are left out, instead of ending the work.
    pub(crate) salvage: bool,
}

/// Changes of a table's durable rows, by key; `None` deletes.
pub(crate) type KeyedChanges = Vec<(KeyBytes, Option<Vec<u8>>)>;
