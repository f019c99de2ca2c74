//! Bodies that hold more than one row.

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
    /// The namespace of the request, empty if absent.
    pub namespace: Box<str>,
}

/// The body of a request to create or register a host volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostVolumeBody {
    /// The volume.
    pub volume: HostVolumeSpec,
    /// The namespace of the request, empty if absent.
    pub namespace: Box<str>,
}

/// The body of a request to create snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotsBody {
    /// The snapshots.
    pub snapshots: Vec<SnapshotSpec>,
    /// The namespace of the request, empty if absent.
    pub namespace: Box<str>,
}

/// The body of an allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllocationBody {
    /// The allocation, without the requests of its group.
    pub allocation: Allocation,
    /// Its group, if the body contains the job.
    pub group: Option<TaskGroup>,
}

/// The body of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchBody {
    /// The prefix of IDs.
    pub prefix: Box<str>,
    /// The string that a fuzzy search looks for in names.
    pub text: Box<str>,
    /// The name of the context, empty if absent.
    pub context: Box<str>,
    /// The namespace of the request, empty if absent.
    pub namespace: Box<str>,
}
