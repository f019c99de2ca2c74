//! Look-ups and writes that need no type annotation.
//!
//! An [`Index`] and a [`PrimaryKey`] know their table and the shape of their keys, so ranges that are
//! made by them infer both. A [`TableRow`] knows its table, so [`WriteTxn::put`] does.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Bound;

#[cfg(feature = "planning")]
use statehold_filter::Conjunct;
use uuid::Uuid;

use crate::error::{Expect, WriteError};
use crate::hex::HexPrefix;
use crate::key::{Key, KeyPrefix, Ref};
#[cfg(feature = "planning")]
use crate::plan::{Plan, plan};
use crate::range::KeyRange;
use crate::scan::Scan;
use crate::table::{Entry, Index, Table};
use crate::txn::WriteTxn;
use crate::view::{Order, ReadView};

/// A type of rows that belongs to one table, so that the row alone tells where it goes.
///
/// Every row of `derive(Table)` is one. A table that is a type of its own can make its rows one:
///
/// ```
/// use statehold_store::{Schema, Store, Table, TableRow};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Node { name: String }
/// struct Nodes;
///
/// impl Table for Nodes {
///     const NAME: &'static str = "nodes";
///     const VERSION: u16 = 1;
///     type Key = String;
///     type Row = Node;
///     fn key(row: &Node) -> &str { &row.name }
/// }
///
/// impl TableRow for Node {
///     type Table = Nodes;
/// }
///
/// let store = Store::in_memory(&Nodes::schema());
/// let mut txn = store.begin_write()?;
/// txn.put(Node { name: "web-1".into() })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not tell its table",
    note = "derive `Table` for it, or name the table: `upsert::<Nodes>(row)`, `get::<Nodes>(key)`"
)]
pub trait TableRow: Sized {
    /// The table of these rows.
    type Table: Table<Row = Self>;
}

impl<R: Table<Row = R>> TableRow for R {
    type Table = R;
}

impl WriteTxn<'_> {
    /// Puts a row in place of the one with its primary key, or adds it if there is none. Returns the
    /// old row.
    ///
    /// Like [`WriteTxn::upsert`], for rows that tell their table.
    ///
    /// # Errors
    /// As [`WriteTxn::upsert`].
    pub fn put<R: TableRow>(&mut self, row: R) -> Result<Option<Entry<R>>, WriteError> {
        self.upsert::<R::Table>(row)
    }

    /// Like [`WriteTxn::upsert_if`], for rows that tell their table.
    ///
    /// # Errors
    /// As [`WriteTxn::upsert_if`].
    pub fn put_if<R: TableRow>(
        &mut self,
        row: R,
        expect: Expect,
    ) -> Result<Option<Entry<R>>, WriteError> {
        self.upsert_if::<R::Table>(row, expect)
    }
}

/// The primary key of the table `T`, as [`Table::BY_KEY`]: makes ranges of it, and reads by it.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use statehold_store::{Entry, Order, ReadView, Store, Table};
///
/// #[derive(Serialize, Deserialize, Table)]
/// #[table(name = "volumes", key(namespace, id))]
/// struct Volume {
///     namespace: String,
///     id: String,
///     #[table(index)]
///     status: String,
/// }
///
/// let store = Store::in_memory(&Volume::schema());
/// let mut txn = store.begin_write()?;
/// for id in ["web-1", "web-2", "db-1"] {
///     let status = String::from("ready");
///     txn.put(Volume { namespace: "default".into(), id: id.into(), status })?;
/// }
/// txn.commit()?;
///
/// let (view, namespace) = (store.snapshot(), String::from("default"));
/// assert!(Volume::BY_KEY.get(&view, (&namespace, "web-1")).is_some());
/// let web = Volume::BY_KEY.within_prefix(&namespace, "web-");
/// assert_eq!(Volume::BY_KEY.scan(&view, &web, Order::Ascending).count(), 2);
///
/// let ready = Volume::BY_STATUS.exact("ready");
/// assert_eq!(view.scan_by(&Volume::BY_STATUS, &ready, Order::Ascending).count(), 3);
///
/// // The result's type names the table too.
/// let found: Option<&Entry<Volume>> = view.get_row((&namespace, "db-1"));
/// assert!(found.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PrimaryKey<T>(PhantomData<fn() -> T>);

impl<T: Table> PrimaryKey<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }

    /// Returns the row with this primary key. Like [`ReadView::get`].
    pub fn get<'v>(
        &self,
        view: &'v impl ReadView,
        key: Ref<'_, T::Key>,
    ) -> Option<&'v Entry<T::Row>> {
        view.get::<T>(key)
    }

    /// Returns the rows of a range, in the order of their keys. Like [`ReadView::scan`].
    pub fn scan<'v>(
        &self,
        view: &'v impl ReadView,
        range: &KeyRange<T::Key>,
        order: Order,
    ) -> Scan<'v, T> {
        view.scan::<T>(range, order)
    }

    /// Plans a read of the rows of a range that satisfy conditions. Like [`plan()`].
    #[cfg(feature = "planning")]
    pub fn plan<'v>(
        &self,
        view: &'v impl ReadView,
        range: &KeyRange<T::Key>,
        order: Order,
        conjuncts: &[Conjunct],
    ) -> Plan<'v, T> {
        plan(view, range, order, conjuncts)
    }

    /// Returns the number of rows of the table. Like [`ReadView::count`].
    pub fn count(&self, view: &impl ReadView) -> usize {
        view.count::<T>()
    }

    /// Deletes the row with this primary key and returns it. Like [`WriteTxn::delete`].
    ///
    /// # Errors
    /// As [`WriteTxn::delete`].
    pub fn delete(
        &self,
        txn: &mut WriteTxn<'_>,
        key: Ref<'_, T::Key>,
    ) -> Result<Option<Entry<T::Row>>, WriteError> {
        txn.delete::<T>(key)
    }
}

impl<T> Clone for PrimaryKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for PrimaryKey<T> {}

impl<T: Table> fmt::Debug for PrimaryKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrimaryKey").field("table", &T::NAME).finish()
    }
}

/// The constructors of [`KeyRange`], with the shape of the key known.
macro_rules! ranges {
    ($key:ty) => {
        /// Returns the range of every key.
        pub fn all(&self) -> KeyRange<$key> {
            KeyRange::all()
        }

        /// Returns the range of one key.
        pub fn exact(&self, key: Ref<'_, $key>) -> KeyRange<$key> {
            KeyRange::exact(key)
        }

        /// Returns the range between two bounds.
        pub fn between(
            &self,
            from: Bound<Ref<'_, $key>>,
            to: Bound<Ref<'_, $key>>,
        ) -> KeyRange<$key> {
            KeyRange::between(from, to)
        }

        /// Returns the range of the keys that begin with these parts: a value, or a tuple of fewer
        /// parts than the key has.
        pub fn within<Count>(&self, parts: impl KeyPrefix<$key, Count>) -> KeyRange<$key> {
            KeyRange::within(parts)
        }

        /// Returns the range of the keys that begin with these parts and whose next part, a string,
        /// starts with `prefix`.
        pub fn within_prefix<P, Count>(&self, parts: P, prefix: &str) -> KeyRange<$key>
        where
            P: KeyPrefix<$key, Count>,
            P::Next: Key<First = String>,
        {
            KeyRange::within_prefix(parts, prefix)
        }

        /// Returns the range of the keys that begin with these parts and whose next part lies
        /// between two bounds.
        pub fn within_between<P, Count>(
            &self,
            parts: P,
            from: Bound<Ref<'_, P::Next>>,
            to: Bound<Ref<'_, P::Next>>,
        ) -> KeyRange<$key>
        where
            P: KeyPrefix<$key, Count>,
        {
            KeyRange::within_between(parts, from, to)
        }

        /// Returns the range of the keys whose first part, a string, starts with `prefix`.
        pub fn prefix(&self, prefix: &str) -> KeyRange<$key>
        where
            $key: Key<First = String>,
        {
            KeyRange::prefix(prefix)
        }

        /// Returns the range of the keys whose first part, a UUID, starts with these hex digits.
        pub fn hex(&self, prefix: &HexPrefix) -> KeyRange<$key>
        where
            $key: Key<First = Uuid>,
        {
            KeyRange::hex(prefix)
        }
    };
}

/// Ranges of the primary key: see [`KeyRange`].
impl<T: Table> PrimaryKey<T> {
    ranges!(T::Key);
}

/// Ranges of the index's keys: see [`KeyRange`].
impl<T: Table, K: Key> Index<T, K> {
    ranges!(K);
}
