//! A table that is kept as bytes, because this build has no type for its rows.

use std::io;
use std::sync::Arc;

use crate::catalog::CatalogTable;
use crate::change::LoadContext;
use crate::codec;
use crate::conflicts::Conflict;
use crate::erased_table::{EachLine, EachRow, ErasedTable, FinishedLoad};
use crate::error::RowError;
use crate::json_row;
use crate::key::KeyBytes;
use crate::load::RawRows;
use crate::range::Span;
use crate::salvage::{LeftOut, UnreadableRow};
use crate::shape::Versions;
use crate::tree::{OrdIndex, Tree};

/// The rows as they are on disk. Only their checksums can be verified.
#[derive(Clone)]
pub(crate) struct KeptState {
    name: &'static str,
    rows: Tree<Arc<[u8]>>,
    last_index: u64,
    /// The shapes of the versions' types, for a later build that has the row type again.
    shapes: Versions,
    /// Rows that were left out, by key.
    unreadable: LeftOut,
}

impl KeptState {
    pub(crate) fn empty(name: &'static str) -> Self {
        Self {
            name,
            rows: Tree::new(0),
            last_index: 0,
            shapes: Versions::default(),
            unreadable: LeftOut::new(),
        }
    }

    fn check(&self, record: &[u8]) -> Result<(), RowError> {
        let damaged =
            RowError::Damaged { table: self.name, reason: "a record's checksum does not match" };
        codec::unseal(record).map(drop).ok_or(damaged)
    }
}

impl ErasedTable for KeptState {
    fn copy(&self) -> Arc<dyn ErasedTable> {
        Arc::new(self.clone())
    }

    fn as_catalog(&self) -> Option<&dyn CatalogTable> {
        // A catalog shows rows as JSON, which takes their type.
        None
    }

    fn kept_shapes(&self) -> Option<&Versions> {
        Some(&self.shapes)
    }

    fn with_shapes(&self, shapes: &Versions) -> Arc<dyn ErasedTable> {
        let mut table = self.clone();
        table.shapes.extend(shapes);
        Arc::new(table)
    }

    fn last_change(&self, _: usize, span: &Span) -> u64 {
        self.rows.last_change(span)
    }

    fn load(
        &self,
        rows: &mut RawRows<'_>,
        context: LoadContext,
    ) -> Result<Arc<dyn ErasedTable>, RowError> {
        let mut entries = Vec::new();
        let mut unreadable = LeftOut::new();
        for row in rows {
            let (key, record) = row?;
            match self.check(&record) {
                Ok(()) => entries.push((key, record.into())),
                Err(reason) if context.salvage => {
                    unreadable.insert(key.as_slice().into(), (record.into(), reason));
                }
                Err(reason) => return Err(reason),
            }
        }
        let rows = Tree::from_sorted(entries, context.last_index);
        let (name, shapes) = (self.name, self.shapes.clone());
        Ok(Arc::new(Self { name, rows, last_index: context.last_index, shapes, unreadable }))
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn each_key(&self, each: &mut dyn FnMut(&KeyBytes)) {
        self.rows.iter(&Span::all()).for_each(|(key, _)| each(key));
    }

    fn export(&self, each: &mut EachRow<'_>) -> io::Result<()> {
        self.rows.iter(&Span::all()).try_for_each(|(key, record)| each(key.as_slice(), record))
    }

    fn export_json(&self, each: &mut EachLine<'_>) -> io::Result<()> {
        for (key, record) in self.rows.iter(&Span::all()) {
            each(json_row::Form::Record, &json_row::kept_line(self.name, key.as_slice(), record)?)?;
        }
        Ok(())
    }

    fn import_json(&self, _: &json_row::Line<'_>) -> Result<(KeyBytes, Vec<u8>), String> {
        Err("the schema keeps this table as bytes, and the line has its row as JSON: \
             load the dump with a build that has the table"
            .to_owned())
    }

    fn replay(
        &mut self,
        key: &KeyBytes,
        row: Option<&[u8]>,
        context: LoadContext,
    ) -> Result<(), RowError> {
        // The journal's row replaces the one on disk, so its damage no longer counts.
        self.unreadable.remove(key.as_slice());
        self.last_index = context.last_index;
        let Some(record) = row else {
            self.rows.remove(key.as_slice(), context.last_index);
            return Ok(());
        };
        match self.check(record) {
            Ok(()) => {
                self.rows.insert(key.clone(), record.into(), context.last_index);
                Ok(())
            }
            Err(reason) if context.salvage => {
                self.rows.remove(key.as_slice(), context.last_index);
                self.unreadable.insert(key.as_slice().into(), (record.into(), reason));
                Ok(())
            }
            Err(reason) => Err(reason),
        }
    }

    fn conflict(&self) -> Option<Conflict> {
        // A table that is kept as bytes has no indexes.
        None
    }

    fn finish_load(&self) -> Result<Option<FinishedLoad>, RowError> {
        if self.unreadable.is_empty() {
            return Ok(None);
        }
        let unreadable = UnreadableRow::all(self.name, &self.unreadable);
        let changes = unreadable.iter().map(|row| (KeyBytes::from_slice(&row.key), None)).collect();
        let table = Self { unreadable: LeftOut::new(), ..self.clone() };
        Ok(Some(FinishedLoad { table: Arc::new(table), changes, unreadable }))
    }
}
