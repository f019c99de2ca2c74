//! What can be done to the state: one module for each kind of thing.
//!
//! Every function takes a write transaction and, where times are kept, the time of the call in unix
//! nanoseconds. Nothing reads a clock, so that a replicated log can call these functions and get
//! the same rows everywhere.
//!
//! A function that returns an error of its own has written nothing. After a store's error the
//! transaction may hold a part of the operation: drop it.

mod allocations;
mod attach;
mod claim_rows;
mod claims;
mod controller;
mod create;
mod delete;
mod deregister;
mod group_claims;
mod host_volumes;
mod jobs;
mod lost;
mod namespaces;
mod nodes;
mod ownership;
mod plugins;
mod register;
mod release;
mod snapshots;
mod unpublish;

pub(crate) use self::release::{controller_holdup, node_let_go};
pub use self::{
    allocations::{delete_allocation, upsert_allocation},
    attach::{AttachError, ask_attach},
    claims::{ClaimError, ClaimRequest, claim},
    controller::{ControllerError, ControllerOperation, PluginLookupError, find_plugin},
    create::{AskedVolumes, CreateFault, ask_create, ask_register, record_volumes},
    delete::{DeleteError, ask_delete},
    deregister::{DeregisterError, deregister},
    group_claims::{GroupClaimError, delete_group_claim},
    host_volumes::{
        DEFAULT_HOST_PLUGIN, HostDeletePlan, HostOperation, HostProviderError, HostStateFault,
        HostVolumeError, HostVolumePlan, MadeHostVolume, PlacementFault, move_host_volume,
        plan_host_create, plan_host_delete, plan_host_register, record_host_delete,
        record_host_volume, report_host_volume, withdraw_host_volume,
    },
    jobs::{JobError, delete_job, upsert_job},
    lost::{LOST_AFTER_DEFAULT, lose_allocations, note_lost_nodes, overdue_allocations},
    namespaces::{NamespaceError, bootstrap, delete_namespace, upsert_namespace},
    nodes::{NodeError, NodeReport, delete_node, report_node, upsert_node},
    ownership::{OwnershipError, check_data, check_snapshot, is_foreign_data},
    plugins::collect_plugins,
    register::{RegisterError, VolumeKey, check_own_data, check_own_sources, register},
    release::{
        DetachError, Holdup, Recorded, Release, ask_release, is_recorded, overdue_releases,
        overdue_releases_of, plan_detach, plan_release, record_release,
    },
    snapshots::{
        ExternalListError, PluginSnapshots, SnapshotFault, SnapshotSpec, TakenSnapshot,
        ask_delete_snapshot, ask_external_snapshots, ask_external_volumes, ask_snapshots,
    },
    unpublish::{UnpublishError, Unpublished, unpublish},
};
