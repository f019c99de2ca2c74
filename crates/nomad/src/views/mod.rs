//! The JSON views of volumes, host volumes, claims, plugins and allocations, with Nomad's field
//! names.
//!
//! Views borrow from the store's entries, and are created when a response is written. No view
//! contains a secret: secrets are always `null`, and mount flags are one `[REDACTED]`.

mod allocation;
mod external;
mod group_claim;
mod host_volume;
mod job;
mod namespace;
mod node;
mod plugin;
mod volume;

pub use self::{
    allocation::{AllocationStub, AllocationView},
    external::{ExternalVolumeView, SnapshotView},
    group_claim::TaskGroupClaimView,
    host_volume::{HostVolumeStub, HostVolumeView},
    job::{JobStub, JobSummary, JobSummaryView, JobView, TaskGroupSummary},
    namespace::NamespaceView,
    node::{NodeStub, NodeStubFields, NodeView},
    plugin::{JobExpectation, PluginInfoView, PluginStub, PluginView},
    volume::{ClaimedVolumeView, MountOptionsView, VolumeStub, VolumeView},
};

/// A time that was never set, as filters read it. Go: the zero value of time.Time.
pub(crate) const NEVER: &str = "0001-01-01T00:00:00Z";
