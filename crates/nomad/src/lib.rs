//! Nomad's CSI volumes, dynamic host volumes, claims, plugins, nodes, allocations and jobs, as
//! tables and operations on `statehold-store`.
//!
//! - Rows: [`CsiVolume`], [`CsiPlugin`], [`HostVolume`], [`TaskGroupClaim`], [`Node`],
//!   [`Allocation`], [`Job`], [`Namespace`]; [`schema`] returns their tables.
//! - Operations such as [`register`], [`claim`], [`unpublish`] and [`upsert_node`] take a write
//!   transaction and the time, so that a server and a replicated log can both call them. Errors
//!   print the messages that Nomad's clients know; [`OperationError::class`] classifies them for an
//!   HTTP status.
//! - Operations that need a node or a storage provider run in three steps: they are *planned* on a
//!   view, *executed* by the node or the [`provider`], and *recorded* in a transaction that repeats
//!   the checks: [`plan_host_create`] and [`record_host_volume`], [`create_with_provider`] and
//!   [`record_volumes`], [`detach_with_provider`] and [`record_release`]. No transaction is open
//!   while an outside party is called.
//! - [`volume_claims`] returns the claims on a volume and, for each, the condition that releases
//!   it.
//! - Reads work on any [`ReadView`](statehold_store::ReadView): [`list_volumes`], [`list_plugins`],
//!   [`list_host_volumes`], [`list_task_group_claims`], [`list_nodes`], [`search()`], and the views
//!   that serialise to Nomad's JSON, such as [`VolumeView`]. Derived values (health, expected
//!   counts, schedulability) are computed on read and never stored.
//! - Filter expressions select fields of [`VolumeItem`], [`PluginItem`], [`HostVolumeItem`],
//!   [`TaskGroupClaimItem`] and [`NodeItem`]; [`input`] decodes request bodies.
//!
//! Invariant: no IO, no clock, no randomness, and no panic on outside input.
//! Invariant: secrets and mount flags are in no view, no filter and no `Debug` output.
//!
//! ```
//! use statehold_filter::Filter;
//! use statehold_store::Store;
//! use statehold_nomad::{
//!     HealthReader, VolumeItem, VolumeQuery, bootstrap, input, list_volumes, parse_id, register,
//!     schema, report_node,
//! };
//!
//! let store = Store::in_memory(&schema());
//! let now = 1_736_191_825_846_395_400; // from the caller's clock
//!
//! let node = parse_id("fb2170a8-257d-3c64-b14d-bc06cc94e34c")?;
//! let report = br#"{"CSINodePlugins": {"nfs": {"Healthy": true, "NodeInfo": {}}}}"#;
//! let node = input::node_body(report, node)?;
//! let body = input::register_body(br#"{"Volumes": [{
//!     "ID": "home", "PluginID": "nfs", "Secrets": {"password": "xyzzy"},
//!     "RequestedCapabilities": [
//!         {"AccessMode": "multi-node-multi-writer", "AttachmentMode": "file-system"}
//!     ]
//! }]}"#)?;
//! let mut txn = store.begin_write()?;
//! bootstrap(&mut txn)?;
//! report_node(&mut txn, now, node)?;
//! register(&mut txn, now, "default", body.volumes)?;
//! let index = txn.commit()?;
//!
//! let view = store.snapshot();
//! let filter = Filter::<VolumeItem>::compile("Schedulable == true and NodesHealthy == 1")?;
//! let mut health = HealthReader::new(&view);
//! let query = VolumeQuery { namespace: "default", ..Default::default() };
//! let items: Vec<VolumeItem> = list_volumes(&view, &query)
//!     .map(|volume| VolumeItem::new(&mut health, volume))
//!     .filter(|item| filter.matches(item))
//!     .collect();
//! assert_eq!(items.len(), 1);
//! assert_eq!(items[0].volume().modify_index(), index);
//! assert!(!format!("{items:?}").contains("xyzzy"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod claim_state;
mod claim_status;
mod constraint;
mod controller;
mod error_class;
mod filters;
mod fmt;
mod health;
mod host_volume_spec;
mod id;
pub mod input;
mod list;
mod modes;
mod ops;
pub mod provider;
mod release;
mod rows;
mod search;
mod secrets;
mod update;
mod views;
mod volume_spec;

pub use self::{
    claim_state::ClaimRejection,
    claim_status::{ClaimStatus, ClaimView, volume_claims},
    constraint::ConstraintError,
    controller::{ControllerError, ControllerOperation, PluginLookupError, find_plugin},
    error_class::{ErrorClass, OperationError},
    filters::{
        AllocationItem, HostVolumeItem, JobItem, NodeItem, NodePool, PluginItem,
        TaskGroupClaimItem, VolumeItem, list_node_pools,
    },
    fmt::MultiError,
    health::{
        HealthReader, PluginHealth, VolumeHealth, claims_on, plugin_instances,
        reported_host_volumes,
    },
    host_volume_spec::{HostSpecError, HostSpecViolation, HostUpdateViolation, HostVolumeSpec},
    id::{IdError, parse_id},
    list::{
        ALL_NAMESPACES, HostVolumeList, HostVolumeQuery, TaskGroupClaimKey, TaskGroupClaimList,
        TaskGroupClaimQuery, VolumeList, VolumeQuery, job_allocations, list_allocations,
        list_host_volumes, list_jobs, list_nodes, list_plugins, list_task_group_claims,
        list_volumes, node_allocations, plugin_allocations,
    },
    modes::{Capability, ClaimMode, ClaimState, UnknownName, access_mode, attachment_mode},
    ops::*,
    release::ReleaseBlocker,
    rows::*,
    search::{
        FUZZY_MIN_CHARS, FuzzyJobParts, FuzzyMatch, FuzzyMatches, SEARCH_MATCHES_MAX,
        SearchContext, SearchMatches, UnknownContext, fuzzy_search, fuzzy_search_in_jobs, search,
        search_while,
    },
    secrets::Secrets,
    update::{CapacityError, MergeViolation, UpdateError},
    views::*,
    volume_spec::{SpecViolation, VolumeSpec, VolumeSpecError},
};

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
