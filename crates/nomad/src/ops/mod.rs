//! What can be done to the state: one module for each kind of thing.
//!
//! Every function takes a write transaction and, where times are kept, the time of the call in unix
//! nanoseconds. Nothing reads a clock, so that a replicated log can call these functions and get
//! the same rows everywhere.
//!
//! A function that returns an error of its own has written nothing. After a store's error the
//! transaction may hold a part of the operation: drop it.

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
