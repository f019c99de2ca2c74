//! Decoding of request bodies: JSON with Nomad's field names, with the leniency that its clients
//! expect.
//!
//! Field names match in any case, unknown fields are ignored, `null` equals an absent field, and
//! bytes after the first JSON value of a body are ignored. Names that are data, such as those of
//! secrets, keep their case. Go: `encoding/json`, `Decoder.Decode` does the same.
//!
//! Fields that belong to the server are ignored.

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
