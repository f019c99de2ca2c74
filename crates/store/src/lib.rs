//! An embedded, durable, indexed, watchable state store for control planes.
//!
//! All rows and indexes are in memory, in copy-on-write trees. Every commit is on disk before it is
//! acknowledged, and gets an index greater than all before it. The design assumes that a control plane's state
//! fits in memory: a read is then a tree descent, and a snapshot costs a pointer.
//!
//! - [`Table`] declares rows, primary key and secondary [`Index`]es: unique, non-unique, compound (tuples),
//!   multi-valued, partial, and searchable by [`HexPrefix`]. Derive it with [`macro@Table`] on the row's struct
//!   as below, or implement it by hand.
//! - [`Store::snapshot`] reads, [`Store::begin_write`] writes; [`ReadView`] is the common read interface.
//!   [`WriteTxn::commit_async`] waits for the disk without a thread; [`Durability`] decides whether to wait.
//! - [`WriteTxn::put`] takes a row, [`PrimaryKey`] (as [`Table::BY_KEY`]) reads and writes by the primary key,
//!   and an [`Index`] (as `Node::BY_POOL`) is passed to the view. All of them infer the table.
//! - [`Store::blocking`] returns once the data that a query read has changed, [`Store::blocking_changed`] once
//!   its result has.
//! - [`PageToken`] resumes a listing with a seek.
//!
//! The feature `planning` adds indexes that serve filters (`Index::serves`) and `plan`, and with them the
//! dependency on the filter language. The crate `statehold` enables it; this crate does not by default.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use statehold_store::{Order, ReadView, Store, Table};
//!
//! #[derive(Clone, Serialize, Deserialize, Table)]
//! #[table(name = "nodes")]
//! struct Node {
//!     #[table(key)]
//!     id: uuid::Uuid,
//!     #[table(index)]
//!     pool: String,
//! }
//!
//! # let dir = tempfile::tempdir()?;
//! let store = Store::open(dir.path(), &Node::schema())?;
//! let before = store.snapshot();
//!
//! let id = "a8198d79-cfdb-6593-a999-1e9adabcba2e".parse()?;
//! let mut txn = store.begin_write()?;
//! txn.put(Node { id, pool: "cpu".into() })?;
//! Node::BY_KEY.update(&mut txn, id, |node| node.pool = "gpu".into())?;
//! let index = txn.commit()?; // on disk from here on
//!
//! let now = store.snapshot();
//! assert_eq!(now.find(&Node::BY_POOL, "gpu").map(|node| node.modify_index()), Some(index));
//! let by_digits = Node::BY_KEY.hex(&"a81".parse()?);
//! assert_eq!(Node::BY_KEY.scan(&now, &by_digits, Order::Ascending).count(), 1);
//! assert!(Node::BY_KEY.get(&before, id).is_none()); // a snapshot never changes
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backup;
mod blocking;
mod catalog;
mod change;
mod codec;
mod commit;
mod conflicts;
mod deferred;
mod durable;
mod erased_table;
mod error;
mod feed;
mod fork;
mod hex;
mod import;
mod json_row;
mod kept;
mod key;
mod key_part;
mod load;
mod observer;
mod ops;
mod options;
mod order;
mod page;
#[cfg(feature = "planning")]
mod plan;
#[cfg(feature = "planning")]
mod planned;
mod primary;
mod range;
mod reclaim;
mod root;
mod salvage;
mod scan;
mod schema;
#[cfg(feature = "planning")]
mod serves;
mod shape;
mod signal;
mod snapshot;
mod store;
mod sync;
mod table;
mod table_state;
mod tail;
mod tree;
mod txn;
mod typed;
mod view;
mod watch;
mod writer;

pub use backup::{Progress, Report, RestoreError, RestoreOptions, Step, TableReport};
pub use blocking::{Attempt, QueryResult, jittered};
pub use catalog::{Catalog, IndexInfo, JsonPage, TableView};
pub use codec::OldRow;
pub use commit::CommitFuture;
pub use error::{
    BeginError, CatalogError, CloseError, CommitError, Expect, FeedError, OpenError, RecordError,
    ReopenError, RowError, SchemaError, WatchError, WriteError,
};
pub use feed::{ChangedRow, Commit, Feed};
pub use fork::{Transition, Transitions};
pub use hex::{HEX_DIGITS_MAX, HYPHENS_MAX, HexPrefix, HexPrefixError};
#[cfg(feature = "planning")]
pub use key::TextPrefix;
pub use key::{
    Count, Desc, EnumKey, EnumVariant, KEY_LEN_MAX, Key, KeyBuf, KeyPrefix, Missing, PartOf, Ref,
};
pub use key_part::{KeyPart, folded};
pub use observer::{Batch, Checkpointed, Committed, Observer};
pub use ops::{Expired, Expiry};
pub use options::{
    Durability, HISTORY_BYTES_DEFAULT, HISTORY_DEFAULT, Options, PARKED_MAX_DEFAULT, UNFLUSHED_MAX,
};
pub use order::Order;
pub use page::{PAGE_SCANNED_MAX, Page, PageToken, TokenError, paginate, paginate_matching};
#[cfg(feature = "planning")]
pub use plan::{PLANNED_ROWS_MAX, Plan, RejectReason, Rejected, plan, plan_within};
pub use primary::PrimaryKey;
pub use range::KeyRange;
pub use salvage::UnreadableRow;
pub use scan::{Keyed, KeyedScan, Scan};
pub use schema::{Schema, TableShape};
pub use snapshot::{Snapshot, Tracked};
/// ```
/// use serde::{Deserialize, Serialize};
/// use statehold_filter::{Filter, Filterable};
/// use statehold_store::{KeyPart, Order, ReadView, Store, Table};
///
/// #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Filterable, KeyPart)]
/// #[serde(rename_all = "lowercase")]
/// enum Status {
///     Creating = 10,
///     Ready = 20,
/// }
///
/// #[derive(Serialize, Deserialize, KeyPart)]
/// struct VolumeId(uuid::Uuid);
///
/// #[derive(Serialize, Deserialize, Filterable, Table)]
/// #[table(name = "volumes")]
/// struct Volume {
///     #[filterable(skip)]
///     #[table(key)]
///     id: VolumeId,
///     #[table(index(serves = "status"))]
///     status: Status,
/// }
///
/// let store = Store::in_memory(&Volume::schema());
/// let mut txn = store.begin_write()?;
/// for (at, status) in [(1, Status::Ready), (2, Status::Creating)] {
///     txn.put(Volume { id: VolumeId(uuid::Uuid::from_u128(at)), status })?;
/// }
/// let id = uuid::Uuid::from_u128(1);
/// assert_eq!(Volume::BY_KEY.get(&txn, id).map(|volume| volume.status), Some(Status::Ready));
/// let ready = Volume::BY_STATUS.exact(Status::Ready);
/// assert_eq!(txn.scan_by(&Volume::BY_STATUS, &ready, Order::Ascending).count(), 1);
///
/// // A filter uses the names; the planner maps them to the variants.
/// let filter: Filter<Volume> = Filter::compile("status == ready")?;
/// let all = Volume::BY_KEY.all();
/// let plan = Volume::BY_KEY.plan(&txn, &all, Order::Ascending, &filter.conjuncts());
/// assert_eq!(plan.index(), Some("status"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub use statehold_derive::KeyPart;
/// ```
/// use serde::{Deserialize, Serialize};
/// use statehold_filter::Filterable;
/// use statehold_store::{OldRow, Order, ReadView, RowError, Store, Table, folded};
///
/// #[derive(Debug, Serialize, Deserialize, Filterable, Table)]
/// #[table(name = "volumes", version = 2, migrate = Volume::from_old, key(namespace, id))]
/// #[table(index(name = "plugin_size", on(plugin, desc(size))))]
/// struct Volume {
///     namespace: String,
///     #[table(index(fold))]
///     id: String,
///     plugin: String,
///     #[table(unique(some))]
///     external: Option<String>,
///     #[table(index(name = "node", each, serves = "nodes"))]
///     nodes: Vec<uuid::Uuid>,
///     size: u64,
/// }
///
/// impl Volume {
///     /// The size came with version 2. A migration may change key fields too, and one that
///     /// returns `Result<Option<Self>, RowError>` may drop rows: see `Table::migrate_row`.
///     fn from_old(old: OldRow<'_>) -> Result<Self, RowError> {
///         let (namespace, id, plugin, external, nodes) = old.read()?;
///         Ok(Self { namespace, id, plugin, external, nodes, size: 0 })
///     }
/// }
///
/// let store = Store::in_memory(&Volume::schema());
/// let mut txn = store.begin_write()?;
/// txn.put(Volume {
///     namespace: "default".into(),
///     id: "Web-1".into(),
///     plugin: "ebs".into(),
///     external: None,
///     nodes: vec![],
///     size: 10,
/// })?;
/// assert!(Volume::BY_KEY.get(&txn, ("default", "Web-1")).is_some());
/// assert!(txn.find(&Volume::BY_ID, &folded("WEB-1")).is_some());
/// let of_plugin = Volume::BY_PLUGIN_SIZE.starting_with("ebs"); // the largest first
/// assert_eq!(txn.scan_by(&Volume::BY_PLUGIN_SIZE, &of_plugin, Order::Ascending).count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub use statehold_derive::Table;
pub use store::Store;
pub use table::{Entry, Index, IndexOf, IndexSet, IntoMigrated, Keys, Table};
pub use tail::Changes;
pub use txn::WriteTxn;
pub use typed::TableRow;
pub use view::ReadView;
pub use watch::Parked;

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
