//! Operations on host volumes: placing, creating, updating and deleting them, in two steps.
//!
//! The node works between the steps: an operation is first *planned* on any view, which returns the
//! request for the node, and then *recorded* in a write transaction together with the node's
//! result. Recording repeats the checks whose outcome may have changed.
//!
//! ```
//! use statehold_store::Store;
//! use statehold_nomad::{
//!     HostVolumeSpec, HostVolumeState, CreatedHostVolume, Node, bootstrap, parse_id,
//!     plan_host_create, record_host_volume, schema, upsert_node,
//! };
//!
//! let store = Store::in_memory(&schema());
//! let node = Node {
//!     attributes: [("plugins.host_volume.mkdir.version".into(), "0.0.1".into())].into(),
//!     ..Node::default()
//! };
//! let mut txn = store.begin_write()?;
//! bootstrap(&mut txn)?;
//! upsert_node(&mut txn, 1, node)?;
//! txn.commit()?;
//!
//! let spec = HostVolumeSpec { name: "disk".into(), ..HostVolumeSpec::default() };
//! let fresh = parse_id("1c1d6e5a-2b8f-4a57-9d53-0f9a9d6f0f11")?; // from the caller
//! let plan = plan_host_create(&store.snapshot(), 2, "default", spec, fresh)?;
//! // Here the server sends the plan to the node that `plan.volume()` names.
//! let made = CreatedHostVolume { host_path: "/volumes/1c1d6e5a".into(), capacity: 0 };
//! let mut txn = store.begin_write()?;
//! record_host_volume(&mut txn, plan, Ok(made))?;
//! txn.commit()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod placement;
mod plan;
mod record;
mod reports;

pub(super) use self::reports::{
    AffectedVolumes, delete_reports, detach_host_volumes, move_reports, replace_reports,
    update_host_volumes,
};
pub use self::{
    error::{
        CreatedHostVolume, HostOperation, HostProviderError, HostStateError, HostVolumeError,
        PlacementError,
    },
    plan::{
        HostDeletePlan, HostVolumePlan, plan_host_create, plan_host_delete, plan_host_register,
    },
    record::{move_host_volume, record_host_delete, record_host_volume},
    reports::{report_host_volume, withdraw_host_volume},
};

/// The plugin that creates volumes which name none.
pub const DEFAULT_HOST_PLUGIN: &str = "mkdir";
