//! Request bodies: JSON with Nomad's field names, read the way its clients expect.
//!
//! Field names match in any case, unknown ones are ignored, `null` is the same as nothing at all,
//! and what follows the first JSON value of a body is not looked at. Names that are data, such as
//! those of secrets, keep their case.
//!
//! Fields that belong to the server are not read, whatever a client puts into them.

mod bodies;
mod claim;
mod error;
mod fields;
mod host_volume;
mod job;
mod node;
mod search;
mod snapshot;
mod volume;

pub use self::{
    bodies::{AllocationBody, HostVolumeBody, RegisterBody, SearchBody, SnapshotsBody},
    claim::claim_body,
    error::{DecodeError, DecodeErrorKind},
    host_volume::host_volume_body,
    job::{allocation_body, job_body},
    node::{namespace_body, node_body},
    search::search_body,
    snapshot::{secrets_header, snapshots_body},
    volume::register_body,
};
