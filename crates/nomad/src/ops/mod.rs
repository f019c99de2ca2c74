//! Operations on the state, by resource.
//!
//! Every function takes a write transaction and, where times are stored, the time of the call in
//! unix nanoseconds. No function reads a clock, so that replicas which apply the same log write the
//! same rows.
//!
//! A function that returns an error of its own has written nothing. After an error of the store the
//! transaction may hold a part of the operation: the caller MUST drop it.

mod claims;
mod csi;
mod host;
mod namespaces;
mod node_error;
mod nodes;

pub use self::{
    claims::*,
    csi::*,
    host::*,
    namespaces::{NamespaceError, bootstrap, delete_namespace, upsert_namespace},
    node_error::NodeError,
    nodes::*,
};
