//! The tables of a store, and the treatment of other tables in its files.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::erased_table::ErasedTable;
use crate::error::SchemaError;
use crate::kept::KeptState;
use crate::shape::Shape;
use crate::table::{IndexSet, Table};
use crate::table_state::TableState;

/// The tables of a store.
///
/// Files or a backup may hold rows of a table that the schema does not declare, from an older or a newer build.
/// The open or restore fails with the table's name, unless the schema covers it with [`Schema::keep`],
/// [`Schema::keep_unknown`] or [`Schema::drop_table`].
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use statehold_store::{Store, Table};
/// #[derive(Serialize, Deserialize, Table)]
/// #[table(name = "nodes")]
/// struct Node { #[table(key)] name: String }
///
/// #[derive(Serialize, Deserialize, Table)]
/// #[table(name = "volumes")]
/// struct Volume { #[table(key)] id: String }
///
/// let store = Store::in_memory(&Node::schema().and(Volume::schema()));
/// ```
#[derive(Clone, Default)]
pub struct Schema {
    pub(crate) tables: Vec<TableDef>,
    /// Tables whose rows are deleted.
    dropped: Vec<&'static str>,
    /// Whether undeclared tables are kept.
    keep_unknown: bool,
}

/// One table of a schema: its name and its state without rows.
#[derive(Clone)]
pub(crate) struct TableDef {
    pub(crate) name: &'static str,
    /// The version of its rows; 0 for a table that is kept as bytes.
    pub(crate) version: u16,
    /// The shape of its rows; `None` for a table that is kept as bytes.
    pub(crate) shape: Option<Arc<Shape>>,
    /// The type that declares the table; `None` for a table that is kept as bytes.
    pub(crate) row_table: Option<TypeId>,
    pub(crate) empty: Arc<dyn ErasedTable>,
}

impl Schema {
    /// Creates a schema without tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a table.
    ///
    /// # Panics
    /// If [`Schema::try_table`] returns an error: a wrong declaration is a programming error.
    #[must_use]
    pub fn table<T: Table>(self) -> Self {
        self.try_table::<T>().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Adds a table, or returns the error in its declaration.
    ///
    /// Runs the row type's `Deserialize` on dummy values to find which values it reads, once for each type in a
    /// process: microseconds for most types, some milliseconds for those that validate values.
    ///
    /// # Errors
    /// [`SchemaError`], for example for two tables of one name, for an index that
    /// [`serves`](crate::Index::serves) a selector its keys cannot hold, or for rows that can never be read
    /// back.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use statehold_store::{Schema, Table};
    /// #[derive(Serialize, Deserialize)]
    /// struct Plugin {
    ///     id: String,
    ///     config: serde_json::Value,
    /// }
    /// # impl Table for Plugin {
    /// #     const NAME: &'static str = "plugins";
    /// #     const VERSION: u16 = 1;
    /// #     type Key = String;
    /// #     type Row = Self;
    /// #     fn key(row: &Self) -> &str { &row.id }
    /// # }
    /// let error = Schema::new().try_table::<Plugin>().unwrap_err();
    /// assert!(error.to_string().starts_with("table plugins: the field `config` can't be read back"));
    /// ```
    pub fn try_table<T: Table>(mut self) -> Result<Self, SchemaError> {
        // Compared by type as well as by name: the slot of a table is found by its type.
        let row_table = Some(TypeId::of::<T>());
        if self.has(T::NAME, row_table) {
            return Err(SchemaError::TableTwice { table: T::NAME });
        }
        // Fails here, at the start of the program, instead of at the first write.
        let shape = Shape::of::<T::Row>().map_err(|unreadable| unreadable.of_table(T::NAME))?;
        self.tables.push(TableDef {
            name: T::NAME,
            version: T::VERSION,
            shape: Some(Arc::clone(&shape)),
            row_table,
            empty: Arc::new(TableState::<T>::empty(shape, IndexSet::of()?)),
        });
        Ok(self)
    }

    /// Returns the shape of each declared table's rows: names, order and types of all fields and variants.
    ///
    /// A data directory records the shape of each table and version. A schema with another shape for the same
    /// version cannot open it. `docs/format.md` lists the changes that a shape does not show.
    ///
    /// ```
    /// # use statehold_store::Table;
    /// # struct Volumes;
    /// # impl Table for Volumes {
    /// #     const NAME: &'static str = "volumes";
    /// #     const VERSION: u16 = 1;
    /// #     type Key = String;
    /// #     type Row = (String, Option<u64>);
    /// #     fn key(row: &Self::Row) -> &str { &row.0 }
    /// # }
    /// let shapes: Vec<_> = Volumes::schema().shapes().collect();
    /// assert_eq!(shapes[0].table, "volumes");
    /// assert_eq!(shapes[0].text, "1 (string, option<u64>)");
    /// ```
    pub fn shapes(&self) -> impl Iterator<Item = TableShape> + '_ {
        self.tables.iter().filter_map(|def| {
            let text = def.shape.as_ref()?.latest().text();
            Some(TableShape { table: def.name, version: def.version, text })
        })
    }

    /// Keeps the rows of a table for which this build has no type: checkpoints, backups and dumps carry them
    /// unchanged. They cannot be read or written.
    ///
    /// Cost: the rows are in memory as bytes.
    ///
    /// # Panics
    /// See [`Schema::table`].
    ///
    /// ```
    /// # use statehold_store::{Schema, Store};
    /// // A later build brings the table back; this one leaves its rows alone.
    /// let store = Store::in_memory(&Schema::new().keep("drafts"));
    /// assert_eq!(store.report().tables[0].name, "drafts");
    /// ```
    #[must_use]
    pub fn keep(mut self, name: &str) -> Self {
        self.add(kept(name));
        self
    }

    /// Keeps every table that the files have and this schema does not declare, like [`Schema::keep`].
    ///
    /// The set of these tables is fixed when a store is opened. A backup with a further one is rejected;
    /// declare it with [`Schema::keep`].
    #[must_use]
    pub fn keep_unknown(mut self) -> Self {
        self.keep_unknown = true;
        self
    }

    /// Deletes the rows of a table when a store that has them is opened, and leaves the table out when a backup
    /// is restored. The deletion is permanent.
    ///
    /// # Panics
    /// See [`Schema::table`].
    #[must_use]
    pub fn drop_table(mut self, name: &str) -> Self {
        self.check(name, None);
        self.dropped.push(interned(name));
        self
    }

    /// Adds the tables of another schema, and its rules for further ones: one store for several domains.
    ///
    /// # Panics
    /// See [`Schema::table`].
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for def in other.tables {
            self.add(def);
        }
        for name in other.dropped {
            self.check(name, None);
            self.dropped.push(name);
        }
        // One domain that keeps unknown tables is enough: rejecting them would stop the whole store.
        self.keep_unknown |= other.keep_unknown;
        self
    }

    /// Returns whether the schema declares, keeps or drops a table of this name.
    ///
    /// ```
    /// let schema = statehold_store::Schema::new().keep("drafts");
    /// assert!(schema.mentions("drafts") && !schema.mentions("volumes"));
    /// ```
    pub fn mentions(&self, name: &str) -> bool {
        self.has(name, None)
    }

    fn add(&mut self, def: TableDef) {
        self.check(def.name, def.row_table);
        self.tables.push(def);
    }

    fn has(&self, name: &str, row_table: Option<TypeId>) -> bool {
        let same = |def: &TableDef| {
            // Tables kept as bytes have no type, so only their names can collide.
            def.name == name || (row_table.is_some() && def.row_table == row_table)
        };
        self.tables.iter().any(same) || self.drops(name)
    }

    /// Panics if the schema has the table already.
    fn check(&self, name: &str, row_table: Option<TypeId>) {
        assert!(!self.has(name, row_table), "the schema has the table {name:?} twice");
    }

    /// Returns whether the rows of a table are deleted.
    pub(crate) fn drops(&self, name: &str) -> bool {
        self.dropped.contains(&name)
    }

    /// Returns the position of a table.
    pub(crate) fn slot(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|def| def.name == name)
    }

    /// Returns the schema plus the found tables that it keeps. Fails with the name of a table that it neither
    /// declares nor keeps nor drops.
    pub(crate) fn with_found(&self, found: &BTreeSet<String>) -> Result<Self, String> {
        let mut schema = self.clone();
        for name in found {
            match schema.slot(name) {
                Some(_) => {}
                // Its rows are deleted by the open, so it needs no state.
                None if schema.drops(name) => {}
                None if schema.keep_unknown => schema.add(kept(name)),
                None => return Err(name.clone()),
            }
        }
        Ok(schema)
    }
}

/// The shape of a table's rows, returned by [`Schema::shapes`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableShape {
    /// The table's name.
    pub table: &'static str,
    /// The version of the rows that has this shape.
    pub version: u16,
    /// The shape on one line, as data directories record it. `?` is a part of unknown type, and `..` the rest
    /// of a tuple behind a value that accepts no dummy: the first row with such a value completes them.
    pub text: String,
}

fn kept(name: &str) -> TableDef {
    let name = interned(name);
    let empty = Arc::new(KeptState::empty(name));
    TableDef { name, version: 0, shape: None, row_table: None, empty }
}

/// Returns the name with a static lifetime, because tables are named by constants everywhere else. Each
/// distinct name is leaked once, no matter how often stores are opened.
fn interned(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock();
    // Leaked names are shared, so that repeated opens do not grow the memory.
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = Box::leak(name.into());
    names.insert(name);
    name
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.tables.iter().map(|def| def.name)).finish()
    }
}
