//! Reading: one trait for snapshots, tracked snapshots and write transactions.

use crate::key::{Key, KeyBuf, PartOf, Ref};
use crate::range::{KeyRange, Span};
use crate::scan::{KeyedScan, Scan};
use crate::state::{Place, Root};
use crate::table::{Entry, Index, Table};
use crate::tree::OrdIndex;
use crate::typed::TableRow;

/// The direction of a scan, in the order of the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From the least key to the greatest.
    #[default]
    Ascending,
    /// From the greatest key to the least.
    Descending,
}

/// What readers are made of; private, so that nobody else can implement [`ReadView`].
pub(crate) mod sealed {
    use super::{Place, Root, Span};

    pub trait Reader {
        /// The state that is read.
        #[expect(private_interfaces, reason = "sealed: nobody outside can name this trait")]
        fn root(&self) -> &Root;

        /// Notes that a range is read.
        #[expect(private_interfaces, reason = "sealed: nobody outside can name this trait")]
        fn note(&self, place: Place, span: &Span) {
            let _ = (place, span);
        }

        /// Notes that the rows under one key are read; apart, so that only who notes builds a range.
        #[expect(private_interfaces, reason = "sealed: nobody outside can name this trait")]
        fn note_key(&self, place: Place, key: &[u8]) {
            let _ = (place, key);
        }

        /// Notes a range whose last change counts for the index of what is read, though no change
        /// of it needs to wake anybody.
        #[expect(private_interfaces, reason = "sealed: nobody outside can name this trait")]
        fn note_index(&self, place: Place, span: &Span) {
            let _ = (place, span);
        }
    }
}

/// Read access to all tables as of one moment.
///
/// A rule that is written against `&impl ReadView` holds for a [`crate::Snapshot`], is watched in
/// a [`crate::Tracked`] one, and sees the own writes of a [`crate::WriteTxn`]. Nothing here locks
/// or touches the disk.
///
/// # Panics
/// Every method panics when the table is not in the store's [`crate::Schema`], or the index is not
/// in the table's declaration.
pub trait ReadView: sealed::Reader {
    /// The row with this primary key.
    ///
    /// Cost: a descent of the table's tree, no allocation for keys up to 46 bytes.
    fn get<T: Table>(&self, key: Ref<'_, T::Key>) -> Option<&Entry<T::Row>> {
        let root = self.root();
        let slot = root.slot::<T>();
        let key = KeyBuf::of::<T::Key>(key);
        self.note_key(Place { table: slot, index: 0 }, key.as_slice());
        root.table::<T>(slot).primary.get(key.as_slice())
    }

    /// The row with this key in a secondary index; the first one when several have it.
    fn find<T: Table, K: Key>(
        &self,
        index: &Index<T, K>,
        key: Ref<'_, K>,
    ) -> Option<&Entry<T::Row>> {
        let root = self.root();
        let slot = root.slot::<T>();
        let table = root.table::<T>(slot);
        let at = table.index_position(index.name);
        let key = KeyBuf::of::<K>(key);
        self.note_key(Place { table: slot, index: at + 1 }, key.as_slice());
        let tree = &table.secondary[at];
        if index.is_unique() {
            return tree.get(key.as_slice());
        }
        tree.iter(&Span::key(key.as_slice())).next().map(|(_, entry)| entry)
    }

    /// The rows of a range of primary keys, in their order.
    fn scan<T: Table>(&self, range: &KeyRange<T::Key>, order: Order) -> Scan<'_, T> {
        let root = self.root();
        let slot = root.slot::<T>();
        self.note(Place { table: slot, index: 0 }, &range.span);
        Scan::new(&root.table::<T>(slot).primary, &range.span, order)
    }

    /// The rows of a range of a secondary index, in its order; a row once for each key it has there.
    fn scan_by<T: Table, K: Key>(
        &self,
        index: &Index<T, K>,
        range: &KeyRange<K>,
        order: Order,
    ) -> Scan<'_, T> {
        let root = self.root();
        let slot = root.slot::<T>();
        let table = root.table::<T>(slot);
        let at = table.index_position(index.name);
        self.note(Place { table: slot, index: at + 1 }, &range.span);
        Scan::new(&table.secondary[at], &range.span, order)
    }

    /// Like [`ReadView::scan`], with the primary keys.
    fn scan_keyed<T: Table>(
        &self,
        range: &KeyRange<T::Key>,
        order: Order,
    ) -> KeyedScan<'_, T, T::Key> {
        let root = self.root();
        let slot = root.slot::<T>();
        self.note(Place { table: slot, index: 0 }, &range.span);
        KeyedScan::new(&root.table::<T>(slot).primary, &range.span, order)
    }

    /// Like [`ReadView::scan_by`], with the keys of the index: for a multi-valued one, those that
    /// matched.
    ///
    /// ```
    /// # use statehold_store::{Index, IndexSet, KeyRange, Order, ReadView, Schema, Store, Table};
    /// # struct Volumes;
    /// # impl Table for Volumes {
    /// #     const NAME: &'static str = "volumes";
    /// #     const VERSION: u16 = 1;
    /// #     type Key = u64;
    /// #     type Row = (u64, Vec<String>);
    /// #     fn key(row: &Self::Row) -> u64 { row.0 }
    /// #     fn indexes(set: &mut IndexSet<Self>) { set.add(&BY_NODE); }
    /// # }
    /// const BY_NODE: Index<Volumes, String> =
    ///     Index::non_unique("node", |volume: &(u64, Vec<String>), keys| {
    ///         volume.1.iter().for_each(|node| keys.add(node));
    ///     });
    /// # let store = Store::in_memory(&Schema::new().table::<Volumes>());
    /// # let mut txn = store.begin_write()?;
    /// txn.upsert::<Volumes>((7, vec!["n1".into(), "n2".into()]))?;
    /// let nodes: Vec<_> = txn
    ///     .scan_by_keyed(&BY_NODE, &KeyRange::all(), Order::Ascending)
    ///     .map(|volume| (volume.key(), volume.primary()))
    ///     .collect();
    /// assert_eq!(nodes, [("n1".to_string(), 7), ("n2".to_string(), 7)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn scan_by_keyed<T: Table, K: Key>(
        &self,
        index: &Index<T, K>,
        range: &KeyRange<K>,
        order: Order,
    ) -> KeyedScan<'_, T, K> {
        let root = self.root();
        let slot = root.slot::<T>();
        let table = root.table::<T>(slot);
        let at = table.index_position(index.name);
        self.note(Place { table: slot, index: at + 1 }, &range.span);
        KeyedScan::new(&table.secondary[at], &range.span, order)
    }

    /// The number of rows of a table.
    fn count<T: Table>(&self) -> usize {
        let root = self.root();
        let slot = root.slot::<T>();
        self.note(Place { table: slot, index: 0 }, &Span::all());
        root.table::<T>(slot).primary.len()
    }

    /// Returns the row with this primary key. Like [`ReadView::get`], for rows that tell their
    /// table: the type of the result names it.
    fn get_row<R: TableRow>(
        &self,
        key: impl PartOf<<R::Table as Table>::Key>,
    ) -> Option<&Entry<R>> {
        let root = self.root();
        let slot = root.slot::<R::Table>();
        let mut buf = KeyBuf::default();
        key.append(&mut buf);
        self.note_key(Place { table: slot, index: 0 }, buf.as_slice());
        root.table::<R::Table>(slot).primary.get(buf.as_slice())
    }
}
