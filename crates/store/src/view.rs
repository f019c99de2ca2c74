//! Reading: one trait for snapshots, tracked snapshots and write transactions.

use crate::key::{Key, KeyBuf, PartOf};
use crate::ops::{self, Expiry};
use crate::order::Order;
use crate::range::{KeyRange, Span};
use crate::root::{Root, TreeId};
use crate::scan::{KeyedScan, Scan};
use crate::table::{Entry, Index, Table};
use crate::tree::OrdIndex;
use crate::typed::TableRow;

/// What readers are made of; private, so that nobody else can implement [`ReadView`].
pub(crate) mod sealed {
    use super::{Root, Span, TreeId};

    pub trait Reader {
        /// The state that is read.
        #[expect(private_interfaces, reason = "sealed: nobody outside can name this trait")]
        fn root(&self) -> &Root;

        /// Notes that a range is read.
        #[expect(private_interfaces, reason = "sealed: nobody outside can name this trait")]
        fn track(&self, tree: TreeId, span: &Span) {
            let _ = (tree, span);
        }

        /// Notes that the rows under one key are read; apart, so that only who notes builds a range.
        #[expect(private_interfaces, reason = "sealed: nobody outside can name this trait")]
        fn track_key(&self, tree: TreeId, key: &[u8]) {
            let _ = (tree, key);
        }

        /// Notes a range whose last change counts for the index of what is read, though no change
        /// of it needs to wake anybody.
        #[expect(private_interfaces, reason = "sealed: nobody outside can name this trait")]
        fn track_index(&self, tree: TreeId, span: &Span) {
            let _ = (tree, span);
        }
    }
}

/// Read access to all tables as of one moment.
///
/// Reads by a secondary index take the index: `view.find(&Volume::BY_NAME, "web")`. Reads by the primary key
/// are methods of [`Table::BY_KEY`] (see [`PrimaryKey`](crate::PrimaryKey)), which take the view:
/// `Volume::BY_KEY.get(&view, "web")`. Both infer the table. The forms here that take no index name it:
/// `view.get::<Volume>("web")`.
///
/// A rule that is written against `&impl ReadView` holds for a [`crate::Snapshot`], is watched in
/// a [`crate::Tracked`] one, and sees the own writes of a [`crate::WriteTxn`]. Code that takes a trait
/// object takes `&dyn Catalog`, which is a `ReadView` too: see [`Catalog`](crate::Catalog). Nothing here locks
/// or touches the disk.
///
/// # Panics
/// Every method panics when the table is not in the store's [`crate::Schema`], or the index is not
/// in the table's declaration: a mistake of the program, not of its input, so the first run of the
/// call shows it.
pub trait ReadView: sealed::Reader {
    /// The row with this primary key.
    ///
    /// Cost: a descent of the table's tree, no allocation for keys up to 46 bytes.
    fn get<T: Table>(&self, key: impl PartOf<T::Key>) -> Option<&Entry<T::Row>> {
        let root = self.root();
        let slot = root.slot::<T>();
        let key = KeyBuf::of_part::<T::Key>(key);
        self.track_key(TreeId { table: slot, index: 0 }, key.as_slice());
        root.table::<T>(slot).primary.get(key.as_slice())
    }

    /// The row with this key in a secondary index; the first one when several have it.
    fn find<T: Table, K: Key>(
        &self,
        index: &Index<T, K>,
        key: impl PartOf<K>,
    ) -> Option<&Entry<T::Row>> {
        let root = self.root();
        let slot = root.slot::<T>();
        let table = root.table::<T>(slot);
        let at = table.index_position(index.name);
        let key = KeyBuf::of_part::<K>(key);
        self.track_key(TreeId { table: slot, index: at + 1 }, key.as_slice());
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
        self.track(TreeId { table: slot, index: 0 }, &range.span);
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
        self.track(TreeId { table: slot, index: at + 1 }, &range.span);
        Scan::new(&table.secondary[at], &range.span, order)
    }

    /// Like [`ReadView::scan_by`], with the keys of the index: for a multi-valued one, those that
    /// matched.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use statehold_store::{Order, ReadView, Store, Table};
    /// #[derive(Serialize, Deserialize, Table)]
    /// #[table(name = "volumes")]
    /// struct Volume {
    ///     #[table(key)]
    ///     id: u64,
    ///     #[table(index(each))]
    ///     nodes: Vec<String>,
    /// }
    ///
    /// # let store = Store::in_memory(&Volume::schema());
    /// # let mut txn = store.begin_write()?;
    /// txn.put(Volume { id: 7, nodes: vec!["n1".into(), "n2".into()] })?;
    /// let nodes: Vec<_> = txn
    ///     .scan_by_keyed(&Volume::BY_NODES, &Volume::BY_NODES.all(), Order::Ascending)
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
        self.track(TreeId { table: slot, index: at + 1 }, &range.span);
        KeyedScan::new(&table.secondary[at], &range.span, order)
    }

    /// The number of rows of a table. Cost: none, it is kept.
    fn count<T: Table>(&self) -> usize {
        let root = self.root();
        let slot = root.slot::<T>();
        self.track(TreeId { table: slot, index: 0 }, &Span::all());
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
        let key = KeyBuf::of_part::<<R::Table as Table>::Key>(key);
        self.track_key(TreeId { table: slot, index: 0 }, key.as_slice());
        root.table::<R::Table>(slot).primary.get(key.as_slice())
    }

    /// The number of entries in a range of a secondary index: a row counts once for each key it has
    /// there. Cost: two ways down the tree, whatever the number is.
    fn count_by<T: Table, K: Key>(&self, index: &Index<T, K>, range: &KeyRange<K>) -> usize {
        let root = self.root();
        let slot = root.slot::<T>();
        let table = root.table::<T>(slot);
        let at = table.index_position(index.name);
        self.track(TreeId { table: slot, index: at + 1 }, &range.span);
        table.secondary[at].count(&range.span)
    }

    /// Returns whether there is a row with this primary key. Like
    /// [`PrimaryKey::contains`](crate::PrimaryKey::contains), which infers the table.
    fn contains<T: Table>(&self, key: impl PartOf<T::Key>) -> bool {
        self.get::<T>(key).is_some()
    }

    /// The first row of a range of a secondary index.
    fn first_by<T: Table, K: Key>(
        &self,
        index: &Index<T, K>,
        range: &KeyRange<K>,
    ) -> Option<&Entry<T::Row>> {
        self.scan_by(index, range, Order::Ascending).next()
    }

    /// The last row of a range of a secondary index.
    fn last_by<T: Table, K: Key>(
        &self,
        index: &Index<T, K>,
        range: &KeyRange<K>,
    ) -> Option<&Entry<T::Row>> {
        self.scan_by(index, range, Order::Descending).next()
    }

    /// Like [`PrimaryKey::longest_prefix`](crate::PrimaryKey::longest_prefix), by the key of a secondary
    /// index.
    fn longest_prefix_by<T: Table>(
        &self,
        index: &Index<T, String>,
        text: &str,
    ) -> Option<&Entry<T::Row>> {
        let root = self.root();
        let slot = root.slot::<T>();
        let table = root.table::<T>(slot);
        let at = table.index_position(index.name);
        let (found, span) = ops::longest_prefix(&table.secondary[at], &[], text);
        self.track(TreeId { table: slot, index: at + 1 }, &span);
        found
    }

    /// The earliest expiry in an index, if any row has one: when to call
    /// [`crate::WriteTxn::expire_until`] next.
    fn next_expiry<T: Table, K: Expiry>(&self, index: &Index<T, K>) -> Option<K> {
        ops::first_expiry(self, index)
    }
}
