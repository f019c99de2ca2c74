//! Read access: one trait for snapshots, tracked snapshots and write transactions.

use crate::key::{Key, KeyBuf, PartOf};
use crate::ops::{self, Expiry};
use crate::order::Order;
use crate::range::{KeyRange, Span};
use crate::root::{Root, TreeId};
use crate::scan::{KeyedScan, Scan};
use crate::table::{Entry, Index, Table};
use crate::tree::OrdIndex;
use crate::typed::TableRow;

/// The operations behind [`ReadView`]. Private, so that other crates cannot implement the trait.
pub(crate) mod sealed {
    use super::{Root, Span, TreeId};

    pub trait Reader {
        /// Returns the state to read.
        #[expect(private_interfaces, reason = "sealed: other crates cannot name this trait")]
        fn root(&self) -> &Root;

        /// Records a read of a range.
        #[expect(private_interfaces, reason = "sealed: other crates cannot name this trait")]
        fn track(&self, tree: TreeId, span: &Span) {
            let _ = (tree, span);
        }

        /// Records a read of one key. Separate from [`track`](Self::track), so that only tracking readers build
        /// a range.
        #[expect(private_interfaces, reason = "sealed: other crates cannot name this trait")]
        fn track_key(&self, tree: TreeId, key: &[u8]) {
            let _ = (tree, key);
        }

        /// Records a range whose last change counts for the index of the read, without waking the reader when
        /// the range changes.
        #[expect(private_interfaces, reason = "sealed: other crates cannot name this trait")]
        fn track_index(&self, tree: TreeId, span: &Span) {
            let _ = (tree, span);
        }
    }
}

/// Read access to all tables as of one commit.
///
/// Reads by a secondary index take the index: `view.find(&Volume::BY_NAME, "web")`. Reads by the primary key
/// are methods of [`Table::BY_KEY`] (see [`PrimaryKey`](crate::PrimaryKey)), which take the view:
/// `Volume::BY_KEY.get(&view, "web")`. Both infer the table. The methods here that take no index need it as a
/// type argument: `view.get::<Volume>("web")`.
///
/// A function over `&impl ReadView` works on a [`crate::Snapshot`], is tracked on a [`crate::Tracked`]
/// snapshot, and sees a transaction's own writes on a [`crate::WriteTxn`]. A function that needs a trait object
/// should take `&dyn Catalog`, which implements `ReadView` too: see [`Catalog`](crate::Catalog). No method
/// locks or touches the disk.
///
/// # Panics
/// Every method panics if the table is not in the store's [`crate::Schema`], or the index is not declared by
/// the table. Both are programming errors that the first run of the call reveals; no input can cause them.
pub trait ReadView: sealed::Reader {
    /// Returns the row with this primary key.
    ///
    /// Cost: one descent of the table's tree; no allocation for keys up to 46 bytes.
    fn get<T: Table>(&self, key: impl PartOf<T::Key>) -> Option<&Entry<T::Row>> {
        let root = self.root();
        let slot = root.slot::<T>();
        let key = KeyBuf::of_part::<T::Key>(key);
        self.track_key(TreeId { table: slot, index: 0 }, key.as_slice());
        root.table::<T>(slot).primary.get(key.as_slice())
    }

    /// Returns the row with this key in a secondary index; the first one if several have it.
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
        // Keys of a non-unique index carry the primary key after the index key, so the lookup is a range.
        tree.iter(&Span::key(key.as_slice())).next().map(|(_, entry)| entry)
    }

    /// Returns the rows of a range of primary keys, in key order.
    fn scan<T: Table>(&self, range: &KeyRange<T::Key>, order: Order) -> Scan<'_, T> {
        let root = self.root();
        let slot = root.slot::<T>();
        self.track(TreeId { table: slot, index: 0 }, &range.span);
        Scan::new(&root.table::<T>(slot).primary, &range.span, order)
    }

    /// Returns the rows of a range of a secondary index, in index order; a row appears once for each of its
    /// keys there.
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

    /// Like [`ReadView::scan_by`], with the keys of the index. In a multi-valued index, these are the keys that
    /// the range matched.
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

    /// Returns the number of rows of a table. Cost: constant, because the tree keeps the count.
    fn count<T: Table>(&self) -> usize {
        let root = self.root();
        let slot = root.slot::<T>();
        // Any insert or delete changes the count, so the read covers the whole table.
        self.track(TreeId { table: slot, index: 0 }, &Span::all());
        root.table::<T>(slot).primary.len()
    }

    /// Returns the row with this primary key. Like [`ReadView::get`], with the table inferred from the row
    /// type.
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

    /// Returns the number of entries in a range of a secondary index; a row counts once for each of its keys
    /// there. Cost: two descents of the tree, independent of the count.
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

    /// Returns the first row of a range of a secondary index.
    fn first_by<T: Table, K: Key>(
        &self,
        index: &Index<T, K>,
        range: &KeyRange<K>,
    ) -> Option<&Entry<T::Row>> {
        self.scan_by(index, range, Order::Ascending).next()
    }

    /// Returns the last row of a range of a secondary index.
    fn last_by<T: Table, K: Key>(
        &self,
        index: &Index<T, K>,
        range: &KeyRange<K>,
    ) -> Option<&Entry<T::Row>> {
        self.scan_by(index, range, Order::Descending).next()
    }

    /// Like [`PrimaryKey::longest_prefix`](crate::PrimaryKey::longest_prefix), by the key of a secondary index.
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

    /// Returns the earliest expiry in an index, if any row has one. The caller should run
    /// [`crate::WriteTxn::expire_until`] at that time.
    fn next_expiry<T: Table, K: Expiry>(&self, index: &Index<T, K>) -> Option<K> {
        ops::first_expiry(self, index)
    }
}
