//! What can be done to the state: one module for each kind of thing.
//!
//! Every function takes a write transaction and, where times are kept, the time of the call in unix nanoseconds.
//! Nothing reads a clock, so that a replicated log can call these functions and get the same rows everywhere.
//!
//! A function that returns an error of its own has written nothing. After a store's error the transaction may hold a
//! part of the operation: drop it.

mod allocations;
mod claims;
mod deregister;
mod jobs;
mod namespaces;
mod nodes;
mod plugins;
mod register;

pub use self::{
    allocations::{delete_allocation, upsert_allocation},
    claims::{ClaimError, ClaimRequest, Holdup, UnpublishError, Unpublished, claim, unpublish},
    deregister::{DeregisterError, deregister},
    jobs::{JobError, delete_job, upsert_job},
    namespaces::{NamespaceError, bootstrap, delete_namespace, upsert_namespace},
    nodes::{NodeError, delete_node, upsert_node},
    register::{RegisterError, VolumeKey, register},
};
