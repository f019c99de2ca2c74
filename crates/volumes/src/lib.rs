//! Nomad's CSI volumes, plugins, nodes and claims, as tables and operations on `statehold-store`.
mod claim;
mod facts;
mod fault;
mod id;
pub mod input;
mod list;
mod merge;
mod modes;
mod ops;
mod rows;
mod secrets;
mod spec;
mod text;
mod view;

pub use self::{
    claim::ClaimRefusal,
    facts::{FactsReader, PluginFacts, VolumeFacts},
    fault::{Fault, OperationError},
    id::{IdError, parse_id},
    list::{
        ALL_NAMESPACES, VolumeList, VolumeQuery, list_plugins, list_volumes, plugin_allocations,
    },
    merge::{CapacityError, MergeViolation, UpdateError},
    modes::{Capability, ClaimMode, ClaimState, UnknownName, access_mode, attachment_mode},
    ops::*,
    rows::*,
    secrets::Secrets,
    spec::{SpecFault, ValidationError, VolumeSpec},
    text::MultiError,
    view::*,
};
