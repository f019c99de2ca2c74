//! Serves Nomad's volumes API on [`statehold_nomad`], and runs the storage plugins of the local node.
//!
//! `api` has the endpoints: permissions, metrics and the OpenAPI document follow from its table of routes. `acl`
//! resolves tokens to grants, `node` runs the storage plugins of this machine, `claim_reaper` releases the claims of
//! allocations that ended, `plugin_prober` keeps the health of plugins current.

mod acl;
mod api;
mod background;
mod claim_reaper;
mod error;
mod node;
mod plugin_prober;
mod request;
mod state;

pub use acl::{Acl, AclError, CurrentAcl};
pub use api::router;
pub use claim_reaper::start as start_claim_reaper;
pub use node::{HostVolumeKeeper, KeepError, LocalNode, NodeOptions, NodeStartError};
pub use plugin_prober::start as start_plugin_prober;
pub use state::NomadState;
