//! Lookups and writes without type annotations.
//!
//! An [`Index`] and a [`PrimaryKey`] know their table and the shape of their keys, so the ranges that they
//! create infer both. A [`TableRow`] knows its table, so [`WriteTxn::put`] infers it.

use std::ops::Bound;

use uuid::Uuid;

use crate::error::{Expect, WriteError};
use crate::hex::HexPrefix;
use crate::key::{Key, KeyPrefix, PartOf, Ref};
use crate::primary::PrimaryKey;
use crate::range::KeyRange;
use crate::table::{Entry, Index, Table};
use crate::txn::WriteTxn;

/// A row type that belongs to one table, so that a row alone identifies its table.
///
/// Every row type with `derive(Table)` implements it. A table with a type of its own can implement it for its
/// rows:
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
    message = "`{Self}` does not name its table",
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
    /// Replaces the row with the same primary key, or inserts the row if there is none. Returns the old row.
    ///
    /// Like [`WriteTxn::upsert`], with the table inferred from the row type.
    ///
    /// # Errors
    /// Those of [`WriteTxn::upsert`].
    pub fn put<R: TableRow>(&mut self, row: R) -> Result<Option<Entry<R>>, WriteError> {
        self.upsert::<R::Table>(row)
    }

    /// Like [`WriteTxn::upsert_if`], with the table inferred from the row type.
    ///
    /// # Errors
    /// Those of [`WriteTxn::upsert_if`].
    pub fn put_if<R: TableRow>(
        &mut self,
        row: R,
        expect: Expect,
    ) -> Result<Option<Entry<R>>, WriteError> {
        self.upsert_if::<R::Table>(row, expect)
    }
}

/// The constructors of [`KeyRange`] for a known key shape.
macro_rules! ranges {
    ($key:ty) => {
        /// Returns the range of every key.
        pub fn all(&self) -> KeyRange<$key> {
            KeyRange::all()
        }

        /// Returns the range of one key. See [`KeyRange::exact`].
        pub fn exact(&self, key: impl PartOf<$key>) -> KeyRange<$key> {
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

        /// Returns the range of keys that start with these parts: one value, or a tuple of fewer parts than the
        /// key has.
        pub fn starting_with<Count>(&self, parts: impl KeyPrefix<$key, Count>) -> KeyRange<$key> {
            KeyRange::starting_with(parts)
        }

        /// Returns the range of keys that start with these parts and whose next part, a string, starts with
        /// `prefix`.
        pub fn starting_with_prefix<P, Count>(
            &self,
            parts: P,
            prefix: impl AsRef<str>,
        ) -> KeyRange<$key>
        where
            P: KeyPrefix<$key, Count>,
            P::Next: Key<First = String>,
        {
            KeyRange::starting_with_prefix(parts, prefix)
        }

        /// Returns the range of keys that start with these parts and whose next part, a UUID, starts with these
        /// hex digits.
        pub fn starting_with_hex<P, Count>(&self, parts: P, prefix: &HexPrefix) -> KeyRange<$key>
        where
            P: KeyPrefix<$key, Count>,
            P::Next: Key<First = Uuid>,
        {
            KeyRange::starting_with_hex(parts, prefix)
        }

        /// Returns the range of keys that start with these parts and whose next part lies between two bounds.
        pub fn starting_with_between<P, Count>(
            &self,
            parts: P,
            from: Bound<Ref<'_, P::Next>>,
            to: Bound<Ref<'_, P::Next>>,
        ) -> KeyRange<$key>
        where
            P: KeyPrefix<$key, Count>,
        {
            KeyRange::starting_with_between(parts, from, to)
        }

        /// Returns the range of keys whose first part, a string, starts with `prefix`.
        pub fn prefix(&self, prefix: impl AsRef<str>) -> KeyRange<$key>
        where
            $key: Key<First = String>,
        {
            KeyRange::prefix(prefix)
        }

        /// Returns the range of keys whose first part, a UUID, starts with these hex digits.
        pub fn hex(&self, prefix: &HexPrefix) -> KeyRange<$key>
        where
            $key: Key<First = Uuid>,
        {
            KeyRange::hex(prefix)
        }
    };
}

/// Constructors of ranges of the primary key: see [`KeyRange`].
impl<T: Table> PrimaryKey<T> {
    ranges!(T::Key);
}

/// Constructors of ranges of the index: see [`KeyRange`].
impl<T: Table, K: Key> Index<T, K> {
    ranges!(K);
}
