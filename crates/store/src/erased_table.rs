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

/// A loaded and replayed table, with its indexes and every row under its own key.
pub(crate) struct FinishedLoad {
    pub(crate) table: Arc<dyn ErasedTable>,
    /// The changes that this requires on disk: deletes, then puts.
    pub(crate) changes: KeyedChanges,
    /// Rows that were left out.
    pub(crate) unreadable: Vec<UnreadableRow>,
}

/// Receives the key and the bytes of each row.
pub(crate) type EachRow<'e> = dyn FnMut(&[u8], &[u8]) -> io::Result<()> + 'e;

/// Receives each line of a dump.
pub(crate) type EachLine<'a> = dyn FnMut(json_row::Form, &[u8]) -> io::Result<()> + 'a;

/// A table without its row type.
///
/// A table is loaded with [`load`](Self::load), then changed with [`replay`](Self::replay). Both leave it
/// unfinished: the caller MUST call [`finish_load`] before it reads the table.
pub(crate) trait ErasedTable: Any + Send + Sync {
    fn copy(&self) -> Arc<dyn ErasedTable>;
    /// Returns the table's catalog interface, or `None` for a table that is kept as bytes.
    fn as_catalog(&self) -> Option<&dyn CatalogTable>;
    /// Returns the recorded shapes of a table that is kept as bytes, or `None` for a table with a row type.
    fn kept_shapes(&self) -> Option<&Versions> {
        None
    }
    /// Returns the table with the recorded shapes of its rows. A table that is kept as bytes carries them
    /// along; a table with a row type checks its migrations against them.
    fn with_shapes(&self, shapes: &Versions) -> Arc<dyn ErasedTable>;
    /// Completes a partly known shape of the row type from the rows in the table.
    fn learn(&self) {}
    fn last_change(&self, index: usize, span: &Span) -> u64;
    /// Builds the unfinished state from durable rows, in ascending key order.
    fn load(
        &self,
        rows: &mut RawRows<'_>,
        context: LoadContext,
    ) -> Result<Arc<dyn ErasedTable>, RowError>;
    fn rows(&self) -> usize;
    fn each_key(&self, each: &mut dyn FnMut(&KeyBytes));
    /// Passes each row with its key to `each`, as bytes, in key order.
    fn export(&self, each: &mut EachRow<'_>) -> io::Result<()>;
    /// Passes each row with its stamps to `each`, as a line of JSON, in key order.
    fn export_json(&self, each: &mut EachLine<'_>) -> io::Result<()>;
    /// Returns the key and the bytes of a row given as JSON.
    fn import_json(&self, line: &json_row::Line<'_>) -> Result<(KeyBytes, Vec<u8>), String>;
    /// Applies a change of the journal. The state is unfinished afterwards.
    fn replay(
        &mut self,
        key: &KeyBytes,
        row: Option<&[u8]>,
        context: LoadContext,
    ) -> Result<(), RowError>;
    /// Returns a key of a unique index that several rows claim, if there is one.
    fn conflict(&self) -> Option<Conflict>;
    /// Returns the finished state, or `None` if loading and replaying kept this one finished.
    fn finish_load(&self) -> Result<Option<FinishedLoad>, RowError>;
}

/// Finishes the load of a table: moves its rows under their own keys and builds its missing indexes. Returns
/// the changes that this requires on disk, and the rows that were left out.
pub(crate) fn finish_load(
    table: &mut Arc<dyn ErasedTable>,
) -> Result<(KeyedChanges, Vec<UnreadableRow>), RowError> {
    let Some(finished) = table.finish_load()? else { return Ok(Default::default()) };
    *table = finished.table;
    Ok((finished.changes, finished.unreadable))
}
