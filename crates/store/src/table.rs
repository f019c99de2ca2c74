//! Tables and their indexes, as types declare them.

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
/// Rows are stored in a binary form that writes fields in their order, without names and kinds.
/// serde's `rename`, `default`, `skip`, `with` and `try_from` are fine. `skip_serializing_if`, `skip_serializing` or
/// `skip_deserializing` alone, `flatten`, `tag`, `untagged`, and types such as `serde_json::Value` can't be
/// read back: [`Schema::table`](crate::Schema::table) refuses types that never can, and
/// [`WriteTxn::upsert`](crate::WriteTxn::upsert) refuses rows that can't, in every build. An API's resource
/// with such attributes is a struct of its own, made from the row.
///
/// Each row is read back before it is stored, and MUST come to the same primary key and the same bytes: a value
/// that its `Deserialize` refuses (`try_from`) or changes (`deserialize_with`) is refused by the write. The
/// check sees only what `Serialize` writes: a `serialize_with` that loses a part of a value, or a `skip`
/// on a field of an index, has the same bytes before and after.
///
/// Changing the fields of a row, or of a type in it, means a new [`Table::VERSION`]. The names, the order and the
/// kinds of fields and variants are recorded for each version, and a store whose recorded ones differ is
/// not opened ([`OpenError::ShapeChanged`](crate::OpenError::ShapeChanged)). A change that leaves all three as
/// they are, as another unit of a number does, is never noticed.
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
/// // A row in many places: one key for each node.
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
    /// The table's name in the files and in errors; unique in a schema.
    const NAME: &'static str;

    /// The version of the row's fields. Rows of an earlier version go through [`Table::migrate`] when
    /// a store is opened, rows of a later one are refused.
    const VERSION: u16;

    /// The shape of the primary key.
    type Key: Key;

    /// The type of the rows. They are immutable once stored.
    type Row: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Names of the fields that the primary key is made of, for errors about a key. `derive(Table)` names them.
    const KEY_FIELDS: &'static [&'static str] = &[];

    /// The primary key of a row.
    fn key(row: &Self::Row) -> Ref<'_, Self::Key>;

    /// Returns the row of this version for one of an earlier version. Its stamps stay. A row that
    /// keeps its key is written in its new form when it is next changed.
    ///
    /// The key MAY change: see [`Table::migrate_row`], which also can drop rows.
    ///
    /// # Errors
    /// By default every earlier version is refused with [`RowError::OlderVersion`].
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

    /// The primary key: makes ranges of it and reads by it, without a type annotation.
    const BY_KEY: PrimaryKey<Self> = PrimaryKey::new();

    /// Declares secondary indexes of this table: see [`IndexOf`].
    const INDEX: IndexOf<Self> = IndexOf(PhantomData);

    /// Returns a schema of this table alone; [`Schema::and`] joins several.
    fn schema() -> Schema {
        Schema::new().table::<Self>()
    }

    /// Does what [`Table::migrate`] does, and may drop the row: `None` deletes it. By default no row
    /// is dropped. Implement one of the two; the store calls this one.
    ///
    /// A migration MUST return the same row for the same bytes at every call, because it runs at every
    /// open until the row is written again. It MAY return a row with another primary key. Such rows
    /// are moved and dropped ones are deleted when a store is opened, all in one durable step, before
    /// the store takes a write; a crash in it leaves the old rows, and the next open repeats it. The
    /// change feed then begins after the last commit, because its older records have the old keys.
    /// A consumer that had read all of them gets no notice: rebuild what was derived from the old keys.
    /// A backup of an earlier version is migrated in the same way when it is restored.
    ///
    /// # Errors
    /// As [`Table::migrate`]. When two rows get one key, the store is not opened
    /// ([`RowError::SameKey`]) and nothing is changed.
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

    /// Declares the secondary indexes; none by default. They live in memory and are built when a
    /// store is opened, so adding or dropping one needs no migration.
    fn indexes(set: &mut IndexSet<Self>) {
        let _ = set;
    }
}

/// The return type of a function that `#[table(migrate = ..)]` names: `Result<Row, RowError>`, or
/// `Result<Option<Row>, RowError>` where `None` drops the row.
pub trait IntoMigrated<R> {
    /// Returns the row, or `None` when it is dropped.
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
/// A row that adds no key is not in the index (a partial index); one that adds several is in it
/// several times (a multi-valued index). One that adds `&name.to_lowercase()` is found in any case by
/// look-ups that do the same (a case-folded index). Rows with equal keys follow in the order of their primary
/// keys. An index whose keys begin with a UUID can be searched by [`crate::KeyRange::hex`].
///
/// [`Table::INDEX`] starts the declaration. The function that adds the keys takes a row and the [`Keys`]; the
/// type of the row follows from the table, that of the keys from the constant's own. `R` is always the
/// table's row type.
pub struct Index<T: Table, K: Key, R = <T as Table>::Row> {
    pub(crate) name: &'static str,
    unique: bool,
    keys: KeysOf<R, K>,
    fields: &'static [&'static str],
    #[cfg(feature = "planning")]
    serves: Option<Serves>,
    table: PhantomData<fn() -> T>,
}

/// Declares secondary indexes of the table `T`, as [`Table::INDEX`]. It names the table, so that the closure
/// needs no type, whatever is chained after it.
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

/// The function that adds a row's keys.
type KeysOf<R, K> = fn(&R, &mut Keys<'_, K>);

// The row type is a parameter, not a projection of the table, because inference of a closure's
// parameter types does not see through a projection.
impl<T: Table<Row = R>, K: Key, R> Index<T, K, R> {
    /// An index in which no two rows may have the same key. A write that would break this fails.
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

    /// An index in which any number of rows may share a key.
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

    /// Names the fields that the keys are made of, for errors about a key. A derived index names them.
    #[must_use]
    pub const fn on_fields(mut self, fields: &'static [&'static str]) -> Self {
        self.fields = fields;
        self
    }

    /// Declares that the first part of the keys is the field which filters select by `selector`, so
    /// that [`crate::plan`] may use the index for conditions on it.
    ///
    /// [`Schema::table`] checks that filters on the rows know the selector, and that keys of this shape
    /// can hold its values. The rest is a promise: a row of whose field the value is `v`, or of whose
    /// list an element is `v`, has a key that starts with `v`. An index that leaves out some of them
    /// MUST NOT serve.
    ///
    /// After [`Table::INDEX`] the compiler knows the type of the row; after [`Index::non_unique`] the closure names
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

    /// Declares that the index answers the conditions which a program states under `name` with
    /// [`Conjunct::new`](statehold_filter::Conjunct::new): for values that no field of the row has,
    /// such as a name in lower case.
    ///
    /// `name` is not looked up in the row's fields; that keys can hold values of `kind` is checked.
    #[cfg(feature = "planning")]
    #[must_use]
    pub const fn serves_stated(mut self, name: &'static str, kind: Kind) -> Self {
        self.serves = Some(Serves::stated(name, kind));
        self
    }

    pub(crate) fn is_unique(&self) -> bool {
        self.unique
    }

    /// The index's name, unique in its table.
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
    /// Adds a key under which the row is found.
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
    /// The first mistake in the declarations.
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
    /// A second index of one name, and one that serves a selector it can't, are errors of
    /// [`Schema::try_table`].
    pub fn add<K: Key>(&mut self, index: &Index<T, K>) -> &mut Self {
        if let Err(fault) = self.check(index) {
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

/// The ranges of keys of the shape `K` that a condition on their first part allows.
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
        // Keys in another order than the filter's have such values anywhere.
        Sarg::Range { .. } if !K::orders_as_filters() => None,
        Sarg::Range { low, high } => {
            let (low, high) = (end(low)?, end(high)?);
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
    /// The fields that the keys are made of; none where the index does not name them.
    pub(crate) fields: &'static [&'static str],
    /// What filter expressions call the first part of the keys.
    #[cfg(feature = "planning")]
    pub(crate) selector: Option<&'static str>,
    /// The ranges that hold every key which a condition allows; `None` when the index can't tell.
    #[cfg(feature = "planning")]
    pub(crate) span_of: fn(&Sarg) -> Option<Vec<Span>>,
    /// A key for errors.
    pub(crate) describe: fn(&[u8]) -> Box<str>,
    keys: Box<ErasedKeysOf<R>>,
}

impl<R> IndexDef<R> {
    /// The key in a tree key of the row with the primary key `primary`, for errors.
    pub(crate) fn printed(&self, key: &KeyBytes, primary: &KeyBytes) -> Box<str> {
        let key = key.as_slice();
        let own = key.len().saturating_sub(if self.unique { 0 } else { primary.as_slice().len() });
        (self.describe)(&key[..own])
    }

    /// The tree keys of a row: in a non-unique index each ends with the primary key.
    pub(crate) fn tree_keys(&self, row: &R, primary: &[u8]) -> Vec<KeyBytes> {
        let mut keys = Vec::new();
        (self.keys)(row, &mut keys);
        // A row that adds a key twice is there once.
        if keys.len() > 1 {
            keys.sort_unstable_by(|a, b| a.as_slice().cmp(b.as_slice()));
            keys.dedup_by(|a, b| a.as_slice() == b.as_slice());
        }
        keys.into_iter()
            .map(|mut key| {
                if !self.unique {
                    key.push(primary);
                }
                key.finish()
            })
            .collect()
    }
}

/// A stored row with the stamps that the store put on it. Dereferences to the row.
///
/// Cloning shares the row; a row never changes, a write puts a new one in its place.
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

    /// The index of the commit that put the row there, an earlier version of it included.
    pub fn create_index(&self) -> u64 {
        self.0.create_index
    }

    /// The index of the commit that wrote this version of the row.
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
    fn a_table_with_two_indexes_of_one_name_is_refused() {
        let _ = Schema::new().table::<Twice>();
    }
}
