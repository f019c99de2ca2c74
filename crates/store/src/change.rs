//! Changes to the durable rows of a store, and the context in which rows are loaded or replayed.

use crate::key::KeyBytes;
use crate::salvage::UnreadableRow;

/// One change to the durable rows. Has no `Debug`, because rows may hold secrets.
pub(crate) struct Change {
    pub(crate) table: usize,
    pub(crate) key: KeyBytes,
    /// The stamped row, or `None` if the row was deleted.
    pub(crate) row: Option<Vec<u8>>,
}

impl Change {
    /// Returns the length of the key and the row in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        (self.key.as_slice().len() + self.row.as_ref().map_or(0, Vec::len)) as u64
    }
}

/// Changes that an open must write: rows that were moved, dropped or left out.
#[derive(Default)]
pub(crate) struct OpenChanges {
    /// The changes, in an order in which they can be applied one after another.
    pub(crate) changes: Vec<Change>,
    /// Rows that were left out; `changes` deletes them.
    pub(crate) unreadable: Vec<UnreadableRow>,
}

/// Rules for rows that are loaded or replayed.
#[derive(Clone, Copy)]
pub(crate) struct LoadContext {
    /// The index of the last commit that changed the table.
    pub(crate) last_index: u64,
    /// The highest commit index that a row may carry; a higher one means damage.
    pub(crate) stamped_max: u64,
    /// Whether unreadable rows are left out instead of failing the load.
    pub(crate) salvage: bool,
}

/// Changes of a table's durable rows, by key; `None` deletes.
pub(crate) type KeyedChanges = Vec<(KeyBytes, Option<Vec<u8>>)>;
