//! A state store and a filter language for control planes.
//!
//! An orchestrator, a scheduler or a storage manager holds a few gigabytes of state that many clients list, filter and
//! wait for. Statehold is that part as a library: typed tables with indexes in memory, durable transactions with one
//! index for each commit, blocking queries, and the filter expressions of Consul's and Nomad's list endpoints.
//!
//! # A table and a transaction
//!
//! One struct declares a table, its indexes, and the fields that filters may select.
//!
//! ```
//! # #[cfg(feature = "planning")] {
//! use serde::{Deserialize, Serialize};
//! use statehold::filter::Filterable;
//! use statehold::store::{Order, ReadView, Store, Table};
//!
//! #[derive(Clone, Debug, Serialize, Deserialize, Table, Filterable)]
//! #[table(name = "machines", crate = statehold::store)]
//! #[filterable(crate = statehold::filter)]
//! struct Machine {
//!     #[table(key)]
//!     name: String,
//!     #[table(index(serves = "pool"))]
//!     pool: String,
//!     #[filterable(unit = "bytes")]
//!     memory: u64,
//! }
//!
//! # let dir = tempfile::tempdir()?;
//! let store = Store::open(dir.path(), &Machine::schema())?;
//! let before = store.snapshot();
//!
//! let mut txn = store.begin_write()?;
//! txn.put(Machine { name: "a".into(), pool: "blue".into(), memory: 64 << 30 })?;
//! txn.put(Machine { name: "b".into(), pool: "red".into(), memory: 16 << 30 })?;
//! let index = txn.commit()?; // on disk from here on
//!
//! let view = store.snapshot();
//! let blue = view.find(&Machine::BY_POOL, "blue").ok_or("no machine")?;
//! assert_eq!((&*blue.name, blue.modify_index()), ("a", index));
//! assert_eq!(Machine::BY_KEY.count(&before), 0); // a snapshot never changes
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A blocking query
//!
//! A client repeats a query with the index of its last result, and waits until a commit changes the data that the query
//! reads. The store records those keys while the query runs, so that no watch can be forgotten, and commits of other
//! rows wake no query.
//!
//! ```
//! # #[cfg(feature = "store")] {
//! # use serde::{Deserialize, Serialize};
//! # use statehold::store::{Order, ReadView, Store, Table};
//! # #[derive(Serialize, Deserialize, Table)]
//! # #[table(name = "machines", crate = statehold::store)]
//! # struct Machine { #[table(key)] name: String, #[table(index)] pool: String }
//! use std::time::{Duration, Instant};
//!
//! let store = Store::in_memory(&Machine::schema());
//! let mut txn = store.begin_write()?;
//! txn.put(Machine { name: "a".into(), pool: "red".into() })?;
//! let index = txn.commit()?;
//!
//! std::thread::scope(|threads| {
//!     let waiter = threads.spawn(|| {
//!         let deadline = Instant::now() + Duration::from_secs(10);
//!         let blue = Machine::BY_POOL.exact("blue");
//!         store.blocking(index, deadline, |view| {
//!             view.scan_by(&Machine::BY_POOL, &blue, Order::Ascending).count()
//!         })
//!     });
//!     let mut txn = store.begin_write()?;
//!     txn.put(Machine { name: "b".into(), pool: "blue".into() })?;
//!     let committed = txn.commit()?;
//!
//!     let result = waiter.join().expect("the query does not panic")?;
//!     assert_eq!((result.value, result.index), (1, committed));
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! })?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A filter from a client
//!
//! The text is checked against the fields of the row type before a row is read. Its errors point at the mistake. The
//! planner finds the conjuncts that an index can serve.
//!
//! ```
//! # #[cfg(feature = "planning")] {
//! # use serde::{Deserialize, Serialize};
//! # use statehold::store::{Order, Store, Table};
//! use statehold::filter::{Filter, Filterable};
//!
//! # #[derive(Clone, Debug, Serialize, Deserialize, Table, Filterable)]
//! # #[table(name = "machines", crate = statehold::store)]
//! # #[filterable(crate = statehold::filter)]
//! # struct Machine { #[table(key)] name: String, #[table(index(serves = "pool"))] pool: String }
//! # let store = Store::in_memory(&Machine::schema());
//! # let mut txn = store.begin_write()?;
//! # for at in 0..100 {
//! #     let pool = if at % 10 == 0 { "blue" } else { "red" };
//! #     txn.put(Machine { name: format!("m-{at}"), pool: pool.into() })?;
//! # }
//! # txn.commit()?;
//! let view = store.snapshot(); // 100 machines, 10 of them blue
//! let filter: Filter<Machine> = Filter::compile(r#"pool == blue and name != "m-0""#)?;
//! let all = Machine::BY_KEY.all();
//! let rows = Machine::BY_KEY.plan(&view, &all, Order::Ascending, &filter.conjuncts());
//! assert_eq!(rows.filter(|machine| filter.matches(machine)).count(), 9); // reads 10 rows
//!
//! let error = Filter::<Machine>::compile("pol == blue").unwrap_err();
//! assert!(error.to_string().contains("pool"), "{error}"); // the nearest field
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When not to use it
//!
//! - The state does not fit in memory: all rows and indexes do.
//! - Several processes write the same directory: one process opens it, and the others are its clients.
//! - Queries join, aggregate and order freely: SQL does that.
//!
//! Statehold replicates nothing by itself. Under a replicated log, each replica applies the entries with
//! `begin_write_at` and the index of the log.
//!
//! # Features
//!
//! | feature | default | module |
//! |---|---|---|
//! | `store` | yes | `store`: tables, transactions, snapshots, blocking queries, pagination, change feed, backup |
//! | `filter` | yes | `filter`: parser, checker and evaluator of filter expressions |
//! | `planning` | yes | indexes of the store that serve filters |
//! | `nomad` | no | `nomad`: Nomad's CSI and host volumes, claims, plugins and nodes as a domain |
//! | `cinder` | no | `cinder`: volumes, snapshots, backups, groups and quotas of OpenStack Block Storage as a domain |

#[cfg(feature = "cinder")]
pub use statehold_cinder as cinder;
#[cfg(feature = "filter")]
pub use statehold_filter as filter;
#[cfg(feature = "nomad")]
pub use statehold_nomad as nomad;
#[cfg(feature = "store")]
pub use statehold_store as store;

/// The examples of the README, compiled.
#[cfg(all(doctest, feature = "planning"))]
#[doc = include_str!("../README.md")]
pub struct Readme;

#[cfg(all(doctest, feature = "planning"))]
mod book;
