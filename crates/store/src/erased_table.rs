//! A table without its row type: the interface through which a [`crate::root::Root`] holds its tables.

use std::any::Any;
use std::io;
use std::sync::Arc;

use crate::catalog::CatalogTable;
use crate::change::{KeyedChanges, LoadContext};
use crate::conflicts::Conflict;
use crate::error::RowError;
use crate::json_row;
use crate::key::KeyBytes;
use crate::load::RawRows;
use crate::range::Span;
use crate::salvage::UnreadableRow;
use crate::shape::Versions;

/// A table that was loaded and replayed, with its indexes and every row under its own key.
pub(crate) struct FinishedLoad {
    pub(crate) table: Arc<dyn ErasedTable>,
    /// What that changes on disk: deletes, then puts.
    pub(crate) changes: KeyedChanges,
    /// Rows that were left out.
    pub(crate) unreadable: Vec<UnreadableRow>,
}

/// Takes a row's key and bytes.
pub(crate) type EachRow<'e> = dyn FnMut(&[u8], &[u8]) -> io::Result<()> + 'e;

/// Takes a line of a dump.
pub(crate) type EachLine<'a> = dyn FnMut(json_row::Form, &[u8]) -> io::Result<()> + 'a;

/// A table without its row type.
pub(crate) trait ErasedTable: Any + Send + Sync {
    fn copy(&self) -> Arc<dyn ErasedTable>;
    /// The table as a catalog shows it; `None` for one that is kept as bytes.
    fn as_catalog(&self) -> Option<&dyn CatalogTable>;
    /// The recorded shapes of the rows of a table that is kept as bytes; `None` for one with a row type.
    fn kept_shapes(&self) -> Option<&Versions> {
        None
    }
    /// The table with the recorded shapes of its rows: a table that is kept as bytes carries them on, one
    /// with a row type holds its migrations to them.
    fn with_shapes(&self, shapes: &Versions) -> Arc<dyn ErasedTable>;
    /// Completes the shape of the row type by the rows that there are, where it is not known whole.
    fn learn(&self) {}
    fn last_change(&self, index: usize, span: &Span) -> u64;
    /// Builds the state from durable rows, in ascending order of their keys; to be finished.
    fn load(
        &self,
        rows: &mut RawRows<'_>,
        context: LoadContext,
    ) -> Result<Arc<dyn ErasedTable>, RowError>;
    fn rows(&self) -> usize;
    fn each_key(&self, each: &mut dyn FnMut(&KeyBytes));
    /// Gives every row with its key, as bytes, in key order.
    fn export(&self, each: &mut EachRow<'_>) -> io::Result<()>;
    /// Gives every row with its stamps as a line of JSON, in key order.
    fn export_json(&self, each: &mut EachLine<'_>) -> io::Result<()>;
    /// The key and the bytes of a row that is given as JSON.
    fn import_json(&self, line: &json_row::Line<'_>) -> Result<(KeyBytes, Vec<u8>), String>;
    /// Applies a change that the journal has; the state is to be finished.
    fn replay(
        &mut self,
        key: &KeyBytes,
        row: Option<&[u8]>,
        context: LoadContext,
    ) -> Result<(), RowError>;
    /// A key of a unique index that several rows have.
    fn conflict(&self) -> Option<Conflict>;
    /// The state with its indexes and every row under its own key when that could not be kept on the
    /// way; `None` when it was.
    fn finish_load(&self) -> Result<Option<FinishedLoad>, RowError>;
}

/// Ends the loading and replaying of a table: its rows lie under their own keys and it has its
/// indexes. Returns what that changes on disk, and the rows that were left out.
pub(crate) fn finish_load(
    table: &mut Arc<dyn ErasedTable>,
) -> Result<(KeyedChanges, Vec<UnreadableRow>), RowError> {
    let Some(finished) = table.finish_load()? else { return Ok(Default::default()) };
    *table = finished.table;
    Ok((finished.changes, finished.unreadable))
}
