//! The state of one typed table: its rows by primary key and its secondary indexes.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use crate::catalog::CatalogTable;
use crate::change::{KeyedChanges, LoadContext};
use crate::codec;
use crate::conflicts::{Conflict, Conflicts, Unique};
use crate::erased_table::{EachLine, EachRow, ErasedTable, FinishedLoad};
use crate::error::{RowError, WriteError};
use crate::json_row;
use crate::key::{KEY_LEN_MAX, KeyBuf, KeyBytes};
use crate::load::{self, Entries, LoadedRow, RawRows};
use crate::range::Span;
use crate::salvage::{LeftOut, UnreadableRow};
use crate::shape::{RecordedShapes, Shape, Versions};
use crate::table::{Entry, IndexDef, IndexSet, Table};
use crate::tree::{OrdIndex, Tree};

pub(crate) struct TableState<T: Table> {
    pub(crate) primary: Tree<Entry<T::Row>>,
    pub(crate) secondary: Vec<Tree<Entry<T::Row>>>,
    /// Keys of unique indexes that several rows claim; empty in every published state.
    conflicts: Conflicts,
    pub(crate) defs: Arc<[IndexDef<T::Row>]>,
    pub(crate) shape: Arc<Shape>,
    /// The recorded shapes of the table's versions.
    recorded: Arc<RecordedShapes>,
    /// The index of the last commit that changed a row, deletes included.
    last_index: u64,
    /// The work that [`finish_load`](ErasedTable::finish_load) has left. While rows are loaded and replayed,
    /// invariants may be broken that hold at the end: by a unique index that is newer than the rows, or by a
    /// restore, which replays rows one by one.
    pending: Option<Box<PendingLoad>>,
}

/// State that a table collects while it is loaded and replayed.
///
/// Until the load is finished, rows are under the keys that they have on disk, because the journal refers to
/// them by those keys. A migration may give a row the key that another row still has on disk.
#[derive(Clone, Default)]
struct PendingLoad {
    /// Whether a row's key differs from its key on disk.
    moved: bool,
    /// Keys of rows on disk that their migration dropped.
    dropped: BTreeSet<Box<[u8]>>,
    /// Unreadable rows on disk, by key.
    unreadable: LeftOut,
}

impl<T: Table> Clone for TableState<T> {
    fn clone(&self) -> Self {
        Self {
            primary: self.primary.clone(),
            secondary: self.secondary.clone(),
            conflicts: self.conflicts.clone(),
            defs: Arc::clone(&self.defs),
            shape: Arc::clone(&self.shape),
            recorded: Arc::clone(&self.recorded),
            last_index: self.last_index,
            pending: self.pending.clone(),
        }
    }
}

impl<T: Table> ErasedTable for TableState<T> {
    fn copy(&self) -> Arc<dyn ErasedTable> {
        Arc::new(self.clone())
    }

    fn as_catalog(&self) -> Option<&dyn CatalogTable> {
        Some(self)
    }

    fn with_shapes(&self, shapes: &Versions) -> Arc<dyn ErasedTable> {
        Arc::new(Self { recorded: Arc::new(self.recorded.with(shapes)), ..self.clone() })
    }

    fn learn(&self) {
        // One `Serialize` pass over the rows costs no more than their load, and runs only for a type with a
        // part that is not known yet. It ends as soon as the shape is whole.
        for (_, entry) in self.primary.iter(&Span::all()) {
            if codec::learn::<T>(entry, &self.shape) {
                break;
            }
        }
    }

    fn last_change(&self, index: usize, span: &Span) -> u64 {
        match index.checked_sub(1) {
            None => self.primary.last_change(span),
            Some(index) => self.secondary[index].last_change(span),
        }
    }

    fn load(
        &self,
        rows: &mut RawRows<'_>,
        context: LoadContext,
    ) -> Result<Arc<dyn ErasedTable>, RowError> {
        let loaded = load::rows::<T>(rows, &self.defs, &self.recorded, context)?;
        let last_index = context.last_index;
        let secondary = load::indexes::<T>(&self.defs, loaded.secondary, last_index);
        let pending = PendingLoad {
            moved: loaded.moved,
            dropped: loaded.dropped.iter().map(|key| key.as_slice().into()).collect(),
            unreadable: loaded
                .unreadable
                .into_iter()
                .map(|(key, record, reason)| (key.as_slice().into(), (record.into(), reason)))
                .collect(),
        };
        let finished = secondary.is_ok() && pending.is_empty();
        Ok(Arc::new(Self {
            primary: Tree::from_sorted(loaded.primary, last_index),
            pending: (!finished).then(|| Box::new(pending)),
            // A unique key may be taken twice in the rows on disk and freed by the journal: `finish_load`
            // builds the indexes after the replay, and reports the clash if it is still there.
            secondary: secondary.unwrap_or_else(|_| no_indexes(&self.defs)),
            conflicts: Conflicts::default(),
            defs: Arc::clone(&self.defs),
            shape: Arc::clone(&self.shape),
            recorded: Arc::clone(&self.recorded),
            last_index,
        }))
    }

    fn rows(&self) -> usize {
        self.primary.len()
    }

    fn each_key(&self, each: &mut dyn FnMut(&KeyBytes)) {
        self.primary.iter(&Span::all()).for_each(|(key, _)| each(key));
    }

    fn export(&self, each: &mut EachRow<'_>) -> io::Result<()> {
        for (key, entry) in self.primary.iter(&Span::all()) {
            let key = key.as_slice();
            let bytes = codec::encode::<T>(entry, key, &self.shape).map_err(io::Error::other)?;
            each(key, &bytes)?;
        }
        Ok(())
    }

    fn export_json(&self, each: &mut EachLine<'_>) -> io::Result<()> {
        for (key, entry) in self.primary.iter(&Span::all()) {
            let (form, line) = json_row::line::<T>(key, entry, &self.shape)?;
            each(form, &line)?;
        }
        Ok(())
    }

    fn import_json(&self, line: &json_row::Line<'_>) -> Result<(KeyBytes, Vec<u8>), String> {
        let entry = line.entry::<T>()?;
        let key = KeyBuf::of::<T::Key>(T::key(&entry)).finish();
        let bytes = self.encode(&entry, &key)?;
        // The row's own message names the fields, so it takes precedence over the length of the key.
        WriteError::check_primary::<T>(&key).map_err(|error| error.to_string())?;
        Ok((key, bytes))
    }

    fn replay(
        &mut self,
        key: &KeyBytes,
        row: Option<&[u8]>,
        context: LoadContext,
    ) -> Result<(), RowError> {
        let index = context.last_index;
        // The journal's row replaces the one on disk, so neither its drop nor its damage counts any longer.
        if let Some(pending) = &mut self.pending {
            pending.dropped.remove(key.as_slice());
            pending.unreadable.remove(key.as_slice());
        }
        let Some(row) = row else {
            self.take(key.clone(), index, |_, _| ());
            return Ok(());
        };
        match load::row::<T>(key, row, &self.recorded, context.stamped_max) {
            Ok(LoadedRow::Row { entry, moved: false })
                if self.pending.is_none()
                    // Deferred, as at its commit: rows may have swapped unique keys.
                    && self
                        .put(key.clone(), &entry, index, Unique::AtCommit, |_, _| ())
                        .is_ok() =>
            {
                return Ok(());
            }
            Ok(LoadedRow::Row { entry, moved }) => {
                self.pending.get_or_insert_default().moved |= moved;
                self.primary.insert(key.clone(), entry, index);
            }
            Ok(LoadedRow::Dropped) => {
                self.primary.remove(key.as_slice(), index);
                self.pending.get_or_insert_default().dropped.insert(key.as_slice().into());
            }
            Err(reason) if context.salvage && reason.is_of_the_row() => {
                // Remove the earlier version of the row as well: it would pass for the one that replaced it.
                self.primary.remove(key.as_slice(), index);
                let unreadable = &mut self.pending.get_or_insert_default().unreadable;
                unreadable.insert(key.as_slice().into(), (row.into(), reason));
            }
            Err(reason) => return Err(reason),
        }
        self.last_index = index;
        Ok(())
    }

    fn conflict(&self) -> Option<Conflict> {
        let (at, key) = self.conflicts.first()?;
        let def = self.defs.get(at)?;
        Some(Conflict {
            table: T::NAME,
            index: def.name,
            key: (def.describe)(key.as_slice()),
            fields: def.fields,
        })
    }

    fn finish_load(&self) -> Result<Option<FinishedLoad>, RowError> {
        if self.pending.is_none() && self.conflicts.is_empty() {
            return Ok(None);
        }
        // Deletes come before puts: a moved row may take the key of a row that is dropped.
        let nothing_pending = Box::default();
        let pending = self.pending.as_ref().unwrap_or(&nothing_pending);
        let mut changes: KeyedChanges = pending
            .dropped
            .iter()
            .chain(pending.unreadable.keys())
            .map(|key| (KeyBytes::from_slice(key), None))
            .collect();
        let primary = if pending.moved { self.moved(&mut changes)? } else { self.primary.clone() };
        let entries = self.defs.iter().map(|def| {
            let keys = primary.iter(&Span::all()).flat_map(|(key, entry)| {
                let keys = def.tree_keys(entry, key.as_slice()).into_iter();
                keys.map(|key| (key, entry.clone()))
            });
            keys.collect()
        });
        let secondary = load::indexes::<T>(&self.defs, entries.collect(), self.last_index)?;
        let table = Self {
            primary,
            secondary,
            defs: Arc::clone(&self.defs),
            shape: Arc::clone(&self.shape),
            recorded: Arc::clone(&self.recorded),
            last_index: self.last_index,
            conflicts: Conflicts::default(),
            pending: None,
        };
        let unreadable = UnreadableRow::all(T::NAME, &pending.unreadable);
        Ok(Some(FinishedLoad { table: Arc::new(table), changes, unreadable }))
    }
}

impl PendingLoad {
    fn is_empty(&self) -> bool {
        !self.moved && self.dropped.is_empty() && self.unreadable.is_empty()
    }
}

impl<T: Table> TableState<T> {
    /// Returns the stored form of a row under its key.
    ///
    /// # Errors
    /// The reason why the row cannot be stored.
    pub(crate) fn encode(&self, entry: &Entry<T::Row>, key: &KeyBytes) -> Result<Vec<u8>, String> {
        let bytes = codec::encode::<T>(entry, key.as_slice(), &self.shape)?;
        // After the encoding, because this row may be the first to reveal a part of the type whose recorded
        // shape differs.
        let Some(recorded) = self.recorded.get(T::VERSION) else { return Ok(bytes) };
        recorded.check_own(&self.shape).map_err(|differing| {
            format!(
                "the type of its table has another shape than the recorded one: {}; give the type a new \
                 version and a migration (recorded {}, now {})",
                differing.difference, differing.was, differing.is
            )
        })?;
        Ok(bytes)
    }

    pub(crate) fn empty(shape: Arc<Shape>, indexes: IndexSet<T>) -> Self {
        let defs: Arc<[_]> = indexes.defs.into();
        Self {
            primary: Tree::new(0),
            secondary: no_indexes(&defs),
            conflicts: Conflicts::default(),
            defs,
            shape,
            recorded: Arc::default(),
            last_index: 0,
            pending: None,
        }
    }

    /// Returns the rows under their own keys, and adds the changes that this requires on disk: deletes of the
    /// old keys, then puts.
    fn moved(&self, changes: &mut KeyedChanges) -> Result<Tree<Entry<T::Row>>, RowError> {
        // The sort sees keys and positions only: its code would otherwise be generated for each table.
        let mut rows: Vec<(KeyBytes, &KeyBytes, usize)> = Vec::with_capacity(self.primary.len());
        let mut entries: Vec<&Entry<T::Row>> = Vec::with_capacity(self.primary.len());
        for (old, entry) in self.primary.iter(&Span::all()) {
            let key = KeyBuf::of::<T::Key>(T::key(entry)).finish();
            let len = key.as_slice().len();
            if len > KEY_LEN_MAX {
                let old = old.as_slice().into();
                return Err(RowError::KeyTooLong { table: T::NAME, key: old, len });
            }
            rows.push((key, old, entries.len()));
            entries.push(entry);
        }
        // Equal keys are neighbours after the sort.
        rows.sort_by(|a, b| a.0.as_slice().cmp(b.0.as_slice()));
        if let Some([first, second]) = rows.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(RowError::SameKey {
                table: T::NAME,
                first: first.1.as_slice().into(),
                second: second.1.as_slice().into(),
                key: first.0.as_slice().into(),
            });
        }
        // All deletes come before the first put: a row's new key may be another row's old one.
        let moved = || rows.iter().filter(|(key, old, _)| key != *old);
        changes.extend(moved().map(|(_, old, _)| ((*old).clone(), None)));
        for (new, old, at) in moved() {
            let key = old.as_slice().into();
            let unstorable = |reason: String| RowError::Unstorable { table: T::NAME, key, reason };
            let entry = entries[*at];
            let row = codec::encode::<T>(entry, new.as_slice(), &self.shape).map_err(unstorable)?;
            changes.push((new.clone(), Some(row)));
        }
        let entries: Entries<T::Row> =
            rows.into_iter().map(|(key, _, at)| (key, entries[at].clone())).collect();
        Ok(Tree::from_sorted(entries, self.last_index))
    }

    /// Returns the position of a secondary index in `secondary`.
    pub(crate) fn index_position(&self, name: &str) -> usize {
        self.defs
            .iter()
            .position(|def| def.name == name)
            .unwrap_or_else(|| panic!("{:?} declares no index {name:?}", T::NAME))
    }

    /// Replaces the row with this primary key, or inserts one. Returns the old row. An error leaves the table
    /// unchanged.
    pub(crate) fn put(
        &mut self,
        key: KeyBytes,
        entry: &Entry<T::Row>,
        index: u64,
        unique: Unique,
        mut touch: impl FnMut(usize, KeyBytes),
    ) -> Result<Option<Entry<T::Row>>, WriteError> {
        WriteError::check_primary::<T>(&key)?;
        let new_keys: Vec<Vec<KeyBytes>> =
            self.defs.iter().map(|def| def.tree_keys(entry, key.as_slice())).collect();
        // Check every index before the first write, so that an error leaves the table unchanged.
        for ((def, tree), keys) in self.defs.iter().zip(&self.secondary).zip(&new_keys) {
            for new in keys {
                WriteError::check_secondary::<T>(def, new, &key)?;
                let taken = def.unique
                    && unique == Unique::AtOnce
                    && holder::<T>(tree, new).is_some_and(|holder| holder != key);
                if taken {
                    return Err(WriteError::NotUnique {
                        table: T::NAME,
                        index: def.name,
                        key: def.printed(new, &key),
                        fields: def.fields,
                    });
                }
            }
        }
        let old = self.primary.insert(key.clone(), entry.clone(), index);
        self.last_index = index;
        // A second handle, because the loop below borrows `self` mutably.
        let defs = Arc::clone(&self.defs);
        for (at, (def, new)) in defs.iter().zip(new_keys).enumerate() {
            if let Some(old) = &old {
                for gone in def.tree_keys(old, key.as_slice()) {
                    // A key that the new row has too is replaced in place below: removing it first would change
                    // the tree twice.
                    if !new.contains(&gone) && self.release(at, &gone, &key, index) {
                        touch(at + 1, gone);
                    }
                }
            }
            for new in new {
                if def.unique
                    && unique == Unique::AtCommit
                    && let Some(holder) = holder::<T>(&self.secondary[at], &new)
                    && holder != key
                {
                    self.conflicts.claim(at, &new, holder, key.clone());
                }
                self.secondary[at].insert(new.clone(), entry.clone(), index);
                touch(at + 1, new);
            }
        }
        touch(0, key);
        Ok(old)
    }

    /// Removes a row and returns it; `None` if there is no such row.
    pub(crate) fn take(
        &mut self,
        key: KeyBytes,
        index: u64,
        mut touch: impl FnMut(usize, KeyBytes),
    ) -> Option<Entry<T::Row>> {
        let old = self.primary.remove(key.as_slice(), index)?;
        self.last_index = index;
        let defs = Arc::clone(&self.defs);
        for (at, def) in defs.iter().enumerate() {
            for gone in def.tree_keys(&old, key.as_slice()) {
                if self.release(at, &gone, &key, index) {
                    touch(at + 1, gone);
                }
            }
        }
        touch(0, key);
        Some(old)
    }

    /// Removes a key from the index `at` for the row with the primary key `primary`. Returns whether the index
    /// changed.
    fn release(&mut self, at: usize, gone: &KeyBytes, primary: &KeyBytes, index: u64) -> bool {
        let tree = &mut self.secondary[at];
        // While several rows claim a key, another claimant becomes its holder.
        if let Some(other) = self.conflicts.release(at, gone, primary) {
            if holder::<T>(tree, gone).as_ref() == Some(primary)
                && let Some(entry) = self.primary.get(other.as_slice())
            {
                tree.insert(gone.clone(), entry.clone(), index);
                return true;
            }
            // Another row holds the key, so the tree already shows that row.
            return false;
        }
        tree.remove(gone.as_slice(), index).is_some()
    }

    /// Checks the length of each key of a row.
    pub(crate) fn check_keys(&self, key: &KeyBytes, row: &T::Row) -> Result<(), WriteError> {
        WriteError::check_primary::<T>(key)?;
        for def in self.defs.iter() {
            for own in def.tree_keys(row, key.as_slice()) {
                WriteError::check_secondary::<T>(def, &own, key)?;
            }
        }
        Ok(())
    }

    /// Replaces all rows and indexes. The caller MUST pass trees that match.
    pub(crate) fn replace(
        &mut self,
        primary: Tree<Entry<T::Row>>,
        secondary: Vec<Tree<Entry<T::Row>>>,
        index: u64,
    ) {
        self.primary = primary;
        self.secondary = secondary;
        self.last_index = index;
    }
}

/// Returns the primary key of the row that holds a key of a unique index.
fn holder<T: Table>(tree: &Tree<Entry<T::Row>>, key: &KeyBytes) -> Option<KeyBytes> {
    tree.get(key.as_slice()).map(|row| KeyBuf::of::<T::Key>(T::key(row)).finish())
}

fn no_indexes<R>(defs: &[IndexDef<R>]) -> Vec<Tree<Entry<R>>> {
    defs.iter().map(|_| Tree::new(0)).collect()
}
