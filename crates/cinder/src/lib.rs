//! OpenStack Block Storage (Cinder) as tables and operations on `statehold-store`: API v3,
//! microversions 3.0 to 3.71.
//!
//! - [`Microversion`] is negotiated from a header, [`Caller`] is the sender of a request,
//!   [`policy`] lists the actions that a policy decides, and [`Error`] is every rejection with its
//!   status and body.
//! - Rows: [`Volume`], [`Snapshot`], [`VolumeType`], [`Attachment`] and others; [`schema`] has
//!   their tables.
//! - Operations such as [`create_volume`], [`extend_volume`] and [`create_attachment`] take a write
//!   transaction and a [`Context`]. They check quota, and charge it, in the same transaction.
//! - Work for back ends is queued in the transaction that writes the waiting row: [`next_work`],
//!   [`start_work`], [`finish_work`], and [`resume_work`] after a crash.
//! - [`ListRequest`] and [`list()`] serve every list: pages, orders, filters, and the filter
//!   language.
//! - [`input`] parses bodies, and the views, such as [`VolumeView`], serialise to the bodies that
//!   clients expect.
//!
//! Invariant: no IO, no clock, no randomness: IDs, keys and times are arguments.
//! Invariant: a row in a transitional status has a work item that ends it.
//! Invariant: a project's quota usage equals a recount of its rows.
//! Invariant: totals of volumes and snapshots equal a recount; no request counts rows for them.
//! Invariant: connectors, connections and keys appear in no list, no filter and no `Debug` output.
//!
//! ```
//! use statehold_cinder::*;
//! use statehold_store::{ReadView, Store};
//! use uuid::Uuid;
//!
//! let store = Store::in_memory(&schema());
//! let config = Config::default();
//! let (user, project, role) = ("u".into(), "p".into(), Role::Member);
//! let caller = Caller { user, project, role, ..Caller::default() };
//! let now = 1_795_224_837_605_101_000; // from the caller, like IDs and randomness
//! let cx = Context { config: &config, caller: &caller, version: Microversion::MAX, now, request_id: "req-1" };
//! let id = Uuid::from_u128(1);
//!
//! let mut txn = store.begin_write()?;
//! bootstrap(&mut txn, &config, now, Uuid::from_u128(2))?;
//! let spec = input::volume_spec(br#"{"volume": {"size": 1, "name": "home"}}"#, cx.version)?;
//! create_volume(&mut txn, &cx, id, spec)?;
//! txn.commit()?;
//!
//! // A worker, later.
//! let mut txn = store.begin_write()?;
//! let item = next_work(&txn).cloned().expect("a work item is queued");
//! let item = start_work(&mut txn, now, item.kind, item.target)?.expect("no other worker has started it");
//! place_volume(&mut txn, 5, id, Placement { host: "h@b#p".into(), ..Placement::default() })?;
//! finish_work(&mut txn, &config, now, &item, &Outcome::DONE)?;
//! txn.commit()?;
//!
//! let view = store.snapshot();
//! let query = [("status".into(), "available".into())];
//! let request = ListRequest::parse::<Volume>(&query, &caller, cx.version)?;
//! let found = list::<Volume>(&view, &request, None, |_| true)?;
//! assert_eq!(found.rows[0].name.as_deref(), Some("home"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod caller;
mod config;
mod context;
mod errors;
mod id;
pub mod input;
mod list;
mod ops;
mod python;
mod quota;
mod rows;
mod schema;
mod status_machine;
mod time;
mod totals;
mod version;
mod view;
mod work;

/// Strings by key, sorted: metadata and specs.
pub type Pairs = std::collections::BTreeMap<Box<str>, Box<str>>;

pub use self::{
    access::{
        CONDITION_LEN_MAX, DEPTH_MAX, ENTRIES_MAX, Policy, PolicyError, PolicyErrorKind, STEPS_MAX,
        Source as PolicySource, Target, actions::Rule,
    },
    caller::{Caller, HasOwner, PolicyChecked, Role, policy},
    config::{Config, QuotaDefaults},
    context::{Context, find_backup, find_snapshot, find_volume},
    errors::{
        BackupRefusal, CantAdd, Error, ErrorBody, GroupRefusal, Missing, OverQuota, SchemaError,
        SnapshotRefusal, VersionError, VolumeRefusal,
    },
    id::parse_id,
    list::{
        AllProjects, AllowedFilters, Column, ColumnGetter, ListPage, ListRequest, ListResource,
        PAGE_ROWS_MAX, PageStart, RESOURCE_FILTERS, list, list_types, named_flag, next_query,
        parse_flag, parse_is_public,
    },
    ops::*,
    quota::{
        DEFAULT_CLASS, QuotaSet, RESERVATION_NS, Usage, class_limit, count_usage,
        expire_reservations, quota_limit, quota_resources, quota_usage, reset_quotas,
        set_class_quotas, set_quotas,
    },
    rows::*,
    status_machine::{
        AllowedIn, BACKUP_TRANSITIONS, BackupOperation, GROUP_SNAPSHOT_TRANSITIONS,
        GROUP_TRANSITIONS, GroupOperation, GroupSnapshotOperation, NextStatus,
        SNAPSHOT_TRANSITIONS, SnapshotOperation, TRANSITIONS_MAX, Transition, VOLUME_TRANSITIONS,
        VolumeOperation, Work,
    },
    time::timestamp,
    totals::count_totals,
    version::Microversion,
    view::*,
    work::{
        ATTEMPTS_MAX, Backlog, FailureCause, Outcome, Placement, exhausted_work, finish_work,
        next_work, note_moving, place_volume, queued_room, ready_work, resume_work, start_work,
        work_backlog,
    },
};

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
