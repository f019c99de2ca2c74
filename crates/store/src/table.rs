//! Tables and their indexes, as their types declare them.

use std::fmt;
use std::marker::PhantomData;
#[cfg(feature = "planning")]
use std::ops::Bound;
use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
#[cfg(feature = "planning")]
use statehold_filter::{Constant, Filterable, Kind, Sarg};

use crate::codec::OldRow;
use crate::error::{RowError, SchemaError};
use crate::key::{Key, KeyBuf, KeyBytes, PartOf, Ref, printed};
use crate::primary::PrimaryKey;
#[cfg(feature = "planning")]
use crate::range::Span;
use crate::schema::Schema;
#[cfg(feature = "planning")]
use crate::serves::Serves;

/// A table: the type of its rows, their primary key and the secondary indexes.
///
/// Rows are stored in a binary form that writes fields in declaration order, without names and types. serde's
/// `rename`, `default`, `skip`, `with` and `try_from` work. `skip_serializing_if`, `skip_serializing` or
/// `skip_deserializing` alone, `flatten`, `tag`, `untagged`, and types such as `serde_json::Value` cannot be
/// read back: [`Schema::table`](crate::Schema::table) rejects types that never can, and
/// [`WriteTxn::upsert`](crate::WriteTxn::upsert) rejects rows that cannot, in every build. An API resource with
/// such attributes should be a struct of its own, built from the row.
///
/// Each row is read back before it is stored, and MUST yield the same primary key and the same bytes: the write
/// rejects a value that its `Deserialize` rejects (`try_from`) or changes (`deserialize_with`). The check
/// covers only the output of `Serialize`: a `serialize_with` that loses part of a value, or a `skip` on a field
/// of an index, has the same bytes before and after.
///
/// A change of the fields of a row, or of a type in it, requires a new [`Table::VERSION`]. The names, order and
/// types of fields and variants are recorded for each version, and a store whose recorded ones differ is not
/// opened ([`OpenError::ShapeChanged`](crate::OpenError::ShapeChanged)). A change that keeps all three, such as
/// a new unit of a number, cannot be detected.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use statehold_store::{Index, IndexSet, Table};
///
/// #[derive(Serialize, Deserialize)]
/// struct Volume { id: String, plugin: String, nodes: Vec<String> }
///
/// struct Volumes;
///
/// const BY_PLUGIN: Index<Volumes, String> =
///     Volumes::INDEX.non_unique("plugin", |volume, keys| keys.add(&volume.plugin));
/// // A multi-valued index: one key for each node.
/// const BY_NODE: Index<Volumes, String> =
///     Volumes::INDEX.non_unique("node", |volume, keys| {
///         volume.nodes.iter().for_each(|node| keys.add(node));
///     });
///
/// impl Table for Volumes {
///     const NAME: &'static str = "volumes";
///     const VERSION: u16 = 1;
///     type Key = String;
///     type Row = Volume;
///     fn key(row: &Volume) -> &str { &row.id }
///     fn indexes(set: &mut IndexSet<Self>) {
///         set.add(&BY_PLUGIN).add(&BY_NODE);
///     }
/// }
/// ```
pub trait Table: Send + Sync + Sized + 'static {
    /// The table's name in the files and in errors. MUST be unique in a schema.
    const NAME: &'static str;

    /// The version of the row's fields. When a store is opened, rows of an earlier version go through
    /// [`Table::migrate`] and rows of a later one are rejected.
    const VERSION: u16;

    /// The shape of the primary key.
    type Key: Key;

    /// The type of the rows. Rows are immutable once stored.
    type Row: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Names of the fields of the primary key, for errors about a key. `derive(Table)` sets them.
    const KEY_FIELDS: &'static [&'static str] = &[];

    /// Returns the primary key of a row.
    fn key(row: &Self::Row) -> Ref<'_, Self::Key>;

    /// Converts a row of an earlier version to this version. Its stamps stay. A row that keeps its key is
    /// written in its new form when it is next changed.
    ///
    /// The key MAY change: see [`Table::migrate_row`], which can also drop rows.
    ///
    /// # Errors
    /// By default, [`RowError::OlderVersion`] for every earlier version.
    ///
    /// ```
    /// # use statehold_store::{OldRow, RowError, Table};
    /// struct Nodes;
    /// impl Table for Nodes {
    ///     const NAME: &'static str = "nodes";
    ///     const VERSION: u16 = 2; // the pool came with version 2
    ///     type Key = String;
    ///     type Row = (String, String);
    ///     fn key(row: &Self::Row) -> &str { &row.0 }
    ///     fn migrate(old: OldRow<'_>) -> Result<Self::Row, RowError> {
    ///         match old.version() {
    ///             1 => old.read::<String>().map(|name| (name, "default".to_string())),
    ///             _ => Err(old.unknown(Self::VERSION)),
    ///         }
    ///     }
    /// }
    /// ```
    fn migrate(old: OldRow<'_>) -> Result<Self::Row, RowError> {
        Err(old.unknown(Self::VERSION))
    }

    /// The primary key: creates its ranges and reads by it, without type annotations.
    const BY_KEY: PrimaryKey<Self> = PrimaryKey::new();

    /// Starts the declaration of a secondary index of this table: see [`IndexOf`].
    const INDEX: IndexOf<Self> = IndexOf(PhantomData);

    /// Returns a schema of this table alone; [`Schema::and`] joins several.
    fn schema() -> Schema {
        Schema::new().table::<Self>()
    }

    /// Like [`Table::migrate`], but may drop the row: `None` deletes it. By default no row is dropped.
    /// Implement one of the two; the store calls this one.
    ///
    /// A migration MUST return the same row for the same bytes at every call, because it runs at every open
    /// until the row is written again. It MAY return a row with another primary key. When a store is opened,
    /// such rows are moved and dropped ones are deleted, all in one durable step before the store accepts a
    /// write; a crash during that step leaves the old rows, and the next open repeats it. The change feed then
    /// begins after the last commit, because its older records have the old keys. A consumer that had read all
    /// of them is not notified: rebuild data derived from the old keys. A backup of an earlier version is
    /// migrated in the same way when it is restored.
    ///
    /// # Errors
    /// Those of [`Table::migrate`]. If two rows get one key, the open fails with [`RowError::SameKey`] and
    /// changes nothing.
    ///
    /// # Adding a namespace to the primary key
    /// ```
    /// # use statehold_store::{OldRow, RowError, Table};
    /// use serde::{Deserialize, Serialize};
    ///
    /// /// The fields of version 1, in their order.
    /// #[derive(Deserialize)]
    /// struct VolumeV1 { id: String, size: u64 }
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Volume { namespace: String, id: String, size: u64 }
    ///
    /// struct Volumes;
    /// impl Table for Volumes {
    ///     const NAME: &'static str = "volumes";
    ///     const VERSION: u16 = 2; // the namespace came with version 2
    ///     type Key = (String, String);
    ///     type Row = Volume;
    ///     fn key(row: &Volume) -> (&str, &str) { (&row.namespace, &row.id) }
    ///     fn migrate_row(old: OldRow<'_>) -> Result<Option<Volume>, RowError> {
    ///         if old.version() != 1 {
    ///             return Err(old.unknown(Self::VERSION));
    ///         }
    ///         let VolumeV1 { id, size } = old.read()?;
    ///         // Empty volumes are not carried over.
    ///         Ok((size > 0).then(|| Volume { namespace: "default".into(), id, size }))
    ///     }
    /// }
    /// ```
    fn migrate_row(old: OldRow<'_>) -> Result<Option<Self::Row>, RowError> {
        Self::migrate(old).map(Some)
    }

    /// Declares the secondary indexes; none by default. They live in memory and are built when a store is
    /// opened, so adding or removing one needs no migration.
    fn indexes(set: &mut IndexSet<Self>) {
        let _ = set;
    }
}

/// The return type of a function given in `#[table(migrate = ..)]`: `Result<Row, RowError>`, or
/// `Result<Option<Row>, RowError>` where `None` drops the row.
pub trait IntoMigrated<R> {
    /// Returns the row, or `None` if it is dropped.
    ///
    /// # Errors
    /// Those of the migration.
    fn into_migrated(self) -> Result<Option<R>, RowError>;
}

impl<R> IntoMigrated<R> for Result<R, RowError> {
    fn into_migrated(self) -> Result<Option<R>, RowError> {
        self.map(Some)
    }
}

impl<R> IntoMigrated<R> for Result<Option<R>, RowError> {
    fn into_migrated(self) -> Result<Option<R>, RowError> {
        self
    }
}

/// A secondary index of the table `T` with keys of the shape `K`, declared as a constant.
///
/// A row that adds no key is not in the index (a partial index); one that adds several is in it several times
/// (a multi-valued index). One that adds `&name.to_lowercase()` is found in any case by lookups that lower
/// their key too (a case-folded index). Rows with equal keys are ordered by their primary keys. An index whose
/// keys begin with a UUID can be searched by [`crate::KeyRange::hex`].
///
/// [`Table::INDEX`] starts the declaration. The function that adds the keys takes a row and the [`Keys`]; the
/// row type is inferred from the table, the key type from the constant. `R` is always the table's row type.
pub struct Index<T: Table, K: Key, R = <T as Table>::Row> {
    pub(crate) name: &'static str,
    unique: bool,
    keys: KeysOf<R, K>,
    fields: &'static [&'static str],
    #[cfg(feature = "planning")]
    serves: Option<Serves>,
    table: PhantomData<fn() -> T>,
}

/// Declares secondary indexes of the table `T`, as [`Table::INDEX`]. It fixes the table, so that the closure
/// needs no type annotation, even with further calls chained after it.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use statehold_filter::Filterable;
/// use statehold_store::{Index, IndexSet, Store, Table};
///
/// #[derive(Serialize, Deserialize, Filterable)]
/// struct Node { name: String, pool: String, address: String }
/// struct Nodes;
///
/// impl Nodes {
///     const BY_POOL: Index<Self, String> =
///         Self::INDEX.non_unique("pool", |row, keys| keys.add(&row.pool)).serves("pool");
///     const BY_ADDRESS: Index<Self, String> =
///         Self::INDEX.unique("address", |row, keys| keys.add(&row.address));
/// }
///
/// impl Table for Nodes {
///     const NAME: &'static str = "nodes";
///     const VERSION: u16 = 1;
///     type Key = String;
///     type Row = Node;
///     fn key(row: &Node) -> &str { &row.name }
///     fn indexes(set: &mut IndexSet<Self>) { set.add(&Self::BY_POOL).add(&Self::BY_ADDRESS); }
/// }
/// # let _ = Store::in_memory(&Nodes::schema());
/// ```
pub struct IndexOf<T>(PhantomData<fn() -> T>);

impl<T: Table> IndexOf<T> {
    /// Declares an index in which no two rows may have the same key. Like [`Index::unique`].
    pub const fn unique<K: Key>(self, name: &'static str, keys: KeysOf<T::Row, K>) -> Index<T, K> {
        Index::unique(name, keys)
    }

    /// Declares an index in which any number of rows may share a key. Like [`Index::non_unique`].
    pub const fn non_unique<K: Key>(
        self,
        name: &'static str,
        keys: KeysOf<T::Row, K>,
    ) -> Index<T, K> {
        Index::non_unique(name, keys)
    }
}

impl<T> Clone for IndexOf<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for IndexOf<T> {}

impl<T: Table> fmt::Debug for IndexOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IndexOf").field(&T::NAME).finish()
    }
}

/// A function that adds a row's keys.
type KeysOf<R, K> = fn(&R, &mut Keys<'_, K>);

// The row type is a parameter, not a projection of the table, because inference of a closure's
// parameter types does not see through a projection.
impl<T: Table<Row = R>, K: Key, R> Index<T, K, R> {
    /// Declares an index in which no two rows may have the same key. A write that would break this fails.
    pub const fn unique(name: &'static str, keys: KeysOf<R, K>) -> Self {
        Self {
            name,
            unique: true,
            keys,
            fields: &[],
            #[cfg(feature = "planning")]
            serves: None,
            table: PhantomData,
        }
    }

    /// Declares an index in which any number of rows may share a key.
    pub const fn non_unique(name: &'static str, keys: KeysOf<R, K>) -> Self {
        Self {
            name,
            unique: false,
            keys,
            fields: &[],
            #[cfg(feature = "planning")]
            serves: None,
            table: PhantomData,
        }
    }

    /// Sets the names of the fields that the keys consist of, for errors about a key. A derived index has them.
    #[must_use]
    pub const fn on_fields(mut self, fields: &'static [&'static str]) -> Self {
        self.fields = fields;
        self
    }

    /// Declares that the first part of the keys is the field that filters select by `selector`, so that
    /// [`crate::plan`] may use the index for conditions on it.
    ///
    /// [`Schema::table`] checks that filters on the rows know the selector, and that keys of this shape can
    /// hold its values. The rest is a contract: a row whose field has the value `v`, or whose list has an
    /// element `v`, MUST have a key that starts with `v`. An index that omits some of these rows MUST NOT serve
    /// the selector.
    ///
    /// After [`Table::INDEX`] the compiler infers the row type; after [`Index::non_unique`] the closure needs
    /// it: `|node: &Node, keys| ..`.
    #[cfg(feature = "planning")]
    #[must_use]
    pub const fn serves(mut self, selector: &'static str) -> Self
    where
        R: Filterable,
    {
        self.serves = Some(Serves::rows(selector, R::KIND));
        self
    }

    /// Declares that the index serves conditions that a program states under `name` with
    /// [`Conjunct::new`](statehold_filter::Conjunct::new): for values that no field of the row has, such as a
    /// name in lower case.
    ///
    /// `name` is not looked up in the row's fields. The schema checks that keys can hold values of `kind`.
    #[cfg(feature = "planning")]
    #[must_use]
    pub const fn serves_stated(mut self, name: &'static str, kind: Kind) -> Self {
        self.serves = Some(Serves::stated(name, kind));
        self
    }

    pub(crate) fn is_unique(&self) -> bool {
        self.unique
    }

    /// Returns the index's name, unique in its table.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl<T: Table, K: Key> fmt::Debug for Index<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("table", &T::NAME)
            .field("name", &self.name)
            .field("unique", &self.unique)
            .finish_non_exhaustive()
    }
}

/// Collects the keys of one row in one index.
pub struct Keys<'a, K> {
    out: &'a mut Vec<KeyBuf>,
    shape: PhantomData<fn(K)>,
}

impl<K: Key> Keys<'_, K> {
    /// Adds a key of the row.
    pub fn add(&mut self, key: impl PartOf<K>) {
        let mut buf = KeyBuf::default();
        key.append(&mut buf);
        self.out.push(buf);
    }
}

impl<K> fmt::Debug for Keys<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.out).finish()
    }
}

/// The secondary indexes of a table, in the order in which they were added.
pub struct IndexSet<T: Table> {
    pub(crate) defs: Vec<IndexDef<T::Row>>,
    /// The first error in the declarations.
    fault: Option<SchemaError>,
}

impl<T: Table> IndexSet<T> {
    pub(crate) fn of() -> Result<Self, SchemaError> {
        let mut set = Self { defs: Vec::new(), fault: None };
        T::indexes(&mut set);
        match set.fault.take() {
            None => Ok(set),
            Some(fault) => Err(fault),
        }
    }

    /// Adds an index.
    ///
    /// A second index with the same name, and one that serves a selector it cannot, are errors of
    /// [`Schema::try_table`].
    pub fn add<K: Key>(&mut self, index: &Index<T, K>) -> &mut Self {
        if let Err(fault) = self.check(index) {
            // Kept for `Schema::try_table`: the declaration itself has no result to return it in.
            self.fault.get_or_insert(fault);
            return self;
        }
        let keys = index.keys;
        self.defs.push(IndexDef {
            name: index.name,
            unique: index.unique,
            fields: index.fields,
            #[cfg(feature = "planning")]
            selector: index.serves.map(|serves| serves.selector),
            #[cfg(feature = "planning")]
            span_of: span_of::<K>,
            describe: printed::<K>,
            keys: Box::new(move |row, out| keys(row, &mut Keys { out, shape: PhantomData })),
        });
        self
    }

    fn check<K: Key>(&self, index: &Index<T, K>) -> Result<(), SchemaError> {
        if self.defs.iter().any(|def| def.name == index.name) {
            return Err(SchemaError::IndexTwice { table: T::NAME, index: index.name });
        }
        #[cfg(feature = "planning")]
        index.serves.map_or(Ok(()), |serves| serves.check::<K>(T::NAME, index.name))?;
        Ok(())
    }
}

impl<T: Table> fmt::Debug for IndexSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.defs.iter().map(|def| def.name)).finish()
    }
}

/// Returns the ranges of keys of the shape `K` that a condition on their first part allows.
#[cfg(feature = "planning")]
fn span_of<K: Key>(sarg: &Sarg) -> Option<Vec<Span>> {
    let encoded = |constant: &Constant| {
        let mut key = KeyBuf::default();
        K::encode_constant(constant, &mut key).then_some(key)
    };
    let point = |constant: &Constant| encoded(constant).map(|key| Span::prefix(key.as_slice()));
    let end = |bound: &Bound<Constant>| {
        Some(match bound {
            Bound::Included(constant) => Bound::Included(encoded(constant)?),
            Bound::Excluded(constant) => Bound::Excluded(encoded(constant)?),
            Bound::Unbounded => Bound::Unbounded,
        })
    };
    match sarg {
        Sarg::Points(points) => points.iter().map(point).collect(),
        Sarg::Element(element) => point(element).map(|span| vec![span]),
        Sarg::Prefix(prefix) => K::text_prefix(prefix).map(|range| vec![range.0]),
        // Keys in another order than the filter's have matching values anywhere in the index.
        Sarg::Range { .. } if !K::orders_as_filters() => None,
        Sarg::Range { low, high } => {
            let (low, high) = (end(low)?, end(high)?);
            // A descending part stores the greatest value first, so the ends swap.
            let (from, to) = if K::is_descending() { (high, low) } else { (low, high) };
            Some(vec![Span::between(from, to)])
        }
        _ => None,
    }
}

type ErasedKeysOf<R> = dyn Fn(&R, &mut Vec<KeyBuf>) + Send + Sync;

/// An index without its key shape.
pub(crate) struct IndexDef<R> {
    pub(crate) name: &'static str,
    pub(crate) unique: bool,
    /// The fields that the keys consist of; empty where the index does not declare them.
    pub(crate) fields: &'static [&'static str],
    /// The selector of filter expressions that the first part of the keys serves.
    #[cfg(feature = "planning")]
    pub(crate) selector: Option<&'static str>,
    /// Returns the ranges that hold every key allowed by a condition; `None` if the index cannot narrow it.
    #[cfg(feature = "planning")]
    pub(crate) span_of: fn(&Sarg) -> Option<Vec<Span>>,
    /// Prints a key for errors.
    pub(crate) describe: fn(&[u8]) -> Box<str>,
    keys: Box<ErasedKeysOf<R>>,
}

impl<R> IndexDef<R> {
    /// Returns the index key in a tree key of the row with the primary key `primary`, for errors.
    pub(crate) fn printed(&self, key: &KeyBytes, primary: &KeyBytes) -> Box<str> {
        let key = key.as_slice();
        // Users know the index key alone; the primary key after it is an implementation detail.
        let own = key.len().saturating_sub(if self.unique { 0 } else { primary.as_slice().len() });
        (self.describe)(&key[..own])
    }

    /// Returns the tree keys of a row: in a non-unique index each ends with the primary key.
    pub(crate) fn tree_keys(&self, row: &R, primary: &[u8]) -> Vec<KeyBytes> {
        let mut keys = Vec::new();
        (self.keys)(row, &mut keys);
        // A row that adds a key twice has one entry, so that counts and scans see it once.
        if keys.len() > 1 {
            keys.sort_unstable_by(|a, b| a.as_slice().cmp(b.as_slice()));
            keys.dedup_by(|a, b| a.as_slice() == b.as_slice());
        }
        keys.into_iter()
            .map(|mut key| {
                if !self.unique {
                    // Makes keys distinct, and orders rows with equal index keys.
                    key.push(primary);
                }
                key.finish()
            })
            .collect()
    }
}

/// A stored row with its stamps. Dereferences to the row.
///
/// Cloning shares the row. A row never changes: a write replaces it.
pub struct Entry<R>(Arc<Record<R>>);

struct Record<R> {
    create_index: u64,
    modify_index: u64,
    row: R,
}

impl<R> Entry<R> {
    pub(crate) fn new(row: R, create_index: u64, modify_index: u64) -> Self {
        Self(Arc::new(Record { create_index, modify_index, row }))
    }

    /// Returns the index of the commit that created the row; later versions of the row keep it.
    pub fn create_index(&self) -> u64 {
        self.0.create_index
    }

    /// Returns the index of the commit that wrote this version of the row.
    pub fn modify_index(&self) -> u64 {
        self.0.modify_index
    }
}

impl<R> Deref for Entry<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.0.row
    }
}

impl<R> Clone for Entry<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: fmt::Debug> fmt::Debug for Entry<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("create_index", &self.0.create_index)
            .field("modify_index", &self.0.modify_index)
            .field("row", &self.0.row)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Index<Twice, String> =
        Index::non_unique("name", |name: &String, keys| keys.add(name));
    const OTHER: Index<Twice, u64> = Index::non_unique("name", |_, keys| keys.add(7));

    struct Twice;

    impl Table for Twice {
        const NAME: &'static str = "twice";
        const VERSION: u16 = 1;
        type Key = String;
        type Row = String;

        fn key(row: &String) -> &str {
            row
        }

        fn indexes(set: &mut IndexSet<Self>) {
            set.add(&ONE).add(&OTHER);
        }
    }

    #[test]
    #[should_panic(expected = "has the index \"name\" twice")]
    fn two_indexes_of_one_name_are_refused() {
        let _ = Schema::new().table::<Twice>();
    }
}
