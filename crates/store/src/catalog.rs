//! Tables by name, with rows as JSON: for consoles, generic endpoints and other code compiled without the row
//! types.

use std::fmt;

use serde::Serialize;

use crate::error::CatalogError;
use crate::key::{Key, KeyBuf, KeyBytes};
use crate::order::Order;
use crate::page::PageToken;
use crate::range::Span;
use crate::root::TreeId;
use crate::table::{Entry, Table};
use crate::table_state::TableState;
use crate::tree::OrdIndex;
use crate::view::{ReadView, sealed};

/// Read access to all tables by name, as of one commit. Every [`ReadView`] implements it.
///
/// It is also the trait object of views: `dyn Catalog` implements [`ReadView`], so that a function over `&dyn
/// Catalog` can read typed rows without being generic. `dyn ReadView` is not possible, because its methods are
/// generic over the table.
///
/// ```
/// use statehold_store::{Catalog, CatalogError};
/// # use statehold_store::{Store, Table};
/// # #[derive(serde::Serialize, serde::Deserialize, Table)]
/// # #[table(name = "names")]
/// # struct Name { #[table(key)] name: String }
/// fn show(catalog: &dyn Catalog, table: &str, key: &str) -> Result<Option<String>, CatalogError> {
///     catalog.table(table)?.get_json(key)
/// }
///
/// # let store = Store::in_memory(&Name::schema());
/// # let mut txn = store.begin_write()?;
/// txn.put(Name { name: "web".into() })?;
/// # txn.commit()?;
/// let row = show(&store.snapshot(), "names", "web")?;
/// assert_eq!(
///     row.as_deref(),
///     Some(r#"{"key":"web","create_index":2,"modify_index":2,"row":{"name":"web"}}"#),
/// );
/// assert!(show(&store.snapshot(), "nodes", "web").is_err());
///
/// fn has(catalog: &dyn Catalog, name: &str) -> bool {
///     Name::BY_KEY.contains(catalog, name)
/// }
/// assert!(has(&store.tracked(), "web"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Catalog: sealed::Reader {
    /// Returns the tables in schema order. Omits tables that the schema keeps as bytes, because their rows have
    /// no type.
    fn tables(&self) -> Vec<TableView<'_>>;

    /// Returns the table of this name.
    ///
    /// # Errors
    /// [`CatalogError::UnknownTable`].
    fn table(&self, name: &str) -> Result<TableView<'_>, CatalogError>;
}

impl<V: ReadView> Catalog for V {
    fn tables(&self) -> Vec<TableView<'_>> {
        let tables = self.root().tables.iter().enumerate();
        tables
            .filter_map(|(slot, table)| {
                Some(TableView { slot, table: table.as_catalog()?, view: self })
            })
            .collect()
    }

    fn table(&self, name: &str) -> Result<TableView<'_>, CatalogError> {
        let found = self.tables().into_iter().find(|table| table.name() == name);
        found.ok_or_else(|| CatalogError::UnknownTable { name: name.into() })
    }
}

// The blanket implementation above covers only sized types, so the trait object needs its own.
impl ReadView for dyn Catalog + '_ {}

/// One table of a [`Catalog`]. A [`crate::Tracked`] view tracks reads through it.
#[derive(Clone, Copy)]
pub struct TableView<'v> {
    slot: usize,
    table: &'v dyn CatalogTable,
    view: &'v dyn sealed::Reader,
}

/// A secondary index, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexInfo {
    /// The name of the index.
    pub name: &'static str,
    /// Whether no two rows may have the same key.
    pub unique: bool,
    /// The number of entries: a row counts once for each key.
    pub entries: usize,
}

/// A page of rows as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonPage {
    /// The rows, each a JSON object `{"key":…,"create_index":N,"modify_index":N,"row":…}`.
    pub rows: Vec<String>,
    /// The token of the next page; `None` on the last page.
    pub next: Option<PageToken>,
}

impl TableView<'_> {
    /// Returns the name of the table.
    pub fn name(&self) -> &'static str {
        self.table.info().0
    }

    /// Returns the version of its rows.
    pub fn version(&self) -> u16 {
        self.table.info().1
    }

    /// Returns the number of its rows.
    pub fn rows(&self) -> usize {
        // A row count changes with any insert or delete of the table.
        self.view.track(self.tree_id(), &Span::all());
        self.table.info().2
    }

    /// Returns its secondary indexes, in declaration order.
    pub fn indexes(&self) -> Vec<IndexInfo> {
        self.view.track(self.tree_id(), &Span::all());
        self.table.indexes()
    }

    /// Returns the row with a primary key, as a JSON object
    /// `{"key":…,"create_index":N,"modify_index":N,"row":…}`.
    ///
    /// The key is given as JSON, a compound key as an array: `["default","web"]`. A string may be given without
    /// quotes.
    ///
    /// # Errors
    /// [`CatalogError::Key`] if `key` is not a key of the table, [`CatalogError::Row`] if the row has no JSON
    /// form.
    pub fn get_json(&self, key: &str) -> Result<Option<String>, CatalogError> {
        let encoded = self
            .table
            .encode(key)
            .ok_or_else(|| CatalogError::Key { table: self.name(), key: key.into() })?;
        self.view.track_key(self.tree_id(), encoded.as_slice());
        self.table.row(encoded.as_slice())
    }

    /// Returns up to `limit` rows in primary-key order, from the row of a page token on.
    ///
    /// # Errors
    /// [`CatalogError::Token`], or [`CatalogError::Row`] if a row has no JSON form.
    pub fn list_json(&self, token: Option<&str>, limit: usize) -> Result<JsonPage, CatalogError> {
        // The zero byte keeps these names apart from any listing of the program.
        let listing = format!("catalog\0{}", self.name());
        let mut span = Span::all();
        if let Some(token) = token {
            let from = PageToken::parse_bytes(&listing, token).map_err(CatalogError::Token)?;
            span.lo = KeyBytes::from_slice(&from);
        }
        self.view.track(self.tree_id(), &span);
        let (rows, next) = self.table.page(&span, limit)?;
        let next = next.map(|key| PageToken::of_bytes(&listing, key.as_slice()));
        Ok(JsonPage { rows, next })
    }

    fn tree_id(&self) -> TreeId {
        TreeId { table: self.slot, index: 0 }
    }
}

impl fmt::Debug for TableView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TableView").field(&self.name()).finish()
    }
}

/// The table operations of a catalog that need no row type.
pub(crate) trait CatalogTable {
    /// Returns the name, the version and the number of rows.
    fn info(&self) -> (&'static str, u16, usize);
    fn indexes(&self) -> Vec<IndexInfo>;
    /// Encodes a primary key given as JSON.
    fn encode(&self, key: &str) -> Option<KeyBytes>;
    fn row(&self, key: &[u8]) -> Result<Option<String>, CatalogError>;
    /// Returns rows of a range, and the key of the row after them.
    fn page(
        &self,
        span: &Span,
        limit: usize,
    ) -> Result<(Vec<String>, Option<KeyBytes>), CatalogError>;
}

impl<T: Table> CatalogTable for TableState<T> {
    fn info(&self) -> (&'static str, u16, usize) {
        (T::NAME, T::VERSION, self.primary.len())
    }

    fn indexes(&self) -> Vec<IndexInfo> {
        let indexes = self.defs.iter().zip(&self.secondary).map(|(def, tree)| IndexInfo {
            name: def.name,
            unique: def.unique,
            entries: tree.len(),
        });
        indexes.collect()
    }

    fn encode(&self, key: &str) -> Option<KeyBytes> {
        // Fall back to a string: users type bare words, which are not JSON.
        let json = serde_json::from_str(key).ok();
        let owned = json.and_then(|json| T::Key::from_json(&json));
        let owned = owned.or_else(|| T::Key::from_json(&key.into()))?;
        Some(KeyBuf::of::<T::Key>(owned.borrowed()).finish())
    }

    fn row(&self, key: &[u8]) -> Result<Option<String>, CatalogError> {
        self.primary.get(key).map(json::<T>).transpose()
    }

    fn page(
        &self,
        span: &Span,
        limit: usize,
    ) -> Result<(Vec<String>, Option<KeyBytes>), CatalogError> {
        let mut entries = crate::scan::Entries::new(&self.primary, span, Order::Ascending);
        let mut rows = Vec::new();
        while let Some((key, entry)) = entries.next() {
            // The row after the page is read for its key, which begins the next page.
            if rows.len() >= limit {
                return Ok((rows, Some(key.clone())));
            }
            rows.push(json::<T>(entry)?);
        }
        Ok((rows, None))
    }
}

fn json<T: Table>(entry: &Entry<T::Row>) -> Result<String, CatalogError> {
    #[derive(Serialize)]
    struct Shown<'a, R> {
        key: Option<serde_json::Value>,
        create_index: u64,
        modify_index: u64,
        row: &'a R,
    }
    let bytes = KeyBuf::of::<T::Key>(T::key(entry));
    let row: &T::Row = entry;
    let shown = Shown {
        key: T::Key::decode(&mut bytes.as_slice()).map(|key| key.to_json()),
        create_index: entry.create_index(),
        modify_index: entry.modify_index(),
        row,
    };
    serde_json::to_string(&shown)
        .map_err(|error| CatalogError::Row { table: T::NAME, reason: error.to_string().into() })
}
