//! What some bodies hold beside the row.

use crate::{
    host_volume_spec::HostVolumeSpec,
    ops::SnapshotSpec,
    rows::{Allocation, TaskGroup},
    volume_spec::VolumeSpec,
};

/// The body of a registration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterBody {
    /// The volumes.
    pub volumes: Vec<VolumeSpec>,
    /// The namespace of the request, empty when the body doesn't say.
    pub namespace: Box<str>,
}

/// The body of a request to make or to register a host volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostVolumeBody {
    /// The volume.
    pub volume: HostVolumeSpec,
    /// The namespace of the request, empty when the body doesn't say.
    pub namespace: Box<str>,
}

/// The body of a request for snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotsBody {
    /// The snapshots.
    pub snapshots: Vec<SnapshotSpec>,
    /// The namespace of the request, empty when the body doesn't say.
    pub namespace: Box<str>,
}

/// The body of an allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllocationBody {
    /// The allocation, without what its group asks for.
    pub allocation: Allocation,
    /// Its group, when the body holds the job.
    pub group: Option<TaskGroup>,
}

/// The body of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchBody {
    /// What IDs are to start with.
    pub prefix: Box<str>,
    /// The part of names that a fuzzy search looks for.
    pub text: Box<str>,
    /// What is searched, by name; empty when the body doesn't say.
    pub context: Box<str>,
    /// The namespace of the request, empty when the body doesn't say.
    pub namespace: Box<str>,
}
