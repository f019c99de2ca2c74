//! The filter fields of host volumes and of sticky claims.

use statehold_filter::Filterable;
use statehold_store::Entry;

use crate::{
    filters::AllocationItem,
    rows::{HostVolume, TaskGroupClaim},
    views::{HostVolumeStub, TaskGroupClaimView},
};

/// A host volume of a list.
///
/// # Examples
/// ```
/// use statehold_filter::Filter;
/// use statehold_nomad::HostVolumeItem;
///
/// let filter = Filter::<HostVolumeItem>::compile(
///     r#"State == "ready" and CapacityBytes != 0 and Allocations is empty"#,
/// );
/// assert!(filter.is_ok());
/// ```
#[derive(Clone, Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
#[filterable(computed(name = "CreateIndex", with = Self::create_index, ty = u64))]
#[filterable(computed(name = "ModifyIndex", with = Self::modify_index, ty = u64))]
pub struct HostVolumeItem {
    #[filterable(flatten(deref))]
    volume: Entry<HostVolume>,
    /// Always empty, because lists show no allocations. Nomad: `nomad/structs/host_volumes.go`,
    /// `HostVolume.Allocations`, which only a read of one volume fills.
    allocations: Vec<AllocationItem>,
}

impl HostVolumeItem {
    /// Creates the item of `volume`.
    pub fn new(volume: &Entry<HostVolume>) -> Self {
        Self { volume: volume.clone(), allocations: Vec::new() }
    }

    /// Returns the volume.
    pub fn volume(&self) -> &Entry<HostVolume> {
        &self.volume
    }

    /// Returns the JSON view for a list.
    pub fn stub(&self) -> HostVolumeStub<'_> {
        HostVolumeStub::new(&self.volume)
    }

    fn create_index(&self) -> u64 {
        self.volume.create_index()
    }

    fn modify_index(&self) -> u64 {
        self.volume.modify_index()
    }
}

/// A sticky claim of a list.
#[derive(Clone, Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
#[filterable(computed(name = "CreateIndex", with = Self::create_index, ty = u64))]
#[filterable(computed(name = "ModifyIndex", with = Self::modify_index, ty = u64))]
pub struct TaskGroupClaimItem {
    #[filterable(flatten(deref))]
    claim: Entry<TaskGroupClaim>,
}

impl TaskGroupClaimItem {
    /// Creates the item of `claim`.
    pub fn new(claim: &Entry<TaskGroupClaim>) -> Self {
        Self { claim: claim.clone() }
    }

    /// Returns the claim.
    pub fn claim(&self) -> &Entry<TaskGroupClaim> {
        &self.claim
    }

    /// Returns the JSON view.
    pub fn view(&self) -> TaskGroupClaimView<'_> {
        TaskGroupClaimView::new(&self.claim)
    }

    fn create_index(&self) -> u64 {
        self.claim.create_index()
    }

    fn modify_index(&self) -> u64 {
        self.claim.modify_index()
    }
}
