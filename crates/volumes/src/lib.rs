//! Nomad's CSI volumes, plugins, nodes and claims, as tables and operations on `statehold-store`.
mod claim;
mod facts;
mod id;
mod merge;
mod modes;
mod ops;
mod rows;
mod secrets;
mod spec;
mod text;

pub use self::{
    claim::ClaimRefusal,
    facts::{FactsReader, PluginFacts, VolumeFacts},
    id::{IdError, parse_id},
    merge::{CapacityError, MergeViolation, UpdateError},
    modes::{Capability, ClaimMode, ClaimState, UnknownName, access_mode, attachment_mode},
    ops::*,
    rows::*,
    secrets::Secrets,
    spec::{SpecFault, ValidationError, VolumeSpec},
    text::MultiError,
};
